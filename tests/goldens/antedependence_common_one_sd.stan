// MCMCglmm(tarsus ~ sex, random = ~antec2v(sex):dam)
//
//   y          ~ normal(X beta + Z_dam b_dam[dam], sigma)
//   b_dam[, k] ~ normal(ante[1] b_dam[, k - 1] + ante[2] b_dam[, k - 2], innovation_sd_dam)
functions {
  // root of the covariance of u[j] = sum_m ante[m] u[j - m] + normal(0, sd[j])
  matrix common_antedependence_root(vector ante, vector sd) {
    int q = size(sd);
    matrix[q, q] C = diag_matrix(sd);
    for (j in 2 : q) {
      for (m in 1 : size(ante)) {
        if (m < j) {
          C[j] += ante[m] * C[j - m];
        }
      }
    }
    return C;
  }
}
data {
  int<lower=1> N; // observations
  vector[N] y; // tarsus

  int<lower=1> K; // population effects
  matrix[N, K] X; // sex
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_dam; // levels of dam
  int<lower=1> Q_dam; // effects per level
  array[N] int<lower=1, upper=J_dam> dam;
  matrix[N, Q_dam] Z_dam; // 0 + sex

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  real<lower=0> innovation_sd_dam_scale;
  vector[2] ante_dam_loc;
  vector<lower=0>[2] ante_dam_scale;
  real<lower=0> sigma_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  real<lower=0> innovation_sd_dam;
  vector[2] ante_dam; // lags 1 to 2
  matrix[Q_dam, J_dam] z_dam; // b_dam, non-centred

  real<lower=0> sigma; // residual sd
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  matrix[Q_dam, Q_dam] C_dam;
  C_dam = common_antedependence_root(ante_dam, rep_vector(innovation_sd_dam, Q_dam));
  matrix[J_dam, Q_dam] b_dam;
  b_dam = (C_dam * z_dam)';
}
model {
  vector[N] eta = rows_dot_product(Z_dam, b_dam[dam]);
  y ~ normal_id_glm(Q, eta, theta, sigma);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  innovation_sd_dam ~ student_t(3, 0, innovation_sd_dam_scale);
  ante_dam ~ normal(ante_dam_loc, ante_dam_scale);
  to_vector(z_dam) ~ std_normal();
  sigma ~ student_t(3, 0, sigma_scale);
}
generated quantities {
  vector[Q_dam] sd_dam = sqrt(diagonal(tcrossprod(C_dam)));
  corr_matrix[Q_dam] R_dam;
  R_dam = tcrossprod(diag_pre_multiply(inv(sd_dam), C_dam));
}
