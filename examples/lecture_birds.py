"""Hawaiian birds: errors of years that depend on each other, equally or the less the further apart."""

from pathlib import Path

import mix2stan as m2s

birds = m2s.read_table(Path(__file__).parent / "data" / "birds.csv")

for correlation in ("corCompSymm(form = ~ Year)", "corAR1(form = ~ Year)"):
    model = m2s.gls(
        "Birds ~ Rainfall + Year", correlation=correlation, na_action="na.omit", data=birds
    )
    explanation = model.explain()
    print(explanation.section("Errors"), end="\n\n")
    print(explanation.section("V of a few observations"), end="\n\n")
    print(model.reml(), end="\n\n")
    print(model.sample(seed=1, chains=2, warmup=500, draws=500), end="\n\n")

# the covariance where the data put it: what is known of 1960 from 1959 is soon forgotten
print(model.explain(at=model.reml()).section("V of a few observations"), end="\n\n")
print(model.translate("nlme"))
