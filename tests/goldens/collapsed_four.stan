// lmer(Reaction ~ Days + (poly(Days, 3) | Subject))
//
//   y         ~ normal(X beta + Z_Subject b_Subject[Subject], sigma)
//   b_Subject ~ multi_normal(0, D R_Subject D),  D = diag(sd_Subject)
//
// beta and b_Subject are integrated out: NUTS sees the variances alone, and they are drawn exactly.
// Q = X R_inverse has orthogonal columns, theta_hat are their least-squares effects, r = y - Q theta_hat.
// With S the products of [r Q], rotated rows weighted by H_j, S / sigma^2 holds the precision P of the rest and P times its mean.
// Every level is rotated, Z_j = U_j T_j, so that 4 rows hold all that the effects of Subject have a part in; these rows have precision
// H_j = (I + T_j A A' T_j')^-1, with A A' the covariance of the effects of Subject over sigma^2.
functions {
  // N (I + T A A' T') N' = D of every level: N_21, N_31, N_32, N_41, N_42, N_43, D_1, D_2, D_3, D_4
  array[] vector level_roots(matrix A, array[] vector T) {
    int J = num_elements(T[1]);
    vector[J] p_11 = A[1, 1] * T[1] + A[2, 1] * T[2] + A[3, 1] * T[3] + A[4, 1] * T[4];
    vector[J] p_12 = A[2, 2] * T[2] + A[3, 2] * T[3] + A[4, 2] * T[4];
    vector[J] p_13 = A[3, 3] * T[3] + A[4, 3] * T[4];
    vector[J] p_14 = A[4, 4] * T[4];
    vector[J] p_21 = A[2, 1] * T[5] + A[3, 1] * T[6] + A[4, 1] * T[7];
    vector[J] p_22 = A[2, 2] * T[5] + A[3, 2] * T[6] + A[4, 2] * T[7];
    vector[J] p_23 = A[3, 3] * T[6] + A[4, 3] * T[7];
    vector[J] p_24 = A[4, 4] * T[7];
    vector[J] p_31 = A[3, 1] * T[8] + A[4, 1] * T[9];
    vector[J] p_32 = A[3, 2] * T[8] + A[4, 2] * T[9];
    vector[J] p_33 = A[3, 3] * T[8] + A[4, 3] * T[9];
    vector[J] p_34 = A[4, 4] * T[9];
    vector[J] p_41 = A[4, 1] * T[10];
    vector[J] p_42 = A[4, 2] * T[10];
    vector[J] p_43 = A[4, 3] * T[10];
    vector[J] p_44 = A[4, 4] * T[10];
    vector[J] d_1 = rep_vector(1, J);
    d_1 += square(p_11);
    d_1 += square(p_12);
    d_1 += square(p_13);
    d_1 += square(p_14);
    vector[J] l_21 = p_21 .* p_11;
    l_21 += p_22 .* p_12;
    l_21 += p_23 .* p_13;
    l_21 += p_24 .* p_14;
    l_21 = l_21 ./ d_1;
    p_21 -= l_21 .* p_11;
    p_22 -= l_21 .* p_12;
    p_23 -= l_21 .* p_13;
    p_24 -= l_21 .* p_14;
    vector[J] n_21 = -l_21;
    vector[J] d_2 = rep_vector(1, J);
    d_2 += square(p_21);
    d_2 += square(p_22);
    d_2 += square(p_23);
    d_2 += square(p_24);
    d_2 += square(n_21);
    vector[J] l_31 = p_31 .* p_11;
    l_31 += p_32 .* p_12;
    l_31 += p_33 .* p_13;
    l_31 += p_34 .* p_14;
    l_31 = l_31 ./ d_1;
    p_31 -= l_31 .* p_11;
    p_32 -= l_31 .* p_12;
    p_33 -= l_31 .* p_13;
    p_34 -= l_31 .* p_14;
    vector[J] n_31 = -l_31;
    vector[J] l_32 = p_31 .* p_21;
    l_32 += p_32 .* p_22;
    l_32 += p_33 .* p_23;
    l_32 += p_34 .* p_24;
    l_32 += n_31 .* n_21;
    l_32 = l_32 ./ d_2;
    p_31 -= l_32 .* p_21;
    p_32 -= l_32 .* p_22;
    p_33 -= l_32 .* p_23;
    p_34 -= l_32 .* p_24;
    n_31 -= l_32 .* n_21;
    vector[J] n_32 = -l_32;
    vector[J] d_3 = rep_vector(1, J);
    d_3 += square(p_31);
    d_3 += square(p_32);
    d_3 += square(p_33);
    d_3 += square(p_34);
    d_3 += square(n_31);
    d_3 += square(n_32);
    vector[J] l_41 = p_41 .* p_11;
    l_41 += p_42 .* p_12;
    l_41 += p_43 .* p_13;
    l_41 += p_44 .* p_14;
    l_41 = l_41 ./ d_1;
    p_41 -= l_41 .* p_11;
    p_42 -= l_41 .* p_12;
    p_43 -= l_41 .* p_13;
    p_44 -= l_41 .* p_14;
    vector[J] n_41 = -l_41;
    vector[J] l_42 = p_41 .* p_21;
    l_42 += p_42 .* p_22;
    l_42 += p_43 .* p_23;
    l_42 += p_44 .* p_24;
    l_42 += n_41 .* n_21;
    l_42 = l_42 ./ d_2;
    p_41 -= l_42 .* p_21;
    p_42 -= l_42 .* p_22;
    p_43 -= l_42 .* p_23;
    p_44 -= l_42 .* p_24;
    n_41 -= l_42 .* n_21;
    vector[J] n_42 = -l_42;
    vector[J] l_43 = p_41 .* p_31;
    l_43 += p_42 .* p_32;
    l_43 += p_43 .* p_33;
    l_43 += p_44 .* p_34;
    l_43 += n_41 .* n_31;
    l_43 += n_42 .* n_32;
    l_43 = l_43 ./ d_3;
    p_41 -= l_43 .* p_31;
    p_42 -= l_43 .* p_32;
    p_43 -= l_43 .* p_33;
    p_44 -= l_43 .* p_34;
    n_41 -= l_43 .* n_31;
    n_42 -= l_43 .* n_32;
    vector[J] n_43 = -l_43;
    vector[J] d_4 = rep_vector(1, J);
    d_4 += square(p_41);
    d_4 += square(p_42);
    d_4 += square(p_43);
    d_4 += square(p_44);
    d_4 += square(n_41);
    d_4 += square(n_42);
    d_4 += square(n_43);
    return {n_21, n_31, n_32, n_41, n_42, n_43, d_1, d_2, d_3, d_4};
  }
  // the products of [r Q] of all levels: sum_j [r Q]_j' H_j [r Q]_j
  matrix level_products(array[] vector N, array[] vector r, array[] matrix Q, array[] matrix QQ) {
    int K = cols(Q[1]);
    int J = num_elements(r[1]);
    vector[J] w_1 = inv(N[7]);
    vector[J] w_2 = inv(N[8]);
    vector[J] w_3 = inv(N[9]);
    vector[J] w_4 = inv(N[10]);
    vector[J] y_1 = r[1];
    vector[J] y_2 = r[2] + N[1] .* r[1];
    vector[J] y_3 = r[3] + N[2] .* r[1] + N[3] .* r[2];
    vector[J] y_4 = r[4] + N[4] .* r[1] + N[5] .* r[2] + N[6] .* r[3];
    vector[J] u_1 = w_1 .* y_1 + N[1] .* w_2 .* y_2 + N[2] .* w_3 .* y_3 + N[4] .* w_4 .* y_4;
    vector[J] u_2 = w_2 .* y_2 + N[3] .* w_3 .* y_3 + N[5] .* w_4 .* y_4;
    vector[J] u_3 = w_3 .* y_3 + N[6] .* w_4 .* y_4;
    vector[J] u_4 = w_4 .* y_4;
    vector[J] h_11 = w_1 + square(N[1]) .* w_2 + square(N[2]) .* w_3 + square(N[4]) .* w_4;
    vector[J] h_21 = N[1] .* w_2 + N[3] .* N[2] .* w_3 + N[5] .* N[4] .* w_4;
    vector[J] h_22 = w_2 + square(N[3]) .* w_3 + square(N[5]) .* w_4;
    vector[J] h_31 = N[2] .* w_3 + N[6] .* N[4] .* w_4;
    vector[J] h_32 = N[3] .* w_3 + N[6] .* N[5] .* w_4;
    vector[J] h_33 = w_3 + square(N[6]) .* w_4;
    vector[J] h_41 = N[4] .* w_4;
    vector[J] h_42 = N[5] .* w_4;
    vector[J] h_43 = N[6] .* w_4;
    vector[J] h_44 = w_4;
    real rr = dot_product(w_1, square(y_1));
    rr += dot_product(w_2, square(y_2));
    rr += dot_product(w_3, square(y_3));
    rr += dot_product(w_4, square(y_4));
    vector[K] Qr = Q[1]' * u_1;
    Qr += Q[2]' * u_2;
    Qr += Q[3]' * u_3;
    Qr += Q[4]' * u_4;
    vector[K * K] products = QQ[1] * h_11;
    products += QQ[2] * h_21;
    products += QQ[3] * h_22;
    products += QQ[4] * h_31;
    products += QQ[5] * h_32;
    products += QQ[6] * h_33;
    products += QQ[7] * h_41;
    products += QQ[8] * h_42;
    products += QQ[9] * h_43;
    products += QQ[10] * h_44;
    return append_row(append_col(rr, Qr'), append_col(Qr, to_matrix(products, K, K)));
  }
  // effects given the rows e, drawn: u + A A' T' H (e - T u - noise) with u from their prior
  matrix level_draws_rng(array[] vector e, real sigma, matrix A, array[] vector T, array[] vector N) {
    int J = num_elements(e[1]);
    matrix[J, 4] u;
    array[4] vector[J] y;
    for (k in 1 : 4) {
      u[ : , k] = to_vector(normal_rng(rep_vector(0, J), sigma));
      y[k] = e[k] - to_vector(normal_rng(rep_vector(0, J), sigma));
    }
    u = u * A';
    y[1] -= T[1] .* u[ : , 1] + T[2] .* u[ : , 2] + T[3] .* u[ : , 3] + T[4] .* u[ : , 4];
    y[2] -= T[5] .* u[ : , 2] + T[6] .* u[ : , 3] + T[7] .* u[ : , 4];
    y[3] -= T[8] .* u[ : , 3] + T[9] .* u[ : , 4];
    y[4] -= T[10] .* u[ : , 4];
    vector[J] x_1 = y[1] ./ N[7];
    vector[J] x_2 = (y[2] + N[1] .* y[1]) ./ N[8];
    vector[J] x_3 = (y[3] + N[2] .* y[1] + N[3] .* y[2]) ./ N[9];
    vector[J] x_4 = (y[4] + N[4] .* y[1] + N[5] .* y[2] + N[6] .* y[3]) ./ N[10];
    x_1 += N[1] .* x_2 + N[2] .* x_3 + N[4] .* x_4;
    x_2 += N[3] .* x_3 + N[5] .* x_4;
    x_3 += N[6] .* x_4;
    matrix[J, 4] moved;
    moved[ : , 1] = T[1] .* x_1;
    moved[ : , 2] = T[2] .* x_1 + T[5] .* x_2;
    moved[ : , 3] = T[3] .* x_1 + T[6] .* x_2 + T[8] .* x_3;
    moved[ : , 4] = T[4] .* x_1 + T[7] .* x_2 + T[9] .* x_3 + T[10] .* x_4;
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
  int<lower=1> Q_Subject; // effects per level, poly(Days, 3)
  array[10] vector[J_Subject] T_Subject; // the triangle of Z in every level, Z = U T
  array[4] vector[J_Subject] r_Subject; // U'r of every level
  array[4] matrix[J_Subject, K] Q_of_Subject; // U'Q of every level
  array[10] matrix[K * K, J_Subject] QQ_Subject; // the products of its columns

  // prior locations and scales
  int<lower=1> K_prior; // statements on beta
  matrix[K_prior, K] C; // C beta ~ normal(beta_loc, beta_scale)
  vector[K_prior] beta_loc;
  vector<lower=0>[K_prior] beta_scale;
  vector<lower=0>[Q_Subject] sd_Subject_scale;
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
  vector<lower=0>[Q_Subject] sd_Subject;
  cholesky_factor_corr[Q_Subject] L_Subject; // R_Subject = L L'

  real<lower=0> sigma; // residual sd
}
model {
  matrix[Q_Subject, Q_Subject] A = diag_pre_multiply(sd_Subject, L_Subject) / sigma;
  array[10] vector[J_Subject] N_D = level_roots(A, T_Subject);
  matrix[K + 1, K + 1] S = S_0;
  S += level_products(N_D, r_Subject, Q_of_Subject, QQ_Subject);
  real rr = S[1, 1];
  vector[K] Qr = S[2 : , 1];
  matrix[K, K] QQ = S[2 : , 2 : ];
  matrix[K, K] P = QQ / square(sigma) + prior_precision;
  vector[K] h = Qr / square(sigma) + prior_linear;
  matrix[K, K] L_P = cholesky_decompose(P);
  vector[K] v = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * rr / square(sigma);
  target += -0.5 * (sum(log(N_D[7])) + sum(log(N_D[8])) + sum(log(N_D[9])) + sum(log(N_D[10])));
  target += 0.5 * dot_self(v) - sum(log(diagonal(L_P)));

  sd_Subject ~ student_t(3, 0, sd_Subject_scale);
  L_Subject ~ lkj_corr_cholesky(1);
  sigma ~ student_t(3, 0, sigma_scale);
}
generated quantities {
  vector[K] beta;
  matrix[J_Subject, Q_Subject] b_Subject;
  {
    matrix[Q_Subject, Q_Subject] A = diag_pre_multiply(sd_Subject, L_Subject) / sigma;
    array[10] vector[J_Subject] N_D = level_roots(A, T_Subject);
    matrix[K + 1, K + 1] S = S_0;
    S += level_products(N_D, r_Subject, Q_of_Subject, QQ_Subject);
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
    array[4] vector[J_Subject] left = r_Subject;
    for (k in 1 : 4) {
      left[k] -= Q_of_Subject[k] * c;
    }
    b_Subject = level_draws_rng(left, sigma, A, T_Subject, N_D);
  }

  corr_matrix[Q_Subject] R_Subject;
  R_Subject = multiply_lower_tri_self_transpose(L_Subject);
}
