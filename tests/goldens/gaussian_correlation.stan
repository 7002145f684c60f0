// glmmTMB(Reaction ~ Days + gau(0 + numFactor(Days) | Subject))
//
//   y         ~ normal(X beta + Z_Subject b_Subject[Subject], sigma)
//   b_Subject ~ multi_normal(0, sd_Subject^2 R_Subject),  R = exp(-(distance_Subject / range_Subject)^2)
data {
  int<lower=1> N; // observations
  vector[N] y; // Reaction

  int<lower=1> K; // population effects
  matrix[N, K] X; // Days
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_Subject; // levels of Subject
  int<lower=1> Q_Subject; // effects per level
  array[N] int<lower=1, upper=J_Subject> Subject;
  matrix[N, Q_Subject] Z_Subject; // 0 + numFactor(Days)
  matrix[Q_Subject, Q_Subject] distance_Subject; // of the effects' places

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  real<lower=0> sd_Subject_scale;
  real range_Subject_loc;
  real<lower=0> range_Subject_scale;
  real<lower=0> sigma_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  real<lower=0> sd_Subject;
  real<lower=0> range_Subject; // of the correlation
  matrix[Q_Subject, J_Subject] z_Subject; // b_Subject, non-centred

  real<lower=0> sigma; // residual sd
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  matrix[Q_Subject, Q_Subject] L_Subject;
  // near the singular, rounding alone must not decide: hence 1e-12
  L_Subject = cholesky_decompose(add_diag(exp(-square(distance_Subject / range_Subject)), 1e-12));
  matrix[J_Subject, Q_Subject] b_Subject;
  b_Subject = (sd_Subject * L_Subject * z_Subject)';
}
model {
  vector[N] eta = rows_dot_product(Z_Subject, b_Subject[Subject]);
  y ~ normal_id_glm(Q, eta, theta, sigma);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sd_Subject ~ student_t(3, 0, sd_Subject_scale);
  range_Subject ~ lognormal(range_Subject_loc, range_Subject_scale);
  to_vector(z_Subject) ~ std_normal();
  sigma ~ student_t(3, 0, sigma_scale);
}
generated quantities {
  corr_matrix[Q_Subject] R_Subject;
  R_Subject = multiply_lower_tri_self_transpose(L_Subject);
}
