// MCMCglmm(tarsus ~ 1, random = ~str(dam + sex))
//
//   y             ~ normal(X beta + Z_str_dam_sex b_str_dam_sex, sigma)
//   b_str_dam_sex ~ multi_normal(0, D R_str_dam_sex D),  D = diag(sd_str_dam_sex)
data {
  int<lower=1> N; // observations
  vector[N] y; // tarsus

  int<lower=1> K; // population effects
  matrix[N, K] X; // 1

  int<lower=1> J_str_dam_sex; // levels of str(dam + sex)
  int<lower=1> Q_str_dam_sex; // effects per level
  array[N] int<lower=1, upper=J_str_dam_sex> level_str_dam_sex_1;
  array[N] int<lower=1, upper=J_str_dam_sex> level_str_dam_sex_2;

  // prior locations and scales
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector<lower=0>[Q_str_dam_sex] sd_str_dam_sex_scale;
  real<lower=0> sigma_scale;
}
parameters {
  vector[K] beta;

  vector<lower=0>[Q_str_dam_sex] sd_str_dam_sex;
  cholesky_factor_corr[Q_str_dam_sex] L_str_dam_sex; // R_str_dam_sex = L L'
  matrix[Q_str_dam_sex, J_str_dam_sex] z_str_dam_sex; // b_str_dam_sex, non-centred

  real<lower=0> sigma; // residual sd
}
transformed parameters {
  matrix[J_str_dam_sex, Q_str_dam_sex] b_str_dam_sex;
  b_str_dam_sex = (diag_pre_multiply(sd_str_dam_sex, L_str_dam_sex) * z_str_dam_sex)';
}
model {
  vector[N] eta = (b_str_dam_sex[level_str_dam_sex_1, 1] + b_str_dam_sex[level_str_dam_sex_2, 2]);
  y ~ normal_id_glm(X, eta, beta, sigma);

  beta[1] ~ normal(intercept_loc, intercept_scale);
  sd_str_dam_sex ~ student_t(3, 0, sd_str_dam_sex_scale);
  L_str_dam_sex ~ lkj_corr_cholesky(1);
  to_vector(z_str_dam_sex) ~ std_normal();
  sigma ~ student_t(3, 0, sigma_scale);
}
generated quantities {
  corr_matrix[Q_str_dam_sex] R_str_dam_sex;
  R_str_dam_sex = multiply_lower_tri_self_transpose(L_str_dam_sex);
}
