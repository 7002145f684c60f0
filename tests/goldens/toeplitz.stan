// glmmTMB(Reaction ~ Days + toep(0 + factor(Days) | Subject))
//
//   y         ~ normal(X beta + Z_Subject b_Subject[Subject], sigma)
//   b_Subject ~ multi_normal(0, D R_Subject D),  D = diag(sd_Subject),  R[i, j] by |i - j|
functions {
  // correlations by |i - j| from partial autocorrelations (Durbin-Levinson)
  matrix toeplitz_correlation(vector partial) {
    int n = size(partial);
    vector[n] r = rep_vector(0, n);
    vector[n] weights = r;
    real spread = 1;
    for (k in 1 : n) {
      vector[k - 1] back = reverse(weights[1 : k - 1]);
      r[k] = partial[k] * spread + dot_product(weights[1 : k - 1], reverse(r[1 : k - 1]));
      weights[1 : k - 1] -= partial[k] * back;
      weights[k] = partial[k];
      spread *= 1 - square(partial[k]);
    }
    matrix[n + 1, n + 1] R = identity_matrix(n + 1);
    for (i in 2 : n + 1) {
      for (j in 1 : i - 1) {
        R[i, j] = r[i - j];
        R[j, i] = r[i - j];
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
  matrix[N, Q_Subject] Z_Subject; // 0 + factor(Days)

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  vector<lower=0>[Q_Subject] sd_Subject_scale;
  real<lower=0> sigma_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  vector<lower=0>[Q_Subject] sd_Subject;
  vector<lower=-1, upper=1>[Q_Subject - 1] partial_Subject; // partial autocorrelations
  matrix[Q_Subject, J_Subject] z_Subject; // b_Subject, non-centred

  real<lower=0> sigma; // residual sd
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  matrix[Q_Subject, Q_Subject] L_Subject;
  L_Subject = cholesky_decompose(toeplitz_correlation(partial_Subject));
  matrix[J_Subject, Q_Subject] b_Subject;
  b_Subject = (diag_pre_multiply(sd_Subject, L_Subject) * z_Subject)';
}
model {
  vector[N] eta = rows_dot_product(Z_Subject, b_Subject[Subject]);
  y ~ normal_id_glm(Q, eta, theta, sigma);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sd_Subject ~ student_t(3, 0, sd_Subject_scale);
  to_vector(z_Subject) ~ std_normal();
  sigma ~ student_t(3, 0, sigma_scale);
}
generated quantities {
  corr_matrix[Q_Subject] R_Subject;
  R_Subject = multiply_lower_tri_self_transpose(L_Subject);
}
