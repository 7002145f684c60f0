// lmer(SCT ~ tarsus + (tarsus | line) + (tarsus | genotype) + (1 | temp))
//
//   y          ~ normal(X beta + Z_line b_line[line] + Z_genotype b_genotype[genotype] + b_temp[temp], sigma)
//   b_line     ~ multi_normal(0, D R_line D),  D = diag(sd_line)
//   b_temp     ~ normal(0, sd_temp)
//   b_genotype ~ multi_normal(0, D R_genotype D),  D = diag(sd_genotype)
//
// beta and b_line and b_temp are integrated out: NUTS sees the rest, and they are drawn exactly.
// Q = X R_inverse has orthogonal columns, theta_hat are their least-squares effects, r = y - Q theta_hat, e = r less the sampled terms.
// W = [Z Q], Z the columns of temp; their effects are a root F of their covariance times standard normals.
// With S = [e W]' [e W] - sum_j (Z_j' [e W])' G_j (Z_j' [e W]), S / sigma^2 holds the precision P of the rest and P times its mean.
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
  int<lower=1> E; // effects of temp
  int<lower=E> D; // columns of W
  vector[N] r; // y - Q theta_hat, rows sorted by line
  matrix[N, D] W;
  matrix[D, D] WW_0; // W'W

  int<lower=1> J_line; // levels of line
  int<lower=1> Q_line; // effects per level, tarsus
  vector[J_line] ZZ_line_11; // Z'Z of every level
  vector[J_line] ZZ_line_21;
  vector[J_line] ZZ_line_22;
  array[J_line] int<lower=1, upper=N> last_line; // its last row
  vector[N] Z_line_2;
  matrix[J_line, D] ZW_line_1; // Z'W of every level
  matrix[J_line, D] ZW_line_2;
  int<lower=1> M; // products of two columns of Z'W that meet in a level
  array[M] int<lower=1, upper=J_line> met; // that level
  array[(D * (D + 1)) %/% 2] int<lower=1, upper=M> last; // the last product of every pair of columns
  array[D * D] int<lower=1> pair; // the pair that every element of W'W is
  vector[M] T_line_11; // the products
  vector[M] T_line_21;
  vector[M] T_line_22;

  int<lower=1> J_temp; // levels of temp

  int<lower=1> J_genotype; // levels of genotype
  int<lower=1> Q_genotype; // effects per level
  array[N] int<lower=1, upper=J_genotype> genotype;
  matrix[N, Q_genotype] Z_genotype; // tarsus

  // prior locations and scales
  int<lower=1> K_prior; // statements on beta
  matrix[K_prior, K] C; // C beta ~ normal(beta_loc, beta_scale)
  vector[K_prior] beta_loc;
  vector<lower=0>[K_prior] beta_scale;
  vector<lower=0>[Q_line] sd_line_scale;
  real<lower=0> sd_temp_scale;
  vector<lower=0>[Q_genotype] sd_genotype_scale;
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
  vector<lower=0>[Q_line] sd_line;
  cholesky_factor_corr[Q_line] L_line; // R_line = L L'

  real<lower=0> sd_temp;

  vector<lower=0>[Q_genotype] sd_genotype;
  cholesky_factor_corr[Q_genotype] L_genotype; // R_genotype = L L'
  matrix[Q_genotype, J_genotype] z_genotype; // b_genotype, non-centred

  real<lower=0> sigma; // residual sd
}
transformed parameters {
  matrix[J_genotype, Q_genotype] b_genotype;
  b_genotype = (diag_pre_multiply(sd_genotype, L_genotype) * z_genotype)';
}
model {
  vector[N] e = r;
  e -= rows_dot_product(Z_genotype, b_genotype[genotype]);
  matrix[Q_line, Q_line] A_line = diag_pre_multiply(sd_line, L_line) / sigma;
  vector[J_line] h_11 = A_line[1, 1] * ZZ_line_11 + A_line[2, 1] * ZZ_line_21;
  vector[J_line] h_12 = A_line[2, 2] * ZZ_line_21;
  vector[J_line] h_21 = A_line[1, 1] * ZZ_line_21 + A_line[2, 1] * ZZ_line_22;
  vector[J_line] h_22 = A_line[2, 2] * ZZ_line_22;
  vector[J_line] m_11 = 1 + A_line[1, 1] * h_11 + A_line[2, 1] * h_21;
  vector[J_line] m_21 = A_line[2, 2] * h_21;
  vector[J_line] m_22 = 1 + A_line[2, 2] * h_22;
  vector[J_line] d_1 = m_11;
  vector[J_line] i_1 = inv_sqrt(d_1);
  vector[J_line] l_21 = m_21 .* i_1;
  vector[J_line] d_2 = m_22 - square(l_21);
  vector[J_line] i_2 = inv_sqrt(d_2);
  vector[J_line] b_11 = A_line[1, 1] * i_1;
  vector[J_line] b_12 = A_line[2, 1] * i_1;
  vector[J_line] b_21 = -i_2 .* (l_21 .* b_11);
  vector[J_line] b_22 = (A_line[2, 2] - l_21 .* b_12) .* i_2;
  vector[J_line] g_11 = b_11 .* b_11 + b_21 .* b_21;
  vector[J_line] g_21 = b_12 .* b_11 + b_22 .* b_21;
  vector[J_line] g_22 = b_12 .* b_12 + b_22 .* b_22;
  vector[J_line] Zr_line_1 = group_sums(e, last_line);
  vector[J_line] Zr_line_2 = group_sums(Z_line_2 .* e, last_line);
  vector[J_line] u_1 = g_11 .* Zr_line_1 + g_21 .* Zr_line_2; // G Z'r
  vector[J_line] u_2 = g_21 .* Zr_line_1 + g_22 .* Zr_line_2;
  real rr = dot_self(e);
  vector[D] Wr = W' * e;
  matrix[D, D] WW = WW_0;
  rr -= dot_product(Zr_line_1, u_1);
  rr -= dot_product(Zr_line_2, u_2);
  Wr -= ZW_line_1' * u_1;
  Wr -= ZW_line_2' * u_2;
  vector[M] products = T_line_11 .* g_11[met];
  products += T_line_21 .* g_21[met];
  products += T_line_22 .* g_22[met];
  WW -= to_matrix(group_sums(products, last)[pair], D, D);
  vector[D] s = rep_vector(1, D); // scales of the effects
  s[1 : J_temp] = rep_vector(sd_temp, J_temp);
  matrix[D, D] P = add_diag(quad_form_diag(WW, s) / square(sigma), shrunk) + prior_precision;
  vector[D] h = s .* Wr / square(sigma) + prior_linear;
  matrix[D, D] L_P = cholesky_decompose(P);
  vector[D] v = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * rr / square(sigma);
  target += -0.5 * (sum(log(d_1)) + sum(log(d_2)));
  target += 0.5 * dot_self(v) - sum(log(diagonal(L_P)));

  sd_line ~ student_t(3, 0, sd_line_scale);
  L_line ~ lkj_corr_cholesky(1);
  sd_temp ~ student_t(3, 0, sd_temp_scale);
  sd_genotype ~ student_t(3, 0, sd_genotype_scale);
  L_genotype ~ lkj_corr_cholesky(1);
  to_vector(z_genotype) ~ std_normal();
  sigma ~ student_t(3, 0, sigma_scale);
}
generated quantities {
  vector[K] beta;
  vector[J_temp] b_temp;
  matrix[J_line, Q_line] b_line;
  {
    vector[N] e = r;
    e -= rows_dot_product(Z_genotype, b_genotype[genotype]);
    matrix[Q_line, Q_line] A_line = diag_pre_multiply(sd_line, L_line) / sigma;
    vector[J_line] h_11 = A_line[1, 1] * ZZ_line_11 + A_line[2, 1] * ZZ_line_21;
    vector[J_line] h_12 = A_line[2, 2] * ZZ_line_21;
    vector[J_line] h_21 = A_line[1, 1] * ZZ_line_21 + A_line[2, 1] * ZZ_line_22;
    vector[J_line] h_22 = A_line[2, 2] * ZZ_line_22;
    vector[J_line] m_11 = 1 + A_line[1, 1] * h_11 + A_line[2, 1] * h_21;
    vector[J_line] m_21 = A_line[2, 2] * h_21;
    vector[J_line] m_22 = 1 + A_line[2, 2] * h_22;
    vector[J_line] d_1 = m_11;
    vector[J_line] i_1 = inv_sqrt(d_1);
    vector[J_line] l_21 = m_21 .* i_1;
    vector[J_line] d_2 = m_22 - square(l_21);
    vector[J_line] i_2 = inv_sqrt(d_2);
    vector[J_line] b_11 = A_line[1, 1] * i_1;
    vector[J_line] b_12 = A_line[2, 1] * i_1;
    vector[J_line] b_21 = -i_2 .* (l_21 .* b_11);
    vector[J_line] b_22 = (A_line[2, 2] - l_21 .* b_12) .* i_2;
    vector[J_line] g_11 = b_11 .* b_11 + b_21 .* b_21;
    vector[J_line] g_21 = b_12 .* b_11 + b_22 .* b_21;
    vector[J_line] g_22 = b_12 .* b_12 + b_22 .* b_22;
    vector[J_line] Zr_line_1 = group_sums(e, last_line);
    vector[J_line] Zr_line_2 = group_sums(Z_line_2 .* e, last_line);
    vector[J_line] u_1 = g_11 .* Zr_line_1 + g_21 .* Zr_line_2; // G Z'r
    vector[J_line] u_2 = g_21 .* Zr_line_1 + g_22 .* Zr_line_2;
    real rr = dot_self(e);
    vector[D] Wr = W' * e;
    matrix[D, D] WW = WW_0;
    rr -= dot_product(Zr_line_1, u_1);
    rr -= dot_product(Zr_line_2, u_2);
    Wr -= ZW_line_1' * u_1;
    Wr -= ZW_line_2' * u_2;
    vector[M] products = T_line_11 .* g_11[met];
    products += T_line_21 .* g_21[met];
    products += T_line_22 .* g_22[met];
    WW -= to_matrix(group_sums(products, last)[pair], D, D);
    vector[D] s = rep_vector(1, D); // scales of the effects
    s[1 : J_temp] = rep_vector(sd_temp, J_temp);
    matrix[D, D] P = add_diag(quad_form_diag(WW, s) / square(sigma), shrunk) + prior_precision;
    vector[D] h = s .* Wr / square(sigma) + prior_linear;
    matrix[D, D] L_P = cholesky_decompose(P);
    vector[D] v = mdivide_left_tri_low(L_P, h);
    vector[D] z = to_vector(normal_rng(rep_vector(0, D), 1));
    vector[D] c = mdivide_right_tri_low((v + z)', L_P)'; // the coefficients of W
    c = s .* c;
    beta = R_inverse * (theta_hat + c[E + 1 : D]);
    b_temp = c[1 : J_temp];
    vector[J_line] e_1 = Zr_line_1 - ZW_line_1 * c; // Z'(y - the rest)
    vector[J_line] e_2 = Zr_line_2 - ZW_line_2 * c;
    vector[J_line] z_1 = to_vector(normal_rng(rep_vector(0, J_line), sigma));
    vector[J_line] z_2 = to_vector(normal_rng(rep_vector(0, J_line), sigma));
    b_line[ : , 1] = g_11 .* e_1 + g_21 .* e_2;
    b_line[ : , 1] += b_11 .* z_1 + b_21 .* z_2;
    b_line[ : , 2] = g_21 .* e_1 + g_22 .* e_2;
    b_line[ : , 2] += b_12 .* z_1 + b_22 .* z_2;
  }

  corr_matrix[Q_line] R_line;
  R_line = multiply_lower_tri_self_transpose(L_line);

  corr_matrix[Q_genotype] R_genotype;
  R_genotype = multiply_lower_tri_self_transpose(L_genotype);
}
