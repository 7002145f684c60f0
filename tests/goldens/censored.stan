// brm(Reaction | cens(Days > 7) ~ Days + (1 | Subject))
//
//   y         ~ normal(X beta + b_Subject[Subject], sigma), censored
//   b_Subject ~ normal(0, sd_Subject)
data {
  int<lower=1> N; // observations
  vector[N] y; // Reaction
  vector[N] y_upper; // y is this at most, in an interval
  int<lower=0, upper=N> N_observed;
  array[N_observed] int<lower=1, upper=N> observed; // rows of y
  int<lower=0, upper=N> N_left;
  array[N_left] int<lower=1, upper=N> left; // rows of y
  int<lower=0, upper=N> N_right;
  array[N_right] int<lower=1, upper=N> right; // rows of y
  int<lower=0, upper=N> N_interval;
  array[N_interval] int<lower=1, upper=N> interval; // rows of y

  int<lower=1> K; // population effects
  matrix[N, K] X; // Days
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_Subject; // levels of Subject
  array[N] int<lower=1, upper=J_Subject> Subject;

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  real<lower=0> sd_Subject_scale;
  real<lower=0> sigma_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  real<lower=0> sd_Subject;
  vector[J_Subject] z_Subject; // b_Subject, non-centred

  real<lower=0> sigma; // residual sd
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  vector[J_Subject] b_Subject = sd_Subject * z_Subject;
}
model {
  vector[N] eta = Q * theta;
  eta += b_Subject[Subject];
  y[observed] ~ normal(eta[observed], sigma);
  target += normal_lcdf(y[left] | eta[left], sigma);
  target += normal_lccdf(y[right] | eta[right], sigma);
  for (i in interval) {
    real below = normal_lcdf(y[i] | eta[i], sigma);
    if (below < log(0.5)) {
      target += log_diff_exp(normal_lcdf(y_upper[i] | eta[i], sigma), below);
    } else {
      target += log_diff_exp(normal_lccdf(y[i] | eta[i], sigma),
                             normal_lccdf(y_upper[i] | eta[i], sigma));
    }
  }

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sd_Subject ~ student_t(3, 0, sd_Subject_scale);
  z_Subject ~ std_normal();
  sigma ~ student_t(3, 0, sigma_scale);
}
