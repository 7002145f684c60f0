// glmer(TICKS ~ YEAR + cHEIGHT + (1 | LOCATION/BROOD) + (1 | INDEX), family = poisson)
//
//   y                ~ poisson(exp(X beta + b_LOCATION[LOCATION] + b_BROOD_LOCATION[BROOD_LOCATION] + b_INDEX[INDEX]))
//   b_LOCATION       ~ normal(0, sd_LOCATION)
//   b_BROOD_LOCATION ~ normal(0, sd_BROOD_LOCATION)
//   b_INDEX          ~ normal(0, sd_INDEX)
//
// m_BROOD_LOCATION is sampled: b_BROOD_LOCATION plus all of the predictor above it.
// m_INDEX is sampled: b_INDEX plus all of the predictor above it.
data {
  int<lower=1> N; // observations
  array[N] int<lower=0> y; // TICKS

  int<lower=1> K; // population effects
  matrix[N, K] X; // YEAR + cHEIGHT
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_LOCATION; // levels of LOCATION
  array[N] int<lower=1, upper=J_LOCATION> LOCATION;

  int<lower=1> J_BROOD_LOCATION; // levels of BROOD:LOCATION
  array[N] int<lower=1, upper=J_BROOD_LOCATION> BROOD_LOCATION;
  array[J_BROOD_LOCATION] int<lower=1, upper=N> row_BROOD_LOCATION; // a row of every level

  int<lower=1> J_INDEX; // levels of INDEX
  array[N] int<lower=1, upper=J_INDEX> INDEX;
  array[J_INDEX] int<lower=1, upper=N> row_INDEX; // a row of every level
  int<lower=1> K_INDEX; // columns constant within its levels
  array[K_INDEX] int<lower=1, upper=K> columns_INDEX;

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  real<lower=0> sd_LOCATION_scale;
  real<lower=0> sd_BROOD_LOCATION_scale;
  real<lower=0> sd_INDEX_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;

  array[J_BROOD_LOCATION] int LOCATION_of_BROOD_LOCATION = LOCATION[row_BROOD_LOCATION];

  matrix[J_INDEX, K_INDEX] W_INDEX = Q[row_INDEX, columns_INDEX];
  array[J_INDEX] int BROOD_LOCATION_of_INDEX = BROOD_LOCATION[row_INDEX];
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  real<lower=0> sd_LOCATION;
  vector[J_LOCATION] b_LOCATION;

  real<lower=0> sd_BROOD_LOCATION;
  vector[J_BROOD_LOCATION] m_BROOD_LOCATION; // b_BROOD_LOCATION plus its mean

  real<lower=0> sd_INDEX;
  vector[J_INDEX] m_INDEX; // b_INDEX plus its mean
}
transformed parameters {
  vector[K] beta = R_inverse * theta;
}
model {
  vector[N] eta = m_INDEX[INDEX];
  y ~ poisson_log(eta);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sd_LOCATION ~ student_t(3, 0, sd_LOCATION_scale);
  b_LOCATION ~ normal(0, sd_LOCATION);
  sd_BROOD_LOCATION ~ student_t(3, 0, sd_BROOD_LOCATION_scale);
  vector[J_BROOD_LOCATION] mean_BROOD_LOCATION = b_LOCATION[LOCATION_of_BROOD_LOCATION];
  m_BROOD_LOCATION ~ normal(mean_BROOD_LOCATION, sd_BROOD_LOCATION);
  sd_INDEX ~ student_t(3, 0, sd_INDEX_scale);
  vector[J_INDEX] mean_INDEX = W_INDEX * theta[columns_INDEX];
  mean_INDEX += m_BROOD_LOCATION[BROOD_LOCATION_of_INDEX];
  m_INDEX ~ normal(mean_INDEX, sd_INDEX);
}
generated quantities {
  vector[J_BROOD_LOCATION] b_BROOD_LOCATION = m_BROOD_LOCATION;
  b_BROOD_LOCATION -= b_LOCATION[LOCATION_of_BROOD_LOCATION];

  vector[J_INDEX] b_INDEX = m_INDEX;
  b_INDEX -= W_INDEX * theta[columns_INDEX];
  b_INDEX -= m_BROOD_LOCATION[BROOD_LOCATION_of_INDEX];
}
