// brm(bf((Days - 4.5)/2 ~ 1 + (1 | Subject), kappa ~ Reaction), family = von_mises())
//
//   y         ~ von_mises(2 * atan(X beta + b_Subject[Subject]), kappa)
//   b_Subject ~ normal(0, sd_Subject)
//   kappa     = exp(X_kappa beta_kappa)
data {
  int<lower=1> N; // observations
  vector[N] y; // (Days - 4.5)/2

  int<lower=1> K; // population effects
  matrix[N, K] X; // 1

  int<lower=1> J_Subject; // levels of Subject
  array[N] int<lower=1, upper=J_Subject> Subject;

  int<lower=1> K_kappa; // population effects
  matrix[N, K_kappa] X_kappa; // Reaction
  matrix[K_kappa, K_kappa] R_inverse_kappa; // X_kappa R_inverse_kappa has orthogonal columns

  // prior locations and scales
  real intercept_loc;
  real<lower=0> intercept_scale;
  real<lower=0> sd_Subject_scale;
  row_vector[K_kappa] X_mean_kappa; // means of the columns of X_kappa
  real intercept_kappa_loc;
  real<lower=0> intercept_kappa_scale;
  vector[K_kappa - 1] beta_kappa_loc;
  vector<lower=0>[K_kappa - 1] beta_kappa_scale;
}
transformed data {
  matrix[N, K_kappa] Q_kappa = X_kappa * R_inverse_kappa;
}
parameters {
  vector[K] beta;

  real<lower=0> sd_Subject;
  vector[J_Subject] z_Subject; // b_Subject, non-centred

  vector[K_kappa] theta_kappa; // effects of Q_kappa: X_kappa beta_kappa = Q_kappa theta_kappa
}
transformed parameters {
  vector[J_Subject] b_Subject = sd_Subject * z_Subject;

  vector[K_kappa] beta_kappa = R_inverse_kappa * theta_kappa;
}
model {
  vector[N] eta = X * beta;
  eta += b_Subject[Subject];
  vector[N] eta_kappa = Q_kappa * theta_kappa;
  vector[N] kappa = exp(eta_kappa);
  y ~ von_mises(2 * atan(eta), kappa);

  beta[1] ~ normal(intercept_loc, intercept_scale);
  sd_Subject ~ student_t(3, 0, sd_Subject_scale);
  z_Subject ~ std_normal();
  X_mean_kappa * beta_kappa ~ normal(intercept_kappa_loc, intercept_kappa_scale);
  beta_kappa[2 : K_kappa] ~ normal(beta_kappa_loc, beta_kappa_scale);
}
