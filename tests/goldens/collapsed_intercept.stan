// lmer(Reaction ~ Days + (1 | Subject))
//
//   y         ~ normal(X beta + b_Subject[Subject], sigma)
//   b_Subject ~ normal(0, sd_Subject)
//
// beta and b_Subject are integrated out: NUTS sees the variances alone, and they are drawn exactly.
// Q = X R_inverse has orthogonal columns, theta_hat are their least-squares effects, r = y - Q theta_hat.
// With S the products of [r Q], rotated rows weighted by H_j, S / sigma^2 holds the precision P of the rest and P times its mean.
// Every level is rotated, Z_j = U_j T_j, so that one row holds all that the effects of Subject have a part in; these rows have precision
// H_j = (I + T_j A A' T_j')^-1, with A A' the covariance of the effects over sigma^2.
functions {
  // the products of [r Q] of all levels: sum_j [r Q]_j' H_j [r Q]_j
  matrix level_products(vector H, vector r, matrix Q, matrix QQ) {
    int K = cols(Q);
    vector[num_elements(r)] u = H .* r;
    vector[K] Qr = Q' * u;
    matrix[K, K] products = to_matrix(QQ * H, K, K);
    return append_row(append_col(dot_product(r, u), Qr'), append_col(Qr, products));
  }
}
data {
  int<lower=1> N; // observations of Reaction
  int<lower=1> K; // population effects, Days
  matrix[K, K] R_inverse; // X R_inverse has orthogonal columns
  vector[K] theta_hat; // least-squares effects of Q = X R_inverse
  matrix[K + 1, K + 1] S_0; // products of [r Q] in what no effect of Subject has a part in

  int<lower=1> J_Subject; // levels of Subject
  vector[J_Subject] T_Subject; // the length of Z in every level, Z = U T
  vector[J_Subject] r_Subject; // U'r of every level
  matrix[J_Subject, K] Q_of_Subject; // U'Q of every level
  matrix[K * K, J_Subject] QQ_Subject; // the products of its columns

  // prior locations and scales
  int<lower=1> K_prior; // statements on beta
  matrix[K_prior, K] C; // C beta ~ normal(beta_loc, beta_scale)
  vector[K_prior] beta_loc;
  vector<lower=0>[K_prior] beta_scale;
  real<lower=0> sd_Subject_scale;
  real<lower=0> sigma_scale;
}
transformed data {
  // the prior of theta - theta_hat: its precision, and that times its mean
  matrix[K_prior, K] C_theta = diag_pre_multiply(inv(beta_scale), C * R_inverse);
  vector[K_prior] gap = (beta_loc - C * (R_inverse * theta_hat)) ./ beta_scale;
  matrix[K, K] prior_precision = crossprod(C_theta);
  vector[K] prior_linear = C_theta' * gap;
}
parameters {
  real<lower=0> sd_Subject;

  real<lower=0> sigma; // residual sd
}
model {
  real A = sd_Subject / sigma;
  vector[J_Subject] H = inv(1 + square(A * T_Subject));
  matrix[K + 1, K + 1] S = S_0;
  S += level_products(H, r_Subject, Q_of_Subject, QQ_Subject);
  real rr = S[1, 1];
  vector[K] Qr = S[2 : , 1];
  matrix[K, K] QQ = S[2 : , 2 : ];
  matrix[K, K] P = QQ / square(sigma) + prior_precision;
  vector[K] h = Qr / square(sigma) + prior_linear;
  matrix[K, K] L_P = cholesky_decompose(P);
  vector[K] v = mdivide_left_tri_low(L_P, h);
  target += -N * log(sigma) - 0.5 * rr / square(sigma);
  target += -0.5 * (-sum(log(H)));
  target += 0.5 * dot_self(v) - sum(log(diagonal(L_P)));

  sd_Subject ~ student_t(3, 0, sd_Subject_scale);
  sigma ~ student_t(3, 0, sigma_scale);
}
generated quantities {
  vector[K] beta;
  vector[J_Subject] b_Subject;
  {
    real A = sd_Subject / sigma;
    vector[J_Subject] H = inv(1 + square(A * T_Subject));
    matrix[K + 1, K + 1] S = S_0;
    S += level_products(H, r_Subject, Q_of_Subject, QQ_Subject);
    real rr = S[1, 1];
    vector[K] Qr = S[2 : , 1];
    matrix[K, K] QQ = S[2 : , 2 : ];
    matrix[K, K] P = QQ / square(sigma) + prior_precision;
    vector[K] h = Qr / square(sigma) + prior_linear;
    matrix[K, K] L_P = cholesky_decompose(P);
    vector[K] v = mdivide_left_tri_low(L_P, h);
    vector[K] z = to_vector(normal_rng(rep_vector(0, K), 1));
    vector[K] c = mdivide_right_tri_low((v + z)', L_P)'; // the coefficients of Q
    beta = R_inverse * (theta_hat + c);
    // from the prior, moved to what the rows say
    vector[J_Subject] u = to_vector(normal_rng(rep_vector(0, J_Subject), sigma * A));
    vector[J_Subject] left = r_Subject - Q_of_Subject * c;
    left -= T_Subject .* u + to_vector(normal_rng(rep_vector(0, J_Subject), sigma));
    b_Subject = u + square(A) * T_Subject .* H .* left;
  }
}
