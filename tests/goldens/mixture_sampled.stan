// MCMCglmm(cbind(cHEIGHT, TICKS) ~ trait - 1, random = ~us(trait):BROOD, rcov = ~idh(trait):units, family = c("gaussian", "poisson"))
//
//   y       ~ normal(X beta + Z_BROOD b_BROOD[BROOD], sigma d)
//   b_BROOD ~ multi_normal(0, D R_BROOD D),  D = diag(sd_BROOD)
//   y_TICKS ~ poisson(exp(y[rows_TICKS]))
//
// errors have the sds sigma d, d = var_ratio[trait]
// l_TICKS are the y of TICKS, predictor and residual: they are sampled.
data {
  int<lower=1> N; // observations
  vector[N] y; // `cHEIGHT, TICKS`

  int<lower=1> K; // population effects
  matrix[N, K] X; // trait - 1
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_BROOD; // levels of BROOD
  int<lower=1> Q_BROOD; // effects per level
  array[N] int<lower=1, upper=J_BROOD> BROOD;
  matrix[N, Q_BROOD] Z_BROOD; // 0 + trait

  int<lower=1> strata; // strata of the errors, trait
  array[N] int<lower=1, upper=strata> stratum;

  int<lower=1> N_TICKS; // observations of TICKS
  array[N_TICKS] int<lower=1, upper=N> rows_TICKS; // their rows
  array[N_TICKS] int<lower=0> y_TICKS; // TICKS

  // prior locations and scales
  vector[K] beta_loc;
  vector<lower=0>[K] beta_scale;
  vector<lower=0>[Q_BROOD] sd_BROOD_scale;
  real<lower=0> sigma_scale;
  vector[strata - 1] var_ratio_loc;
  vector<lower=0>[strata - 1] var_ratio_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  vector<lower=0>[Q_BROOD] sd_BROOD;
  cholesky_factor_corr[Q_BROOD] L_BROOD; // R_BROOD = L L'
  matrix[Q_BROOD, J_BROOD] z_BROOD; // b_BROOD, non-centred

  real<lower=0> sigma; // residual sd

  vector<lower=0>[strata - 1] var_ratio; // sd over the first's

  vector[N_TICKS] l_TICKS;
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  matrix[J_BROOD, Q_BROOD] b_BROOD;
  b_BROOD = (diag_pre_multiply(sd_BROOD, L_BROOD) * z_BROOD)';
}
model {
  vector[N] l = y;
  l[rows_TICKS] = l_TICKS;
  vector[N] mu = Q * theta;
  mu += rows_dot_product(Z_BROOD, b_BROOD[BROOD]);
  vector[N] d = append_row(1, var_ratio)[stratum];
  l ~ normal(mu, sigma * d);
  y_TICKS ~ poisson_log(l_TICKS);

  beta ~ normal(beta_loc, beta_scale);
  sd_BROOD ~ student_t(3, 0, sd_BROOD_scale);
  L_BROOD ~ lkj_corr_cholesky(1);
  to_vector(z_BROOD) ~ std_normal();
  sigma ~ student_t(3, 0, sigma_scale);
  var_ratio ~ lognormal(var_ratio_loc, var_ratio_scale);
}
generated quantities {
  corr_matrix[Q_BROOD] R_BROOD;
  R_BROOD = multiply_lower_tri_self_transpose(L_BROOD);
}
