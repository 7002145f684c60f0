// lmer(Reaction ~ Days + (Days | Subject))
//
//   y         ~ normal(X beta + Z_Subject b_Subject[Subject], sigma)
//   b_Subject ~ multi_normal(0, D R_Subject D),  D = diag(sd_Subject)
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

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real<lower=0> intercept_df;
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  real<lower=0> sd_Subject_exponential_rate;
  real<lower=0> sd_Subject_student_df;
  real sd_Subject_student_loc;
  real<lower=0> sd_Subject_student_scale;
  real<lower=0> L_Subject_eta;
  real sigma_lower;
  real sigma_upper;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  vector<lower=0>[Q_Subject] sd_Subject;
  cholesky_factor_corr[Q_Subject] L_Subject; // R_Subject = L L'
  matrix[Q_Subject, J_Subject] z_Subject; // b_Subject, non-centred

  real<lower=sigma_lower, upper=sigma_upper> sigma; // residual sd
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  matrix[J_Subject, Q_Subject] b_Subject;
  b_Subject = (diag_pre_multiply(sd_Subject, L_Subject) * z_Subject)';
}
model {
  vector[N] eta = rows_dot_product(Z_Subject, b_Subject[Subject]);
  y ~ normal_id_glm(Q, eta, theta, sigma);

  X_mean * beta ~ student_t(intercept_df, intercept_loc, intercept_scale);
  beta[2 : K] ~ double_exponential(beta_loc, beta_scale);
  sd_Subject[1] ~ exponential(sd_Subject_exponential_rate);
  sd_Subject[2] ~ student_t(sd_Subject_student_df, sd_Subject_student_loc,
                            sd_Subject_student_scale);
  L_Subject ~ lkj_corr_cholesky(L_Subject_eta);
  to_vector(z_Subject) ~ std_normal();
}
generated quantities {
  corr_matrix[Q_Subject] R_Subject;
  R_Subject = multiply_lower_tri_self_transpose(L_Subject);
}
