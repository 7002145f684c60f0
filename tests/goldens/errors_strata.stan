// gls(Testisweight ~ DML, weights = varIdent(form = ~1 | fMONTH))
//
//   y ~ normal(X beta, sigma d)
//
// errors have the sds sigma d, d = var_ratio[fMONTH]
data {
  int<lower=1> N; // observations
  vector[N] y; // Testisweight

  int<lower=1> K; // population effects
  matrix[N, K] X; // DML
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> strata; // strata of the errors, fMONTH
  array[N] int<lower=1, upper=strata> stratum;

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  real<lower=0> sigma_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  real<lower=0> sigma; // residual sd

  vector<lower=0>[strata - 1] var_ratio; // sd over the first's
}
transformed parameters {
  vector[K] beta = R_inverse * theta;
}
model {
  vector[N] mu = Q * theta;
  vector[N] d = append_row(1, var_ratio)[stratum];
  y ~ normal(mu, sigma * d);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sigma ~ student_t(3, 0, sigma_scale);
  var_ratio ~ lognormal(0, 1);
}
