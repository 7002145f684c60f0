// MCMCglmm(Reaction ~ Days, random = ~Subject, ginverse = list(Subject = inverseA(ped)$Ainv))
//
//   y         ~ normal(X beta + b_Subject[Subject], sigma)
//   b_Subject ~ normal(0, sd_Subject)
//
// b_Subject is the mean of the effects of both parents plus a part of its own, own_Subject times effects as above.
functions {
  // own parts plus the mean of the effects of both parents, numbered as in (0, effects)
  vector inherited(vector own, array[] int first, array[] int second, array[] int last) {
    vector[rows(own) + 1] b = append_row(0, own);
    int start = 1;
    for (end in last) {
      b[start + 1 : end + 1] += 0.5 * (b[first[start : end]] + b[second[start : end]]);
      start = end + 1;
    }
    return b[2 : ];
  }
}
data {
  int<lower=1> N; // observations
  vector[N] y; // Reaction

  int<lower=1> K; // population effects
  matrix[N, K] X; // Days
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns

  int<lower=1> J_Subject; // levels of Subject
  array[N] int<lower=1, upper=J_Subject> Subject;
  // the parents of every level, the number of each plus 1; 1 is an unknown one
  array[J_Subject] int<lower=1> first_Subject;
  array[J_Subject] int<lower=1> second_Subject;
  vector<lower=0>[J_Subject] own_Subject; // sd of its own part, over that of a founder
  int<lower=1> G_Subject; // generations
  array[G_Subject] int<lower=1, upper=J_Subject> last_Subject; // the last of each

  // prior locations and scales
  row_vector[K] X_mean; // means of the columns of X
  real intercept_loc;
  real<lower=0> intercept_scale;
  vector[K - 1] beta_loc;
  vector<lower=0>[K - 1] beta_scale;
  real<lower=0> sd_Subject_scale;
  real<lower=0> sigma_scale;
}
transformed data {
  matrix[N, K] Q = X * R_inverse;
}
parameters {
  vector[K] theta; // effects of Q: X beta = Q theta

  real<lower=0> sd_Subject;
  vector[J_Subject] z_Subject; // b_Subject, non-centred

  real<lower=0> sigma; // residual sd
}
transformed parameters {
  vector[K] beta = R_inverse * theta;

  vector[J_Subject] b_Subject = sd_Subject * z_Subject;
  b_Subject = own_Subject .* b_Subject;
  b_Subject = inherited(b_Subject, first_Subject, second_Subject, last_Subject);
}
model {
  vector[N] eta = b_Subject[Subject];
  y ~ normal_id_glm(Q, eta, theta, sigma);

  X_mean * beta ~ normal(intercept_loc, intercept_scale);
  beta[2 : K] ~ normal(beta_loc, beta_scale);
  sd_Subject ~ student_t(3, 0, sd_Subject_scale);
  z_Subject ~ std_normal();
  sigma ~ student_t(3, 0, sigma_scale);
}
