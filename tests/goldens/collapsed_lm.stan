// lm(SCT ~ 0 + line)
//
//   y ~ normal(X beta, sigma)
//
// beta is integrated out: NUTS sees the variances alone, the rest is drawn exactly.
// With Q = X R_inverse, theta_hat the least-squares effects of Q and r = y - Q theta_hat,
//   S = [r Q]' [r Q] over sigma^2 is the precision of [1 theta].
data {
  int<lower=1> N; // observations of SCT
  int<lower=1> K; // population effects, 0 + line
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  vector[1 + K + K * K] S_0; // r'r, Q'r and Q'Q in one

  // prior locations and scales
  matrix[K, K] C; // C beta ~ normal(beta_loc, beta_scale)
  vector[K] beta_loc;
  vector<lower=0>[K] beta_scale;
  real<lower=0> sigma_scale;
}
transformed data {
  // the prior of theta - theta_hat: its precision, and that times its mean
  matrix[K, K] C_theta = diag_pre_multiply(inv(beta_scale), C * R_inverse);
  vector[K] gap = (beta_loc - C * (R_inverse * theta_hat)) ./ beta_scale;
  matrix[K, K] prior_precision = crossprod(C_theta);
  vector[K] prior_linear = C_theta' * gap;
}
parameters {
  real<lower=0> sigma; // residual sd
}
model {
  vector[1 + K + K * K] S = S_0;
  matrix[K, K] P = to_matrix(S[K + 2 : ], K, K) / square(sigma) + prior_precision;
  vector[K] h = S[2 : K + 1] / square(sigma) + prior_linear;
  matrix[K, K] L_P = cholesky_decompose(P);
  vector[K] v = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * S[1] / square(sigma);
  target += 0.5 * dot_self(v) - sum(log(diagonal(L_P)));

  sigma ~ student_t(3, 0, sigma_scale);
}
generated quantities {
  vector[K] beta;
  {
    vector[1 + K + K * K] S = S_0;
    matrix[K, K] P = to_matrix(S[K + 2 : ], K, K) / square(sigma) + prior_precision;
    vector[K] h = S[2 : K + 1] / square(sigma) + prior_linear;
    matrix[K, K] L_P = cholesky_decompose(P);
    vector[K] v = mdivide_left_tri_low(L_P, h);
    vector[K] z = to_vector(normal_rng(rep_vector(0, K), 1));
    vector[K] d = mdivide_right_tri_low((v + z)', L_P)'; // theta - theta_hat
    beta = R_inverse * (theta_hat + d);
  }
}
