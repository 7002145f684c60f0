"""R text as a script: every line is done, or cannot change the model, or is refused at its place."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest

import mix2stan as m2s
from mix2stan.parser import parse

RNG = np.random.default_rng(1)
N = 60
DATA = pd.DataFrame(
    {
        "y": RNG.normal(size=N),
        "x": RNG.normal(size=N),
        "z": RNG.normal(size=N),
        "w": RNG.uniform(1, 2, size=N),
        "n": RNG.poisson(3, size=N),
        "f": np.repeat(list("abc"), 20),
        "g": np.tile(list("uvwxyz"), 10),
        "h": np.tile(list("kl"), 30),
    }
)
GIVEN = {"d": DATA}


def call_of(text: str) -> str:
    return m2s.model(text, GIVEN).call


M = "m <- lmer(y ~ x + (1 | g), data = d)\n"
UPDATES = {
    M + "update(m, . ~ . + z)": "lmer(y ~ x + z + (1 | g))",
    M + "m1 <- update(m, . ~ . - x)\nanova(m, m1)": "lmer(y ~ 1 + (1 | g))",
    M + "update(m, log(w) ~ . - (1 | g) + (x | h))": "lmer(log(w) ~ x + (x | h))",
    M + "update(m, ~ . - 1)": "lmer(y ~ x - 1 + (1 | g))",
    M + "update(m, . ~ . + x:f + f)": "lmer(y ~ x + f + x:f + (1 | g))",
    M + "update(update(m, . ~ . + z), . ~ . - x)": "lmer(y ~ z + (1 | g))",
    M + "m |> update(. ~ . + z) |> summary()": "lmer(y ~ x + z + (1 | g))",
    M + "print(update(m, weights = w))": "lmer(y ~ x + (1 | g), weights = w)",
    "m <- lmer(y ~ x + (1 | g), d, weights = w)\nupdate(m, weights = NULL)": "lmer(y ~ x + (1 | g))",
    "m <- lme(y ~ x, random = ~1 | g, data = d)\nupdate(m, random = ~x | g)": (
        "lme(y ~ x, random = ~x | g)"
    ),
    "m <- lme(y ~ x, random = ~1 | g, data = d)\nupdate(m, fixed. = . ~ z)": (
        "lme(y ~ z, random = ~1 | g)"
    ),
    "m <- gls(y ~ x, d)\nupdate(m, model = . ~ . * z, correlation = corAR1(form = ~1 | g))": (
        "gls(y ~ x + z + x:z, correlation = corAR1(form = ~1 | g))"
    ),
    "m <- glmmTMB(n ~ x + ar1(f + 0 | g), d, poisson)\nupdate(m, . ~ . - ar1(f + 0 | g) + (1 | g))": (
        "glmmTMB(n ~ x + (1 | g), poisson)"
    ),
    "m <- MCMCglmm(y ~ x, random = ~g, data = d)\nupdate(m, fixed = . ~ 1)": (
        "MCMCglmm(y ~ 1, random = ~g)"
    ),
    "m <- brm(y ~ x + (1 | g), d)\nupdate(m, formula. = ~ . - x, newdata = d)": "brm(y ~ 1 + (1 | g))",
    "m <- clm(ordered(f) ~ x, data = d)\nupdate(m, link = 'probit')": (
        'clm(ordered(f) ~ x, link = "probit")'
    ),
    "f1 <- y ~ x + (1 | g)\nf2 <- update(f1, . ~ . + z)\nlmer(f2, d)": "lmer(y ~ x + z + (1 | g))",
}


@pytest.mark.parametrize("text", UPDATES)
def test_update_changes_the_call_as_r_does(text):
    assert call_of(text) == UPDATES[text]


def test_an_updated_call_takes_data_as_they_are_then():
    text = "m <- lm(y ~ x, data = d)\nd <- subset(d, x > 0)\nupdate(m, . ~ .)"
    assert m2s.model(text, GIVEN).data.rows == (DATA.x > 0).sum()
    rows = "m <- lm(y ~ x, d, subset = x > 0)\nupdate(m, subset = NULL)"
    assert m2s.model(rows, GIVEN).data.rows == N


READ = {
    ">m<-lmer(y~x+(1|g),data=d)": "lmer(y ~ x + (1 | g))",
    "> m <- lmer(y ~ x +\n+ (1 | g),\n+   data = d)\n> summary(m)": "lmer(y ~ x + (1 | g))",
    "> m <- lmer(y ~ x\n           + (1 | g), data = d)": "lmer(y ~ x + (1 | g))",
    "# the model\n>lm(y ~ x, d)": "lm(y ~ x)",
    "(m <- lmer(y ~ x + (1 | g), d))": "lmer(y ~ x + (1 | g))",
    "(lm(y ~ x, d) -> m)": "lm(y ~ x)",
    "summary(m <- lmer(y ~ x + (1 | g), d))": "lmer(y ~ x + (1 | g))",
    "print(lm(y ~ x, d))": "lm(y ~ x)",
    "m <- suppressWarnings(lm(y ~ x, d))\nupdate(m, . ~ z)": "lm(y ~ z)",
    "with(d, lmer(y ~ x + (1 | g)))": "lmer(y ~ x + (1 | g))",
    "attach(d)\nlm(y ~ x)": "lm(y ~ x)",
    "d |> lmer(y ~ x + (1 | g), data = _)": "lmer(y ~ x + (1 | g))",
    "d |> lmer(formula = y ~ x + (1 | g))": "lmer(formula = y ~ x + (1 | g))",
    "d %>% lm(y ~ x, data = .) %>% summary()": "lm(y ~ x)",
    "f1 <- formula(y ~ x)\nlm(f1, d)": "lm(y ~ x)",
    'f1 <- as.formula("y ~ x + (1 | g)")\nlmer(f1, data = d)': "lmer(y ~ x + (1 | g))",
    'lm(as.formula(paste("y ~", "x")), d)': "lm(y ~ x)",
    'lmer("y ~ x + (1 | g)", d)': "lmer(y ~ x + (1 | g))",
    "lmer(y ~ 1 | g, d)": "lmer(y ~ 1 | g)",
    "library(lme4)\nset.seed(1)\nhead(d)\nlm(y ~ x, d)\nplot(m)\nnew <- foo(bar)\nd$r <- resid(m)": (
        "lm(y ~ x)"
    ),
    "lm(y ~ x, d)\nlm(y ~ x, d)": "lm(y ~ x)",
    "lm(y ~ x, weights = d$w, data = d)": "lm(y ~ x, weights = w)",
    "lmer(y ~ x + (1 | g), d, offset = rep(0, nrow(d)))": "lmer(y ~ x + (1 | g), offset = rep(0, 60))",
}


@pytest.mark.parametrize("text", READ)
def test_the_text_is_read(text):
    assert call_of(text) == READ[text]


def test_a_bar_without_brackets_is_all_there_is():
    model = m2s.model("lmer(y ~ x | g, d)", GIVEN)
    assert list(model.X.columns) == ["(Intercept)"]
    assert model.Z[0].coefficients == ("(Intercept)", "x")


COLUMNS = {
    "options(contrasts = c('contr.sum', 'contr.poly'))\nlmer(y ~ f + (f | g), d)": ["f1", "f2"],
    'options(contrasts = rep("contr.sum", 2), digits = 3)\nlm(y ~ f, d)': ["f1", "f2"],
    "afex::set_sum_contrasts()\nlm(y ~ f, d)": ["f1", "f2"],
    "op <- options(contrasts = c('contr.sum', 'contr.poly'))\noptions(op)\nlm(y ~ f, d)": [
        "fb",
        "fc",
    ],
    "contrasts(d$f) <- contr.sum(3)\nlmer(y ~ f + (f | g), d)": ["f1", "f2"],
    "contrasts(d$h) <- c(-.5, .5)\nlm(y ~ h, d)": ["h1"],
    "d$f <- factor(d$f, levels = c('c', 'a', 'b'))\nlm(y ~ f, d)": ["fa", "fb"],
    "d$q <- d$x^2\nd[['r']] <- d$q + 1\nd[, 's'] <- d$r\nlm(y ~ s, d)": ["s"],
    "k <- 0\nd$big <- d$x > k\nlm(y ~ big, d)": ["bigTRUE"],
    "d <- read.csv('d.csv')\nd$f <- as.factor(d$f)\nlm(y ~ f, data = d)": ["fb", "fc"],
    "d <- within(d, u <- x + 1)\nlm(y ~ u, d)": ["u"],
    "d %>% mutate(u = x + 1) %>% filter(u > 1) %>% lm(y ~ u, data = .)": ["u"],
    "d$when <- as.Date(d$when)\nlm(y ~ x, d)": ["x"],
    "levels(d$f) <- c('one', 'two', 'three')\nlm(y ~ f, d)": ["ftwo", "fthree"],
    "contrasts(d$f) <- contr.sum(3)\nd$k <- d$f\nlm(y ~ k, d)": ["k1", "k2"],
    "contrasts(d$f) <- contr.sum(3)\nd$k <- as.factor(d$f)\nlm(y ~ k, d)": ["k1", "k2"],
    "contrasts(d$f) <- contr.sum(3)\ne <- subset(d, x > 0)\nlm(y ~ f, e)": ["f1", "f2"],
    "contrasts(d$f) <- contr.sum(3)\nd$f <- factor(d$f)\nlm(y ~ f, d)": ["fb", "fc"],
    "contrasts(d$f) <- contr.sum(3)\nd$f <- relevel(d$f, 'b')\nlm(y ~ f, d)": ["fa", "fc"],
    "contrasts(d$f) <- contr.sum(3)\nd <- transform(d, f = factor(f))\nlm(y ~ f, d)": ["fb", "fc"],
    "contrasts(d$f) <- contr.sum(3)\nd <- droplevels(d)\nlm(y ~ f, d)": ["fb", "fc"],
    "e <- transform(d, u = 1)\ncontrasts(d$f) <- contr.sum(3)\nlm(y ~ f, e)": ["fb", "fc"],
    "d <- subset(d, f != 'b')\ncontrasts(d$f) <- 'contr.sum'\nlm(y ~ f, d)": ["f1"],
    "d <- transform(u = x + 1, d)\nlm(y ~ u, d)": ["u"],
    "d <- within(expr = u <- x + 1, data = d)\nlm(y ~ u, d)": ["u"],
    "lm(y ~ factor(f, lev = c('c', 'a', 'b')), d)": [
        f'factor(f, lev = c("c", "a", "b")){level}' for level in "ab"
    ],
}


@pytest.mark.parametrize("text", COLUMNS)
def test_lines_before_a_model_make_its_columns(text):
    assert list(m2s.model(text, GIVEN).X.columns) == ["(Intercept)", *COLUMNS[text]]


def test_default_contrasts_are_those_of_random_terms_and_of_translations_too():
    text = "options(contrasts = c('contr.sum', 'contr.poly'))\nlmer(y ~ f + (f | g), data = d)"
    model = m2s.model(text, GIVEN)
    assert model.Z[0].coefficients == ("(Intercept)", "f1", "f2")
    assert model.translate("glmmTMB").splitlines()[0] == text.splitlines()[0].replace("'", '"')
    own = m2s.model("lmer(y ~ f + (f | g), d, contrasts = list(f = 'contr.sum'))", GIVEN)
    assert own.Z[0].coefficients == ("(Intercept)", "fb", "fc")


def test_a_data_frame_named_as_one_of_its_columns_is_changed_all_the_same():
    rows = m2s.model("w <- subset(w, x > 0)\nlm(y ~ w, data = w)", {"w": DATA}).data.rows
    assert rows == (DATA.x > 0).sum()


POSITIVE = (
    "d <- subset(d, sub = x > 0)\nlm(y ~ x, d)",
    "lm(y ~ x, subset(x = d, x > 0))",
    "lm(y ~ x, subset(x > 0, x = d))",
    "lm(y ~ x, subset(subset = x > 0, d))",
    "lm(y ~ x, subset(d, x > 0, c(y, x)))",
    "d |> subset(sub = x > 0) |> lm(y ~ x, data = _)",
    "d <- filter(x > 0, .data = d)\nwith(ex = lm(y ~ x), da = d)",
)


@pytest.mark.parametrize("text", POSITIVE)
def test_arguments_of_functions_of_data_are_matched_as_r_does(text):
    assert m2s.model(text, GIVEN).data.rows == (DATA.x > 0).sum()


SHOWN = {
    M + "m2 <- update(m, . ~ . + z)\nm": "lmer(y ~ x + (1 | g))",
    M + "m2 <- update(m, . ~ . + z)\nm2": "lmer(y ~ x + z + (1 | g))",
    "m <- lm(y ~ x, d)\nm2 <- lm(y ~ z, d)\nprint(m)": "lm(y ~ x)",
}


@pytest.mark.parametrize("text", SHOWN)
def test_a_models_name_on_the_last_line_is_the_model_meant(text):
    assert call_of(text) == SHOWN[text]


REFUSED = {
    "lm(y ~ x, subset(d, filter = x > 0))": ("no argument 'filter'", "filter = x > 0"),
    "lm(y ~ x, subset(d, x > 0, x, drop = TRUE))": ("cannot be done", "drop = TRUE"),
    "d <- mutate(d, q = x, .keep = 'none')\nlm(y ~ q, d)": ("cannot be done", ".keep = 'none'"),
    "lm(y ~ paste(f, h, collapse = '-'), d)": ("cannot be expressed", "collapse = '-'"),
    "attach(d)\nx <- x * 2\nlm(y ~ x)": ("hides the attached column", "x"),
    "attach(d)\nd$x <- d$x * 2\nlm(y ~ x)": (r"changed after attach\(\)", "lm(y ~ x)"),
    "contrasts(d$f) <- contr.sum(3)\nlm(y ~ as.factor(f), d)": ("contrasts of f", "as.factor(f)"),
    "contrasts(d$f) <- 'contr.sum'\nlm(y ~ f, d, subset = f != 'b')": ("drops its contrasts", "f"),
    "lm(y ~ pmin(x, 1:7), d)": ("60 values with 7", "pmin(x, 1:7)"),
    "update(m, . ~ . - x)": ("needs the call of m", "m"),
    M + "update(mm, . ~ . - x)": ("no model mm", "mm"),
    M + "update(m, . ~ . - (1 | h))": (r"no term \(1 \| h\)", "(1 | h)"),
    M + "m2 <- refit(m, d$x)": ("makes another model", "refit(m, d$x)"),
    M + "m2 <- update(m, . ~ z)\nm3 <- update(m, . ~ w)": ("two model calls", "update(m, . ~ w)"),
    "m <- lm(y ~ ., d)\nupdate(m, . ~ . - x)": ("for all columns", ". ~ . - x"),
    "m <- brm(bf(y ~ x, sigma ~ x), d)\nupdate(m, . ~ . - x)": ("cannot be updated", ". ~ . - x"),
    "lm(y ~ x, d)\nd <- subset(d, x > 0)\nlm(y ~ x, d)": ("two model calls", "lm(y ~ x, d)"),
    "source('prep.R')\nlm(y ~ x, d)": ("cannot be known", "source('prep.R')"),
    "d[d$x > 0, 'y'] <- NA\nlm(y ~ x, d)": ("cannot be changed", "d[d$x > 0, 'y']"),
    "names(d)[1] <- 'r'\nlm(y ~ x, d)": ("cannot be changed", "names(d)[1]"),
    "d$q <- x * 2\nlm(y ~ q, d)": ("nothing is called x", "x"),
    "d$q <- foo(d$x)\nlm(y ~ q, d)": (r"foo\(\) is not known", "foo(d$x)"),
    "options(contrasts = 'contr.sum')\nlm(y ~ f, d)": ("two names", "'contr.sum'"),
    "options(contrasts = c('contr.sum', 'contr.pol'))\nlm(y ~ f, d)": (
        "no contrasts contr.pol",
        "c('contr.sum', 'contr.pol')",
    ),
    'lmer("y ~ x + (1 | gg)", d)': ("no column 'gg'", "gg"),
    "lm(y ~ x, data <- d)": ("cannot stand inside a call", "data <- d"),
    "5 <- lm(y ~ x, d)": ("nothing can be assigned to 5", "5"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_done_is_refused_where_it_stands(text):
    message, place = REFUSED[text]
    with pytest.raises(m2s.FormulaError, match=message) as caught:
        m2s.model(text, GIVEN)
    span = caught.value.span
    assert text[span.start : span.end] == place


def test_names_that_double_with_every_line_end():
    lines = ["a0 <- x + x", *(f"a{i + 1} <- a{i} + a{i}" for i in range(60)), "lm(y ~ a60, d)"]
    with pytest.raises(m2s.FormulaError, match="too long"):
        m2s.model("\n".join(lines), GIVEN)


def test_formulas_in_strings_keep_their_places():
    program = parse('lm("y ~ größe", d)')
    assert str(program.statements[0]) == 'lm("y ~ größe", d)'


def test_what_r_reads_otherwise_is_said_aloud(caplog):
    with caplog.at_level(logging.WARNING):
        m2s.model("d |> lmer(y ~ x + (1 | g))", GIVEN)
        m2s.model("gls(y ~ x, d, weights = varIdent(~ 1 | f))", GIVEN)
    assert "write data = _" in caplog.text
    assert "R fits one variance, without a word" in caplog.text


MISTAKES = (
    (lambda: m2s.model(DATA, "lm(y ~ x)"), "first argument is R text"),
    (lambda: m2s.model(3, DATA), "first argument is R text"),
    (lambda: m2s.model(["y ~ x", 3], DATA), "first argument is R text"),
    (lambda: m2s.model("lm(y ~ x)", DATA, strategy=3), "strategy is text"),
    (lambda: m2s.lmer(DATA, "y ~ x"), "first argument is a formula"),
    (lambda: m2s.compare(DATA, "lm(y ~ x)"), "a model, or a call as text"),
)


@pytest.mark.parametrize("wrong, message", MISTAKES)
def test_arguments_in_the_wrong_place_are_answered_in_words(wrong, message):
    with pytest.raises(m2s.Mix2stanError, match=message):
        wrong()
