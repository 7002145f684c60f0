// gls(distance ~ age, weights = varConstPower(form = ~age | Sex))
//
//   y ~ normal(X beta, sigma d)
//
// errors have the sds sigma d, d = var_const[Sex] + |age|^var_power[Sex]
data {
  int<lower=1> N; // observations
  vector[N] y; // distance

  int<lower=1> K; // population effects
  matrix[N, K] X; // age
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> strata; // strata of the errors, Sex
  array[N] int<lower=1, upper=strata> stratum;
  vector[N] v; // age

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  real<lower=0> sigma_scale;
  vector<lower=0>[strata] var_const_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  real<lower=0> sigma; // residual sd

  vector<lower=0>[strata] var_const; // constant part
  vector[strata] var_power; // power of the covariate
}
transformed parameters {
  vector[K] beta = R_inverse * theta;
}
model {
  vector[N] mu = Q * theta;
  vector[N] d = (var_const[stratum] + pow(v, var_power[stratum]));
  y ~ normal(mu, sigma * d);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sigma ~ student_t(3, 0, sigma_scale);
  var_const ~ student_t(3, 0, var_const_scale);
  var_power ~ std_normal();
}
