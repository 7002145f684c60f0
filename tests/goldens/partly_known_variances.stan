// MCMCglmm(tarsus ~ sex, random = ~cors(sex):dam)
//
//   y     ~ normal(X beta + Z_dam b_dam[dam], sigma)
//   b_dam ~ multi_normal(0, D R_dam D),  D = diag(sd_dam)
data {
  int<lower=1> N; // observations
  vector[N] y; // tarsus

  int<lower=1> K; // population effects
  matrix[N, K] X; // sex
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_dam; // levels of dam
  int<lower=1> Q_dam; // effects per level
  array[N] int<lower=1, upper=J_dam> dam;
  matrix[N, Q_dam] Z_dam; // 0 + sex

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  vector<lower=0>[1] free_sd_dam_scale;
  real<lower=0> sigma_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  vector<lower=0>[1] free_sd_dam;
  cholesky_factor_corr[Q_dam] L_dam; // R_dam = L L'
  matrix[Q_dam, J_dam] z_dam; // b_dam, non-centred

  real<lower=0> sigma; // residual sd
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  vector[Q_dam] sd_dam;
  sd_dam = append_row(free_sd_dam, rep_vector(1, Q_dam - 1));
  matrix[J_dam, Q_dam] b_dam;
  b_dam = (diag_pre_multiply(sd_dam, L_dam) * z_dam)';
}
model {
  vector[N] eta = rows_dot_product(Z_dam, b_dam[dam]);
  y ~ normal_id_glm(Q, eta, theta, sigma);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  free_sd_dam ~ student_t(3, 0, free_sd_dam_scale);
  L_dam ~ lkj_corr_cholesky(1);
  to_vector(z_dam) ~ std_normal();
  sigma ~ student_t(3, 0, sigma_scale);
}
generated quantities {
  corr_matrix[Q_dam] R_dam;
  R_dam = multiply_lower_tri_self_transpose(L_dam);
}
