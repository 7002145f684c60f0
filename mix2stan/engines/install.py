"""Installing CmdStan, by cmdstanpy's installer."""

from __future__ import annotations

from mix2stan.errors import EngineError

__all__ = ["install_cmdstan"]


def install_cmdstan(version: str | None = None, cores: int = 1) -> str:
    """Download and build CmdStan, with cmdstanpy's progress bar.

    Returns:
        The folder it is in.

    Raises:
        EngineError: if it cannot be downloaded or built.
    """
    import cmdstanpy

    try:
        done = cmdstanpy.install_cmdstan(version=version, cores=cores, progress=True)
    # the network and the build fail in many ways, and each of them has one answer
    except Exception as error:
        raise _failure(str(error)) from error
    if not done:
        raise _failure("cmdstanpy's installer stopped")
    return str(cmdstanpy.cmdstan_path())


def _failure(why: str) -> EngineError:
    hint = "fits go on with the embedded engine, which needs nothing to be installed"
    return EngineError(f"CmdStan could not be installed: {why}", hint=hint)
