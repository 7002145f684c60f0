// lmer(distance ~ age + (age | Subject) + (1 | Sex), weights = age)
//
//   y         ~ normal(X beta + Z_Subject b_Subject[Subject] + b_Sex[Sex], sigma d)
//   b_Subject ~ multi_normal(0, D R_Subject D),  D = diag(sd_Subject)
//   b_Sex     ~ normal(0, sd_Sex)
//
// beta and b_Subject are integrated out: NUTS sees the rest, and they are drawn exactly.
// The rows of y, X and Z are divided by the known d = sqrt(1/age) first.
// Q = X R_inverse has orthogonal columns, theta_hat are their least-squares effects, r = y - Q theta_hat, e = r less the sampled terms.
// With S = [e Q]' [e Q] - sum_j (Z_j' [e Q])' G_j (Z_j' [e Q]), S / sigma^2 holds the precision P of the rest and P times its mean.
// G_j = A (I + A' Z_j'Z_j A)^-1 A', with A A' the covariance of the effects of Subject over sigma^2 and j a level.
functions {
  // the sums of the runs of x that end at last
  vector group_sums(vector x, array[] int last) {
    vector[size(last)] total = cumulative_sum(x)[last];
    return append_row(total[1], total[2 : ] - total[ : size(last) - 1]);
  }
}
data {
  int<lower=1> N; // observations of distance
  int<lower=1> K; // population effects, age
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  vector<lower=0>[N] d; // what the rows of y, X and Z were divided by
  vector[N] r; // y - Q theta_hat, rows sorted by Subject
  matrix[N, K] Q;
  matrix[K, K] QQ_0; // Q'Q

  int<lower=1> J_Subject; // levels of Subject
  int<lower=1> Q_Subject; // effects per level, age
  vector[J_Subject] ZZ_Subject_11; // Z'Z of every level
  vector[J_Subject] ZZ_Subject_21;
  vector[J_Subject] ZZ_Subject_22;
  array[J_Subject] int<lower=1, upper=N> last_Subject; // its last row
  vector[N] Z_Subject_1;
  vector[N] Z_Subject_2;
  matrix[J_Subject, K] ZQ_Subject_1; // Z'Q of every level
  matrix[J_Subject, K] ZQ_Subject_2;
  matrix[K * K, J_Subject] T_Subject_11; // products of Z'Q, as in Q'Q
  matrix[K * K, J_Subject] T_Subject_21;
  matrix[K * K, J_Subject] T_Subject_22;

  int<lower=1> J_Sex; // levels of Sex
  array[N] int<lower=1, upper=J_Sex> Sex;

  // prior locations and scales
  int<lower=1> K_prior; // statements on beta
  matrix[K_prior, K] C; // C beta ~ normal(beta_loc, beta_scale)
  vector[K_prior] beta_loc;
  vector<lower=0>[K_prior] beta_scale;
  vector<lower=0>[Q_Subject] sd_Subject_scale;
  real<lower=0> sd_Sex_scale;
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

  real<lower=0> sd_Sex;
  vector[J_Sex] z_Sex; // b_Sex, non-centred

  real<lower=0> sigma; // residual sd
}
transformed parameters {
  vector[J_Sex] b_Sex = sd_Sex * z_Sex;
}
model {
  vector[N] e = r;
  e -= b_Sex[Sex] ./ d;
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
  vector[J_Subject] g_11 = b_11 .* b_11 + b_21 .* b_21;
  vector[J_Subject] g_21 = b_12 .* b_11 + b_22 .* b_21;
  vector[J_Subject] g_22 = b_12 .* b_12 + b_22 .* b_22;
  vector[J_Subject] Zr_Subject_1 = group_sums(Z_Subject_1 .* e, last_Subject);
  vector[J_Subject] Zr_Subject_2 = group_sums(Z_Subject_2 .* e, last_Subject);
  vector[J_Subject] u_1 = g_11 .* Zr_Subject_1 + g_21 .* Zr_Subject_2; // G Z'r
  vector[J_Subject] u_2 = g_21 .* Zr_Subject_1 + g_22 .* Zr_Subject_2;
  real rr = dot_self(e);
  vector[K] Qr = Q' * e;
  matrix[K, K] QQ = QQ_0;
  rr -= dot_product(Zr_Subject_1, u_1);
  rr -= dot_product(Zr_Subject_2, u_2);
  Qr -= ZQ_Subject_1' * u_1;
  Qr -= ZQ_Subject_2' * u_2;
  QQ -= to_matrix(T_Subject_11 * g_11, K, K);
  QQ -= to_matrix(T_Subject_21 * g_21, K, K);
  QQ -= to_matrix(T_Subject_22 * g_22, K, K);
  matrix[K, K] P = QQ / square(sigma) + prior_precision;
  vector[K] h = Qr / square(sigma) + prior_linear;
  matrix[K, K] L_P = cholesky_decompose(P);
  vector[K] v = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * rr / square(sigma);
  target += -0.5 * (sum(log(d_1)) + sum(log(d_2)));
  target += 0.5 * dot_self(v) - sum(log(diagonal(L_P)));

  sd_Subject ~ student_t(3, 0, sd_Subject_scale);
  L_Subject ~ lkj_corr_cholesky(1);
  sd_Sex ~ student_t(3, 0, sd_Sex_scale);
  z_Sex ~ std_normal();
  sigma ~ student_t(3, 0, sigma_scale);
}
generated quantities {
  vector[K] beta;
  matrix[J_Subject, Q_Subject] b_Subject;
  {
    vector[N] e = r;
    e -= b_Sex[Sex] ./ d;
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
    vector[J_Subject] g_11 = b_11 .* b_11 + b_21 .* b_21;
    vector[J_Subject] g_21 = b_12 .* b_11 + b_22 .* b_21;
    vector[J_Subject] g_22 = b_12 .* b_12 + b_22 .* b_22;
    vector[J_Subject] Zr_Subject_1 = group_sums(Z_Subject_1 .* e, last_Subject);
    vector[J_Subject] Zr_Subject_2 = group_sums(Z_Subject_2 .* e, last_Subject);
    vector[J_Subject] u_1 = g_11 .* Zr_Subject_1 + g_21 .* Zr_Subject_2; // G Z'r
    vector[J_Subject] u_2 = g_21 .* Zr_Subject_1 + g_22 .* Zr_Subject_2;
    real rr = dot_self(e);
    vector[K] Qr = Q' * e;
    matrix[K, K] QQ = QQ_0;
    rr -= dot_product(Zr_Subject_1, u_1);
    rr -= dot_product(Zr_Subject_2, u_2);
    Qr -= ZQ_Subject_1' * u_1;
    Qr -= ZQ_Subject_2' * u_2;
    QQ -= to_matrix(T_Subject_11 * g_11, K, K);
    QQ -= to_matrix(T_Subject_21 * g_21, K, K);
    QQ -= to_matrix(T_Subject_22 * g_22, K, K);
    matrix[K, K] P = QQ / square(sigma) + prior_precision;
    vector[K] h = Qr / square(sigma) + prior_linear;
    matrix[K, K] L_P = cholesky_decompose(P);
    vector[K] v = mdivide_left_tri_low(L_P, h);
    vector[K] z = to_vector(normal_rng(rep_vector(0, K), 1));
    vector[K] c = mdivide_right_tri_low((v + z)', L_P)'; // the coefficients of Q
    beta = R_inverse * (theta_hat + c);
    vector[J_Subject] e_1 = Zr_Subject_1 - ZQ_Subject_1 * c; // Z'(y - the rest)
    vector[J_Subject] e_2 = Zr_Subject_2 - ZQ_Subject_2 * c;
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
