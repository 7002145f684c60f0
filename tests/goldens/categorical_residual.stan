// MCMCglmm(I(sex == "Male") ~ 1, random = ~dam, family = "categorical")
//
//   y       ~ bernoulli(inv_logit(X beta + b_dam[dam] + Z_units b_units[units]))
//   b_dam   ~ normal(0, sd_dam)
//   b_units ~ multi_normal(0, known_root_units known_root_units')
data {
  int<lower=1> N; // observations
  array[N] int<lower=0> y; // I(sex == "Male")

  int<lower=1> K; // population effects
  matrix[N, K] X; // 1

  int<lower=1> J_dam; // levels of dam
  array[N] int<lower=1, upper=J_dam> dam;

  int<lower=1> J_units; // levels of units
  int<lower=1> Q_units; // effects per level
  array[N] int<lower=1, upper=J_units> units;
  matrix[N, Q_units] Z_units; // 1
  matrix[Q_units, Q_units] known_root_units; // Cholesky factor of the covariance

  // prior locations and scales
  real intercept_loc;
  real<lower=0> intercept_scale;
  real<lower=0> sd_dam_scale;
}
parameters {
  vector[K] beta;

  real<lower=0> sd_dam;
  vector[J_dam] z_dam; // b_dam, non-centred

  matrix[Q_units, J_units] z_units; // b_units, non-centred
}
transformed parameters {
  vector[J_dam] b_dam = sd_dam * z_dam;

  matrix[J_units, Q_units] b_units;
  b_units = (known_root_units * z_units)';
}
model {
  vector[N] eta = b_dam[dam];
  eta += rows_dot_product(Z_units, b_units[units]);
  y ~ bernoulli_logit_glm(X, eta, beta);

  beta[1] ~ normal(intercept_loc, intercept_scale);
  sd_dam ~ student_t(3, 0, sd_dam_scale);
  z_dam ~ std_normal();
  to_vector(z_units) ~ std_normal();
}
generated quantities {
  corr_matrix[Q_units] R_units;
  R_units = tcrossprod(known_root_units);
  R_units = quad_form_diag(R_units, inv_sqrt(diagonal(R_units)));
}
