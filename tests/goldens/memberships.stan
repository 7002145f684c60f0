// MCMCglmm(strength ~ 1, random = ~mm(cask + batch))
//
//   y               ~ normal(X beta + Z_mm_cask_batch b_mm_cask_batch, sigma)
//   b_mm_cask_batch ~ normal(0, sd_mm_cask_batch)
data {
  int<lower=1> N; // observations
  vector[N] y; // strength

  int<lower=1> K; // population effects
  matrix[N, K] X; // 1

  int<lower=1> J_mm_cask_batch; // levels of mm(cask + batch)
  array[N] int<lower=1, upper=J_mm_cask_batch> level_mm_cask_batch_1;
  array[N] int<lower=1, upper=J_mm_cask_batch> level_mm_cask_batch_2;

  // prior locations and scales
  real intercept_loc;
  real<lower=0> intercept_scale;
  real<lower=0> sd_mm_cask_batch_scale;
  real<lower=0> sigma_scale;
}
parameters {
  vector[K] beta;

  real<lower=0> sd_mm_cask_batch;
  vector[J_mm_cask_batch] z_mm_cask_batch; // b_mm_cask_batch, non-centred

  real<lower=0> sigma; // residual sd
}
transformed parameters {
  vector[J_mm_cask_batch] b_mm_cask_batch = sd_mm_cask_batch * z_mm_cask_batch;
}
model {
  vector[N] eta = (b_mm_cask_batch[level_mm_cask_batch_1] + b_mm_cask_batch[level_mm_cask_batch_2]);
  y ~ normal_id_glm(X, eta, beta, sigma);

  beta[1] ~ normal(intercept_loc, intercept_scale);
  sd_mm_cask_batch ~ student_t(3, 0, sd_mm_cask_batch_scale);
  z_mm_cask_batch ~ std_normal();
  sigma ~ student_t(3, 0, sigma_scale);
}
