// MCMCglmm(Reaction ~ Days, random = ~us(1 + Days):Subject, ginverse = list(Subject = solve(K)))
//
//   y         ~ normal(X beta + Z_Subject b_Subject[Subject], sigma)
//   b_Subject ~ multi_normal(0, D R_Subject D),  D = diag(sd_Subject)
//
// b_Subject is as above in every level; between levels its covariance is that times the elements of K, which are known.
data {
  int<lower=1> N; // observations
  vector[N] y; // Reaction

  int<lower=1> K; // population effects
  matrix[N, K] X; // Days
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_Subject; // levels of Subject
  int<lower=1> Q_Subject; // effects per level
  array[N] int<lower=1, upper=J_Subject> Subject;
  matrix[N, Q_Subject] Z_Subject; // 1 + Days
  int<lower=1> M_Subject; // elements of the inverse of K
  vector[M_Subject] precision_Subject;
  array[M_Subject] int<lower=1, upper=J_Subject> row_Subject;
  array[M_Subject] int<lower=1, upper=J_Subject> column_Subject;

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
  cholesky_factor_corr[Q_Subject] L_Subject; // R_Subject = L L'
  matrix[J_Subject, Q_Subject] b_Subject;

  real<lower=0> sigma; // residual sd
}
transformed parameters {
  vector[K] beta = R_inverse * theta;
}
model {
  vector[N] eta = rows_dot_product(Z_Subject, b_Subject[Subject]);
  y ~ normal_id_glm(Q, eta, theta, sigma);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sd_Subject ~ student_t(3, 0, sd_Subject_scale);
  L_Subject ~ lkj_corr_cholesky(1);
  {
    matrix[M_Subject, Q_Subject] column = b_Subject[column_Subject];
    matrix[Q_Subject, Q_Subject] S;
    S = b_Subject[row_Subject]' * diag_pre_multiply(precision_Subject, column);
    matrix[Q_Subject, Q_Subject] root = diag_pre_multiply(sd_Subject, L_Subject);
    S = mdivide_left_tri_low(root, mdivide_left_tri_low(root, S)');
    target += -0.5 * sum(diagonal(S)) - J_Subject * sum(log(diagonal(root)));
  }
  sigma ~ student_t(3, 0, sigma_scale);
}
generated quantities {
  corr_matrix[Q_Subject] R_Subject;
  R_Subject = multiply_lower_tri_self_transpose(L_Subject);
}
