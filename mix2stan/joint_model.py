"""A model of several responses with distributions of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from mix2stan.compiler import Compiled, members_of
from mix2stan.documents import Document, Section
from mix2stan.errors import Unsupported
from mix2stan.explanation import Explanation
from mix2stan.graph import Member
from mix2stan.inits import starting_points
from mix2stan.labels import Labels
from mix2stan.members import (
    common_variables,
    joint_labels,
    joint_name,
    joint_table,
    one_at_a_time,
    own_values,
)
from mix2stan.model import Model
from mix2stan.names import words_of

if TYPE_CHECKING:
    from mix2stan.engines import Draws
    from mix2stan.estimates import Estimates
    from mix2stan.fit import Fit

__all__ = ["JointModel"]


class JointModel(Model):
    """Several responses, each with a model of its own, and what these have in common.

    Made by :func:`mix2stan.model` of brms' ``bf(a ~ x) + bf(b ~ x, family = poisson())``.  They are
    sampled together; what is about one of them, such as its design, is asked of ``responses``.
    """

    @cached_property
    def responses(self) -> Mapping[str, Model]:
        """The model of every response, as if it were alone; terms they share have all columns.

        >>> list(joint.responses)
        ['incidence', 'size']
        """
        return {name: Model(one) for name, one in members_of(self._compiled).items()}

    @property
    def _single(self) -> Compiled:
        raise self._one_at_a_time()

    def _one_at_a_time(self) -> Unsupported:
        first = self.meaning.members[0].name
        return one_at_a_time(f"model.responses[{first!r}] is its model")

    @cached_property
    def labels(self) -> Labels:
        """The call and its responses; what they consist of is named by the labels of each."""
        return joint_labels(self.meaning, self.data.count)

    def __str__(self) -> str:
        return "\n\n".join(f"{name}\n\n{model}" for name, model in self.responses.items())

    def _repr_html_(self) -> str:
        return "".join(model._repr_html_() for model in self.responses.values())

    def explain(self, at: Estimates | Mapping[str, Any] | None = None) -> Explanation:
        """What the models of all responses mean, a section for each; see :meth:`Model.explain`.

        Args:
            at: has to be None: values are those of one response.

        Raises:
            Unsupported: if ``at`` is said.

        >>> [section.title for section in joint.explain().document]
        ['Response incidence', 'Response size']
        """
        if at is not None:
            raise self._one_at_a_time()
        sections = (
            Section(f"Response {name}", sections=tuple(model.explain().document))
            for name, model in self.responses.items()
        )
        return Explanation(Document(self.call, tuple(sections)))

    @property
    def priors(self) -> pd.DataFrame:
        """The prior of every parameter, see :attr:`Model.priors`; those of one begin with its name.

        >>> joint.priors.loc["incidence.beta[(Intercept)]", "density"]
        'normal(0, 2.5)'
        """
        tables = ((m, self.responses[m.name].priors) for m in self.meaning.members)
        return joint_table([(m, table, _common_rows(m, table)) for m, table in tables])

    def _fitted(self, draws: Draws) -> Fit:
        from mix2stan.joint_fit import JointFit

        fits = {}
        for member in self.meaning.members:
            model = self.responses[member.name]
            variables = own_values(member, words_of(model.stan_code), draws.variables)
            fits[member.name] = model._fitted(replace(draws, variables=variables))
        return JointFit(fits, self.meaning)

    def _near(self, chains: int, seed: int) -> list[dict[str, Any]]:
        starts: list[dict[str, Any]] = [{} for _ in range(chains)]
        for k, member in enumerate(self.meaning.members):
            model = self.responses[member.name]
            found = starting_points(member.graph, model.stan_data, chains, seed + k)
            for start, own in zip(starts, found, strict=True):
                for name, value in own.items():
                    start.setdefault(joint_name(member, name), value)
        return starts


def _common_rows(member: Member, table: pd.DataFrame) -> frozenset[str]:
    """The rows of a response's table of priors that are about what others have too."""
    common = common_variables(member.graph)
    ids = [g.id for g in member.graph.groups if g.common]
    return frozenset(
        row for row in table.index if row.split("[")[0] in {*common, *(f"cor_{i}" for i in ids)}
    )
