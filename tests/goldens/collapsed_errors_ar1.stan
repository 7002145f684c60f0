// lme(follicles ~ Time, random = ~1 | Mare, correlation = corAR1(), weights = varFixed(~I(Time + 2)))
//
//   y      ~ multi_normal(X beta + b_Mare[Mare], sigma^2 D R D)
//   b_Mare ~ normal(0, sd_Mare)
//
// beta and b_Mare are integrated out: NUTS sees the other parameters alone, the rest is drawn exactly.
// Q = X R_inverse has orthogonal columns, theta_hat are their least-squares effects, r = y - Q theta_hat.
// R = [r Q] and the columns Z_j of a level are made independent first, rows w.
// With S = R' R - sum_j (Z_j' R)' G_j Z_j' R, S / sigma^2 holds the precision P of the rest and P times its mean.
// G_j = A (I + A' Z_j'Z_j A)^-1 A', with A A' the covariance of the effects of Mare over sigma^2 and j a level.
// D = diag(d), d = sqrt(I(Time + 2))
// R: errors at s and t, order within Mare, correlate cor_phi^|s - t|.
functions {
  // the sums of the runs of x that end at last
  vector group_sums(vector x, array[] int last) {
    vector[size(last)] total = cumulative_sum(x)[last];
    return append_row(total[1], total[2 : ] - total[ : size(last) - 1]);
  }
}
data {
  int<lower=1> N; // observations of follicles
  int<lower=1> K; // population effects, Time
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  matrix[N, K + 2] rows; // [r Q Z_Mare], r = y - Q theta_hat

  int<lower=1> J_Mare; // levels of Mare
  array[J_Mare] int<lower=1, upper=N> last_Mare; // the last row of every level

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
  matrix[N, K + 2] e = rows ./ rep_matrix(d, K + 2);
  vector[N] r = follows .* pow(cor_phi, lag); // correlation with the row before
  vector[N] root = sqrt(1 - square(r));
  real log_root = sum(log(root));
  matrix[N, K + 2] w;
  for (k in 1 : K + 2) {
    w[ : , k] = (e[ : , k] - r .* append_row(0, e[1 : N - 1, k])) ./ root;
  }
  matrix[K + 1, K + 1] S = crossprod(w[ : , 1 : K + 1]);
  vector[N] Z_1 = w[ : , K + 2];
  vector[J_Mare] ZZ_Mare_11 = group_sums(Z_1 .* Z_1, last_Mare);
  matrix[J_Mare, K + 1] ZR_Mare_1;
  for (k in 1 : K + 1) {
    ZR_Mare_1[ : , k] = group_sums(Z_1 .* w[ : , k], last_Mare);
  }
  real A_Mare = sd_Mare / sigma;
  vector[J_Mare] h_11 = A_Mare * ZZ_Mare_11;
  vector[J_Mare] m_11 = 1 + A_Mare * h_11;
  vector[J_Mare] d_1 = m_11;
  vector[J_Mare] i_1 = inv_sqrt(d_1);
  vector[J_Mare] b_11 = A_Mare * i_1;
  matrix[J_Mare, K + 1] U_1 = rep_matrix(b_11, K + 1) .* ZR_Mare_1; // B Z'R
  S -= crossprod(U_1);
  real rr = S[1, 1];
  vector[K] Qr = S[2 : , 1];
  matrix[K, K] QQ = S[2 : , 2 : ];
  matrix[K, K] P = QQ / square(sigma) + prior_precision;
  vector[K] h = Qr / square(sigma) + prior_linear;
  matrix[K, K] L_P = cholesky_decompose(P);
  vector[K] v_P = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * rr / square(sigma);
  target += -log_root - sum(log(d));
  target += -0.5 * (sum(log(d_1)));
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
    matrix[N, K + 2] e = rows ./ rep_matrix(d, K + 2);
    vector[N] r = follows .* pow(cor_phi, lag); // correlation with the row before
    vector[N] root = sqrt(1 - square(r));
    real log_root = sum(log(root));
    matrix[N, K + 2] w;
    for (k in 1 : K + 2) {
      w[ : , k] = (e[ : , k] - r .* append_row(0, e[1 : N - 1, k])) ./ root;
    }
    matrix[K + 1, K + 1] S = crossprod(w[ : , 1 : K + 1]);
    vector[N] Z_1 = w[ : , K + 2];
    vector[J_Mare] ZZ_Mare_11 = group_sums(Z_1 .* Z_1, last_Mare);
    matrix[J_Mare, K + 1] ZR_Mare_1;
    for (k in 1 : K + 1) {
      ZR_Mare_1[ : , k] = group_sums(Z_1 .* w[ : , k], last_Mare);
    }
    real A_Mare = sd_Mare / sigma;
    vector[J_Mare] h_11 = A_Mare * ZZ_Mare_11;
    vector[J_Mare] m_11 = 1 + A_Mare * h_11;
    vector[J_Mare] d_1 = m_11;
    vector[J_Mare] i_1 = inv_sqrt(d_1);
    vector[J_Mare] b_11 = A_Mare * i_1;
    matrix[J_Mare, K + 1] U_1 = rep_matrix(b_11, K + 1) .* ZR_Mare_1; // B Z'R
    S -= crossprod(U_1);
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
    vector[J_Mare] e_1 = ZR_Mare_1[ : , 1] - ZR_Mare_1[ : , 2 : ] * c; // Z'(y - the rest)
    vector[J_Mare] g_11 = b_11 .* b_11;
    vector[J_Mare] z_1 = to_vector(normal_rng(rep_vector(0, J_Mare), sigma));
    b_Mare = g_11 .* e_1;
    b_Mare += b_11 .* z_1;
  }
}
