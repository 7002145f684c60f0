// gls(follicles ~ Time, correlation = corARMA(form = ~1 | Mare, p = 2, q = 1))
//
//   y ~ multi_normal(X beta, sigma^2 R)
//
// R: errors at s and t, order within Mare, correlate as lag |s - t| does.
functions {
  // coefficients of the autoregression with these partial autocorrelations
  vector stationary(vector partial) {
    int n = size(partial);
    vector[n] phi = partial;
    for (k in 2 : n) {
      vector[k - 1] before = phi[1 : k - 1];
      phi[1 : k - 1] = before - partial[k] * reverse(before);
    }
    return phi;
  }
  // autocorrelations of an ARMA process at the lags 0 to longest
  vector arma(vector phi, vector theta, int longest) {
    int p = size(phi);
    int q = size(theta);
    int n = max(longest, p);
    vector[q + 1] weight = append_row(1, theta);
    vector[q + 1] psi = weight;
    vector[max(n, q) + 1] right = rep_vector(0, max(n, q) + 1);
    matrix[p + 1, p + 1] left = identity_matrix(p + 1);
    for (j in 1 : q) {
      for (i in 1 : min(p, j)) {
        psi[j + 1] += phi[i] * psi[j + 1 - i];
      }
    }
    for (k in 0 : q) {
      right[k + 1] = dot_product(weight[k + 1 : ], psi[1 : q + 1 - k]);
    }
    for (k in 0 : p) {
      for (i in 1 : p) {
        left[k + 1, abs(k - i) + 1] -= phi[i];
      }
    }
    vector[n + 1] covariance = right[1 : n + 1];
    covariance[1 : p + 1] = left \ right[1 : p + 1];
    for (k in p + 1 : n) {
      for (i in 1 : p) {
        covariance[k + 1] += phi[i] * covariance[k + 1 - i];
      }
    }
    return covariance / covariance[1];
  }
  matrix correlations(vector by_lag, array[] int time) {
    int n = size(time);
    matrix[n, n] R;
    for (i in 1 : n) {
      for (j in 1 : n) {
        R[i, j] = by_lag[abs(time[i] - time[j]) + 1];
      }
    }
    return R;
  }
}
data {
  int<lower=1> N; // observations
  vector[N] y; // follicles
  array[N] int<lower=1, upper=N> row; // the rows by block and time

  int<lower=1> K; // population effects
  matrix[N, K] X; // Time
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> B; // blocks, those of one pattern of times together, its longest first
  array[B] int<lower=1, upper=N> first;
  array[B] int<lower=1, upper=N> last;
  int<lower=1> patterns; // of times, where shorter blocks begin as the longest
  array[patterns] int<lower=1, upper=B> begin;
  array[patterns] int<lower=1, upper=B> end;
  int<lower=1> p; // autoregressive terms
  int<lower=1> q; // moving-average terms
  array[N] int time; // by block
  int<lower=1> longest; // lag

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

  vector<lower=-1, upper=1>[p] cor_partial_ar; // partial autocorrelations
  vector<lower=-1, upper=1>[q] cor_partial_ma; // partial ones of the inverse
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  vector[p] cor_phi = stationary(cor_partial_ar);
  vector[q] cor_theta = -stationary(cor_partial_ma);
}
model {
  vector[N] mu = Q * theta;
  vector[N] e = (y - mu)[row];
  vector[N] w;
  real log_root = 0;
  vector[longest + 1] by_lag = arma(cor_phi, cor_theta, longest);
  for (k in 1 : patterns) {
    int m = last[begin[k]] - first[begin[k]] + 1;
    matrix[m, m] R = correlations(by_lag, time[first[begin[k]] : last[begin[k]]]);
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

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sigma ~ student_t(3, 0, sigma_scale);
  cor_partial_ar ~ uniform(-1, 1);
  cor_partial_ma ~ uniform(-1, 1);
}
