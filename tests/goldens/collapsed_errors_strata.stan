// lme(distance ~ age, random = ~age | Subject, weights = varIdent(form = ~1 | Sex))
//
//   y         ~ normal(X beta + Z_Subject b_Subject[Subject], sigma d)
//   b_Subject ~ multi_normal(0, D R_Subject D),  D = diag(sd_Subject)
//
// beta and b_Subject are integrated out: NUTS sees the other parameters alone, the rest is drawn exactly.
// Q = X R_inverse has orthogonal columns, theta_hat are their least-squares effects, r = y - Q theta_hat.
// R = [r Q] and the columns Z_j of a level are made independent first, rows w.
// With S = R' R - sum_j (Z_j' R)' G_j Z_j' R, S / sigma^2 holds the precision P of the rest and P times its mean.
// G_j = A (I + A' Z_j'Z_j A)^-1 A', with A A' the covariance of the effects of Subject over sigma^2 and j a level.
// errors have the sds sigma d, d = var_ratio[Sex]
functions {
  // the sums of the runs of x that end at last
  vector group_sums(vector x, array[] int last) {
    vector[size(last)] total = cumulative_sum(x)[last];
    return append_row(total[1], total[2 : ] - total[ : size(last) - 1]);
  }
}
data {
  int<lower=1> observations; // of distance
  int<lower=1> N; // rows, those of one level and variance few with the same sums of products
  vector<lower=0>[N] count; // how many observations a row stands for
  int<lower=1> K; // population effects, age
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  matrix[N, K + 3] rows; // [r Q Z_Subject], r = y - Q theta_hat

  int<lower=1> J_Subject; // levels of Subject
  int<lower=1> Q_Subject; // effects per level, age
  array[J_Subject] int<lower=1, upper=N> last_Subject; // the last row of every level

  int<lower=1> strata; // strata of the errors, Sex
  array[N] int<lower=1, upper=strata> stratum;

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

  vector<lower=0>[strata - 1] var_ratio; // sd over the first's
}
model {
  vector[N] d = append_row(1, var_ratio)[stratum];
  matrix[N, K + 3] w = rows ./ rep_matrix(d, K + 3);
  matrix[K + 1, K + 1] S = crossprod(w[ : , 1 : K + 1]);
  vector[N] Z_1 = w[ : , K + 2];
  vector[N] Z_2 = w[ : , K + 3];
  vector[J_Subject] ZZ_Subject_11 = group_sums(Z_1 .* Z_1, last_Subject);
  vector[J_Subject] ZZ_Subject_21 = group_sums(Z_2 .* Z_1, last_Subject);
  vector[J_Subject] ZZ_Subject_22 = group_sums(Z_2 .* Z_2, last_Subject);
  matrix[J_Subject, K + 1] ZR_Subject_1;
  matrix[J_Subject, K + 1] ZR_Subject_2;
  for (k in 1 : K + 1) {
    ZR_Subject_1[ : , k] = group_sums(Z_1 .* w[ : , k], last_Subject);
    ZR_Subject_2[ : , k] = group_sums(Z_2 .* w[ : , k], last_Subject);
  }
  matrix[Q_Subject, Q_Subject] A_Subject = diag_pre_multiply(sd_Subject, L_Subject) / sigma;
  vector[J_Subject] h_11 = A_Subject[1, 1] * ZZ_Subject_11 + A_Subject[2, 1] * ZZ_Subject_21;
  vector[J_Subject] h_12 = A_Subject[2, 2] * ZZ_Subject_21;
  vector[J_Subject] h_21 = A_Subject[1, 1] * ZZ_Subject_21 + A_Subject[2, 1] * ZZ_Subject_22;
  vector[J_Subject] h_22 = A_Subject[2, 2] * ZZ_Subject_22;
  vector[J_Subject] m_11 = 1 + A_Subject[1, 1] * h_11 + A_Subject[2, 1] * h_21;
  vector[J_Subject] m_21 = A_Subject[2, 2] * h_21;
  vector[J_Subject] m_22 = 1 + A_Subject[2, 2] * h_22;
  vector[J_Subject] d_1 = m_11;
  vector[J_Subject] i_1 = inv_sqrt(d_1);
  vector[J_Subject] l_21 = m_21 .* i_1;
  vector[J_Subject] d_2 = m_22 - square(l_21);
  vector[J_Subject] i_2 = inv_sqrt(d_2);
  vector[J_Subject] b_11 = A_Subject[1, 1] * i_1;
  vector[J_Subject] b_12 = A_Subject[2, 1] * i_1;
  vector[J_Subject] b_21 = -i_2 .* (l_21 .* b_11);
  vector[J_Subject] b_22 = (A_Subject[2, 2] - l_21 .* b_12) .* i_2;
  matrix[J_Subject, K + 1] U_1 = rep_matrix(b_11, K + 1) .* ZR_Subject_1;
  U_1 += rep_matrix(b_12, K + 1) .* ZR_Subject_2; // B Z'R
  matrix[J_Subject, K + 1] U_2 = rep_matrix(b_21, K + 1) .* ZR_Subject_1;
  U_2 += rep_matrix(b_22, K + 1) .* ZR_Subject_2;
  S -= crossprod(U_1);
  S -= crossprod(U_2);
  real rr = S[1, 1];
  vector[K] Qr = S[2 : , 1];
  matrix[K, K] QQ = S[2 : , 2 : ];
  matrix[K, K] P = QQ / square(sigma) + prior_precision;
  vector[K] h = Qr / square(sigma) + prior_linear;
  matrix[K, K] L_P = cholesky_decompose(P);
  vector[K] v_P = mdivide_left_tri_low(L_P, h);
  target += -observations * log(sigma) - 0.5 * rr / square(sigma);
  target += -dot_product(count, log(d));
  target += -0.5 * (sum(log(d_1)) + sum(log(d_2)));
  target += 0.5 * dot_self(v_P) - sum(log(diagonal(L_P)));

  sd_Subject ~ student_t(3, 0, sd_Subject_scale);
  L_Subject ~ lkj_corr_cholesky(1);
  sigma ~ student_t(3, 0, sigma_scale);
  var_ratio ~ lognormal(0, 1);
}
generated quantities {
  vector[K] beta;
  matrix[J_Subject, Q_Subject] b_Subject;
  {
    vector[N] d = append_row(1, var_ratio)[stratum];
    matrix[N, K + 3] w = rows ./ rep_matrix(d, K + 3);
    matrix[K + 1, K + 1] S = crossprod(w[ : , 1 : K + 1]);
    vector[N] Z_1 = w[ : , K + 2];
    vector[N] Z_2 = w[ : , K + 3];
    vector[J_Subject] ZZ_Subject_11 = group_sums(Z_1 .* Z_1, last_Subject);
    vector[J_Subject] ZZ_Subject_21 = group_sums(Z_2 .* Z_1, last_Subject);
    vector[J_Subject] ZZ_Subject_22 = group_sums(Z_2 .* Z_2, last_Subject);
    matrix[J_Subject, K + 1] ZR_Subject_1;
    matrix[J_Subject, K + 1] ZR_Subject_2;
    for (k in 1 : K + 1) {
      ZR_Subject_1[ : , k] = group_sums(Z_1 .* w[ : , k], last_Subject);
      ZR_Subject_2[ : , k] = group_sums(Z_2 .* w[ : , k], last_Subject);
    }
    matrix[Q_Subject, Q_Subject] A_Subject = diag_pre_multiply(sd_Subject, L_Subject) / sigma;
    vector[J_Subject] h_11 = A_Subject[1, 1] * ZZ_Subject_11 + A_Subject[2, 1] * ZZ_Subject_21;
    vector[J_Subject] h_12 = A_Subject[2, 2] * ZZ_Subject_21;
    vector[J_Subject] h_21 = A_Subject[1, 1] * ZZ_Subject_21 + A_Subject[2, 1] * ZZ_Subject_22;
    vector[J_Subject] h_22 = A_Subject[2, 2] * ZZ_Subject_22;
    vector[J_Subject] m_11 = 1 + A_Subject[1, 1] * h_11 + A_Subject[2, 1] * h_21;
    vector[J_Subject] m_21 = A_Subject[2, 2] * h_21;
    vector[J_Subject] m_22 = 1 + A_Subject[2, 2] * h_22;
    vector[J_Subject] d_1 = m_11;
    vector[J_Subject] i_1 = inv_sqrt(d_1);
    vector[J_Subject] l_21 = m_21 .* i_1;
    vector[J_Subject] d_2 = m_22 - square(l_21);
    vector[J_Subject] i_2 = inv_sqrt(d_2);
    vector[J_Subject] b_11 = A_Subject[1, 1] * i_1;
    vector[J_Subject] b_12 = A_Subject[2, 1] * i_1;
    vector[J_Subject] b_21 = -i_2 .* (l_21 .* b_11);
    vector[J_Subject] b_22 = (A_Subject[2, 2] - l_21 .* b_12) .* i_2;
    matrix[J_Subject, K + 1] U_1 = rep_matrix(b_11, K + 1) .* ZR_Subject_1;
    U_1 += rep_matrix(b_12, K + 1) .* ZR_Subject_2; // B Z'R
    matrix[J_Subject, K + 1] U_2 = rep_matrix(b_21, K + 1) .* ZR_Subject_1;
    U_2 += rep_matrix(b_22, K + 1) .* ZR_Subject_2;
    S -= crossprod(U_1);
    S -= crossprod(U_2);
    real rr = S[1, 1];
    vector[K] Qr = S[2 : , 1];
    matrix[K, K] QQ = S[2 : , 2 : ];
    matrix[K, K] P = QQ / square(sigma) + prior_precision;
    vector[K] h = Qr / square(sigma) + prior_linear;
    matrix[K, K] L_P = cholesky_decompose(P);
    vector[K] v_P = mdivide_left_tri_low(L_P, h);
    vector[K] z = to_vector(normal_rng(rep_vector(0, K), 1));
    vector[K] c = mdivide_right_tri_low((v_P + z)', L_P)'; // the coefficients of Q
    beta = R_inverse * (theta_hat + c);
    vector[J_Subject] e_1 = ZR_Subject_1[ : , 1] - ZR_Subject_1[ : , 2 : ] * c; // Z'(y - the rest)
    vector[J_Subject] e_2 = ZR_Subject_2[ : , 1] - ZR_Subject_2[ : , 2 : ] * c;
    vector[J_Subject] g_11 = b_11 .* b_11 + b_21 .* b_21;
    vector[J_Subject] g_21 = b_12 .* b_11 + b_22 .* b_21;
    vector[J_Subject] g_22 = b_12 .* b_12 + b_22 .* b_22;
    vector[J_Subject] z_1 = to_vector(normal_rng(rep_vector(0, J_Subject), sigma));
    vector[J_Subject] z_2 = to_vector(normal_rng(rep_vector(0, J_Subject), sigma));
    b_Subject[ : , 1] = g_11 .* e_1 + g_21 .* e_2;
    b_Subject[ : , 1] += b_11 .* z_1 + b_21 .* z_2;
    b_Subject[ : , 2] = g_21 .* e_1 + g_22 .* e_2;
    b_Subject[ : , 2] += b_12 .* z_1 + b_22 .* z_2;
  }

  corr_matrix[Q_Subject] R_Subject;
  R_Subject = multiply_lower_tri_self_transpose(L_Subject);
}
