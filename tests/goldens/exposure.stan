// brm(incidence | rate(size) ~ period + (1 | herd), family = poisson())
//
//   y      ~ poisson(exp(X beta + known + b_herd[herd]))
//   b_herd ~ normal(0, sd_herd)
data {
  int<lower=1> N; // observations
  array[N] int<lower=0> y; // incidence

  vector[N] known; // offset

  int<lower=1> K; // population effects
  matrix[N, K] X; // period
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_herd; // levels of herd
  array[N] int<lower=1, upper=J_herd> herd;

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  real<lower=0> sd_herd_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  real<lower=0> sd_herd;
  vector[J_herd] z_herd; // b_herd, non-centred
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  vector[J_herd] b_herd = sd_herd * z_herd;
}
model {
  vector[N] eta = known;
  eta += b_herd[herd];
  y ~ poisson_log_glm(Q, eta, theta);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sd_herd ~ student_t(3, 0, sd_herd_scale);
  z_herd ~ std_normal();
}
