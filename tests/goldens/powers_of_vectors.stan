// glmmTMB(TICKS + 1 ~ YEAR, weights = HEIGHT, family = lognormal, dispformula = ~YEAR)
//
//   y     ~ lognormal_mean(exp(X beta), sigma), to the power of its weight
//   sigma = exp(X_sigma beta_sigma)
functions {
  real lognormal_mean_lpdf(vector y, vector mu, vector sigma) {
    vector[size(y)] variance = log1p(square(sigma ./ mu)); // of log(y)
    return lognormal_lpdf(y | log(mu) - 0.5 * variance, sqrt(variance));
  }
}
data {
  int<lower=1> N; // observations
  vector[N] y; // TICKS + 1
  vector<lower=0>[N] weight; // HEIGHT, of the log-likelihood of the row

  int<lower=1> K; // population effects
  matrix[N, K] X; // YEAR
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> K_sigma; // population effects
  matrix[N, K_sigma] X_sigma; // YEAR
  matrix[K_sigma, K_sigma] R_inverse_sigma; // X_sigma R_inverse_sigma has orthogonal columns

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  row_vector[K_sigma] X_mean_sigma; // means of the columns of X_sigma
  real intercept_sigma_loc;
  real<lower=0> intercept_sigma_scale;
  vector[K_sigma - 1] beta_sigma_loc;
  vector<lower=0>[K_sigma - 1] beta_sigma_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;

  matrix[N, K_sigma] Q_sigma = X_sigma * R_inverse_sigma;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  vector[K_sigma] theta_sigma; // effects of Q_sigma: X_sigma beta_sigma = Q_sigma theta_sigma
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  vector[K_sigma] beta_sigma = R_inverse_sigma * theta_sigma;
}
model {
  vector[N] eta = Q * theta;
  vector[N] eta_sigma = Q_sigma * theta_sigma;
  vector[N] sigma = exp(eta_sigma);
  for (i in 1 : N) {
    target += weight[i] * lognormal_mean_lpdf(y[i : i] | exp(eta[i : i]), sigma[i : i]);
  }

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  X_mean_sigma * beta_sigma ~ normal(intercept_sigma_loc, intercept_sigma_scale);
  beta_sigma[2 : K_sigma] ~ normal(beta_sigma_loc, beta_sigma_scale);
}
