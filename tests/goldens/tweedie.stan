// glmmTMB(incidence/size ~ period + (1 | herd), family = tweedie())
//
//   y      ~ tweedie(exp(X beta + b_herd[herd]), phi, power)
//   b_herd ~ normal(0, sd_herd)
functions {
  real tweedie_lpdf(vector y, vector mu, real phi, real power, array[] int zero,
                    array[] int positive) {
    real shape = (2 - power) / (power - 1); // of the gamma distribution of an amount
    vector[size(y)] rate = mu .^ (2 - power) ./ (phi * (2 - power)); // of events
    real lp = -sum(rate);
    // of responses that are not zero, the sum over numbers of events, over its largest term
    int P = size(positive);
    if (P == 0) {
      return lp;
    }
    vector[P] u = y[positive] ./ (phi * (power - 1) .* mu[positive] .^ (power - 1));
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
  vector[N] y; // incidence/size
  int<lower=0, upper=N> N_zero;
  array[N_zero] int<lower=1, upper=N> zero; // rows of y
  int<lower=0, upper=N> N_positive;
  array[N_positive] int<lower=1, upper=N> positive; // rows of y

  int<lower=1> K; // population effects
  matrix[N, K] X; // period
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_herd; // levels of herd
  array[N] int<lower=1, upper=J_herd> herd;

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  real<lower=0> sd_herd_scale;
  real<lower=0> phi_rate;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  real<lower=0> sd_herd;
  vector[J_herd] z_herd; // b_herd, non-centred

  real<lower=0> phi; // the variance is phi times mu^power

  real<lower=1, upper=2> power; // power of the mean that the variance is proportional to
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  vector[J_herd] b_herd = sd_herd * z_herd;
}
model {
  vector[N] eta = Q * theta;
  eta += b_herd[herd];
  y ~ tweedie(exp(eta), phi, power, zero, positive);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sd_herd ~ student_t(3, 0, sd_herd_scale);
  z_herd ~ std_normal();
  phi ~ gamma(2, phi_rate);
}
