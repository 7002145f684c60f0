"""Engines: what runs Stan programs.  They see text, data and settings, never the model graph."""

from __future__ import annotations

import importlib
import logging
import os

from mix2stan.engines.contract import (
    ChainError,
    Draws,
    Engine,
    Interrupted,
    Optimum,
    Program,
    Progress,
    Settings,
)
from mix2stan.engines.values import to_json
from mix2stan.errors import EngineError, suggestion

__all__ = [
    "ENGINES",
    "ChainError",
    "Draws",
    "Engine",
    "Interrupted",
    "Optimum",
    "Program",
    "Progress",
    "Settings",
    "engine_named",
    "pick_engine",
    "to_json",
]

#: Module and class of every engine; imported when it is asked for.
ENGINES: dict[str, tuple[str, str]] = {
    "cmdstan": ("mix2stan.engines.cmdstan", "CmdStan"),
    "stanli": ("mix2stan.engines.stanli", "Stanli"),
}

_VARIABLE = "MIX2STAN_ENGINE"

_log = logging.getLogger(__name__)


def pick_engine(name: str | None = "auto") -> Engine:
    """The engine of that name; ``"auto"``: CmdStan where it is installed, else stanli.

    The environment variable MIX2STAN_ENGINE replaces ``"auto"`` and None.

    Raises:
        EngineError: if there is no such engine, or it is not installed.
    """
    if name not in (None, "auto"):
        return engine_named(str(name), reason="as asked")
    wanted = os.environ.get(_VARIABLE, "auto")
    if wanted not in ("", "auto"):
        return engine_named(wanted, reason=f"as {_VARIABLE} says")
    try:
        return engine_named("cmdstan", reason="CmdStan is installed")
    except EngineError:
        return engine_named("stanli", reason="no CmdStan found, the embedded engine runs it")


def engine_named(name: str, reason: str = "") -> Engine:
    """One engine by name.

    Raises:
        EngineError: if there is no such engine, or it is not installed.
    """
    if name not in ENGINES:
        raise EngineError(
            f"there is no engine '{name}'", hint=suggestion(name, ENGINES, what="engines")
        )
    module, attribute = ENGINES[name]
    try:
        engine: Engine = getattr(importlib.import_module(module), attribute)(reason)
    except ImportError as error:
        raise EngineError(f"the engine '{name}' is not installed: {error}") from error
    _log.info("%s: %s", engine.version, reason or "as asked")
    return engine
