// MCMCglmm(distance ~ age, random = ~us(1 + age):Subject, rcov = ~idh(Sex):units)
//
//   y         ~ normal(X beta + Z_Subject b_Subject[Subject], sigma d)
//   b_Subject ~ multi_normal(0, D R_Subject D),  D = diag(sd_Subject)
//
// errors have the sds sigma d, d = var_ratio[Sex]
functions {
  // diag(a) S diag(a) = D L L' D, D = diag(sd), S inverse Wishart with nu degrees of freedom and the
  // scale matrix nu diag(V), a ~ normal(0, sqrt(alpha_V)) integrated out; constants left out
  real scaled_inverse_wishart_sds_lpdf(vector sd, matrix L, real nu, vector V, vector alpha_V) {
    int k = size(sd);
    matrix[k, k] root = mdivide_left_tri_low(diag_pre_multiply(sd, L), identity_matrix(k));
    vector[k] precision = columns_dot_self(root)';
    vector[k] power = nu + 1 + linspaced_vector(k, 1, k);
    return -(nu + 1) * sum(log(sd)) - dot_product(power, log(diagonal(L)))
           - 0.5 * (nu + 1) * sum(log(nu * V .* precision + inv(alpha_V)));
  }

  // an sd whose square is inverse gamma of shape nu / 2 and rate nu V / 2, constants left out
  real inverse_gamma_sd_lpdf(real sd, real nu, real V) {
    return -(nu + 1) * log(sd) - 0.5 * nu * V / square(sd);
  }

  // ratios to sigma of sds whose squares are inverse gamma of shape nu / 2 and rates nu V / 2
  real inverse_gamma_ratios_lpdf(vector ratio, real sigma, real nu, vector V) {
    return -(nu + 1) * sum(log(ratio)) - nu * size(ratio) * log(sigma)
           - 0.5 * nu * sum(V ./ square(ratio * sigma));
  }
}
data {
  int<lower=1> N; // observations
  vector[N] y; // distance

  int<lower=1> K; // population effects
  matrix[N, K] X; // age
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_Subject; // levels of Subject
  int<lower=1> Q_Subject; // effects per level
  array[N] int<lower=1, upper=J_Subject> Subject;
  matrix[N, Q_Subject] Z_Subject; // 1 + age

  int<lower=1> strata; // strata of the errors, Sex
  array[N] int<lower=1, upper=strata> stratum;

  // prior locations and scales
  vector[K] beta_loc;
  vector<lower=0>[K] beta_scale;
  real<lower=0> sd_Subject_nu;
  vector<lower=0>[Q_Subject] sd_Subject_V;
  vector<lower=0>[Q_Subject] sd_Subject_alpha_V;
  real<lower=0> sigma_nu;
  real<lower=0> sigma_V;
  real<lower=0> var_ratio_nu;
  vector<lower=0>[strata - 1] var_ratio_V;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  vector<lower=0>[Q_Subject] sd_Subject;
  cholesky_factor_corr[Q_Subject] L_Subject; // R_Subject = L L'
  matrix[Q_Subject, J_Subject] z_Subject; // b_Subject, non-centred

  real<lower=0> sigma; // residual sd

  vector<lower=0>[strata - 1] var_ratio; // sd over the first's
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  matrix[J_Subject, Q_Subject] b_Subject;
  b_Subject = (diag_pre_multiply(sd_Subject, L_Subject) * z_Subject)';
}
model {
  vector[N] mu = Q * theta;
  mu += rows_dot_product(Z_Subject, b_Subject[Subject]);
  vector[N] d = append_row(1, var_ratio)[stratum];
  y ~ normal(mu, sigma * d);

  beta ~ normal(beta_loc, beta_scale);
  sd_Subject ~ scaled_inverse_wishart_sds(L_Subject, sd_Subject_nu, sd_Subject_V,
                                          sd_Subject_alpha_V);
  to_vector(z_Subject) ~ std_normal();
  sigma ~ inverse_gamma_sd(sigma_nu, sigma_V);
  var_ratio ~ inverse_gamma_ratios(sigma, var_ratio_nu, var_ratio_V);
}
generated quantities {
  corr_matrix[Q_Subject] R_Subject;
  R_Subject = multiply_lower_tri_self_transpose(L_Subject);
}
