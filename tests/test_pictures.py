"""What the pictures of a fit show: panels, labels, and as many marks as there are things."""

from __future__ import annotations

import functools
import itertools

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure

import mix2stan as m2s
from mix2stan.pictures import Pictures
from tests.conftest import table
from tests.programs import PROGRAMS, model_of

PICTURES = "caterpillar shrinkage lines effects forest trace rank energy ppc correlation".split()
#: Models and the pictures that make no sense of them.
WITHOUT = {
    "slope": "",
    "crossed": "lines effects correlation",
    "poisson": "shrinkage correlation",
    "mean": "caterpillar shrinkage lines effects correlation",
}


@functools.cache
def fit_of(name):
    settings = {"chains": 2, "warmup": 150, "draws": 60, "seed": 1, "engine": "stanli"}
    return model_of(name).sample(**settings)


def plot(name):
    """Pictures that pyplot does not keep."""
    return Pictures(fit_of(name), Figure)


def offsets(figure, panel=0):
    """The places of the points of every scatter."""
    found = [c for c in figure.axes[panel].collections if isinstance(c, PathCollection)]
    return [np.asarray(c.get_offsets()) for c in found]


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("name", WITHOUT)
def test_pictures_draw_or_say_why_not(name, picture, tmp_path):
    draw = getattr(plot(name), picture)
    if picture in WITHOUT[name].split():
        with pytest.raises(m2s.Unsupported) as caught:
            draw()
        assert caught.value.hint
        return
    before = dict(matplotlib.rcParams)
    figure = draw()
    figure.savefig(tmp_path / "picture.png")
    assert isinstance(figure, Figure)
    labels = [ax.get_xlabel() or ax.get_title() or ax.get_title("left") for ax in figure.axes]
    assert any(labels)
    assert dict(matplotlib.rcParams) == before


def test_a_caterpillar_is_sorted_and_named():
    figure = plot("slope").caterpillar("Subject")
    assert [ax.get_xlabel() for ax in figure.axes] == ["(Intercept)", "Days"]
    means = fit_of("slope").ranef()["mean"].xs("Days", level="effect")
    names = [t.get_text() for t in figure.axes[1].get_yticklabels()]
    assert names == [level for _, level in means.sort_values().index]
    bars = [c for c in figure.axes[1].collections if isinstance(c, LineCollection)]
    assert [len(c.get_segments()) for c in bars] == [18, 18]
    widths = [np.mean([s[1, 0] - s[0, 0] for s in c.get_segments()]) for c in bars]
    assert 2 < widths[0] / widths[1] < 4.5  # 1.96 / 0.67 if normal


def test_shrinkage_is_that_of_the_table():
    shrunk = fit_of("slope").shrinkage()
    raw, mean = offsets(plot("slope").shrinkage())
    for column, drawn in (("raw", raw), ("mean", mean)):
        np.testing.assert_allclose(drawn, shrunk[column].to_numpy().reshape(-1, 2))
    crossed = plot("crossed").shrinkage("sample")
    assert crossed.axes[0].get_title() == "sample"
    assert len(offsets(crossed)[1]) == 6


def test_every_level_has_a_line_and_every_row_a_point():
    figure = plot("slope").lines()
    (ax,) = figure.axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Days", "Reaction")
    assert len(ax.lines) == 18 + 1
    assert len(offsets(figure)[0]) == 180
    coef = fit_of("slope").coef().loc[("Subject", "308")]
    x, y = ax.lines[0].get_data()
    np.testing.assert_allclose(y, coef["(Intercept)"] + coef["Days"] * x, rtol=1e-9)
    fixef = fit_of("slope").fixef()
    x, y = ax.lines[-1].get_data()
    np.testing.assert_allclose(y, fixef["(Intercept)"] + fixef["Days"] * x, rtol=1e-9)
    assert len(plot("slope").lines(levels=5).axes[0].lines) == 5 + 1


def blocks(call, order):
    """Treatments within blocks that do not differ; z is constant within a block."""
    rng = np.random.default_rng(1)
    grid = itertools.product(range(8), "ab", np.linspace(0, 1, 5))
    df = pd.DataFrame(grid, columns=["block", "trt", "x"]).assign(w=rng.normal(size=80))
    df = df.assign(z=df["block"] % 2, block="b" + df["block"].astype(str))
    mean = 1 + 4 * (df["trt"] == "b") + 0.5 * df["x"] + 2 * df["z"]
    df = df.assign(y=mean + rng.normal(size=80) * 0.3).sample(frac=1, random_state=order)
    fit = m2s.model(call, df).sample(chains=1, warmup=100, draws=50, seed=1, engine="stanli")
    return Pictures(fit, Figure).lines("x").axes[0]


def test_what_varies_within_levels_is_held_at_one_value_that_is_said():
    starts = []
    for order in (3, 4):
        ax = blocks("lmer(y ~ trt + x + w + z + (1 | block))", order)
        *own, population = (line.get_ydata()[0] for line in ax.lines)
        low, high = np.sort(own)[:4], np.sort(own)[4:]
        # two kinds of blocks by z, which is their own, and one treatment
        assert np.ptp(low) < 0.6
        assert np.ptp(high) < 0.6
        assert high.mean() - low.mean() == pytest.approx(2, abs=0.4)
        assert low.mean() < population < high.mean()
        assert low.mean() == pytest.approx(1, abs=0.4)
        title = ax.get_title().replace("\n", " ")
        assert title.startswith("8 levels of block; held: trt = a, w = ")
        assert "z =" not in title
        starts.append(title)
    # ties are not broken by the order of the rows
    assert starts[0] == starts[1]
    assert plot("slope").lines().axes[0].get_title() == "18 levels of Subject"


def test_lines_are_on_the_scale_of_the_response():
    (ax,) = plot("poisson").lines("cHEIGHT", "LOCATION").axes
    assert len(ax.lines) == 63 + 1
    assert all((line.get_ydata() > 0).all() for line in ax.lines)


def test_conditional_effects_are_marginal_means():
    fit = fit_of("factors")
    figure = Pictures(fit, Figure).effects("tarsus", by="temp")
    (ax,) = figure.axes
    legend = ax.get_legend()
    assert legend.get_title().get_text() == "temp"
    assert [t.get_text() for t in legend.get_texts()] == ["25", "30"]
    line = ax.lines[1]
    at = {"tarsus": [line.get_xdata()[0]], "temp": ["30"]}
    mean = fit.marginal_means("tarsus", by="temp", at=at)["mean"].iloc[0]
    assert line.get_ydata()[0] == pytest.approx(mean)
    (bars,) = Pictures(fit, Figure).effects("genotype").axes
    assert [t.get_text() for t in bars.get_xticklabels()] == ["Dll", "wt"]


def test_chains_are_told_apart():
    figure = plot("slope").trace(["beta[Days]", "b_Subject[308, Days]"])
    assert [ax.get_title() for ax in figure.axes] == ["beta[Days]", "b_Subject[308, Days]"]
    assert [len(ax.lines) for ax in figure.axes] == [2, 2]
    ranks = plot("slope").rank(["sigma"]).axes[0]
    heights = [p.get_data().values for p in ranks.patches]
    assert [h.sum() for h in heights] == [60, 60]
    assert len(plot("cell_means").trace().axes) == 12


def test_a_forest_has_all_parameters():
    figure = plot("slope").forest()
    names = [t.get_text() for ax in figure.axes for t in ax.get_yticklabels()]
    assert sorted(names) == sorted(fit_of("slope").summary().index)


def test_a_predictive_check_counts_rows():
    (ax,) = plot("poisson").ppc(20, seed=1).axes
    assert len(ax.patches) == 21
    assert ax.patches[-1].get_data().values.sum() == len(table(PROGRAMS["poisson"].data))


def test_a_correlation_matrix_is_the_posterior_mean():
    image = plot("slope").correlation().axes[0].images[0]
    cor = fit_of("slope").VarCorr()["cor (Intercept)"].loc[("Subject", "Days")]
    np.testing.assert_allclose(image.get_array(), [[1, cor], [cor, 1]])


def test_names_that_are_not_there():
    for draw in (
        lambda: plot("slope").caterpillar("subject"),
        lambda: plot("slope").trace(["beta[days]"]),
        lambda: plot("slope").lines("days"),
        lambda: plot("slope").effects("days"),
    ):
        with pytest.raises(m2s.Mix2stanError) as caught:
            draw()
        assert "Days" in caught.value.hint or "Subject" in caught.value.hint


def test_the_prior_has_pictures_too():
    prior = model_of("slope").sample_prior(50, seed=1)
    assert len(Pictures(prior, Figure).forest().axes) == 4
    for draw in (Pictures(prior, Figure).rank, Pictures(prior, Figure).energy):
        with pytest.raises(m2s.Unsupported):
            draw()


def test_notebooks_show_them():
    import matplotlib.pyplot as plt

    figure = fit_of("slope").plot.energy()
    assert plt.fignum_exists(figure.number)
    plt.close(figure)
