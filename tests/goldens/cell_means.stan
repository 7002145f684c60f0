// lm(SCT ~ 0 + line)
//
//   y ~ normal(X beta, sigma)
data {
  int<lower=1> N; // observations
  vector[N] y; // SCT

  int<lower=1> K; // population effects
  matrix[N, K] X; // 0 + line
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  // prior locations and scales
  vector[K] beta_loc;
  vector<lower=0>[K] beta_scale;
  real<lower=0> sigma_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  real<lower=0> sigma; // residual sd
}
transformed parameters {
  vector[K] beta = R_inverse * theta;
}
model {
  y ~ normal_id_glm(Q, 0, theta, sigma);

  beta ~ normal(beta_loc, beta_scale);
  sigma ~ student_t(3, 0, sigma_scale);
}
