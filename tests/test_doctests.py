"""The examples in docstrings."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re

import matplotlib.pyplot as plt
import pandas as pd
import pytest

import mix2stan
from mix2stan.bootstrap import Bootstrap
from mix2stan.estimates import Estimates
from mix2stan.explanation import Explanation
from mix2stan.kfold import KFold
from mix2stan.pictures import Pictures
from mix2stan.prior_fit import PriorSample
from mix2stan.profiles import Profile
from tests.conftest import table
from tests.support.here import Here, everything_here
from tests.test_docs import DOCS

MODULES = [m.name for m in pkgutil.walk_packages(mix2stan.__path__, "mix2stan.")]


#: What examples of the public modules may use without making it, as the reference says.
PUBLIC = {
    "mix2stan." + name
    for name in (
        "anova bootstrap calls errors estimates explanation fit joint_fit joint_model kfold model pictures.methods pooled "
        "postfit.methods prior_fit refits relationships.known"
    ).split()
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory, sleepstudy):
    model = mix2stan.lmer("Reaction ~ Days + (Days | Subject)", data=sleepstudy)
    parts = ["incidence | trials(size) ~ period + (1 |p| herd)", "size ~ (1 |p| herd)"]
    joint = mix2stan.model(parts, table("cbpp"), family=["binomial()", "poisson()"])
    short = {"chains": 2, "warmup": 100, "draws": 50, "engine": "stanli"}
    return {
        "m2s": mix2stan,
        "pd": pd,
        "sleepstudy": sleepstudy,
        "model": model,
        "fit": model.sample(seed=1, engine="stanli"),
        "joint": joint,
        "joint_fit": joint.sample(seed=1, **short),
        "boot": model.bootstrap(10, seed=1, executor=Here()),
        "held_out": model.kfold(2, seed=1, executor=Here(), **short),
        "folder": tmp_path_factory.mktemp("examples"),
    }


@pytest.mark.parametrize("name", [m for m in MODULES if m != "mix2stan.__main__"])
def test_the_examples_of_a_module_print_what_they_say(name, request, monkeypatch):
    everything_here(monkeypatch)
    module = importlib.import_module(name)
    names = request.getfixturevalue("shared") if name in PUBLIC else {}
    found = doctest.testmod(module, optionflags=doctest.ELLIPSIS, extraglobs=names)
    plt.close("all")
    assert found.failed == 0


def public():
    """Every public name: those of the package, and the methods of the classes it gives."""
    for name in mix2stan.__all__:
        yield name, getattr(mix2stan, name)
    given = (Bootstrap, Estimates, Explanation, KFold, Pictures, PriorSample, Profile)
    for kind in (mix2stan.Model, mix2stan.Fit, mix2stan.Anova, mix2stan.Comparison, *given):
        for name, value in inspect.getmembers_static(kind):
            value = getattr(value, "fget", None) or getattr(value, "func", value)
            hidden = name.startswith("_") or name in getattr(kind, "__dataclass_fields__", ())
            if inspect.isfunction(value) and not hidden:
                yield f"{kind.__name__}.{name}", value


#: Said in the docstring of the class or of the module, or of use to few.
WITHOUT = {
    "Anova", "Comparison", "DataError", "EngineError", "Fit", "JointFit", "JointModel", "Model",
    "Unsupported",
    "Comparison.same", "Fit.schema", "PriorSample.schema",
    "PriorSample.problems", "PriorSample.save", "Model.call", "Model.compiled", "Model.data",
    "Model.given", "Model.labels", "Model.notes", "Model.stan_code", "Model.stan_data", "Model.text",
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), public())
def test_every_public_name_is_documented(name, value):
    text = inspect.getdoc(value) or ""
    assert text, "it has no docstring"
    assert (">>>" in text) == (name not in WITHOUT)
    if inspect.isfunction(value) and "Args:" not in text:
        parameters = [p for p in inspect.signature(value).parameters if p != "self"]
        assert parameters == [], "its arguments are not described"
    elif inspect.isfunction(value):
        for parameter in inspect.signature(value).parameters.values():
            if parameter.name != "self":
                assert re.search(rf"\b{parameter.name}\b.*:", text), parameter.name


def test_every_public_name_is_in_the_reference():
    pages = "\n".join(p.read_text(encoding="utf-8") for p in (DOCS / "reference").glob("*.md"))
    entries = re.findall(r"^::: ([\w.]+)$", pages, re.MULTILINE)
    for entry in entries:
        module, _, name = entry.rpartition(".")
        assert hasattr(importlib.import_module(module), name), entry
    shown = {entry.rpartition(".")[2] for entry in entries} | set(
        re.findall(r"m2s\.(\w+)\(", pages)
    )
    wanted = {name.split(".")[0] for name, _ in public()}
    assert wanted - shown == set()
