// glmer(TICKS ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION), family = poisson)
//
//   y          ~ poisson(exp(X beta + b_BROOD[BROOD] + b_INDEX[INDEX] + b_LOCATION[LOCATION]))
//   b_INDEX    ~ normal(0, sd_INDEX)
//   b_BROOD    ~ normal(0, sd_BROOD)
//   b_LOCATION ~ normal(0, sd_LOCATION)
//
// m_INDEX is sampled: b_INDEX plus all of the predictor above it, a Gaussian response with the errors b_INDEX.
// Given it beta and b_BROOD and b_LOCATION are integrated out: NUTS sees the rest, and they are drawn exactly.
// Q = X R_inverse has orthogonal columns, e = m_INDEX - Q theta_hat.
// With S = [e Q]' [e Q] - sum_j (Z_j' [e Q])' G_j Z_j' [e Q], S / sigma^2 holds the precision P of the rest and P times its mean.
// G_j = A (I + A' Z_j'Z_j A)^-1 A', with A A' the covariance of the effects of BROOD over sigma^2 and j a level.
// The same for the levels of LOCATION, whose sums are those of BROOD less what its effects took off.
functions {
  // the sums of the runs of x that end at last
  vector group_sums(vector x, array[] int last) {
    vector[size(last)] total = cumulative_sum(x)[last];
    return append_row(total[1], total[2 : ] - total[ : size(last) - 1]);
  }
}
data {
  int<lower=1> N; // observations
  array[N] int<lower=0> y; // TICKS

  int<lower=1> J_INDEX; // levels of INDEX
  array[N] int<lower=1, upper=J_INDEX> INDEX;

  int<lower=1> K; // population effects, YEAR + cHEIGHT
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  matrix[N, K] Q;
  matrix[K, K] QQ_0; // Q'Q

  int<lower=1> J_BROOD; // levels of BROOD
  array[J_BROOD] int<lower=1, upper=N> last_BROOD; // the last row of every level
  array[J_BROOD] int<lower=1> LOCATION_of_BROOD; // the level of LOCATION it is in
  array[N] int<lower=1, upper=J_BROOD> BROOD; // rows are sorted by it
  vector[J_BROOD] ZZ_BROOD_11_0; // Z'Z of every level
  vector[J_BROOD] ZZ_BROOD_21_0;
  vector[J_BROOD] ZZ_BROOD_22_0;
  matrix[J_BROOD, K] ZQ_BROOD_1; // Z'Q of every level
  matrix[J_BROOD, K] ZQ_BROOD_2;

  int<lower=1> J_LOCATION; // levels of LOCATION
  array[J_BROOD] int<lower=1, upper=J_BROOD> by_LOCATION; // levels of BROOD, sorted
  array[J_LOCATION] int<lower=1, upper=J_BROOD> last_LOCATION; // the last of every level

  // prior locations and scales
  real<lower=0> sd_INDEX_scale;
  int<lower=1> K_prior; // statements on beta
  matrix[K_prior, K] C; // C beta ~ normal(beta_loc, beta_scale)
  vector[K_prior] beta_loc;
  vector<lower=0>[K_prior] beta_scale;
  real<lower=0> sd_BROOD_scale;
  real<lower=0> sd_LOCATION_scale;
}
transformed data {
  vector[N] middle = Q * theta_hat; // e = 0
  // the prior of theta - theta_hat: its precision, and that times its mean
  matrix[K_prior, K] C_theta = diag_pre_multiply(inv(beta_scale), C * R_inverse);
  vector[K_prior] gap = (beta_loc - C * (R_inverse * theta_hat)) ./ beta_scale;
  matrix[K, K] prior_precision = crossprod(C_theta);
  vector[K] prior_linear = C_theta' * gap;
}
parameters {
  real<lower=0> sd_INDEX;
  vector[J_INDEX] m_INDEX; // b_INDEX plus its mean

  real<lower=0> sd_BROOD;

  real<lower=0> sd_LOCATION;
}
model {
  vector[N] eta = m_INDEX[INDEX];
  y ~ poisson_log(eta);
  real sigma = sd_INDEX; // of the errors
  vector[N] e = m_INDEX[INDEX] - middle;
  vector[K] We = Q' * e;
  matrix[K + 1, K + 1] S = append_row(append_col(dot_self(e), We'), append_col(We, QQ_0));
  vector[J_BROOD] ZZ_BROOD_11 = ZZ_BROOD_11_0;
  vector[J_BROOD] ZZ_BROOD_21 = ZZ_BROOD_21_0;
  vector[J_BROOD] ZZ_BROOD_22 = ZZ_BROOD_22_0;
  matrix[J_BROOD, K + 1] ZR_BROOD_1;
  ZR_BROOD_1[ : , 1] = group_sums(e, last_BROOD);
  ZR_BROOD_1[ : , 2 : ] = ZQ_BROOD_1;
  matrix[J_BROOD, K + 1] ZR_BROOD_2;
  ZR_BROOD_2[ : , 1] = group_sums(e, last_BROOD);
  ZR_BROOD_2[ : , 2 : ] = ZQ_BROOD_2;
  real A_BROOD = sd_BROOD / sigma;
  vector[J_BROOD] h_11 = A_BROOD * ZZ_BROOD_11;
  vector[J_BROOD] m_11 = 1 + A_BROOD * h_11;
  vector[J_BROOD] d_1 = m_11;
  vector[J_BROOD] i_1 = inv_sqrt(d_1);
  vector[J_BROOD] b_11 = A_BROOD * i_1;
  matrix[J_BROOD, K + 1] U_1 = rep_matrix(b_11, K + 1) .* ZR_BROOD_1; // B Z'R
  S -= crossprod(U_1);
  vector[J_BROOD] V_21 = b_11 .* ZZ_BROOD_21;
  ZZ_BROOD_22 -= V_21 .* V_21;
  ZR_BROOD_2 -= rep_matrix(V_21, K + 1) .* U_1;
  vector[J_LOCATION] ZZ_LOCATION_11 = group_sums(ZZ_BROOD_22[by_LOCATION], last_LOCATION);
  matrix[J_LOCATION, K + 1] ZR_LOCATION_1;
  for (k in 1 : K + 1) {
    ZR_LOCATION_1[ : , k] = group_sums(ZR_BROOD_2[by_LOCATION, k], last_LOCATION);
  }
  real A_LOCATION = sd_LOCATION / sigma;
  vector[J_LOCATION] h2_11 = A_LOCATION * ZZ_LOCATION_11;
  vector[J_LOCATION] m2_11 = 1 + A_LOCATION * h2_11;
  vector[J_LOCATION] d2_1 = m2_11;
  vector[J_LOCATION] i2_1 = inv_sqrt(d2_1);
  vector[J_LOCATION] b2_11 = A_LOCATION * i2_1;
  matrix[J_LOCATION, K + 1] U2_1 = rep_matrix(b2_11, K + 1) .* ZR_LOCATION_1; // B Z'R
  S -= crossprod(U2_1);
  real rr = S[1, 1];
  vector[K] Qr = S[2 : , 1];
  matrix[K, K] QQ = S[2 : , 2 : ];
  matrix[K, K] P = QQ / square(sigma) + prior_precision;
  vector[K] h = Qr / square(sigma) + prior_linear;
  matrix[K, K] L_P = cholesky_decompose(P);
  vector[K] v_P = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * rr / square(sigma);
  target += -0.5 * (sum(log(d_1)));
  target += -0.5 * (sum(log(d2_1)));
  target += 0.5 * dot_self(v_P) - sum(log(diagonal(L_P)));

  sd_INDEX ~ student_t(3, 0, sd_INDEX_scale);
  sd_BROOD ~ student_t(3, 0, sd_BROOD_scale);
  sd_LOCATION ~ student_t(3, 0, sd_LOCATION_scale);
}
generated quantities {
  vector[K] beta;
  vector[J_BROOD] b_BROOD;
  vector[J_LOCATION] b_LOCATION;
  vector[J_INDEX] b_INDEX;
  {
    real sigma = sd_INDEX; // of the errors
    vector[N] e = m_INDEX[INDEX] - middle;
    vector[K] We = Q' * e;
    matrix[K + 1, K + 1] S = append_row(append_col(dot_self(e), We'), append_col(We, QQ_0));
    vector[J_BROOD] ZZ_BROOD_11 = ZZ_BROOD_11_0;
    vector[J_BROOD] ZZ_BROOD_21 = ZZ_BROOD_21_0;
    vector[J_BROOD] ZZ_BROOD_22 = ZZ_BROOD_22_0;
    matrix[J_BROOD, K + 1] ZR_BROOD_1;
    ZR_BROOD_1[ : , 1] = group_sums(e, last_BROOD);
    ZR_BROOD_1[ : , 2 : ] = ZQ_BROOD_1;
    matrix[J_BROOD, K + 1] ZR_BROOD_2;
    ZR_BROOD_2[ : , 1] = group_sums(e, last_BROOD);
    ZR_BROOD_2[ : , 2 : ] = ZQ_BROOD_2;
    real A_BROOD = sd_BROOD / sigma;
    vector[J_BROOD] h_11 = A_BROOD * ZZ_BROOD_11;
    vector[J_BROOD] m_11 = 1 + A_BROOD * h_11;
    vector[J_BROOD] d_1 = m_11;
    vector[J_BROOD] i_1 = inv_sqrt(d_1);
    vector[J_BROOD] b_11 = A_BROOD * i_1;
    matrix[J_BROOD, K + 1] U_1 = rep_matrix(b_11, K + 1) .* ZR_BROOD_1; // B Z'R
    S -= crossprod(U_1);
    vector[J_BROOD] V_21 = b_11 .* ZZ_BROOD_21;
    ZZ_BROOD_22 -= V_21 .* V_21;
    ZR_BROOD_2 -= rep_matrix(V_21, K + 1) .* U_1;
    vector[J_LOCATION] ZZ_LOCATION_11 = group_sums(ZZ_BROOD_22[by_LOCATION], last_LOCATION);
    matrix[J_LOCATION, K + 1] ZR_LOCATION_1;
    for (k in 1 : K + 1) {
      ZR_LOCATION_1[ : , k] = group_sums(ZR_BROOD_2[by_LOCATION, k], last_LOCATION);
    }
    real A_LOCATION = sd_LOCATION / sigma;
    vector[J_LOCATION] h2_11 = A_LOCATION * ZZ_LOCATION_11;
    vector[J_LOCATION] m2_11 = 1 + A_LOCATION * h2_11;
    vector[J_LOCATION] d2_1 = m2_11;
    vector[J_LOCATION] i2_1 = inv_sqrt(d2_1);
    vector[J_LOCATION] b2_11 = A_LOCATION * i2_1;
    matrix[J_LOCATION, K + 1] U2_1 = rep_matrix(b2_11, K + 1) .* ZR_LOCATION_1; // B Z'R
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
    vector[J_LOCATION] e2_1 = ZR_LOCATION_1[ : , 1] - ZR_LOCATION_1[ : , 2 : ] * c; // Z'(y - the rest)
    vector[J_LOCATION] g2_11 = b2_11 .* b2_11;
    vector[J_LOCATION] z2_1 = to_vector(normal_rng(rep_vector(0, J_LOCATION), sigma));
    b_LOCATION = g2_11 .* e2_1;
    b_LOCATION += b2_11 .* z2_1;
    vector[J_BROOD] e_1 = ZR_BROOD_1[ : , 1] - ZR_BROOD_1[ : , 2 : ] * c; // Z'(y - the rest)
    e_1 -= ZZ_BROOD_21 .* b_LOCATION[LOCATION_of_BROOD];
    vector[J_BROOD] g_11 = b_11 .* b_11;
    vector[J_BROOD] z_1 = to_vector(normal_rng(rep_vector(0, J_BROOD), sigma));
    b_BROOD = g_11 .* e_1;
    b_BROOD += b_11 .* z_1;
    e -= Q * c;
    e -= b_BROOD[BROOD];
    e -= b_LOCATION[LOCATION_of_BROOD][BROOD];
    b_INDEX[INDEX] = e;
  }
}
