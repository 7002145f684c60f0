// glmmTMB(Reaction ~ Days + mat(0 + numFactor(Days) | Subject))
//
//   y         ~ normal(X beta + Z_Subject b_Subject[Subject], sigma)
//   b_Subject ~ multi_normal(0, sd_Subject^2 R_Subject),  R = Matern(distance_Subject / range_Subject, smoothness_Subject)
functions {
  // log of the Bessel function K of real order, from the trapezoidal rule for
  // K(z) = integral of exp(-z cosh(t)) cosh(nu t) over t > 0, whose error falls exponentially
  real log_bessel_k(real nu, real z) {
    int n = 200;
    real h = acosh(1 + (50 + 8 * nu) / z) / n;
    vector[n + 1] terms;
    for (i in 0 : n) {
      real t = i * h;
      terms[i + 1] = -z * (cosh(t) - 1) + nu * t + log1p_exp(-2 * nu * t) - log2();
    }
    terms[1] -= log2();
    return log(h) - z + log_sum_exp(terms);
  }
  // (d / range)^nu K_nu(d / range) / (Gamma(nu) 2^(nu - 1))
  matrix matern(matrix distance, real range, real nu) {
    int q = rows(distance);
    matrix[q, q] R = identity_matrix(q);
    for (i in 2 : q) {
      for (j in 1 : i - 1) {
        real x = distance[i, j] / range;
        R[i, j] = exp(nu * log(x) + log_bessel_k(nu, x) - lgamma(nu) - (nu - 1) * log2());
        R[j, i] = R[i, j];
      }
    }
    return R;
  }
}
data {
  int<lower=1> N; // observations
  vector[N] y; // Reaction

  int<lower=1> K; // population effects
  matrix[N, K] X; // Days
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_Subject; // levels of Subject
  int<lower=1> Q_Subject; // effects per level
  array[N] int<lower=1, upper=J_Subject> Subject;
  matrix[N, Q_Subject] Z_Subject; // 0 + numFactor(Days)
  matrix[Q_Subject, Q_Subject] distance_Subject; // of the effects' places

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  real<lower=0> sd_Subject_scale;
  real range_Subject_loc;
  real<lower=0> range_Subject_scale;
  real smoothness_Subject_loc;
  real<lower=0> smoothness_Subject_scale;
  real<lower=0> sigma_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  real<lower=0> sd_Subject;
  real<lower=0> range_Subject; // of the correlation
  real<lower=0> smoothness_Subject; // nu
  matrix[Q_Subject, J_Subject] z_Subject; // b_Subject, non-centred

  real<lower=0> sigma; // residual sd
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  matrix[Q_Subject, Q_Subject] L_Subject;
  L_Subject = cholesky_decompose(matern(distance_Subject, range_Subject, smoothness_Subject));
  matrix[J_Subject, Q_Subject] b_Subject;
  b_Subject = (sd_Subject * L_Subject * z_Subject)';
}
model {
  vector[N] eta = rows_dot_product(Z_Subject, b_Subject[Subject]);
  y ~ normal_id_glm(Q, eta, theta, sigma);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sd_Subject ~ student_t(3, 0, sd_Subject_scale);
  range_Subject ~ lognormal(range_Subject_loc, range_Subject_scale);
  smoothness_Subject ~ lognormal(smoothness_Subject_loc, smoothness_Subject_scale);
  to_vector(z_Subject) ~ std_normal();
  sigma ~ student_t(3, 0, sigma_scale);
}
generated quantities {
  corr_matrix[Q_Subject] R_Subject;
  R_Subject = multiply_lower_tri_self_transpose(L_Subject);
}
