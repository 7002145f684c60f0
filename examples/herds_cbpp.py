"""Pleuropneumonia in herds of cattle: shares of animals, and what varies beyond a binomial response."""

from pathlib import Path

import mix2stan as m2s

cbpp = m2s.read_table(Path(__file__).parent / "data" / "cbpp.csv")
call = "glmer(cbind(incidence, size - incidence) ~ period + {}, data = cbpp, family = binomial)"

herds = m2s.model(call.format("(1 | herd)"), cbpp)
print(herds.explain().section("Be careful"), end="\n\n")
fit = herds.sample(seed=1)
print(fit, end="\n\n")

# the share of sick animals by period: of a herd in the middle, and averaged over herds
print(fit.marginal_means("period").to_string(), end="\n\n")
first = cbpp.drop_duplicates("period")
print(fit.predict(first, re="integrate", seed=1, summary=True), end="\n\n")

# an effect of every row takes up what varies more than a binomial response does
rows = cbpp.assign(row=range(len(cbpp)))
print(m2s.model(call.format("(1 | herd) + (1 | row)"), rows).sample(seed=1).VarCorr())
