// brm(Reaction | se(Days + 1) ~ 1 + (1 | Subject))
//
//   y         ~ normal(X beta + b_Subject[Subject], sigma d)
//   b_Subject ~ normal(0, sd_Subject)
//
// beta and b_Subject are integrated out: NUTS sees the variances alone, and they are drawn exactly.
// The rows of y, X and Z are divided by the known d = sqrt(Days + 1^2) first.
// Q = X R_inverse has orthogonal columns, theta_hat are their least-squares effects, r = y - Q theta_hat.
// With S = [r Q]' [r Q] - sum_j (Z_j' [r Q])' G_j (Z_j' [r Q]), S / sigma^2 holds the precision P of the rest and P times its mean.
// G_j = A (I + A' Z_j'Z_j A)^-1 A', with A A' the covariance of the effects of Subject over sigma^2 and j a level.
data {
  int<lower=1> N; // observations of Reaction
  int<lower=1> K; // population effects, 1
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  real rr_0; // r'r
  vector[K] Qr_0; // Q'r
  matrix[K, K] QQ_0; // Q'Q

  int<lower=1> J_Subject; // levels of Subject
  vector[J_Subject] ZZ_Subject_11; // Z'Z of every level
  vector[J_Subject] Zr_Subject_1; // Z'r of every level
  matrix[J_Subject, K] ZQ_Subject_1; // Z'Q of every level
  matrix[K * K, J_Subject] T_Subject_11; // products of Z'Q, as in Q'Q

  real<lower=0> sigma; // known: residual sd

  // prior locations and scales
  int<lower=1> K_prior; // statements on beta
  matrix[K_prior, K] C; // C beta ~ normal(beta_loc, beta_scale)
  vector[K_prior] beta_loc;
  vector<lower=0>[K_prior] beta_scale;
  real<lower=0> sd_Subject_scale;
}
transformed data {
  // the prior of theta - theta_hat: its precision, and that times its mean
  matrix[K_prior, K] C_theta = diag_pre_multiply(inv(beta_scale), C * R_inverse);
  vector[K_prior] gap = (beta_loc - C * (R_inverse * theta_hat)) ./ beta_scale;
  matrix[K, K] prior_precision = crossprod(C_theta);
  vector[K] prior_linear = C_theta' * gap;
}
parameters {
  real<lower=0> sd_Subject;
}
model {
  real A_Subject = sd_Subject / sigma;
  vector[J_Subject] h_11 = A_Subject * ZZ_Subject_11;
  vector[J_Subject] m_11 = 1 + A_Subject * h_11;
  vector[J_Subject] d_1 = m_11;
  vector[J_Subject] i_1 = inv_sqrt(d_1);
  vector[J_Subject] b_11 = A_Subject * i_1;
  vector[J_Subject] g_11 = b_11 .* b_11;
  vector[J_Subject] u_1 = g_11 .* Zr_Subject_1; // G Z'r
  real rr = rr_0;
  vector[K] Qr = Qr_0;
  matrix[K, K] QQ = QQ_0;
  rr -= dot_product(Zr_Subject_1, u_1);
  Qr -= ZQ_Subject_1' * u_1;
  QQ -= to_matrix(T_Subject_11 * g_11, K, K);
  matrix[K, K] P = QQ / square(sigma) + prior_precision;
  vector[K] h = Qr / square(sigma) + prior_linear;
  matrix[K, K] L_P = cholesky_decompose(P);
  vector[K] v = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * rr / square(sigma);
  target += -0.5 * (sum(log(d_1)));
  target += 0.5 * dot_self(v) - sum(log(diagonal(L_P)));

  sd_Subject ~ student_t(3, 0, sd_Subject_scale);
}
generated quantities {
  vector[K] beta;
  vector[J_Subject] b_Subject;
  {
    real A_Subject = sd_Subject / sigma;
    vector[J_Subject] h_11 = A_Subject * ZZ_Subject_11;
    vector[J_Subject] m_11 = 1 + A_Subject * h_11;
    vector[J_Subject] d_1 = m_11;
    vector[J_Subject] i_1 = inv_sqrt(d_1);
    vector[J_Subject] b_11 = A_Subject * i_1;
    vector[J_Subject] g_11 = b_11 .* b_11;
    vector[J_Subject] u_1 = g_11 .* Zr_Subject_1; // G Z'r
    real rr = rr_0;
    vector[K] Qr = Qr_0;
    matrix[K, K] QQ = QQ_0;
    rr -= dot_product(Zr_Subject_1, u_1);
    Qr -= ZQ_Subject_1' * u_1;
    QQ -= to_matrix(T_Subject_11 * g_11, K, K);
    matrix[K, K] P = QQ / square(sigma) + prior_precision;
    vector[K] h = Qr / square(sigma) + prior_linear;
    matrix[K, K] L_P = cholesky_decompose(P);
    vector[K] v = mdivide_left_tri_low(L_P, h);
    vector[K] z = to_vector(normal_rng(rep_vector(0, K), 1));
    vector[K] c = mdivide_right_tri_low((v + z)', L_P)'; // the coefficients of Q
    beta = R_inverse * (theta_hat + c);
    vector[J_Subject] e_1 = Zr_Subject_1 - ZQ_Subject_1 * c; // Z'(y - the rest)
    vector[J_Subject] z_1 = to_vector(normal_rng(rep_vector(0, J_Subject), sigma));
    b_Subject = g_11 .* e_1;
    b_Subject += b_11 .* z_1;
  }
}
