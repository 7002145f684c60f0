// brm(bf(Reaction | weights(Days) ~ 1 + (1 | Subject), nu ~ Days), family = student())
//
//   y         ~ student_t(nu, X beta + b_Subject[Subject], sigma), to the power of its weight
//   b_Subject ~ normal(0, sd_Subject)
//   nu        = 1 + exp(X_nu beta_nu)
data {
  int<lower=1> N; // observations
  vector[N] y; // Reaction
  vector<lower=0>[N] weight; // Days, of the log-likelihood of the row

  int<lower=1> K; // population effects
  matrix[N, K] X; // 1

  int<lower=1> J_Subject; // levels of Subject
  array[N] int<lower=1, upper=J_Subject> Subject;

  int<lower=1> K_nu; // population effects
  matrix[N, K_nu] X_nu; // Days
  matrix[K_nu, K_nu] R_inverse_nu; // X_nu R_inverse_nu has orthogonal columns

  // prior locations and scales
  real intercept_loc;
  real<lower=0> intercept_scale;
  real<lower=0> sd_Subject_scale;
  row_vector[K_nu] X_mean_nu; // means of the columns of X_nu
  real intercept_nu_loc;
  real<lower=0> intercept_nu_scale;
  vector[K_nu - 1] beta_nu_loc;
  vector<lower=0>[K_nu - 1] beta_nu_scale;
  real<lower=0> sigma_scale;
}
transformed data {
  matrix[N, K_nu] Q_nu = X_nu * R_inverse_nu;
}
parameters {
  vector[K] beta;

  real<lower=0> sd_Subject;
  vector[J_Subject] z_Subject; // b_Subject, non-centred

  vector[K_nu] theta_nu; // effects of Q_nu: X_nu beta_nu = Q_nu theta_nu

  real<lower=0> sigma; // residual sd
}
transformed parameters {
  vector[J_Subject] b_Subject = sd_Subject * z_Subject;

  vector[K_nu] beta_nu = R_inverse_nu * theta_nu;
}
model {
  vector[N] eta = X * beta;
  eta += b_Subject[Subject];
  vector[N] eta_nu = Q_nu * theta_nu;
  vector[N] nu = 1 + exp(eta_nu);
  for (i in 1 : N) {
    target += weight[i] * student_t_lpdf(y[i] | nu[i], eta[i], sigma);
  }

  beta[1] ~ normal(intercept_loc, intercept_scale);
  sd_Subject ~ student_t(3, 0, sd_Subject_scale);
  z_Subject ~ std_normal();
  X_mean_nu * beta_nu ~ normal(intercept_nu_loc, intercept_nu_scale);
  beta_nu[2 : K_nu] ~ normal(beta_nu_loc, beta_nu_scale);
  sigma ~ student_t(3, 0, sigma_scale);
}
