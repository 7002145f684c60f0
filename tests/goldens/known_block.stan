// MCMCglmm(tarsus ~ sex, random = ~us(sex):dam)
//
//   y            ~ normal(X beta + Z_dam b_dam[dam], sigma)
//   b_dam[, 3:]  ~ multi_normal(0, known_root_dam known_root_dam')
//   b_dam[, 1:2] ~ multi_normal(slope_dam b_dam[, 3:], D R D),  D = diag(rest_dam), R = L_dam L_dam'
functions {
  // the Cholesky factor of the effects: the last ones have the root known, the first are regressed on
  // them by slope, by columns, with the rest D L L' D, D = diag(sd)
  matrix known_block_root(vector sd, matrix L, vector slope, matrix known) {
    int p = size(sd);
    int k = p + rows(known);
    matrix[k, k] C = rep_matrix(0, k, k);
    C[1 : p, 1 : p] = diag_pre_multiply(sd, L);
    C[1 : p, p + 1 : k] = to_matrix(slope, p, k - p) * known;
    C[p + 1 : k, p + 1 : k] = known;
    return cholesky_decompose(tcrossprod(C));
  }

  // of an inverse Wishart matrix with nu degrees of freedom and the scale matrix nu V, given that its
  // last block is V's: D L L' D, D = diag(sd), the covariance of the first effects given the others,
  // and their regressions on these, by columns; the density of all three, constants left out
  real inverse_wishart_given_block_lpdf(vector sd, matrix L, vector slope, real nu, matrix V) {
    int p = size(sd);
    int k = rows(V);
    matrix[k - p, k - p] known = cholesky_decompose(V[p + 1 : k, p + 1 : k]);
    matrix[p, k - p] on = mdivide_left_tri_low(known, V[p + 1 : k, 1 : p])';
    matrix[p, p] rest = cholesky_decompose(V[1 : p, 1 : p] - tcrossprod(on));
    matrix[p, k] root = append_col(rest, to_matrix(slope, p, k - p) * known - on);
    vector[p] power = nu + 1 + k - p + linspaced_vector(p, 1, p);
    root = mdivide_left_tri_low(diag_pre_multiply(sd, L), root);
    return -(nu + 1 + k - p) * sum(log(sd)) - dot_product(power, log(diagonal(L)))
           - 0.5 * nu * sum(square(root));
  }

  // an sd whose square is inverse gamma of shape nu / 2 and rate nu V / 2, constants left out
  real inverse_gamma_sd_lpdf(real sd, real nu, real V) {
    return -(nu + 1) * log(sd) - 0.5 * nu * V / square(sd);
  }
}
data {
  int<lower=1> N; // observations
  vector[N] y; // tarsus

  int<lower=1> K; // population effects
  matrix[N, K] X; // sex
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_dam; // levels of dam
  int<lower=1> Q_dam; // effects per level
  array[N] int<lower=1, upper=J_dam> dam;
  matrix[N, Q_dam] Z_dam; // 0 + sex
  matrix[Q_dam - 2, Q_dam - 2] known_root_dam; // Cholesky factor of the known block

  // prior locations and scales
  vector[K] beta_loc;
  vector<lower=0>[K] beta_scale;
  real<lower=0> rest_dam_nu;
  cov_matrix[Q_dam] rest_dam_of_effects;
  real<lower=0> sigma_nu;
  real<lower=0> sigma_V;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  vector<lower=0>[2] rest_dam; // given the known block
  cholesky_factor_corr[2] L_dam;
  vector[2 * (Q_dam - 2)] slope_dam; // on the effects of the known block, column by column
  matrix[Q_dam, J_dam] z_dam; // b_dam, non-centred

  real<lower=0> sigma; // residual sd
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  matrix[Q_dam, Q_dam] C_dam;
  C_dam = known_block_root(rest_dam, L_dam, slope_dam, known_root_dam);
  matrix[J_dam, Q_dam] b_dam;
  b_dam = (C_dam * z_dam)';
}
model {
  vector[N] eta = rows_dot_product(Z_dam, b_dam[dam]);
  y ~ normal_id_glm(Q, eta, theta, sigma);

  beta ~ normal(beta_loc, beta_scale);
  rest_dam ~ inverse_wishart_given_block(L_dam, slope_dam, rest_dam_nu, rest_dam_of_effects);
  to_vector(z_dam) ~ std_normal();
  sigma ~ inverse_gamma_sd(sigma_nu, sigma_V);
}
generated quantities {
  vector[Q_dam] sd_dam = sqrt(diagonal(tcrossprod(C_dam)));
  corr_matrix[Q_dam] R_dam;
  R_dam = tcrossprod(diag_pre_multiply(inv(sd_dam), C_dam));
}
