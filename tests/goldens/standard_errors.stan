// brm(Reaction | se(Days + 1, sigma = TRUE) ~ 1 + (1 | Subject))
//
//   y         ~ normal(X beta + b_Subject[Subject], sqrt(square(sigma) + square(se)))
//   b_Subject ~ normal(0, sd_Subject)
data {
  int<lower=1> N; // observations
  vector[N] y; // Reaction
  vector<lower=0>[N] se; // Days + 1, known standard errors

  int<lower=1> K; // population effects
  matrix[N, K] X; // 1

  int<lower=1> J_Subject; // levels of Subject
  array[N] int<lower=1, upper=J_Subject> Subject;

  // prior locations and scales
  real intercept_loc;
  real<lower=0> intercept_scale;
  real<lower=0> sd_Subject_scale;
  real<lower=0> sigma_scale;
}
parameters {
  vector[K] beta;

  real<lower=0> sd_Subject;
  vector[J_Subject] z_Subject; // b_Subject, non-centred

  real<lower=0> sigma; // residual sd
}
transformed parameters {
  vector[J_Subject] b_Subject = sd_Subject * z_Subject;
}
model {
  vector[N] eta = X * beta;
  eta += b_Subject[Subject];
  y ~ normal(eta, sqrt(square(sigma) + square(se)));

  beta[1] ~ normal(intercept_loc, intercept_scale);
  sd_Subject ~ student_t(3, 0, sd_Subject_scale);
  z_Subject ~ std_normal();
  sigma ~ student_t(3, 0, sigma_scale);
}
