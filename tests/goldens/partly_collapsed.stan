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
// With S the products of [e W], rotated rows weighted by H_j, S / sigma^2 holds the precision P of the rest and P times its mean.
// Every level is rotated, Z_j = U_j T_j, so that 2 rows hold all that the effects of line have a part in; these rows have precision
// H_j = (I + T_j A A' T_j')^-1, with A A' the covariance of the effects of line over sigma^2.
functions {
  // the sums of the runs of x that end at last
  vector group_sums(vector x, array[] int last) {
    vector[size(last)] total = cumulative_sum(x)[last];
    return append_row(total[1], total[2 : ] - total[ : size(last) - 1]);
  }

  // N (I + T A A' T') N' = D of every level: N_21, D_1, D_2
  array[] vector level_roots(matrix A, array[] vector T) {
    int J = num_elements(T[1]);
    vector[J] p_11 = A[1, 1] * T[1] + A[2, 1] * T[2];
    vector[J] p_12 = A[2, 2] * T[2];
    vector[J] p_21 = A[2, 1] * T[3];
    vector[J] p_22 = A[2, 2] * T[3];
    vector[J] d_1 = 1 + square(p_11) + square(p_12);
    vector[J] l_21 = (p_21 .* p_11 + p_22 .* p_12) ./ d_1;
    p_21 -= l_21 .* p_11;
    p_22 -= l_21 .* p_12;
    vector[J] n_21 = -l_21;
    vector[J] d_2 = 1 + square(p_21) + square(p_22) + square(n_21);
    return {n_21, d_1, d_2};
  }
  // the products of [r W] of all levels: sum_j [r W]_j' H_j [r W]_j
  matrix level_products(array[] vector N, array[] vector r, array[] matrix W, array[] vector WW,
                        array[] int met, array[] int last, array[] int pair) {
    int D = cols(W[1]);
    int J = num_elements(r[1]);
    vector[J] w_1 = inv(N[2]);
    vector[J] w_2 = inv(N[3]);
    vector[J] y_1 = r[1];
    vector[J] y_2 = r[2] + N[1] .* r[1];
    vector[J] u_1 = w_1 .* y_1 + N[1] .* w_2 .* y_2;
    vector[J] u_2 = w_2 .* y_2;
    vector[J] h_11 = w_1 + square(N[1]) .* w_2;
    vector[J] h_21 = N[1] .* w_2;
    vector[J] h_22 = w_2;
    real rr = dot_product(w_1, square(y_1));
    rr += dot_product(w_2, square(y_2));
    vector[D] Wr = W[1]' * u_1;
    Wr += W[2]' * u_2;
    vector[size(met)] products = WW[1] .* h_11[met];
    products += WW[2] .* h_21[met];
    products += WW[3] .* h_22[met];
    matrix[D, D] whole = to_matrix(group_sums(products, last)[pair], D, D);
    return append_row(append_col(rr, Wr'), append_col(Wr, whole));
  }
  // effects given the rows e, drawn: u + A A' T' H (e - T u - noise) with u from their prior
  matrix level_draws_rng(array[] vector e, real sigma, matrix A, array[] vector T, array[] vector N) {
    int J = num_elements(e[1]);
    matrix[J, 2] u;
    array[2] vector[J] y;
    for (k in 1 : 2) {
      u[ : , k] = to_vector(normal_rng(rep_vector(0, J), sigma));
      y[k] = e[k] - to_vector(normal_rng(rep_vector(0, J), sigma));
    }
    u = u * A';
    y[1] -= T[1] .* u[ : , 1] + T[2] .* u[ : , 2];
    y[2] -= T[3] .* u[ : , 2];
    vector[J] x_1 = y[1] ./ N[2];
    vector[J] x_2 = (y[2] + N[1] .* y[1]) ./ N[3];
    x_1 += N[1] .* x_2;
    matrix[J, 2] moved;
    moved[ : , 1] = T[1] .* x_1;
    moved[ : , 2] = T[2] .* x_1 + T[3] .* x_2;
    return u + moved * (A * A');
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
  matrix[N, D] W; // less what effects of line have a part in
  matrix[D, D] WW_0; // W'W

  int<lower=1> J_line; // levels of line
  int<lower=1> Q_line; // effects per level, tarsus
  array[3] vector[J_line] T_line; // the triangle of Z in every level, Z = U T
  array[2] vector[N] U_line;
  array[J_line] int<lower=1, upper=N> last_line; // its last row
  array[2] matrix[J_line, D] W_of_line; // U'W of every level
  int<lower=1> M; // products of two columns of it that meet in a level
  array[M] int<lower=1, upper=J_line> met; // that level
  array[(D * (D + 1)) %/% 2] int<lower=1, upper=M> last; // the last product of every pair of columns
  array[D * D] int<lower=1> pair; // the pair that every element of W'W is
  array[3] vector[M] WW_line; // the products

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
  matrix[Q_line, Q_line] A = diag_pre_multiply(sd_line, L_line) / sigma;
  array[3] vector[J_line] N_D = level_roots(A, T_line);
  array[2] vector[J_line] r_line;
  for (k in 1 : 2) {
    r_line[k] = group_sums(U_line[k] .* e, last_line);
  }
  real ee = dot_self(e);
  ee -= dot_self(r_line[1]);
  ee -= dot_self(r_line[2]);
  vector[D] We = W' * e;
  matrix[D + 1, D + 1] S = append_row(append_col(ee, We'), append_col(We, WW_0));
  S += level_products(N_D, r_line, W_of_line, WW_line, met, last, pair);
  real rr = S[1, 1];
  vector[D] Wr = S[2 : , 1];
  matrix[D, D] WW = S[2 : , 2 : ];
  vector[D] s = rep_vector(1, D); // scales of the effects
  s[1 : J_temp] = rep_vector(sd_temp, J_temp);
  matrix[D, D] P = add_diag(quad_form_diag(WW, s) / square(sigma), shrunk) + prior_precision;
  vector[D] h = s .* Wr / square(sigma) + prior_linear;
  matrix[D, D] L_P = cholesky_decompose(P);
  vector[D] v = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * rr / square(sigma);
  target += -0.5 * (sum(log(N_D[2])) + sum(log(N_D[3])));
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
    matrix[Q_line, Q_line] A = diag_pre_multiply(sd_line, L_line) / sigma;
    array[3] vector[J_line] N_D = level_roots(A, T_line);
    array[2] vector[J_line] r_line;
    for (k in 1 : 2) {
      r_line[k] = group_sums(U_line[k] .* e, last_line);
    }
    real ee = dot_self(e);
    ee -= dot_self(r_line[1]);
    ee -= dot_self(r_line[2]);
    vector[D] We = W' * e;
    matrix[D + 1, D + 1] S = append_row(append_col(ee, We'), append_col(We, WW_0));
    S += level_products(N_D, r_line, W_of_line, WW_line, met, last, pair);
    real rr = S[1, 1];
    vector[D] Wr = S[2 : , 1];
    matrix[D, D] WW = S[2 : , 2 : ];
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
    array[2] vector[J_line] left = r_line;
    for (k in 1 : 2) {
      left[k] -= W_of_line[k] * c;
    }
    b_line = level_draws_rng(left, sigma, A, T_line, N_D);
  }

  corr_matrix[Q_line] R_line;
  R_line = multiply_lower_tri_self_transpose(L_line);

  corr_matrix[Q_genotype] R_genotype;
  R_genotype = multiply_lower_tri_self_transpose(L_genotype);
}
