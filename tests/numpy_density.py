"""The joint density of a Gaussian mixed model, from data frames and scipy alone."""

from __future__ import annotations

import numpy as np
from scipy import stats


def mad(y):
    return 1.4826 * np.median(np.abs(y - np.median(y)))


def default_log_joint(y, X, terms, point):
    """log p(y | beta, b, sigma) p(b | sd, R) p(beta) p(sd) p(R) p(sigma), default priors.

    ``terms``: (Z of shape (N, J q), q); ``point``: beta, sigma, and per term sd, L and z (J x q);
    the density is that of z and L, as the program has them.
    """
    scale = max(2.5, mad(y))
    spread = np.std(y, ddof=1)
    beta, sigma = point["beta"], point["sigma"]
    eta = X @ beta
    total = stats.t(3, 0, scale).logpdf(sigma)
    for (Z, _), part in zip(terms, point["terms"], strict=True):
        sd, L, z = part["sd"], part["L"], part["z"]
        b = z @ (np.diag(sd) @ L).T
        eta = eta + Z @ b.ravel()
        total += stats.norm.logpdf(z).sum() + stats.t(3, 0, scale).logpdf(sd).sum()
        q = len(sd)
        total += sum((q - 1 - k) * np.log(L[k, k]) for k in range(1, q))
    centre = X.mean(axis=0) @ beta
    total += stats.norm(y.mean(), 2.5 * spread).logpdf(centre)
    slopes = 2.5 * spread / np.std(X[:, 1:], axis=0, ddof=1)
    total += stats.norm(0, slopes).logpdf(beta[1:]).sum()
    return total + stats.norm(eta, sigma).logpdf(y).sum()
