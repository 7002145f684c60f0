// MCMCglmm(sex ~ trait - 1, random = ~us(trait):dam, rcov = ~us(trait):units, family = "categorical")
//
//   y     ~ multi_normal(X beta + Z_dam b_dam[dam], sigma^2 D R D)
//   b_dam ~ multi_normal(0, D R_dam D),  D = diag(sd_dam)
//   y_sex ~ categorical(softmax([0, y[rows_sex_Male], y[rows_sex_UNK]]))
//
// D = diag(d), d = var_ratio[trait]
// R: errors at s and t, as.integer(trait) within units, correlate cor_R[s, t].
// l_sex_Male are the y of sex.Male, predictor and residual: they are sampled.
// l_sex_UNK are the y of sex.UNK, predictor and residual: they are sampled.
functions {
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

  // log(P(y = c + 1) / P(y = 1)) = mu[ : , c]
  real categorical_rows_lpmf(array[] int y, matrix mu) {
    vector[rows(mu)] total = rep_vector(0, rows(mu));
    real lp = 0;
    for (c in 1 : cols(mu)) {
      lp += sum(mu[rows_of(y, c + 1, c + 1), c]);
      total = log_sum_exp(total, mu[ : , c]);
    }
    return lp - sum(total);
  }
}
data {
  int<lower=1> N; // observations
  vector[N] y; // `sex by trait`
  array[N] int<lower=1, upper=N> row; // the rows by block and time

  int<lower=1> K; // population effects
  matrix[N, K] X; // trait - 1
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_dam; // levels of dam
  int<lower=1> Q_dam; // effects per level
  array[N] int<lower=1, upper=J_dam> dam;
  matrix[N, Q_dam] Z_dam; // 0 + trait

  real<lower=0> sigma; // known: residual sd

  int<lower=1> strata; // strata of the errors, trait
  array[N] int<lower=1, upper=strata> stratum;
  vector[strata] var_ratio; // sd over the first's

  int<lower=1> patterns; // of positions that a block has
  array[patterns] int<lower=1> begin; // the cells of each: one for every position
  array[patterns] int<lower=1> end;
  array[end[patterns]] int<lower=1> position; // of a cell
  array[end[patterns]] int<lower=1> start; // its rows, those of a block at the same place
  array[end[patterns]] int<lower=1> stop;
  array[N] int<lower=1, upper=N> cell_row;
  int<lower=1> M; // positions in a block
  cholesky_factor_corr[M] cor_L; // R = L L'

  int<lower=1> N_sex; // observations of sex
  array[N_sex] int<lower=1, upper=N> rows_sex_Male; // their rows, sex.Male
  array[N_sex] int<lower=1, upper=N> rows_sex_UNK; // their rows, sex.UNK
  array[N_sex] int<lower=1, upper=3> y_sex; // sex

  // prior locations and scales
  vector[K] beta_loc;
  vector<lower=0>[K] beta_scale;
  vector<lower=0>[Q_dam] sd_dam_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  vector<lower=0>[Q_dam] sd_dam;
  cholesky_factor_corr[Q_dam] L_dam; // R_dam = L L'
  matrix[Q_dam, J_dam] z_dam; // b_dam, non-centred

  vector[N_sex] l_sex_Male;
  vector[N_sex] l_sex_UNK;
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  matrix[J_dam, Q_dam] b_dam;
  b_dam = (diag_pre_multiply(sd_dam, L_dam) * z_dam)';

  matrix[M, M] cor_R = multiply_lower_tri_self_transpose(cor_L);
}
model {
  vector[N] l = y;
  l[rows_sex_Male] = l_sex_Male;
  l[rows_sex_UNK] = l_sex_UNK;
  vector[N] mu = Q * theta;
  mu += rows_dot_product(Z_dam, b_dam[dam]);
  vector[N] d = var_ratio[stratum];
  vector[N] e = ((l - mu) ./ d)[row];
  vector[N] w = e;
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
  w ~ normal(0, sigma);
  target += -log_root - sum(log(d));
  y_sex ~ categorical_rows(append_col(l_sex_Male, l_sex_UNK));

  beta ~ normal(beta_loc, beta_scale);
  sd_dam ~ student_t(3, 0, sd_dam_scale);
  L_dam ~ lkj_corr_cholesky(1);
  to_vector(z_dam) ~ std_normal();
}
generated quantities {
  corr_matrix[Q_dam] R_dam;
  R_dam = multiply_lower_tri_self_transpose(L_dam);
}
