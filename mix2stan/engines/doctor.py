"""What is installed, and whether it works."""

from __future__ import annotations

import importlib.metadata
import platform
from dataclasses import dataclass

import numpy as np

from mix2stan.engines import ENGINES, Settings, engine_named, pick_engine
from mix2stan.errors import EngineError

__all__ = ["Check", "examine"]

_PACKAGES = ("mix2stan", "cmdstanpy", "stanli", "arviz", "lark", "jinja2", "pandas", "numpy")
_TINY = """\
data {
  real y;
}
parameters {
  real mu;
}
model {
  mu ~ std_normal();
  y ~ normal(mu, 1);
}
"""


@dataclass(frozen=True)
class Check:
    """One line of the report; ``ok`` is None where nothing was tried."""

    name: str
    ok: bool | None
    detail: str


def examine() -> list[Check]:
    """Versions, the engines found, a tiny model on each, and the engine ``auto`` would take."""
    checks = [Check("python", None, platform.python_version())]
    checks += [Check(name, None, _version(name)) for name in _PACKAGES]
    checks += [_try(name) for name in ENGINES]
    try:
        engine = pick_engine()
        checks.append(Check("engine = auto", True, f"{engine.version}: {engine.reason}"))
    except EngineError as error:
        checks.append(Check("engine = auto", False, str(error)))
    return checks


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _try(name: str) -> Check:
    """Sample mu | y = 1, whose posterior mean is 1/2."""
    try:
        engine = engine_named(name)
        program = engine.compile(_TINY, {"y": 1.0})
        draws = program.sample(Settings(seed=1, chains=1, warmup=200, draws=500))
    except EngineError as error:
        return Check(name, False, str(error))
    mean = float(np.mean(draws.variables["mu"]))
    right = abs(mean - 0.5) < 0.25
    return Check(name, right, f"{engine.version}, a tiny model gives {mean:.2f} (exact: 0.50)")
