// brm(sex ~ hatchdate + (1 | dam), family = categorical())
//
//   y             ~ categorical(softmax([0, mu]))
//   mu[1]         = X_mu_Male beta_mu_Male + b_mu_Male_dam[mu_Male_dam]
//   b_mu_Male_dam ~ normal(0, sd_mu_Male_dam)
//   mu[2]         = X_mu_UNK beta_mu_UNK + b_mu_UNK_dam[mu_UNK_dam]
//   b_mu_UNK_dam  ~ normal(0, sd_mu_UNK_dam)
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

  // log(P(y = c + 1) / P(y = 1)) = mu[ : , c]
  real categorical_rows_lpmf(array[] int y, matrix mu) {
    vector[rows(mu)] total = rep_vector(0, rows(mu));
    real lp = 0;
    for (c in 1 : cols(mu)) {
      lp += sum(mu[rows_of(y, c + 1, c + 1), c]);
      total = log_sum_exp(total, mu[ : , c]);
    }
    return lp - sum(total);
  }
}
data {
  int<lower=2> C; // categories
  int<lower=1> N; // observations
  array[N] int<lower=1, upper=C> y; // sex

  int<lower=1> K_mu_Male; // population effects
  matrix[N, K_mu_Male] X_mu_Male; // hatchdate
  matrix[K_mu_Male, K_mu_Male] R_inverse_mu_Male; // X_mu_Male R_inverse_mu_Male has orthogonal columns

  int<lower=1> J_mu_Male_dam; // levels of dam
  array[N] int<lower=1, upper=J_mu_Male_dam> mu_Male_dam;

  int<lower=1> K_mu_UNK; // population effects
  matrix[N, K_mu_UNK] X_mu_UNK; // hatchdate
  matrix[K_mu_UNK, K_mu_UNK] R_inverse_mu_UNK; // X_mu_UNK R_inverse_mu_UNK has orthogonal columns

  int<lower=1> J_mu_UNK_dam; // levels of dam
  array[N] int<lower=1, upper=J_mu_UNK_dam> mu_UNK_dam;

  // prior locations and scales
  row_vector[K_mu_Male] X_mean_mu_Male; // means of the columns of X_mu_Male
  real intercept_mu_Male_loc;
  real<lower=0> intercept_mu_Male_scale;
  vector[K_mu_Male - 1] beta_mu_Male_loc;
  vector<lower=0>[K_mu_Male - 1] beta_mu_Male_scale;
  real<lower=0> sd_mu_Male_dam_scale;
  row_vector[K_mu_UNK] X_mean_mu_UNK; // means of the columns of X_mu_UNK
  real intercept_mu_UNK_loc;
  real<lower=0> intercept_mu_UNK_scale;
  vector[K_mu_UNK - 1] beta_mu_UNK_loc;
  vector<lower=0>[K_mu_UNK - 1] beta_mu_UNK_scale;
  real<lower=0> sd_mu_UNK_dam_scale;
}
transformed data {
  matrix[N, K_mu_Male] Q_mu_Male = X_mu_Male * R_inverse_mu_Male;

  matrix[N, K_mu_UNK] Q_mu_UNK = X_mu_UNK * R_inverse_mu_UNK;
}
parameters {
  vector[K_mu_Male] theta_mu_Male; // effects of Q_mu_Male: X_mu_Male beta_mu_Male = Q_mu_Male theta_mu_Male

  real<lower=0> sd_mu_Male_dam;
  vector[J_mu_Male_dam] z_mu_Male_dam; // b_mu_Male_dam, non-centred

  vector[K_mu_UNK] theta_mu_UNK; // effects of Q_mu_UNK: X_mu_UNK beta_mu_UNK = Q_mu_UNK theta_mu_UNK

  real<lower=0> sd_mu_UNK_dam;
  vector[J_mu_UNK_dam] z_mu_UNK_dam; // b_mu_UNK_dam, non-centred
}
transformed parameters {
  vector[K_mu_Male] beta_mu_Male = R_inverse_mu_Male * theta_mu_Male;

  vector[J_mu_Male_dam] b_mu_Male_dam = sd_mu_Male_dam * z_mu_Male_dam;

  vector[K_mu_UNK] beta_mu_UNK = R_inverse_mu_UNK * theta_mu_UNK;

  vector[J_mu_UNK_dam] b_mu_UNK_dam = sd_mu_UNK_dam * z_mu_UNK_dam;
}
model {
  matrix[N, C - 1] mu; // log odds against the first category
  vector[N] eta_mu_Male = Q_mu_Male * theta_mu_Male;
  eta_mu_Male += b_mu_Male_dam[mu_Male_dam];
  mu[ : , 1] = eta_mu_Male;
  vector[N] eta_mu_UNK = Q_mu_UNK * theta_mu_UNK;
  eta_mu_UNK += b_mu_UNK_dam[mu_UNK_dam];
  mu[ : , 2] = eta_mu_UNK;
  y ~ categorical_rows(mu);

  X_mean_mu_Male * beta_mu_Male ~ normal(intercept_mu_Male_loc, intercept_mu_Male_scale);
  beta_mu_Male[2 : K_mu_Male] ~ normal(beta_mu_Male_loc, beta_mu_Male_scale);
  sd_mu_Male_dam ~ student_t(3, 0, sd_mu_Male_dam_scale);
  z_mu_Male_dam ~ std_normal();
  X_mean_mu_UNK * beta_mu_UNK ~ normal(intercept_mu_UNK_loc, intercept_mu_UNK_scale);
  beta_mu_UNK[2 : K_mu_UNK] ~ normal(beta_mu_UNK_loc, beta_mu_UNK_scale);
  sd_mu_UNK_dam ~ student_t(3, 0, sd_mu_UNK_dam_scale);
  z_mu_UNK_dam ~ std_normal();
}
