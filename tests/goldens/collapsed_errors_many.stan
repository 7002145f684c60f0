// lme(follicles ~ Time, random = ~Time + I(Time^2) + I(Time^3) + I(Time^4) + I(Time^5) | Mare, correlation = corAR1())
//
//   y      ~ multi_normal(X beta + Z_Mare b_Mare[Mare], sigma^2 R)
//   b_Mare ~ multi_normal(0, D R_Mare D),  D = diag(sd_Mare)
//
// beta and b_Mare are integrated out: NUTS sees the other parameters alone, the rest is drawn exactly.
// Q = X R_inverse has orthogonal columns, theta_hat are their least-squares effects, r = y - Q theta_hat.
// W = [Z Q], Z the columns of Mare; their effects are a root F of their covariance times standard normals.
// R = [r W] and the columns Z_j of a level are made independent first, rows w.
// R: errors at s and t, order within Mare, correlate cor_phi^|s - t|.
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
  int<lower=1> N; // observations of follicles
  int<lower=1> K; // population effects, Time
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  int<lower=1> E; // effects of Mare
  int<lower=E> D; // columns of W
  vector<lower=0>[D] unit; // what the columns of W were divided by
  matrix[N, D + 1] rows; // [r Z_Mare Q], r = y - Q theta_hat

  int<lower=1> J_Mare; // levels of Mare
  int<lower=1> Q_Mare; // effects per level, Time + I(Time^2) + I(Time^3) + I(Time^4) + I(Time^5)

  vector<lower=0, upper=1>[N] follows; // 0 for the first row of a block
  vector[N] lag; // time since the row before

  // prior locations and scales
  int<lower=1> K_prior; // statements on beta
  matrix[K_prior, K] C; // C beta ~ normal(beta_loc, beta_scale)
  vector[K_prior] beta_loc;
  vector<lower=0>[K_prior] beta_scale;
  vector<lower=0>[Q_Mare] sd_Mare_scale;
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
  vector<lower=0>[Q_Mare] sd_Mare;
  cholesky_factor_corr[Q_Mare] L_Mare; // R_Mare = L L'

  real<lower=0> sigma; // residual sd

  real<lower=-1, upper=1> cor_phi; // correlation at lag 1
}
model {
  matrix[N, D + 1] e = rows;
  vector[N] r = follows .* pow(cor_phi, lag); // correlation with the row before
  vector[N] root = sqrt(1 - square(r));
  real log_root = sum(log(root));
  matrix[N, D + 1] w;
  for (k in 1 : D + 1) {
    w[ : , k] = (e[ : , k] - r .* append_row(0, e[1 : N - 1, k])) ./ root;
  }
  matrix[D + 1, D + 1] S = crossprod(w[ : , 1 : D + 1]);
  real rr = S[1, 1];
  vector[D] Wr = S[2 : , 1];
  matrix[D, D] WW = S[2 : , 2 : ];
  matrix[D, D] F = diag_matrix(rep_vector(1, D)); // root of the effects' covariance
  F = with_root(F, 1, diag_pre_multiply(sd_Mare, L_Mare), J_Mare);
  F = diag_pre_multiply(unit, F);
  matrix[D, D] P = add_diag(F' * WW * F / square(sigma), shrunk) + prior_precision;
  P = 0.5 * (P + P');
  vector[D] h = F' * Wr / square(sigma) + prior_linear;
  matrix[D, D] L_P = cholesky_decompose(P);
  vector[D] v_P = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * rr / square(sigma);
  target += -log_root;
  target += 0.5 * dot_self(v_P) - sum(log(diagonal(L_P)));

  sd_Mare ~ student_t(3, 0, sd_Mare_scale);
  L_Mare ~ lkj_corr_cholesky(1);
  sigma ~ student_t(3, 0, sigma_scale);
  cor_phi ~ uniform(-1, 1);
}
generated quantities {
  vector[K] beta;
  matrix[J_Mare, Q_Mare] b_Mare;
  {
    matrix[N, D + 1] e = rows;
    vector[N] r = follows .* pow(cor_phi, lag); // correlation with the row before
    vector[N] root = sqrt(1 - square(r));
    real log_root = sum(log(root));
    matrix[N, D + 1] w;
    for (k in 1 : D + 1) {
      w[ : , k] = (e[ : , k] - r .* append_row(0, e[1 : N - 1, k])) ./ root;
    }
    matrix[D + 1, D + 1] S = crossprod(w[ : , 1 : D + 1]);
    real rr = S[1, 1];
    vector[D] Wr = S[2 : , 1];
    matrix[D, D] WW = S[2 : , 2 : ];
    matrix[D, D] F = diag_matrix(rep_vector(1, D)); // root of the effects' covariance
    F = with_root(F, 1, diag_pre_multiply(sd_Mare, L_Mare), J_Mare);
    F = diag_pre_multiply(unit, F);
    matrix[D, D] P = add_diag(F' * WW * F / square(sigma), shrunk) + prior_precision;
    P = 0.5 * (P + P');
    vector[D] h = F' * Wr / square(sigma) + prior_linear;
    matrix[D, D] L_P = cholesky_decompose(P);
    vector[D] v_P = mdivide_left_tri_low(L_P, h);
    vector[D] z = to_vector(normal_rng(rep_vector(0, D), 1));
    vector[D] c = mdivide_right_tri_low((v_P + z)', L_P)'; // the coefficients of W
    c = F * c;
    beta = R_inverse * (theta_hat + c[E + 1 : D]);
    vector[D] effects = c ./ unit;
    b_Mare = to_matrix(effects[1 : J_Mare * Q_Mare], J_Mare, Q_Mare);
  }

  corr_matrix[Q_Mare] R_Mare;
  R_Mare = multiply_lower_tri_self_transpose(L_Mare);
}
