// MCMCglmm(Reaction ~ Days, random = ~Subject, ginverse = list(Subject = inverseA(ped)$Ainv))
//
//   y         ~ normal(X beta + b_Subject[Subject], sigma)
//   b_Subject ~ normal(0, sd_Subject)
//
// b_Subject is the mean of the effects of both parents plus a part of its own, own_Subject times effects as above.
data {
  int<lower=1> N; // observations
  vector[N] y; // Reaction

  int<lower=1> K; // population effects
  matrix[N, K] X; // Days
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_Subject; // levels of Subject
  array[N] int<lower=1, upper=J_Subject> Subject;
  // the parents of every level, the number of each plus 1; 1 is an unknown one
  array[J_Subject] int<lower=1> first_Subject;
  array[J_Subject] int<lower=1> second_Subject;
  vector<lower=0>[J_Subject] own_Subject; // sd of its own part, over that of a founder

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
    vector[J_Subject + 1] parent = append_row(0, b_Subject);
    vector[J_Subject] mean_Subject = 0.5 * (parent[first_Subject] + parent[second_Subject]);
    b_Subject ~ normal(mean_Subject, sd_Subject * own_Subject);
  }
  sigma ~ student_t(3, 0, sigma_scale);
}
