// glmmTMB(tarsus ~ sex + rr(0 + sex | dam, d = 2))
//
//   y     ~ normal(X beta + Z_dam b_dam[dam], sigma)
//   b_dam ~ multi_normal(0, Lambda Lambda'),  Lambda = loadings of 2 factors
//
// beta and b_dam are integrated out: NUTS sees the variances alone, and they are drawn exactly.
// Q = X R_inverse has orthogonal columns, theta_hat are their least-squares effects, r = y - Q theta_hat.
// With S the products of [r Q], rotated rows weighted by H_j, S / sigma^2 holds the precision P of the rest and P times its mean.
// Every level is rotated, Z_j = U_j T_j, so that 3 rows hold all that the effects of dam have a part in; these rows have precision
// H_j = (I + T_j A A' T_j')^-1, with A A' the covariance of the effects of dam over sigma^2.
functions {
  // N (I + T A A' T') N' = D of every level: N_21, N_31, N_32, D_1, D_2, D_3
  array[] vector level_roots(matrix A, array[] vector T) {
    int J = num_elements(T[1]);
    vector[J] p_11 = A[1, 1] * T[1] + A[2, 1] * T[2] + A[3, 1] * T[3];
    vector[J] p_12 = A[2, 2] * T[2] + A[3, 2] * T[3];
    vector[J] p_13 = A[3, 3] * T[3];
    vector[J] p_21 = A[2, 1] * T[4] + A[3, 1] * T[5];
    vector[J] p_22 = A[2, 2] * T[4] + A[3, 2] * T[5];
    vector[J] p_23 = A[3, 3] * T[5];
    vector[J] p_31 = A[3, 1] * T[6];
    vector[J] p_32 = A[3, 2] * T[6];
    vector[J] p_33 = A[3, 3] * T[6];
    vector[J] d_1 = 1 + square(p_11) + square(p_12) + square(p_13);
    vector[J] l_21 = (p_21 .* p_11 + p_22 .* p_12 + p_23 .* p_13) ./ d_1;
    p_21 -= l_21 .* p_11;
    p_22 -= l_21 .* p_12;
    p_23 -= l_21 .* p_13;
    vector[J] n_21 = -l_21;
    vector[J] d_2 = 1 + square(p_21) + square(p_22) + square(p_23) + square(n_21);
    vector[J] l_31 = (p_31 .* p_11 + p_32 .* p_12 + p_33 .* p_13) ./ d_1;
    p_31 -= l_31 .* p_11;
    p_32 -= l_31 .* p_12;
    p_33 -= l_31 .* p_13;
    vector[J] n_31 = -l_31;
    vector[J] l_32 = (p_31 .* p_21 + p_32 .* p_22 + p_33 .* p_23 + n_31 .* n_21) ./ d_2;
    p_31 -= l_32 .* p_21;
    p_32 -= l_32 .* p_22;
    p_33 -= l_32 .* p_23;
    n_31 -= l_32 .* n_21;
    vector[J] n_32 = -l_32;
    vector[J] d_3 = 1 + square(p_31) + square(p_32) + square(p_33) + square(n_31) + square(n_32);
    return {n_21, n_31, n_32, d_1, d_2, d_3};
  }
  // the products of [r Q] of all levels: sum_j [r Q]_j' H_j [r Q]_j
  matrix level_products(array[] vector N, array[] vector r, array[] matrix Q, array[] matrix QQ) {
    int K = cols(Q[1]);
    int J = num_elements(r[1]);
    vector[J] w_1 = inv(N[4]);
    vector[J] w_2 = inv(N[5]);
    vector[J] w_3 = inv(N[6]);
    vector[J] y_1 = r[1];
    vector[J] y_2 = r[2] + N[1] .* r[1];
    vector[J] y_3 = r[3] + N[2] .* r[1] + N[3] .* r[2];
    vector[J] u_1 = w_1 .* y_1 + N[1] .* w_2 .* y_2 + N[2] .* w_3 .* y_3;
    vector[J] u_2 = w_2 .* y_2 + N[3] .* w_3 .* y_3;
    vector[J] u_3 = w_3 .* y_3;
    vector[J] h_11 = w_1 + square(N[1]) .* w_2 + square(N[2]) .* w_3;
    vector[J] h_21 = N[1] .* w_2 + N[3] .* N[2] .* w_3;
    vector[J] h_22 = w_2 + square(N[3]) .* w_3;
    vector[J] h_31 = N[2] .* w_3;
    vector[J] h_32 = N[3] .* w_3;
    vector[J] h_33 = w_3;
    real rr = dot_product(w_1, square(y_1));
    rr += dot_product(w_2, square(y_2));
    rr += dot_product(w_3, square(y_3));
    vector[K] Qr = Q[1]' * u_1;
    Qr += Q[2]' * u_2;
    Qr += Q[3]' * u_3;
    vector[K * K] products = QQ[1] * h_11;
    products += QQ[2] * h_21;
    products += QQ[3] * h_22;
    products += QQ[4] * h_31;
    products += QQ[5] * h_32;
    products += QQ[6] * h_33;
    return append_row(append_col(rr, Qr'), append_col(Qr, to_matrix(products, K, K)));
  }
  // effects given the rows e, drawn: u + A A' T' H (e - T u - noise) with u from their prior
  matrix level_draws_rng(array[] vector e, real sigma, matrix A, array[] vector T, array[] vector N) {
    int J = num_elements(e[1]);
    matrix[J, 3] u;
    array[3] vector[J] y;
    for (k in 1 : 3) {
      u[ : , k] = to_vector(normal_rng(rep_vector(0, J), sigma));
      y[k] = e[k] - to_vector(normal_rng(rep_vector(0, J), sigma));
    }
    u = u * A';
    y[1] -= T[1] .* u[ : , 1] + T[2] .* u[ : , 2] + T[3] .* u[ : , 3];
    y[2] -= T[4] .* u[ : , 2] + T[5] .* u[ : , 3];
    y[3] -= T[6] .* u[ : , 3];
    vector[J] x_1 = y[1] ./ N[4];
    vector[J] x_2 = (y[2] + N[1] .* y[1]) ./ N[5];
    vector[J] x_3 = (y[3] + N[2] .* y[1] + N[3] .* y[2]) ./ N[6];
    x_1 += N[1] .* x_2 + N[2] .* x_3;
    x_2 += N[3] .* x_3;
    matrix[J, 3] moved;
    moved[ : , 1] = T[1] .* x_1;
    moved[ : , 2] = T[2] .* x_1 + T[4] .* x_2;
    moved[ : , 3] = T[3] .* x_1 + T[5] .* x_2 + T[6] .* x_3;
    return u + moved * (A * A');
  }

  // q x d, zero above the diagonal
  matrix loadings(int q, vector on_diagonal, vector below) {
    int d = size(on_diagonal);
    matrix[q, d] Lambda = rep_matrix(0, q, d);
    int start = 0;
    for (k in 1 : d) {
      Lambda[k, k] = on_diagonal[k];
      for (j in k + 1 : q) {
        Lambda[j, k] = below[start + j - k];
      }
      start += q - k;
    }
    return Lambda;
  }
}
data {
  int<lower=1> N; // observations of tarsus
  int<lower=1> K; // population effects, sex
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  matrix[K + 1, K + 1] S_0; // products of [r Q] in what no effect of dam has a part in

  int<lower=1> J_dam; // levels of dam
  int<lower=1> Q_dam; // effects per level, 0 + sex
  array[6] vector[J_dam] T_dam; // the triangle of Z in every level, Z = U T
  array[3] vector[J_dam] r_dam; // U'r of every level
  array[3] matrix[J_dam, K] Q_of_dam; // U'Q of every level
  array[6] matrix[K * K, J_dam] QQ_dam; // the products of its columns

  // prior locations and scales
  int<lower=1> K_prior; // statements on beta
  matrix[K_prior, K] C; // C beta ~ normal(beta_loc, beta_scale)
  vector[K_prior] beta_loc;
  vector<lower=0>[K_prior] beta_scale;
  vector<lower=0>[2] first_loading_dam_scale;
  vector<lower=0>[2 * Q_dam - 3] loading_dam_scale;
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
  vector<lower=0>[2] first_loading_dam; // the diagonal of Lambda
  vector[2 * Q_dam - 3] loading_dam; // below it, column by column

  real<lower=0> sigma; // residual sd
}
transformed parameters {
  matrix[Q_dam, 2] C_dam;
  C_dam = loadings(Q_dam, first_loading_dam, loading_dam);
}
model {
  matrix[Q_dam, Q_dam] A = append_col(C_dam, rep_matrix(0, Q_dam, Q_dam - 2)) / sigma;
  array[6] vector[J_dam] N_D = level_roots(A, T_dam);
  matrix[K + 1, K + 1] S = S_0;
  S += level_products(N_D, r_dam, Q_of_dam, QQ_dam);
  real rr = S[1, 1];
  vector[K] Qr = S[2 : , 1];
  matrix[K, K] QQ = S[2 : , 2 : ];
  matrix[K, K] P = QQ / square(sigma) + prior_precision;
  vector[K] h = Qr / square(sigma) + prior_linear;
  matrix[K, K] L_P = cholesky_decompose(P);
  vector[K] v = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * rr / square(sigma);
  target += -0.5 * (sum(log(N_D[4])) + sum(log(N_D[5])) + sum(log(N_D[6])));
  target += 0.5 * dot_self(v) - sum(log(diagonal(L_P)));

  first_loading_dam ~ student_t(3, 0, first_loading_dam_scale);
  loading_dam ~ student_t(3, 0, loading_dam_scale);
  sigma ~ student_t(3, 0, sigma_scale);
}
generated quantities {
  vector[K] beta;
  matrix[J_dam, Q_dam] b_dam;
  {
    matrix[Q_dam, Q_dam] A = append_col(C_dam, rep_matrix(0, Q_dam, Q_dam - 2)) / sigma;
    array[6] vector[J_dam] N_D = level_roots(A, T_dam);
    matrix[K + 1, K + 1] S = S_0;
    S += level_products(N_D, r_dam, Q_of_dam, QQ_dam);
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
    array[3] vector[J_dam] left = r_dam;
    for (k in 1 : 3) {
      left[k] -= Q_of_dam[k] * c;
    }
    b_dam = level_draws_rng(left, sigma, A, T_dam, N_D);
  }

  vector[Q_dam] sd_dam = sqrt(diagonal(tcrossprod(C_dam)));
  matrix[Q_dam, Q_dam] R_dam;
  R_dam = tcrossprod(diag_pre_multiply(inv(sd_dam), C_dam));
}
