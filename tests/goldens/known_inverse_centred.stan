// MCMCglmm(Reaction ~ Days, random = ~Subject, ginverse = list(Subject = K))
//
//   y         ~ normal(X beta + b_Subject[Subject], sigma)
//   b_Subject ~ normal(0, sd_Subject)
//
// b_Subject is as above in every level; between levels its covariance is that times the elements of K, which are known.
data {
  int<lower=1> N; // observations
  vector[N] y; // Reaction

  int<lower=1> K; // population effects
  matrix[N, K] X; // Days
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_Subject; // levels of Subject
  array[N] int<lower=1, upper=J_Subject> Subject;
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
  real<lower=0> sd_Subject_scale;
  real<lower=0> sigma_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  real<lower=0> sd_Subject;
  vector[J_Subject] b_Subject;

  real<lower=0> sigma; // residual sd
}
transformed parameters {
  vector[K] beta = R_inverse * theta;
}
model {
  vector[N] eta = b_Subject[Subject];
  y ~ normal_id_glm(Q, eta, theta, sigma);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sd_Subject ~ student_t(3, 0, sd_Subject_scale);
  {
    vector[M_Subject] column = b_Subject[column_Subject];
    real squares = dot_product(precision_Subject, b_Subject[row_Subject] .* column);
    target += -0.5 * squares / square(sd_Subject) - J_Subject * log(sd_Subject);
  }
  sigma ~ student_t(3, 0, sigma_scale);
}
