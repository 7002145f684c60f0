"""Fixtures that all tests share: the data sets, the two engines."""

from __future__ import annotations

import functools
import logging
import os
import sys
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


#: Of tests over many programs, what CmdStan compiles at all but in the slow runs: one of each kind.
#: Families may be called as programs are, so it goes by the parameter as well.
COMPILED = {
    "name": frozenset(
        "slope crossed collapsed_slope collapsed_crossed collapsed_correlated_dense "
        "partly_collapsed poisson errors_ar1".split()
    ),
    "kind": frozenset({"laplace"}),
}
#: A dozen of these programs are compiled whenever the tests are run: of these files, or parameters.
FIRST = {
    "test_engines.py": None,
    "test_export.py": None,
    "test_latent.py": None,
    "test_layers.py": None,
    "test_joint.py": frozenset({"correlated_effects"}),
    "test_collapsed.py": frozenset({"collapsed_slope", "collapsed_crossed", "partly_collapsed"}),
    "test_joint_density.py": frozenset(
        "poisson collapsed_slope collapsed_crossed partly_collapsed errors_ar1".split()
    ),
}


def _is_slow(item: pytest.Item) -> bool:
    """Whether it is about one of many programs that others stand for."""
    if not hasattr(item, "callspec"):
        return False
    values = {name: str(v) for name, v in item.callspec.params.items() if str(v) != "cmdstan"}
    return bool(values) and not any(v in COMPILED.get(name, ()) for name, v in values.items())


def _is_first(item: pytest.Item) -> bool:
    words = FIRST.get(item.path.name, frozenset())
    return words is None or any(
        item.name.endswith((f"{w}]", f"-{w}]", f"{w}[cmdstan]")) for w in words
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A compilation takes half a minute: a dozen are made always, more by ``-m thorough``."""
    for item in items:
        if item.get_closest_marker("cmdstan") is not None:
            if _is_slow(item):
                item.add_marker(pytest.mark.slow)
            elif not _is_first(item):
                item.add_marker(pytest.mark.thorough)


class _Aloud(logging.Handler):
    """Says that a program is compiled, as nothing else happens for half a minute."""

    def __init__(self, config: pytest.Config) -> None:
        super().__init__(logging.INFO)
        self._capture = config.pluginmanager.getplugin("capturemanager")

    def emit(self, record: logging.LogRecord) -> None:
        if "compiles" in record.getMessage():
            name = os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0]
            with self._capture.global_and_fixture_disabled():
                print(f"\n{name}: {record.getMessage()}", file=sys.stderr, flush=True)


def pytest_configure(config: pytest.Config) -> None:
    logger = logging.getLogger("mix2stan.engines.cmdstan")
    logger.setLevel(logging.INFO)
    logger.addHandler(_Aloud(config))
