// brm(rating ~ 1 + (1 | judge), family = acat())
//
//   y       ~ acat(logit, b_judge[judge], thresholds)
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

  // log(P(y = c + 1) / P(y = c)) = eta - thresholds[c]
  real acat_logit_lpmf(array[] int y, vector eta, vector thresholds) {
    int C = num_elements(thresholds) + 1;
    // log P(y = c) / P(y = 1), and the sum of such ratios
    vector[num_elements(eta)] ratio = rep_vector(0, num_elements(eta));
    vector[num_elements(eta)] total = ratio;
    real lp = 0;
    for (c in 1 : C - 1) {
      lp += sum(eta[rows_of(y, c + 1, C)] - thresholds[c]);
      ratio += eta - thresholds[c];
      total = log_sum_exp(total, ratio);
    }
    return lp - sum(total);
  }
}
data {
  int<lower=2> C; // categories
  int<lower=1> N; // observations
  array[N] int<lower=1, upper=C> y; // rating

  int<lower=1> J_judge; // levels of judge
  array[N] int<lower=1, upper=J_judge> judge;

  // prior locations and scales
  vector[C - 1] thresholds_loc;
  vector<lower=0>[C - 1] thresholds_scale;
  real<lower=0> sd_judge_scale;
}
parameters {
  vector[C - 1] thresholds;

  real<lower=0> sd_judge;
  vector[J_judge] z_judge; // b_judge, non-centred
}
transformed parameters {
  vector[J_judge] b_judge = sd_judge * z_judge;
}
model {
  vector[N] eta = b_judge[judge];
  y ~ acat_logit(eta, thresholds);

  thresholds ~ student_t(3, thresholds_loc, thresholds_scale);
  sd_judge ~ student_t(3, 0, sd_judge_scale);
  z_judge ~ std_normal();
}
