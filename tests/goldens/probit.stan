// glmer(incidence/size ~ period + (1 | herd), weights = size, family = binomial(probit))
//
//   y      ~ binomial(trials, Phi(X beta + b_herd[herd]))
//   b_herd ~ normal(0, sd_herd)
//
// m_herd is sampled: b_herd plus all of the predictor above it.
data {
  int<lower=1> N; // observations
  array[N] int<lower=0> y; // incidence/size
  array[N] int<lower=0> trials;

  int<lower=1> K; // population effects
  matrix[N, K] X; // period
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  int<lower=1> K_rest; // columns in the mean of no group term
  array[K_rest] int<lower=1, upper=K> rest;

  int<lower=1> J_herd; // levels of herd
  array[N] int<lower=1, upper=J_herd> herd;
  array[J_herd] int<lower=1, upper=N> row_herd; // a row of every level
  int<lower=1> K_herd; // columns constant within its levels
  array[K_herd] int<lower=1, upper=K> columns_herd;

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  real<lower=0> sd_herd_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
  matrix[N, K_rest] X_rest = Q[ : , rest];

  matrix[J_herd, K_herd] W_herd = Q[row_herd, columns_herd];
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  real<lower=0> sd_herd;
  vector[J_herd] m_herd; // b_herd plus its mean
}
transformed parameters {
  vector[K] beta = R_inverse * theta;
}
model {
  vector[N] eta = X_rest * theta[rest];
  eta += m_herd[herd];
  y ~ binomial(trials, Phi(eta));

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sd_herd ~ student_t(3, 0, sd_herd_scale);
  vector[J_herd] mean_herd = W_herd * theta[columns_herd];
  m_herd ~ normal(mean_herd, sd_herd);
}
generated quantities {
  vector[J_herd] b_herd = m_herd;
  b_herd -= W_herd * theta[columns_herd];
}
