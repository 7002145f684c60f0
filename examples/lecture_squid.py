"""Squid: testis weight on mantle length, its variance growing with length, or one per month."""

from pathlib import Path

import mix2stan as m2s

squid = m2s.read_table(Path(__file__).parent / "data" / "squid.csv")
data = {"Squid": squid}

for weights in ("", ", weights = varFixed(~ DML)", ", weights = varIdent(form = ~ 1 | fMONTH)"):
    model = m2s.model(f"gls(Testisweight ~ DML * fMONTH{weights}, data = Squid)", data)
    print(model.explain().section("Errors"), model.reml(), sep="\n\n", end="\n\n")

# a variance per month is said elsewhere too; one proportional to length is not
print(model.translate("glmmTMB"), model.translate("MCMCglmm"), sep="\n", end="\n\n")
try:
    m2s.gls("Testisweight ~ DML", weights="varFixed(~ DML)", data=squid).translate("glmmTMB")
except m2s.Unsupported as reason:
    print(reason, end="\n\n")

# the posterior; the standard deviation of a month is that of the reference times its ratio
print(model.sample(seed=1, chains=2, warmup=500, draws=500))
