// brm(TICKS | trunc(lb = 0, ub = 90) ~ cHEIGHT, family = poisson())
//
//   y ~ poisson(exp(X beta)), truncated
data {
  int<lower=1> N; // observations
  array[N] int<lower=0> y; // TICKS
  array[N] int y_below; // more than this could be observed
  array[N] int y_upper; // the most that could be observed

  int<lower=1> K; // population effects
  matrix[N, K] X; // cHEIGHT
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta
}
transformed parameters {
  vector[K] beta = R_inverse * theta;
}
model {
  vector[N] eta = Q * theta;
  y ~ poisson(exp(eta));
  for (i in 1 : N) {
    real below = poisson_lcdf(y_below[i] | exp(eta[i]));
    if (below < log(0.5)) {
      target += -log_diff_exp(poisson_lcdf(y_upper[i] | exp(eta[i])), below);
    } else {
      target += -log_diff_exp(poisson_lccdf(y_below[i] | exp(eta[i])),
                              poisson_lccdf(y_upper[i] | exp(eta[i])));
    }
  }

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
}
