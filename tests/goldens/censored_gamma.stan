// brm(bf(Reaction | cens(Days > 7) ~ 1 + (1 | Subject), shape ~ Days), family = Gamma(log))
//
//   y         ~ gamma(shape, shape / exp(X beta + b_Subject[Subject])), censored
//   b_Subject ~ normal(0, sd_Subject)
//   shape     = exp(X_shape beta_shape)
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
  matrix[N, K] X; // 1

  int<lower=1> J_Subject; // levels of Subject
  array[N] int<lower=1, upper=J_Subject> Subject;

  int<lower=1> K_shape; // population effects
  matrix[N, K_shape] X_shape; // Days
  matrix[K_shape, K_shape] R_inverse_shape; // X_shape R_inverse_shape has orthogonal columns

  // prior locations and scales
  real intercept_loc;
  real<lower=0> intercept_scale;
  real<lower=0> sd_Subject_scale;
  row_vector[K_shape] X_mean_shape; // means of the columns of X_shape
  real intercept_shape_loc;
  real<lower=0> intercept_shape_scale;
  vector[K_shape - 1] beta_shape_loc;
  vector<lower=0>[K_shape - 1] beta_shape_scale;
}
transformed data {
  matrix[N, K_shape] Q_shape = X_shape * R_inverse_shape;
}
parameters {
  vector[K] beta;

  real<lower=0> sd_Subject;
  vector[J_Subject] z_Subject; // b_Subject, non-centred

  vector[K_shape] theta_shape; // effects of Q_shape: X_shape beta_shape = Q_shape theta_shape
}
transformed parameters {
  vector[J_Subject] b_Subject = sd_Subject * z_Subject;

  vector[K_shape] beta_shape = R_inverse_shape * theta_shape;
}
model {
  vector[N] eta = X * beta;
  eta += b_Subject[Subject];
  vector[N] eta_shape = Q_shape * theta_shape;
  vector[N] shape = exp(eta_shape);
  y[observed] ~ gamma(shape[observed], shape[observed] ./ exp(eta[observed]));
  target += gamma_lcdf(y[left] | shape[left], shape[left] ./ exp(eta[left]));
  target += gamma_lccdf(y[right] | shape[right], shape[right] ./ exp(eta[right]));
  for (i in interval) {
    real below = gamma_lcdf(y[i] | shape[i], shape[i] / exp(eta[i]));
    if (below < log(0.5)) {
      target += log_diff_exp(gamma_lcdf(y_upper[i] | shape[i], shape[i] / exp(eta[i])), below);
    } else {
      target += log_diff_exp(gamma_lccdf(y[i] | shape[i], shape[i] / exp(eta[i])),
                             gamma_lccdf(y_upper[i] | shape[i], shape[i] / exp(eta[i])));
    }
  }

  beta[1] ~ normal(intercept_loc, intercept_scale);
  sd_Subject ~ student_t(3, 0, sd_Subject_scale);
  z_Subject ~ std_normal();
  X_mean_shape * beta_shape ~ normal(intercept_shape_loc, intercept_shape_scale);
  beta_shape[2 : K_shape] ~ normal(beta_shape_loc, beta_shape_scale);
}
