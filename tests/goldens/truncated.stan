// MCMCglmm(TICKS + 1 ~ YEAR, random = ~LOCATION, family = "ztpoisson")
//
//   y          ~ truncated_poisson(exp(X beta + b_LOCATION[LOCATION] + b_units[units]))
//   b_LOCATION ~ normal(0, sd_LOCATION)
//   b_units    ~ normal(0, sd_units)
functions {
  real truncated_poisson_lpmf(array[] int y, vector mu) {
    return poisson_lpmf(y | mu) - sum(log1m_exp(-mu));
  }
}
data {
  int<lower=1> N; // observations
  array[N] int<lower=0> y; // TICKS + 1

  int<lower=1> K; // population effects
  matrix[N, K] X; // YEAR
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_LOCATION; // levels of LOCATION
  array[N] int<lower=1, upper=J_LOCATION> LOCATION;

  int<lower=1> J_units; // levels of units
  array[N] int<lower=1, upper=J_units> units;

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  real<lower=0> sd_LOCATION_scale;
  real<lower=0> sd_units_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  real<lower=0> sd_LOCATION;
  vector[J_LOCATION] z_LOCATION; // b_LOCATION, non-centred

  real<lower=0> sd_units;
  vector[J_units] z_units; // b_units, non-centred
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  vector[J_LOCATION] b_LOCATION = sd_LOCATION * z_LOCATION;

  vector[J_units] b_units = sd_units * z_units;
}
model {
  vector[N] eta = Q * theta;
  eta += b_LOCATION[LOCATION];
  eta += b_units[units];
  y ~ truncated_poisson(exp(eta));

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sd_LOCATION ~ student_t(3, 0, sd_LOCATION_scale);
  z_LOCATION ~ std_normal();
  sd_units ~ student_t(3, 0, sd_units_scale);
  z_units ~ std_normal();
}
