// brm(bf(Reaction ~ Days + (1 | Subject), sigma ~ Days, quantile = 0.9), family = asym_laplace())
//
//   y         ~ asym_laplace(X beta + b_Subject[Subject], sigma, quantile)
//   b_Subject ~ normal(0, sd_Subject)
//   sigma     = exp(X_sigma beta_sigma)
functions {
  real asym_laplace_lpdf(vector y, vector mu, vector sigma, real quantile) {
    vector[size(y)] z = (y - mu) ./ sigma;
    return sum(log(quantile) + log1m(quantile) - log(sigma) - 0.5 * abs(z) - (quantile - 0.5) .* z);
  }
}
data {
  int<lower=1> N; // observations
  vector[N] y; // Reaction

  int<lower=1> K; // population effects
  matrix[N, K] X; // Days
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_Subject; // levels of Subject
  array[N] int<lower=1, upper=J_Subject> Subject;

  int<lower=1> K_sigma; // population effects
  matrix[N, K_sigma] X_sigma; // Days
  matrix[K_sigma, K_sigma] R_inverse_sigma; // X_sigma R_inverse_sigma has orthogonal columns

  real<lower=0, upper=1> quantile; // known: probability of less than mu

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  real<lower=0> sd_Subject_scale;
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

  real<lower=0> sd_Subject;
  vector[J_Subject] z_Subject; // b_Subject, non-centred

  vector[K_sigma] theta_sigma; // effects of Q_sigma: X_sigma beta_sigma = Q_sigma theta_sigma
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  vector[J_Subject] b_Subject = sd_Subject * z_Subject;

  vector[K_sigma] beta_sigma = R_inverse_sigma * theta_sigma;
}
model {
  vector[N] eta = Q * theta;
  eta += b_Subject[Subject];
  vector[N] eta_sigma = Q_sigma * theta_sigma;
  vector[N] sigma = exp(eta_sigma);
  y ~ asym_laplace(eta, sigma, quantile);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sd_Subject ~ student_t(3, 0, sd_Subject_scale);
  z_Subject ~ std_normal();
  X_mean_sigma * beta_sigma ~ normal(intercept_sigma_loc, intercept_sigma_scale);
  beta_sigma[2 : K_sigma] ~ normal(beta_sigma_loc, beta_sigma_scale);
}
