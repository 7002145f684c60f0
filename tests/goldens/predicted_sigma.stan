// glmmTMB(Reaction ~ Days + (Days | Subject), dispformula = ~Days + (1 | Subject))
//
//   y               ~ normal(X beta + Z_Subject b_Subject[Subject], sigma)
//   b_Subject       ~ multi_normal(0, D R_Subject D),  D = diag(sd_Subject)
//   sigma           = exp(X_sigma beta_sigma + b_sigma_Subject[sigma_Subject])
//   b_sigma_Subject ~ normal(0, sd_sigma_Subject)
data {
  int<lower=1> N; // observations
  vector[N] y; // Reaction

  int<lower=1> K; // population effects
  matrix[N, K] X; // Days
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_Subject; // levels of Subject
  int<lower=1> Q_Subject; // effects per level
  array[N] int<lower=1, upper=J_Subject> Subject;
  matrix[N, Q_Subject] Z_Subject; // Days

  int<lower=1> K_sigma; // population effects
  matrix[N, K_sigma] X_sigma; // Days
  matrix[K_sigma, K_sigma] R_inverse_sigma; // X_sigma R_inverse_sigma has orthogonal columns

  int<lower=1> J_sigma_Subject; // levels of Subject
  array[N] int<lower=1, upper=J_sigma_Subject> sigma_Subject;

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  vector<lower=0>[Q_Subject] sd_Subject_scale;
  row_vector[K_sigma] X_mean_sigma; // means of the columns of X_sigma
  real intercept_sigma_loc;
  real<lower=0> intercept_sigma_scale;
  vector[K_sigma - 1] beta_sigma_loc;
  vector<lower=0>[K_sigma - 1] beta_sigma_scale;
  real<lower=0> sd_sigma_Subject_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;

  matrix[N, K_sigma] Q_sigma = X_sigma * R_inverse_sigma;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  vector<lower=0>[Q_Subject] sd_Subject;
  cholesky_factor_corr[Q_Subject] L_Subject; // R_Subject = L L'
  matrix[Q_Subject, J_Subject] z_Subject; // b_Subject, non-centred

  vector[K_sigma] theta_sigma; // effects of Q_sigma: X_sigma beta_sigma = Q_sigma theta_sigma

  real<lower=0> sd_sigma_Subject;
  vector[J_sigma_Subject] z_sigma_Subject; // b_sigma_Subject, non-centred
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  matrix[J_Subject, Q_Subject] b_Subject;
  b_Subject = (diag_pre_multiply(sd_Subject, L_Subject) * z_Subject)';

  vector[K_sigma] beta_sigma = R_inverse_sigma * theta_sigma;

  vector[J_sigma_Subject] b_sigma_Subject = sd_sigma_Subject * z_sigma_Subject;
}
model {
  vector[N] eta = Q * theta;
  eta += rows_dot_product(Z_Subject, b_Subject[Subject]);
  vector[N] eta_sigma = Q_sigma * theta_sigma;
  eta_sigma += b_sigma_Subject[sigma_Subject];
  vector[N] sigma = exp(eta_sigma);
  y ~ normal(eta, sigma);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sd_Subject ~ student_t(3, 0, sd_Subject_scale);
  L_Subject ~ lkj_corr_cholesky(1);
  to_vector(z_Subject) ~ std_normal();
  X_mean_sigma * beta_sigma ~ normal(intercept_sigma_loc, intercept_sigma_scale);
  beta_sigma[2 : K_sigma] ~ normal(beta_sigma_loc, beta_sigma_scale);
  sd_sigma_Subject ~ student_t(3, 0, sd_sigma_Subject_scale);
  z_sigma_Subject ~ std_normal();
}
generated quantities {
  corr_matrix[Q_Subject] R_Subject;
  R_Subject = multiply_lower_tri_self_transpose(L_Subject);
}
