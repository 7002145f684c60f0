"""What every engine can do, and the plain data that goes in and comes out.

An engine turns Stan text and data into a :class:`Program`; the program samples, evaluates its log
density and optimises.  Nothing here knows which engine it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from numpy.typing import NDArray

from mix2stan.counts import MAX_SEED, share, whole
from mix2stan.errors import EngineError, Mix2stanError

__all__ = [
    "LASTING",
    "LEVEL",
    "STEEP",
    "Array",
    "ChainError",
    "Draws",
    "Engine",
    "Inits",
    "Interrupted",
    "Optimum",
    "Phase",
    "Program",
    "Progress",
    "ProgressCallback",
    "Settings",
    "kept",
]

Array = NDArray[Any]
Phase = Literal["warmup", "sampling"]
Values = Mapping[str, Any]
Inits = float | Values | Sequence[Values] | None

#: A slope on the unconstrained scale that is none, and what share of it a step brings if it lasts.
LEVEL, LASTING = 0.02, 0.3
#: A slope that is too much for a maximum, where no step can be taken.
STEEP = 0.4
#: What an engine can count, in 32 bits.
_MANY = 2**31 - 1
#: The smallest and the largest value of every setting that is a whole number.
_LIMITS = {
    "chains": (1, 10_000),
    "warmup": (0, _MANY),
    "draws": (1, _MANY),
    "max_treedepth": (1, 60),
    "thin": (1, _MANY),
    "seed": (0, MAX_SEED),
    "threads": (1, _MANY),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to sample.

    Args:
        seed: 0 to 2**32 - 1; chain c uses Stan's stream for (seed, c).
        chains: number of chains, numbered from 1.
        warmup: adaptation iterations per chain, which are not kept; 0 switches adaptation off.
        draws: iterations per chain after warmup.
        adapt_delta: target acceptance rate, between 0 and 1.
        max_treedepth: a trajectory has at most ``2**max_treedepth - 1`` steps.
        thin: every ``thin``-th iteration after warmup is kept.
        threads: how many chains run at the same time; None means one per available core.
        inits: starting points. None draws each unconstrained parameter from uniform(-2, 2), a
            number r from uniform(-r, r).  A mapping from parameter name to value serves all
            chains, a sequence of mappings has one per chain; a mapping has every parameter.
        folder: where the draws of each chain are also kept as Stan CSV files.

    Raises:
        Mix2stanError: if a value is out of range.
    """

    seed: int
    chains: int = 4
    warmup: int = 1000
    draws: int = 1000
    adapt_delta: float = 0.8
    max_treedepth: int = 10
    thin: int = 1
    threads: int | None = None
    inits: Inits = None
    folder: Path | None = None

    def __post_init__(self) -> None:
        for name, (least, most) in _LIMITS.items():
            if getattr(self, name) is not None or name != "threads":
                object.__setattr__(self, name, whole(name, getattr(self, name), least, most))
        object.__setattr__(self, "adapt_delta", share("adapt_delta", self.adapt_delta))
        self._check_inits()

    def _check_inits(self) -> None:
        if self.inits is None or isinstance(self.inits, Mapping):
            return
        if isinstance(self.inits, int | float):
            if not 0 <= self.inits < float("inf"):
                raise Mix2stanError(f"inits must be a radius of at least 0, not {self.inits}")
        elif len(self.inits) != self.chains:
            raise Mix2stanError(
                f"inits has {len(self.inits)} starting points, but there are {self.chains} chains",
                hint="give one mapping for all chains, or one per chain",
            )

    @property
    def at_once(self) -> int:
        """How many chains run at the same time."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return min(self.chains, self.threads or cores or 1)

    @property
    def refresh(self) -> int:
        """Iterations between two reports of a chain: about a hundred reports in all."""
        return max(1, (self.warmup + self.draws) // 100)

    @property
    def radius(self) -> float:
        """Half width of the interval that starting points are drawn from."""
        return float(self.inits) if isinstance(self.inits, int | float) else 2.0

    def inits_of(self, chain: int) -> Values | None:
        """The named starting values of a chain (from 1), or None if all are drawn."""
        if self.inits is None or isinstance(self.inits, int | float):
            return None
        return self.inits if isinstance(self.inits, Mapping) else self.inits[chain - 1]


@dataclass(frozen=True)
class Progress:
    """Where one chain is: ``iteration`` of ``total``, warmup included in both."""

    chain: int
    iteration: int
    total: int
    phase: Phase


ProgressCallback = Callable[[Progress], None]


@dataclass(frozen=True)
class Draws:
    """Posterior draws of the chains that finished.

    Attributes:
        variables: every parameter, transformed parameter and generated quantity, each of shape
            (chains, draws, *its own shape).  A variable without elements is not in it.
        stats: ``lp``, ``acceptance_rate``, ``step_size``, ``tree_depth``, ``n_steps``,
            ``diverging`` and ``energy``, each of shape (chains, draws).
        engine: engine and version, for instance ``"stanli 0.24.0"``.
        chain_ids: the number of each chain, from 1.
        messages: what the engine said while it ran.
        max_treedepth: the limit that was set.
    """

    variables: dict[str, Array]
    stats: dict[str, Array]
    engine: str
    chain_ids: tuple[int, ...]
    messages: tuple[str, ...]
    max_treedepth: int


@dataclass(frozen=True)
class Optimum:
    """The maximum of the log density.

    Attributes:
        values: every parameter, transformed parameter and generated quantity there.
        log_density: the value there, up to the constants that Stan drops.
        jacobian: whether the change of variables was included.
    """

    values: dict[str, Array]
    log_density: float
    jacobian: bool


class Program(Protocol):
    """Stan text, compiled and bound to data.

    Log densities are what Stan calls ``target`` for statements with ``~``: terms that do not
    depend on a parameter are dropped.  With ``jacobian`` the change of variables to the
    unconstrained scale is included, which is the density that is sampled.
    """

    @property
    def engine(self) -> str:
        """Engine and version, for instance ``"stanli 0.24.0"``."""

    @property
    def stan_code(self) -> str:
        """The Stan text."""

    def sample(self, settings: Settings, progress: ProgressCallback | None = None) -> Draws:
        """Run NUTS; ``progress`` is called in the calling thread, and may raise to stop.

        Raises:
            ChainError: if a chain failed; it carries the chains that finished.
            Interrupted: on Ctrl-C; it carries the chains that finished.
        """

    def log_density(self, point: Values, jacobian: bool = True) -> tuple[float, Array]:
        """Log density at a point, and its gradient on the unconstrained scale.

        Args:
            point: all parameters by name.
            jacobian: include the change of variables.

        Raises:
            EngineError: if the density cannot be evaluated there.
        """

    def optimize(
        self,
        inits: Values | None = None,
        *,
        jacobian: bool = False,
        seed: int = 1,
        apart: Values | None = None,
    ) -> Optimum:
        """Maximise the log density with L-BFGS, from ``inits`` or a random point.

        Args:
            inits: where to start.
            jacobian: include the change of variables.
            seed: of a random start.
            apart: a point that differs from ``inits`` in what is to be held there: the unconstrained
                coordinates in which the two differ do not move.

        Raises:
            EngineError: if the optimiser fails, or can hold nothing.
        """

    def rising(self, point: Values) -> bool:
        """Whether the log density, without the change of variables, goes on rising from a point.

        At a maximum, also at one on the edge of what parameters can be, it is level on the
        unconstrained scale; where there is none it rises by as much as its slope says, or cannot be
        evaluated any more.
        """

    def approximate(
        self, kind: str, draws: int, inits: Values, seed: int, apart: Values | None = None
    ) -> Draws:
        """Independent draws from an approximation of the posterior, as one chain.

        Args:
            kind: ``"laplace"``, ``"pathfinder"``, ``"meanfield"`` or ``"fullrank"``.
            draws: how many.
            inits: where the search starts.
            seed: of search and draws.
            apart: for ``"laplace"``, a point that differs from ``inits`` in the effects, which are
                integrated out for given values of the rest; None if the program has none.

        Raises:
            EngineError: if the engine does not offer it, or it fails.
        """


class Engine(Protocol):
    """A way to run Stan programs."""

    name: str
    #: Why it was chosen, in one line for the user.
    reason: str

    @property
    def version(self) -> str:
        """Name and version."""

    def compile(self, stan_code: str, data: Values) -> Program:
        """Compile Stan text and bind it to data.

        Raises:
            EngineError: if the text does not compile, with the compiler's output.
        """


class ChainError(EngineError):
    """A chain that failed or died.

    Attributes:
        chain: its number, from 1.
        output: the last lines it printed.
        finished: the draws of the chains that finished, or None.
    """

    def __init__(self, message: str, *, chain: int, output: str, finished: Draws | None) -> None:
        super().__init__(message, hint=output or None)
        self.chain = chain
        self.output = output
        self.finished = finished

    def __reduce__(self) -> tuple[Any, ...]:
        # from a worker to its parent, without draws
        return _chain_error, (self.message, self.chain, self.output)


def _chain_error(message: str, chain: int, output: str) -> ChainError:
    return ChainError(message, chain=chain, output=output, finished=None)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C while sampling; ``finished`` has the draws of the chains that finished, or None."""

    def __init__(self, message: str, *, finished: Draws | None) -> None:
        super().__init__(message)
        self.finished = finished


def kept(finished: Sequence[int], chains: int, folder: Path | None) -> str:
    """Say which chains of a run that stopped early are kept, and where."""
    if not finished:
        return f"none of the {chains} chains had finished, nothing is kept"
    numbers = ", ".join(map(str, finished))
    which = (
        f"chain {numbers} of {chains}" if len(finished) == 1 else f"chains {numbers} of {chains}"
    )
    had = "had finished and is kept" if len(finished) == 1 else "had finished and are kept"
    return f"{which} {had}" + (f" in {folder}" if folder is not None else "")
