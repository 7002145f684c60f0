"""Two traits of related animals: their genetic covariance, from a pedigree that is simulated here."""

import numpy as np
import pandas as pd

import mix2stan as m2s

rng = np.random.default_rng(7)
founders, n = 40, 240
sires, dams = rng.integers(0, founders // 2, n), rng.integers(founders // 2, founders, n)
genetic, residual = np.array([[1.0, 0.6], [0.6, 0.8]]), np.array([[1.0, 0.2], [0.2, 1.2]])
parents = rng.multivariate_normal([0, 0], genetic, founders)
# half of the variance is between families, the other half is dealt anew
own = (parents[sires] + parents[dams]) / 2 + rng.multivariate_normal([0, 0], genetic / 2, n)
y = own + rng.multivariate_normal([10, 5], residual, n)

names = [f"f{i}" for i in range(founders)]
young = [f"a{i}" for i in range(n)]
pedigree = pd.DataFrame(
    {
        "animal": names + young,
        "sire": [None] * founders + [names[i] for i in sires],
        "dam": [None] * founders + [names[i] for i in dams],
    }
)
rows = pd.DataFrame({"weight": y[:, 0], "length": y[:, 1], "animal": young})

model = m2s.MCMCglmm(
    "cbind(weight, length) ~ trait - 1",
    random="~ us(trait):animal",
    rcov="~ us(trait):units",
    family='c("gaussian", "gaussian")',
    pedigree=pedigree,
    data=rows,
)
print(model, end="\n\n")
fit = model.sample(seed=1)
print(fit, end="\n\n")
print(fit.VarCorr())
