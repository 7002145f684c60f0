// lme(strength ~ 1, random = ~1 | batch/cask)
//
//   y            ~ normal(X beta + b_batch[batch] + b_batch_cask[batch_cask], sigma)
//   b_batch      ~ normal(0, sd_batch)
//   b_batch_cask ~ normal(0, sd_batch_cask)
data {
  int<lower=1> N; // observations
  vector[N] y; // strength

  int<lower=1> K; // population effects
  matrix[N, K] X; // 1

  int<lower=1> J_batch; // levels of batch
  array[N] int<lower=1, upper=J_batch> batch;

  int<lower=1> J_batch_cask; // levels of batch:cask
  array[N] int<lower=1, upper=J_batch_cask> batch_cask;

  // prior locations and scales
  real intercept_loc;
  real<lower=0> intercept_scale;
  real<lower=0> sd_batch_scale;
  real<lower=0> sd_batch_cask_scale;
  real<lower=0> sigma_scale;
}
parameters {
  vector[K] beta;

  real<lower=0> sd_batch;
  vector[J_batch] z_batch; // b_batch, non-centred

  real<lower=0> sd_batch_cask;
  vector[J_batch_cask] z_batch_cask; // b_batch_cask, non-centred

  real<lower=0> sigma; // residual sd
}
transformed parameters {
  vector[J_batch] b_batch = sd_batch * z_batch;

  vector[J_batch_cask] b_batch_cask = sd_batch_cask * z_batch_cask;
}
model {
  vector[N] eta = b_batch[batch];
  eta += b_batch_cask[batch_cask];
  y ~ normal_id_glm(X, eta, beta, sigma);

  beta[1] ~ normal(intercept_loc, intercept_scale);
  sd_batch ~ student_t(3, 0, sd_batch_scale);
  z_batch ~ std_normal();
  sd_batch_cask ~ student_t(3, 0, sd_batch_cask_scale);
  z_batch_cask ~ std_normal();
  sigma ~ student_t(3, 0, sigma_scale);
}
