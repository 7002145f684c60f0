"""mix2stan: R's mixed-model calls, compiled to readable Stan and sampled.

>>> import mix2stan as m2s
>>> model = m2s.model("lmer(Reaction ~ Days + (Days | Subject))", data=df)  # doctest: +SKIP
>>> print(model.stan_code)  # doctest: +SKIP
>>> model.sample(seed=1).summary()  # doctest: +SKIP
"""

import logging

from mix2stan.anova import Anova, anova
from mix2stan.calls import MCMCglmm, brm, glm, glmer, glmer_nb, glmmTMB, gls, lm, lme, lmer
from mix2stan.comparison import Comparison, compare
from mix2stan.design import model_matrix, read_table
from mix2stan.errors import DataError, EngineError, FormulaError, Mix2stanError, Unsupported
from mix2stan.fit import Fit, load
from mix2stan.joint_fit import JointFit
from mix2stan.joint_model import JointModel
from mix2stan.model import Model, model
from mix2stan.pooled import fit_multiple
from mix2stan.relationships import Known
from mix2stan.translations import translate

__all__ = [
    "Anova",
    "Comparison",
    "DataError",
    "EngineError",
    "Fit",
    "FormulaError",
    "JointFit",
    "JointModel",
    "Known",
    "MCMCglmm",
    "Mix2stanError",
    "Model",
    "Unsupported",
    "anova",
    "brm",
    "compare",
    "fit_multiple",
    "glm",
    "glmer",
    "glmer_nb",
    "glmmTMB",
    "gls",
    "lm",
    "lme",
    "lmer",
    "load",
    "model",
    "model_matrix",
    "read_table",
    "translate",
]

__version__ = "0.1.0"

# what the package logs is shown where the user says so
logging.getLogger(__name__).addHandler(logging.NullHandler())
