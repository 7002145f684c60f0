// lmer(Reaction ~ Days + (Days | Subject) + (0 + I(Days^2) | Subject))
//
//   y                  ~ normal(X beta + Z_Subject b_Subject[Subject] + Z_Subject_I_Days_2 b_Subject_I_Days_2[Subject_I_Days_2], sigma)
//   b_Subject          ~ multi_normal(0, D R_Subject D),  D = diag(sd_Subject)
//   b_Subject_I_Days_2 ~ normal(0, sd_Subject_I_Days_2)
//
// beta and b_Subject and b_Subject_I_Days_2 are integrated out: NUTS sees the variances alone, and they are drawn exactly.
// Q = X R_inverse has orthogonal columns, theta_hat are their least-squares effects, r = y - Q theta_hat.
// With S = [r Q]' [r Q] - sum_j (Z_j' [r Q])' G_j (Z_j' [r Q]), S / sigma^2 holds the precision P of the rest and P times its mean.
// G_j = A (I + A' Z_j'Z_j A)^-1 A', with A A' the covariance of the effects of Subject over sigma^2 and j a level.
data {
  int<lower=1> N; // observations of Reaction
  int<lower=1> K; // population effects, Days
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  real rr_0; // r'r
  vector[K] Qr_0; // Q'r
  matrix[K, K] QQ_0; // Q'Q

  int<lower=1> J_Subject; // levels of Subject
  int<lower=1> Q_Subject; // effects per level, Days
  int<lower=1> J_Subject_I_Days_2; // levels of Subject
  vector[J_Subject] ZZ_Subject_11; // Z'Z of every level
  vector[J_Subject] ZZ_Subject_21;
  vector[J_Subject] ZZ_Subject_22;
  vector[J_Subject] ZZ_Subject_31;
  vector[J_Subject] ZZ_Subject_32;
  vector[J_Subject] ZZ_Subject_33;
  vector[J_Subject] Zr_Subject_1; // Z'r of every level
  vector[J_Subject] Zr_Subject_2;
  vector[J_Subject] Zr_Subject_3;
  matrix[J_Subject, K] ZQ_Subject_1; // Z'Q of every level
  matrix[J_Subject, K] ZQ_Subject_2;
  matrix[J_Subject, K] ZQ_Subject_3;
  matrix[K * K, J_Subject] T_Subject_11; // products of Z'Q, as in Q'Q
  matrix[K * K, J_Subject] T_Subject_21;
  matrix[K * K, J_Subject] T_Subject_22;
  matrix[K * K, J_Subject] T_Subject_31;
  matrix[K * K, J_Subject] T_Subject_32;
  matrix[K * K, J_Subject] T_Subject_33;

  // prior locations and scales
  int<lower=1> K_prior; // statements on beta
  matrix[K_prior, K] C; // C beta ~ normal(beta_loc, beta_scale)
  vector[K_prior] beta_loc;
  vector<lower=0>[K_prior] beta_scale;
  vector<lower=0>[Q_Subject] sd_Subject_scale;
  real<lower=0> sd_Subject_I_Days_2_scale;
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
  real<lower=0> sd_Subject_I_Days_2;

  real<lower=0> sigma; // residual sd
}
model {
  matrix[Q_Subject, Q_Subject] A_Subject = diag_pre_multiply(sd_Subject, L_Subject) / sigma;
  real A_Subject_I_Days_2 = sd_Subject_I_Days_2 / sigma;
  vector[J_Subject] h_11 = A_Subject[1, 1] * ZZ_Subject_11;
  h_11 += A_Subject[2, 1] * ZZ_Subject_21;
  vector[J_Subject] h_12 = A_Subject[2, 2] * ZZ_Subject_21;
  vector[J_Subject] h_13 = A_Subject_I_Days_2 * ZZ_Subject_31;
  vector[J_Subject] h_21 = A_Subject[1, 1] * ZZ_Subject_21;
  h_21 += A_Subject[2, 1] * ZZ_Subject_22;
  vector[J_Subject] h_22 = A_Subject[2, 2] * ZZ_Subject_22;
  vector[J_Subject] h_23 = A_Subject_I_Days_2 * ZZ_Subject_32;
  vector[J_Subject] h_31 = A_Subject[1, 1] * ZZ_Subject_31;
  h_31 += A_Subject[2, 1] * ZZ_Subject_32;
  vector[J_Subject] h_32 = A_Subject[2, 2] * ZZ_Subject_32;
  vector[J_Subject] h_33 = A_Subject_I_Days_2 * ZZ_Subject_33;
  vector[J_Subject] m_11 = 1 + A_Subject[1, 1] * h_11;
  m_11 += A_Subject[2, 1] * h_21;
  vector[J_Subject] m_21 = A_Subject[2, 2] * h_21;
  vector[J_Subject] m_22 = 1 + A_Subject[2, 2] * h_22;
  vector[J_Subject] m_31 = A_Subject_I_Days_2 * h_31;
  vector[J_Subject] m_32 = A_Subject_I_Days_2 * h_32;
  vector[J_Subject] m_33 = 1 + A_Subject_I_Days_2 * h_33;
  vector[J_Subject] d_1 = m_11;
  vector[J_Subject] i_1 = inv_sqrt(d_1);
  vector[J_Subject] l_21 = m_21 .* i_1;
  vector[J_Subject] d_2 = m_22 - square(l_21);
  vector[J_Subject] i_2 = inv_sqrt(d_2);
  vector[J_Subject] l_31 = m_31 .* i_1;
  vector[J_Subject] l_32 = (m_32 - l_31 .* l_21) .* i_2;
  vector[J_Subject] d_3 = m_33 - square(l_31) - square(l_32);
  vector[J_Subject] i_3 = inv_sqrt(d_3);
  vector[J_Subject] b_11 = A_Subject[1, 1] * i_1;
  vector[J_Subject] b_12 = A_Subject[2, 1] * i_1;
  vector[J_Subject] b_13 = rep_vector(0, J_Subject);
  vector[J_Subject] b_21 = -i_2 .* (l_21 .* b_11);
  vector[J_Subject] b_22 = (A_Subject[2, 2] - l_21 .* b_12) .* i_2;
  vector[J_Subject] b_23 = -i_2 .* (l_21 .* b_13);
  vector[J_Subject] b_31 = -i_3 .* (l_31 .* b_11 + l_32 .* b_21);
  vector[J_Subject] b_32 = -i_3 .* (l_31 .* b_12 + l_32 .* b_22);
  vector[J_Subject] b_33 = (A_Subject_I_Days_2 - l_31 .* b_13 - l_32 .* b_23) .* i_3;
  vector[J_Subject] g_11 = b_11 .* b_11 + b_21 .* b_21 + b_31 .* b_31;
  vector[J_Subject] g_21 = b_12 .* b_11 + b_22 .* b_21 + b_32 .* b_31;
  vector[J_Subject] g_22 = b_12 .* b_12 + b_22 .* b_22 + b_32 .* b_32;
  vector[J_Subject] g_31 = b_13 .* b_11 + b_23 .* b_21 + b_33 .* b_31;
  vector[J_Subject] g_32 = b_13 .* b_12 + b_23 .* b_22 + b_33 .* b_32;
  vector[J_Subject] g_33 = b_13 .* b_13 + b_23 .* b_23 + b_33 .* b_33;
  vector[J_Subject] u_1 = g_11 .* Zr_Subject_1 + g_21 .* Zr_Subject_2 + g_31 .* Zr_Subject_3; // G Z'r
  vector[J_Subject] u_2 = g_21 .* Zr_Subject_1 + g_22 .* Zr_Subject_2 + g_32 .* Zr_Subject_3;
  vector[J_Subject] u_3 = g_31 .* Zr_Subject_1 + g_32 .* Zr_Subject_2 + g_33 .* Zr_Subject_3;
  real rr = rr_0;
  vector[K] Qr = Qr_0;
  matrix[K, K] QQ = QQ_0;
  rr -= dot_product(Zr_Subject_1, u_1);
  rr -= dot_product(Zr_Subject_2, u_2);
  rr -= dot_product(Zr_Subject_3, u_3);
  Qr -= ZQ_Subject_1' * u_1;
  Qr -= ZQ_Subject_2' * u_2;
  Qr -= ZQ_Subject_3' * u_3;
  QQ -= to_matrix(T_Subject_11 * g_11, K, K);
  QQ -= to_matrix(T_Subject_21 * g_21, K, K);
  QQ -= to_matrix(T_Subject_22 * g_22, K, K);
  QQ -= to_matrix(T_Subject_31 * g_31, K, K);
  QQ -= to_matrix(T_Subject_32 * g_32, K, K);
  QQ -= to_matrix(T_Subject_33 * g_33, K, K);
  matrix[K, K] P = QQ / square(sigma) + prior_precision;
  vector[K] h = Qr / square(sigma) + prior_linear;
  matrix[K, K] L_P = cholesky_decompose(P);
  vector[K] v = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * rr / square(sigma);
  target += -0.5 * (sum(log(d_1)) + sum(log(d_2)) + sum(log(d_3)));
  target += 0.5 * dot_self(v) - sum(log(diagonal(L_P)));

  sd_Subject ~ student_t(3, 0, sd_Subject_scale);
  L_Subject ~ lkj_corr_cholesky(1);
  sd_Subject_I_Days_2 ~ student_t(3, 0, sd_Subject_I_Days_2_scale);
  sigma ~ student_t(3, 0, sigma_scale);
}
generated quantities {
  vector[K] beta;
  matrix[J_Subject, Q_Subject] b_Subject;
  vector[J_Subject_I_Days_2] b_Subject_I_Days_2;
  {
    matrix[Q_Subject, Q_Subject] A_Subject = diag_pre_multiply(sd_Subject, L_Subject) / sigma;
    real A_Subject_I_Days_2 = sd_Subject_I_Days_2 / sigma;
    vector[J_Subject] h_11 = A_Subject[1, 1] * ZZ_Subject_11;
    h_11 += A_Subject[2, 1] * ZZ_Subject_21;
    vector[J_Subject] h_12 = A_Subject[2, 2] * ZZ_Subject_21;
    vector[J_Subject] h_13 = A_Subject_I_Days_2 * ZZ_Subject_31;
    vector[J_Subject] h_21 = A_Subject[1, 1] * ZZ_Subject_21;
    h_21 += A_Subject[2, 1] * ZZ_Subject_22;
    vector[J_Subject] h_22 = A_Subject[2, 2] * ZZ_Subject_22;
    vector[J_Subject] h_23 = A_Subject_I_Days_2 * ZZ_Subject_32;
    vector[J_Subject] h_31 = A_Subject[1, 1] * ZZ_Subject_31;
    h_31 += A_Subject[2, 1] * ZZ_Subject_32;
    vector[J_Subject] h_32 = A_Subject[2, 2] * ZZ_Subject_32;
    vector[J_Subject] h_33 = A_Subject_I_Days_2 * ZZ_Subject_33;
    vector[J_Subject] m_11 = 1 + A_Subject[1, 1] * h_11;
    m_11 += A_Subject[2, 1] * h_21;
    vector[J_Subject] m_21 = A_Subject[2, 2] * h_21;
    vector[J_Subject] m_22 = 1 + A_Subject[2, 2] * h_22;
    vector[J_Subject] m_31 = A_Subject_I_Days_2 * h_31;
    vector[J_Subject] m_32 = A_Subject_I_Days_2 * h_32;
    vector[J_Subject] m_33 = 1 + A_Subject_I_Days_2 * h_33;
    vector[J_Subject] d_1 = m_11;
    vector[J_Subject] i_1 = inv_sqrt(d_1);
    vector[J_Subject] l_21 = m_21 .* i_1;
    vector[J_Subject] d_2 = m_22 - square(l_21);
    vector[J_Subject] i_2 = inv_sqrt(d_2);
    vector[J_Subject] l_31 = m_31 .* i_1;
    vector[J_Subject] l_32 = (m_32 - l_31 .* l_21) .* i_2;
    vector[J_Subject] d_3 = m_33 - square(l_31) - square(l_32);
    vector[J_Subject] i_3 = inv_sqrt(d_3);
    vector[J_Subject] b_11 = A_Subject[1, 1] * i_1;
    vector[J_Subject] b_12 = A_Subject[2, 1] * i_1;
    vector[J_Subject] b_13 = rep_vector(0, J_Subject);
    vector[J_Subject] b_21 = -i_2 .* (l_21 .* b_11);
    vector[J_Subject] b_22 = (A_Subject[2, 2] - l_21 .* b_12) .* i_2;
    vector[J_Subject] b_23 = -i_2 .* (l_21 .* b_13);
    vector[J_Subject] b_31 = -i_3 .* (l_31 .* b_11 + l_32 .* b_21);
    vector[J_Subject] b_32 = -i_3 .* (l_31 .* b_12 + l_32 .* b_22);
    vector[J_Subject] b_33 = (A_Subject_I_Days_2 - l_31 .* b_13 - l_32 .* b_23) .* i_3;
    vector[J_Subject] g_11 = b_11 .* b_11 + b_21 .* b_21 + b_31 .* b_31;
    vector[J_Subject] g_21 = b_12 .* b_11 + b_22 .* b_21 + b_32 .* b_31;
    vector[J_Subject] g_22 = b_12 .* b_12 + b_22 .* b_22 + b_32 .* b_32;
    vector[J_Subject] g_31 = b_13 .* b_11 + b_23 .* b_21 + b_33 .* b_31;
    vector[J_Subject] g_32 = b_13 .* b_12 + b_23 .* b_22 + b_33 .* b_32;
    vector[J_Subject] g_33 = b_13 .* b_13 + b_23 .* b_23 + b_33 .* b_33;
    vector[J_Subject] u_1 = g_11 .* Zr_Subject_1 + g_21 .* Zr_Subject_2 + g_31 .* Zr_Subject_3; // G Z'r
    vector[J_Subject] u_2 = g_21 .* Zr_Subject_1 + g_22 .* Zr_Subject_2 + g_32 .* Zr_Subject_3;
    vector[J_Subject] u_3 = g_31 .* Zr_Subject_1 + g_32 .* Zr_Subject_2 + g_33 .* Zr_Subject_3;
    real rr = rr_0;
    vector[K] Qr = Qr_0;
    matrix[K, K] QQ = QQ_0;
    rr -= dot_product(Zr_Subject_1, u_1);
    rr -= dot_product(Zr_Subject_2, u_2);
    rr -= dot_product(Zr_Subject_3, u_3);
    Qr -= ZQ_Subject_1' * u_1;
    Qr -= ZQ_Subject_2' * u_2;
    Qr -= ZQ_Subject_3' * u_3;
    QQ -= to_matrix(T_Subject_11 * g_11, K, K);
    QQ -= to_matrix(T_Subject_21 * g_21, K, K);
    QQ -= to_matrix(T_Subject_22 * g_22, K, K);
    QQ -= to_matrix(T_Subject_31 * g_31, K, K);
    QQ -= to_matrix(T_Subject_32 * g_32, K, K);
    QQ -= to_matrix(T_Subject_33 * g_33, K, K);
    matrix[K, K] P = QQ / square(sigma) + prior_precision;
    vector[K] h = Qr / square(sigma) + prior_linear;
    matrix[K, K] L_P = cholesky_decompose(P);
    vector[K] v = mdivide_left_tri_low(L_P, h);
    vector[K] z = to_vector(normal_rng(rep_vector(0, K), 1));
    vector[K] c = mdivide_right_tri_low((v + z)', L_P)'; // the coefficients of Q
    beta = R_inverse * (theta_hat + c);
    vector[J_Subject] e_1 = Zr_Subject_1 - ZQ_Subject_1 * c; // Z'(y - the rest)
    vector[J_Subject] e_2 = Zr_Subject_2 - ZQ_Subject_2 * c;
    vector[J_Subject] e_3 = Zr_Subject_3 - ZQ_Subject_3 * c;
    vector[J_Subject] z_1 = to_vector(normal_rng(rep_vector(0, J_Subject), sigma));
    vector[J_Subject] z_2 = to_vector(normal_rng(rep_vector(0, J_Subject), sigma));
    vector[J_Subject] z_3 = to_vector(normal_rng(rep_vector(0, J_Subject), sigma));
    b_Subject[ : , 1] = g_11 .* e_1 + g_21 .* e_2 + g_31 .* e_3;
    b_Subject[ : , 1] += b_11 .* z_1 + b_21 .* z_2 + b_31 .* z_3;
    b_Subject[ : , 2] = g_21 .* e_1 + g_22 .* e_2 + g_32 .* e_3;
    b_Subject[ : , 2] += b_12 .* z_1 + b_22 .* z_2 + b_32 .* z_3;
    b_Subject_I_Days_2 = g_31 .* e_1 + g_32 .* e_2 + g_33 .* e_3;
    b_Subject_I_Days_2 += b_13 .* z_1 + b_23 .* z_2 + b_33 .* z_3;
  }

  corr_matrix[Q_Subject] R_Subject;
  R_Subject = multiply_lower_tri_self_transpose(L_Subject);
}
