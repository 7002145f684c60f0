// brm(mvbind(tarsus, back) ~ hatchdate + (1 | p | dam))
//
//   y     ~ multi_normal(X beta + Z_dam b_dam[dam], sigma^2 D R D)
//   b_dam ~ multi_normal(0, D R_dam D),  D = diag(sd_dam)
//
// D = diag(d), d = var_ratio[trait]
// R: errors at s and t, as.integer(trait) within units, correlate cor_R[s, t].
data {
  int<lower=1> N; // observations
  vector[N] y; // `tarsus, back`
  array[N] int<lower=1, upper=N> row; // the rows by block and time

  int<lower=1> K; // population effects
  matrix[N, K] X; // 0 + trait + trait:hatchdate
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_dam; // levels of dam
  int<lower=1> Q_dam; // effects per level
  array[N] int<lower=1, upper=J_dam> dam;
  matrix[N, Q_dam] Z_dam; // 0 + trait

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
  int<lower=1> K_means; // responses with an intercept
  matrix[K_means, K] X_means; // means of the columns of X in the rows of each
  vector[K_means] intercepts_loc;
  vector<lower=0>[K_means] intercepts_scale;
  int<lower=1> K_others; // coefficients that are no intercepts
  array[K_others] int<lower=1, upper=K> others;
  real beta_normal_loc;
  real<lower=0> beta_normal_scale;
  vector<lower=0>[Q_dam] sd_dam_scale;
  real<lower=0> sigma_scale;
  vector<lower=0>[strata - 1] var_ratio_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  vector<lower=0>[Q_dam] sd_dam;
  cholesky_factor_corr[Q_dam] L_dam; // R_dam = L L'
  matrix[Q_dam, J_dam] z_dam; // b_dam, non-centred

  real<lower=0> sigma; // residual sd

  vector<lower=0>[strata - 1] var_ratio; // sd over the first's

  cholesky_factor_corr[M] cor_L; // R = L L'
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  matrix[J_dam, Q_dam] b_dam;
  b_dam = (diag_pre_multiply(sd_dam, L_dam) * z_dam)';

  matrix[M, M] cor_R = multiply_lower_tri_self_transpose(cor_L);
}
model {
  vector[N] mu = Q * theta;
  mu += rows_dot_product(Z_dam, b_dam[dam]);
  vector[N] d = append_row(1, var_ratio)[stratum];
  vector[N] e = ((y - mu) ./ d)[row];
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

  X_means * beta ~ student_t(3, intercepts_loc, intercepts_scale);
  beta[others][2] ~ normal(beta_normal_loc, beta_normal_scale);
  sd_dam ~ student_t(3, 0, sd_dam_scale);
  L_dam ~ lkj_corr_cholesky(1);
  to_vector(z_dam) ~ std_normal();
  sigma ~ student_t(3, 0, sigma_scale);
  sigma * var_ratio ~ student_t(3, 0, var_ratio_scale);
  target += size(var_ratio) * log(sigma);
  cor_L ~ lkj_corr_cholesky(1);
}
generated quantities {
  corr_matrix[Q_dam] R_dam;
  R_dam = multiply_lower_tri_self_transpose(L_dam);
}
