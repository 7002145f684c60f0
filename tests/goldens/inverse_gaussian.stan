// glm(TICKS + 1 ~ YEAR, family = inverse.gaussian(link = log))
//
//   y ~ inverse_gaussian(exp(X beta), shape)
functions {
  real inverse_gaussian_lpdf(vector y, vector mu, real shape) {
    return 0.5 * sum(log(shape ./ (2 * pi() * y .^ 3)) - shape .* square((y - mu) ./ mu) ./ y);
  }
}
data {
  int<lower=1> N; // observations
  vector[N] y; // TICKS + 1

  int<lower=1> K; // population effects
  matrix[N, K] X; // YEAR
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  real<lower=0> shape_rate;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  real<lower=0> shape; // the larger, the less spread
}
transformed parameters {
  vector[K] beta = R_inverse * theta;
}
model {
  vector[N] eta = Q * theta;
  y ~ inverse_gaussian(exp(eta), shape);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  shape ~ gamma(2, shape_rate);
}
