"""Hadfield's table: six variance structures of sex within dam, in MCMCglmm's words and lme4's."""

from pathlib import Path

import mix2stan as m2s

blue_tits = m2s.read_table(Path(__file__).parent / "data" / "BTdata.csv")
data = {"BTdata": blue_tits}

for random in ("dam", "us(sex):dam", "sex:dam", "dam + sex:dam", "idh(sex):dam", "corh(sex):dam"):
    model = m2s.model(f"MCMCglmm(tarsus ~ sex, random = ~ {random}, data = BTdata)", data)
    print(model.explain().section("Random terms"), end="\n\n")
    try:
        print(model.translate("lme4"), end="\n\n")
    except m2s.Unsupported as reason:
        # corh: heterogeneous variances, one correlation; glmmTMB calls it cs
        print(reason, model.translate("glmmTMB"), sep="\n", end="\n\n")
    print(model.reml().VarCorr(), end="\n\n")

# two rows of the table are one model only if their matrices are
one = m2s.model("MCMCglmm(tarsus ~ sex, random = ~ us(sex):dam, data = BTdata)", data)
for other in ("(sex - 1 | dam)", "(1 | sex:dam)"):
    print(m2s.compare(one, m2s.model(f"lmer(tarsus ~ sex + {other}, data = BTdata)", data)))

print(one.sample(seed=1, chains=2, warmup=500, draws=500).VarCorr())
