// gls(distance ~ age, correlation = corExp(form = ~age | Subject, nugget = TRUE), weights = varConstProp(form = ~age, fixed = list(const = 1)))
//
//   y ~ multi_normal(X beta, sigma^2 D R D)
//
// beta is integrated out: NUTS sees the other parameters alone, the rest is drawn exactly.
// Q = X R_inverse has orthogonal columns, theta_hat are their least-squares effects, r = y - Q theta_hat.
// R = [r Q] and the columns Z_j of a level are made independent first, rows w.
// D = diag(d), d = sqrt(var_const^2 + (var_prop age)^2)
// R: errors at s and t, age within Subject, correlate exp(-d / cor_range) times 1 - cor_nugget.
functions {
  // distances between places
  matrix distances(data matrix place) {
    int n = rows(place);
    matrix[n, n] d = rep_matrix(0, n, n);
    for (k in 1 : cols(place)) {
      vector[n] at = col(place, k);
      matrix[n, n] gap = rep_matrix(at, n) - rep_matrix(at', n);
      d += square(gap);
    }
    return sqrt(d);
  }
  // correlations of the errors at places
  matrix correlations(data matrix place, real range, real nugget) {
    int n = rows(place);
    matrix[n, n] u = distances(place) / range;
    matrix[n, n] share = exp(-u);
    return add_diag((1 - nugget) * share, nugget);
  }
}
data {
  int<lower=1> N; // observations of distance
  int<lower=1> K; // population effects, age
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  matrix[N, K + 1] rows; // [r Q], r = y - Q theta_hat

  vector[N] v; // age
  real var_const; // constant part

  int<lower=1> B; // blocks, those of one pattern of times together, its longest first
  array[B] int<lower=1, upper=N> first;
  array[B] int<lower=1, upper=N> last;
  int<lower=1> patterns; // of times, where shorter blocks begin as the longest
  array[patterns] int<lower=1, upper=B> begin;
  array[patterns] int<lower=1, upper=B> end;
  int<lower=1> axes; // coordinates
  matrix[N, axes] place; // by block

  // prior locations and scales
  int<lower=1> K_prior; // statements on beta
  matrix[K_prior, K] C; // C beta ~ normal(beta_loc, beta_scale)
  vector[K_prior] beta_loc;
  vector<lower=0>[K_prior] beta_scale;
  real<lower=0> sigma_scale;
  real<lower=0> var_prop_scale;
  real cor_range_loc;
  real<lower=0> cor_range_scale;
}
transformed data {
  // the prior of theta - theta_hat: its precision, and that times its mean
  matrix[K_prior, K] C_theta = diag_pre_multiply(inv(beta_scale), C * R_inverse);
  vector[K_prior] gap = (beta_loc - C * (R_inverse * theta_hat)) ./ beta_scale;
  matrix[K, K] prior_precision = crossprod(C_theta);
  vector[K] prior_linear = C_theta' * gap;
}
parameters {
  real<lower=0> sigma; // residual sd

  real<lower=0> var_prop; // proportional part

  real<lower=0> cor_range; // range of correlation
  real<lower=0, upper=1> cor_nugget; // share of the error at a point
}
model {
  vector[N] d = sqrt(square(var_const) + square(var_prop * v));
  matrix[N, K + 1] e = rows ./ rep_matrix(d, K + 1);
  matrix[N, K + 1] w;
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
  matrix[K + 1, K + 1] S = crossprod(w[ : , 1 : K + 1]);
  real rr = S[1, 1];
  vector[K] Qr = S[2 : , 1];
  matrix[K, K] QQ = S[2 : , 2 : ];
  matrix[K, K] P = QQ / square(sigma) + prior_precision;
  vector[K] h = Qr / square(sigma) + prior_linear;
  matrix[K, K] L_P = cholesky_decompose(P);
  vector[K] v_P = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * rr / square(sigma);
  target += -log_root - sum(log(d));
  target += 0.5 * dot_self(v_P) - sum(log(diagonal(L_P)));

  sigma ~ student_t(3, 0, sigma_scale);
  var_prop ~ student_t(3, 0, var_prop_scale);
  cor_range ~ lognormal(cor_range_loc, cor_range_scale);
  cor_nugget ~ uniform(0, 1);
}
generated quantities {
  vector[K] beta;
  {
    vector[N] d = sqrt(square(var_const) + square(var_prop * v));
    matrix[N, K + 1] e = rows ./ rep_matrix(d, K + 1);
    matrix[N, K + 1] w;
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
    matrix[K + 1, K + 1] S = crossprod(w[ : , 1 : K + 1]);
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
  }
}
