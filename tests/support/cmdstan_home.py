"""A CmdStan for the tests: an installed one, or a small one made from the wheel ``httpstan``.

The wheel carries Stan's C++ headers, stanc and the libraries; the console program is
``cmdstan/main.cpp``.  It is never offered to users.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

import cmdstanpy
import platformdirs

HERE = Path(__file__).parent / "cmdstan"

MAKEFILE = """\
CMDSTAN_VERSION := {version}
STAN := {stan}
HOME := {home}
CXX ?= g++
FLAGS := -std=c++17 -O1 -w -pthread -D_REENTRANT -DBOOST_DISABLE_ASSERTS \\
  -DBOOST_PHOENIX_NO_VARIADIC_EXPRESSION -I$(HOME)/include -isystem $(STAN)/include
LIBS := -L$(STAN)/lib {libraries} -lsundials_cvodes -lsundials_idas -lsundials_kinsol \\
  -lsundials_nvecserial -Wl,-rpath,$(STAN)/lib

$(HOME)/include/model_header.hpp.gch: $(HOME)/include/model_header.hpp
\t$(CXX) $(FLAGS) -x c++-header $< -o $@.tmp && mv $@.tmp $@

$(HOME)/main.o: $(HOME)/main.cpp
\t$(CXX) $(FLAGS) -c $< -o $@.tmp && mv $@.tmp $@

%.hpp: %.stan
\t$(HOME)/bin/stanc $(STANCFLAGS) --o=$@ $<

%: %.hpp $(HOME)/main.o $(HOME)/include/model_header.hpp.gch
\t$(CXX) $(FLAGS) -include model_header.hpp -x c++ -c $< -o $@.o
\t$(CXX) $@.o $(HOME)/main.o $(LIBS) -o $@
\trm -f $@.o

.PRECIOUS: %.hpp
"""


def stanc() -> Path | None:
    """The Stan compiler of the wheel."""
    spec = importlib.util.find_spec("httpstan")
    if spec is None or not spec.submodule_search_locations:
        return None
    found = Path(next(iter(spec.submodule_search_locations))) / "stanc"
    return found if found.exists() else None


def missing() -> str | None:
    """Why no CmdStan can be had, or None."""
    if _installed() is not None:
        return None
    if stanc() is None:
        return "no CmdStan is installed, nor the wheel httpstan"
    if shutil.which("g++") is None or shutil.which("make") is None:
        return "no CmdStan is installed, nor g++ and make to build a small one"
    return None


def cmdstan_home() -> Path:
    """The folder of CmdStan; built in a cache folder where there is none (some minutes, once)."""
    return _installed() or _built()


def _installed() -> Path | None:
    try:
        return Path(cmdstanpy.cmdstan_path())
    except ValueError:
        return None


def _built() -> Path:
    compiler = stanc()
    assert compiler is not None
    stan = compiler.parent
    main = (HERE / "main.cpp").read_text()
    key = hashlib.sha256((main + MAKEFILE + str(stan)).encode()).hexdigest()[:12]
    cache = Path(
        os.environ.get("MIX2STAN_TEST_CACHE") or platformdirs.user_cache_dir("mix2stan-tests")
    )
    home = cache / f"cmdstan-{key}"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "main.o").exists():
            _build(home, stan, compiler, main)
    return home


def _build(home: Path, stan: Path, compiler: Path, main: str) -> None:
    for folder in ("bin", "include"):
        (home / folder).mkdir(exist_ok=True)
    shutil.copy2(compiler, home / "bin" / "stanc")
    (home / "bin" / "stanc").chmod(0o755)
    (home / "include" / "model_header.hpp").write_text("#include <stan/model/model_header.hpp>\n")
    (home / "main.cpp").write_text(main)
    text = (stan / "include" / "stan" / "version.hpp").read_text()
    version = ".".join(re.findall(r"#define STAN_(?:MAJOR|MINOR|PATCH) (\d+)", text))
    tbb = next(p.name for p in sorted((stan / "lib").glob("libtbb.so*"), reverse=True))
    makefile = MAKEFILE.format(version=version, stan=stan, home=home, libraries=f"-l:{tbb}")
    (home / "makefile").write_text(makefile)
    targets = [str(home / "include" / "model_header.hpp.gch"), str(home / "main.o")]
    subprocess.run(["make", "-j2", "-f", home / "makefile", *targets], check=True, cwd=home)
