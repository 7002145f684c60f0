// MCMCglmm(tarsus ~ sex, random = ~us(sex):dam)
//
//   y     ~ normal(X beta + Z_dam b_dam[dam], sigma)
//   b_dam ~ multi_normal(0, known_root_dam known_root_dam')
//
// beta and b_dam are integrated out: NUTS sees the variances alone, and they are drawn exactly.
// Q = X R_inverse has orthogonal columns, theta_hat are their least-squares effects, r = y - Q theta_hat.
// With S = [r Q]' [r Q] - sum_j (Z_j' [r Q])' G_j (Z_j' [r Q]), S / sigma^2 holds the precision P of the rest and P times its mean.
// G_j = A (I + A' Z_j'Z_j A)^-1 A', with A A' the covariance of the effects of dam over sigma^2 and j a level.
functions {
  // an sd whose square is inverse gamma of shape nu / 2 and rate nu V / 2, constants left out
  real inverse_gamma_sd_lpdf(real sd, real nu, real V) {
    return -(nu + 1) * log(sd) - 0.5 * nu * V / square(sd);
  }
}
data {
  int<lower=1> N; // observations of tarsus
  int<lower=1> K; // population effects, sex
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  real rr_0; // r'r
  vector[K] Qr_0; // Q'r
  matrix[K, K] QQ_0; // Q'Q

  int<lower=1> J_dam; // levels of dam
  int<lower=1> Q_dam; // effects per level, 0 + sex
  vector[J_dam] ZZ_dam_11; // Z'Z of every level
  vector[J_dam] ZZ_dam_21;
  vector[J_dam] ZZ_dam_22;
  vector[J_dam] ZZ_dam_31;
  vector[J_dam] ZZ_dam_32;
  vector[J_dam] ZZ_dam_33;
  vector[J_dam] Zr_dam_1; // Z'r of every level
  vector[J_dam] Zr_dam_2;
  vector[J_dam] Zr_dam_3;
  matrix[J_dam, K] ZQ_dam_1; // Z'Q of every level
  matrix[J_dam, K] ZQ_dam_2;
  matrix[J_dam, K] ZQ_dam_3;
  matrix[K * K, J_dam] T_dam_11; // products of Z'Q, as in Q'Q
  matrix[K * K, J_dam] T_dam_21;
  matrix[K * K, J_dam] T_dam_22;
  matrix[K * K, J_dam] T_dam_31;
  matrix[K * K, J_dam] T_dam_32;
  matrix[K * K, J_dam] T_dam_33;
  matrix[Q_dam, Q_dam] known_root_dam; // Cholesky factor of the covariance

  // prior locations and scales
  int<lower=1> K_prior; // statements on beta
  matrix[K_prior, K] C; // C beta ~ normal(beta_loc, beta_scale)
  vector[K_prior] beta_loc;
  vector<lower=0>[K_prior] beta_scale;
  real<lower=0> sigma_nu;
  real<lower=0> sigma_V;
}
transformed data {
  // the prior of theta - theta_hat: its precision, and that times its mean
  matrix[K_prior, K] C_theta = diag_pre_multiply(inv(beta_scale), C * R_inverse);
  vector[K_prior] gap = (beta_loc - C * (R_inverse * theta_hat)) ./ beta_scale;
  matrix[K, K] prior_precision = crossprod(C_theta);
  vector[K] prior_linear = C_theta' * gap;
}
parameters {
  real<lower=0> sigma; // residual sd
}
model {
  matrix[Q_dam, Q_dam] A_dam = known_root_dam / sigma;
  vector[J_dam] h_11 = A_dam[1, 1] * ZZ_dam_11;
  h_11 += A_dam[2, 1] * ZZ_dam_21;
  h_11 += A_dam[3, 1] * ZZ_dam_31;
  vector[J_dam] h_12 = A_dam[2, 2] * ZZ_dam_21;
  h_12 += A_dam[3, 2] * ZZ_dam_31;
  vector[J_dam] h_13 = A_dam[3, 3] * ZZ_dam_31;
  vector[J_dam] h_21 = A_dam[1, 1] * ZZ_dam_21;
  h_21 += A_dam[2, 1] * ZZ_dam_22;
  h_21 += A_dam[3, 1] * ZZ_dam_32;
  vector[J_dam] h_22 = A_dam[2, 2] * ZZ_dam_22;
  h_22 += A_dam[3, 2] * ZZ_dam_32;
  vector[J_dam] h_23 = A_dam[3, 3] * ZZ_dam_32;
  vector[J_dam] h_31 = A_dam[1, 1] * ZZ_dam_31;
  h_31 += A_dam[2, 1] * ZZ_dam_32;
  h_31 += A_dam[3, 1] * ZZ_dam_33;
  vector[J_dam] h_32 = A_dam[2, 2] * ZZ_dam_32;
  h_32 += A_dam[3, 2] * ZZ_dam_33;
  vector[J_dam] h_33 = A_dam[3, 3] * ZZ_dam_33;
  vector[J_dam] m_11 = 1 + A_dam[1, 1] * h_11;
  m_11 += A_dam[2, 1] * h_21;
  m_11 += A_dam[3, 1] * h_31;
  vector[J_dam] m_21 = A_dam[2, 2] * h_21;
  m_21 += A_dam[3, 2] * h_31;
  vector[J_dam] m_22 = 1 + A_dam[2, 2] * h_22;
  m_22 += A_dam[3, 2] * h_32;
  vector[J_dam] m_31 = A_dam[3, 3] * h_31;
  vector[J_dam] m_32 = A_dam[3, 3] * h_32;
  vector[J_dam] m_33 = 1 + A_dam[3, 3] * h_33;
  vector[J_dam] d_1 = m_11;
  vector[J_dam] i_1 = inv_sqrt(d_1);
  vector[J_dam] l_21 = m_21 .* i_1;
  vector[J_dam] d_2 = m_22 - square(l_21);
  vector[J_dam] i_2 = inv_sqrt(d_2);
  vector[J_dam] l_31 = m_31 .* i_1;
  vector[J_dam] l_32 = (m_32 - l_31 .* l_21) .* i_2;
  vector[J_dam] d_3 = m_33 - square(l_31) - square(l_32);
  vector[J_dam] i_3 = inv_sqrt(d_3);
  vector[J_dam] b_11 = A_dam[1, 1] * i_1;
  vector[J_dam] b_12 = A_dam[2, 1] * i_1;
  vector[J_dam] b_13 = A_dam[3, 1] * i_1;
  vector[J_dam] b_21 = -i_2 .* (l_21 .* b_11);
  vector[J_dam] b_22 = (A_dam[2, 2] - l_21 .* b_12) .* i_2;
  vector[J_dam] b_23 = (A_dam[3, 2] - l_21 .* b_13) .* i_2;
  vector[J_dam] b_31 = -i_3 .* (l_31 .* b_11 + l_32 .* b_21);
  vector[J_dam] b_32 = -i_3 .* (l_31 .* b_12 + l_32 .* b_22);
  vector[J_dam] b_33 = (A_dam[3, 3] - l_31 .* b_13 - l_32 .* b_23) .* i_3;
  vector[J_dam] g_11 = b_11 .* b_11 + b_21 .* b_21 + b_31 .* b_31;
  vector[J_dam] g_21 = b_12 .* b_11 + b_22 .* b_21 + b_32 .* b_31;
  vector[J_dam] g_22 = b_12 .* b_12 + b_22 .* b_22 + b_32 .* b_32;
  vector[J_dam] g_31 = b_13 .* b_11 + b_23 .* b_21 + b_33 .* b_31;
  vector[J_dam] g_32 = b_13 .* b_12 + b_23 .* b_22 + b_33 .* b_32;
  vector[J_dam] g_33 = b_13 .* b_13 + b_23 .* b_23 + b_33 .* b_33;
  vector[J_dam] u_1 = g_11 .* Zr_dam_1 + g_21 .* Zr_dam_2 + g_31 .* Zr_dam_3; // G Z'r
  vector[J_dam] u_2 = g_21 .* Zr_dam_1 + g_22 .* Zr_dam_2 + g_32 .* Zr_dam_3;
  vector[J_dam] u_3 = g_31 .* Zr_dam_1 + g_32 .* Zr_dam_2 + g_33 .* Zr_dam_3;
  real rr = rr_0;
  vector[K] Qr = Qr_0;
  matrix[K, K] QQ = QQ_0;
  rr -= dot_product(Zr_dam_1, u_1);
  rr -= dot_product(Zr_dam_2, u_2);
  rr -= dot_product(Zr_dam_3, u_3);
  Qr -= ZQ_dam_1' * u_1;
  Qr -= ZQ_dam_2' * u_2;
  Qr -= ZQ_dam_3' * u_3;
  QQ -= to_matrix(T_dam_11 * g_11, K, K);
  QQ -= to_matrix(T_dam_21 * g_21, K, K);
  QQ -= to_matrix(T_dam_22 * g_22, K, K);
  QQ -= to_matrix(T_dam_31 * g_31, K, K);
  QQ -= to_matrix(T_dam_32 * g_32, K, K);
  QQ -= to_matrix(T_dam_33 * g_33, K, K);
  matrix[K, K] P = QQ / square(sigma) + prior_precision;
  vector[K] h = Qr / square(sigma) + prior_linear;
  matrix[K, K] L_P = cholesky_decompose(P);
  vector[K] v = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * rr / square(sigma);
  target += -0.5 * (sum(log(d_1)) + sum(log(d_2)) + sum(log(d_3)));
  target += 0.5 * dot_self(v) - sum(log(diagonal(L_P)));

  sigma ~ inverse_gamma_sd(sigma_nu, sigma_V);
}
generated quantities {
  vector[K] beta;
  matrix[J_dam, Q_dam] b_dam;
  {
    matrix[Q_dam, Q_dam] A_dam = known_root_dam / sigma;
    vector[J_dam] h_11 = A_dam[1, 1] * ZZ_dam_11;
    h_11 += A_dam[2, 1] * ZZ_dam_21;
    h_11 += A_dam[3, 1] * ZZ_dam_31;
    vector[J_dam] h_12 = A_dam[2, 2] * ZZ_dam_21;
    h_12 += A_dam[3, 2] * ZZ_dam_31;
    vector[J_dam] h_13 = A_dam[3, 3] * ZZ_dam_31;
    vector[J_dam] h_21 = A_dam[1, 1] * ZZ_dam_21;
    h_21 += A_dam[2, 1] * ZZ_dam_22;
    h_21 += A_dam[3, 1] * ZZ_dam_32;
    vector[J_dam] h_22 = A_dam[2, 2] * ZZ_dam_22;
    h_22 += A_dam[3, 2] * ZZ_dam_32;
    vector[J_dam] h_23 = A_dam[3, 3] * ZZ_dam_32;
    vector[J_dam] h_31 = A_dam[1, 1] * ZZ_dam_31;
    h_31 += A_dam[2, 1] * ZZ_dam_32;
    h_31 += A_dam[3, 1] * ZZ_dam_33;
    vector[J_dam] h_32 = A_dam[2, 2] * ZZ_dam_32;
    h_32 += A_dam[3, 2] * ZZ_dam_33;
    vector[J_dam] h_33 = A_dam[3, 3] * ZZ_dam_33;
    vector[J_dam] m_11 = 1 + A_dam[1, 1] * h_11;
    m_11 += A_dam[2, 1] * h_21;
    m_11 += A_dam[3, 1] * h_31;
    vector[J_dam] m_21 = A_dam[2, 2] * h_21;
    m_21 += A_dam[3, 2] * h_31;
    vector[J_dam] m_22 = 1 + A_dam[2, 2] * h_22;
    m_22 += A_dam[3, 2] * h_32;
    vector[J_dam] m_31 = A_dam[3, 3] * h_31;
    vector[J_dam] m_32 = A_dam[3, 3] * h_32;
    vector[J_dam] m_33 = 1 + A_dam[3, 3] * h_33;
    vector[J_dam] d_1 = m_11;
    vector[J_dam] i_1 = inv_sqrt(d_1);
    vector[J_dam] l_21 = m_21 .* i_1;
    vector[J_dam] d_2 = m_22 - square(l_21);
    vector[J_dam] i_2 = inv_sqrt(d_2);
    vector[J_dam] l_31 = m_31 .* i_1;
    vector[J_dam] l_32 = (m_32 - l_31 .* l_21) .* i_2;
    vector[J_dam] d_3 = m_33 - square(l_31) - square(l_32);
    vector[J_dam] i_3 = inv_sqrt(d_3);
    vector[J_dam] b_11 = A_dam[1, 1] * i_1;
    vector[J_dam] b_12 = A_dam[2, 1] * i_1;
    vector[J_dam] b_13 = A_dam[3, 1] * i_1;
    vector[J_dam] b_21 = -i_2 .* (l_21 .* b_11);
    vector[J_dam] b_22 = (A_dam[2, 2] - l_21 .* b_12) .* i_2;
    vector[J_dam] b_23 = (A_dam[3, 2] - l_21 .* b_13) .* i_2;
    vector[J_dam] b_31 = -i_3 .* (l_31 .* b_11 + l_32 .* b_21);
    vector[J_dam] b_32 = -i_3 .* (l_31 .* b_12 + l_32 .* b_22);
    vector[J_dam] b_33 = (A_dam[3, 3] - l_31 .* b_13 - l_32 .* b_23) .* i_3;
    vector[J_dam] g_11 = b_11 .* b_11 + b_21 .* b_21 + b_31 .* b_31;
    vector[J_dam] g_21 = b_12 .* b_11 + b_22 .* b_21 + b_32 .* b_31;
    vector[J_dam] g_22 = b_12 .* b_12 + b_22 .* b_22 + b_32 .* b_32;
    vector[J_dam] g_31 = b_13 .* b_11 + b_23 .* b_21 + b_33 .* b_31;
    vector[J_dam] g_32 = b_13 .* b_12 + b_23 .* b_22 + b_33 .* b_32;
    vector[J_dam] g_33 = b_13 .* b_13 + b_23 .* b_23 + b_33 .* b_33;
    vector[J_dam] u_1 = g_11 .* Zr_dam_1 + g_21 .* Zr_dam_2 + g_31 .* Zr_dam_3; // G Z'r
    vector[J_dam] u_2 = g_21 .* Zr_dam_1 + g_22 .* Zr_dam_2 + g_32 .* Zr_dam_3;
    vector[J_dam] u_3 = g_31 .* Zr_dam_1 + g_32 .* Zr_dam_2 + g_33 .* Zr_dam_3;
    real rr = rr_0;
    vector[K] Qr = Qr_0;
    matrix[K, K] QQ = QQ_0;
    rr -= dot_product(Zr_dam_1, u_1);
    rr -= dot_product(Zr_dam_2, u_2);
    rr -= dot_product(Zr_dam_3, u_3);
    Qr -= ZQ_dam_1' * u_1;
    Qr -= ZQ_dam_2' * u_2;
    Qr -= ZQ_dam_3' * u_3;
    QQ -= to_matrix(T_dam_11 * g_11, K, K);
    QQ -= to_matrix(T_dam_21 * g_21, K, K);
    QQ -= to_matrix(T_dam_22 * g_22, K, K);
    QQ -= to_matrix(T_dam_31 * g_31, K, K);
    QQ -= to_matrix(T_dam_32 * g_32, K, K);
    QQ -= to_matrix(T_dam_33 * g_33, K, K);
    matrix[K, K] P = QQ / square(sigma) + prior_precision;
    vector[K] h = Qr / square(sigma) + prior_linear;
    matrix[K, K] L_P = cholesky_decompose(P);
    vector[K] v = mdivide_left_tri_low(L_P, h);
    vector[K] z = to_vector(normal_rng(rep_vector(0, K), 1));
    vector[K] c = mdivide_right_tri_low((v + z)', L_P)'; // the coefficients of Q
    beta = R_inverse * (theta_hat + c);
    vector[J_dam] e_1 = Zr_dam_1 - ZQ_dam_1 * c; // Z'(y - the rest)
    vector[J_dam] e_2 = Zr_dam_2 - ZQ_dam_2 * c;
    vector[J_dam] e_3 = Zr_dam_3 - ZQ_dam_3 * c;
    vector[J_dam] z_1 = to_vector(normal_rng(rep_vector(0, J_dam), sigma));
    vector[J_dam] z_2 = to_vector(normal_rng(rep_vector(0, J_dam), sigma));
    vector[J_dam] z_3 = to_vector(normal_rng(rep_vector(0, J_dam), sigma));
    b_dam[ : , 1] = g_11 .* e_1 + g_21 .* e_2 + g_31 .* e_3;
    b_dam[ : , 1] += b_11 .* z_1 + b_21 .* z_2 + b_31 .* z_3;
    b_dam[ : , 2] = g_21 .* e_1 + g_22 .* e_2 + g_32 .* e_3;
    b_dam[ : , 2] += b_12 .* z_1 + b_22 .* z_2 + b_32 .* z_3;
    b_dam[ : , 3] = g_31 .* e_1 + g_32 .* e_2 + g_33 .* e_3;
    b_dam[ : , 3] += b_13 .* z_1 + b_23 .* z_2 + b_33 .* z_3;
  }

  corr_matrix[Q_dam] R_dam;
  R_dam = tcrossprod(known_root_dam);
  R_dam = quad_form_diag(R_dam, inv_sqrt(diagonal(R_dam)));
}
