// stan_lmer(Reaction ~ Days + (1 | Subject))
//
//   y         ~ normal(X beta + b_Subject[Subject], sigma)
//   b_Subject ~ normal(0, sd_Subject)
data {
  int<lower=1> N; // observations
  vector[N] y; // Reaction

  int<lower=1> K; // population effects
  matrix[N, K] X; // Days
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_Subject; // levels of Subject
  array[N] int<lower=1, upper=J_Subject> Subject;

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector<lower=0>[K - 1] beta_df;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  real<lower=0> sd_Subject_shape;
  real<lower=0> sd_Subject_rate;
  real<lower=0> sigma_rate;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  real<lower=0> sd_Subject;
  vector[J_Subject] z_Subject; // b_Subject, non-centred

  real<lower=0> sigma; // residual sd
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  vector[J_Subject] b_Subject = sd_Subject * z_Subject;
}
model {
  vector[N] eta = b_Subject[Subject];
  y ~ normal_id_glm(Q, eta, theta, sigma);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ student_t(beta_df, beta_loc, beta_scale);
  sd_Subject ~ gamma(sd_Subject_shape, sd_Subject_rate / sigma);
  z_Subject ~ std_normal();
  sigma ~ exponential(sigma_rate);
}
