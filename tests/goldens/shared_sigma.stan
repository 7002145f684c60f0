// brm(bf(Reaction ~ Days + (Days | p | Subject), sigma ~ (1 | p | Subject)))
//
//   y         ~ normal(X beta + Z_Subject[, 1 : 2] b_Subject[Subject, 1 : 2], sigma)
//   b_Subject ~ multi_normal(0, D R_Subject D),  D = diag(sd_Subject)
//   sigma     = exp(X_sigma beta_sigma + Z_Subject[, 3] b_Subject[Subject, 3])
data {
  int<lower=1> N; // observations
  vector[N] y; // Reaction

  int<lower=1> K; // population effects
  matrix[N, K] X; // Days
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_Subject; // levels of Subject
  int<lower=1> Q_Subject; // effects per level
  array[N] int<lower=1, upper=J_Subject> Subject;
  matrix[N, Q_Subject] Z_Subject; // Days and 1

  int<lower=1> K_sigma; // population effects
  matrix[N, K_sigma] X_sigma; // 1

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  vector<lower=0>[Q_Subject] sd_Subject_scale;
  real intercept_sigma_loc;
  real<lower=0> intercept_sigma_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  vector<lower=0>[Q_Subject] sd_Subject;
  cholesky_factor_corr[Q_Subject] L_Subject; // R_Subject = L L'
  matrix[Q_Subject, J_Subject] z_Subject; // b_Subject, non-centred

  vector[K_sigma] beta_sigma;
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  matrix[J_Subject, Q_Subject] b_Subject;
  b_Subject = (diag_pre_multiply(sd_Subject, L_Subject) * z_Subject)';
}
model {
  vector[N] eta = Q * theta;
  eta += rows_dot_product(Z_Subject[ : , 1 : 2], b_Subject[Subject, 1 : 2]);
  vector[N] eta_sigma = X_sigma * beta_sigma;
  eta_sigma += Z_Subject[ : , 3] .* b_Subject[Subject, 3];
  vector[N] sigma = exp(eta_sigma);
  y ~ normal(eta, sigma);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sd_Subject ~ student_t(3, 0, sd_Subject_scale);
  L_Subject ~ lkj_corr_cholesky(1);
  to_vector(z_Subject) ~ std_normal();
  beta_sigma[1] ~ normal(intercept_sigma_loc, intercept_sigma_scale);
}
generated quantities {
  corr_matrix[Q_Subject] R_Subject;
  R_Subject = multiply_lower_tri_self_transpose(L_Subject);
}
