// glmmTMB(incidence/size ~ period + (1 | herd), family = ordbeta)
//
//   y      ~ ordered_beta(inv_logit(X beta + b_herd[herd]), phi, cut_zero, cut_one)
//   b_herd ~ normal(0, sd_herd)
functions {
  real ordered_beta_lpdf(vector y, vector mu, real phi, real cut_zero, real cut_one,
                         array[] int zero, array[] int one, array[] int inner) {
    real lp = sum(log_inv_logit(cut_zero - mu[zero])) + sum(log_inv_logit(mu[one] - cut_one));
    lp += sum(log_diff_exp(log_inv_logit(mu[inner] - cut_zero), log_inv_logit(mu[inner] - cut_one)));
    lp += beta_proportion_lpdf(y[inner] | inv_logit(mu[inner]), phi);
    return lp;
  }
}
data {
  int<lower=1> N; // observations
  vector[N] y; // incidence/size
  int<lower=0, upper=N> N_zero;
  array[N_zero] int<lower=1, upper=N> zero; // rows of y
  int<lower=0, upper=N> N_one;
  array[N_one] int<lower=1, upper=N> one; // rows of y
  int<lower=0, upper=N> N_inner;
  array[N_inner] int<lower=1, upper=N> inner; // rows of y

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
  real<lower=0> phi_rate;
  real cut_zero_loc;
  real<lower=0> cut_zero_scale;
  real cut_one_loc;
  real<lower=0> cut_one_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  real<lower=0> sd_herd;
  vector[J_herd] z_herd; // b_herd, non-centred

  real<lower=0> phi; // precision of a proportion

  real cut_zero; // predictor at which half are zeros

  real<lower=cut_zero> cut_one; // predictor at which half are ones
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  vector[J_herd] b_herd = sd_herd * z_herd;
}
model {
  vector[N] eta = Q * theta;
  eta += b_herd[herd];
  y ~ ordered_beta(eta, phi, cut_zero, cut_one, zero, one, inner);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sd_herd ~ student_t(3, 0, sd_herd_scale);
  z_herd ~ std_normal();
  phi ~ gamma(2, phi_rate);
  cut_zero ~ normal(cut_zero_loc, cut_zero_scale);
  cut_one ~ normal(cut_one_loc, cut_one_scale);
}
