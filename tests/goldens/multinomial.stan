// brm(cbind(size - incidence, incidence) | trials(size) ~ period + (1 | herd), family = multinomial())
//
//   y                   ~ multinomial(softmax([0, mu]))
//   mu[1]               = X_mu_incidence beta_mu_incidence + b_mu_incidence_herd[mu_incidence_herd]
//   b_mu_incidence_herd ~ normal(0, sd_mu_incidence_herd)
functions {
  // log(P(category c + 1) / P(category 1)) = mu[ : , c]
  real multinomial_rows_lpmf(array[,] int y, matrix mu) {
    vector[rows(mu)] total = rep_vector(0, rows(mu)); // log of the sum of the odds
    vector[rows(mu)] n = to_vector(y[ : , 1]);
    real lp = -sum(lgamma(n + 1));
    for (c in 1 : cols(mu)) {
      vector[rows(mu)] counts = to_vector(y[ : , c + 1]);
      lp += sum(counts .* mu[ : , c] - lgamma(counts + 1));
      total = log_sum_exp(total, mu[ : , c]);
      n += counts;
    }
    return lp + sum(lgamma(n + 1) - n .* total);
  }
}
data {
  int<lower=2> C; // categories
  int<lower=1> N; // observations
  array[N, C] int<lower=0> y; // cbind(size - incidence, incidence)

  int<lower=1> K_mu_incidence; // population effects
  matrix[N, K_mu_incidence] X_mu_incidence; // period
  matrix[K_mu_incidence, K_mu_incidence] R_inverse_mu_incidence; // X_mu_incidence R_inverse_mu_incidence has orthogonal columns

  int<lower=1> J_mu_incidence_herd; // levels of herd
  array[N] int<lower=1, upper=J_mu_incidence_herd> mu_incidence_herd;

  // prior locations and scales
  row_vector[K_mu_incidence] X_mean_mu_incidence; // means of the columns of X_mu_incidence
  real intercept_mu_incidence_loc;
  real<lower=0> intercept_mu_incidence_scale;
  vector[K_mu_incidence - 1] beta_mu_incidence_loc;
  vector<lower=0>[K_mu_incidence - 1] beta_mu_incidence_scale;
  real<lower=0> sd_mu_incidence_herd_scale;
}
transformed data {
  matrix[N, K_mu_incidence] Q_mu_incidence = X_mu_incidence * R_inverse_mu_incidence;
}
parameters {
  vector[K_mu_incidence] theta_mu_incidence; // effects of Q_mu_incidence: X_mu_incidence beta_mu_incidence = Q_mu_incidence theta_mu_incidence

  real<lower=0> sd_mu_incidence_herd;
  vector[J_mu_incidence_herd] z_mu_incidence_herd; // b_mu_incidence_herd, non-centred
}
transformed parameters {
  vector[K_mu_incidence] beta_mu_incidence = R_inverse_mu_incidence * theta_mu_incidence;

  vector[J_mu_incidence_herd] b_mu_incidence_herd = sd_mu_incidence_herd * z_mu_incidence_herd;
}
model {
  matrix[N, C - 1] mu; // log odds against the first category
  vector[N] eta_mu_incidence = Q_mu_incidence * theta_mu_incidence;
  eta_mu_incidence += b_mu_incidence_herd[mu_incidence_herd];
  mu[ : , 1] = eta_mu_incidence;
  y ~ multinomial_rows(mu);

  X_mean_mu_incidence * beta_mu_incidence ~ normal(intercept_mu_incidence_loc,
                                                   intercept_mu_incidence_scale);
  beta_mu_incidence[2 : K_mu_incidence] ~ normal(beta_mu_incidence_loc, beta_mu_incidence_scale);
  sd_mu_incidence_herd ~ student_t(3, 0, sd_mu_incidence_herd_scale);
  z_mu_incidence_herd ~ std_normal();
}
