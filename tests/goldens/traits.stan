// MCMCglmm(cbind(tarsus, back) ~ trait - 1 + trait:sex, random = ~us(trait):dam, rcov = ~us(trait):units)
//
//   y     ~ multi_normal(X beta + Z_dam b_dam[dam], sigma^2 D R D)
//   b_dam ~ multi_normal(0, D R_dam D),  D = diag(sd_dam)
//
// beta and b_dam are integrated out: NUTS sees the other parameters alone, the rest is drawn exactly.
// Q = X R_inverse has orthogonal columns, theta_hat are their least-squares effects, r = y - Q theta_hat.
// R = [r Q] and the columns Z_j of a level are made independent first, rows w.
// With S = R' R - sum_j (Z_j' R)' G_j Z_j' R, S / sigma^2 holds the precision P of the rest and P times its mean.
// G_j = A (I + A' Z_j'Z_j A)^-1 A', with A A' the covariance of the effects of dam over sigma^2 and j a level.
// D = diag(d), d = var_ratio[trait]
// R: errors at s and t, as.integer(trait) within units, correlate cor_R[s, t].
functions {
  // the sums of the runs of x that end at last
  vector group_sums(vector x, array[] int last) {
    vector[size(last)] total = cumulative_sum(x)[last];
    return append_row(total[1], total[2 : ] - total[ : size(last) - 1]);
  }
}
data {
  int<lower=1> N; // observations of `tarsus, back`
  int<lower=1> K; // population effects, trait - 1 + trait:sex
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  matrix[N, K + 3] rows; // [r Q Z_dam], r = y - Q theta_hat

  int<lower=1> J_dam; // levels of dam
  int<lower=1> Q_dam; // effects per level, 0 + trait
  array[J_dam] int<lower=1, upper=N> last_dam; // the last row of every level

  int<lower=1> strata; // strata of the errors, trait
  array[N] int<lower=1, upper=strata> stratum;

  int<lower=1> patterns; // of positions that a block has
  array[patterns] int<lower=1> begin; // the cells of each: one for every position
  array[patterns] int<lower=1> end;
  array[end[patterns]] int<lower=1> position; // of a cell
  array[end[patterns]] int<lower=1> start; // its rows, those of a block at the same place
  array[end[patterns]] int<lower=1> stop;
  array[N] int<lower=1, upper=N> cell_row;
  int<lower=1> M; // positions in a block

  // prior locations and scales
  int<lower=1> K_prior; // statements on beta
  matrix[K_prior, K] C; // C beta ~ normal(beta_loc, beta_scale)
  vector[K_prior] beta_loc;
  vector<lower=0>[K_prior] beta_scale;
  vector<lower=0>[Q_dam] sd_dam_scale;
  real<lower=0> sigma_scale;
  vector[strata - 1] var_ratio_loc;
  vector<lower=0>[strata - 1] var_ratio_scale;
}
transformed data {
  // the prior of theta - theta_hat: its precision, and that times its mean
  matrix[K_prior, K] C_theta = diag_pre_multiply(inv(beta_scale), C * R_inverse);
  vector[K_prior] gap = (beta_loc - C * (R_inverse * theta_hat)) ./ beta_scale;
  matrix[K, K] prior_precision = crossprod(C_theta);
  vector[K] prior_linear = C_theta' * gap;
}
parameters {
  vector<lower=0>[Q_dam] sd_dam;
  cholesky_factor_corr[Q_dam] L_dam; // R_dam = L L'

  real<lower=0> sigma; // residual sd

  vector<lower=0>[strata - 1] var_ratio; // sd over the first's

  cholesky_factor_corr[M] cor_L; // R = L L'
}
transformed parameters {
  matrix[M, M] cor_R = multiply_lower_tri_self_transpose(cor_L);
}
model {
  vector[N] d = append_row(1, var_ratio)[stratum];
  matrix[N, K + 3] e = rows ./ rep_matrix(d, K + 3);
  matrix[N, K + 3] w = e;
  real log_root = 0;
  for (k in 1 : patterns) {
    array[end[k] - begin[k] + 1] int here = position[begin[k] : end[k]];
    matrix[size(here), size(here)] L = cholesky_decompose(cor_R[here, here]);
    for (i in 1 : size(here)) {
      int c = begin[k] + i - 1;
      array[stop[c] - start[c] + 1] int own = cell_row[start[c] : stop[c]];
      for (j in 1 : i - 1) {
        int o = begin[k] + j - 1;
        w[own] -= L[i, j] * w[cell_row[start[o] : stop[o]]];
      }
      w[own] /= L[i, i];
      log_root += size(own) * log(L[i, i]);
    }
  }
  matrix[K + 1, K + 1] S = crossprod(w[ : , 1 : K + 1]);
  vector[N] Z_1 = w[ : , K + 2];
  vector[N] Z_2 = w[ : , K + 3];
  vector[J_dam] ZZ_dam_11 = group_sums(Z_1 .* Z_1, last_dam);
  vector[J_dam] ZZ_dam_21 = group_sums(Z_2 .* Z_1, last_dam);
  vector[J_dam] ZZ_dam_22 = group_sums(Z_2 .* Z_2, last_dam);
  matrix[J_dam, K + 1] ZR_dam_1;
  matrix[J_dam, K + 1] ZR_dam_2;
  for (k in 1 : K + 1) {
    ZR_dam_1[ : , k] = group_sums(Z_1 .* w[ : , k], last_dam);
    ZR_dam_2[ : , k] = group_sums(Z_2 .* w[ : , k], last_dam);
  }
  matrix[Q_dam, Q_dam] A_dam = diag_pre_multiply(sd_dam, L_dam) / sigma;
  vector[J_dam] h_11 = A_dam[1, 1] * ZZ_dam_11 + A_dam[2, 1] * ZZ_dam_21;
  vector[J_dam] h_12 = A_dam[2, 2] * ZZ_dam_21;
  vector[J_dam] h_21 = A_dam[1, 1] * ZZ_dam_21 + A_dam[2, 1] * ZZ_dam_22;
  vector[J_dam] h_22 = A_dam[2, 2] * ZZ_dam_22;
  vector[J_dam] m_11 = 1 + A_dam[1, 1] * h_11 + A_dam[2, 1] * h_21;
  vector[J_dam] m_21 = A_dam[2, 2] * h_21;
  vector[J_dam] m_22 = 1 + A_dam[2, 2] * h_22;
  vector[J_dam] d_1 = m_11;
  vector[J_dam] i_1 = inv_sqrt(d_1);
  vector[J_dam] l_21 = m_21 .* i_1;
  vector[J_dam] d_2 = m_22 - square(l_21);
  vector[J_dam] i_2 = inv_sqrt(d_2);
  vector[J_dam] b_11 = A_dam[1, 1] * i_1;
  vector[J_dam] b_12 = A_dam[2, 1] * i_1;
  vector[J_dam] b_21 = -i_2 .* (l_21 .* b_11);
  vector[J_dam] b_22 = (A_dam[2, 2] - l_21 .* b_12) .* i_2;
  matrix[J_dam, K + 1] U_1 = rep_matrix(b_11, K + 1) .* ZR_dam_1;
  U_1 += rep_matrix(b_12, K + 1) .* ZR_dam_2; // B Z'R
  matrix[J_dam, K + 1] U_2 = rep_matrix(b_21, K + 1) .* ZR_dam_1;
  U_2 += rep_matrix(b_22, K + 1) .* ZR_dam_2;
  S -= crossprod(U_1);
  S -= crossprod(U_2);
  real rr = S[1, 1];
  vector[K] Qr = S[2 : , 1];
  matrix[K, K] QQ = S[2 : , 2 : ];
  matrix[K, K] P = QQ / square(sigma) + prior_precision;
  vector[K] h = Qr / square(sigma) + prior_linear;
  matrix[K, K] L_P = cholesky_decompose(P);
  vector[K] v_P = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * rr / square(sigma);
  target += -log_root - sum(log(d));
  target += -0.5 * (sum(log(d_1)) + sum(log(d_2)));
  target += 0.5 * dot_self(v_P) - sum(log(diagonal(L_P)));

  sd_dam ~ student_t(3, 0, sd_dam_scale);
  L_dam ~ lkj_corr_cholesky(1);
  sigma ~ student_t(3, 0, sigma_scale);
  var_ratio ~ lognormal(var_ratio_loc, var_ratio_scale);
  cor_L ~ lkj_corr_cholesky(1);
}
generated quantities {
  vector[K] beta;
  matrix[J_dam, Q_dam] b_dam;
  {
    vector[N] d = append_row(1, var_ratio)[stratum];
    matrix[N, K + 3] e = rows ./ rep_matrix(d, K + 3);
    matrix[N, K + 3] w = e;
    real log_root = 0;
    for (k in 1 : patterns) {
      array[end[k] - begin[k] + 1] int here = position[begin[k] : end[k]];
      matrix[size(here), size(here)] L = cholesky_decompose(cor_R[here, here]);
      for (i in 1 : size(here)) {
        int c = begin[k] + i - 1;
        array[stop[c] - start[c] + 1] int own = cell_row[start[c] : stop[c]];
        for (j in 1 : i - 1) {
          int o = begin[k] + j - 1;
          w[own] -= L[i, j] * w[cell_row[start[o] : stop[o]]];
        }
        w[own] /= L[i, i];
        log_root += size(own) * log(L[i, i]);
      }
    }
    matrix[K + 1, K + 1] S = crossprod(w[ : , 1 : K + 1]);
    vector[N] Z_1 = w[ : , K + 2];
    vector[N] Z_2 = w[ : , K + 3];
    vector[J_dam] ZZ_dam_11 = group_sums(Z_1 .* Z_1, last_dam);
    vector[J_dam] ZZ_dam_21 = group_sums(Z_2 .* Z_1, last_dam);
    vector[J_dam] ZZ_dam_22 = group_sums(Z_2 .* Z_2, last_dam);
    matrix[J_dam, K + 1] ZR_dam_1;
    matrix[J_dam, K + 1] ZR_dam_2;
    for (k in 1 : K + 1) {
      ZR_dam_1[ : , k] = group_sums(Z_1 .* w[ : , k], last_dam);
      ZR_dam_2[ : , k] = group_sums(Z_2 .* w[ : , k], last_dam);
    }
    matrix[Q_dam, Q_dam] A_dam = diag_pre_multiply(sd_dam, L_dam) / sigma;
    vector[J_dam] h_11 = A_dam[1, 1] * ZZ_dam_11 + A_dam[2, 1] * ZZ_dam_21;
    vector[J_dam] h_12 = A_dam[2, 2] * ZZ_dam_21;
    vector[J_dam] h_21 = A_dam[1, 1] * ZZ_dam_21 + A_dam[2, 1] * ZZ_dam_22;
    vector[J_dam] h_22 = A_dam[2, 2] * ZZ_dam_22;
    vector[J_dam] m_11 = 1 + A_dam[1, 1] * h_11 + A_dam[2, 1] * h_21;
    vector[J_dam] m_21 = A_dam[2, 2] * h_21;
    vector[J_dam] m_22 = 1 + A_dam[2, 2] * h_22;
    vector[J_dam] d_1 = m_11;
    vector[J_dam] i_1 = inv_sqrt(d_1);
    vector[J_dam] l_21 = m_21 .* i_1;
    vector[J_dam] d_2 = m_22 - square(l_21);
    vector[J_dam] i_2 = inv_sqrt(d_2);
    vector[J_dam] b_11 = A_dam[1, 1] * i_1;
    vector[J_dam] b_12 = A_dam[2, 1] * i_1;
    vector[J_dam] b_21 = -i_2 .* (l_21 .* b_11);
    vector[J_dam] b_22 = (A_dam[2, 2] - l_21 .* b_12) .* i_2;
    matrix[J_dam, K + 1] U_1 = rep_matrix(b_11, K + 1) .* ZR_dam_1;
    U_1 += rep_matrix(b_12, K + 1) .* ZR_dam_2; // B Z'R
    matrix[J_dam, K + 1] U_2 = rep_matrix(b_21, K + 1) .* ZR_dam_1;
    U_2 += rep_matrix(b_22, K + 1) .* ZR_dam_2;
    S -= crossprod(U_1);
    S -= crossprod(U_2);
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
    vector[J_dam] e_1 = ZR_dam_1[ : , 1] - ZR_dam_1[ : , 2 : ] * c; // Z'(y - the rest)
    vector[J_dam] e_2 = ZR_dam_2[ : , 1] - ZR_dam_2[ : , 2 : ] * c;
    vector[J_dam] g_11 = b_11 .* b_11 + b_21 .* b_21;
    vector[J_dam] g_21 = b_12 .* b_11 + b_22 .* b_21;
    vector[J_dam] g_22 = b_12 .* b_12 + b_22 .* b_22;
    vector[J_dam] z_1 = to_vector(normal_rng(rep_vector(0, J_dam), sigma));
    vector[J_dam] z_2 = to_vector(normal_rng(rep_vector(0, J_dam), sigma));
    b_dam[ : , 1] = g_11 .* e_1 + g_21 .* e_2;
    b_dam[ : , 1] += b_11 .* z_1 + b_21 .* z_2;
    b_dam[ : , 2] = g_21 .* e_1 + g_22 .* e_2;
    b_dam[ : , 2] += b_12 .* z_1 + b_22 .* z_2;
  }

  corr_matrix[Q_dam] R_dam;
  R_dam = multiply_lower_tri_self_transpose(L_dam);
}
