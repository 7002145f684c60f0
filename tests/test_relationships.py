"""Known covariances among levels: against the tabular method, dense algebra and scipy."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats

import mix2stan as m2s
from mix2stan.errors import DataError, FormulaError, Unsupported
from mix2stan.inits import starting_points
from mix2stan.relationships.known import known_matrix
from mix2stan.relationships.newick import phylogeny
from mix2stan.relationships.pedigree import pedigree


def simulated(generations=4, per=25, seed=1):
    """A pedigree in which everybody has two parents of the generation before, rows in any order."""
    rng = np.random.default_rng(seed)
    n = generations * per
    ids = np.array([f"i{i:03d}" for i in range(n)], dtype=object)
    sire, dam = np.full(n, None, dtype=object), np.full(n, None, dtype=object)
    for g in range(1, generations):
        now = np.arange(g * per, (g + 1) * per)
        sire[now] = ids[(g - 1) * per + 2 * rng.integers(0, per // 2, per)]
        dam[now] = ids[(g - 1) * per + 1 + 2 * rng.integers(0, per // 2, per)]
    table = pd.DataFrame({"animal": ids, "sire": sire, "dam": dam})
    return table.sample(frac=1, random_state=seed).reset_index(drop=True)


def tabular(table):
    """A by the tabular method: parents first, row by row (Henderson 1976)."""
    parents = {
        row.animal: [p for p in (row.sire, row.dam) if isinstance(p, str)]
        for row in table.itertuples()
    }
    names: list[str] = []

    def add(name):
        if name not in names:
            for parent in parents.get(name, []):
                add(parent)
            names.append(name)

    for name in parents:
        add(name)
    A = np.zeros((len(names), len(names)))
    for i, name in enumerate(names):
        own = [names.index(p) for p in parents.get(name, [])]
        A[i, :i] = A[:i, i] = 0.5 * sum((A[p, :i] for p in own), np.zeros(i))
        A[i, i] = 1 + (0.5 * A[own[0], own[1]] if len(own) == 2 else 0.0)
    return pd.DataFrame(A, names, names)


#: The worked example of Mrode, Linear Models for the Prediction of Animal Breeding Values, table 2.1.
MRODE = pd.DataFrame(
    {
        "animal": ["6", "5", "4", "3"],
        "sire": ["5", "4", "1", "1"],
        "dam": ["2", "3", None, "2"],
    }
)


def test_relationships_are_those_of_the_tabular_method():
    table = simulated(6, 12)
    found = pedigree(table)
    root = found.spread(np.eye(len(found.levels)))
    A = tabular(table).loc[list(found.levels), list(found.levels)].to_numpy()
    np.testing.assert_allclose(root @ root.T, A, atol=1e-14)
    np.testing.assert_allclose(found.own(root), np.eye(len(A)), atol=1e-14)
    assert found.log_det_root == pytest.approx(np.linalg.slogdet(A)[1] / 2, rel=1e-12)
    assert np.diag(A).max() > 1.1


def test_a_worked_example_with_inbreeding():
    # 4 has an unknown dam; 5 and 6 are inbred
    found = pedigree(MRODE)
    root = found.spread(np.eye(6))
    A = pd.DataFrame(root @ root.T, found.levels, found.levels)
    assert A.loc["5", "5"] == 1.125 and A.loc["6", "6"] == 1.125
    assert A.loc["5", "6"] == 0.6875 and A.loc["3", "4"] == 0.25
    assert dict(zip(found.levels, found.variances, strict=True))["6"] == 0.46875


def test_numbers_name_individuals_as_r_prints_them():
    table = pd.DataFrame(
        {"id": [3, 1, 2], "father": [1, np.nan, None], "mother": [2.0, None, None]}
    )
    assert sorted(pedigree(table).levels) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", "b", None), ("b", "a", None)], "a, b are each other's ancestors"),
        ([("a", "a", None)], "a are each other's ancestors"),
        ([("a", "b", "c"), ("d", "c", "e")], "c appear both as sire and as dam"),
        ([("a", "b", "c"), ("a", "b", "c")], "'a' has more than one row"),
        ([("a", "0", "c")], "the parent '0' has no row of its own"),
        ([(None, "b", "c")], "row 1 of the pedigree has no animal"),
    ],
)
def test_pedigrees_that_cannot_be_are_refused_by_name(rows, message):
    with pytest.raises(DataError, match=message):
        pedigree(pd.DataFrame(rows, columns=["animal", "sire", "dam"]))


def test_a_table_of_other_columns_is_no_pedigree():
    with pytest.raises(DataError, match=r"no column 'sire'.*\n.*this table has animal, y"):
        pedigree(pd.DataFrame({"animal": ["a"], "y": [1.0]}))


# -- phylogenies -----------------------------------------------------------------------------------

TREE = "((a:1,b:1)ab:1,(c:0.5,'d d':0.5):1.5);"


def test_a_phylogeny_is_shared_branch_length():
    found = phylogeny(TREE)
    assert set(found.levels) == {"ab", "Node3", "a", "b", "c", "d d"}
    root = found.spread(np.eye(6))
    V = pd.DataFrame(root @ root.T, found.levels, found.levels)
    tips = V.loc[["a", "b", "c", "d d"], ["a", "b", "c", "d d"]].to_numpy()
    shared = [[1, 0.5, 0, 0], [0.5, 1, 0, 0], [0, 0, 1, 0.75], [0, 0, 0.75, 1]]
    np.testing.assert_allclose(tips, shared, atol=1e-15)
    assert V.loc["ab", "a"] == pytest.approx(0.5)


def test_a_tree_of_tips_at_several_heights_is_taken_as_it_is_or_refused():
    text = "((a:1,b:2)[two]:1,c:0.5);"
    with pytest.raises(DataError, match=r"heights from 0.5 to 3.*\n.*scale = FALSE"):
        phylogeny(text)
    found = phylogeny(text, scaled=False)
    root = found.spread(np.eye(4))
    assert dict(zip(found.levels, np.diag(root @ root.T), strict=True))["b"] == pytest.approx(3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("((a:1,b:1):1,c:2;", "brackets are left open"),
        ("((a:1,b:1):1,c:2)); x", "at character"),
        ("(a:1,b);", "the branch to b has no length"),
        ("(a:1,b:0);", "the branch to b is not above zero"),
        ("(a:1,a:1);", "two nodes of the tree are called 'a'"),
        ("(a:1,:1);", "a tip of the tree has no name"),
        ("(a:1,b:x);", "at character 7"),
        ("a;", "this is no tree"),
    ],
)
def test_trees_that_cannot_be_read(text, message):
    with pytest.raises(DataError, match=message):
        phylogeny(text)


# -- matrices --------------------------------------------------------------------------------------


def labelled(matrix, labels="abc"):
    return pd.DataFrame(matrix, list(labels), list(labels), dtype=float)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (labelled([[1, 0, 0], [0.5, 1, 0], [0, 0, 1]]), "not symmetric"),
        (labelled(np.ones((3, 3))), "not positive definite"),
        (labelled(np.eye(3), "aba"), "'a' is there twice"),
        (labelled(np.eye(3)).rename(columns={"a": "d"}), "not both a row and a column"),
        (labelled(np.full((3, 3), np.nan)), "missing or infinite"),
        (m2s.Known(np.eye(2), ["a"]), r"shape \(2, 2\) for 1 labels"),
        (m2s.Known(sparse.csc_array(np.ones((2, 2))), "ab", inverse=True), "not positive definite"),
        (m2s.Known(sparse.diags([1.0, -1.0]), "ab", inverse=True), "not positive definite"),
        (np.eye(3), "a ndarray has no labels"),
    ],
)
def test_matrices_that_are_no_covariances(given, message):
    with pytest.raises(DataError, match=message):
        known_matrix(given, inverse=False)


def test_the_labels_of_columns_may_be_in_another_order():
    K = labelled([[2, 1, 0], [1, 2, 0], [0, 0, 1]])
    found = known_matrix(K[["c", "a", "b"]], inverse=False)
    np.testing.assert_array_equal(found.matrix, K)


# -- models ----------------------------------------------------------------------------------------


@functools.cache
def world():
    """Data on a pedigree, the pedigree, A and its inverse, some individuals without a record."""
    table = simulated()
    A = tabular(table)
    rng = np.random.default_rng(2)
    d = pd.DataFrame({"animal": rng.permutation(A.index.to_numpy())[:80]})
    d = pd.concat([d, d[:15]], ignore_index=True)
    d["x"] = rng.normal(size=len(d))
    d["f"] = rng.choice(["u", "v", "w"], len(d))
    u = np.linalg.cholesky(A.to_numpy()) @ rng.normal(size=len(A))
    d["y"] = 3 + 0.5 * d.x + pd.Series(u, A.index)[d.animal].to_numpy() + rng.normal(size=len(d))
    d["n"] = rng.poisson(np.exp(0.3 * d.y))
    inverse = np.linalg.inv(A.to_numpy())
    Ainv = m2s.Known(sparse.csc_array(np.where(abs(inverse) > 1e-9, inverse, 0)), A.index, True)
    return {"d": d, "ped": table, "Ainv": Ainv, "K": A}


SOURCES = (
    "pedigree = ped",
    "ginverse = list(animal = Ainv)",
    "ginverse = list(animal = solve(K))",
    'ginverse = list(animal = as(inverseA(ped)$Ainv, "dgCMatrix"))',
)
RANDOM = {
    "animal": np.array([[1.3]]),
    "us(1 + x):animal": np.array([[1.2, 0.4], [0.4, 0.5]]),
    "idh(f):animal": np.diag([1.0, 0.5, 2.0]),
    "animal + f": np.array([[1.3]]),
}
COLUMNS = {"us(1 + x):animal": ["(Intercept)", "x"], "idh(f):animal": ["fu", "fv", "fw"]}


def model_of(random, source, **more):
    return m2s.model(f"MCMCglmm(y ~ x, random = ~ {random}, {source}, data = d)", world(), **more)


def dense(random, sigma=0.8):
    """The covariance of the observations, and Z of every effect."""
    d, A = world()["d"], world()["K"]
    Z = (d.animal.to_numpy()[:, None] == A.index.to_numpy()[None]).astype(float)
    values = {"(Intercept)": np.ones(len(d)), "x": d.x.to_numpy()}
    values |= {f"f{k}": (d.f == k).to_numpy(dtype=float) for k in "uvw"}
    designs = [values[c][:, None] * Z for c in COLUMNS.get(random, ["(Intercept)"])]
    Sigma, V = RANDOM[random], sigma**2 * np.eye(len(d))
    for i, one in enumerate(designs):
        for j, other in enumerate(designs):
            V += Sigma[i, j] * one @ A.to_numpy() @ other.T
    if random == "animal + f":
        V += 0.49 * (d.f.to_numpy()[:, None] == d.f.to_numpy()[None])
    return V, designs


def point_of(random):
    Sigma = RANDOM[random]
    sd = np.sqrt(np.diag(Sigma))
    term = {"group": "animal", "coefficients": COLUMNS.get(random, ["(Intercept)"]), "sd": sd}
    term["cor"] = Sigma / np.outer(sd, sd)
    terms = [term]
    if random == "animal + f":
        terms.append({"group": "f", "coefficients": ["(Intercept)"], "sd": [0.7]})
    beta = {"(Intercept)": 2.0, "x": 0.3}
    return {"beta": beta, "random": terms, "residual": {"sigma": 0.8}}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("random", RANDOM)
def test_the_likelihood_is_that_of_dense_algebra(random, source, stanli):
    d = world()["d"]
    V, _ = dense(random)
    expected = stats.multivariate_normal(2 + 0.3 * d.x, V).logpdf(d.y)
    found = model_of(random, source).loglik(point_of(random), engine="stanli")
    assert found == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("source", SOURCES[:3])
@pytest.mark.parametrize("random", ["animal", "us(1 + x):animal", "idh(f):animal"])
def test_the_joint_density_is_scipys(random, source, stanli):
    model = model_of(random, source)
    A, d, Sigma = world()["K"], world()["d"], RANDOM[random]
    u = np.random.default_rng(3).normal(size=(len(A), len(Sigma)))
    _, designs = dense(random)
    order = [A.index.get_loc(level) for level in model.labels.groups[0].levels]
    mean = 2 + 0.3 * d.x + sum(Z[:, order] @ u[:, k] for k, Z in enumerate(designs))
    prior = np.kron(Sigma, A.to_numpy()[np.ix_(order, order)])
    expected = stats.norm(mean, 0.8).logpdf(d.y).sum()
    expected += stats.multivariate_normal(np.zeros(u.size), prior).logpdf(u.T.ravel())
    found = model.loglik({**point_of(random), "u": [u]}, engine="stanli")
    assert found == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("source", SOURCES[:3])
@pytest.mark.parametrize("random", ["animal", "us(1 + x):animal", "idh(f):animal"])
def test_centred_effects_have_the_density_of_others(random, source, stanli):
    effects = np.random.default_rng(3).normal(size=(100, len(RANDOM[random])))
    found = []
    for strategy in ("noncentred", "centred"):
        model = model_of(random, source, strategy=strategy)
        program = stanli.compile(model.stan_code, model.stan_data)
        kinship = model.data.kinship(model.meaning.groups[0].factor)
        values = []
        for scale in (1.0, 2.0):
            start = starting_points(model.meaning, model.stan_data, 1, seed=3)[0]
            root = np.diag(scale * np.sqrt(np.diag(RANDOM[random])))
            start["sd_animal"] = root[0, 0] if len(root) == 1 else np.diag(root)
            own = np.linalg.solve(root, kinship.own(effects).T)
            start |= {"theta": np.array([1.0, 0.2]), "sigma": 0.9}
            name = "b_animal" if strategy == "centred" else "z_animal"
            start[name] = effects if strategy == "centred" else own
            if len(root) == 1:
                start[name] = start[name].ravel()
            value, _ = program.log_density(start, jacobian=False)
            jacobian = 0.0 if strategy == "centred" else -100 * np.linalg.slogdet(root)[1]
            values.append(value + jacobian)
        found.append(values[1] - values[0])
    assert found[0] == pytest.approx(found[1], rel=1e-9)


@pytest.mark.parametrize("random", ["animal", "animal + f"])
def test_reml_is_that_of_dense_algebra(random, stanli):
    estimates = model_of(random, "pedigree = ped").reml(engine="stanli")
    sd = estimates.VarCorr()["sd"]
    V, (Z,) = dense("animal", estimates.sigma())
    d, A = world()["d"], world()["K"].to_numpy()
    between = sd["animal", "(Intercept)"] ** 2
    V += (between - 1.3) * Z @ A @ Z.T
    if random == "animal + f":
        V += sd["f", "(Intercept)"] ** 2 * (d.f.to_numpy()[:, None] == d.f.to_numpy()[None])
    X = np.column_stack([np.ones(len(d)), d.x])
    information = X.T @ np.linalg.solve(V, X)
    beta = np.linalg.solve(information, X.T @ np.linalg.solve(V, d.y))
    modes = between * A @ Z.T @ np.linalg.solve(V, d.y - X @ beta)
    np.testing.assert_allclose(estimates.fixef(), beta, rtol=1e-8)
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    np.testing.assert_allclose(estimates.standard_errors, errors, rtol=1e-8)
    ranef = estimates.ranef()["mode"].loc["animal"].droplevel("effect")
    np.testing.assert_allclose(ranef[world()["K"].index], modes, atol=1e-8)


def test_the_draws_are_those_of_all_individuals(stanli):
    """Integrated and sampled, the effects have one posterior, also of those without a record."""
    fits = [
        model_of("animal", "pedigree = ped", strategy=strategy).sample(
            chains=2, warmup=500, draws=1000, seed=4, engine="stanli"
        )
        for strategy in ("collapsed", "noncentred")
    ]
    one, other = (fit.ranef() for fit in fits)
    assert list(one.index) == list(other.index) and len(one) == 100
    error = np.sqrt(one["sd"] ** 2 / 300 + other["sd"] ** 2 / 300)
    assert (abs(one["mean"] - other["mean"]) / error).max() < 4.5
    np.testing.assert_allclose(one["sd"], other["sd"], rtol=0.2)
    summaries = [fit.summary() for fit in fits]
    apart = abs(summaries[0]["mean"] - summaries[1]["mean"]) / summaries[0]["sd"]
    assert apart.max() < 0.25


def test_counts_of_related_individuals_are_sampled(stanli):
    call = 'MCMCglmm(n ~ x, random = ~ animal, pedigree = ped, family = "poisson", data = d)'
    model = m2s.model(call, world())
    assert "inherited(" in model.stan_code or "first_parent" in model.stan_code
    fit = model.sample(chains=1, warmup=100, draws=100, seed=1, engine="stanli")
    assert "i000" in fit.ranef().index.get_level_values("level")


def test_a_large_inverse_is_sampled_without_its_dense_root():
    n = 4000
    ar1 = sparse.diags([np.full(n, 2.5), np.full(n - 1, -1.0), np.full(n - 1, -1.0)], [0, 1, -1])
    levels = [f"s{i}" for i in range(n)]
    d = pd.DataFrame({"site": levels[:500], "y": np.random.default_rng(1).normal(size=500)})
    model = m2s.MCMCglmm(
        "y ~ 1", random="~ site", ginverse={"site": m2s.Known(ar1, levels, True)}, data=d
    )
    assert "precision_site" in model.stan_code
    assert "sampled" in str(model)


def test_a_phylogeny_is_given_as_text_or_in_the_call():
    d = pd.DataFrame({"animal": ["a", "b", "c", "d d"] * 5, "y": np.arange(20.0) % 7})
    one = m2s.model("MCMCglmm(y ~ 1, random = ~ animal, pedigree = t)", {"d": d, "t": TREE})
    text = TREE.replace("'", "\\'")
    script = f"t <- read.tree(text = '{text}'); MCMCglmm(y ~ 1, random = ~ animal, pedigree = t)"
    other = m2s.model(script, d)
    assert one.stan_code == other.stan_code.replace(other.call, one.call)
    assert set(one.labels.groups[0].levels) == {"ab", "Node3", "a", "b", "c", "d d"}


def test_tables_are_given_by_keyword():
    d, table, K = world()["d"], world()["ped"], world()["K"]
    one = m2s.MCMCglmm("y ~ x", random="~ animal", pedigree=table, data=d)
    assert m2s.compare(one, model_of("animal", "pedigree = ped")).same
    inverse = pd.DataFrame(np.linalg.inv(K), K.index, K.index)
    other = m2s.MCMCglmm("y ~ x", random="~ animal", ginverse={"animal": inverse}, data=d)
    assert m2s.compare(one, other).same
    assert "related by" in str(one) and "animal, 100 levels" in str(one)


def test_comparison_sees_relationships():
    related, plain = model_of("animal", SOURCES[0]), model_of("animal", "ginverse = NULL")
    found = m2s.compare(related, plain)
    assert not found.same and "related by ped" in str(found)
    assert m2s.compare(model_of("animal", SOURCES[0]), model_of("animal", SOURCES[2])).same
    assert m2s.compare(
        model_of("us(1 + x):animal", SOURCES[1]), model_of("us(1 + x):animal", SOURCES[3])
    ).same
    founders = world() | {
        "ped": pd.DataFrame({"animal": world()["K"].index, "sire": None, "dam": None})
    }
    strangers = m2s.model("MCMCglmm(y ~ x, random = ~ animal, pedigree = ped, data = d)", founders)
    assert m2s.compare(strangers, plain).same


@pytest.mark.parametrize("source", SOURCES)
def test_translation_keeps_relationships_or_says_why_not(source):
    model = model_of("us(1 + x):animal", source)
    text = m2s.translate(model, "MCMCglmm")
    assert m2s.compare(model, m2s.model(text, world())).same
    for package in ("lme4", "nlme", "glmmTMB"):
        with pytest.raises(Unsupported, match="related levels of animal"):
            m2s.translate(model, package)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("random = ~ f, pedigree = ped", "random = has no term of 'animal'"),
        ("random = ~ animal, pedigree = pd", "'pd' is not among the data"),
        ("random = ~ animal, pedigree = ped, ginverse = list(animal = Ainv)", "two relationships"),
        ("random = ~ animal:f, pedigree = ped", "in combination with others"),
        ("random = ~ f, ginverse = list(f = Ainv)", "Ainv says nothing of the level 'u' of f"),
        ("random = ~ animal, ginverse = Ainv", "'ginverse' has to be a list"),
        ("random = ~ animal, ginverse = list(Ainv)", "has no name"),
        ("random = ~ animal, ginverse = list(animal = 3)", "cannot be read as"),
        ("random = ~ animal, pedigree = d", "the pedigree has no column 'sire'"),
    ],
)
def test_relationships_that_do_not_fit(call, message):
    with pytest.raises(FormulaError, match=message) as error:
        m2s.model(f"MCMCglmm(y ~ x, {call}, data = d)", world())
    assert error.value.span is not None


def test_what_is_given_has_to_be_something_that_is_known():
    with pytest.raises(DataError, match=r"K.*not ndarray"):
        m2s.model("lm(y ~ x)", {"d": world()["d"], "K": np.eye(2)})


def test_two_traits_of_related_individuals(stanli):
    """A bivariate animal model: Sigma ⊗ A, with no product formed."""
    d = world()["d"].assign(z=lambda t: t.y - t.x)
    call = (
        "MCMCglmm(cbind(y, z) ~ trait - 1, random = ~ us(trait):animal, rcov = ~ us(trait):units, "
        'family = c("gaussian", "gaussian"), pedigree = ped, data = d)'
    )
    model = m2s.model(call, world() | {"d": d})
    assert model.labels.groups[0].coefficients == ("traity", "traitz")
    assert len(model.labels.groups[0].levels) == 100
    point = starting_points(model.meaning, model.stan_data, 1, seed=1)[0]
    value, gradient = stanli.compile(model.stan_code, model.stan_data).log_density(point)
    assert np.isfinite(value) and np.isfinite(gradient).all()


# -- several levels per row ------------------------------------------------------------------------


@functools.cache
def matches():
    """Rows of two levels each: players of a pedigree, home and away."""
    rng = np.random.default_rng(6)
    levels = world()["K"].index[:40].to_numpy()
    d = pd.DataFrame({"home": rng.choice(levels, 90), "away": rng.choice(levels, 90)})
    d = d.assign(x=rng.normal(size=90), g=rng.choice(list("pqr"), 90), y=rng.normal(size=90))
    return {"d": d, "ped": world()["ped"], "K": world()["K"]}


RELATED = ", ginverse = list(home = solve(K))"
SEVERAL = {
    ("mm(home + away)", ""): (1, [[1.44]]),
    ("mm(home - away)", ""): (-1, [[1.44]]),
    ("mm(home + away)", RELATED): (1, [[1.44]]),
    ("str(home + away)", ""): (0, [[1.44, 0.3], [0.3, 0.5]]),
    ("str(home + away)", RELATED): (0, [[1.44, 0.3], [0.3, 0.5]]),
    ("mm(home + away) + g", ""): (1, [[1.44]]),
}


def of_several(random, source, **more):
    return m2s.model(f"MCMCglmm(y ~ x, random = ~ {random}{source}, data = d)", matches(), **more)


def parts_of(random, source):
    """Sigma, K, and a design per effect, the levels as the model lists them."""
    sign, Sigma = SEVERAL[random, source]
    d = matches()["d"]
    levels = list(of_several(random, source).labels.groups[0].levels)
    A, B = ((d[c].to_numpy()[:, None] == np.array(levels)).astype(float) for c in ("home", "away"))
    K = world()["K"].loc[levels, levels].to_numpy() if source else np.eye(len(levels))
    return np.array(Sigma), K, [A, B] if sign == 0 else [A + sign * B]


@pytest.mark.parametrize(("random", "source"), SEVERAL)
def test_several_levels_per_row_are_those_of_dense_algebra(random, source, stanli):
    d, model = matches()["d"], of_several(random, source)
    Sigma, K, designs = parts_of(random, source)
    V = 0.25 * np.eye(len(d))
    V += sum(
        Sigma[i, j] * one @ K @ other.T
        for i, one in enumerate(designs)
        for j, other in enumerate(designs)
    )
    sd = np.sqrt(np.diag(Sigma))
    names = model.labels.groups[0].coefficients
    term = {"group": model.labels.groups[0].factor, "coefficients": names, "sd": sd}
    terms = [term | {"cor": Sigma / np.outer(sd, sd)}]
    if random.endswith("g"):
        V += 0.49 * (d.g.to_numpy()[:, None] == d.g.to_numpy())
        terms.append({"group": "g", "coefficients": ["(Intercept)"], "sd": [0.7]})
    point = {"beta": {"(Intercept)": 0.2, "x": 0.3}, "random": terms, "residual": {"sigma": 0.5}}
    mean = 0.2 + 0.3 * d.x
    expected = stats.multivariate_normal(mean, V).logpdf(d.y)
    assert model.loglik(point, engine="stanli") == pytest.approx(expected, rel=1e-11)
    if random.endswith("g"):
        return
    u = np.random.default_rng(7).normal(size=(len(K), len(Sigma)))
    eta = mean + sum(Z @ u[:, k] for k, Z in enumerate(designs))
    expected = stats.norm(eta, 0.5).logpdf(d.y).sum()
    expected += stats.multivariate_normal(np.zeros(u.size), np.kron(Sigma, K)).logpdf(u.T.ravel())
    found = model.loglik({**point, "u": [u]}, engine="stanli")
    assert found == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("random", ["mm(home - away)", "str(home + away)"])
def test_modes_of_several_levels_per_row(random, stanli):
    estimates = of_several(random, "").reml(engine="stanli")
    _, K, designs = parts_of(random, "")
    d, table = matches()["d"], estimates.VarCorr()
    sd = table["sd"].to_numpy()[: len(designs)]
    Sigma = np.outer(sd, sd)
    if len(sd) == 2:
        Sigma[0, 1] = Sigma[1, 0] = Sigma[0, 1] * table["cor home"].to_numpy()[1]
    V = estimates.sigma() ** 2 * np.eye(len(d))
    crossed = [[Sigma[i, j] * one @ K for j in range(len(sd))] for i, one in enumerate(designs)]
    V += sum(crossed[i][j] @ other.T for i in range(len(sd)) for j, other in enumerate(designs))
    e = np.linalg.solve(V, d.y - estimates.fixef()["(Intercept)"] - estimates.fixef()["x"] * d.x)
    modes = [
        sum(Sigma[i, j] * K @ designs[j].T @ e for j in range(len(sd))) for i in range(len(sd))
    ]
    found = estimates.ranef()["mode"].to_numpy().reshape(len(K), -1)
    np.testing.assert_allclose(found, np.array(modes).T, atol=1e-6)


@pytest.mark.parametrize(("random", "source"), SEVERAL)
def test_several_levels_per_row_are_written_by_mcmcglmm_alone(random, source):
    model = of_several(random, source)
    written = m2s.model(m2s.translate(model, "MCMCglmm"), matches())
    assert m2s.compare(model, written).same and str(written.meaning) == str(model.meaning)
    with pytest.raises(Unsupported, match=r"levels of (mm|str)"):
        m2s.translate(model, "lme4")


def test_memberships_differ_by_their_signs():
    found = m2s.compare(of_several("mm(home - away)", ""), of_several("mm(home + away)", ""))
    assert not found.same and "memberships: mm(home - away)" in str(found)
    assert m2s.compare(of_several("mm(away + home)", ""), of_several("mm(home + away)", "")).same


@pytest.mark.parametrize(
    ("random", "message"),
    [
        ("mm(home)", "needs several factors"),
        ("mm(home + home)", "needs several factors"),
        ("str(home - away)", "nothing to subtract"),
        ("us(x):mm(home + away)", r"mm\(\) cannot stand here"),
    ],
)
def test_memberships_that_have_no_meaning(random, message):
    with pytest.raises(FormulaError, match=message):
        of_several(random, "")


# -- glmmTMB's propto ------------------------------------------------------------------------------


@functools.cache
def species():
    rng = np.random.default_rng(8)
    names = list("abcdefgh")
    root = rng.normal(size=(8, 8))
    K = pd.DataFrame(root @ root.T + np.eye(8), names, names)
    d = pd.DataFrame({"f": rng.choice(names[:7], 80), "g": rng.choice(["u", "v"], 80), "one": 1})
    d = d.assign(y=rng.normal(size=80))
    named = K.set_axis([f"f{n}" for n in names]).set_axis([f"f{n}" for n in names], axis=1)
    return {"d": d, "K": K, "named": named}


@pytest.mark.parametrize("K", ["K", "named"])
@pytest.mark.parametrize("g", ["one", "g"])
def test_propto_is_a_known_covariance_within_every_level(g, K, stanli):
    data, d = species(), species()["d"]
    model = m2s.model(f"glmmTMB(y ~ 1 + propto(0 + f | {g}, {K}), data = d)", data)
    same = (d[g].to_numpy()[:, None] == d[g].to_numpy()).astype(float)
    V = 0.64 * np.eye(80) + 1.44 * same * data["K"].loc[d.f, d.f].to_numpy()
    factor = "f" if g == "one" else "f:g"
    term = {"group": factor, "coefficients": ["(Intercept)"], "sd": [1.2]}
    point = {"beta": {"(Intercept)": 0.1}, "random": [term], "residual": {"sigma": 0.8}}
    expected = stats.multivariate_normal(np.full(80, 0.1), V).logpdf(d.y)
    assert model.loglik(point, engine="stanli") == pytest.approx(expected, rel=1e-11)
    assert len(model.labels.groups[0].levels) == (8 if g == "one" else 16)


def test_propto_and_ginverse_are_written_as_each_other():
    one = m2s.model("glmmTMB(y ~ 1 + propto(0 + f | one, K), data = d)", species())
    text = m2s.translate(one, "MCMCglmm")
    assert text == "MCMCglmm(y ~ 1, random = ~f, ginverse = list(f = solve(K)), data = d)"
    back = m2s.translate(m2s.model(text, species()), "glmmTMB")
    line, written = back.splitlines()
    assert line == "d2 <- transform(d, one = 1)"
    assert written == "glmmTMB(y ~ 1 + propto(0 + f | one, K), data = d2)"
    two = m2s.model("glmmTMB(y ~ 1 + propto(0 + f | g, K), data = d)", species())
    assert "propto(0 + f | g, K)" in m2s.translate(two, "glmmTMB")
    with pytest.raises(Unsupported, match="related levels of f:g"):
        m2s.translate(two, "MCMCglmm")


@pytest.mark.parametrize(
    "term", ["propto(f | g, K)", "propto(0 + f | g)", "propto(0 + f + g | one, K)"]
)
def test_propto_takes_a_factor_and_a_matrix(term):
    with pytest.raises(FormulaError, match=r"propto\(\) takes"):
        m2s.model(f"glmmTMB(y ~ 1 + {term}, data = d)", species())


def test_a_pedigree_within_another_factor_is_one_in_each():
    found = pedigree(MRODE).within(["u", "v"])
    root = found.spread(np.eye(12))
    one = pedigree(MRODE).spread(np.eye(6))
    np.testing.assert_allclose(root @ root.T, np.kron(one @ one.T, np.eye(2)), atol=1e-14)


def test_errors_may_have_a_structure_beside_related_levels(stanli):
    d, V = world()["d"], dense("animal", 0.0)[0]
    call = "MCMCglmm(y ~ x, random = ~ animal, rcov = ~ idh(f):units, pedigree = ped, data = d)"
    sds = {"u": 0.8, "v": 0.4, "w": 1.6}
    expected = stats.multivariate_normal(
        2 + 0.3 * d.x, V + np.diag(d.f.map(sds).to_numpy() ** 2)
    ).logpdf(d.y)
    model = m2s.model(call, world())
    first = model.meaning.residual.variances[0].levels[0]
    ratios = {name: sd / sds[first] for name, sd in sds.items()}
    point = point_of("animal") | {"residual": {"sigma": sds[first], "varIdent": ratios}}
    assert model.loglik(point, engine="stanli") == pytest.approx(expected, rel=1e-10)


def test_a_saved_fit_of_related_individuals_predicts(tmp_path, stanli):
    fit = model_of("animal", "pedigree = ped").sample(
        chains=1, warmup=100, draws=50, seed=1, engine="stanli"
    )
    again = m2s.load(fit.save(tmp_path / "fit.nc"))
    pd.testing.assert_frame_equal(fit.fitted(), again.fitted())


@pytest.mark.parametrize("g", ["one", "g"])
def test_equalto_is_a_covariance_known_altogether(g, stanli):
    data, d = species(), species()["d"]
    model = m2s.model(f"glmmTMB(y ~ 1 + equalto(0 + f | {g}, K), data = d)", data)
    same = (d[g].to_numpy()[:, None] == d[g].to_numpy()).astype(float)
    V = 0.64 * np.eye(80) + same * data["K"].loc[d.f, d.f].to_numpy()
    factor = "f" if g == "one" else "f:g"
    point = {
        "beta": {"(Intercept)": 0.1},
        "random": [{"group": factor, "coefficients": ["(Intercept)"], "sd": [1.0]}],
        "residual": {"sigma": 0.8},
    }
    expected = stats.multivariate_normal(np.full(80, 0.1), V).logpdf(d.y)
    assert model.loglik(point, engine="stanli") == pytest.approx(expected, rel=1e-11)
    assert "sd_f" not in "".join(model.priors.index)
    written = m2s.translate(model, "glmmTMB")
    assert f"equalto(0 + f | {g}, K)" in written
    assert m2s.compare(model, m2s.model(written, data)).same
    fit = model.sample(chains=1, warmup=200, draws=100, seed=1, engine="stanli")
    assert np.isfinite(fit.summary("all")["mean"]).all()


def test_heritability_is_the_share_of_a_pedigree():
    call = "MCMCglmm(y ~ 1, random = ~ animal, pedigree = ped, data = d)"
    fit = m2s.model(call, world()).sample(chains=1, warmup=150, draws=50, seed=1, engine="stanli")
    post = fit.posterior
    additive, error = (post[name].values.ravel() ** 2 for name in ("sd_animal", "sigma"))
    expected = np.mean(additive / (additive + error))
    assert fit.variance_partition().loc["animal", "mean"] == pytest.approx(expected)
    assert fit.variance_partition("data").loc["animal", "mean"] == pytest.approx(expected)


SOLVED = "ginverse = list(animal = solve(K))"


@pytest.mark.parametrize(
    ("call", "random"),
    [
        ("brm(y ~ x + (1 | gr(animal, cov = K)), data = d, data2 = list(K = K))", "animal"),
        ("brm(y ~ x + (1 + x | gr(animal, cov = K)), data = d)", "us(1 + x):animal"),
        ("brm(y ~ x + (x || gr(animal, cov = K)), data = d)", "idh(1 + x):animal"),
        ("brm(y ~ x + (1 | animal), data = d, cov_ranef = list(animal = K))", "animal"),
    ],
)
def test_brms_names_the_covariance_of_levels(call, random):
    model = m2s.model(call, world())
    assert m2s.compare(model, model_of(random, SOLVED)).same
    assert not m2s.compare(model, m2s.model(f"MCMCglmm(y ~ x, random = ~ {random})", world())).same
    written = m2s.translate(model, "brms")
    assert "gr(animal, cov = K)" in written
    assert m2s.compare(m2s.model(written, world()), model).same
    assert m2s.compare(m2s.model(m2s.translate(model, "MCMCglmm"), world()), model).same


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("brm(y ~ x + (1 | gr(animal, cov = solve(K))), data = d)", "read as a matrix"),
        ("brm(y ~ x + (1 | gr(animal:f, cov = K)), data = d)", "combination of factors"),
        ("brm(y ~ x + (1 | gr(animal, cov = P)), data = d)", "'P' is not among the data"),
        ("brm(y ~ x + (1 | animal), data = d, cov_ranef = list(f = K))", "no term of 'f'"),
        ("brm(y ~ x + (1 | animal), data = d, cov_ranef = K)", "has to be a list"),
        ("brm(mvbind(y, x) ~ 1 + (1 | animal), data = d, cov_ranef = list(animal = K))", "gr\\("),
    ],
)
def test_mistakes_about_brms_covariances_are_named(call, words):
    with pytest.raises(FormulaError, match=words):
        m2s.model(call, world())
