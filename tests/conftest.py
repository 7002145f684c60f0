"""Fixtures that all tests share: the data sets, the two engines."""

from __future__ import annotations

import functools
import os
from pathlib import Path

# workers share the cores: threads of linear algebra would only wait for each other
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# where a test asks for no engine it has the embedded one, whatever a test before it has found
os.environ.setdefault("MIX2STAN_ENGINE", "stanli")

# here, before there are workers: ArviZ's first import of a day cannot be two at a time
import arviz  # noqa: F401
import cmdstanpy
import pandas as pd
import pytest

import mix2stan as m2s
from mix2stan.engines import Engine, engine_named
from tests.support import cmdstan_home

FIXTURES = Path(__file__).parent / "fixtures"


@functools.cache
def table(name: str) -> pd.DataFrame:
    return m2s.read_table(FIXTURES / "data" / f"{name}.csv")


@pytest.fixture(scope="session")
def sleepstudy() -> pd.DataFrame:
    return table("sleepstudy")


@pytest.fixture(scope="session")
def cmdstan() -> Engine:
    """The reference engine; skips, with the reason, where none can be had."""
    reason = cmdstan_home.missing()
    if reason is not None:
        pytest.skip(reason)
    cmdstanpy.set_cmdstan_path(str(cmdstan_home.cmdstan_home()))
    return engine_named("cmdstan")


@pytest.fixture(scope="session")
def stanli() -> Engine:
    return engine_named("stanli")


@pytest.fixture(params=["stanli", pytest.param("cmdstan", marks=pytest.mark.cmdstan)])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn."""
    return request.getfixturevalue(request.param)


#: Of tests over many programs, and over approximations, what CmdStan compiles in the fast suite: one of
#: each kind.  Families may be called as programs are, so it goes by the parameter as well.
COMPILED = {
    "name": frozenset(
        "slope crossed collapsed_slope collapsed_crossed collapsed_correlated_dense "
        "partly_collapsed poisson errors_ar1".split()
    ),
    "kind": frozenset({"laplace"}),
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A compilation takes half a minute: of tests over many programs, most are slow."""
    for item in items:
        if item.get_closest_marker("cmdstan") is None or not hasattr(item, "callspec"):
            continue
        values = {name: str(v) for name, v in item.callspec.params.items() if str(v) != "cmdstan"}
        if values and not any(v in COMPILED.get(name, ()) for name, v in values.items()):
            item.add_marker(pytest.mark.slow)
