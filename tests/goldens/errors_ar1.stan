// lme(follicles ~ Time, random = ~1 | Mare, correlation = corAR1(), weights = varExp(form = ~Time))
//
//   y      ~ multi_normal(X beta + b_Mare[Mare], sigma^2 D R D)
//   b_Mare ~ normal(0, sd_Mare)
//
// D = diag(d), d = exp(var_expon Time)
// R: errors at s and t, order within Mare, correlate cor_phi^|s - t|.
data {
  int<lower=1> N; // observations
  vector[N] y; // follicles
  array[N] int<lower=1, upper=N> row; // the rows by block and time

  int<lower=1> K; // population effects
  matrix[N, K] X; // Time
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_Mare; // levels of Mare
  array[N] int<lower=1, upper=J_Mare> Mare;

  vector[N] v; // Time
  real<lower=0> var_expon_unit; // 1 / sd of the covariate

  vector<lower=0, upper=1>[N] follows; // 0 for the first row of a block
  vector[N] lag; // time since the row before

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  real<lower=0> sd_Mare_scale;
  real<lower=0> sigma_scale;
  real<lower=0> var_expon_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  real<lower=0> sd_Mare;
  vector[J_Mare] z_Mare; // b_Mare, non-centred

  real<lower=0> sigma; // residual sd

  real<multiplier=var_expon_unit> var_expon; // growth of the log sd

  real<lower=-1, upper=1> cor_phi; // correlation at lag 1
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  vector[J_Mare] b_Mare = sd_Mare * z_Mare;
}
model {
  vector[N] mu = Q * theta;
  mu += b_Mare[Mare];
  vector[N] d = exp(var_expon * v);
  vector[N] e = ((y - mu) ./ d)[row];
  vector[N] r = follows .* pow(cor_phi, lag); // correlation with the row before
  vector[N] root = sqrt(1 - square(r));
  real log_root = sum(log(root));
  vector[N] w = (e - r .* append_row(0, e[1 : N - 1])) ./ root;
  w ~ normal(0, sigma);
  target += -log_root - sum(log(d));

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sd_Mare ~ student_t(3, 0, sd_Mare_scale);
  z_Mare ~ std_normal();
  sigma ~ student_t(3, 0, sigma_scale);
  var_expon ~ normal(0, var_expon_scale);
  cor_phi ~ uniform(-1, 1);
}
