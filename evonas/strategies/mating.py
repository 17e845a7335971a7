"""Mating: children of a population by pymoo's selection, crossover and mutation, for variables of mixed types."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
from pymoo.algorithms.moo.nsga2 import binary_tournament
from pymoo.core.individual import Individual
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.crossover.ux import UX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.mutation.rm import ChoiceRandomMutation
from pymoo.operators.selection.tournament import TournamentSelection

from evonas.errors import OutsideError
from evonas.genotype import Genotype
from evonas.real_variables import LogReal, Real
from evonas.space import Assignment, Space
from evonas.variables import Integer, Scalar, Variable

Child = tuple[Genotype, tuple[int, ...]]
"""A genotype and the slots of its parents."""


@dataclass(frozen=True)
class Rates:
    """How much children differ from their parents.

    Attributes:
        crossover: Probability that a pair of parents is crossed.
        mutations: Mean number of variables of a child that mutate.
        eta_crossover: Distribution index of SBX: the larger, the nearer children are to their parents.
        eta_mutation: Distribution index of PM: the larger, the smaller are the steps.
    """

    crossover: float
    mutations: float
    eta_crossover: float
    eta_mutation: float


class Mating:
    """Makes children by crossover and mutation.

    Integers and real numbers are crossed by SBX and mutated by PM, `LogReal` on its logarithm; choices are crossed
    uniformly and mutated by drawing a value.

    Args:
        space: The space of parents and children.
        rates: How much children differ from their parents.
    """

    def __init__(self, space: Space, *, rates: Rates) -> None:
        self._space = space
        self._rates = rates
        self._groups = _groups(space)

    def children(self, population: Population, *, pairs: int, rng: np.random.Generator) -> Iterator[Child]:
        """Yield two children of each of `pairs` pairs, whose parents win binary tournaments by rank and crowding.

        Children outside of a narrowed space are left out.

        Args:
            population: pymoo's individuals, each with `rank`, `crowding` and the `row` that it stands for.
            pairs: Pairs of parents.
            rng: Source of all chance.
        """
        rates = self._rates
        by_rank = SimpleNamespace(tournament_type="comp_by_rank_and_crowding", random_state=rng)
        chosen = _TOURNAMENT.do(None, population, pairs, 2, to_pop=False, random_state=rng, algorithm=by_rank)
        jobs = [[population[i].get("row").job for i in pair] for pair in chosen]
        mates = [_filled(self._space, a.genotype, b.genotype, rng=rng) for a, b in jobs]
        children: list[Assignment] = [{} for _ in range(2 * pairs)]
        probability = min(0.5, rates.mutations / len(self._space.variables))
        for group in self._groups:
            if group.is_numeric:
                crossover = SBX(eta=rates.eta_crossover, prob=rates.crossover)
                mutation = PM(eta=rates.eta_mutation, prob_var=probability)
            else:
                crossover = UX(prob=rates.crossover)
                mutation = ChoiceRandomMutation(prob_var=min(0.5, probability * group.draws_per_change))
            parents = [[Individual(X=group.encode(assignment)) for assignment in pair] for pair in mates]
            crossed = crossover.do(group.problem, parents, random_state=rng)
            mutated = mutation.do(group.problem, crossed, random_state=rng)
            for child, x in zip(children, mutated.get("X"), strict=True):
                child.update(group.decode(x))
        for i, child in enumerate(children):  # pymoo lists the first child of every pair, then the second
            with suppress(OutsideError):
                yield self._space.canonical(child), tuple(job.slot for job in jobs[i % pairs])


_TOURNAMENT = TournamentSelection(func_comp=binary_tournament)


def _filled(
    space: Space, one: Mapping[str, Scalar], other: Mapping[str, Scalar], *, rng: np.random.Generator
) -> tuple[Assignment, Assignment]:
    """Return full assignments of two parents: a variable inactive in one is taken from the other, else drawn."""
    rest = space.fill({**other, **one}, rng)
    return {**rest, **one}, {**rest, **other}


@dataclass(frozen=True)
class _Group:
    """Variables that are crossed and mutated together, as a vector.

    Attributes:
        variables: Name to variable.
        is_numeric: Whether they are numbers with bounds; values of others are drawn.
        problem: The bounds, or how values are drawn, in the form that pymoo's operators take.
        draws_per_change: Mean number of draws until a value differs from a given one.
    """

    variables: dict[str, Variable]
    is_numeric: bool
    problem: Problem
    draws_per_change: float = 1.0

    def encode(self, assignment: Assignment) -> np.ndarray:
        """Return `(variables,)` positions of numbers on their axes, or the values of choices."""
        if self.is_numeric:
            return np.array([_position(v, assignment[name]) for name, v in self.variables.items()], dtype=float)
        vector = np.empty(len(self.variables), dtype=object)
        vector[:] = [assignment[name] for name in self.variables]
        return vector

    def decode(self, vector: np.ndarray) -> Assignment:
        """Return the values of an encoded `(variables,)` vector, as plain scalars."""
        if self.is_numeric:
            return {name: _value(v, float(x)) for (name, v), x in zip(self.variables.items(), vector, strict=True)}
        return dict(zip(self.variables, vector, strict=True))


def _groups(space: Space) -> list[_Group]:
    numeric = {name: v for name, v in space.variables.items() if isinstance(v, Real | LogReal | Integer)}
    groups = []
    if numeric:
        low = np.array([_position(v, v.low) for v in numeric.values()])
        high = np.array([_position(v, v.high) for v in numeric.values()])
        groups.append(_Group(dict(numeric), True, Problem(n_var=len(numeric), xl=low, xu=high)))
    others = {name: v for name, v in space.variables.items() if name not in numeric}
    for size in sorted({v.size for v in others.values()}):
        drawn = {name: v for name, v in others.items() if v.size == size}
        problem = Problem(vars={name: _Drawn(v) for name, v in drawn.items()})
        draws = 1.0 if size == 1 or math.isinf(size) else size / (size - 1)
        groups.append(_Group(drawn, False, problem, draws_per_change=draws))
    return groups


@dataclass(frozen=True)
class _Drawn:
    """A variable that pymoo's random mutation can draw from, whatever the types of its values are."""

    variable: Variable

    def sample(self, n: int, *, random_state: np.random.Generator) -> list[Scalar]:
        """Return `n` random values."""
        return [self.variable.sample(random_state) for _ in range(n)]


def _position(variable: Variable, value: Scalar) -> float:
    return math.log(float(value)) if isinstance(variable, LogReal) else float(value)


def _value(variable: Variable, position: float) -> Scalar:
    if isinstance(variable, Integer):
        return round(position)
    return math.exp(position) if isinstance(variable, LogReal) else position
