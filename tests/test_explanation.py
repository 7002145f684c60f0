"""What is said of a model: the lecture's table, covariances against V, remarks, and the writers."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mix2stan as m2s
from mix2stan.covariances import COVARIANCES
from mix2stan.explanation.block import chosen_rows
from mix2stan.explanation.facts import Facts
from mix2stan.explanation.pairs import patterns, shared_parts
from mix2stan.explanation.prior_words import implied
from mix2stan.explanation.values import covariance_at, point_of
from mix2stan.mathematics import evaluate
from tests.conftest import table
from tests.test_structures import STRUCTURES, model_of

BT = "MCMCglmm(tarsus ~ sex, random = ~{})"
#: Hadfield's table as the lecture prints it: parameters, V and correlations of the three sexes.
#: Its corh prints r V1 V2, where r sqrt(V1 V2) is meant.
TABLE = {
    BT.format("dam"): (1, "V", None),
    BT.format("us(sex):dam"): (6, "V1 C12 C13|C12 V2 C23|C13 C23 V3", "1 r12 r13|r12 1 r23|r13 r23 1"),
    BT.format("sex:dam"): (1, "V", None),
    BT.format("dam + sex:dam"): (
        2,
        "V1 + V2 V1 V1|V1 V1 + V2 V1|V1 V1 V1 + V2",
        "1 V1 / (V1 + V2) V1 / (V1 + V2)|V1 / (V1 + V2) 1 V1 / (V1 + V2)|V1 / (V1 + V2) V1 / (V1 + V2) 1",
    ),
    BT.format("idh(sex):dam"): (3, "V1 0 0|0 V2 0|0 0 V3", "1 0 0|0 1 0|0 0 1"),
    BT.format("corh(sex):dam"): (
        4,
        "V1 r sqrt(V1 V2) r sqrt(V1 V3)|r sqrt(V1 V2) V2 r sqrt(V2 V3)|r sqrt(V1 V3) r sqrt(V2 V3) V3",
        "1 r r|r 1 r|r r 1",
    ),
    BT.format("cor(sex):dam"): (3, "1 r12 r13|r12 1 r23|r13 r23 1", "1 r12 r13|r12 1 r23|r13 r23 1"),
}  # fmt: skip


def matrices(text, name):
    """The matrices of that name in a text: entries joined by blanks, rows by bars."""
    lines, found = text.splitlines(), []
    for i, line in enumerate(lines):
        where = re.search(rf"\b{name} = \[", line)
        if where is None:
            continue
        column = where.end() - 1
        top = i
        while top and lines[top - 1][column : column + 1] == "[":
            top -= 1
        rows = []
        while lines[top][column : column + 1] == "[":
            inner = lines[top][column + 1 :].split("]")[0]
            rows.append(" ".join(inner.split()))
            top += 1
        found.append("|".join(rows))
    return found


@pytest.mark.parametrize("call", TABLE)
def test_the_lectures_table(call):
    model = m2s.model(call, table("BTdata"))
    count, covariance, correlation = TABLE[call]
    text = str(model.explain())
    counts = [
        COVARIANCES[g.covariance.kind].count(len(g.columns.names)) for g in model.meaning.groups
    ]
    assert sum(counts) == count
    if correlation is None:
        assert re.search(r"Var\(b_\S+\) = V\n", text)
    else:
        assert matrices(text, "Σ") == [covariance]
        assert matrices(text, "correlations") == [correlation]
    assert ("r sqrt(V1 V2) is" in text) == ("corh" in call)


def test_a_covariance_in_symbols_is_the_one_in_numbers():
    model = m2s.model("lmer(Reaction ~ Days + (Days | Subject))", table("sleepstudy"))
    facts = Facts(model.compiled)
    (part,) = shared_parts(facts)
    point = point_of(facts, {"sd_Subject": np.array([2.0, 0.5]), "sigma": 3.0})
    V = covariance_at(facts, point, [2, 7, 12])
    values = {"V_1": 4.0, "V_2": 0.25, "C_12": 0.5, "s": 2.0, "t": 7.0}
    assert V[0, 1] == pytest.approx(evaluate(part.covariance, values))
    assert V[0, 0] == pytest.approx(evaluate(part.variance, values) + 9.0)
    assert V[0, 2] == 0


V_CASES = [
    ("Penicillin", "lmer(diameter ~ 1 + (1 | plate) + (1 | sample))"),
    ("BTdata", "MCMCglmm(tarsus ~ sex, random = ~us(sex):dam + fosternest)"),
    ("Ovary", "lme(follicles ~ 1, random = ~1 | Mare, correlation = corAR1())"),
    ("squid", "gls(Testisweight ~ DML, weights = varComb(varIdent(form = ~1 | fMONTH), varPower(form = ~DML)))"),
    ("birds", "gls(sqrt(Birds) ~ Rainfall, correlation = corCompSymm(form = ~Year))"),
    ("Orthodont", "lme(distance ~ age, random = ~1 | Subject, correlation = corSymm(form = ~1 | Subject))"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "call"), V_CASES)
def test_v_is_what_its_parts_add_up_to(data, call):
    """Against Z Sigma Z' + sigma^2 D R D by dense algebra, written out here."""
    model = m2s.model(call, table(data))
    facts = Facts(model.compiled)
    point, n = point_of(facts, None), model.data.rows
    rows = chosen_rows(facts)
    expected = np.zeros((n, n))
    for term, Sigma in zip(model.Z, point.Sigmas, strict=True):
        Z = term.matrix.toarray()
        expected += Z @ np.kron(np.eye(len(term.levels)), Sigma) @ Z.T
    d, R = np.ones(n), np.eye(n)
    frame = model.data.frame
    values = {str(node): frame.column(node).values for node in frame.columns}
    if data == "squid":
        (power,) = np.atleast_1d(
            point.errors["var_power_2"]
            if "var_power_2" in point.errors
            else point.errors["var_power"]
        )
        levels = model.meaning.residual.variances[0].levels
        names = np.array(frame.columns[next(k for k in frame.columns if str(k) == "fMONTH")].levels)
        ratio = dict(
            zip(
                levels,
                [1.0, *next(v for k, v in point.errors.items() if "ratio" in k)],
                strict=True,
            )
        )
        d = values["DML"] ** power * np.array([ratio[names[c]] for c in values["fMONTH"]])
    if data == "Ovary":
        mare = values["Mare"]
        place = np.array([np.sum(mare[:i] == mare[i]) for i in range(n)])
        R = np.where(mare[:, None] == mare, 0.5 ** np.abs(place[:, None] - place), 0.0)
    if data == "birds":
        R = 0.5 * np.eye(n) + 0.5
    if data == "Orthodont":
        subject = values["Subject"]
        R = np.where(subject[:, None] == subject, 0.5 * np.eye(n) + 0.5, 0.0)
    expected += R * np.outer(d, d)
    np.testing.assert_allclose(covariance_at(facts, point, rows), expected[np.ix_(rows, rows)])


@pytest.mark.parametrize("name", STRUCTURES)
def test_every_structure_is_explained_by_all_writers(name):
    explanation = model_of(name).explain()
    assert "Random terms" in str(explanation)
    assert explanation.markdown().startswith("# ")
    page = explanation.html()
    ElementTree.fromstring(
        page.split("<!DOCTYPE html>\n")[1]
        .replace('<meta charset="utf-8">', "")
        .replace('initial-scale=1">', 'initial-scale=1"/>')
    )


def test_pairs_that_occur_are_found():
    model = m2s.model("lmer(strength ~ 1 + (1 | batch/cask))", table("Pastes"))
    shared = [p.shared for p in patterns(Facts(model.compiled))]
    # a cask is within a batch: two observations of one cask are of one batch
    assert shared == [frozenset({"batch", "cask:batch"}), frozenset({"batch"})]
    for pattern in patterns(Facts(model.compiled)):
        a, b = (model.given.iloc[i] for i in pattern.rows)
        assert (a["batch"] == b["batch"]) == ("batch" in pattern.shared)


def test_estimates_can_be_shown():
    model = m2s.model("lme(Reaction ~ Days, random = ~ Days | Subject, weights = varPower(form = ~ fitted(.), fixed = 0))", table("sleepstudy"))  # fmt: skip
    with pytest.raises(m2s.Mix2stanError, match="no parameter 'sd_subject'"):
        model.explain(at={"sd_subject": 1.0})
    model = m2s.model("lmer(Reaction ~ Days + (Days | Subject))", table("sleepstudy"))
    estimates = model.reml("stanli")
    facts = Facts(model.compiled)
    point = point_of(facts, estimates)
    # lme4: sds 24.7407 and 5.9221, correlation 0.0656, sigma 25.5918
    np.testing.assert_allclose(np.sqrt(np.diag(point.Sigmas[0])), [24.7407, 5.9221], rtol=1e-3)
    V = covariance_at(facts, point, [0, 1])
    assert V[0, 0] == pytest.approx(24.7407**2 + 25.5918**2, rel=1e-3)
    assert "at the REML estimates" in str(model.explain(at=estimates))


def test_estimates_of_errors_can_be_shown():
    call = "lme(distance ~ age + Sex, random = ~1 | Subject, weights = varIdent(form = ~1 | Sex), correlation = corAR1(form = ~1 | Subject))"
    model = m2s.model(call, table("Orthodont"))
    estimates = model.reml("stanli")
    point = point_of(Facts(model.compiled), estimates)
    printed = estimates.residual()
    assert point.errors["cor_phi"] == pytest.approx(printed["corAR1 phi"])
    ratios = [v for k, v in printed.items() if "ratio" in k]
    assert np.atleast_1d(point.errors["var_ratio"])[0] == pytest.approx(ratios[1])


def test_ranges_of_priors_are_their_quantiles():
    model = m2s.model("lmer(Reaction ~ Days + (1 | Subject))", table("sleepstudy"))
    rows = implied(Facts(model.compiled)).blocks[0].rows
    low, high = (float(x) for x in rows[0][1].split(" to "))
    scale = dict(next(p for p in model.meaning.priors if p.block == "sd_Subject").values)["scale"][
        0
    ]
    exact = scale * stats.t(3).ppf([0.5125, 0.9875])
    assert [low, high] == pytest.approx(exact, rel=0.06)


N = 60
RNG = np.random.default_rng(3)
SMALL = pd.DataFrame(
    {
        "y": RNG.normal(size=N),
        "x": RNG.normal(100, 1, N),
        "z": RNG.normal(size=N),
        "k": RNG.negative_binomial(0.7, 0.2, N),
        "f": pd.Categorical(np.repeat(list("abc"), N // 3)),
        "g": np.tile([f"g{i}" for i in range(12)], 5),
        "few": np.tile(list("pq"), N // 2),
        "once": [f"o{min(i, 50)}" for i in range(N)],
        "size": RNG.normal(size=N).round(1) + 0.05,
    }
)
REMARKS = {
    "lmer(y ~ z + (1 | few))": "few has 2 levels: its variance will be vague",
    "lmer(y ~ 1 + (z | g))": "z varies by g around 0: the population part has no z",
    "lmer(y ~ x + (x | g))": "x is far from 0 (mean 99.9",
    "lmer(y ~ x + (x || g))": "independent only at x = 0; centre it",
    "lmer(y ~ z + (1 | g) + (z | g))": "the data cannot tell their variances apart",
    "lmer(y ~ z + (1 | size))": "size is numeric, and each of its",
    "lmer(y ~ z + (1 | once))": "of the 51 levels of once have one observation",
    "glmer(k ~ z + (1 | g), family = poisson)": "times as much as a poisson response does",
    "glmer(I(k > 3) ~ z + (1 | g), family = binomial)": "fewer than 5 in a typical observation",
    "lmer(y ~ 1 + (f || g))": "7 parameters, the columns of f still correlated; to glmmTMB and brms it is 3 independent columns, 3 parameters",
    "MCMCglmm(y ~ z, random = ~us(f):g)": "us(f) has no intercept to MCMCglmm",
    "gls(y ~ z, weights = ~ x)": "weights of lm() and lmer() are the inverse",
    "lmer(y ~ z + (1 | f:g))": "first factor slowest by lme4, fastest by MCMCglmm",
}  # fmt: skip


@pytest.mark.parametrize("call", REMARKS)
def test_what_to_be_careful_about(call):
    text = " ".join(str(m2s.model(call, SMALL).explain()).split())
    assert REMARKS[call] in text


QUIET = [
    "lmer(y ~ z + (z | g))",
    "lmer(y ~ z + (1 | g))",
    "glmer(k ~ z + (1 | g) + (1 | units), family = poisson)",
    "lmer(y ~ poly(z, 2) + (z | g))",
]


@pytest.mark.parametrize("call", QUIET)
def test_nothing_is_said_without_reason(call):
    text = str(m2s.model(call, SMALL.assign(k=SMALL["k"] + 9)).explain())
    assert "Be careful" not in text
    assert "other packages" not in text


def test_mcmcglmms_default_prior_is_not_ours():
    explained = m2s.model("MCMCglmm(y ~ z, random = ~us(1 + z):g)", SMALL).explain()
    said = " ".join(str(explained.section("Be careful")).split())
    assert "without 'prior', MCMCglmm takes V = I and nu = 0, which is improper" in said


HOSTILE = '<script>alert("x")</script> & $`|_\\'


def test_names_of_the_data_are_text_in_every_writer():
    data = SMALL.rename(columns={"z": HOSTILE}).assign(g=[f"<b>{g}|`$" for g in SMALL["g"]])
    quoted = HOSTILE.replace("\\", "\\\\").replace("`", "\\`")
    model = m2s.model(f"lmer(y ~ `{quoted}` + (1 + `{quoted}` | g))", data)
    explanation = model.explain()
    for page in (explanation.html(), explanation._repr_html_()):
        assert "<script" not in page
        assert "<b>" not in page
        assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "alert" in explanation.html()
    ElementTree.fromstring(explanation._repr_html_().split("</style>")[1])
    outside = re.sub(r"(`+).*?\1", "", explanation.markdown(), flags=re.DOTALL)
    assert re.search(r"(?<!\\)<script", outside) is None


def test_the_mathematics_of_a_page_is_mathml():
    page = (
        m2s.model("lmer(Reaction ~ Days + (Days | Subject))", table("sleepstudy")).explain().html()
    )
    formulas = [ElementTree.fromstring(m) for m in re.findall(r"<math.*?</math>", page)]
    assert len(formulas) > 8
    assert any(f.find(".//mtable") is not None for f in formulas)


def test_print_is_the_short_form_of_the_same():
    model = m2s.model("lmer(Reaction ~ Days + (Days | Subject))", table("sleepstudy"))
    short, whole = str(model), str(model.explain())
    for section in ("\nModel\n", "\nPriors\n", "\nStrategy\n"):
        assert section in short and section in whole
    assert (
        "Subject, 18 levels: (Intercept), Days; all variances and covariances free (3 parameters)"
        in short
    )
    assert max(map(len, whole.splitlines())) <= 104
