"""Squirrels handling cones: random intercepts, random slopes, with and without correlation."""

from pathlib import Path

import mix2stan as m2s

cones = m2s.read_table(Path(__file__).parent / "data" / "cones.csv")
data = {"cone.handling": cones}

for call in (
    "lmer(Time ~ Width + (1 | Squirrel), data = cone.handling)",
    "lmer(Time ~ Width + (Width | Squirrel), data = cone.handling)",
    "MCMCglmm(Time ~ Width, random = ~idh(1 + Width):Squirrel, data = cone.handling)",
):
    model = m2s.model(call, data)
    fit = model.sample(seed=1)
    print(model, fit, fit.VarCorr(), sep="\n\n", end="\n\n")
