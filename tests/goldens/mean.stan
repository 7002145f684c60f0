// lm(SCT ~ 1)
//
//   y ~ normal(X beta, sigma)
data {
  int<lower=1> N; // observations
  vector[N] y; // SCT

  int<lower=1> K; // population effects
  matrix[N, K] X; // 1

  // prior locations and scales
  real intercept_loc;
  real<lower=0> intercept_scale;
  real<lower=0> sigma_scale;
}
parameters {
  vector[K] beta;

  real<lower=0> sigma; // residual sd
}
model {
  y ~ normal_id_glm(X, 0, beta, sigma);

  beta[1] ~ normal(intercept_loc, intercept_scale);
  sigma ~ student_t(3, 0, sigma_scale);
}
