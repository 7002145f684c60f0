// lme(distance ~ age, random = ~age | Subject, weights = varIdent(form = ~1 | Sex))
//
//   y         ~ normal(X beta + Z_Subject b_Subject[Subject], sigma d)
//   b_Subject ~ multi_normal(0, D R_Subject D),  D = diag(sd_Subject)
//
// beta and b_Subject are integrated out: NUTS sees the other parameters alone, the rest is drawn exactly.
// errors have the sds sigma d, d = var_ratio[Sex]
data {
  int<lower=1> N; // observations of distance
  int<lower=1> K; // population effects, age
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  int<lower=1> J_Subject; // levels of Subject
  int<lower=1> Q_Subject; // effects per level, age
  array[J_Subject] int<lower=1, upper=N> first_Subject; // rows of every level
  array[J_Subject] int<lower=1, upper=N> last_Subject;
  matrix[N, K + 1 + Q_Subject] rows; // [r Q Z_Subject], r = y - Q theta_hat

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
  matrix[N, K + 1 + Q_Subject] w = diag_pre_multiply(inv(d), rows);
  matrix[K + 1, K + 1] S = crossprod(w[ : , 1 : K + 1]);
  vector[J_Subject] ZZ_Subject_11;
  matrix[J_Subject, K + 1] ZR_Subject_1;
  vector[J_Subject] ZZ_Subject_21;
  vector[J_Subject] ZZ_Subject_22;
  matrix[J_Subject, K + 1] ZR_Subject_2;
  for (j in 1 : J_Subject) {
    int i = first_Subject[j];
    int l = last_Subject[j];
    matrix[Q_Subject, K + 1 + Q_Subject] part = w[i : l, K + 2 : ]' * w[i : l];
    ZZ_Subject_11[j] = part[1, K + 2];
    ZR_Subject_1[j] = part[1, 1 : K + 1];
    ZZ_Subject_21[j] = part[2, K + 2];
    ZZ_Subject_22[j] = part[2, K + 3];
    ZR_Subject_2[j] = part[2, 1 : K + 1];
  }
  matrix[Q_Subject, Q_Subject] A = diag_pre_multiply(sd_Subject, L_Subject) / sigma;
  vector[J_Subject] h_11 = A[1, 1] * ZZ_Subject_11 + A[2, 1] * ZZ_Subject_21;
  vector[J_Subject] h_12 = A[2, 2] * ZZ_Subject_21;
  vector[J_Subject] h_21 = A[1, 1] * ZZ_Subject_21 + A[2, 1] * ZZ_Subject_22;
  vector[J_Subject] h_22 = A[2, 2] * ZZ_Subject_22;
  vector[J_Subject] m_11 = 1 + A[1, 1] * h_11 + A[2, 1] * h_21;
  vector[J_Subject] m_21 = A[2, 2] * h_21;
  vector[J_Subject] m_22 = 1 + A[2, 2] * h_22;
  vector[J_Subject] d_1 = m_11;
  vector[J_Subject] i_1 = inv_sqrt(d_1);
  vector[J_Subject] l_21 = m_21 .* i_1;
  vector[J_Subject] d_2 = m_22 - square(l_21);
  vector[J_Subject] i_2 = inv_sqrt(d_2);
  vector[J_Subject] b_11 = A[1, 1] * i_1;
  vector[J_Subject] b_12 = A[2, 1] * i_1;
  vector[J_Subject] b_21 = -i_2 .* (l_21 .* b_11);
  vector[J_Subject] b_22 = (A[2, 2] - l_21 .* b_12) .* i_2;
  vector[J_Subject] g_11 = b_11 .* b_11 + b_21 .* b_21;
  vector[J_Subject] g_21 = b_12 .* b_11 + b_22 .* b_21;
  vector[J_Subject] g_22 = b_12 .* b_12 + b_22 .* b_22;
  real log_det_Subject = sum(log(d_1)) + sum(log(d_2));
  S -= ZR_Subject_1' * diag_pre_multiply(g_11, ZR_Subject_1);
  S -= ZR_Subject_2' * diag_pre_multiply(g_21, ZR_Subject_1);
  S -= ZR_Subject_1' * diag_pre_multiply(g_21, ZR_Subject_2);
  S -= ZR_Subject_2' * diag_pre_multiply(g_22, ZR_Subject_2);
  matrix[K, K] P = S[2 : , 2 : ] / square(sigma) + prior_precision;
  vector[K] h = S[2 : , 1] / square(sigma) + prior_linear;
  matrix[K, K] L_P = cholesky_decompose(P);
  vector[K] v_P = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * S[1, 1] / square(sigma);
  target += -sum(log(d));
  target += -0.5 * log_det_Subject;
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
    matrix[N, K + 1 + Q_Subject] w = diag_pre_multiply(inv(d), rows);
    matrix[K + 1, K + 1] S = crossprod(w[ : , 1 : K + 1]);
    vector[J_Subject] ZZ_Subject_11;
    matrix[J_Subject, K + 1] ZR_Subject_1;
    vector[J_Subject] ZZ_Subject_21;
    vector[J_Subject] ZZ_Subject_22;
    matrix[J_Subject, K + 1] ZR_Subject_2;
    for (j in 1 : J_Subject) {
      int i = first_Subject[j];
      int l = last_Subject[j];
      matrix[Q_Subject, K + 1 + Q_Subject] part = w[i : l, K + 2 : ]' * w[i : l];
      ZZ_Subject_11[j] = part[1, K + 2];
      ZR_Subject_1[j] = part[1, 1 : K + 1];
      ZZ_Subject_21[j] = part[2, K + 2];
      ZZ_Subject_22[j] = part[2, K + 3];
      ZR_Subject_2[j] = part[2, 1 : K + 1];
    }
    matrix[Q_Subject, Q_Subject] A = diag_pre_multiply(sd_Subject, L_Subject) / sigma;
    vector[J_Subject] h_11 = A[1, 1] * ZZ_Subject_11 + A[2, 1] * ZZ_Subject_21;
    vector[J_Subject] h_12 = A[2, 2] * ZZ_Subject_21;
    vector[J_Subject] h_21 = A[1, 1] * ZZ_Subject_21 + A[2, 1] * ZZ_Subject_22;
    vector[J_Subject] h_22 = A[2, 2] * ZZ_Subject_22;
    vector[J_Subject] m_11 = 1 + A[1, 1] * h_11 + A[2, 1] * h_21;
    vector[J_Subject] m_21 = A[2, 2] * h_21;
    vector[J_Subject] m_22 = 1 + A[2, 2] * h_22;
    vector[J_Subject] d_1 = m_11;
    vector[J_Subject] i_1 = inv_sqrt(d_1);
    vector[J_Subject] l_21 = m_21 .* i_1;
    vector[J_Subject] d_2 = m_22 - square(l_21);
    vector[J_Subject] i_2 = inv_sqrt(d_2);
    vector[J_Subject] b_11 = A[1, 1] * i_1;
    vector[J_Subject] b_12 = A[2, 1] * i_1;
    vector[J_Subject] b_21 = -i_2 .* (l_21 .* b_11);
    vector[J_Subject] b_22 = (A[2, 2] - l_21 .* b_12) .* i_2;
    vector[J_Subject] g_11 = b_11 .* b_11 + b_21 .* b_21;
    vector[J_Subject] g_21 = b_12 .* b_11 + b_22 .* b_21;
    vector[J_Subject] g_22 = b_12 .* b_12 + b_22 .* b_22;
    real log_det_Subject = sum(log(d_1)) + sum(log(d_2));
    S -= ZR_Subject_1' * diag_pre_multiply(g_11, ZR_Subject_1);
    S -= ZR_Subject_2' * diag_pre_multiply(g_21, ZR_Subject_1);
    S -= ZR_Subject_1' * diag_pre_multiply(g_21, ZR_Subject_2);
    S -= ZR_Subject_2' * diag_pre_multiply(g_22, ZR_Subject_2);
    matrix[K, K] P = S[2 : , 2 : ] / square(sigma) + prior_precision;
    vector[K] h = S[2 : , 1] / square(sigma) + prior_linear;
    matrix[K, K] L_P = cholesky_decompose(P);
    vector[K] v_P = mdivide_left_tri_low(L_P, h);
    vector[K] z = to_vector(normal_rng(rep_vector(0, K), 1));
    vector[K] shift_theta = mdivide_right_tri_low((v_P + z)', L_P)'; // theta - theta_hat
    beta = R_inverse * (theta_hat + shift_theta);
    vector[K + 1] f = append_row(1, -shift_theta);
    vector[J_Subject] e_1 = ZR_Subject_1 * f; // Z'(y - X beta)
    vector[J_Subject] e_2 = ZR_Subject_2 * f; // Z'(y - X beta)
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
