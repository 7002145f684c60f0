"""Counts with many zeros: negative binomial, with zeros of their own, and with a predictor for them."""

from pathlib import Path

import mix2stan as m2s

ticks = m2s.read_table(Path(__file__).parent / "data" / "grouseticks.csv")
print(f"{(ticks['TICKS'] == 0).mean():.0%} of the chicks have no tick", end="\n\n")

for zeros in ("~ 0", "~ 1", "~ cHEIGHT"):
    model = m2s.glmmTMB(
        "TICKS ~ YEAR + cHEIGHT + (1 | BROOD)", ziformula=zeros, family="nbinom2", data=ticks
    )
    fit = model.sample(seed=1, chains=2, warmup=500, draws=500)
    print(fit, end="\n\n")
    # does the model make as many zeros as there are?
    print(f"simulated zeros: {(fit.simulate(100, seed=1) == 0).mean().mean():.0%}", end="\n\n")
