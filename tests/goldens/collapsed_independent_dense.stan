// lmer(SCT ~ 0 + (tarsus || temp) + (1 | line))
//
//   y           ~ normal(Z_temp b_temp[temp] + b_line[line], sigma)
//   b_line      ~ normal(0, sd_line)
//   b_temp[, q] ~ normal(0, sd_temp[q])
//
// b_temp and b_line are integrated out: NUTS sees the variances alone, and they are drawn exactly.
// W = [Z], Z the columns of temp; their effects are a root F of their covariance times standard normals.
// With S the products of [r W], rotated rows weighted by H_j, S / sigma^2 holds the precision P of the rest and P times its mean.
// Every level is rotated, Z_j = U_j T_j, so that one row holds all that the effects of line have a part in; these rows have precision
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
  int<lower=1> N; // observations of SCT
  int<lower=1> E; // effects of temp
  int<lower=E> D; // columns of W
  vector<lower=0>[D] unit; // what the columns of W were divided by
  matrix[D + 1, D + 1] S_0; // products of [r W] in what no effect of line has a part in

  int<lower=1> J_line; // levels of line
  vector[J_line] T_line; // the length of Z in every level, Z = U T
  vector[J_line] r_line; // U'r of every level
  matrix[J_line, D] W_of_line; // U'W of every level
  int<lower=1> M; // products of two columns of it that meet in a level
  array[M] int<lower=1, upper=J_line> met; // that level
  array[(D * (D + 1)) %/% 2] int<lower=1, upper=M> last; // the last product of every pair of columns
  array[D * D] int<lower=1> pair; // the pair that every element of W'W is
  vector[M] WW_line; // the products

  int<lower=1> J_temp; // levels of temp
  int<lower=1> Q_temp; // effects per level, 1 and 0 + tarsus

  // prior locations and scales
  real<lower=0> sd_line_scale;
  vector<lower=0>[Q_temp] sd_temp_scale;
  real<lower=0> sigma_scale;
}
transformed data {
  // 1 for the standard normals that become effects, 0 for theta - theta_hat
  vector[D] shrunk = append_row(rep_vector(1, E), rep_vector(0, D - E));
}
parameters {
  real<lower=0> sd_line;

  vector<lower=0>[Q_temp] sd_temp;

  real<lower=0> sigma; // residual sd
}
model {
  real A = sd_line / sigma;
  vector[J_line] H = inv(1 + square(A * T_line));
  matrix[D + 1, D + 1] S = S_0;
  S += level_products(H, r_line, W_of_line, WW_line, met, last, pair);
  real rr = S[1, 1];
  vector[D] Wr = S[2 : , 1];
  matrix[D, D] WW = S[2 : , 2 : ];
  vector[D] s = rep_vector(1, D); // scales of the effects
  s[1 : J_temp * Q_temp] = to_vector(rep_matrix(diagonal(diag_matrix(sd_temp))', J_temp));
  s = s .* unit;
  matrix[D, D] P = add_diag(quad_form_diag(WW, s) / square(sigma), shrunk);
  vector[D] h = s .* Wr / square(sigma);
  matrix[D, D] L_P = cholesky_decompose(P);
  vector[D] v = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * rr / square(sigma);
  target += -0.5 * (-sum(log(H)));
  target += 0.5 * dot_self(v) - sum(log(diagonal(L_P)));

  sd_line ~ student_t(3, 0, sd_line_scale);
  sd_temp ~ student_t(3, 0, sd_temp_scale);
  sigma ~ student_t(3, 0, sigma_scale);
}
generated quantities {
  matrix[J_temp, Q_temp] b_temp;
  vector[J_line] b_line;
  {
    real A = sd_line / sigma;
    vector[J_line] H = inv(1 + square(A * T_line));
    matrix[D + 1, D + 1] S = S_0;
    S += level_products(H, r_line, W_of_line, WW_line, met, last, pair);
    real rr = S[1, 1];
    vector[D] Wr = S[2 : , 1];
    matrix[D, D] WW = S[2 : , 2 : ];
    vector[D] s = rep_vector(1, D); // scales of the effects
    s[1 : J_temp * Q_temp] = to_vector(rep_matrix(diagonal(diag_matrix(sd_temp))', J_temp));
    s = s .* unit;
    matrix[D, D] P = add_diag(quad_form_diag(WW, s) / square(sigma), shrunk);
    vector[D] h = s .* Wr / square(sigma);
    matrix[D, D] L_P = cholesky_decompose(P);
    vector[D] v = mdivide_left_tri_low(L_P, h);
    vector[D] z = to_vector(normal_rng(rep_vector(0, D), 1));
    vector[D] c = mdivide_right_tri_low((v + z)', L_P)'; // the coefficients of W
    c = s .* c;
    vector[D] effects = c ./ unit;
    b_temp = to_matrix(effects[1 : J_temp * Q_temp], J_temp, Q_temp);
    // from the prior, moved to what the rows say
    vector[J_line] u = to_vector(normal_rng(rep_vector(0, J_line), sigma * A));
    vector[J_line] left = r_line - W_of_line * c;
    left -= T_line .* u + to_vector(normal_rng(rep_vector(0, J_line), sigma));
    b_line = u + square(A) * T_line .* H .* left;
  }
}
