// glmmTMB(TICKS ~ YEAR + (1 | LOCATION), ziformula = ~1, dispformula = ~YEAR, family = truncated_nbinom2)
//
//   y          ~ hurdle_negbinomial(exp(X beta + b_LOCATION[LOCATION]), shape, hu)
//   b_LOCATION ~ normal(0, sd_LOCATION)
//   shape      = exp(X_shape beta_shape)
functions {
  real hurdle_negbinomial_lpmf(array[] int y, vector mu, vector shape, real hu, array[] int zero,
                               array[] int positive) {
    real lp = size(zero) * log(hu) + size(positive) * log1m(hu);
    lp += neg_binomial_2_lpmf(y[positive] | mu[positive], shape[positive]);
    lp -= sum(log1m_exp(-shape[positive] .* log1p(mu[positive] ./ shape[positive])));
    return lp;
  }
}
data {
  int<lower=1> N; // observations
  array[N] int<lower=0> y; // TICKS
  int<lower=0, upper=N> N_zero;
  array[N_zero] int<lower=1, upper=N> zero; // rows of y
  int<lower=0, upper=N> N_positive;
  array[N_positive] int<lower=1, upper=N> positive; // rows of y

  int<lower=1> K; // population effects
  matrix[N, K] X; // YEAR
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_LOCATION; // levels of LOCATION
  array[N] int<lower=1, upper=J_LOCATION> LOCATION;

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

  matrix[N, K_shape] Q_shape = X_shape * R_inverse_shape;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  real<lower=0> sd_LOCATION;
  vector[J_LOCATION] z_LOCATION; // b_LOCATION, non-centred

  vector[K_shape] theta_shape; // effects of Q_shape: X_shape beta_shape = Q_shape theta_shape

  real<lower=0, upper=1> hu; // probability of a zero
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  vector[J_LOCATION] b_LOCATION = sd_LOCATION * z_LOCATION;

  vector[K_shape] beta_shape = R_inverse_shape * theta_shape;
}
model {
  vector[N] eta = Q * theta;
  eta += b_LOCATION[LOCATION];
  vector[N] eta_shape = Q_shape * theta_shape;
  vector[N] shape = exp(eta_shape);
  y ~ hurdle_negbinomial(exp(eta), shape, hu, zero, positive);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sd_LOCATION ~ student_t(3, 0, sd_LOCATION_scale);
  z_LOCATION ~ std_normal();
  X_mean_shape * beta_shape ~ normal(intercept_shape_loc, intercept_shape_scale);
  beta_shape[2 : K_shape] ~ normal(beta_shape_loc, beta_shape_scale);
  hu ~ beta(1, 1);
}
