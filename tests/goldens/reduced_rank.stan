// glmmTMB(Reaction ~ Days + rr(0 + factor(Days) | Subject, d = 2))
//
//   y         ~ normal(X beta + Z_Subject b_Subject[Subject], sigma)
//   b_Subject ~ multi_normal(0, Lambda Lambda'),  Lambda = loadings of 2 factors
functions {
  // q x d, zero above the diagonal
  matrix loadings(int q, vector on_diagonal, vector below) {
    int d = size(on_diagonal);
    matrix[q, d] Lambda = rep_matrix(0, q, d);
    int start = 0;
    for (k in 1 : d) {
      Lambda[k, k] = on_diagonal[k];
      for (j in k + 1 : q) {
        Lambda[j, k] = below[start + j - k];
      }
      start += q - k;
    }
    return Lambda;
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
  vector<lower=0>[2] first_loading_Subject_scale;
  vector<lower=0>[2 * Q_Subject - 3] loading_Subject_scale;
  real<lower=0> sigma_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  vector<lower=0>[2] first_loading_Subject; // the diagonal of Lambda
  vector[2 * Q_Subject - 3] loading_Subject; // below it, column by column
  matrix[2, J_Subject] z_Subject; // b_Subject, non-centred

  real<lower=0> sigma; // residual sd
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  matrix[Q_Subject, 2] C_Subject;
  C_Subject = loadings(Q_Subject, first_loading_Subject, loading_Subject);
  matrix[J_Subject, Q_Subject] b_Subject;
  b_Subject = (C_Subject * z_Subject)';
}
model {
  vector[N] eta = rows_dot_product(Z_Subject, b_Subject[Subject]);
  y ~ normal_id_glm(Q, eta, theta, sigma);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  first_loading_Subject ~ student_t(3, 0, first_loading_Subject_scale);
  loading_Subject ~ student_t(3, 0, loading_Subject_scale);
  to_vector(z_Subject) ~ std_normal();
  sigma ~ student_t(3, 0, sigma_scale);
}
generated quantities {
  vector[Q_Subject] sd_Subject = sqrt(diagonal(tcrossprod(C_Subject)));
  matrix[Q_Subject, Q_Subject] R_Subject;
  R_Subject = tcrossprod(diag_pre_multiply(inv(sd_Subject), C_Subject));
}
