// glmmTMB(TICKS ~ YEAR + (1 | LOCATION), family = nbinom2, dispformula = ~YEAR)
//
//   y          ~ neg_binomial_2(exp(X beta + b_LOCATION[LOCATION]), shape)
//   b_LOCATION ~ normal(0, sd_LOCATION)
//   shape      = exp(X_shape beta_shape)
//
// m_LOCATION is sampled: b_LOCATION plus all of the predictor above it.
data {
  int<lower=1> N; // observations
  array[N] int<lower=0> y; // TICKS

  int<lower=1> K; // population effects
  matrix[N, K] X; // YEAR
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  int<lower=1> K_rest; // columns in the mean of no group term
  array[K_rest] int<lower=1, upper=K> rest;

  int<lower=1> J_LOCATION; // levels of LOCATION
  array[N] int<lower=1, upper=J_LOCATION> LOCATION;
  array[J_LOCATION] int<lower=1, upper=N> row_LOCATION; // a row of every level
  int<lower=1> K_LOCATION; // columns constant within its levels
  array[K_LOCATION] int<lower=1, upper=K> columns_LOCATION;

  int<lower=1> K_shape; // population effects
  matrix[N, K_shape] X_shape; // YEAR
  matrix[K_shape, K_shape] R_inverse_shape; // X_shape R_inverse_shape has orthogonal columns

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  real<lower=0> sd_LOCATION_scale;
  row_vector[K_shape] X_mean_shape; // means of the columns of X_shape
  real intercept_shape_loc;
  real<lower=0> intercept_shape_scale;
  vector[K_shape - 1] beta_shape_loc;
  vector<lower=0>[K_shape - 1] beta_shape_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
  matrix[N, K_rest] X_rest = Q[ : , rest];

  matrix[J_LOCATION, K_LOCATION] W_LOCATION = Q[row_LOCATION, columns_LOCATION];

  matrix[N, K_shape] Q_shape = X_shape * R_inverse_shape;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  real<lower=0> sd_LOCATION;
  vector[J_LOCATION] m_LOCATION; // b_LOCATION plus its mean

  vector[K_shape] theta_shape; // effects of Q_shape: X_shape beta_shape = Q_shape theta_shape
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  vector[K_shape] beta_shape = R_inverse_shape * theta_shape;
}
model {
  vector[N] eta = X_rest * theta[rest];
  eta += m_LOCATION[LOCATION];
  vector[N] eta_shape = Q_shape * theta_shape;
  vector[N] shape = exp(eta_shape);
  y ~ neg_binomial_2_log(eta, shape);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sd_LOCATION ~ student_t(3, 0, sd_LOCATION_scale);
  vector[J_LOCATION] mean_LOCATION = W_LOCATION * theta[columns_LOCATION];
  m_LOCATION ~ normal(mean_LOCATION, sd_LOCATION);
  X_mean_shape * beta_shape ~ normal(intercept_shape_loc, intercept_shape_scale);
  beta_shape[2 : K_shape] ~ normal(beta_shape_loc, beta_shape_scale);
}
generated quantities {
  vector[J_LOCATION] b_LOCATION = m_LOCATION;
  b_LOCATION -= W_LOCATION * theta[columns_LOCATION];
}
