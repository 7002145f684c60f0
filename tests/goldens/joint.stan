// brm(bf(incidence | trials(size) ~ period + (1 | p | herd), family = binomial()) + bf(size ~ (1 | p | herd) + (1 | period), family = negbinomial()))
//
//   y_incidence   ~ binomial(trials_incidence, inv_logit(X_incidence beta_incidence + Z_herd[, 1] b_herd[herd, 1]))
//   b_herd        ~ multi_normal(0, D R_herd D),  D = diag(sd_herd)
//   y_size        ~ neg_binomial_2(exp(X_size beta_size + Z_herd[, 2] b_herd[herd, 2] + b_period_size[period_size]), shape_size)
//   b_period_size ~ normal(0, sd_period_size)
data {
  int<lower=1> N; // observations
  array[N] int<lower=0> y_incidence; // cbind(incidence, size - incidence)
  array[N] int<lower=0> trials_incidence;

  int<lower=1> K_incidence; // population effects
  matrix[N, K_incidence] X_incidence; // period
  matrix[K_incidence, K_incidence] R_inverse_incidence; // X R_inverse has orthogonal columns

  int<lower=1> J_herd; // levels of herd
  int<lower=1> Q_herd; // effects per level
  array[N] int<lower=1, upper=J_herd> herd;
  matrix[N, Q_herd] Z_herd; // 1 and 1

  array[N] int<lower=0> y_size; // size

  int<lower=1> K_size; // population effects
  matrix[N, K_size] X_size; // 1

  int<lower=1> J_period_size; // levels of period
  array[N] int<lower=1, upper=J_period_size> period_size;

  // prior locations and scales
  row_vector[K_incidence] X_mean_incidence; // means of the columns of X
  real intercept_loc_incidence;
  real<lower=0> intercept_scale_incidence;
  vector[K_incidence - 1] beta_loc_incidence;
  vector<lower=0>[K_incidence - 1] beta_scale_incidence;
  vector<lower=0>[Q_herd] sd_herd_scale;
  real intercept_loc_size;
  real<lower=0> intercept_scale_size;
  real<lower=0> sd_period_scale_size;
  real<lower=0> shape_rate_size;
}
transformed data {
  matrix[N, K_incidence] Q_incidence = X_incidence * R_inverse_incidence;
}
parameters {
  vector[K_incidence] theta_incidence; // effects of Q: X beta = Q theta

  vector<lower=0>[Q_herd] sd_herd;
  cholesky_factor_corr[Q_herd] L_herd; // R_herd = L L'
  matrix[Q_herd, J_herd] z_herd; // b_herd, non-centred

  vector[K_size] beta_size;

  real<lower=0> sd_period_size;
  vector[J_period_size] z_period_size; // b_period, non-centred

  real<lower=0> shape_size; // the larger, the less spread
}
transformed parameters {
  vector[K_incidence] beta_incidence = R_inverse_incidence * theta_incidence;

  matrix[J_herd, Q_herd] b_herd;
  b_herd = (diag_pre_multiply(sd_herd, L_herd) * z_herd)';

  vector[J_period_size] b_period_size = sd_period_size * z_period_size;
}
model {
  vector[N] eta_incidence = Z_herd[ : , 1] .* b_herd[herd, 1];
  vector[N] eta_size = Z_herd[ : , 2] .* b_herd[herd, 2];
  eta_size += b_period_size[period_size];
  y_incidence ~ binomial_logit_glm(trials_incidence, Q_incidence, eta_incidence, theta_incidence);
  y_size ~ neg_binomial_2_log_glm(X_size, eta_size, beta_size, shape_size);

  X_mean_incidence * beta_incidence ~ normal(intercept_loc_incidence, intercept_scale_incidence);
  beta_incidence[2 : K_incidence] ~ normal(beta_loc_incidence, beta_scale_incidence);
  sd_herd ~ student_t(3, 0, sd_herd_scale);
  L_herd ~ lkj_corr_cholesky(1);
  to_vector(z_herd) ~ std_normal();
  beta_size[1] ~ normal(intercept_loc_size, intercept_scale_size);
  sd_period_size ~ student_t(3, 0, sd_period_scale_size);
  z_period_size ~ std_normal();
  shape_size ~ gamma(2, shape_rate_size);
}
generated quantities {
  corr_matrix[Q_herd] R_herd;
  R_herd = multiply_lower_tri_self_transpose(L_herd);
}
