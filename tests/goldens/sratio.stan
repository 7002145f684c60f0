// brm(rating ~ temp + (1 + temp || judge), family = sratio("probit"))
//
//   y            ~ sratio(probit, X beta + Z_judge b_judge[judge], thresholds)
//   b_judge[, q] ~ normal(0, sd_judge[q])
functions {
  // the rows whose category is between low and high
  array[] int rows_of(array[] int y, int low, int high) {
    array[num_elements(y)] int rows = rep_array(0, num_elements(y));
    int n = 0;
    for (i in 1 : num_elements(y)) {
      if (y[i] >= low && y[i] <= high) {
        n += 1;
        rows[n] = i;
      }
    }
    return rows[1 : n];
  }

  // P(y = c | y >= c) = F(thresholds[c] - eta), F the inverse of probit
  real sratio_probit_lpmf(array[] int y, vector eta, vector thresholds) {
    int C = num_elements(thresholds) + 1;
    real lp = 0;
    for (c in 1 : C - 1) {
      lp += std_normal_lcdf(thresholds[c] - eta[rows_of(y, c, c)]);
      lp += std_normal_lccdf(thresholds[c] - eta[rows_of(y, c + 1, C)]);
    }
    return lp;
  }
}
data {
  int<lower=2> C; // categories
  int<lower=1> N; // observations
  array[N] int<lower=1, upper=C> y; // rating

  int<lower=1> K; // population effects
  matrix[N, K] X; // temp
  row_vector[K] X_mean; // means of its columns
  matrix[K, K] R_inverse; // (X - X_mean) R_inverse has orthogonal columns

  int<lower=1> J_judge; // levels of judge
  int<lower=1> Q_judge; // effects per level
  array[N] int<lower=1, upper=J_judge> judge;
  matrix[N, Q_judge] Z_judge; // 1 + temp

  // prior locations and scales
  vector[K] beta_loc;
  vector<lower=0>[K] beta_scale;
  vector[C - 1] thresholds_loc;
  vector<lower=0>[C - 1] thresholds_scale;
  vector<lower=0>[Q_judge] sd_judge_scale;
}
transformed data {
  matrix[N, K] Q = (X - rep_matrix(X_mean, N)) * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  vector[C - 1] cuts; // thresholds at the mean of the columns

  vector<lower=0>[Q_judge] sd_judge;
  matrix[Q_judge, J_judge] z_judge; // b_judge, non-centred
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  vector[C - 1] thresholds = cuts + X_mean * beta;

  matrix[J_judge, Q_judge] b_judge;
  b_judge = diag_pre_multiply(sd_judge, z_judge)';
}
model {
  vector[N] eta = Q * theta;
  eta += rows_dot_product(Z_judge, b_judge[judge]);
  y ~ sratio_probit(eta, cuts);

  beta ~ normal(beta_loc, beta_scale);
  cuts ~ student_t(3, thresholds_loc, thresholds_scale);
  sd_judge ~ student_t(3, 0, sd_judge_scale);
  to_vector(z_judge) ~ std_normal();
}
