// lmer(SCT ~ tarsus + (1 | line) + (tarsus | temp))
//
//   y      ~ normal(X beta + b_line[line] + Z_temp b_temp[temp], sigma)
//   b_line ~ normal(0, sd_line)
//   b_temp ~ multi_normal(0, D R_temp D),  D = diag(sd_temp)
//
// beta and b_line and b_temp are integrated out: NUTS sees the variances alone, and they are drawn exactly.
// Q = X R_inverse has orthogonal columns, theta_hat are their least-squares effects, r = y - Q theta_hat.
// W = [Z Q], Z the columns of temp; their effects are a root F of their covariance times standard normals.
// With S = [r W]' [r W] - sum_j (Z_j' [r W])' G_j (Z_j' [r W]), S / sigma^2 holds the precision P of the rest and P times its mean.
// G_j = A (I + A' Z_j'Z_j A)^-1 A', with A A' the covariance of the effects of line over sigma^2 and j a level.
functions {
  // the sums of the runs of x that end at last
  vector group_sums(vector x, array[] int last) {
    vector[size(last)] total = cumulative_sum(x)[last];
    return append_row(total[1], total[2 : ] - total[ : size(last) - 1]);
  }

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
  int<lower=1> N; // observations of SCT
  int<lower=1> K; // population effects, tarsus
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  int<lower=1> E; // effects of temp
  int<lower=E> D; // columns of W
  vector<lower=0>[D] unit; // what the columns of W were divided by
  real rr_0; // r'r
  vector[D] Wr_0; // W'r
  matrix[D, D] WW_0; // W'W

  int<lower=1> J_line; // levels of line
  vector[J_line] ZZ_line_11; // Z'Z of every level
  vector[J_line] Zr_line_1; // Z'r of every level
  matrix[J_line, D] ZW_line_1; // Z'W of every level
  int<lower=1> M; // products of two columns of Z'W that meet in a level
  array[M] int<lower=1, upper=J_line> met; // that level
  array[(D * (D + 1)) %/% 2] int<lower=1, upper=M> last; // the last product of every pair of columns
  array[D * D] int<lower=1> pair; // the pair that every element of W'W is
  vector[M] T_line_11; // the products

  int<lower=1> J_temp; // levels of temp
  int<lower=1> Q_temp; // effects per level, tarsus

  // prior locations and scales
  int<lower=1> K_prior; // statements on beta
  matrix[K_prior, K] C; // C beta ~ normal(beta_loc, beta_scale)
  vector[K_prior] beta_loc;
  vector<lower=0>[K_prior] beta_scale;
  real<lower=0> sd_line_scale;
  vector<lower=0>[Q_temp] sd_temp_scale;
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
  real<lower=0> sd_line;

  vector<lower=0>[Q_temp] sd_temp;
  cholesky_factor_corr[Q_temp] L_temp; // R_temp = L L'

  real<lower=0> sigma; // residual sd
}
model {
  real A_line = sd_line / sigma;
  vector[J_line] h_11 = A_line * ZZ_line_11;
  vector[J_line] m_11 = 1 + A_line * h_11;
  vector[J_line] d_1 = m_11;
  vector[J_line] i_1 = inv_sqrt(d_1);
  vector[J_line] b_11 = A_line * i_1;
  vector[J_line] g_11 = b_11 .* b_11;
  vector[J_line] u_1 = g_11 .* Zr_line_1; // G Z'r
  real rr = rr_0;
  vector[D] Wr = Wr_0;
  matrix[D, D] WW = WW_0;
  rr -= dot_product(Zr_line_1, u_1);
  Wr -= ZW_line_1' * u_1;
  vector[M] products = T_line_11 .* g_11[met];
  WW -= to_matrix(group_sums(products, last)[pair], D, D);
  matrix[D, D] F = diag_matrix(rep_vector(1, D)); // root of the effects' covariance
  F = with_root(F, 1, diag_pre_multiply(sd_temp, L_temp), J_temp);
  F = diag_pre_multiply(unit, F);
  matrix[D, D] P = add_diag(F' * WW * F / square(sigma), shrunk) + prior_precision;
  P = 0.5 * (P + P');
  vector[D] h = F' * Wr / square(sigma) + prior_linear;
  matrix[D, D] L_P = cholesky_decompose(P);
  vector[D] v = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * rr / square(sigma);
  target += -0.5 * (sum(log(d_1)));
  target += 0.5 * dot_self(v) - sum(log(diagonal(L_P)));

  sd_line ~ student_t(3, 0, sd_line_scale);
  sd_temp ~ student_t(3, 0, sd_temp_scale);
  L_temp ~ lkj_corr_cholesky(1);
  sigma ~ student_t(3, 0, sigma_scale);
}
generated quantities {
  vector[K] beta;
  matrix[J_temp, Q_temp] b_temp;
  vector[J_line] b_line;
  {
    real A_line = sd_line / sigma;
    vector[J_line] h_11 = A_line * ZZ_line_11;
    vector[J_line] m_11 = 1 + A_line * h_11;
    vector[J_line] d_1 = m_11;
    vector[J_line] i_1 = inv_sqrt(d_1);
    vector[J_line] b_11 = A_line * i_1;
    vector[J_line] g_11 = b_11 .* b_11;
    vector[J_line] u_1 = g_11 .* Zr_line_1; // G Z'r
    real rr = rr_0;
    vector[D] Wr = Wr_0;
    matrix[D, D] WW = WW_0;
    rr -= dot_product(Zr_line_1, u_1);
    Wr -= ZW_line_1' * u_1;
    vector[M] products = T_line_11 .* g_11[met];
    WW -= to_matrix(group_sums(products, last)[pair], D, D);
    matrix[D, D] F = diag_matrix(rep_vector(1, D)); // root of the effects' covariance
    F = with_root(F, 1, diag_pre_multiply(sd_temp, L_temp), J_temp);
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
    b_temp = to_matrix(effects[1 : J_temp * Q_temp], J_temp, Q_temp);
    vector[J_line] e_1 = Zr_line_1 - ZW_line_1 * c; // Z'(y - the rest)
    vector[J_line] z_1 = to_vector(normal_rng(rep_vector(0, J_line), sigma));
    b_line = g_11 .* e_1;
    b_line += b_11 .* z_1;
  }

  corr_matrix[Q_temp] R_temp;
  R_temp = multiply_lower_tri_self_transpose(L_temp);
}
