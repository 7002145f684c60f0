// gls(follicles ~ 0, correlation = corSpher(form = ~Time | Mare, nugget = TRUE, metric = "manhattan"))
//
//   y ~ multi_normal(0, sigma^2 R)
//
// R: errors at s and t, Time within Mare, correlate 1 - 1.5 u + 0.5 u^3, u = d / cor_range, or 0 beyond it times 1 - cor_nugget.
functions {
  // distances between places
  matrix distances(data matrix place) {
    int n = rows(place);
    matrix[n, n] d = rep_matrix(0, n, n);
    for (k in 1 : cols(place)) {
      vector[n] at = col(place, k);
      matrix[n, n] gap = rep_matrix(at, n) - rep_matrix(at', n);
      d += abs(gap);
    }
    return d;
  }
  // correlations of the errors at places
  matrix correlations(data matrix place, real range, real nugget) {
    int n = rows(place);
    matrix[n, n] u = fmin(distances(place) / range, 1);
    matrix[n, n] share = 1 - 1.5 * u + 0.5 * u .^ 3;
    return add_diag((1 - nugget) * share, nugget);
  }
}
data {
  int<lower=1> N; // observations
  vector[N] y; // follicles
  array[N] int<lower=1, upper=N> row; // the rows by block and time

  int<lower=1> B; // blocks, those of one pattern of times together, its longest first
  array[B] int<lower=1, upper=N> first;
  array[B] int<lower=1, upper=N> last;
  int<lower=1> patterns; // of times, where shorter blocks begin as the longest
  array[patterns] int<lower=1, upper=B> begin;
  array[patterns] int<lower=1, upper=B> end;
  int<lower=1> axes; // coordinates
  matrix[N, axes] place; // by block

  // prior locations and scales
  real<lower=0> sigma_scale;
  real cor_range_loc;
  real<lower=0> cor_range_scale;
}
parameters {
  real<lower=0> sigma; // residual sd

  real<lower=0> cor_range; // range of correlation
  real<lower=0, upper=1> cor_nugget; // share of the error at a point
}
model {
  vector[N] mu = rep_vector(0, N);
  vector[N] e = (y - mu)[row];
  vector[N] w;
  real log_root = 0;
  for (k in 1 : patterns) {
    int m = last[begin[k]] - first[begin[k]] + 1;
    matrix[m, m] R = correlations(place[first[begin[k]] : last[begin[k]]], cor_range, cor_nugget);
    matrix[m, m] L = cholesky_decompose(R);
    vector[m] root = log(diagonal(L));
    for (b in begin[k] : end[k]) {
      int n = last[b] - first[b] + 1;
      w[first[b] : last[b]] = mdivide_left_tri_low(L[1 : n, 1 : n], e[first[b] : last[b]]);
      log_root += sum(root[1 : n]);
    }
  }
  w ~ normal(0, sigma);
  target += -log_root;

  sigma ~ student_t(3, 0, sigma_scale);
  cor_range ~ lognormal(cor_range_loc, cor_range_scale);
  cor_nugget ~ uniform(0, 1);
}
