// MCMCglmm(TICKS ~ YEAR, random = ~us(1 + cHEIGHT):LOCATION, family = "poisson")
//
//   y          ~ poisson(exp(X beta + Z_LOCATION b_LOCATION[LOCATION] + b_units[units]))
//   b_LOCATION ~ multi_normal(0, D R_LOCATION D),  D = diag(sd_LOCATION)
//   b_units    ~ normal(0, sd_units)
//
// m_units is sampled: b_units plus all of the predictor above it.
data {
  int<lower=1> N; // observations
  array[N] int<lower=0> y; // TICKS

  int<lower=1> K; // population effects
  matrix[N, K] X; // YEAR
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_LOCATION; // levels of LOCATION
  int<lower=1> Q_LOCATION; // effects per level
  array[N] int<lower=1, upper=J_LOCATION> LOCATION;
  matrix[N, Q_LOCATION] Z_LOCATION; // 1 + cHEIGHT

  int<lower=1> J_units; // levels of units
  array[N] int<lower=1, upper=J_units> units;
  array[J_units] int<lower=1, upper=N> row_units; // a row of every level
  int<lower=1> K_units; // columns constant within its levels
  array[K_units] int<lower=1, upper=K> columns_units;

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  vector<lower=0>[Q_LOCATION] sd_LOCATION_scale;
  real<lower=0> sd_units_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;

  matrix[J_units, K_units] W_units = Q[row_units, columns_units];
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  vector<lower=0>[Q_LOCATION] sd_LOCATION;
  cholesky_factor_corr[Q_LOCATION] L_LOCATION; // R_LOCATION = L L'
  matrix[J_LOCATION, Q_LOCATION] b_LOCATION;

  real<lower=0> sd_units;
  vector[J_units] m_units; // b_units plus its mean
}
transformed parameters {
  vector[K] beta = R_inverse * theta;
}
model {
  vector[N] eta = rows_dot_product(Z_LOCATION, b_LOCATION[LOCATION]);
  eta += m_units[units];
  y ~ poisson_log(eta);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sd_LOCATION ~ student_t(3, 0, sd_LOCATION_scale);
  L_LOCATION ~ lkj_corr_cholesky(1);
  {
    matrix[Q_LOCATION, Q_LOCATION] root = diag_pre_multiply(sd_LOCATION, L_LOCATION);
    to_vector(mdivide_left_tri_low(root, b_LOCATION')) ~ std_normal();
    target += -J_LOCATION * sum(log(diagonal(root)));
  }
  sd_units ~ student_t(3, 0, sd_units_scale);
  vector[J_units] mean_units = W_units * theta[columns_units];
  m_units ~ normal(mean_units, sd_units);
}
generated quantities {
  corr_matrix[Q_LOCATION] R_LOCATION;
  R_LOCATION = multiply_lower_tri_self_transpose(L_LOCATION);

  vector[J_units] b_units = m_units;
  b_units -= W_units * theta[columns_units];
}
