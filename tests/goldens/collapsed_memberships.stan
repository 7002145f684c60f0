// MCMCglmm(strength ~ 1, random = ~mm(cask - batch))
//
//   y               ~ normal(X beta + Z_mm_cask_batch b_mm_cask_batch, sigma)
//   b_mm_cask_batch ~ normal(0, sd_mm_cask_batch)
//
// beta and b_mm_cask_batch are integrated out: NUTS sees the variances alone, and they are drawn exactly.
// Q = X R_inverse has orthogonal columns, theta_hat are their least-squares effects, r = y - Q theta_hat.
// With S = [r Q]' [r Q] - sum_j (Z_j' [r Q])' G_j (Z_j' [r Q]), S / sigma^2 holds the precision P of the rest and P times its mean.
// G_j = A (I + A' Z_j'Z_j A)^-1 A', with A A' the covariance of the effects of mm(cask - batch) over sigma^2 and j a level.
// b_mm_cask_batch = root_mm_cask_batch times effects of independent levels; they are what is integrated out.
data {
  int<lower=1> N; // observations of strength
  int<lower=1> K; // population effects, 1
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  real rr_0; // r'r
  vector[K] Qr_0; // Q'r
  matrix[K, K] QQ_0; // Q'Q

  int<lower=1> J_mm_cask_batch; // levels of mm(cask - batch)
  vector[J_mm_cask_batch] ZZ_mm_cask_batch_11; // Z'Z of every level
  vector[J_mm_cask_batch] Zr_mm_cask_batch_1; // Z'r of every level
  matrix[J_mm_cask_batch, K] ZQ_mm_cask_batch_1; // Z'Q of every level
  matrix[K * K, J_mm_cask_batch] T_mm_cask_batch_11; // products of Z'Q, as in Q'Q
  matrix[J_mm_cask_batch, J_mm_cask_batch] root_mm_cask_batch; // root of the covariance of its levels

  // prior locations and scales
  int<lower=1> K_prior; // statements on beta
  matrix[K_prior, K] C; // C beta ~ normal(beta_loc, beta_scale)
  vector[K_prior] beta_loc;
  vector<lower=0>[K_prior] beta_scale;
  real<lower=0> sd_mm_cask_batch_scale;
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
  real<lower=0> sd_mm_cask_batch;

  real<lower=0> sigma; // residual sd
}
model {
  real A_mm_cask_batch = sd_mm_cask_batch / sigma;
  vector[J_mm_cask_batch] h_11 = A_mm_cask_batch * ZZ_mm_cask_batch_11;
  vector[J_mm_cask_batch] m_11 = 1 + A_mm_cask_batch * h_11;
  vector[J_mm_cask_batch] d_1 = m_11;
  vector[J_mm_cask_batch] i_1 = inv_sqrt(d_1);
  vector[J_mm_cask_batch] b_11 = A_mm_cask_batch * i_1;
  vector[J_mm_cask_batch] g_11 = b_11 .* b_11;
  vector[J_mm_cask_batch] u_1 = g_11 .* Zr_mm_cask_batch_1; // G Z'r
  real rr = rr_0;
  vector[K] Qr = Qr_0;
  matrix[K, K] QQ = QQ_0;
  rr -= dot_product(Zr_mm_cask_batch_1, u_1);
  Qr -= ZQ_mm_cask_batch_1' * u_1;
  QQ -= to_matrix(T_mm_cask_batch_11 * g_11, K, K);
  matrix[K, K] P = QQ / square(sigma) + prior_precision;
  vector[K] h = Qr / square(sigma) + prior_linear;
  matrix[K, K] L_P = cholesky_decompose(P);
  vector[K] v = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * rr / square(sigma);
  target += -0.5 * (sum(log(d_1)));
  target += 0.5 * dot_self(v) - sum(log(diagonal(L_P)));

  sd_mm_cask_batch ~ student_t(3, 0, sd_mm_cask_batch_scale);
  sigma ~ student_t(3, 0, sigma_scale);
}
generated quantities {
  vector[K] beta;
  vector[J_mm_cask_batch] b_mm_cask_batch;
  {
    real A_mm_cask_batch = sd_mm_cask_batch / sigma;
    vector[J_mm_cask_batch] h_11 = A_mm_cask_batch * ZZ_mm_cask_batch_11;
    vector[J_mm_cask_batch] m_11 = 1 + A_mm_cask_batch * h_11;
    vector[J_mm_cask_batch] d_1 = m_11;
    vector[J_mm_cask_batch] i_1 = inv_sqrt(d_1);
    vector[J_mm_cask_batch] b_11 = A_mm_cask_batch * i_1;
    vector[J_mm_cask_batch] g_11 = b_11 .* b_11;
    vector[J_mm_cask_batch] u_1 = g_11 .* Zr_mm_cask_batch_1; // G Z'r
    real rr = rr_0;
    vector[K] Qr = Qr_0;
    matrix[K, K] QQ = QQ_0;
    rr -= dot_product(Zr_mm_cask_batch_1, u_1);
    Qr -= ZQ_mm_cask_batch_1' * u_1;
    QQ -= to_matrix(T_mm_cask_batch_11 * g_11, K, K);
    matrix[K, K] P = QQ / square(sigma) + prior_precision;
    vector[K] h = Qr / square(sigma) + prior_linear;
    matrix[K, K] L_P = cholesky_decompose(P);
    vector[K] v = mdivide_left_tri_low(L_P, h);
    vector[K] z = to_vector(normal_rng(rep_vector(0, K), 1));
    vector[K] c = mdivide_right_tri_low((v + z)', L_P)'; // the coefficients of Q
    beta = R_inverse * (theta_hat + c);
    vector[J_mm_cask_batch] e_1 = Zr_mm_cask_batch_1 - ZQ_mm_cask_batch_1 * c; // Z'(y - the rest)
    vector[J_mm_cask_batch] z_1 = to_vector(normal_rng(rep_vector(0, J_mm_cask_batch), sigma));
    b_mm_cask_batch = g_11 .* e_1;
    b_mm_cask_batch += b_11 .* z_1;
  }

  b_mm_cask_batch = root_mm_cask_batch * b_mm_cask_batch;
}
