"""The house: imports go down only, and what is installed is what is here."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "mix2stan"

# From the ground up; a module may import from its own line and those above it.
FLOORS = (
    ("errors", "folders", "convergence", "spread"),
    ("arguments", "counts"),
    ("syntax", "names", "many"),
    ("mathematics",),
    ("documents",),
    ("parser", "graph"),
    ("covariances", "elimination", "residuals", "links"),
    ("families",),
    ("distributions",),
    ("design",),
    ("relationships",),
    ("rtext",),
    ("latent", "matrices", "binding", "kinship_data"),
    ("schema_text", "row_names"),
    ("schema",),
    ("residual_data", "censoring"),
    ("responses",),
    ("layer_data",),
    ("levels_data",),
    ("collapsed_data", "meaning"),
    ("containment",),
    ("sampled_data", "glm_fit", "turned"),
    ("points",),
    ("residual_point", "term_points", "resampling"),
    ("identification",),
    ("priors",),
    ("dialects", "passes"),
    ("residual_views",),
    ("plan",),
    ("structured_data",),
    ("latent_data",),
    ("render", "stan_data", "labels", "members"),
    ("naming",),
    ("engines", "inits", "chains"),
    ("export", "compiler", "progress"),
    ("partitions",),
    ("comparison",),
    ("translations",),
    ("drawing",),
    ("explanation",),
    ("climbs", "likelihood", "estimate_tables", "henderson"),
    ("estimates",),
    ("bootstrap", "profiles"),
    ("inference_data", "summaries", "diagnostics"),
    ("fit", "joint_fit", "postfit", "pictures", "report"),
    ("prior_fit", "kfold"),
    ("refits",),
    ("model", "joint_model"),
    ("calls", "anova", "pooled", "starter"),
    ("__init__",),
    ("cli", "__main__"),
)
LEVEL = {name: i for i, names in enumerate(FLOORS) for name in names}


def imports():
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mix2stan":
                target = (node.module or "").split(".")[1:] or [node.names[0].name]
                yield parts[0], target[0], path.name


def test_imports_go_down_only():
    wrong = [f"{name}: {a} -> {b}" for a, b, name in imports() if LEVEL[a] < LEVEL[b]]
    assert wrong == []


def test_every_module_has_a_floor():
    names = {p.relative_to(PACKAGE).with_suffix("").parts[0] for p in PACKAGE.rglob("*.py")}
    assert names == set(LEVEL)


def test_nothing_is_ever_evaluated():
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "compile", "__import__"), path


def test_importing_is_light():
    code = "import sys, mix2stan; print([m for m in ('arviz', 'cmdstanpy', 'matplotlib', 'stanli') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_wheel_fits_in_a_clean_environment(tmp_path):
    def go(*command, cwd=tmp_path):
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    go(sys.executable, "-m", "build", "--outdir", str(tmp_path / "dist"), str(ROOT))
    wheel = next((tmp_path / "dist").glob("*.whl"))
    go(sys.executable, "-m", "venv", str(tmp_path / "env"))
    python = str(tmp_path / "env" / "bin" / "python")
    go(python, "-m", "pip", "install", "-q", str(wheel))
    data = str(ROOT / "examples" / "data" / "sleepstudy.csv")
    call = "lmer(Reaction ~ Days + (Days | Subject))"
    command = (
        "fit",
        call,
        "--data",
        data,
        "--draws",
        "100",
        "--warmup",
        "200",
        "--engine",
        "stanli",
    )
    assert "beta[Days]" in go(str(tmp_path / "env" / "bin" / "mix2stan"), *command)
