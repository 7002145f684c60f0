// MCMCglmm(TICKS ~ trait - 1 + at.level(trait, 1):YEAR, random = ~us(trait):BROOD, rcov = ~us(trait):units, family = "zipoisson")
//
//   y       ~ multi_normal(X beta + Z_BROOD b_BROOD[BROOD], sigma^2 D R D)
//   b_BROOD ~ multi_normal(0, D R_BROOD D),  D = diag(sd_BROOD)
//   y_TICKS ~ zipoisson(y[rows_TICKS], y[rows_zi_TICKS])
//
// beta and b_BROOD are integrated out: NUTS sees the other parameters alone, the rest is drawn exactly.
// Q = X R_inverse has orthogonal columns, theta_hat are their least-squares effects, r = y - Q theta_hat.
// R = [r Q] and the columns Z_j of a level are made independent first, rows w.
// With S = R' R - sum_j (Z_j' R)' G_j Z_j' R, S / sigma^2 holds the precision P of the rest and P times its mean.
// G_j = A (I + A' Z_j'Z_j A)^-1 A', with A A' the covariance of the effects of BROOD over sigma^2 and j a level.
// D = diag(d), d = var_ratio[trait]
// R: errors at s and t, as.integer(trait) within units, correlate cor_R[s, t].
// l_TICKS are the y of TICKS, predictor and residual: they are sampled.
// l_zi_TICKS are the y of zi_TICKS, predictor and residual: they are sampled.
functions {
  // the sums of the runs of x that end at last
  vector group_sums(vector x, array[] int last) {
    vector[size(last)] total = cumulative_sum(x)[last];
    return append_row(total[1], total[2 : ] - total[ : size(last) - 1]);
  }

  // the rows whose category is between low and high
  array[] int rows_of(array[] int y, int low, int high) {
    array[num_elements(y)] int rows = rep_array(0, num_elements(y));
    int n = 0;
    for (i in 1 : num_elements(y)) {
      if (y[i] >= low && y[i] <= high) {
        n += 1;
        rows[n] = i;
      }
    }
    return rows[1 : n];
  }

  // counts of mean exp(eta), and with probability inv_logit(zi) a zero instead
  real zipoisson_lpmf(array[] int y, vector eta, vector zi) {
    array[num_elements(rows_of(y, 0, 0))] int zero = rows_of(y, 0, 0);
    array[num_elements(y) - size(zero)] int positive = rows_of(y, 1, max(y));
    return sum(log_sum_exp(zi[zero], -exp(eta[zero]))) - sum(log1p_exp(zi))
           + poisson_log_lpmf(y[positive] | eta[positive]);
  }

  // D L L' D, D = diag(sd), is inverse Wishart with nu degrees of freedom and the scale matrix nu V;
  // the density of sd and L, constants left out
  real inverse_wishart_sds_lpdf(vector sd, matrix L, real nu, matrix V) {
    int k = size(sd);
    matrix[k, k] root = mdivide_left_tri_low(diag_pre_multiply(sd, L), cholesky_decompose(V));
    vector[k] power = nu + 1 + linspaced_vector(k, 1, k);
    return -(nu + 1) * sum(log(sd)) - dot_product(power, log(diagonal(L)))
           - 0.5 * nu * sum(square(root));
  }

  // D L L' D, D = sigma diag(ratio, 1), is inverse Wishart with nu degrees of freedom and the scale
  // matrix nu V, given that its last variance is sigma^2; the density of ratio and L, constants left out
  real inverse_wishart_given_last_lpdf(vector ratio, real sigma, matrix L, real nu, matrix V) {
    int k = 1 + size(ratio);
    vector[k] sd = sigma * append_row(ratio, 1);
    matrix[k, k] root = mdivide_left_tri_low(diag_pre_multiply(sd, L), cholesky_decompose(V));
    vector[k] power = nu + 1 + linspaced_vector(k, 1, k);
    return -(nu + 1) * sum(log(ratio)) - dot_product(power, log(diagonal(L)))
           - 0.5 * nu * sum(square(root));
  }
}
data {
  int<lower=1> N; // observations of `TICKS by trait`
  int<lower=1> K; // population effects, trait - 1 + at.level(trait, 1):YEAR
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  matrix[N, K + 3] rows; // [r Q Z_BROOD], r = y - Q theta_hat

  int<lower=1> J_BROOD; // levels of BROOD
  int<lower=1> Q_BROOD; // effects per level, 0 + trait
  array[J_BROOD] int<lower=1, upper=N> last_BROOD; // the last row of every level

  real<lower=0> sigma; // known: residual sd

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

  int<lower=1> N_TICKS; // observations of TICKS
  array[N_TICKS] int<lower=1, upper=N> rows_TICKS; // their rows, TICKS
  array[N_TICKS] int<lower=1, upper=N> rows_zi_TICKS; // their rows, zi_TICKS
  array[N_TICKS] int<lower=0> y_TICKS; // TICKS

  // prior locations and scales
  int<lower=1> K_prior; // statements on beta
  matrix[K_prior, K] C; // C beta ~ normal(beta_loc, beta_scale)
  vector[K_prior] beta_loc;
  vector<lower=0>[K_prior] beta_scale;
  real<lower=0> sd_BROOD_nu;
  cov_matrix[Q_BROOD] sd_BROOD_scale_matrix;
  real<lower=0> var_ratio_nu;
  cov_matrix[strata] var_ratio_of_errors;
}
transformed data {
  // the prior of theta - theta_hat: its precision, and that times its mean
  matrix[K_prior, K] C_theta = diag_pre_multiply(inv(beta_scale), C * R_inverse);
  vector[K_prior] gap = (beta_loc - C * (R_inverse * theta_hat)) ./ beta_scale;
  matrix[K, K] prior_precision = crossprod(C_theta);
  vector[K] prior_linear = C_theta' * gap;
}
parameters {
  vector<lower=0>[Q_BROOD] sd_BROOD;
  cholesky_factor_corr[Q_BROOD] L_BROOD; // R_BROOD = L L'

  vector<lower=0>[strata - 1] var_ratio; // sd over the first's

  cholesky_factor_corr[M] cor_L; // R = L L'

  vector[N_TICKS] l_TICKS;
  vector[N_TICKS] l_zi_TICKS;
}
transformed parameters {
  matrix[M, M] cor_R = multiply_lower_tri_self_transpose(cor_L);
}
model {
  vector[N] d = append_row(1, var_ratio)[stratum];
  vector[N] r = rows[ : , 1];
  r[rows_TICKS] += l_TICKS;
  r[rows_zi_TICKS] += l_zi_TICKS;
  matrix[N, K + 3] R = append_col(r, rows[ : , 2 : ]);
  matrix[N, K + 3] e = R ./ rep_matrix(d, K + 3);
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
  vector[J_BROOD] ZZ_BROOD_11 = group_sums(Z_1 .* Z_1, last_BROOD);
  vector[J_BROOD] ZZ_BROOD_21 = group_sums(Z_2 .* Z_1, last_BROOD);
  vector[J_BROOD] ZZ_BROOD_22 = group_sums(Z_2 .* Z_2, last_BROOD);
  matrix[J_BROOD, K + 1] ZR_BROOD_1;
  matrix[J_BROOD, K + 1] ZR_BROOD_2;
  for (k in 1 : K + 1) {
    ZR_BROOD_1[ : , k] = group_sums(Z_1 .* w[ : , k], last_BROOD);
    ZR_BROOD_2[ : , k] = group_sums(Z_2 .* w[ : , k], last_BROOD);
  }
  matrix[Q_BROOD, Q_BROOD] A_BROOD = diag_pre_multiply(sd_BROOD, L_BROOD) / sigma;
  vector[J_BROOD] h_11 = A_BROOD[1, 1] * ZZ_BROOD_11 + A_BROOD[2, 1] * ZZ_BROOD_21;
  vector[J_BROOD] h_12 = A_BROOD[2, 2] * ZZ_BROOD_21;
  vector[J_BROOD] h_21 = A_BROOD[1, 1] * ZZ_BROOD_21 + A_BROOD[2, 1] * ZZ_BROOD_22;
  vector[J_BROOD] h_22 = A_BROOD[2, 2] * ZZ_BROOD_22;
  vector[J_BROOD] m_11 = 1 + A_BROOD[1, 1] * h_11 + A_BROOD[2, 1] * h_21;
  vector[J_BROOD] m_21 = A_BROOD[2, 2] * h_21;
  vector[J_BROOD] m_22 = 1 + A_BROOD[2, 2] * h_22;
  vector[J_BROOD] d_1 = m_11;
  vector[J_BROOD] i_1 = inv_sqrt(d_1);
  vector[J_BROOD] l_21 = m_21 .* i_1;
  vector[J_BROOD] d_2 = m_22 - square(l_21);
  vector[J_BROOD] i_2 = inv_sqrt(d_2);
  vector[J_BROOD] b_11 = A_BROOD[1, 1] * i_1;
  vector[J_BROOD] b_12 = A_BROOD[2, 1] * i_1;
  vector[J_BROOD] b_21 = -i_2 .* (l_21 .* b_11);
  vector[J_BROOD] b_22 = (A_BROOD[2, 2] - l_21 .* b_12) .* i_2;
  matrix[J_BROOD, K + 1] U_1 = rep_matrix(b_11, K + 1) .* ZR_BROOD_1;
  U_1 += rep_matrix(b_12, K + 1) .* ZR_BROOD_2; // B Z'R
  matrix[J_BROOD, K + 1] U_2 = rep_matrix(b_21, K + 1) .* ZR_BROOD_1;
  U_2 += rep_matrix(b_22, K + 1) .* ZR_BROOD_2;
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
  y_TICKS ~ zipoisson(l_TICKS, l_zi_TICKS);

  sd_BROOD ~ inverse_wishart_sds(L_BROOD, sd_BROOD_nu, sd_BROOD_scale_matrix);
  var_ratio ~ inverse_wishart_given_last(sigma, cor_L, var_ratio_nu, var_ratio_of_errors);
}
generated quantities {
  vector[K] beta;
  matrix[J_BROOD, Q_BROOD] b_BROOD;
  {
    vector[N] d = append_row(1, var_ratio)[stratum];
    vector[N] r = rows[ : , 1];
    r[rows_TICKS] += l_TICKS;
    r[rows_zi_TICKS] += l_zi_TICKS;
    matrix[N, K + 3] R = append_col(r, rows[ : , 2 : ]);
    matrix[N, K + 3] e = R ./ rep_matrix(d, K + 3);
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
    vector[J_BROOD] ZZ_BROOD_11 = group_sums(Z_1 .* Z_1, last_BROOD);
    vector[J_BROOD] ZZ_BROOD_21 = group_sums(Z_2 .* Z_1, last_BROOD);
    vector[J_BROOD] ZZ_BROOD_22 = group_sums(Z_2 .* Z_2, last_BROOD);
    matrix[J_BROOD, K + 1] ZR_BROOD_1;
    matrix[J_BROOD, K + 1] ZR_BROOD_2;
    for (k in 1 : K + 1) {
      ZR_BROOD_1[ : , k] = group_sums(Z_1 .* w[ : , k], last_BROOD);
      ZR_BROOD_2[ : , k] = group_sums(Z_2 .* w[ : , k], last_BROOD);
    }
    matrix[Q_BROOD, Q_BROOD] A_BROOD = diag_pre_multiply(sd_BROOD, L_BROOD) / sigma;
    vector[J_BROOD] h_11 = A_BROOD[1, 1] * ZZ_BROOD_11 + A_BROOD[2, 1] * ZZ_BROOD_21;
    vector[J_BROOD] h_12 = A_BROOD[2, 2] * ZZ_BROOD_21;
    vector[J_BROOD] h_21 = A_BROOD[1, 1] * ZZ_BROOD_21 + A_BROOD[2, 1] * ZZ_BROOD_22;
    vector[J_BROOD] h_22 = A_BROOD[2, 2] * ZZ_BROOD_22;
    vector[J_BROOD] m_11 = 1 + A_BROOD[1, 1] * h_11 + A_BROOD[2, 1] * h_21;
    vector[J_BROOD] m_21 = A_BROOD[2, 2] * h_21;
    vector[J_BROOD] m_22 = 1 + A_BROOD[2, 2] * h_22;
    vector[J_BROOD] d_1 = m_11;
    vector[J_BROOD] i_1 = inv_sqrt(d_1);
    vector[J_BROOD] l_21 = m_21 .* i_1;
    vector[J_BROOD] d_2 = m_22 - square(l_21);
    vector[J_BROOD] i_2 = inv_sqrt(d_2);
    vector[J_BROOD] b_11 = A_BROOD[1, 1] * i_1;
    vector[J_BROOD] b_12 = A_BROOD[2, 1] * i_1;
    vector[J_BROOD] b_21 = -i_2 .* (l_21 .* b_11);
    vector[J_BROOD] b_22 = (A_BROOD[2, 2] - l_21 .* b_12) .* i_2;
    matrix[J_BROOD, K + 1] U_1 = rep_matrix(b_11, K + 1) .* ZR_BROOD_1;
    U_1 += rep_matrix(b_12, K + 1) .* ZR_BROOD_2; // B Z'R
    matrix[J_BROOD, K + 1] U_2 = rep_matrix(b_21, K + 1) .* ZR_BROOD_1;
    U_2 += rep_matrix(b_22, K + 1) .* ZR_BROOD_2;
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
    vector[J_BROOD] e_1 = ZR_BROOD_1[ : , 1] - ZR_BROOD_1[ : , 2 : ] * c; // Z'(y - the rest)
    vector[J_BROOD] e_2 = ZR_BROOD_2[ : , 1] - ZR_BROOD_2[ : , 2 : ] * c;
    vector[J_BROOD] g_11 = b_11 .* b_11 + b_21 .* b_21;
    vector[J_BROOD] g_21 = b_12 .* b_11 + b_22 .* b_21;
    vector[J_BROOD] g_22 = b_12 .* b_12 + b_22 .* b_22;
    vector[J_BROOD] z_1 = to_vector(normal_rng(rep_vector(0, J_BROOD), sigma));
    vector[J_BROOD] z_2 = to_vector(normal_rng(rep_vector(0, J_BROOD), sigma));
    b_BROOD[ : , 1] = g_11 .* e_1 + g_21 .* e_2;
    b_BROOD[ : , 1] += b_11 .* z_1 + b_21 .* z_2;
    b_BROOD[ : , 2] = g_21 .* e_1 + g_22 .* e_2;
    b_BROOD[ : , 2] += b_12 .* z_1 + b_22 .* z_2;
  }

  corr_matrix[Q_BROOD] R_BROOD;
  R_BROOD = multiply_lower_tri_self_transpose(L_BROOD);
}
