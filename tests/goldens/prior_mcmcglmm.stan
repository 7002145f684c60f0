// lmer(Reaction ~ Days + (Days | Subject))
//
//   y         ~ normal(X beta + Z_Subject b_Subject[Subject], sigma)
//   b_Subject ~ multi_normal(0, D R_Subject D),  D = diag(sd_Subject)
functions {
  // D L L' D, D = diag(sd), is inverse Wishart with nu degrees of freedom and the scale matrix nu V;
  // the density of sd and L, constants left out
  real inverse_wishart_sds_lpdf(vector sd, matrix L, real nu, matrix V) {
    int k = size(sd);
    matrix[k, k] root = mdivide_left_tri_low(diag_pre_multiply(sd, L), cholesky_decompose(V));
    vector[k] power = nu + 1 + linspaced_vector(k, 1, k);
    return -(nu + 1) * sum(log(sd)) - dot_product(power, log(diagonal(L)))
           - 0.5 * nu * sum(square(root));
  }

  // an sd whose square is inverse gamma of shape nu / 2 and rate nu V / 2, constants left out
  real inverse_gamma_sd_lpdf(real sd, real nu, real V) {
    return -(nu + 1) * log(sd) - 0.5 * nu * V / square(sd);
  }
}
data {
  int<lower=1> N; // observations
  vector[N] y; // Reaction

  int<lower=1> K; // population effects
  matrix[N, K] X; // Days
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_Subject; // levels of Subject
  int<lower=1> Q_Subject; // effects per level
  array[N] int<lower=1, upper=J_Subject> Subject;
  matrix[N, Q_Subject] Z_Subject; // Days

  // prior locations and scales
  vector[K] beta_loc;
  vector<lower=0>[K] beta_scale;
  real<lower=0> sd_Subject_nu;
  cov_matrix[Q_Subject] sd_Subject_scale_matrix;
  real<lower=0> sigma_nu;
  real<lower=0> sigma_V;
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
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  matrix[J_Subject, Q_Subject] b_Subject;
  b_Subject = (diag_pre_multiply(sd_Subject, L_Subject) * z_Subject)';
}
model {
  vector[N] eta = rows_dot_product(Z_Subject, b_Subject[Subject]);
  y ~ normal_id_glm(Q, eta, theta, sigma);

  beta ~ normal(beta_loc, beta_scale);
  sd_Subject ~ inverse_wishart_sds(L_Subject, sd_Subject_nu, sd_Subject_scale_matrix);
  to_vector(z_Subject) ~ std_normal();
  sigma ~ inverse_gamma_sd(sigma_nu, sigma_V);
}
generated quantities {
  corr_matrix[Q_Subject] R_Subject;
  R_Subject = multiply_lower_tri_self_transpose(L_Subject);
}
