"""The documentation pages: every Python block runs, every picture is made, every page is listed."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import mix2stan as m2s
from tests.support.here import Here

DOCS = Path(__file__).parent.parent / "examples" / "docs"
PAGES = sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))


def module_at(path):
    spec = importlib.util.spec_from_file_location(f"docs_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


blocks = module_at(DOCS / "blocks.py")


@pytest.fixture
def short(monkeypatch):
    """Chains and bootstraps as on the pages, but short."""
    sample, bootstrap = m2s.Model.sample, m2s.Model.bootstrap

    def short_sample(model, **options):
        return sample(model, **(options | {"chains": 2, "warmup": 60, "draws": 40}))

    def short_bootstrap(model, n, **options):
        return bootstrap(model, 3, executor=Here(), **options)

    monkeypatch.setattr(m2s.Model, "sample", short_sample)
    monkeypatch.setattr(m2s.Model, "bootstrap", short_bootstrap)


@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_run(page, short):
    text = (DOCS / page).read_text(encoding="utf-8")
    with blocks.workplace() as folder:
        count = sum(1 for _ in blocks.run(text, page))
        made = {picture.name for picture in folder.glob("*.png")}
    plt.close("all")
    assert count == text.count("```python")
    assert made == blocks.pictures_of(text)


def test_every_page_is_in_the_navigation():
    listed = re.findall(r"[\w/-]+\.md", (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8"))
    assert sorted(listed) == PAGES
    names = [name for page in PAGES for name in blocks.pictures_of((DOCS / page).read_text())]
    assert len(names) == len(set(names))


def test_blocks_are_found_in_order():
    text = "a\n```python\nx = 1\n```\n\n```r\ny\n```\n```python\nprint(x + 1)\n```\n"
    assert blocks.blocks_of(text) == ["x = 1\n", "print(x + 1)\n"]
    assert [printed for _, printed in blocks.run(text, "page")] == ["", "2\n"]


def test_docstrings_become_markdown():
    pytest.importorskip("griffe")
    shown = module_at(DOCS / "docstrings.py").shown
    assert shown("See :meth:`Fit.summary` and :class:`~mix2stan.fit.Fit`.") == (
        "See ``Fit.summary`` and ``Fit``."
    )
    text = "Words.\n\n>>> f(1)  # doctest: +SKIP\n2\n>>> f(2)\n3\n\nMore."
    assert shown(text) == "Words.\n\n```pycon\n>>> f(1)\n2\n>>> f(2)\n3\n```\n\nMore."
