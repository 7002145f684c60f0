// gls(distance ~ age, correlation = corSymm(form = ~1 | Subject), weights = varIdent(form = ~1 | age, fixed = c(`10` = 0.9)))
//
//   y ~ multi_normal(X beta, sigma^2 D R D)
//
// D = diag(d), d = var_ratio[age]
// R: errors at s and t, order within Subject, correlate cor_R[s, t].
data {
  int<lower=1> N; // observations
  vector[N] y; // distance
  array[N] int<lower=1, upper=N> row; // the rows by block and time

  int<lower=1> K; // population effects
  matrix[N, K] X; // age
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> strata; // strata of the errors, age
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

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  real<lower=0> sigma_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  real<lower=0> sigma; // residual sd

  vector<lower=0>[strata - 2] var_ratio; // sd over the first's

  cholesky_factor_corr[M] cor_L; // R = L L'
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  matrix[M, M] cor_R = multiply_lower_tri_self_transpose(cor_L);
}
model {
  vector[N] mu = Q * theta;
  vector[N] d = append_row(var_ratio_known, var_ratio)[stratum];
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

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sigma ~ student_t(3, 0, sigma_scale);
  var_ratio ~ lognormal(0, 1);
  cor_L ~ lkj_corr_cholesky(1);
}
