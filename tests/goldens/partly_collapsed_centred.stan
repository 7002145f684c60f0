// lmer(SCT ~ tarsus + (1 | line) + (tarsus | genotype) + (1 | temp))
//
//   y          ~ normal(X beta + b_line[line] + Z_genotype b_genotype[genotype] + b_temp[temp], sigma)
//   b_line     ~ normal(0, sd_line)
//   b_genotype ~ multi_normal(0, D R_genotype D),  D = diag(sd_genotype)
//   b_temp     ~ normal(0, sd_temp)
//
// beta and b_line are integrated out: NUTS sees the rest, and they are drawn exactly.
// Q = X R_inverse has orthogonal columns, theta_hat are their least-squares effects, r = y - Q theta_hat, e = r less the sampled terms.
// With S = [e Q]' [e Q] - sum_j (Z_j' [e Q])' G_j (Z_j' [e Q]), S / sigma^2 holds the precision P of the rest and P times its mean.
// G_j = A (I + A' Z_j'Z_j A)^-1 A', with A A' the covariance of the effects of line over sigma^2 and j a level.
functions {
  // the sums of the runs of x that end at last
  vector group_sums(vector x, array[] int last) {
    vector[size(last)] total = cumulative_sum(x)[last];
    return append_row(total[1], total[2 : ] - total[ : size(last) - 1]);
  }
}
data {
  int<lower=1> N; // observations of SCT
  int<lower=1> K; // population effects, tarsus
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  vector[N] r; // y - Q theta_hat, rows sorted by line
  matrix[N, K] Q;
  matrix[K, K] QQ_0; // Q'Q

  int<lower=1> J_line; // levels of line
  vector[J_line] ZZ_line_11; // Z'Z of every level
  array[J_line] int<lower=1, upper=N> last_line; // its last row
  matrix[J_line, K] ZQ_line_1; // Z'Q of every level
  matrix[K * K, J_line] T_line_11; // products of Z'Q, as in Q'Q

  int<lower=1> J_genotype; // levels of genotype
  int<lower=1> Q_genotype; // effects per level
  array[N] int<lower=1, upper=J_genotype> genotype;
  matrix[N, Q_genotype] Z_genotype; // tarsus

  int<lower=1> J_temp; // levels of temp
  array[N] int<lower=1, upper=J_temp> temp;

  // prior locations and scales
  int<lower=1> K_prior; // statements on beta
  matrix[K_prior, K] C; // C beta ~ normal(beta_loc, beta_scale)
  vector[K_prior] beta_loc;
  vector<lower=0>[K_prior] beta_scale;
  real<lower=0> sd_line_scale;
  vector<lower=0>[Q_genotype] sd_genotype_scale;
  real<lower=0> sd_temp_scale;
  real<lower=0> sigma_scale;
}
transformed data {
  // the prior of theta - theta_hat: its precision, and that times its mean
  matrix[K_prior, K] C_theta = diag_pre_multiply(inv(beta_scale), C * R_inverse);
  vector[K_prior] gap = (beta_loc - C * (R_inverse * theta_hat)) ./ beta_scale;
  matrix[K, K] prior_precision = crossprod(C_theta);
  vector[K] prior_linear = C_theta' * gap;
}
parameters {
  real<lower=0> sd_line;

  vector<lower=0>[Q_genotype] sd_genotype;
  cholesky_factor_corr[Q_genotype] L_genotype; // R_genotype = L L'
  matrix[J_genotype, Q_genotype] b_genotype;

  real<lower=0> sd_temp;
  vector[J_temp] b_temp;

  real<lower=0> sigma; // residual sd
}
model {
  vector[N] e = r;
  e -= rows_dot_product(Z_genotype, b_genotype[genotype]);
  e -= b_temp[temp];
  real A_line = sd_line / sigma;
  vector[J_line] h_11 = A_line * ZZ_line_11;
  vector[J_line] m_11 = 1 + A_line * h_11;
  vector[J_line] d_1 = m_11;
  vector[J_line] i_1 = inv_sqrt(d_1);
  vector[J_line] b_11 = A_line * i_1;
  vector[J_line] g_11 = b_11 .* b_11;
  vector[J_line] Zr_line_1 = group_sums(e, last_line);
  vector[J_line] u_1 = g_11 .* Zr_line_1; // G Z'r
  real rr = dot_self(e);
  vector[K] Qr = Q' * e;
  matrix[K, K] QQ = QQ_0;
  rr -= dot_product(Zr_line_1, u_1);
  Qr -= ZQ_line_1' * u_1;
  QQ -= to_matrix(T_line_11 * g_11, K, K);
  matrix[K, K] P = QQ / square(sigma) + prior_precision;
  vector[K] h = Qr / square(sigma) + prior_linear;
  matrix[K, K] L_P = cholesky_decompose(P);
  vector[K] v = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * rr / square(sigma);
  target += -0.5 * (sum(log(d_1)));
  target += 0.5 * dot_self(v) - sum(log(diagonal(L_P)));

  sd_line ~ student_t(3, 0, sd_line_scale);
  sd_genotype ~ student_t(3, 0, sd_genotype_scale);
  L_genotype ~ lkj_corr_cholesky(1);
  {
    matrix[Q_genotype, Q_genotype] root = diag_pre_multiply(sd_genotype, L_genotype);
    to_vector(mdivide_left_tri_low(root, b_genotype')) ~ std_normal();
    target += -J_genotype * sum(log(diagonal(root)));
  }
  sd_temp ~ student_t(3, 0, sd_temp_scale);
  b_temp ~ normal(0, sd_temp);
  sigma ~ student_t(3, 0, sigma_scale);
}
generated quantities {
  vector[K] beta;
  vector[J_line] b_line;
  {
    vector[N] e = r;
    e -= rows_dot_product(Z_genotype, b_genotype[genotype]);
    e -= b_temp[temp];
    real A_line = sd_line / sigma;
    vector[J_line] h_11 = A_line * ZZ_line_11;
    vector[J_line] m_11 = 1 + A_line * h_11;
    vector[J_line] d_1 = m_11;
    vector[J_line] i_1 = inv_sqrt(d_1);
    vector[J_line] b_11 = A_line * i_1;
    vector[J_line] g_11 = b_11 .* b_11;
    vector[J_line] Zr_line_1 = group_sums(e, last_line);
    vector[J_line] u_1 = g_11 .* Zr_line_1; // G Z'r
    real rr = dot_self(e);
    vector[K] Qr = Q' * e;
    matrix[K, K] QQ = QQ_0;
    rr -= dot_product(Zr_line_1, u_1);
    Qr -= ZQ_line_1' * u_1;
    QQ -= to_matrix(T_line_11 * g_11, K, K);
    matrix[K, K] P = QQ / square(sigma) + prior_precision;
    vector[K] h = Qr / square(sigma) + prior_linear;
    matrix[K, K] L_P = cholesky_decompose(P);
    vector[K] v = mdivide_left_tri_low(L_P, h);
    vector[K] z = to_vector(normal_rng(rep_vector(0, K), 1));
    vector[K] c = mdivide_right_tri_low((v + z)', L_P)'; // the coefficients of Q
    beta = R_inverse * (theta_hat + c);
    vector[J_line] e_1 = Zr_line_1 - ZQ_line_1 * c; // Z'(y - the rest)
    vector[J_line] z_1 = to_vector(normal_rng(rep_vector(0, J_line), sigma));
    b_line = g_11 .* e_1;
    b_line += b_11 .* z_1;
  }

  corr_matrix[Q_genotype] R_genotype;
  R_genotype = multiply_lower_tri_self_transpose(L_genotype);
}
