// glm(incidence/size ~ period, family = zero_one_inflated_beta)
//
//   y ~ zero_one_inflated_beta(inv_logit(X beta), phi, zoi, coi)
functions {
  real zero_one_inflated_beta_lpdf(vector y, vector mu, real phi, real zoi, real coi,
                                   array[] int zero, array[] int one, array[] int inner) {
    real lp = size(zero) * log(zoi) + size(one) * log(zoi);
    lp += size(zero) * log1m(coi) + size(one) * log(coi);
    lp += size(inner) * log1m(zoi);
    lp += beta_proportion_lpdf(y[inner] | mu[inner], phi);
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

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  real<lower=0> phi_rate;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  real<lower=0> phi; // precision of a proportion

  real<lower=0, upper=1> zoi; // probability of 0 or 1

  real<lower=0, upper=1> coi; // share of ones among these
}
transformed parameters {
  vector[K] beta = R_inverse * theta;
}
model {
  vector[N] eta = Q * theta;
  y ~ zero_one_inflated_beta(inv_logit(eta), phi, zoi, coi, zero, one, inner);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  phi ~ gamma(2, phi_rate);
  zoi ~ beta(1, 1);
  coi ~ beta(1, 1);
}
