"""Hawaiian birds: errors of years that depend on each other, and a correlation nothing is known of."""

from pathlib import Path

import mix2stan as m2s

birds = m2s.read_table(Path(__file__).parent / "data" / "birds.csv")


def gls(correlation: str) -> m2s.Model:
    """The lecture's model with one of its correlations."""
    return m2s.gls(
        "Birds ~ Rainfall + Year", correlation=correlation, na_action="na.omit", data=birds
    )


# all years are one block: a correlation that all of them share would move their mean, and the
# intercept is that mean already
together = gls("corCompSymm(form = ~ Year)")
print(together.explain().section("Errors"), end="\n\n")
print(together.explain().section("V of a few observations"), end="\n\n")
print(together.explain().section("Be careful"), end="\n\n")

# the restricted likelihood is flat in rho, and sigma is given for rho = 0
print(together.reml(), end="\n\n")

# the likelihood has no maximum at all: it is unbounded where rho goes to -1 / (N - 1)
try:
    together.ml()
except m2s.Unsupported as reason:
    print(reason, end="\n\n")

# a posterior there is, but that of rho is its prior, and sigma, the size of errors that share so
# much, is as large as rho lets it: what the data know is sigma sqrt(1 - rho)
fit = together.sample(seed=1, chains=2, warmup=500, draws=500)
print(fit, end="\n\n")
posterior = fit.posterior
known = posterior["sigma"] * (1 - posterior["cor_rho"]) ** 0.5
print(f"sigma sqrt(1 - rho): {float(known.mean()):.2f}, by REML {together.reml().sigma():.2f}\n")

# a correlation that falls with the years between two errors is another matter
series = gls("corAR1(form = ~ Year)")
print(series.explain().section("Errors"), end="\n\n")
print(series.reml(), end="\n\n")
print(series.sample(seed=1, chains=2, warmup=500, draws=500), end="\n\n")

# the covariance where the data put it: what is known of 1960 from 1959 is soon forgotten
print(series.explain(at=series.reml()).section("V of a few observations"), end="\n\n")
print(series.translate("nlme"))
