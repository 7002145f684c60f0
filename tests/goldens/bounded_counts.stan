// brm(bf(TICKS + 1 | trunc(lb = 1) ~ cHEIGHT, shape ~ YEAR), family = negbinomial())
//
//   y     ~ neg_binomial_2(exp(X beta), shape), truncated
//   shape = exp(X_shape beta_shape)
data {
  int<lower=1> N; // observations
  array[N] int<lower=0> y; // TICKS + 1
  array[N] int y_below; // more than this could be observed
  int<lower=0, upper=N> N_cut;
  array[N_cut] int<lower=1, upper=N> cut; // rows that could not be all counts

  int<lower=1> K; // population effects
  matrix[N, K] X; // cHEIGHT
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> K_shape; // population effects
  matrix[N, K_shape] X_shape; // YEAR
  matrix[K_shape, K_shape] R_inverse_shape; // X_shape R_inverse_shape has orthogonal columns

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  row_vector[K_shape] X_mean_shape; // means of the columns of X_shape
  real intercept_shape_loc;
  real<lower=0> intercept_shape_scale;
  vector[K_shape - 1] beta_shape_loc;
  vector<lower=0>[K_shape - 1] beta_shape_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;

  matrix[N, K_shape] Q_shape = X_shape * R_inverse_shape;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  vector[K_shape] theta_shape; // effects of Q_shape: X_shape beta_shape = Q_shape theta_shape
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  vector[K_shape] beta_shape = R_inverse_shape * theta_shape;
}
model {
  vector[N] eta = Q * theta;
  vector[N] eta_shape = Q_shape * theta_shape;
  vector[N] shape = exp(eta_shape);
  y ~ neg_binomial_2(exp(eta), shape);
  if (N_cut > 0) {
    target += -neg_binomial_2_lccdf(y_below[cut] | exp(eta[cut]), shape[cut]);
  }

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  X_mean_shape * beta_shape ~ normal(intercept_shape_loc, intercept_shape_scale);
  beta_shape[2 : K_shape] ~ normal(beta_shape_loc, beta_shape_scale);
}
