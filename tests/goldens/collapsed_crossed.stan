// lmer(diameter ~ 1 + (1 | plate) + (1 | sample))
//
//   y        ~ normal(X beta + b_plate[plate] + b_sample[sample], sigma)
//   b_plate  ~ normal(0, sd_plate)
//   b_sample ~ normal(0, sd_sample)
//
// beta and b_plate and b_sample are integrated out: NUTS sees the variances alone, and they are drawn exactly.
// Q = X R_inverse has orthogonal columns, theta_hat are their least-squares effects, r = y - Q theta_hat.
// W = [Z Q], Z the columns of sample; their effects are a root F of their covariance times standard normals.
// With S the products of [r W], rotated rows weighted by H_j, S / sigma^2 holds the precision P of the rest and P times its mean.
// Every level is rotated, Z_j = U_j T_j, so that one row holds all that the effects of plate have a part in; these rows have precision
// H_j = (I + T_j A A' T_j')^-1, with A A' the covariance of the effects over sigma^2.
functions {
  // the sums of the runs of x that end at last
  vector group_sums(vector x, array[] int last) {
    vector[size(last)] total = cumulative_sum(x)[last];
    return append_row(total[1], total[2 : ] - total[ : size(last) - 1]);
  }

  // the products of [r W] of all levels: sum_j [r W]_j' H_j [r W]_j
  matrix level_products(vector H, vector r, matrix W, vector WW, array[] int met, array[] int last,
                        array[] int pair) {
    int D = cols(W);
    vector[num_elements(r)] u = H .* r;
    vector[D] Wr = W' * u;
    vector[size(met)] products = WW .* H[met];
    matrix[D, D] whole = to_matrix(group_sums(products, last)[pair], D, D);
    return append_row(append_col(dot_product(r, u), Wr'), append_col(Wr, whole));
  }
}
data {
  int<lower=1> N; // observations of diameter
  int<lower=1> K; // population effects, 1
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  int<lower=1> E; // effects of sample
  int<lower=E> D; // columns of W
  matrix[D + 1, D + 1] S_0; // products of [r W] in what no effect of plate has a part in

  int<lower=1> J_plate; // levels of plate
  vector[J_plate] T_plate; // the length of Z in every level, Z = U T
  vector[J_plate] r_plate; // U'r of every level
  matrix[J_plate, D] W_of_plate; // U'W of every level
  int<lower=1> M; // products of two columns of it that meet in a level
  array[M] int<lower=1, upper=J_plate> met; // that level
  array[(D * (D + 1)) %/% 2] int<lower=1, upper=M> last; // the last product of every pair of columns
  array[D * D] int<lower=1> pair; // the pair that every element of W'W is
  vector[M] WW_plate; // the products

  int<lower=1> J_sample; // levels of sample

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
}
model {
  real A = sd_plate / sigma;
  vector[J_plate] H = inv(1 + square(A * T_plate));
  matrix[D + 1, D + 1] S = S_0;
  S += level_products(H, r_plate, W_of_plate, WW_plate, met, last, pair);
  real rr = S[1, 1];
  vector[D] Wr = S[2 : , 1];
  matrix[D, D] WW = S[2 : , 2 : ];
  vector[D] s = rep_vector(1, D); // scales of the effects
  s[1 : J_sample] = rep_vector(sd_sample, J_sample);
  matrix[D, D] P = add_diag(quad_form_diag(WW, s) / square(sigma), shrunk) + prior_precision;
  vector[D] h = s .* Wr / square(sigma) + prior_linear;
  matrix[D, D] L_P = cholesky_decompose(P);
  vector[D] v = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * rr / square(sigma);
  target += -0.5 * (-sum(log(H)));
  target += 0.5 * dot_self(v) - sum(log(diagonal(L_P)));

  sd_plate ~ student_t(3, 0, sd_plate_scale);
  sd_sample ~ student_t(3, 0, sd_sample_scale);
  sigma ~ student_t(3, 0, sigma_scale);
}
generated quantities {
  vector[K] beta;
  vector[J_sample] b_sample;
  vector[J_plate] b_plate;
  {
    real A = sd_plate / sigma;
    vector[J_plate] H = inv(1 + square(A * T_plate));
    matrix[D + 1, D + 1] S = S_0;
    S += level_products(H, r_plate, W_of_plate, WW_plate, met, last, pair);
    real rr = S[1, 1];
    vector[D] Wr = S[2 : , 1];
    matrix[D, D] WW = S[2 : , 2 : ];
    vector[D] s = rep_vector(1, D); // scales of the effects
    s[1 : J_sample] = rep_vector(sd_sample, J_sample);
    matrix[D, D] P = add_diag(quad_form_diag(WW, s) / square(sigma), shrunk) + prior_precision;
    vector[D] h = s .* Wr / square(sigma) + prior_linear;
    matrix[D, D] L_P = cholesky_decompose(P);
    vector[D] v = mdivide_left_tri_low(L_P, h);
    vector[D] z = to_vector(normal_rng(rep_vector(0, D), 1));
    vector[D] c = mdivide_right_tri_low((v + z)', L_P)'; // the coefficients of W
    c = s .* c;
    beta = R_inverse * (theta_hat + c[E + 1 : D]);
    b_sample = c[1 : J_sample];
    // from the prior, moved to what the rows say
    vector[J_plate] u = to_vector(normal_rng(rep_vector(0, J_plate), sigma * A));
    vector[J_plate] left = r_plate - W_of_plate * c;
    left -= T_plate .* u + to_vector(normal_rng(rep_vector(0, J_plate), sigma));
    b_plate = u + square(A) * T_plate .* H .* left;
  }
}
