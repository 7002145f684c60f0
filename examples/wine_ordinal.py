"""Bitterness of wine in five ordered categories, by the same model in two packages' words."""

from pathlib import Path

import mix2stan as m2s

wine = m2s.read_table(Path(__file__).parent / "data" / "wine.csv")
model = m2s.model("clmm(rating ~ temp + contact + (1 | judge), data = wine)", wine)
print(model, end="\n\n")
print(model.translate("brms"), end="\n\n")
fit = model.sample(seed=1)
print(fit, end="\n\n")

# warm wine is more bitter: the odds of a higher category are exp(beta) times as large
print(fit.hypothesis(["tempwarm > 0", "exp(tempwarm) > 5"])["probability"], end="\n\n")

# by how much the probability of each category goes up, for a judge without an effect
print(fit.comparisons("temp")[["mean", "2.5%", "97.5%"]].round(2), end="\n\n")
# and what a judge may say who has not been asked yet
new = wine[["temp", "contact"]].drop_duplicates().assign(judge="another")
print(fit.predict(new, re="integrate").mean(("chain", "draw")).round(2).to_pandas())
