// lmer(SCT ~ genotype * temp + tarsus + (1 + genotype | line))
//
//   y      ~ normal(X beta + Z_line b_line[line], sigma)
//   b_line ~ multi_normal(0, D R_line D),  D = diag(sd_line)
data {
  int<lower=1> N; // observations
  vector[N] y; // SCT

  int<lower=1> K; // population effects
  matrix[N, K] X; // genotype * temp + tarsus
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_line; // levels of line
  int<lower=1> Q_line; // effects per level
  array[N] int<lower=1, upper=J_line> line;
  matrix[N, Q_line] Z_line; // 1 + genotype

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  vector<lower=0>[Q_line] sd_line_scale;
  real<lower=0> sigma_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  vector<lower=0>[Q_line] sd_line;
  cholesky_factor_corr[Q_line] L_line; // R_line = L L'
  matrix[Q_line, J_line] z_line; // b_line, non-centred

  real<lower=0> sigma; // residual sd
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  matrix[J_line, Q_line] b_line;
  b_line = (diag_pre_multiply(sd_line, L_line) * z_line)';
}
model {
  vector[N] eta = rows_dot_product(Z_line, b_line[line]);
  y ~ normal_id_glm(Q, eta, theta, sigma);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sd_line ~ student_t(3, 0, sd_line_scale);
  L_line ~ lkj_corr_cholesky(1);
  to_vector(z_line) ~ std_normal();
  sigma ~ student_t(3, 0, sigma_scale);
}
generated quantities {
  corr_matrix[Q_line] R_line;
  R_line = multiply_lower_tri_self_transpose(L_line);
}
