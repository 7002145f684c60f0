// MCMCglmm(Reaction ~ Days, random = ~us(1 + Days):Subject, ginverse = list(Subject = inverseA(ped)$Ainv))
//
//   y         ~ normal(X beta + Z_Subject b_Subject[Subject], sigma)
//   b_Subject ~ multi_normal(0, D R_Subject D),  D = diag(sd_Subject)
//
// beta and b_Subject are integrated out: NUTS sees the variances alone, and they are drawn exactly.
// Q = X R_inverse has orthogonal columns, theta_hat are their least-squares effects, r = y - Q theta_hat.
// W = [Z Q], Z the columns of Subject; their effects are a root F of their covariance times standard normals.
// b_Subject = root_Subject times effects of independent levels; they are what is integrated out.
functions {
  // F with the Kronecker product of A and the identity of size J from row and column start on
  matrix with_root(matrix F, int start, matrix A, int J) {
    matrix[rows(F), cols(F)] whole = F;
    for (k in 1 : rows(A)) {
      for (m in 1 : cols(A)) {
        int row = start + (k - 1) * J;
        int col = start + (m - 1) * J;
        whole[row : row + J - 1, col : col + J - 1] = diag_matrix(rep_vector(A[k, m], J));
      }
    }
    return whole;
  }
}
data {
  int<lower=1> N; // observations of Reaction
  int<lower=1> K; // population effects, Days
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  int<lower=1> E; // effects of Subject
  int<lower=E> D; // columns of W
  vector<lower=0>[D] unit; // what the columns of W were divided by
  matrix[D + 1, D + 1] S_0; // products of [r W]

  int<lower=1> J_Subject; // levels of Subject
  int<lower=1> Q_Subject; // effects per level, 1 + Days
  matrix[J_Subject, J_Subject] root_Subject; // root of the covariance of its levels

  // prior locations and scales
  int<lower=1> K_prior; // statements on beta
  matrix[K_prior, K] C; // C beta ~ normal(beta_loc, beta_scale)
  vector[K_prior] beta_loc;
  vector<lower=0>[K_prior] beta_scale;
  vector<lower=0>[Q_Subject] sd_Subject_scale;
  real<lower=0> sigma_scale;
}
transformed data {
  // 1 for the standard normals that become effects, 0 for theta - theta_hat
  vector[D] shrunk = append_row(rep_vector(1, E), rep_vector(0, D - E));
  // the prior of theta - theta_hat: its precision, and that times its mean
  matrix[K_prior, K] C_theta = diag_pre_multiply(inv(beta_scale), C * R_inverse);
  vector[K_prior] gap = (beta_loc - C * (R_inverse * theta_hat)) ./ beta_scale;
  matrix[D, D] prior_precision = rep_matrix(0, D, D);
  prior_precision[E + 1 : D, E + 1 : D] = crossprod(C_theta);
  vector[D] prior_linear = append_row(rep_vector(0, E), C_theta' * gap);
}
parameters {
  vector<lower=0>[Q_Subject] sd_Subject;
  cholesky_factor_corr[Q_Subject] L_Subject; // R_Subject = L L'

  real<lower=0> sigma; // residual sd
}
model {
  matrix[D + 1, D + 1] S = S_0;
  real rr = S[1, 1];
  vector[D] Wr = S[2 : , 1];
  matrix[D, D] WW = S[2 : , 2 : ];
  matrix[D, D] F = diag_matrix(rep_vector(1, D)); // root of the effects' covariance
  F = with_root(F, 1, diag_pre_multiply(sd_Subject, L_Subject), J_Subject);
  F = diag_pre_multiply(unit, F);
  matrix[D, D] P = add_diag(F' * WW * F / square(sigma), shrunk) + prior_precision;
  P = 0.5 * (P + P');
  vector[D] h = F' * Wr / square(sigma) + prior_linear;
  matrix[D, D] L_P = cholesky_decompose(P);
  vector[D] v = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * rr / square(sigma);
  target += 0.5 * dot_self(v) - sum(log(diagonal(L_P)));

  sd_Subject ~ student_t(3, 0, sd_Subject_scale);
  L_Subject ~ lkj_corr_cholesky(1);
  sigma ~ student_t(3, 0, sigma_scale);
}
generated quantities {
  vector[K] beta;
  matrix[J_Subject, Q_Subject] b_Subject;
  {
    matrix[D + 1, D + 1] S = S_0;
    real rr = S[1, 1];
    vector[D] Wr = S[2 : , 1];
    matrix[D, D] WW = S[2 : , 2 : ];
    matrix[D, D] F = diag_matrix(rep_vector(1, D)); // root of the effects' covariance
    F = with_root(F, 1, diag_pre_multiply(sd_Subject, L_Subject), J_Subject);
    F = diag_pre_multiply(unit, F);
    matrix[D, D] P = add_diag(F' * WW * F / square(sigma), shrunk) + prior_precision;
    P = 0.5 * (P + P');
    vector[D] h = F' * Wr / square(sigma) + prior_linear;
    matrix[D, D] L_P = cholesky_decompose(P);
    vector[D] v = mdivide_left_tri_low(L_P, h);
    vector[D] z = to_vector(normal_rng(rep_vector(0, D), 1));
    vector[D] c = mdivide_right_tri_low((v + z)', L_P)'; // the coefficients of W
    c = F * c;
    beta = R_inverse * (theta_hat + c[E + 1 : D]);
    vector[D] effects = c ./ unit;
    b_Subject = to_matrix(effects[1 : J_Subject * Q_Subject], J_Subject, Q_Subject);
  }

  corr_matrix[Q_Subject] R_Subject;
  R_Subject = multiply_lower_tri_self_transpose(L_Subject);
  b_Subject = root_Subject * b_Subject;
}
