// glmer(TICKS ~ cHEIGHT + (cHEIGHT | LOCATION) + (1 | YEAR) + (1 | INDEX), family = poisson, offset = log(TICKS + 1))
//
//   y          ~ poisson(exp(X beta + known + Z_LOCATION b_LOCATION[LOCATION] + b_YEAR[YEAR] + b_INDEX[INDEX]))
//   b_INDEX    ~ normal(0, sd_INDEX)
//   b_LOCATION ~ multi_normal(0, D R_LOCATION D),  D = diag(sd_LOCATION)
//   b_YEAR     ~ normal(0, sd_YEAR)
//
// m_INDEX is sampled: b_INDEX plus all of the predictor above it, a Gaussian response with the errors b_INDEX.
// Given it beta and b_LOCATION and b_YEAR are integrated out: NUTS sees the rest, and they are drawn exactly.
// Q = X R_inverse has orthogonal columns, e = m_INDEX - Q theta_hat.
// W = [Z Q], Z the columns of YEAR; their effects are a root F of their covariance times standard normals.
// With S = [e W]' [e W] - sum_j (Z_j' [e W])' G_j Z_j' [e W], S / sigma^2 holds the precision P of the rest and P times its mean.
// G_j = A (I + A' Z_j'Z_j A)^-1 A', with A A' the covariance of the effects of LOCATION over sigma^2 and j a level.
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

  vector[N] known; // offset

  int<lower=1> J_INDEX; // levels of INDEX
  array[N] int<lower=1, upper=J_INDEX> INDEX;

  int<lower=1> K; // population effects, cHEIGHT
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  int<lower=1> E; // effects of YEAR
  int<lower=E> D; // columns of W
  matrix[N, D] W;
  matrix[D, D] WW_0; // W'W

  int<lower=1> J_LOCATION; // levels of LOCATION
  int<lower=1> Q_LOCATION; // effects per level, cHEIGHT
  array[J_LOCATION] int<lower=1, upper=N> last_LOCATION; // the last row of every level
  array[N] int<lower=1, upper=J_LOCATION> LOCATION; // rows are sorted by it
  vector[N] Z_LOCATION_2;
  vector[J_LOCATION] ZZ_LOCATION_11_0; // Z'Z of every level
  vector[J_LOCATION] ZZ_LOCATION_21_0;
  vector[J_LOCATION] ZZ_LOCATION_22_0;
  matrix[J_LOCATION, D] ZW_LOCATION_1; // Z'W of every level
  matrix[J_LOCATION, D] ZW_LOCATION_2;

  int<lower=1> J_YEAR; // levels of YEAR

  // prior locations and scales
  real<lower=0> sd_INDEX_scale;
  int<lower=1> K_prior; // statements on beta
  matrix[K_prior, K] C; // C beta ~ normal(beta_loc, beta_scale)
  vector[K_prior] beta_loc;
  vector<lower=0>[K_prior] beta_scale;
  vector<lower=0>[Q_LOCATION] sd_LOCATION_scale;
  real<lower=0> sd_YEAR_scale;
}
transformed data {
  vector[N] middle = W[ : , E + 1 : D] * theta_hat; // e = 0
  // 1 for the standard normals that become effects, 0 for theta - theta_hat
  vector[D] shrunk = append_row(rep_vector(1, E), rep_vector(0, D - E));
  // the prior of theta - theta_hat: its precision, and that times its mean
  matrix[K_prior, K] C_theta = diag_pre_multiply(inv(beta_scale), C * R_inverse);
  vector[K_prior] gap = (beta_loc - C * (R_inverse * theta_hat)) ./ beta_scale;
  matrix[D, D] prior_precision = rep_matrix(0, D, D);
  prior_precision[E + 1 : D, E + 1 : D] = crossprod(C_theta);
  vector[D] prior_linear = append_row(rep_vector(0, E), C_theta' * gap);
}
parameters {
  real<lower=0> sd_INDEX;
  vector[J_INDEX] m_INDEX; // b_INDEX plus its mean

  vector<lower=0>[Q_LOCATION] sd_LOCATION;
  cholesky_factor_corr[Q_LOCATION] L_LOCATION; // R_LOCATION = L L'

  real<lower=0> sd_YEAR;
}
model {
  vector[N] eta = known;
  eta += m_INDEX[INDEX];
  y ~ poisson_log(eta);
  real sigma = sd_INDEX; // of the errors
  vector[N] e = m_INDEX[INDEX] - middle;
  vector[D] We = W' * e;
  matrix[D + 1, D + 1] S = append_row(append_col(dot_self(e), We'), append_col(We, WW_0));
  vector[J_LOCATION] ZZ_LOCATION_11 = ZZ_LOCATION_11_0;
  vector[J_LOCATION] ZZ_LOCATION_21 = ZZ_LOCATION_21_0;
  vector[J_LOCATION] ZZ_LOCATION_22 = ZZ_LOCATION_22_0;
  matrix[J_LOCATION, D + 1] ZR_LOCATION_1;
  ZR_LOCATION_1[ : , 1] = group_sums(e, last_LOCATION);
  ZR_LOCATION_1[ : , 2 : ] = ZW_LOCATION_1;
  matrix[J_LOCATION, D + 1] ZR_LOCATION_2;
  ZR_LOCATION_2[ : , 1] = group_sums(Z_LOCATION_2 .* e, last_LOCATION);
  ZR_LOCATION_2[ : , 2 : ] = ZW_LOCATION_2;
  matrix[Q_LOCATION, Q_LOCATION] A_LOCATION = diag_pre_multiply(sd_LOCATION, L_LOCATION) / sigma;
  vector[J_LOCATION] h_11 = A_LOCATION[1, 1] * ZZ_LOCATION_11 + A_LOCATION[2, 1] * ZZ_LOCATION_21;
  vector[J_LOCATION] h_12 = A_LOCATION[2, 2] * ZZ_LOCATION_21;
  vector[J_LOCATION] h_21 = A_LOCATION[1, 1] * ZZ_LOCATION_21 + A_LOCATION[2, 1] * ZZ_LOCATION_22;
  vector[J_LOCATION] h_22 = A_LOCATION[2, 2] * ZZ_LOCATION_22;
  vector[J_LOCATION] m_11 = 1 + A_LOCATION[1, 1] * h_11 + A_LOCATION[2, 1] * h_21;
  vector[J_LOCATION] m_21 = A_LOCATION[2, 2] * h_21;
  vector[J_LOCATION] m_22 = 1 + A_LOCATION[2, 2] * h_22;
  vector[J_LOCATION] d_1 = m_11;
  vector[J_LOCATION] i_1 = inv_sqrt(d_1);
  vector[J_LOCATION] l_21 = m_21 .* i_1;
  vector[J_LOCATION] d_2 = m_22 - square(l_21);
  vector[J_LOCATION] i_2 = inv_sqrt(d_2);
  vector[J_LOCATION] b_11 = A_LOCATION[1, 1] * i_1;
  vector[J_LOCATION] b_12 = A_LOCATION[2, 1] * i_1;
  vector[J_LOCATION] b_21 = -i_2 .* (l_21 .* b_11);
  vector[J_LOCATION] b_22 = (A_LOCATION[2, 2] - l_21 .* b_12) .* i_2;
  matrix[J_LOCATION, D + 1] U_1 = rep_matrix(b_11, D + 1) .* ZR_LOCATION_1;
  U_1 += rep_matrix(b_12, D + 1) .* ZR_LOCATION_2; // B Z'R
  matrix[J_LOCATION, D + 1] U_2 = rep_matrix(b_21, D + 1) .* ZR_LOCATION_1;
  U_2 += rep_matrix(b_22, D + 1) .* ZR_LOCATION_2;
  S -= crossprod(U_1);
  S -= crossprod(U_2);
  real rr = S[1, 1];
  vector[D] Wr = S[2 : , 1];
  matrix[D, D] WW = S[2 : , 2 : ];
  vector[D] s = rep_vector(1, D); // scales of the effects
  s[1 : J_YEAR] = rep_vector(sd_YEAR, J_YEAR);
  matrix[D, D] P = add_diag(quad_form_diag(WW, s) / square(sigma), shrunk) + prior_precision;
  vector[D] h = s .* Wr / square(sigma) + prior_linear;
  matrix[D, D] L_P = cholesky_decompose(P);
  vector[D] v_P = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * rr / square(sigma);
  target += -0.5 * (sum(log(d_1)) + sum(log(d_2)));
  target += 0.5 * dot_self(v_P) - sum(log(diagonal(L_P)));

  sd_INDEX ~ student_t(3, 0, sd_INDEX_scale);
  sd_LOCATION ~ student_t(3, 0, sd_LOCATION_scale);
  L_LOCATION ~ lkj_corr_cholesky(1);
  sd_YEAR ~ student_t(3, 0, sd_YEAR_scale);
}
generated quantities {
  vector[K] beta;
  vector[J_YEAR] b_YEAR;
  matrix[J_LOCATION, Q_LOCATION] b_LOCATION;
  vector[J_INDEX] b_INDEX;
  {
    real sigma = sd_INDEX; // of the errors
    vector[N] e = m_INDEX[INDEX] - middle;
    vector[D] We = W' * e;
    matrix[D + 1, D + 1] S = append_row(append_col(dot_self(e), We'), append_col(We, WW_0));
    vector[J_LOCATION] ZZ_LOCATION_11 = ZZ_LOCATION_11_0;
    vector[J_LOCATION] ZZ_LOCATION_21 = ZZ_LOCATION_21_0;
    vector[J_LOCATION] ZZ_LOCATION_22 = ZZ_LOCATION_22_0;
    matrix[J_LOCATION, D + 1] ZR_LOCATION_1;
    ZR_LOCATION_1[ : , 1] = group_sums(e, last_LOCATION);
    ZR_LOCATION_1[ : , 2 : ] = ZW_LOCATION_1;
    matrix[J_LOCATION, D + 1] ZR_LOCATION_2;
    ZR_LOCATION_2[ : , 1] = group_sums(Z_LOCATION_2 .* e, last_LOCATION);
    ZR_LOCATION_2[ : , 2 : ] = ZW_LOCATION_2;
    matrix[Q_LOCATION, Q_LOCATION] A_LOCATION = diag_pre_multiply(sd_LOCATION, L_LOCATION) / sigma;
    vector[J_LOCATION] h_11 = A_LOCATION[1, 1] * ZZ_LOCATION_11 + A_LOCATION[2, 1] * ZZ_LOCATION_21;
    vector[J_LOCATION] h_12 = A_LOCATION[2, 2] * ZZ_LOCATION_21;
    vector[J_LOCATION] h_21 = A_LOCATION[1, 1] * ZZ_LOCATION_21 + A_LOCATION[2, 1] * ZZ_LOCATION_22;
    vector[J_LOCATION] h_22 = A_LOCATION[2, 2] * ZZ_LOCATION_22;
    vector[J_LOCATION] m_11 = 1 + A_LOCATION[1, 1] * h_11 + A_LOCATION[2, 1] * h_21;
    vector[J_LOCATION] m_21 = A_LOCATION[2, 2] * h_21;
    vector[J_LOCATION] m_22 = 1 + A_LOCATION[2, 2] * h_22;
    vector[J_LOCATION] d_1 = m_11;
    vector[J_LOCATION] i_1 = inv_sqrt(d_1);
    vector[J_LOCATION] l_21 = m_21 .* i_1;
    vector[J_LOCATION] d_2 = m_22 - square(l_21);
    vector[J_LOCATION] i_2 = inv_sqrt(d_2);
    vector[J_LOCATION] b_11 = A_LOCATION[1, 1] * i_1;
    vector[J_LOCATION] b_12 = A_LOCATION[2, 1] * i_1;
    vector[J_LOCATION] b_21 = -i_2 .* (l_21 .* b_11);
    vector[J_LOCATION] b_22 = (A_LOCATION[2, 2] - l_21 .* b_12) .* i_2;
    matrix[J_LOCATION, D + 1] U_1 = rep_matrix(b_11, D + 1) .* ZR_LOCATION_1;
    U_1 += rep_matrix(b_12, D + 1) .* ZR_LOCATION_2; // B Z'R
    matrix[J_LOCATION, D + 1] U_2 = rep_matrix(b_21, D + 1) .* ZR_LOCATION_1;
    U_2 += rep_matrix(b_22, D + 1) .* ZR_LOCATION_2;
    S -= crossprod(U_1);
    S -= crossprod(U_2);
    real rr = S[1, 1];
    vector[D] Wr = S[2 : , 1];
    matrix[D, D] WW = S[2 : , 2 : ];
    vector[D] s = rep_vector(1, D); // scales of the effects
    s[1 : J_YEAR] = rep_vector(sd_YEAR, J_YEAR);
    matrix[D, D] P = add_diag(quad_form_diag(WW, s) / square(sigma), shrunk) + prior_precision;
    vector[D] h = s .* Wr / square(sigma) + prior_linear;
    matrix[D, D] L_P = cholesky_decompose(P);
    vector[D] v_P = mdivide_left_tri_low(L_P, h);
    vector[D] z = to_vector(normal_rng(rep_vector(0, D), 1));
    vector[D] c = mdivide_right_tri_low((v_P + z)', L_P)'; // the coefficients of W
    c = s .* c;
    beta = R_inverse * (theta_hat + c[E + 1 : D]);
    b_YEAR = c[1 : J_YEAR];
    vector[J_LOCATION] e_1 = ZR_LOCATION_1[ : , 1] - ZR_LOCATION_1[ : , 2 : ] * c; // Z'(y - the rest)
    vector[J_LOCATION] e_2 = ZR_LOCATION_2[ : , 1] - ZR_LOCATION_2[ : , 2 : ] * c;
    vector[J_LOCATION] g_11 = b_11 .* b_11 + b_21 .* b_21;
    vector[J_LOCATION] g_21 = b_12 .* b_11 + b_22 .* b_21;
    vector[J_LOCATION] g_22 = b_12 .* b_12 + b_22 .* b_22;
    vector[J_LOCATION] z_1 = to_vector(normal_rng(rep_vector(0, J_LOCATION), sigma));
    vector[J_LOCATION] z_2 = to_vector(normal_rng(rep_vector(0, J_LOCATION), sigma));
    b_LOCATION[ : , 1] = g_11 .* e_1 + g_21 .* e_2;
    b_LOCATION[ : , 1] += b_11 .* z_1 + b_21 .* z_2;
    b_LOCATION[ : , 2] = g_21 .* e_1 + g_22 .* e_2;
    b_LOCATION[ : , 2] += b_12 .* z_1 + b_22 .* z_2;
    e -= W * c;
    e -= (b_LOCATION[ : , 1])[LOCATION];
    e -= Z_LOCATION_2 .* (b_LOCATION[ : , 2])[LOCATION];
    b_INDEX[INDEX] = e;
  }

  corr_matrix[Q_LOCATION] R_LOCATION;
  R_LOCATION = multiply_lower_tri_self_transpose(L_LOCATION);
}
