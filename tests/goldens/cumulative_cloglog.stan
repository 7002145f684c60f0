// clmm(rating ~ temp + contact + (1 | judge), link = "cloglog")
//
//   y       ~ cumulative(cloglog, X beta + b_judge[judge], thresholds)
//   b_judge ~ normal(0, sd_judge)
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

  // P(y <= c) = F(thresholds[c] - eta), F the inverse of cloglog
  real cumulative_cloglog_lpmf(array[] int y, vector eta, vector thresholds) {
    int C = num_elements(thresholds) + 1;
    real lp = sum(log1m_exp(-exp(thresholds[1] - eta[rows_of(y, 1, 1)])));
    lp += sum(-exp(thresholds[C - 1] - eta[rows_of(y, C, C)]));
    for (c in 2 : C - 1) {
      vector[size(rows_of(y, c, c))] x = eta[rows_of(y, c, c)];
      lp += sum(log_diff_exp(-exp(thresholds[c - 1] - x), -exp(thresholds[c] - x)));
    }
    return lp;
  }
}
data {
  int<lower=2> C; // categories
  int<lower=1> N; // observations
  array[N] int<lower=1, upper=C> y; // rating

  int<lower=1> K; // population effects
  matrix[N, K] X; // temp + contact
  row_vector[K] X_mean; // means of its columns
  matrix[K, K] R_inverse; // (X - X_mean) R_inverse has orthogonal columns

  int<lower=1> J_judge; // levels of judge
  array[N] int<lower=1, upper=J_judge> judge;

  // prior locations and scales
  vector[K] beta_loc;
  vector<lower=0>[K] beta_scale;
  vector[C - 1] thresholds_loc;
  vector<lower=0>[C - 1] thresholds_scale;
  real<lower=0> sd_judge_scale;
}
transformed data {
  matrix[N, K] Q = (X - rep_matrix(X_mean, N)) * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  ordered[C - 1] cuts; // thresholds at the mean of the columns

  real<lower=0> sd_judge;
  vector[J_judge] b_judge;
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  vector[C - 1] thresholds = cuts + X_mean * beta;
}
model {
  vector[N] eta = Q * theta;
  eta += b_judge[judge];
  y ~ cumulative_cloglog(eta, cuts);

  beta ~ normal(beta_loc, beta_scale);
  cuts ~ student_t(3, thresholds_loc, thresholds_scale);
  sd_judge ~ student_t(3, 0, sd_judge_scale);
  b_judge ~ normal(0, sd_judge);
}
