// lmer(Reaction ~ Days + (Days | Subject))
//
//   y         ~ normal(X beta + Z_Subject b_Subject[Subject], sigma)
//   b_Subject ~ multi_normal(0, D R_Subject D),  D = diag(sd_Subject)
//
// beta and b_Subject are integrated out: NUTS sees the variances alone, and they are drawn exactly.
// Q = X R_inverse has orthogonal columns, theta_hat are their least-squares effects, r = y - Q theta_hat.
// With S the products of [r Q], rotated rows weighted by H_j, S / sigma^2 holds the precision P of the rest and P times its mean.
// Every level is rotated, Z_j = U_j T_j, so that 2 rows hold all that the effects of Subject have a part in; these rows have precision
// H_j = (I + T_j A A' T_j')^-1, with A A' the covariance of the effects of Subject over sigma^2.
functions {
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
  // the products of [r Q] of all levels: sum_j [r Q]_j' H_j [r Q]_j
  matrix level_products(array[] vector N, array[] vector r, array[] matrix Q, array[] matrix QQ) {
    int K = cols(Q[1]);
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
    vector[K] Qr = Q[1]' * u_1;
    Qr += Q[2]' * u_2;
    vector[K * K] products = QQ[1] * h_11;
    products += QQ[2] * h_21;
    products += QQ[3] * h_22;
    return append_row(append_col(rr, Qr'), append_col(Qr, to_matrix(products, K, K)));
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
  int<lower=1> N; // observations of Reaction
  int<lower=1> K; // population effects, Days
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  matrix[K + 1, K + 1] S_0; // products of [r Q] in what no effect of Subject has a part in

  int<lower=1> J_Subject; // levels of Subject
  int<lower=1> Q_Subject; // effects per level, Days
  array[3] vector[J_Subject] T_Subject; // the triangle of Z in every level, Z = U T
  array[2] vector[J_Subject] r_Subject; // U'r of every level
  array[2] matrix[J_Subject, K] Q_of_Subject; // U'Q of every level
  array[3] matrix[K * K, J_Subject] QQ_Subject; // the products of its columns

  // prior locations and scales
  int<lower=1> K_prior; // statements on beta
  matrix[K_prior, K] C; // C beta ~ student_t(3, beta_loc, beta_scale), the first; the rest normal
  vector[K_prior] beta_loc;
  vector<lower=0>[K_prior] beta_scale;
  vector<lower=0>[Q_Subject] sd_Subject_scale;
  real<lower=0> sigma_scale;
}
transformed data {
  // the prior of theta - theta_hat: its precision, and that times its mean
  matrix[K_prior, K] C_theta = diag_pre_multiply(inv(beta_scale), C * R_inverse);
  vector[K_prior] gap = (beta_loc - C * (R_inverse * theta_hat)) ./ beta_scale;
}
parameters {
  real<lower=0> mix_intercept; // variance of the first of C beta, over beta_scale[1]^2

  vector<lower=0>[Q_Subject] sd_Subject;
  cholesky_factor_corr[Q_Subject] L_Subject; // R_Subject = L L'

  real<lower=0> sigma; // residual sd
}
model {
  matrix[Q_Subject, Q_Subject] A = diag_pre_multiply(sd_Subject, L_Subject) / sigma;
  array[3] vector[J_Subject] N_D = level_roots(A, T_Subject);
  matrix[K + 1, K + 1] S = S_0;
  S += level_products(N_D, r_Subject, Q_of_Subject, QQ_Subject);
  real rr = S[1, 1];
  vector[K] Qr = S[2 : , 1];
  matrix[K, K] QQ = S[2 : , 2 : ];
  vector[K_prior] root_weight = rep_vector(1, K_prior);
  root_weight[1] = inv_sqrt(mix_intercept);
  matrix[K_prior, K] C_heavy = diag_pre_multiply(root_weight, C_theta);
  vector[K_prior] gap_heavy = root_weight .* gap;
  matrix[K, K] prior_precision = crossprod(C_heavy);
  vector[K] prior_linear = C_heavy' * gap_heavy;
  matrix[K, K] P = QQ / square(sigma) + prior_precision;
  vector[K] h = Qr / square(sigma) + prior_linear;
  matrix[K, K] L_P = cholesky_decompose(P);
  vector[K] v = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * rr / square(sigma);
  target += -0.5 * (sum(log(N_D[2])) + sum(log(N_D[3])));
  target += 0.5 * dot_self(v) - sum(log(diagonal(L_P)));

  mix_intercept ~ inv_gamma(1.5, 1.5);
  target += -0.5 * log(mix_intercept) - 0.5 * square(gap[1]) / mix_intercept;
  sd_Subject ~ student_t(3, 0, sd_Subject_scale);
  L_Subject ~ lkj_corr_cholesky(1);
  sigma ~ student_t(3, 0, sigma_scale);
}
generated quantities {
  vector[K] beta;
  matrix[J_Subject, Q_Subject] b_Subject;
  {
    matrix[Q_Subject, Q_Subject] A = diag_pre_multiply(sd_Subject, L_Subject) / sigma;
    array[3] vector[J_Subject] N_D = level_roots(A, T_Subject);
    matrix[K + 1, K + 1] S = S_0;
    S += level_products(N_D, r_Subject, Q_of_Subject, QQ_Subject);
    real rr = S[1, 1];
    vector[K] Qr = S[2 : , 1];
    matrix[K, K] QQ = S[2 : , 2 : ];
    vector[K_prior] root_weight = rep_vector(1, K_prior);
    root_weight[1] = inv_sqrt(mix_intercept);
    matrix[K_prior, K] C_heavy = diag_pre_multiply(root_weight, C_theta);
    vector[K_prior] gap_heavy = root_weight .* gap;
    matrix[K, K] prior_precision = crossprod(C_heavy);
    vector[K] prior_linear = C_heavy' * gap_heavy;
    matrix[K, K] P = QQ / square(sigma) + prior_precision;
    vector[K] h = Qr / square(sigma) + prior_linear;
    matrix[K, K] L_P = cholesky_decompose(P);
    vector[K] v = mdivide_left_tri_low(L_P, h);
    vector[K] z = to_vector(normal_rng(rep_vector(0, K), 1));
    vector[K] c = mdivide_right_tri_low((v + z)', L_P)'; // the coefficients of Q
    beta = R_inverse * (theta_hat + c);
    array[2] vector[J_Subject] left = r_Subject;
    for (k in 1 : 2) {
      left[k] -= Q_of_Subject[k] * c;
    }
    b_Subject = level_draws_rng(left, sigma, A, T_Subject, N_D);
  }

  corr_matrix[Q_Subject] R_Subject;
  R_Subject = multiply_lower_tri_self_transpose(L_Subject);
}
