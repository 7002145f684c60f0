// lme(strength ~ 1, random = ~1 | batch/cask, weights = varIdent(form = ~1 | cask))
//
//   y            ~ normal(X beta + b_batch[batch] + b_batch_cask[batch_cask], sigma d)
//   b_batch_cask ~ normal(0, sd_batch_cask)
//   b_batch      ~ normal(0, sd_batch)
//
// beta and b_batch and b_batch_cask are integrated out: NUTS sees the other parameters alone, the rest is drawn exactly.
// Q = X R_inverse has orthogonal columns, theta_hat are their least-squares effects, r = y - Q theta_hat.
// R = [r Q] and the columns Z_j of a level are made independent first, rows w.
// With S = R' R - sum_j (Z_j' R)' G_j Z_j' R, S / sigma^2 holds the precision P of the rest and P times its mean.
// G_j = A (I + A' Z_j'Z_j A)^-1 A', with A A' the covariance of the effects of batch:cask over sigma^2 and j a level.
// The same for the levels of batch, whose sums are those of batch:cask less what its effects took off.
// errors have the sds sigma d, d = var_ratio[cask]
functions {
  // the sums of the runs of x that end at last
  vector group_sums(vector x, array[] int last) {
    vector[size(last)] total = cumulative_sum(x)[last];
    return append_row(total[1], total[2 : ] - total[ : size(last) - 1]);
  }
}
data {
  int<lower=1> observations; // of strength
  int<lower=1> N; // rows, those of one level and variance few with the same sums of products
  vector<lower=0>[N] count; // how many observations a row stands for
  int<lower=1> K; // population effects, 1
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  matrix[N, K + 3] rows; // [r Q Z_batch_cask Z_batch], r = y - Q theta_hat

  int<lower=1> J_batch_cask; // levels of batch:cask
  array[J_batch_cask] int<lower=1, upper=N> last_batch_cask; // the last row of every level
  array[J_batch_cask] int<lower=1> batch_of_batch_cask; // the level of batch it is in

  int<lower=1> J_batch; // levels of batch
  array[J_batch_cask] int<lower=1, upper=J_batch_cask> by_batch; // levels of batch:cask, sorted
  array[J_batch] int<lower=1, upper=J_batch_cask> last_batch; // the last of every level

  int<lower=1> strata; // strata of the errors, cask
  array[N] int<lower=1, upper=strata> stratum;

  // prior locations and scales
  int<lower=1> K_prior; // statements on beta
  matrix[K_prior, K] C; // C beta ~ normal(beta_loc, beta_scale)
  vector[K_prior] beta_loc;
  vector<lower=0>[K_prior] beta_scale;
  real<lower=0> sd_batch_cask_scale;
  real<lower=0> sd_batch_scale;
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
  real<lower=0> sd_batch_cask;

  real<lower=0> sd_batch;

  real<lower=0> sigma; // residual sd

  vector<lower=0>[strata - 1] var_ratio; // sd over the first's
}
model {
  vector[N] d = append_row(1, var_ratio)[stratum];
  matrix[N, K + 3] w = rows ./ rep_matrix(d, K + 3);
  matrix[K + 1, K + 1] S = crossprod(w[ : , 1 : K + 1]);
  vector[N] Z_1 = w[ : , K + 2];
  vector[N] Z_2 = w[ : , K + 3];
  vector[J_batch_cask] ZZ_batch_cask_11 = group_sums(Z_1 .* Z_1, last_batch_cask);
  vector[J_batch_cask] ZZ_batch_cask_21 = group_sums(Z_2 .* Z_1, last_batch_cask);
  vector[J_batch_cask] ZZ_batch_cask_22 = group_sums(Z_2 .* Z_2, last_batch_cask);
  matrix[J_batch_cask, K + 1] ZR_batch_cask_1;
  matrix[J_batch_cask, K + 1] ZR_batch_cask_2;
  for (k in 1 : K + 1) {
    ZR_batch_cask_1[ : , k] = group_sums(Z_1 .* w[ : , k], last_batch_cask);
    ZR_batch_cask_2[ : , k] = group_sums(Z_2 .* w[ : , k], last_batch_cask);
  }
  real A_batch_cask = sd_batch_cask / sigma;
  vector[J_batch_cask] h_11 = A_batch_cask * ZZ_batch_cask_11;
  vector[J_batch_cask] m_11 = 1 + A_batch_cask * h_11;
  vector[J_batch_cask] d_1 = m_11;
  vector[J_batch_cask] i_1 = inv_sqrt(d_1);
  vector[J_batch_cask] b_11 = A_batch_cask * i_1;
  matrix[J_batch_cask, K + 1] U_1 = rep_matrix(b_11, K + 1) .* ZR_batch_cask_1; // B Z'R
  S -= crossprod(U_1);
  vector[J_batch_cask] V_21 = b_11 .* ZZ_batch_cask_21;
  ZZ_batch_cask_22 -= V_21 .* V_21;
  ZR_batch_cask_2 -= rep_matrix(V_21, K + 1) .* U_1;
  vector[J_batch] ZZ_batch_11 = group_sums(ZZ_batch_cask_22[by_batch], last_batch);
  matrix[J_batch, K + 1] ZR_batch_1;
  for (k in 1 : K + 1) {
    ZR_batch_1[ : , k] = group_sums(ZR_batch_cask_2[by_batch, k], last_batch);
  }
  real A_batch = sd_batch / sigma;
  vector[J_batch] h2_11 = A_batch * ZZ_batch_11;
  vector[J_batch] m2_11 = 1 + A_batch * h2_11;
  vector[J_batch] d2_1 = m2_11;
  vector[J_batch] i2_1 = inv_sqrt(d2_1);
  vector[J_batch] b2_11 = A_batch * i2_1;
  matrix[J_batch, K + 1] U2_1 = rep_matrix(b2_11, K + 1) .* ZR_batch_1; // B Z'R
  S -= crossprod(U2_1);
  real rr = S[1, 1];
  vector[K] Qr = S[2 : , 1];
  matrix[K, K] QQ = S[2 : , 2 : ];
  matrix[K, K] P = QQ / square(sigma) + prior_precision;
  vector[K] h = Qr / square(sigma) + prior_linear;
  matrix[K, K] L_P = cholesky_decompose(P);
  vector[K] v_P = mdivide_left_tri_low(L_P, h);
  target += -observations * log(sigma) - 0.5 * rr / square(sigma);
  target += -dot_product(count, log(d));
  target += -0.5 * (sum(log(d_1)));
  target += -0.5 * (sum(log(d2_1)));
  target += 0.5 * dot_self(v_P) - sum(log(diagonal(L_P)));

  sd_batch_cask ~ student_t(3, 0, sd_batch_cask_scale);
  sd_batch ~ student_t(3, 0, sd_batch_scale);
  sigma ~ student_t(3, 0, sigma_scale);
  var_ratio ~ lognormal(0, 1);
}
generated quantities {
  vector[K] beta;
  vector[J_batch_cask] b_batch_cask;
  vector[J_batch] b_batch;
  {
    vector[N] d = append_row(1, var_ratio)[stratum];
    matrix[N, K + 3] w = rows ./ rep_matrix(d, K + 3);
    matrix[K + 1, K + 1] S = crossprod(w[ : , 1 : K + 1]);
    vector[N] Z_1 = w[ : , K + 2];
    vector[N] Z_2 = w[ : , K + 3];
    vector[J_batch_cask] ZZ_batch_cask_11 = group_sums(Z_1 .* Z_1, last_batch_cask);
    vector[J_batch_cask] ZZ_batch_cask_21 = group_sums(Z_2 .* Z_1, last_batch_cask);
    vector[J_batch_cask] ZZ_batch_cask_22 = group_sums(Z_2 .* Z_2, last_batch_cask);
    matrix[J_batch_cask, K + 1] ZR_batch_cask_1;
    matrix[J_batch_cask, K + 1] ZR_batch_cask_2;
    for (k in 1 : K + 1) {
      ZR_batch_cask_1[ : , k] = group_sums(Z_1 .* w[ : , k], last_batch_cask);
      ZR_batch_cask_2[ : , k] = group_sums(Z_2 .* w[ : , k], last_batch_cask);
    }
    real A_batch_cask = sd_batch_cask / sigma;
    vector[J_batch_cask] h_11 = A_batch_cask * ZZ_batch_cask_11;
    vector[J_batch_cask] m_11 = 1 + A_batch_cask * h_11;
    vector[J_batch_cask] d_1 = m_11;
    vector[J_batch_cask] i_1 = inv_sqrt(d_1);
    vector[J_batch_cask] b_11 = A_batch_cask * i_1;
    matrix[J_batch_cask, K + 1] U_1 = rep_matrix(b_11, K + 1) .* ZR_batch_cask_1; // B Z'R
    S -= crossprod(U_1);
    vector[J_batch_cask] V_21 = b_11 .* ZZ_batch_cask_21;
    ZZ_batch_cask_22 -= V_21 .* V_21;
    ZR_batch_cask_2 -= rep_matrix(V_21, K + 1) .* U_1;
    vector[J_batch] ZZ_batch_11 = group_sums(ZZ_batch_cask_22[by_batch], last_batch);
    matrix[J_batch, K + 1] ZR_batch_1;
    for (k in 1 : K + 1) {
      ZR_batch_1[ : , k] = group_sums(ZR_batch_cask_2[by_batch, k], last_batch);
    }
    real A_batch = sd_batch / sigma;
    vector[J_batch] h2_11 = A_batch * ZZ_batch_11;
    vector[J_batch] m2_11 = 1 + A_batch * h2_11;
    vector[J_batch] d2_1 = m2_11;
    vector[J_batch] i2_1 = inv_sqrt(d2_1);
    vector[J_batch] b2_11 = A_batch * i2_1;
    matrix[J_batch, K + 1] U2_1 = rep_matrix(b2_11, K + 1) .* ZR_batch_1; // B Z'R
    S -= crossprod(U2_1);
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
    vector[J_batch] e2_1 = ZR_batch_1[ : , 1] - ZR_batch_1[ : , 2 : ] * c; // Z'(y - the rest)
    vector[J_batch] g2_11 = b2_11 .* b2_11;
    vector[J_batch] z2_1 = to_vector(normal_rng(rep_vector(0, J_batch), sigma));
    b_batch = g2_11 .* e2_1;
    b_batch += b2_11 .* z2_1;
    vector[J_batch_cask] e_1 = ZR_batch_cask_1[ : , 1] - ZR_batch_cask_1[ : , 2 : ] * c; // Z'(y - the rest)
    e_1 -= ZZ_batch_cask_21 .* b_batch[batch_of_batch_cask];
    vector[J_batch_cask] g_11 = b_11 .* b_11;
    vector[J_batch_cask] z_1 = to_vector(normal_rng(rep_vector(0, J_batch_cask), sigma));
    b_batch_cask = g_11 .* e_1;
    b_batch_cask += b_11 .* z_1;
  }
}
