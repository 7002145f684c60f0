// MCMCglmm(rating ~ temp + contact, random = ~judge, family = "ordinal")
//
//   y       ~ cumulative(probit, (X beta + b_judge[judge]) / latent_sd, thresholds / latent_sd)
//   b_judge ~ normal(0, sd_judge)
//
// m_judge is sampled: b_judge plus all of the predictor above it.
data {
  int<lower=2> C; // categories
  int<lower=1> N; // observations
  array[N] int<lower=1, upper=C> y; // rating
  real<lower=0> latent_sd; // of the normal error behind the categories

  int<lower=1> K; // population effects
  matrix[N, K] X; // temp + contact
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  int<lower=1> K_rest; // columns in the mean of no group term
  array[K_rest] int<lower=1, upper=K> rest;

  int<lower=1> J_judge; // levels of judge
  array[N] int<lower=1, upper=J_judge> judge;
  array[J_judge] int<lower=1, upper=N> row_judge; // a row of every level
  int<lower=1> K_judge; // columns constant within its levels
  array[K_judge] int<lower=1, upper=K> columns_judge;

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  vector[C - 2] cutpoints_loc;
  vector<lower=0>[C - 2] cutpoints_scale;
  real<lower=0> sd_judge_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
  matrix[N, K_rest] X_rest = Q[ : , rest];

  matrix[J_judge, K_judge] W_judge = Q[row_judge, columns_judge];
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  positive_ordered[C - 2] cutpoints; // the thresholds after the first

  real<lower=0> sd_judge;
  vector[J_judge] m_judge; // b_judge plus its mean
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  vector[C - 1] thresholds = append_row(0, cutpoints);
}
model {
  vector[N] eta = X_rest * theta[rest];
  eta += m_judge[judge];
  y ~ ordered_probit(eta / latent_sd, thresholds / latent_sd);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  cutpoints ~ student_t(3, cutpoints_loc, cutpoints_scale);
  sd_judge ~ student_t(3, 0, sd_judge_scale);
  vector[J_judge] mean_judge = W_judge * theta[columns_judge];
  m_judge ~ normal(mean_judge, sd_judge);
}
generated quantities {
  vector[J_judge] b_judge = m_judge;
  b_judge -= W_judge * theta[columns_judge];
}
