// lme(distance ~ age, random = ~1 | Subject, weights = varComb(varIdent(value = c(Female = 0.5), form = ~1 | Sex), varPower(form = ~fitted(.))))
//
//   y         ~ normal(X beta + b_Subject[Subject], sigma d)
//   b_Subject ~ normal(0, sd_Subject)
//
// errors have the sds sigma d, d = var_ratio[Sex]
//   times |fitted(.)|^var_power_2
data {
  int<lower=1> N; // observations
  vector[N] y; // distance

  int<lower=1> K; // population effects
  matrix[N, K] X; // age
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_Subject; // levels of Subject
  array[N] int<lower=1, upper=J_Subject> Subject;

  int<lower=1> strata; // strata of the errors, Sex
  array[N] int<lower=1, upper=strata> stratum;

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  real<lower=0> sd_Subject_scale;
  real<lower=0> sigma_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  real<lower=0> sd_Subject;
  vector[J_Subject] z_Subject; // b_Subject, non-centred

  real<lower=0> sigma; // residual sd

  vector<lower=0>[strata - 1] var_ratio; // sd over the first's
  real var_power_2; // power of the covariate
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  vector[J_Subject] b_Subject = sd_Subject * z_Subject;
}
model {
  vector[N] mu = Q * theta;
  mu += b_Subject[Subject];
  vector[N] d = append_row(1, var_ratio)[stratum] .* pow(abs(mu), var_power_2);
  y ~ normal(mu, sigma * d);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sd_Subject ~ student_t(3, 0, sd_Subject_scale);
  z_Subject ~ std_normal();
  sigma ~ student_t(3, 0, sigma_scale);
  var_ratio ~ lognormal(0, 1);
  var_power_2 ~ std_normal();
}
