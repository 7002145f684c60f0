// clm(rating ~ temp + contact)
//
//   y ~ cumulative(logit, X beta, thresholds)
data {
  int<lower=2> C; // categories
  int<lower=1> N; // observations
  array[N] int<lower=1, upper=C> y; // rating

  int<lower=1> K; // population effects
  matrix[N, K] X; // temp + contact
  row_vector[K] X_mean; // means of its columns
  matrix[K, K] R_inverse; // (X - X_mean) R_inverse has orthogonal columns

  // prior locations and scales
  vector[K] beta_loc;
  vector<lower=0>[K] beta_scale;
  vector[C - 1] thresholds_loc;
  vector<lower=0>[C - 1] thresholds_scale;
}
transformed data {
  matrix[N, K] Q = (X - rep_matrix(X_mean, N)) * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  ordered[C - 1] cuts; // thresholds at the mean of the columns
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  vector[C - 1] thresholds = cuts + X_mean * beta;
}
model {
  y ~ ordered_logistic_glm(Q, theta, cuts);

  beta ~ normal(beta_loc, beta_scale);
  cuts ~ student_t(3, thresholds_loc, thresholds_scale);
}
