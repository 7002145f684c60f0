"""Files: what is damaged or foreign is answered in words, and nothing is written where it should not."""

from __future__ import annotations

import json
import os
import stat

import h5py
import numpy as np
import pytest

import mix2stan as m2s
from mix2stan.engines.cmdstan import CmdStan, cache_folder
from mix2stan.errors import EngineError
from mix2stan.joint_fit import load_joint
from tests.conftest import table

SHORT = {"chains": 2, "warmup": 50, "draws": 20, "engine": "stanli", "seed": 1, "progress": False}


@pytest.fixture(scope="module")
def model():
    return m2s.model("lmer(Yield ~ 1 + (1 | Batch))", table("Dyestuff"))


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    return model.sample(**SHORT).save(tmp_path_factory.mktemp("saved") / "fit.nc")


def unlike(a, b):
    """Whether two fits differ in anything."""
    same = a.posterior.identical(b.posterior) and a.sample_stats.identical(b.sample_stats)
    return not (same and a.labels == b.labels and a.engine == b.engine)


def test_a_changed_byte_is_refused_or_means_nothing(saved, tmp_path):
    whole, rng = saved.read_bytes(), np.random.default_rng(1)
    fit, refused = m2s.load(saved), 0
    for place in rng.integers(len(whole), size=60).tolist():
        changed = bytearray(whole)
        changed[place] ^= int(rng.integers(1, 256))
        (tmp_path / "fit.nc").write_bytes(changed)
        try:
            assert not unlike(m2s.load(tmp_path / "fit.nc"), fit), place
        except m2s.Mix2stanError:
            refused += 1
    assert refused > 5


@pytest.mark.parametrize("group", ["posterior", "sample_stats", "mix2stan_data"])
def test_a_changed_number_is_refused(saved, tmp_path, group):
    (tmp_path / "fit.nc").write_bytes(saved.read_bytes())
    with h5py.File(tmp_path / "fit.nc", "r+") as file:
        # dimensions have arrays of their own, which nothing reads
        name = next(n for n in file[group] if n.startswith(("column_", "sigma", "lp")))
        file[group][name][(0,) * file[group][name].ndim] += 1
    with pytest.raises(m2s.Mix2stanError, match="does not hold what was saved"):
        m2s.load(tmp_path / "fit.nc")


def with_about(saved, path, change):
    """A copy whose record is changed, and whose digest fits it, as a hostile writer would make it."""
    from mix2stan import inference_data

    path.write_bytes(saved.read_bytes())
    groups, about = inference_data.load(saved, "mix2stan_data")
    about = change(about)
    with h5py.File(path, "r+") as file:
        attributes = file["posterior"].attrs
        attributes["mix2stan"] = about
        attributes["mix2stan_digest"] = inference_data._digest(groups, about)
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda about: "[" * 100_000,
        lambda about: "null",
        lambda about: '"text"',
        lambda about: "{}",
        lambda about: json.dumps({**json.loads(about), "labels": "{}"}),
        lambda about: json.dumps({**json.loads(about), "schema": None}),
        lambda about: json.dumps({**json.loads(about), "schema": {"graph": {"is": "nothing"}}}),
        lambda about: about.replace('"columns": [', '"columns": [7, '),
    ],
)
def test_a_record_that_is_none_is_answered_in_words(saved, tmp_path, change):
    with pytest.raises(m2s.Mix2stanError, match="not a fit that mix2stan saved"):
        m2s.load(with_about(saved, tmp_path / "fit.nc", change))


@pytest.mark.parametrize("missing", ["mix2stan", "mix2stan_digest"])
def test_a_file_without_its_record_is_answered_in_words(saved, tmp_path, missing):
    (tmp_path / "fit.nc").write_bytes(saved.read_bytes())
    with h5py.File(tmp_path / "fit.nc", "r+") as file:
        del file["posterior"].attrs[missing]
    with pytest.raises(m2s.Mix2stanError, match="is damaged"):
        m2s.load(tmp_path / "fit.nc")


def test_a_saved_fit_has_the_permissions_of_any_file(saved, tmp_path):
    (tmp_path / "other").touch()
    assert saved.stat().st_mode == (tmp_path / "other").stat().st_mode
    assert [p.name for p in saved.parent.iterdir()] == ["fit.nc"]


# -- what is written -------------------------------------------------------------------------------


def test_export_writes_over_files_only_by_force(model, tmp_path):
    model.export(tmp_path)
    (tmp_path / "run.R").write_text("my own")
    with pytest.raises(m2s.Mix2stanError, match="nothing is overwritten"):
        model.export(tmp_path)
    assert (tmp_path / "run.R").read_text() == "my own"
    model.export(tmp_path, force=True)
    assert "cmdstanr" in (tmp_path / "run.R").read_text()


def test_export_does_not_follow_links_out_of_its_folder(model, tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "model.stan").symlink_to(tmp_path / "mine")
    model.export(tmp_path / "out", force=True)
    assert (tmp_path / "mine").read_text() == "mine"
    assert "parameters" in (tmp_path / "out" / "model.stan").read_text()


@pytest.fixture(scope="module")
def joint():
    frame = table("Dyestuff").assign(z=range(30)).rename(columns={"Yield": "../up"})
    text = "brm(bf(`../up` ~ 1) + bf(z ~ 1, family = poisson()))"
    return m2s.model(text, frame).sample(**SHORT)


def test_a_response_named_as_another_folder_stays_in_its_own(joint, tmp_path):
    joint.save(tmp_path / "a" / "fit")
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["fit"]
    again = load_joint(tmp_path / "a" / "fit")
    assert again.responses == joint.responses
    assert again.summary().equals(joint.summary())


@pytest.mark.parametrize("index", ['["../up"]', '{"y": "../fit.nc"}', "[" * 100_000, "7", "{}"])
def test_an_index_that_leads_elsewhere_is_refused(saved, tmp_path, index):
    (tmp_path / "fit.nc").write_bytes(saved.read_bytes())
    (tmp_path / "joint").mkdir()
    (tmp_path / "joint" / "responses.json").write_text(index)
    with pytest.raises(m2s.Mix2stanError, match="damaged"):
        m2s.load(tmp_path / "joint")


# -- the cache of compiled programs ----------------------------------------------------------------


@pytest.fixture
def cached(monkeypatch, tmp_path):
    """A CmdStan that has compiled a program, which is not run here."""
    monkeypatch.setenv("MIX2STAN_CACHE", str(tmp_path / "cache"))
    engine = CmdStan.__new__(CmdStan)
    engine.path, engine._version = tmp_path, (2, 38)

    def compiled(stan_code, folder, executable):
        executable.write_text(stan_code)
        executable.chmod(0o700)

    monkeypatch.setattr("mix2stan.engines.cmdstan._compile", compiled)
    engine._executable("program")
    return engine


def test_the_cache_is_closed_to_others(cached):
    program = cached._executable("program")
    for path in (cache_folder(), program.parent, program):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("mode", [0o720, 0o702])
def test_a_program_that_others_may_have_written_is_not_run(cached, which, mode):
    program = cached._executable("program")
    (program, program.parent, cache_folder())[which].chmod(mode)
    with pytest.raises(EngineError, match="may be written by others"):
        cached._executable("program")


def test_a_program_that_is_a_link_or_of_another_user_is_not_run(cached, tmp_path, monkeypatch):
    program = cached._executable("program")
    own = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: own + 1)
    with pytest.raises(EngineError, match="belongs to another user"):
        cached._executable("program")
    monkeypatch.undo()
    monkeypatch.setenv("MIX2STAN_CACHE", str(tmp_path / "cache"))
    program.unlink()
    program.symlink_to(tmp_path / "else")
    with pytest.raises(EngineError, match="is a link"):
        cached._executable("program")
