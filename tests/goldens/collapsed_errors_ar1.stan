// lme(follicles ~ Time, random = ~1 | Mare, correlation = corAR1(), weights = varFixed(~I(Time + 2)))
//
//   y      ~ multi_normal(X beta + b_Mare[Mare], sigma^2 D R D)
//   b_Mare ~ normal(0, sd_Mare)
//
// beta and b_Mare are integrated out: NUTS sees the other parameters alone, the rest is drawn exactly.
// D = diag(d), d = sqrt(I(Time + 2))
// R: errors at s and t, order within Mare, correlate cor_phi^|s - t|.
data {
  int<lower=1> N; // observations of follicles
  int<lower=1> K; // population effects, Time
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  int<lower=1> J_Mare; // levels of Mare
  int<lower=1> Q_Mare; // effects per level, 1
  array[J_Mare] int<lower=1, upper=N> first_Mare; // rows of every level
  array[J_Mare] int<lower=1, upper=N> last_Mare;
  matrix[N, K + 1 + Q_Mare] rows; // [r Q Z_Mare], r = y - Q theta_hat

  vector[N] v; // I(Time + 2)

  vector<lower=0, upper=1>[N] follows; // 0 for the first row of a block
  vector[N] lag; // time since the row before

  // prior locations and scales
  int<lower=1> K_prior; // statements on beta
  matrix[K_prior, K] C; // C beta ~ normal(beta_loc, beta_scale)
  vector[K_prior] beta_loc;
  vector<lower=0>[K_prior] beta_scale;
  real<lower=0> sd_Mare_scale;
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
  real<lower=0> sd_Mare;

  real<lower=0> sigma; // residual sd

  real<lower=-1, upper=1> cor_phi; // correlation at lag 1
}
model {
  vector[N] d = sqrt(v);
  matrix[N, K + 1 + Q_Mare] e = diag_pre_multiply(inv(d), rows);
  vector[N] r = follows .* pow(cor_phi, lag); // correlation with the row before
  vector[N] root = sqrt(1 - square(r));
  real log_root = sum(log(root));
  matrix[N, K + 1 + Q_Mare] w;
  for (k in 1 : K + 1 + Q_Mare) {
    w[ : , k] = (e[ : , k] - r .* append_row(0, e[1 : N - 1, k])) ./ root;
  }
  matrix[K + 1, K + 1] S = crossprod(w[ : , 1 : K + 1]);
  vector[J_Mare] ZZ_Mare_11;
  matrix[J_Mare, K + 1] ZR_Mare_1;
  for (j in 1 : J_Mare) {
    int i = first_Mare[j];
    int l = last_Mare[j];
    matrix[Q_Mare, K + 1 + Q_Mare] part = w[i : l, K + 2 : ]' * w[i : l];
    ZZ_Mare_11[j] = part[1, K + 2];
    ZR_Mare_1[j] = part[1, 1 : K + 1];
  }
  real A = sd_Mare / sigma;
  vector[J_Mare] h_11 = A * ZZ_Mare_11;
  vector[J_Mare] m_11 = 1 + A * h_11;
  vector[J_Mare] d_1 = m_11;
  vector[J_Mare] i_1 = inv_sqrt(d_1);
  vector[J_Mare] b_11 = A * i_1;
  vector[J_Mare] g_11 = b_11 .* b_11;
  real log_det_Mare = sum(log(d_1));
  S -= ZR_Mare_1' * diag_pre_multiply(g_11, ZR_Mare_1);
  matrix[K, K] P = S[2 : , 2 : ] / square(sigma) + prior_precision;
  vector[K] h = S[2 : , 1] / square(sigma) + prior_linear;
  matrix[K, K] L_P = cholesky_decompose(P);
  vector[K] v_P = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * S[1, 1] / square(sigma);
  target += -log_root - sum(log(d));
  target += -0.5 * log_det_Mare;
  target += 0.5 * dot_self(v_P) - sum(log(diagonal(L_P)));

  sd_Mare ~ student_t(3, 0, sd_Mare_scale);
  sigma ~ student_t(3, 0, sigma_scale);
  cor_phi ~ uniform(-1, 1);
}
generated quantities {
  vector[K] beta;
  vector[J_Mare] b_Mare;
  {
    vector[N] d = sqrt(v);
    matrix[N, K + 1 + Q_Mare] e = diag_pre_multiply(inv(d), rows);
    vector[N] r = follows .* pow(cor_phi, lag); // correlation with the row before
    vector[N] root = sqrt(1 - square(r));
    real log_root = sum(log(root));
    matrix[N, K + 1 + Q_Mare] w;
    for (k in 1 : K + 1 + Q_Mare) {
      w[ : , k] = (e[ : , k] - r .* append_row(0, e[1 : N - 1, k])) ./ root;
    }
    matrix[K + 1, K + 1] S = crossprod(w[ : , 1 : K + 1]);
    vector[J_Mare] ZZ_Mare_11;
    matrix[J_Mare, K + 1] ZR_Mare_1;
    for (j in 1 : J_Mare) {
      int i = first_Mare[j];
      int l = last_Mare[j];
      matrix[Q_Mare, K + 1 + Q_Mare] part = w[i : l, K + 2 : ]' * w[i : l];
      ZZ_Mare_11[j] = part[1, K + 2];
      ZR_Mare_1[j] = part[1, 1 : K + 1];
    }
    real A = sd_Mare / sigma;
    vector[J_Mare] h_11 = A * ZZ_Mare_11;
    vector[J_Mare] m_11 = 1 + A * h_11;
    vector[J_Mare] d_1 = m_11;
    vector[J_Mare] i_1 = inv_sqrt(d_1);
    vector[J_Mare] b_11 = A * i_1;
    vector[J_Mare] g_11 = b_11 .* b_11;
    real log_det_Mare = sum(log(d_1));
    S -= ZR_Mare_1' * diag_pre_multiply(g_11, ZR_Mare_1);
    matrix[K, K] P = S[2 : , 2 : ] / square(sigma) + prior_precision;
    vector[K] h = S[2 : , 1] / square(sigma) + prior_linear;
    matrix[K, K] L_P = cholesky_decompose(P);
    vector[K] v_P = mdivide_left_tri_low(L_P, h);
    vector[K] z = to_vector(normal_rng(rep_vector(0, K), 1));
    vector[K] shift_theta = mdivide_right_tri_low((v_P + z)', L_P)'; // theta - theta_hat
    beta = R_inverse * (theta_hat + shift_theta);
    vector[K + 1] f = append_row(1, -shift_theta);
    vector[J_Mare] e_1 = ZR_Mare_1 * f; // Z'(y - X beta)
    vector[J_Mare] z_1 = to_vector(normal_rng(rep_vector(0, J_Mare), sigma));
    b_Mare = g_11 .* e_1;
    b_Mare += b_11 .* z_1;
  }
}
