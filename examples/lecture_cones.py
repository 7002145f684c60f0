"""Squirrels handling cones: random intercepts, random slopes, with and without correlation."""

from pathlib import Path

import mix2stan as m2s

cones = m2s.read_table(Path(__file__).parent / "data" / "cones.csv")
data = {"cone.handling": cones}

models = [
    m2s.model(call, data)
    for call in (
        "lmer(Time ~ Width + (1 | Squirrel), data = cone.handling)",
        "lmer(Time ~ Width + (Width | Squirrel), data = cone.handling)",
        "MCMCglmm(Time ~ Width, random = ~idh(1 + Width):Squirrel, data = cone.handling)",
    )
]
for model in models:
    explanation = model.explain()
    print(explanation.section("Random terms"), end="\n\n")
    print(explanation.section("Two observations"), end="\n\n")
    fit = model.sample(seed=1)
    print(fit, fit.VarCorr(), sep="\n\n", end="\n\n")

# the slides take the last two for one model; the second has a covariance that the third has not
print(m2s.compare(models[1], models[2]), end="\n\n")
for model in models:
    print(model.translate("lme4"), model.translate("MCMCglmm"), sep="\n", end="\n\n")
