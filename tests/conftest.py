"""Fixtures that all tests share: the data sets, the two engines."""

from __future__ import annotations

import functools
from pathlib import Path

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
