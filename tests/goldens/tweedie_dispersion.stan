// glmmTMB(incidence ~ period, dispformula = ~size, family = tweedie)
//
//   y   ~ tweedie(exp(X beta), phi, power)
//   phi = exp(X_phi beta_phi)
functions {
  real tweedie_lpdf(vector y, vector mu, vector phi, real power, array[] int zero,
                    array[] int positive) {
    real shape = (2 - power) / (power - 1); // of the gamma distribution of an amount
    vector[size(y)] rate = mu .^ (2 - power) ./ (phi * (2 - power)); // of events
    real lp = -sum(rate);
    // of responses that are not zero, the sum over numbers of events, over its largest term
    int P = size(positive);
    if (P == 0) {
      return lp;
    }
    vector[P] u = y[positive] ./ (phi[positive] * (power - 1) .* mu[positive] .^ (power - 1));
    vector[P] log_z = log(rate[positive]) + shape * log(u);
    vector[P] mode = fmax(exp((log_z - shape * log(shape)) / (1 + shape)), 1);
    vector[P] largest = mode .* log_z - lgamma(mode + 1) - lgamma(shape * mode);
    vector[P] total = rep_vector(0, P);
    real least = min(mode);
    real most = max(mode);
    if (most > 5000) {
      return negative_infinity(); // more events than can be summed: amounts of hardly any spread
    }
    int n = 1;
    // terms below exp(-40) of the largest are nothing beside it
    while (n < least && (1 + shape) * (n * log(n / least) - n + least) > 40) {
      n += 1;
    }
    while (n <= most || (1 + shape) * (n * log(n / most) - n + most) < 40) {
      total += exp(n * log_z - lgamma(n + 1) - lgamma(n * shape) - largest);
      n += 1;
    }
    return lp + sum(log(total) + largest - u - log(y[positive]));
  }
}
data {
  int<lower=1> N; // observations
  vector[N] y; // incidence
  int<lower=0, upper=N> N_zero;
  array[N_zero] int<lower=1, upper=N> zero; // rows of y
  int<lower=0, upper=N> N_positive;
  array[N_positive] int<lower=1, upper=N> positive; // rows of y

  int<lower=1> K; // population effects
  matrix[N, K] X; // period
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> K_phi; // population effects
  matrix[N, K_phi] X_phi; // size
  matrix[K_phi, K_phi] R_inverse_phi; // X_phi R_inverse_phi has orthogonal columns

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  row_vector[K_phi] X_mean_phi; // means of the columns of X_phi
  real intercept_phi_loc;
  real<lower=0> intercept_phi_scale;
  vector[K_phi - 1] beta_phi_loc;
  vector<lower=0>[K_phi - 1] beta_phi_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;

  matrix[N, K_phi] Q_phi = X_phi * R_inverse_phi;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  vector[K_phi] theta_phi; // effects of Q_phi: X_phi beta_phi = Q_phi theta_phi

  real<lower=1, upper=2> power; // power of the mean that the variance is proportional to
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  vector[K_phi] beta_phi = R_inverse_phi * theta_phi;
}
model {
  vector[N] eta = Q * theta;
  vector[N] eta_phi = Q_phi * theta_phi;
  vector[N] phi = exp(eta_phi);
  y ~ tweedie(exp(eta), phi, power, zero, positive);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  X_mean_phi * beta_phi ~ normal(intercept_phi_loc, intercept_phi_scale);
  beta_phi[2 : K_phi] ~ normal(beta_phi_loc, beta_phi_scale);
}
