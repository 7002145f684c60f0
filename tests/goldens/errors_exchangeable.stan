// gls(distance ~ age, correlation = corCompSymm(form = ~1 | Subject))
//
//   y ~ multi_normal(X beta, sigma^2 R)
//
// R: errors at s and t, order within Subject, correlate cor_rho.
data {
  int<lower=1> N; // observations
  vector[N] y; // distance
  array[N] int<lower=1, upper=N> row; // the rows by block and time

  int<lower=1> K; // population effects
  matrix[N, K] X; // age
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> B; // blocks
  array[B] int<lower=1, upper=N> first;
  array[B] int<lower=1, upper=N> last;
  real<lower=-1, upper=0> cor_rho_lower; // where the largest block is singular

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

  real<lower=cor_rho_lower, upper=1> cor_rho; // correlation within a block
}
transformed parameters {
  vector[K] beta = R_inverse * theta;
}
model {
  vector[N] mu = Q * theta;
  vector[N] e = (y - mu)[row];
  vector[N] w = e / sqrt(1 - cor_rho);
  real log_root = 0;
  for (b in 1 : B) {
    int n = last[b] - first[b] + 1;
    // variances of the mean of a block, times n, and of the deviations from it
    real of_mean = 1 + (n - 1) * cor_rho;
    real shift = inv_sqrt(of_mean) - inv_sqrt(1 - cor_rho);
    w[first[b] : last[b]] += shift * mean(e[first[b] : last[b]]);
    log_root += 0.5 * log(of_mean) + 0.5 * (n - 1) * log1m(cor_rho);
  }
  w ~ normal(0, sigma);
  target += -log_root;

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sigma ~ student_t(3, 0, sigma_scale);
  cor_rho ~ uniform(cor_rho_lower, 1);
}
