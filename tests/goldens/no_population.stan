// lmer(Reaction ~ 0 + (1 | Subject))
//
//   y         ~ normal(b_Subject[Subject], sigma)
//   b_Subject ~ normal(0, sd_Subject)
data {
  int<lower=1> N; // observations
  vector[N] y; // Reaction

  int<lower=1> J_Subject; // levels of Subject
  array[N] int<lower=1, upper=J_Subject> Subject;

  // prior locations and scales
  real<lower=0> sd_Subject_scale;
  real<lower=0> sigma_scale;
}
parameters {
  real<lower=0> sd_Subject;
  vector[J_Subject] z_Subject; // b_Subject, non-centred

  real<lower=0> sigma; // residual sd
}
transformed parameters {
  vector[J_Subject] b_Subject = sd_Subject * z_Subject;
}
model {
  vector[N] eta = b_Subject[Subject];
  y ~ normal(eta, sigma);

  sd_Subject ~ student_t(3, 0, sd_Subject_scale);
  z_Subject ~ std_normal();
  sigma ~ student_t(3, 0, sigma_scale);
}
