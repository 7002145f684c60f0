// gls(distance ~ age, correlation = corCompSymm(form = ~1 | Subject))
//
//   y ~ multi_normal(X beta, sigma^2 R)
//
// beta is integrated out: NUTS sees the other parameters alone, the rest is drawn exactly.
// Q = X R_inverse has orthogonal columns, theta_hat are their least-squares effects, r = y - Q theta_hat.
// R = [r Q] and the columns Z_j of a level are made independent first, rows w.
// R: errors at s and t, order within Subject, correlate cor_rho.
data {
  int<lower=1> N; // observations of distance
  int<lower=1> K; // population effects, age
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  matrix[N, K + 1] rows; // [r Q], r = y - Q theta_hat

  int<lower=1> B; // blocks
  array[B] int<lower=1, upper=N> first;
  array[B] int<lower=1, upper=N> last;
  real<lower=-1, upper=0> cor_rho_lower; // where the largest block is singular

  // prior locations and scales
  int<lower=1> K_prior; // statements on beta
  matrix[K_prior, K] C; // C beta ~ normal(beta_loc, beta_scale)
  vector[K_prior] beta_loc;
  vector<lower=0>[K_prior] beta_scale;
  real<lower=0> sigma_scale;
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

  real<lower=cor_rho_lower, upper=1> cor_rho; // correlation within a block
}
model {
  matrix[N, K + 1] e = rows;
  matrix[N, K + 1] w = e / sqrt(1 - cor_rho);
  real log_root = 0;
  for (b in 1 : B) {
    int n = last[b] - first[b] + 1;
    // variances of the mean of a block, times n, and of the deviations from it
    real of_mean = 1 + (n - 1) * cor_rho;
    real shift = inv_sqrt(of_mean) - inv_sqrt(1 - cor_rho);
    for (k in 1 : K + 1) {
      w[first[b] : last[b], k] += shift * mean(e[first[b] : last[b], k]);
    }
    log_root += 0.5 * log(of_mean) + 0.5 * (n - 1) * log1m(cor_rho);
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
  target += -log_root;
  target += 0.5 * dot_self(v_P) - sum(log(diagonal(L_P)));

  sigma ~ student_t(3, 0, sigma_scale);
  cor_rho ~ uniform(cor_rho_lower, 1);
}
generated quantities {
  vector[K] beta;
  {
    matrix[N, K + 1] e = rows;
    matrix[N, K + 1] w = e / sqrt(1 - cor_rho);
    real log_root = 0;
    for (b in 1 : B) {
      int n = last[b] - first[b] + 1;
      // variances of the mean of a block, times n, and of the deviations from it
      real of_mean = 1 + (n - 1) * cor_rho;
      real shift = inv_sqrt(of_mean) - inv_sqrt(1 - cor_rho);
      for (k in 1 : K + 1) {
        w[first[b] : last[b], k] += shift * mean(e[first[b] : last[b], k]);
      }
      log_root += 0.5 * log(of_mean) + 0.5 * (n - 1) * log1m(cor_rho);
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
