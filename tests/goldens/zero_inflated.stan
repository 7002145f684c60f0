// glmmTMB(TICKS ~ YEAR + (1 | LOCATION), ziformula = ~cHEIGHT + (1 | LOCATION), family = poisson)
//
//   y             ~ zero_inflated_poisson(exp(X beta + b_LOCATION[LOCATION]), zi)
//   b_LOCATION    ~ normal(0, sd_LOCATION)
//   zi            = inv_logit(X_zi beta_zi + b_zi_LOCATION[zi_LOCATION])
//   b_zi_LOCATION ~ normal(0, sd_zi_LOCATION)
functions {
  real zero_inflated_poisson_lpmf(array[] int y, vector mu, vector zi, array[] int zero,
                                  array[] int positive) {
    vector[size(zero)] usual = -mu[zero]; // log probability
    real lp = sum(log(zi[zero] + (1 - zi[zero]) .* exp(usual)));
    lp += sum(log1m(zi[positive]));
    lp += poisson_lpmf(y[positive] | mu[positive]);
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

  int<lower=1> K_zi; // population effects
  matrix[N, K_zi] X_zi; // cHEIGHT
  matrix[K_zi, K_zi] R_inverse_zi; // X_zi R_inverse_zi has orthogonal columns

  int<lower=1> J_zi_LOCATION; // levels of LOCATION
  array[N] int<lower=1, upper=J_zi_LOCATION> zi_LOCATION;

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  real<lower=0> sd_LOCATION_scale;
  row_vector[K_zi] X_mean_zi; // means of the columns of X_zi
  real intercept_zi_loc;
  real<lower=0> intercept_zi_scale;
  vector[K_zi - 1] beta_zi_loc;
  vector<lower=0>[K_zi - 1] beta_zi_scale;
  real<lower=0> sd_zi_LOCATION_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;

  matrix[N, K_zi] Q_zi = X_zi * R_inverse_zi;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  real<lower=0> sd_LOCATION;
  vector[J_LOCATION] z_LOCATION; // b_LOCATION, non-centred

  vector[K_zi] theta_zi; // effects of Q_zi: X_zi beta_zi = Q_zi theta_zi

  real<lower=0> sd_zi_LOCATION;
  vector[J_zi_LOCATION] z_zi_LOCATION; // b_zi_LOCATION, non-centred
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  vector[J_LOCATION] b_LOCATION = sd_LOCATION * z_LOCATION;

  vector[K_zi] beta_zi = R_inverse_zi * theta_zi;

  vector[J_zi_LOCATION] b_zi_LOCATION = sd_zi_LOCATION * z_zi_LOCATION;
}
model {
  vector[N] eta = Q * theta;
  eta += b_LOCATION[LOCATION];
  vector[N] eta_zi = Q_zi * theta_zi;
  eta_zi += b_zi_LOCATION[zi_LOCATION];
  vector[N] zi = inv_logit(eta_zi);
  y ~ zero_inflated_poisson(exp(eta), zi, zero, positive);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sd_LOCATION ~ student_t(3, 0, sd_LOCATION_scale);
  z_LOCATION ~ std_normal();
  X_mean_zi * beta_zi ~ normal(intercept_zi_loc, intercept_zi_scale);
  beta_zi[2 : K_zi] ~ normal(beta_zi_loc, beta_zi_scale);
  sd_zi_LOCATION ~ student_t(3, 0, sd_zi_LOCATION_scale);
  z_zi_LOCATION ~ std_normal();
}
