// brm(TICKS | cens(TICKS > 9) ~ cHEIGHT + (1 | LOCATION), family = poisson())
//
//   y          ~ poisson(exp(X beta + b_LOCATION[LOCATION])), censored
//   b_LOCATION ~ normal(0, sd_LOCATION)
data {
  int<lower=1> N; // observations
  array[N] int<lower=0> y; // TICKS
  array[N] int y_upper; // y is this at most, in an interval
  int<lower=0, upper=N> N_observed;
  array[N_observed] int<lower=1, upper=N> observed; // rows of y
  int<lower=0, upper=N> N_left;
  array[N_left] int<lower=1, upper=N> left; // rows of y
  int<lower=0, upper=N> N_right;
  array[N_right] int<lower=1, upper=N> right; // rows of y
  int<lower=0, upper=N> N_interval;
  array[N_interval] int<lower=1, upper=N> interval; // rows of y

  int<lower=1> K; // population effects
  matrix[N, K] X; // cHEIGHT
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_LOCATION; // levels of LOCATION
  array[N] int<lower=1, upper=J_LOCATION> LOCATION;

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  real<lower=0> sd_LOCATION_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  real<lower=0> sd_LOCATION;
  vector[J_LOCATION] z_LOCATION; // b_LOCATION, non-centred
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  vector[J_LOCATION] b_LOCATION = sd_LOCATION * z_LOCATION;
}
model {
  vector[N] eta = Q * theta;
  eta += b_LOCATION[LOCATION];
  if (N_observed > 0) {
    y[observed] ~ poisson(exp(eta[observed]));
  }
  if (N_left > 0) {
    target += poisson_lcdf(y[left] | exp(eta[left]));
  }
  if (N_right > 0) {
    target += poisson_lccdf(y[right] | exp(eta[right]));
  }
  for (i in interval) {
    real below = poisson_lcdf(y[i] | exp(eta[i]));
    if (below < log(0.5)) {
      target += log_diff_exp(poisson_lcdf(y_upper[i] | exp(eta[i])), below);
    } else {
      target += log_diff_exp(poisson_lccdf(y[i] | exp(eta[i])),
                             poisson_lccdf(y_upper[i] | exp(eta[i])));
    }
  }

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sd_LOCATION ~ student_t(3, 0, sd_LOCATION_scale);
  z_LOCATION ~ std_normal();
}
