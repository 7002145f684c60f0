// MCMCglmm(cbind(cHEIGHT, TICKS) ~ trait - 1, random = ~us(trait):BROOD, rcov = ~us(trait):units, family = c("gaussian", "zipoisson"))
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
// R is that of the positions from the last back to the first: L with the rows cor_known of the last 2.
// R: errors at s and t, as.integer(trait) within units, correlate cor_R[s, t].
// l_TICKS are the y of TICKS, predictor and residual: they are sampled.
// l_zi_TICKS are the y of zi_TICKS, predictor and residual: they are sampled.
functions {
  // the sums of the runs of x that end at last
  vector group_sums(vector x, array[] int last) {
    vector[size(last)] total = cumulative_sum(x)[last];
    return append_row(total[1], total[2 : ] - total[ : size(last) - 1]);
  }

  // a root of correlations of which the first rows are known
  matrix with_known(matrix L, matrix known) {
    matrix[rows(L), rows(L)] root = L;
    root[1 : rows(known), 1 : rows(known)] = known;
    return root;
  }
  // correlations of positions that are numbered from the last
  matrix backwards(matrix R) {
    int k = rows(R);
    matrix[k, k] turned;
    for (i in 1 : k) {
      turned[i] = reverse(R[k + 1 - i]);
    }
    return turned;
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

  // D R R' D, D = sigma diag(ratio, known) and R = L with the first rows root, both from the last to the
  // first, is inverse Wishart with nu degrees of freedom and the scale matrix nu V, given the block of
  // the known; the density of ratio and of the other rows of L, constants left out
  real inverse_wishart_given_latter_lpdf(vector ratio, real sigma, vector known, matrix L,
                                         matrix root, real nu, matrix V) {
    int p = size(ratio);
    int m = size(known);
    matrix[m + p, m + p] R = L;
    R[1 : m, 1 : m] = root;
    vector[m + p] sd = sigma * reverse(append_row(ratio, known));
    vector[m + p] power = nu + 1 + linspaced_vector(m + p, 1, m + p);
    R = mdivide_left_tri_low(diag_pre_multiply(sd, R), cholesky_decompose(V));
    return -(nu + 1) * sum(log(ratio)) - dot_product(power[m + 1 : ], log(diagonal(L)[m + 1 : ]))
           - 0.5 * nu * sum(square(R));
  }
}
data {
  int<lower=1> N; // observations of `cHEIGHT, TICKS`
  int<lower=1> K; // population effects, trait - 1
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  matrix[N, K + 4] rows; // [r Q Z_BROOD], r = y - Q theta_hat

  int<lower=1> J_BROOD; // levels of BROOD
  int<lower=1> Q_BROOD; // effects per level, 0 + trait
  array[J_BROOD] int<lower=1, upper=N> last_BROOD; // the last row of every level

  real<lower=0> sigma; // known: residual sd

  int<lower=1> strata; // strata of the errors, trait
  array[N] int<lower=1, upper=strata> stratum;
  vector[2] var_ratio_known; // of the first strata

  int<lower=1> patterns; // of positions that a block has
  array[patterns] int<lower=1> begin; // the cells of each: one for every position
  array[patterns] int<lower=1> end;
  array[end[patterns]] int<lower=1> position; // of a cell
  array[end[patterns]] int<lower=1> start; // its rows, those of a block at the same place
  array[end[patterns]] int<lower=1> stop;
  array[N] int<lower=1, upper=N> cell_row;
  int<lower=1> M; // positions in a block
  matrix[2, 2] cor_known; // the first rows of the root

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

  vector<lower=0>[strata - 2] var_ratio; // sd over the first's

  cholesky_factor_corr[M] cor_L; // R = L L'

  vector[N_TICKS] l_TICKS;
  vector[N_TICKS] l_zi_TICKS;
}
transformed parameters {
  matrix[M, M] cor_R = backwards(tcrossprod(with_known(cor_L, cor_known)));
}
model {
  vector[N] d = append_row(var_ratio_known, var_ratio)[stratum];
  vector[N] r = rows[ : , 1];
  r[rows_TICKS] += l_TICKS;
  r[rows_zi_TICKS] += l_zi_TICKS;
  matrix[N, K + 4] R = append_col(r, rows[ : , 2 : ]);
  matrix[N, K + 4] e = R ./ rep_matrix(d, K + 4);
  matrix[N, K + 4] w = e;
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
  vector[N] Z_3 = w[ : , K + 4];
  vector[J_BROOD] ZZ_BROOD_11 = group_sums(Z_1 .* Z_1, last_BROOD);
  vector[J_BROOD] ZZ_BROOD_21 = group_sums(Z_2 .* Z_1, last_BROOD);
  vector[J_BROOD] ZZ_BROOD_22 = group_sums(Z_2 .* Z_2, last_BROOD);
  vector[J_BROOD] ZZ_BROOD_31 = group_sums(Z_3 .* Z_1, last_BROOD);
  vector[J_BROOD] ZZ_BROOD_32 = group_sums(Z_3 .* Z_2, last_BROOD);
  vector[J_BROOD] ZZ_BROOD_33 = group_sums(Z_3 .* Z_3, last_BROOD);
  matrix[J_BROOD, K + 1] ZR_BROOD_1;
  matrix[J_BROOD, K + 1] ZR_BROOD_2;
  matrix[J_BROOD, K + 1] ZR_BROOD_3;
  for (k in 1 : K + 1) {
    ZR_BROOD_1[ : , k] = group_sums(Z_1 .* w[ : , k], last_BROOD);
    ZR_BROOD_2[ : , k] = group_sums(Z_2 .* w[ : , k], last_BROOD);
    ZR_BROOD_3[ : , k] = group_sums(Z_3 .* w[ : , k], last_BROOD);
  }
  matrix[Q_BROOD, Q_BROOD] A_BROOD = diag_pre_multiply(sd_BROOD, L_BROOD) / sigma;
  vector[J_BROOD] h_11 = A_BROOD[1, 1] * ZZ_BROOD_11;
  h_11 += A_BROOD[2, 1] * ZZ_BROOD_21;
  h_11 += A_BROOD[3, 1] * ZZ_BROOD_31;
  vector[J_BROOD] h_12 = A_BROOD[2, 2] * ZZ_BROOD_21;
  h_12 += A_BROOD[3, 2] * ZZ_BROOD_31;
  vector[J_BROOD] h_13 = A_BROOD[3, 3] * ZZ_BROOD_31;
  vector[J_BROOD] h_21 = A_BROOD[1, 1] * ZZ_BROOD_21;
  h_21 += A_BROOD[2, 1] * ZZ_BROOD_22;
  h_21 += A_BROOD[3, 1] * ZZ_BROOD_32;
  vector[J_BROOD] h_22 = A_BROOD[2, 2] * ZZ_BROOD_22;
  h_22 += A_BROOD[3, 2] * ZZ_BROOD_32;
  vector[J_BROOD] h_23 = A_BROOD[3, 3] * ZZ_BROOD_32;
  vector[J_BROOD] h_31 = A_BROOD[1, 1] * ZZ_BROOD_31;
  h_31 += A_BROOD[2, 1] * ZZ_BROOD_32;
  h_31 += A_BROOD[3, 1] * ZZ_BROOD_33;
  vector[J_BROOD] h_32 = A_BROOD[2, 2] * ZZ_BROOD_32;
  h_32 += A_BROOD[3, 2] * ZZ_BROOD_33;
  vector[J_BROOD] h_33 = A_BROOD[3, 3] * ZZ_BROOD_33;
  vector[J_BROOD] m_11 = 1 + A_BROOD[1, 1] * h_11;
  m_11 += A_BROOD[2, 1] * h_21;
  m_11 += A_BROOD[3, 1] * h_31;
  vector[J_BROOD] m_21 = A_BROOD[2, 2] * h_21;
  m_21 += A_BROOD[3, 2] * h_31;
  vector[J_BROOD] m_22 = 1 + A_BROOD[2, 2] * h_22;
  m_22 += A_BROOD[3, 2] * h_32;
  vector[J_BROOD] m_31 = A_BROOD[3, 3] * h_31;
  vector[J_BROOD] m_32 = A_BROOD[3, 3] * h_32;
  vector[J_BROOD] m_33 = 1 + A_BROOD[3, 3] * h_33;
  vector[J_BROOD] d_1 = m_11;
  vector[J_BROOD] i_1 = inv_sqrt(d_1);
  vector[J_BROOD] l_21 = m_21 .* i_1;
  vector[J_BROOD] d_2 = m_22 - square(l_21);
  vector[J_BROOD] i_2 = inv_sqrt(d_2);
  vector[J_BROOD] l_31 = m_31 .* i_1;
  vector[J_BROOD] l_32 = (m_32 - l_31 .* l_21) .* i_2;
  vector[J_BROOD] d_3 = m_33 - square(l_31) - square(l_32);
  vector[J_BROOD] i_3 = inv_sqrt(d_3);
  vector[J_BROOD] b_11 = A_BROOD[1, 1] * i_1;
  vector[J_BROOD] b_12 = A_BROOD[2, 1] * i_1;
  vector[J_BROOD] b_13 = A_BROOD[3, 1] * i_1;
  vector[J_BROOD] b_21 = -i_2 .* (l_21 .* b_11);
  vector[J_BROOD] b_22 = (A_BROOD[2, 2] - l_21 .* b_12) .* i_2;
  vector[J_BROOD] b_23 = (A_BROOD[3, 2] - l_21 .* b_13) .* i_2;
  vector[J_BROOD] b_31 = -i_3 .* (l_31 .* b_11 + l_32 .* b_21);
  vector[J_BROOD] b_32 = -i_3 .* (l_31 .* b_12 + l_32 .* b_22);
  vector[J_BROOD] b_33 = (A_BROOD[3, 3] - l_31 .* b_13 - l_32 .* b_23) .* i_3;
  matrix[J_BROOD, K + 1] U_1 = rep_matrix(b_11, K + 1) .* ZR_BROOD_1;
  U_1 += rep_matrix(b_12, K + 1) .* ZR_BROOD_2;
  U_1 += rep_matrix(b_13, K + 1) .* ZR_BROOD_3; // B Z'R
  matrix[J_BROOD, K + 1] U_2 = rep_matrix(b_21, K + 1) .* ZR_BROOD_1;
  U_2 += rep_matrix(b_22, K + 1) .* ZR_BROOD_2;
  U_2 += rep_matrix(b_23, K + 1) .* ZR_BROOD_3;
  matrix[J_BROOD, K + 1] U_3 = rep_matrix(b_31, K + 1) .* ZR_BROOD_1;
  U_3 += rep_matrix(b_32, K + 1) .* ZR_BROOD_2;
  U_3 += rep_matrix(b_33, K + 1) .* ZR_BROOD_3;
  S -= crossprod(U_1);
  S -= crossprod(U_2);
  S -= crossprod(U_3);
  real rr = S[1, 1];
  vector[K] Qr = S[2 : , 1];
  matrix[K, K] QQ = S[2 : , 2 : ];
  matrix[K, K] P = QQ / square(sigma) + prior_precision;
  vector[K] h = Qr / square(sigma) + prior_linear;
  matrix[K, K] L_P = cholesky_decompose(P);
  vector[K] v_P = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * rr / square(sigma);
  target += -log_root - sum(log(d));
  target += -0.5 * (sum(log(d_1)) + sum(log(d_2)) + sum(log(d_3)));
  target += 0.5 * dot_self(v_P) - sum(log(diagonal(L_P)));
  y_TICKS ~ zipoisson(l_TICKS, l_zi_TICKS);

  sd_BROOD ~ inverse_wishart_sds(L_BROOD, sd_BROOD_nu, sd_BROOD_scale_matrix);
  var_ratio ~ inverse_wishart_given_latter(sigma, var_ratio_known, cor_L, cor_known, var_ratio_nu,
                                           var_ratio_of_errors);
}
generated quantities {
  vector[K] beta;
  matrix[J_BROOD, Q_BROOD] b_BROOD;
  {
    vector[N] d = append_row(var_ratio_known, var_ratio)[stratum];
    vector[N] r = rows[ : , 1];
    r[rows_TICKS] += l_TICKS;
    r[rows_zi_TICKS] += l_zi_TICKS;
    matrix[N, K + 4] R = append_col(r, rows[ : , 2 : ]);
    matrix[N, K + 4] e = R ./ rep_matrix(d, K + 4);
    matrix[N, K + 4] w = e;
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
    vector[N] Z_3 = w[ : , K + 4];
    vector[J_BROOD] ZZ_BROOD_11 = group_sums(Z_1 .* Z_1, last_BROOD);
    vector[J_BROOD] ZZ_BROOD_21 = group_sums(Z_2 .* Z_1, last_BROOD);
    vector[J_BROOD] ZZ_BROOD_22 = group_sums(Z_2 .* Z_2, last_BROOD);
    vector[J_BROOD] ZZ_BROOD_31 = group_sums(Z_3 .* Z_1, last_BROOD);
    vector[J_BROOD] ZZ_BROOD_32 = group_sums(Z_3 .* Z_2, last_BROOD);
    vector[J_BROOD] ZZ_BROOD_33 = group_sums(Z_3 .* Z_3, last_BROOD);
    matrix[J_BROOD, K + 1] ZR_BROOD_1;
    matrix[J_BROOD, K + 1] ZR_BROOD_2;
    matrix[J_BROOD, K + 1] ZR_BROOD_3;
    for (k in 1 : K + 1) {
      ZR_BROOD_1[ : , k] = group_sums(Z_1 .* w[ : , k], last_BROOD);
      ZR_BROOD_2[ : , k] = group_sums(Z_2 .* w[ : , k], last_BROOD);
      ZR_BROOD_3[ : , k] = group_sums(Z_3 .* w[ : , k], last_BROOD);
    }
    matrix[Q_BROOD, Q_BROOD] A_BROOD = diag_pre_multiply(sd_BROOD, L_BROOD) / sigma;
    vector[J_BROOD] h_11 = A_BROOD[1, 1] * ZZ_BROOD_11;
    h_11 += A_BROOD[2, 1] * ZZ_BROOD_21;
    h_11 += A_BROOD[3, 1] * ZZ_BROOD_31;
    vector[J_BROOD] h_12 = A_BROOD[2, 2] * ZZ_BROOD_21;
    h_12 += A_BROOD[3, 2] * ZZ_BROOD_31;
    vector[J_BROOD] h_13 = A_BROOD[3, 3] * ZZ_BROOD_31;
    vector[J_BROOD] h_21 = A_BROOD[1, 1] * ZZ_BROOD_21;
    h_21 += A_BROOD[2, 1] * ZZ_BROOD_22;
    h_21 += A_BROOD[3, 1] * ZZ_BROOD_32;
    vector[J_BROOD] h_22 = A_BROOD[2, 2] * ZZ_BROOD_22;
    h_22 += A_BROOD[3, 2] * ZZ_BROOD_32;
    vector[J_BROOD] h_23 = A_BROOD[3, 3] * ZZ_BROOD_32;
    vector[J_BROOD] h_31 = A_BROOD[1, 1] * ZZ_BROOD_31;
    h_31 += A_BROOD[2, 1] * ZZ_BROOD_32;
    h_31 += A_BROOD[3, 1] * ZZ_BROOD_33;
    vector[J_BROOD] h_32 = A_BROOD[2, 2] * ZZ_BROOD_32;
    h_32 += A_BROOD[3, 2] * ZZ_BROOD_33;
    vector[J_BROOD] h_33 = A_BROOD[3, 3] * ZZ_BROOD_33;
    vector[J_BROOD] m_11 = 1 + A_BROOD[1, 1] * h_11;
    m_11 += A_BROOD[2, 1] * h_21;
    m_11 += A_BROOD[3, 1] * h_31;
    vector[J_BROOD] m_21 = A_BROOD[2, 2] * h_21;
    m_21 += A_BROOD[3, 2] * h_31;
    vector[J_BROOD] m_22 = 1 + A_BROOD[2, 2] * h_22;
    m_22 += A_BROOD[3, 2] * h_32;
    vector[J_BROOD] m_31 = A_BROOD[3, 3] * h_31;
    vector[J_BROOD] m_32 = A_BROOD[3, 3] * h_32;
    vector[J_BROOD] m_33 = 1 + A_BROOD[3, 3] * h_33;
    vector[J_BROOD] d_1 = m_11;
    vector[J_BROOD] i_1 = inv_sqrt(d_1);
    vector[J_BROOD] l_21 = m_21 .* i_1;
    vector[J_BROOD] d_2 = m_22 - square(l_21);
    vector[J_BROOD] i_2 = inv_sqrt(d_2);
    vector[J_BROOD] l_31 = m_31 .* i_1;
    vector[J_BROOD] l_32 = (m_32 - l_31 .* l_21) .* i_2;
    vector[J_BROOD] d_3 = m_33 - square(l_31) - square(l_32);
    vector[J_BROOD] i_3 = inv_sqrt(d_3);
    vector[J_BROOD] b_11 = A_BROOD[1, 1] * i_1;
    vector[J_BROOD] b_12 = A_BROOD[2, 1] * i_1;
    vector[J_BROOD] b_13 = A_BROOD[3, 1] * i_1;
    vector[J_BROOD] b_21 = -i_2 .* (l_21 .* b_11);
    vector[J_BROOD] b_22 = (A_BROOD[2, 2] - l_21 .* b_12) .* i_2;
    vector[J_BROOD] b_23 = (A_BROOD[3, 2] - l_21 .* b_13) .* i_2;
    vector[J_BROOD] b_31 = -i_3 .* (l_31 .* b_11 + l_32 .* b_21);
    vector[J_BROOD] b_32 = -i_3 .* (l_31 .* b_12 + l_32 .* b_22);
    vector[J_BROOD] b_33 = (A_BROOD[3, 3] - l_31 .* b_13 - l_32 .* b_23) .* i_3;
    matrix[J_BROOD, K + 1] U_1 = rep_matrix(b_11, K + 1) .* ZR_BROOD_1;
    U_1 += rep_matrix(b_12, K + 1) .* ZR_BROOD_2;
    U_1 += rep_matrix(b_13, K + 1) .* ZR_BROOD_3; // B Z'R
    matrix[J_BROOD, K + 1] U_2 = rep_matrix(b_21, K + 1) .* ZR_BROOD_1;
    U_2 += rep_matrix(b_22, K + 1) .* ZR_BROOD_2;
    U_2 += rep_matrix(b_23, K + 1) .* ZR_BROOD_3;
    matrix[J_BROOD, K + 1] U_3 = rep_matrix(b_31, K + 1) .* ZR_BROOD_1;
    U_3 += rep_matrix(b_32, K + 1) .* ZR_BROOD_2;
    U_3 += rep_matrix(b_33, K + 1) .* ZR_BROOD_3;
    S -= crossprod(U_1);
    S -= crossprod(U_2);
    S -= crossprod(U_3);
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
    vector[J_BROOD] e_3 = ZR_BROOD_3[ : , 1] - ZR_BROOD_3[ : , 2 : ] * c;
    vector[J_BROOD] g_11 = b_11 .* b_11 + b_21 .* b_21 + b_31 .* b_31;
    vector[J_BROOD] g_21 = b_12 .* b_11 + b_22 .* b_21 + b_32 .* b_31;
    vector[J_BROOD] g_22 = b_12 .* b_12 + b_22 .* b_22 + b_32 .* b_32;
    vector[J_BROOD] g_31 = b_13 .* b_11 + b_23 .* b_21 + b_33 .* b_31;
    vector[J_BROOD] g_32 = b_13 .* b_12 + b_23 .* b_22 + b_33 .* b_32;
    vector[J_BROOD] g_33 = b_13 .* b_13 + b_23 .* b_23 + b_33 .* b_33;
    vector[J_BROOD] z_1 = to_vector(normal_rng(rep_vector(0, J_BROOD), sigma));
    vector[J_BROOD] z_2 = to_vector(normal_rng(rep_vector(0, J_BROOD), sigma));
    vector[J_BROOD] z_3 = to_vector(normal_rng(rep_vector(0, J_BROOD), sigma));
    b_BROOD[ : , 1] = g_11 .* e_1 + g_21 .* e_2 + g_31 .* e_3;
    b_BROOD[ : , 1] += b_11 .* z_1 + b_21 .* z_2 + b_31 .* z_3;
    b_BROOD[ : , 2] = g_21 .* e_1 + g_22 .* e_2 + g_32 .* e_3;
    b_BROOD[ : , 2] += b_12 .* z_1 + b_22 .* z_2 + b_32 .* z_3;
    b_BROOD[ : , 3] = g_31 .* e_1 + g_32 .* e_2 + g_33 .* e_3;
    b_BROOD[ : , 3] += b_13 .* z_1 + b_23 .* z_2 + b_33 .* z_3;
  }

  corr_matrix[Q_BROOD] R_BROOD;
  R_BROOD = multiply_lower_tri_self_transpose(L_BROOD);
}
