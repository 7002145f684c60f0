// MCMCglmm(diameter ~ 1, random = ~plate + sample, rcov = ~idh(sample):units)
//
//   y        ~ normal(X beta + b_plate[plate] + b_sample[sample], sigma d)
//   b_plate  ~ normal(0, sd_plate)
//   b_sample ~ normal(0, sd_sample)
//
// beta and b_plate and b_sample are integrated out: NUTS sees the other parameters alone, the rest is drawn exactly.
// Q = X R_inverse has orthogonal columns, theta_hat are their least-squares effects, r = y - Q theta_hat.
// W = [Z Q], Z the columns of sample; their effects are a root F of their covariance times standard normals.
// R = [r W] and the columns Z_j of a level are made independent first, rows w.
// With S = R' R - sum_j (Z_j' R)' G_j Z_j' R, S / sigma^2 holds the precision P of the rest and P times its mean.
// G_j = A (I + A' Z_j'Z_j A)^-1 A', with A A' the covariance of the effects of plate over sigma^2 and j a level.
// errors have the sds sigma d, d = var_ratio[sample]
functions {
  // the sums of the runs of x that end at last
  vector group_sums(vector x, array[] int last) {
    vector[size(last)] total = cumulative_sum(x)[last];
    return append_row(total[1], total[2 : ] - total[ : size(last) - 1]);
  }
}
data {
  int<lower=1> observations; // of diameter
  int<lower=1> N; // rows, those of one level and variance few with the same sums of products
  vector<lower=0>[N] count; // how many observations a row stands for
  int<lower=1> K; // population effects, 1
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  int<lower=1> E; // effects of sample
  int<lower=E> D; // columns of W
  matrix[N, D + 2] rows; // [r Z_sample Q Z_plate], r = y - Q theta_hat

  int<lower=1> J_plate; // levels of plate
  array[J_plate] int<lower=1, upper=N> last_plate; // the last row of every level

  int<lower=1> J_sample; // levels of sample

  int<lower=1> strata; // strata of the errors, sample
  array[N] int<lower=1, upper=strata> stratum;

  // prior locations and scales
  int<lower=1> K_prior; // statements on beta
  matrix[K_prior, K] C; // C beta ~ normal(beta_loc, beta_scale)
  vector[K_prior] beta_loc;
  vector<lower=0>[K_prior] beta_scale;
  real<lower=0> sd_plate_scale;
  real<lower=0> sd_sample_scale;
  real<lower=0> sigma_scale;
}
transformed data {
  // 1 for the standard normals that become effects, 0 for theta - theta_hat
  vector[D] shrunk = append_row(rep_vector(1, E), rep_vector(0, D - E));
  // the prior of theta - theta_hat: its precision, and that times its mean
  matrix[K_prior, K] C_theta = diag_pre_multiply(inv(beta_scale), C * R_inverse);
  vector[K_prior] gap = (beta_loc - C * (R_inverse * theta_hat)) ./ beta_scale;
  matrix[D, D] prior_precision = rep_matrix(0, D, D);
  prior_precision[E + 1 : D, E + 1 : D] = crossprod(C_theta);
  vector[D] prior_linear = append_row(rep_vector(0, E), C_theta' * gap);
}
parameters {
  real<lower=0> sd_plate;

  real<lower=0> sd_sample;

  real<lower=0> sigma; // residual sd

  vector<lower=0>[strata - 1] var_ratio; // sd over the first's
}
model {
  vector[N] d = append_row(1, var_ratio)[stratum];
  matrix[N, D + 2] w = rows ./ rep_matrix(d, D + 2);
  matrix[D + 1, D + 1] S = crossprod(w[ : , 1 : D + 1]);
  vector[N] Z_1 = w[ : , D + 2];
  vector[J_plate] ZZ_plate_11 = group_sums(Z_1 .* Z_1, last_plate);
  matrix[J_plate, D + 1] ZR_plate_1;
  for (k in 1 : D + 1) {
    ZR_plate_1[ : , k] = group_sums(Z_1 .* w[ : , k], last_plate);
  }
  real A_plate = sd_plate / sigma;
  vector[J_plate] h_11 = A_plate * ZZ_plate_11;
  vector[J_plate] m_11 = 1 + A_plate * h_11;
  vector[J_plate] d_1 = m_11;
  vector[J_plate] i_1 = inv_sqrt(d_1);
  vector[J_plate] b_11 = A_plate * i_1;
  matrix[J_plate, D + 1] U_1 = rep_matrix(b_11, D + 1) .* ZR_plate_1; // B Z'R
  S -= crossprod(U_1);
  real rr = S[1, 1];
  vector[D] Wr = S[2 : , 1];
  matrix[D, D] WW = S[2 : , 2 : ];
  vector[D] s = rep_vector(1, D); // scales of the effects
  s[1 : J_sample] = rep_vector(sd_sample, J_sample);
  matrix[D, D] P = add_diag(quad_form_diag(WW, s) / square(sigma), shrunk) + prior_precision;
  vector[D] h = s .* Wr / square(sigma) + prior_linear;
  matrix[D, D] L_P = cholesky_decompose(P);
  vector[D] v_P = mdivide_left_tri_low(L_P, h);
  target += -observations * log(sigma) - 0.5 * rr / square(sigma);
  target += -dot_product(count, log(d));
  target += -0.5 * (sum(log(d_1)));
  target += 0.5 * dot_self(v_P) - sum(log(diagonal(L_P)));

  sd_plate ~ student_t(3, 0, sd_plate_scale);
  sd_sample ~ student_t(3, 0, sd_sample_scale);
  sigma ~ student_t(3, 0, sigma_scale);
  var_ratio ~ lognormal(0, 1);
}
generated quantities {
  vector[K] beta;
  vector[J_sample] b_sample;
  vector[J_plate] b_plate;
  {
    vector[N] d = append_row(1, var_ratio)[stratum];
    matrix[N, D + 2] w = rows ./ rep_matrix(d, D + 2);
    matrix[D + 1, D + 1] S = crossprod(w[ : , 1 : D + 1]);
    vector[N] Z_1 = w[ : , D + 2];
    vector[J_plate] ZZ_plate_11 = group_sums(Z_1 .* Z_1, last_plate);
    matrix[J_plate, D + 1] ZR_plate_1;
    for (k in 1 : D + 1) {
      ZR_plate_1[ : , k] = group_sums(Z_1 .* w[ : , k], last_plate);
    }
    real A_plate = sd_plate / sigma;
    vector[J_plate] h_11 = A_plate * ZZ_plate_11;
    vector[J_plate] m_11 = 1 + A_plate * h_11;
    vector[J_plate] d_1 = m_11;
    vector[J_plate] i_1 = inv_sqrt(d_1);
    vector[J_plate] b_11 = A_plate * i_1;
    matrix[J_plate, D + 1] U_1 = rep_matrix(b_11, D + 1) .* ZR_plate_1; // B Z'R
    S -= crossprod(U_1);
    real rr = S[1, 1];
    vector[D] Wr = S[2 : , 1];
    matrix[D, D] WW = S[2 : , 2 : ];
    vector[D] s = rep_vector(1, D); // scales of the effects
    s[1 : J_sample] = rep_vector(sd_sample, J_sample);
    matrix[D, D] P = add_diag(quad_form_diag(WW, s) / square(sigma), shrunk) + prior_precision;
    vector[D] h = s .* Wr / square(sigma) + prior_linear;
    matrix[D, D] L_P = cholesky_decompose(P);
    vector[D] v_P = mdivide_left_tri_low(L_P, h);
    vector[D] z = to_vector(normal_rng(rep_vector(0, D), 1));
    vector[D] c = mdivide_right_tri_low((v_P + z)', L_P)'; // the coefficients of W
    c = s .* c;
    beta = R_inverse * (theta_hat + c[E + 1 : D]);
    b_sample = c[1 : J_sample];
    vector[J_plate] e_1 = ZR_plate_1[ : , 1] - ZR_plate_1[ : , 2 : ] * c; // Z'(y - the rest)
    vector[J_plate] g_11 = b_11 .* b_11;
    vector[J_plate] z_1 = to_vector(normal_rng(rep_vector(0, J_plate), sigma));
    b_plate = g_11 .* e_1;
    b_plate += b_11 .* z_1;
  }
}
