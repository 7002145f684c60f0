"""The reference engine: CmdStan, driven by cmdstanpy."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue
from typing import IO

import cmdstanpy
import numpy as np
import pandas as pd
import platformdirs

from mix2stan.engines.approximations import APPROXIMATIONS, approximate_draws
from mix2stan.engines.contract import (
    STEEP,
    Array,
    ChainError,
    Draws,
    Interrupted,
    Optimum,
    Phase,
    Progress,
    ProgressCallback,
    Settings,
    Values,
    kept,
)
from mix2stan.engines.values import STATS, approximation, layout, split, stats, to_json
from mix2stan.errors import EngineError, suggestion

__all__ = ["CmdStan", "cache_folder"]

_PROGRESS = re.compile(r"Iteration:\s*(\d+) / (\d+) .*\((Warmup|Sampling)\)")
_TAIL = 20
#: What CmdStan ends with where it can climb no further.
_NO_WAY_UP = "Line search failed to achieve a sufficient decrease"
_DIGITS = 18

_log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Where compiled programs are kept; MIX2STAN_CACHE moves it."""
    folder = os.environ.get("MIX2STAN_CACHE") or platformdirs.user_cache_dir("mix2stan")
    return Path(folder) / "programs"


class CmdStan:
    """Makes programs of an installed CmdStan.

    Raises:
        EngineError: if there is none.
    """

    name = "cmdstan"

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        try:
            with _quiet():
                self.path = Path(cmdstanpy.cmdstan_path())
                self._version = cmdstanpy.cmdstan_version()
        except (ValueError, OSError) as error:
            raise EngineError("no CmdStan is installed", hint="mix2stan install-cmdstan") from error

    @property
    def version(self) -> str:
        return "cmdstan " + ".".join(map(str, self._version or ()))

    def compile(self, stan_code: str, data: Values) -> CmdStanProgram:
        return CmdStanProgram(stan_code, data, self._executable(stan_code), self.version)

    def _executable(self, stan_code: str) -> Path:
        """The compiled program, from the cache if text, CmdStan and flags are the same."""
        local = self.path / "make" / "local"
        flags = local.read_text() if local.exists() else ""
        key = "\n".join([stan_code, str(self.path.resolve()), self.version, flags])
        folder = _private(cache_folder()) / hashlib.sha256(key.encode()).hexdigest()[:32]
        executable = _private(folder) / "model"
        if os.path.lexists(executable):
            return _only_ours(executable)
        # one process compiles, others of the same program wait for it
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not executable.exists():
                _compile(stan_code, folder, executable)
        return _only_ours(executable)


def _private(folder: Path) -> Path:
    """A folder of the cache: made if needed, and closed to others.

    Raises:
        EngineError: if others can write to it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return _only_ours(folder)


def _only_ours(path: Path) -> Path:
    """What is run, and the folders it lies in: of this user, and written by no other.

    Raises:
        EngineError: if others may have put something else there.
    """
    found = path.lstat()
    what = "is a link" if stat.S_ISLNK(found.st_mode) else ""
    what = what or ("belongs to another user" if found.st_uid != os.getuid() else "")
    what = what or ("may be written by others" if found.st_mode & 0o022 else "")
    if what:
        raise EngineError(
            f"{path} of the cache of compiled programs {what}, so nothing in it is run",
            hint="remove it, or set MIX2STAN_CACHE to a folder of your own",
        )
    return path


def _compile(stan_code: str, folder: Path, executable: Path) -> None:
    """Compile beside the cache entry and move the result into place in one step."""
    work = Path(tempfile.mkdtemp(dir=folder))
    _log.info("CmdStan compiles the program, once; that takes up to some minutes")
    try:
        source = work / "model.stan"
        source.write_text(stan_code, encoding="utf-8")
        with _quiet():
            made = cmdstanpy.compile_stan_file(source, cpp_options={}, stanc_options={})
        Path(made).chmod(0o700)
        Path(made).replace(executable)
        source.replace(folder / "model.stan")
    except (ValueError, RuntimeError, subprocess.CalledProcessError) as error:
        raise EngineError(f"CmdStan cannot compile the program\n{error}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


class CmdStanProgram:
    """A compiled program and its data."""

    def __init__(self, stan_code: str, data: Values, executable: Path, version: str) -> None:
        self.stan_code = stan_code
        self.engine = version
        self._executable = executable
        self._json = to_json(data)

    def sample(self, settings: Settings, progress: ProgressCallback | None = None) -> Draws:
        with _work_folder(settings.folder) as folder:
            data = _written(folder / "data.json", self._json)
            chains = [
                _Chain(c, self._command(c, settings, folder, data), folder)
                for c in range(1, settings.chains + 1)
            ]
            try:
                failed = _run(chains, settings, progress)
            except KeyboardInterrupt:
                done = [c.number for c in chains if c.finished]
                finished = self._collect([c for c in chains if c.finished], settings)
                text = f"stopped: {kept(done, settings.chains, settings.folder)}"
                raise Interrupted(text, finished=finished) from None
            if failed is not None:
                done = [c.number for c in chains if c.finished]
                saved = kept(done, len(chains), settings.folder)
                message = f"chain {failed.number} {failed.ending}; {saved}"
                raise ChainError(
                    message,
                    chain=failed.number,
                    output=failed.last_output,
                    finished=self._collect([c for c in chains if c.finished], settings),
                )
            draws = self._collect(chains, settings)
            assert draws is not None
            return draws

    def log_density(self, point: Values, jacobian: bool = True) -> tuple[float, Array]:
        with _work_folder(None) as folder:
            arguments = [
                "log_prob",
                f"jacobian={int(jacobian)}",
                f"constrained_params={_written(folder / 'point.json', to_json(point))}",
            ]
            table = self._once(arguments, folder)
        row = table.iloc[0].to_numpy(dtype=float)
        return float(row[0]), row[1:]

    def optimize(
        self,
        inits: Values | None = None,
        *,
        jacobian: bool = False,
        seed: int = 1,
        apart: Values | None = None,
    ) -> Optimum:
        if apart is not None:
            message = "CmdStan's optimiser cannot hold a parameter"
            raise EngineError(message, hint="engine='stanli' can")
        with _work_folder(None) as folder:
            arguments = ["optimize", f"jacobian={int(jacobian)}", "iter=10000"]
            arguments += ["random", f"seed={seed}"]
            if inits is not None:
                arguments.append(f"init={_written(folder / 'inits.json', to_json(inits))}")
            table = self._once(arguments, folder)
        columns = [c for c in table.columns if not c.endswith("__")]
        values = table[columns].iloc[-1].to_numpy(dtype=float)
        return Optimum(split(values, layout(columns)), float(table["lp__"].iloc[-1]), jacobian)

    def rising(self, point: Values) -> bool:
        # CmdStan moves no unconstrained coordinate: what L-BFGS leaves of a slope is taken as level
        try:
            value, slope = self.log_density(point, jacobian=False)
        except EngineError:
            return True
        return not (np.isfinite(value) and float(np.max(np.abs(slope), initial=0.0)) < STEEP)

    def approximate(
        self, kind: str, draws: int, inits: Values, seed: int, apart: Values | None = None
    ) -> Draws:
        if kind not in APPROXIMATIONS:
            hint = suggestion(kind, APPROXIMATIONS, what="CmdStan offers")
            raise EngineError(f"CmdStan has no approximation {kind!r}", hint=hint)
        if apart is not None and kind == "laplace":
            # it would expand all of them at once, at a mode that need not be there
            message = "CmdStan's laplace does not integrate effects that are sampled"
            raise EngineError(message, hint="engine='stanli' does; sample() needs none of it")
        with _work_folder(None) as folder:
            mode = folder / "mode.json"
            arguments = [a.format(draws=draws, mode=mode) for a in APPROXIMATIONS[kind]]
            if any(str(mode) in a for a in arguments):
                _written(mode, to_json(self.optimize(inits, jacobian=True, seed=seed).values))
            arguments += ["random", f"seed={seed}"]
            arguments.append(f"init={_written(folder / 'inits.json', to_json(inits))}")
            found = approximate_draws(self._once(arguments, folder), draws)
        return approximation(self.engine, kind, *found)

    # -- inside ------------------------------------------------------------------------------------

    def _once(self, arguments: list[str], folder: Path) -> pd.DataFrame:
        """Run one method to its end, and read what it wrote.

        An optimiser that finds no way up has written where it is: the optimum, if it started there.
        """
        data = _written(folder / "data.json", self._json)
        output = folder / "output.csv"
        command = [str(self._executable), *arguments, "data", f"file={data}"]
        command += ["output", f"file={output}", f"sig_figs={_DIGITS}", "refresh=0"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        ended = done.returncode == 0 or _NO_WAY_UP in said
        table = pd.read_csv(output, comment="#") if ended and output.exists() else None
        if table is None or table.empty:
            raise EngineError(f"CmdStan failed ({arguments[0]})\n{_tail(said.splitlines())}")
        return table

    def _command(self, chain: int, settings: Settings, folder: Path, data: Path) -> list[str]:
        command = [
            str(self._executable),
            f"id={chain}",
            "random",
            f"seed={settings.seed}",
            "data",
            f"file={data}",
        ]
        inits = settings.inits_of(chain)
        if inits is not None:
            command.append(f"init={_written(folder / f'inits-{chain}.json', to_json(inits))}")
        else:
            command.append(f"init={settings.radius}")
        command += [
            "output",
            f"file={folder / f'chain-{chain}.csv'}",
            f"refresh={settings.refresh}",
            f"sig_figs={_DIGITS}",
            "method=sample",
            f"num_samples={settings.draws}",
            f"num_warmup={settings.warmup}",
            f"thin={settings.thin}",
            "algorithm=hmc",
            "engine=nuts",
            f"max_depth={settings.max_treedepth}",
            "adapt",
            f"engaged={int(settings.warmup > 0)}",
            f"delta={settings.adapt_delta}",
        ]
        return command

    def _collect(self, chains: list[_Chain], settings: Settings) -> Draws | None:
        if not chains:
            return None
        tables = [pd.read_csv(c.csv, comment="#", float_precision="round_trip") for c in chains]
        names = [c for c in tables[0].columns if c not in STATS]
        columns = {c: np.stack([t[c].to_numpy(dtype=float) for t in tables]) for c in STATS}
        draws = np.stack([t[names].to_numpy(dtype=float) for t in tables])
        return Draws(
            variables=split(draws, layout(names)),
            stats=stats(columns),
            engine=self.engine,
            chain_ids=tuple(c.number for c in chains),
            messages=tuple(dict.fromkeys(line for c in chains for line in c.complaints)),
            max_treedepth=settings.max_treedepth,
        )


class _Chain:
    """One CmdStan process and what it says."""

    def __init__(self, number: int, command: list[str], folder: Path) -> None:
        self.number = number
        self.csv = folder / f"chain-{number}.csv"
        self._command = command
        self._process: subprocess.Popen[str] | None = None
        self._lines: list[str] = []
        self._reader: threading.Thread | None = None

    def start(self, reports: Queue[Progress | int]) -> None:
        # its own session: Ctrl-C reaches this process alone, which then stops the chains
        self._process = subprocess.Popen(
            self._command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self._reader = threading.Thread(
            target=self._read, args=(self._process, self._process.stdout, reports), daemon=True
        )
        self._reader.start()

    def _read(
        self, process: subprocess.Popen[str], output: IO[str], reports: Queue[Progress | int]
    ) -> None:
        for line in output:
            match = _PROGRESS.match(line.strip())
            if match is None:
                self._lines.append(line.rstrip())
                continue
            phase: Phase = "warmup" if match.group(3) == "Warmup" else "sampling"
            iteration, total = int(match.group(1)), int(match.group(2))
            reports.put(Progress(self.number, iteration, total, phase))
        process.wait()
        reports.put(self.number)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    @property
    def code(self) -> int | None:
        return None if self._process is None else self._process.poll()

    @property
    def finished(self) -> bool:
        return self.code == 0

    @property
    def ending(self) -> str:
        code = self.code
        if code is not None and code < 0:
            return f"was killed ({signal.Signals(-code).name})"
        return f"failed with exit code {code}"

    @property
    def last_output(self) -> str:
        return _tail(self._lines)

    @property
    def complaints(self) -> list[str]:
        """What it said that is not the echo of its settings."""
        return [s for s in self._lines if s.startswith(("Warning", "Informational", "Exception"))]


def _run(
    chains: list[_Chain], settings: Settings, progress: ProgressCallback | None
) -> _Chain | None:
    """Run all chains, some at a time; the first that failed, or None.

    A chain that fails does not stop the others.  Any exception stops all of them.
    """
    reports: Queue[Progress | int] = Queue()
    waiting, running = list(chains), 0
    with contextlib.ExitStack() as cleanup:
        for chain in chains:
            cleanup.callback(chain.stop)
        interrupted = cleanup.enter_context(_watched_interrupt())
        while waiting or running:
            if interrupted.is_set():
                raise KeyboardInterrupt
            while waiting and running < settings.at_once:
                waiting.pop(0).start(reports)
                running += 1
            try:
                report = reports.get(timeout=0.2)
            except Empty:
                continue
            if isinstance(report, Progress):
                if progress is not None:
                    progress(report)
            else:
                running -= 1
    return next((c for c in chains if not c.finished), None)


@contextlib.contextmanager
def _watched_interrupt() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets, so that the interrupt is never lost in someone's callback.

    Only the main thread can watch for it.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = signal.signal(signal.SIGINT, lambda _number, _frame: event.set())
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _work_folder(folder: Path | None) -> Iterator[Path]:
    """The user's folder, made if needed; or one that is gone afterwards."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="mix2stan-") as name:
        yield Path(name)


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _tail(lines: list[str]) -> str:
    return "\n".join([line for line in lines if line.strip()][-_TAIL:])


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """cmdstanpy's log silenced in this thread: what went wrong is in the exception."""
    logger = logging.getLogger("cmdstanpy")
    here = threading.get_ident()

    def others(record: logging.LogRecord) -> bool:
        return record.thread != here

    logger.addFilter(others)
    try:
        yield
    finally:
        logger.removeFilter(others)
