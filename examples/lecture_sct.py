"""Sex combs of fly lines: the same model in lme4's and MCMCglmm's words, and shrinkage."""

from pathlib import Path

import pandas as pd

import mix2stan as m2s

sct = m2s.read_table(Path(__file__).parent / "data" / "sct.csv")
data = {"dll.data": sct}

for call in (
    "lmer(SCT ~ 1 + tarsus + (1 + tarsus | line), data = dll.data)",
    "MCMCglmm(SCT ~ 1 + tarsus, random = ~us(1 + tarsus):line, data = dll.data)",
    "MCMCglmm(SCT ~ 1 + tarsus, random = ~idh(1 + tarsus):line, data = dll.data)",
    "lmer(SCT ~ 1 + tarsus + (1 | line) + (0 + tarsus | line), data = dll.data)",
):
    model = m2s.model(call, data)
    print(model.call, model.translate("nlme"), sep="\n", end="\n\n")
    print(model.sample(seed=1), end="\n\n")

# shrinkage: every line by itself, and drawn towards the mean of all lines
intercepts = m2s.lmer("SCT ~ 1 + (1 | line)", data=sct)
print(intercepts.explain().section("Shrinkage"), end="\n\n")
alone = m2s.lm("SCT ~ 0 + line", data=sct).sample(seed=1).fixef()
together = intercepts.sample(seed=1).coef()["(Intercept)"]
together = together.droplevel("group")
alone.index = alone.index.str.removeprefix("line")
print(pd.DataFrame({"alone": alone, "together": together, "rows": sct["line"].value_counts()}))
