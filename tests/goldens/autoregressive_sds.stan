// glmmTMB(Reaction ~ Days + hetar1(0 + factor(Days) | Subject))
//
//   y         ~ normal(X beta + Z_Subject b_Subject[Subject], sigma)
//   b_Subject ~ multi_normal(0, D R_Subject D),  D = diag(sd_Subject),  R[i, j] = phi_Subject^|i - j|
functions {
  // Cholesky factor of the correlations phi^|i - j|
  matrix autoregressive_root(int q, real phi) {
    matrix[q, q] L = rep_matrix(0, q, q);
    L[1, 1] = 1;
    for (i in 2 : q) {
      L[i] = phi * L[i - 1];
      L[i, i] = sqrt(1 - square(phi));
    }
    return L;
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
  real<lower=-1, upper=1> phi_Subject; // neighbouring effects
  matrix[Q_Subject, J_Subject] z_Subject; // b_Subject, non-centred

  real<lower=0> sigma; // residual sd
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  matrix[Q_Subject, Q_Subject] L_Subject;
  L_Subject = autoregressive_root(Q_Subject, phi_Subject);
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
