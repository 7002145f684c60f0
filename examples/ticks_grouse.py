"""Ticks on grouse chicks: counts in broods in locations, with an effect of every chick."""

from pathlib import Path

import mix2stan as m2s

ticks = m2s.read_table(Path(__file__).parent / "data" / "grouseticks.csv")
model = m2s.glmer(
    "TICKS ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)",
    family="poisson",
    data=ticks,
)
# every chick has an effect: given the predictor, all other effects are integrated out
print(model.explain().section("Strategy"), end="\n\n")
fit = model.sample(seed=1)
print(fit, end="\n\n")
print(fit.variance_partition()[["mean", "2.5%", "97.5%"]], end="\n\n")
print(fit.hypothesis("sd_BROOD > sd_LOCATION")["probability"], end="\n\n")
# MCMCglmm has an effect of every row anyway, so its call does not say INDEX
print(model.translate("MCMCglmm"))
