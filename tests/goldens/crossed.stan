// lmer(diameter ~ 1 + (1 | plate) + (1 | sample))
//
//   y        ~ normal(X beta + b_plate[plate] + b_sample[sample], sigma)
//   b_plate  ~ normal(0, sd_plate)
//   b_sample ~ normal(0, sd_sample)
data {
  int<lower=1> N; // observations
  vector[N] y; // diameter

  int<lower=1> K; // population effects
  matrix[N, K] X; // 1

  int<lower=1> J_plate; // levels of plate
  array[N] int<lower=1, upper=J_plate> plate;

  int<lower=1> J_sample; // levels of sample
  array[N] int<lower=1, upper=J_sample> sample;

  // prior locations and scales
  real intercept_loc;
  real<lower=0> intercept_scale;
  real<lower=0> sd_plate_scale;
  real<lower=0> sd_sample_scale;
  real<lower=0> sigma_scale;
}
parameters {
  vector[K] beta;

  real<lower=0> sd_plate;
  vector[J_plate] z_plate; // b_plate, non-centred

  real<lower=0> sd_sample;
  vector[J_sample] z_sample; // b_sample, non-centred

  real<lower=0> sigma; // residual sd
}
transformed parameters {
  vector[J_plate] b_plate = sd_plate * z_plate;

  vector[J_sample] b_sample = sd_sample * z_sample;
}
model {
  vector[N] eta = b_plate[plate];
  eta += b_sample[sample];
  y ~ normal_id_glm(X, eta, beta, sigma);

  beta[1] ~ normal(intercept_loc, intercept_scale);
  sd_plate ~ student_t(3, 0, sd_plate_scale);
  z_plate ~ std_normal();
  sd_sample ~ student_t(3, 0, sd_sample_scale);
  z_sample ~ std_normal();
  sigma ~ student_t(3, 0, sigma_scale);
}
