"""Data files, and the column types beside them."""

from __future__ import annotations

import json

import pandas as pd
import pytest

import mix2stan as m2s
from tests.conftest import FIXTURES

CSV = "y,g,o,n\n1.5,7,low,1\nNA,8,high,2\n2.5,7,low,NA\n"
TYPES = {
    "columns": {
        "g": {"type": "factor", "levels": ["8", "7"]},
        "o": {"type": "ordered", "levels": ["low", "high"]},
        "y": {"type": "numeric"},
        "n": {"type": "integer"},
    }
}


def check(df):
    assert list(df["g"].cat.categories) == ["8", "7"]
    assert df["o"].cat.ordered
    assert df["y"].isna().tolist() == [False, True, False]


def test_types_beside_the_file_are_found(tmp_path):
    (tmp_path / "d.csv").write_text(CSV)
    assert m2s.read_table(tmp_path / "d.csv")["g"].dtype.kind in "iu"
    (tmp_path / "d.json").write_text(json.dumps(TYPES))
    check(m2s.read_table(tmp_path / "d.csv"))


def test_compressed_files_and_types_elsewhere(tmp_path):
    import gzip

    (tmp_path / "d.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    (tmp_path / "types.json").write_text(json.dumps(TYPES))
    check(m2s.read_table(tmp_path / "d.csv.gz", tmp_path / "types.json"))


def test_parquet(tmp_path):
    df = pd.DataFrame({"y": [1.0, 2.0], "g": pd.Categorical(["b", "a"], categories=["b", "a"])})
    df.to_parquet(tmp_path / "d.parquet")
    assert list(m2s.read_table(tmp_path / "d.parquet")["g"].cat.categories) == ["b", "a"]


@pytest.mark.parametrize("text", ["", "[1]", '{"columns": {"y": {"type": "colour"}}}', "{"])
def test_types_that_cannot_be_read_are_said(tmp_path, text):
    (tmp_path / "d.csv").write_text(CSV)
    (tmp_path / "types.json").write_text(text)
    with pytest.raises(m2s.Mix2stanError):
        m2s.read_table(tmp_path / "d.csv", tmp_path / "types.json")


def test_a_json_file_beside_that_is_something_else_is_left_alone(tmp_path):
    (tmp_path / "d.csv").write_text(CSV)
    (tmp_path / "d.json").write_text("[1]")
    assert len(m2s.read_table(tmp_path / "d.csv")) == 3


def test_a_value_that_is_no_level_is_said(tmp_path):
    (tmp_path / "d.csv").write_text(CSV.replace("high", "hihg"))
    (tmp_path / "d.json").write_text(json.dumps(TYPES))
    with pytest.raises(m2s.DataError, match="hihg"):
        m2s.read_table(tmp_path / "d.csv")


def test_a_frame_is_asked_for():
    with pytest.raises(m2s.DataError, match="data frame"):
        m2s.model("lm(y ~ 1)", 3)


def test_verbs_make_columns():
    df = m2s.read_table(FIXTURES / "data" / "sleepstudy.csv")
    text = "lmer(r ~ 1 + (1 | row), data = transform(d, r = Reaction - 10 * Days, row = factor(1:180)))"
    model = m2s.model(text, {"d": df})
    assert model.meaning.groups[0].factor.levels == 180
    assert any("one row per level" in note for note in model.notes)
