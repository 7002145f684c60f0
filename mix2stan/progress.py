"""Progress of chains: live bars on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from mix2stan.engines import Progress
from mix2stan.engines.contract import ProgressCallback

__all__ = ["listening", "show_progress"]

_LINES_PER_CHAIN = 4


@contextlib.contextmanager
def listening(
    wanted: ProgressCallback | bool | None, chains: int, iterations: int
) -> Iterator[ProgressCallback | None]:
    """What listens to chains: a function of the user's, bars if wanted, or nothing.

    None wants them if standard error is a terminal.
    """
    if callable(wanted):
        yield wanted
    elif Console(stderr=True).is_terminal if wanted is None else wanted:
        with show_progress(chains, iterations) as show:
            yield show
    else:
        yield None


@contextlib.contextmanager
def show_progress(chains: int, iterations: int) -> Iterator[ProgressCallback]:
    """A function that shows the progress it is told, on standard error."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain_lines(console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[phase]}"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console, redirect_stdout=False, redirect_stderr=False) as bars:
        tasks = {
            chain: bars.add_task(f"chain {chain}", total=iterations, phase="waiting")
            for chain in range(1, chains + 1)
        }

        def show(progress: Progress) -> None:
            task = tasks[progress.chain]
            bars.update(task, completed=progress.iteration, phase=progress.phase)

        yield show


def _plain_lines(console: Console) -> ProgressCallback:
    said: dict[int, int] = {}

    def show(progress: Progress) -> None:
        quarter = _LINES_PER_CHAIN * progress.iteration // progress.total
        if quarter > said.get(progress.chain, 0):
            said[progress.chain] = quarter
            line = f"chain {progress.chain}: {progress.iteration} of {progress.total}"
            console.print(f"{line} ({progress.phase})", highlight=False)

    return show
