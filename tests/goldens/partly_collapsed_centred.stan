// lmer(SCT ~ tarsus + (1 | line) + (tarsus | genotype) + (1 | temp))
//
//   y          ~ normal(X beta + b_line[line] + Z_genotype b_genotype[genotype] + b_temp[temp], sigma)
//   b_line     ~ normal(0, sd_line)
//   b_genotype ~ multi_normal(0, D R_genotype D),  D = diag(sd_genotype)
//   b_temp     ~ normal(0, sd_temp)
//
// beta and b_line are integrated out: NUTS sees the rest, and they are drawn exactly.
// Q = X R_inverse has orthogonal columns, theta_hat are their least-squares effects, r = y - Q theta_hat, e = r less the sampled terms.
// With S the products of [e Q], rotated rows weighted by H_j, S / sigma^2 holds the precision P of the rest and P times its mean.
// Every level is rotated, Z_j = U_j T_j, so that one row holds all that the effects of line have a part in; these rows have precision
// H_j = (I + T_j A A' T_j')^-1, with A A' the covariance of the effects over sigma^2.
functions {
  // the sums of the runs of x that end at last
  vector group_sums(vector x, array[] int last) {
    vector[size(last)] total = cumulative_sum(x)[last];
    return append_row(total[1], total[2 : ] - total[ : size(last) - 1]);
  }

  // the products of [r Q] of all levels: sum_j [r Q]_j' H_j [r Q]_j
  matrix level_products(vector H, vector r, matrix Q, matrix QQ) {
    int K = cols(Q);
    vector[num_elements(r)] u = H .* r;
    vector[K] Qr = Q' * u;
    matrix[K, K] products = to_matrix(QQ * H, K, K);
    return append_row(append_col(dot_product(r, u), Qr'), append_col(Qr, products));
  }
}
data {
  int<lower=1> N; // observations of SCT
  int<lower=1> K; // population effects, tarsus
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  vector[N] r; // y - Q theta_hat, rows sorted by line
  matrix[N, K] Q; // less what effects of line have a part in
  matrix[K, K] QQ_0; // Q'Q

  int<lower=1> J_line; // levels of line
  vector[J_line] T_line; // the length of Z in every level, Z = U T
  vector[N] U_line;
  array[J_line] int<lower=1, upper=N> last_line; // its last row
  matrix[J_line, K] Q_of_line; // U'Q of every level
  matrix[K * K, J_line] QQ_line; // the products of its columns

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
  real A = sd_line / sigma;
  vector[J_line] H = inv(1 + square(A * T_line));
  vector[J_line] r_line = group_sums(U_line .* e, last_line);
  real ee = dot_self(e);
  ee -= dot_self(r_line);
  vector[K] We = Q' * e;
  matrix[K + 1, K + 1] S = append_row(append_col(ee, We'), append_col(We, QQ_0));
  S += level_products(H, r_line, Q_of_line, QQ_line);
  real rr = S[1, 1];
  vector[K] Qr = S[2 : , 1];
  matrix[K, K] QQ = S[2 : , 2 : ];
  matrix[K, K] P = QQ / square(sigma) + prior_precision;
  vector[K] h = Qr / square(sigma) + prior_linear;
  matrix[K, K] L_P = cholesky_decompose(P);
  vector[K] v = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * rr / square(sigma);
  target += -0.5 * (-sum(log(H)));
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
    real A = sd_line / sigma;
    vector[J_line] H = inv(1 + square(A * T_line));
    vector[J_line] r_line = group_sums(U_line .* e, last_line);
    real ee = dot_self(e);
    ee -= dot_self(r_line);
    vector[K] We = Q' * e;
    matrix[K + 1, K + 1] S = append_row(append_col(ee, We'), append_col(We, QQ_0));
    S += level_products(H, r_line, Q_of_line, QQ_line);
    real rr = S[1, 1];
    vector[K] Qr = S[2 : , 1];
    matrix[K, K] QQ = S[2 : , 2 : ];
    matrix[K, K] P = QQ / square(sigma) + prior_precision;
    vector[K] h = Qr / square(sigma) + prior_linear;
    matrix[K, K] L_P = cholesky_decompose(P);
    vector[K] v = mdivide_left_tri_low(L_P, h);
    vector[K] z = to_vector(normal_rng(rep_vector(0, K), 1));
    vector[K] c = mdivide_right_tri_low((v + z)', L_P)'; // the coefficients of Q
    beta = R_inverse * (theta_hat + c);
    // from the prior, moved to what the rows say
    vector[J_line] u = to_vector(normal_rng(rep_vector(0, J_line), sigma * A));
    vector[J_line] left = r_line - Q_of_line * c;
    left -= T_line .* u + to_vector(normal_rng(rep_vector(0, J_line), sigma));
    b_line = u + square(A) * T_line .* H .* left;
  }

  corr_matrix[Q_genotype] R_genotype;
  R_genotype = multiply_lower_tri_self_transpose(L_genotype);
}
