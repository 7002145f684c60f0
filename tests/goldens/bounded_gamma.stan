// brm(bf(Reaction | trunc(lb = 100, ub = 900) ~ 1, shape ~ Days), family = Gamma(log))
//
//   y     ~ gamma(shape, shape / exp(X beta)), truncated
//   shape = exp(X_shape beta_shape)
data {
  int<lower=1> N; // observations
  vector[N] y; // Reaction
  vector[N] y_lower; // the least that could be observed
  vector[N] y_upper; // the most that could be observed

  int<lower=1> K; // population effects
  matrix[N, K] X; // 1

  int<lower=1> K_shape; // population effects
  matrix[N, K_shape] X_shape; // Days
  matrix[K_shape, K_shape] R_inverse_shape; // X_shape R_inverse_shape has orthogonal columns

  // prior locations and scales
  real intercept_loc;
  real<lower=0> intercept_scale;
  row_vector[K_shape] X_mean_shape; // means of the columns of X_shape
  real intercept_shape_loc;
  real<lower=0> intercept_shape_scale;
  vector[K_shape - 1] beta_shape_loc;
  vector<lower=0>[K_shape - 1] beta_shape_scale;
}
transformed data {
  matrix[N, K_shape] Q_shape = X_shape * R_inverse_shape;
}
parameters {
  vector[K] beta;

  vector[K_shape] theta_shape; // effects of Q_shape: X_shape beta_shape = Q_shape theta_shape
}
transformed parameters {
  vector[K_shape] beta_shape = R_inverse_shape * theta_shape;
}
model {
  vector[N] eta = X * beta;
  vector[N] eta_shape = Q_shape * theta_shape;
  vector[N] shape = exp(eta_shape);
  y ~ gamma(shape, shape ./ exp(eta));
  for (i in 1 : N) {
    real below = gamma_lcdf(y_lower[i] | shape[i], shape[i] / exp(eta[i]));
    if (below < log(0.5)) {
      target += -log_diff_exp(gamma_lcdf(y_upper[i] | shape[i], shape[i] / exp(eta[i])), below);
    } else {
      target += -log_diff_exp(gamma_lccdf(y_lower[i] | shape[i], shape[i] / exp(eta[i])),
                              gamma_lccdf(y_upper[i] | shape[i], shape[i] / exp(eta[i])));
    }
  }

  beta[1] ~ normal(intercept_loc, intercept_scale);
  X_mean_shape * beta_shape ~ normal(intercept_shape_loc, intercept_shape_scale);
  beta_shape[2 : K_shape] ~ normal(beta_shape_loc, beta_shape_scale);
}
