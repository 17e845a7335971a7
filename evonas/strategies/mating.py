"""Mating: children of a population by pymoo's selection, crossover and mutation, for variables of mixed types."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from pymoo.core.crossover import Crossover
from pymoo.core.mutation import Mutation
from pymoo.core.problem import Problem
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.crossover.ux import UX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.mutation.rm import ChoiceRandomMutation
from pymoo.operators.selection.tournament import TournamentSelection

from evonas.engine.view import Row
from evonas.errors import OutsideError
from evonas.genotype import Genotype
from evonas.real_variables import LogReal, Real
from evonas.space import Assignment, Space
from evonas.variables import Integer, Scalar, Variable

Child = tuple[Genotype, tuple[int, ...]]
"""A genotype and the slots of its parents."""

Ranked = Sequence[tuple[Row, int, float]]
"""Rows with their non-dominated rank, 0 for the first, and their crowding distance."""


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
        self._groups = _groups(space, rates)

    def children(self, population: Ranked, *, pairs: int, rng: np.random.Generator) -> Iterator[Child]:
        """Yield two children of each of `pairs` pairs, whose parents win binary tournaments by rank and crowding.

        Children outside of a narrowed space are left out.

        Args:
            population: The rows that may become parents.
            pairs: Pairs of parents.
            rng: Source of all chance.
        """
        chosen = _TOURNAMENT.do(None, population, pairs, 2, to_pop=False, random_state=rng)
        jobs = [[population[i][0].job for i in pair] for pair in chosen]
        mates = [_filled(self._space, a.genotype, b.genotype, rng=rng) for a, b in jobs]
        vectors: list[list[list[Scalar]]] = []  # of each group, of all first children of the pairs, then of all second
        for group in self._groups:
            parents = group.encode([one for pair in mates for one in pair]).reshape(pairs, 2, -1)
            vectors.append(group.mutated(group.crossed(parents.swapaxes(0, 1), rng=rng), rng=rng).tolist())
        for i in range(2 * pairs):
            child: Assignment = {}
            for group, of_group in zip(self._groups, vectors, strict=True):
                child.update(group.decode(of_group[i]))
            with suppress(OutsideError):
                yield self._space.canonical(child), tuple(job.slot for job in jobs[i % pairs])


def _winners(population: Ranked, tournaments: np.ndarray, *, random_state: np.random.Generator) -> np.ndarray:
    """Return `(tournaments, 1)` who wins of each pair by rank, then by crowding, then by chance."""
    winners = []
    for a, b in tournaments:
        (_, rank_a, crowding_a), (_, rank_b, crowding_b) = population[a], population[b]
        if (rank_a, -crowding_a) == (rank_b, -crowding_b):
            winners.append(random_state.choice([a, b]))
        else:
            winners.append(a if (rank_a, -crowding_a) < (rank_b, -crowding_b) else b)
    return np.array(winners)[:, None]


_TOURNAMENT = TournamentSelection(func_comp=_winners)


def _filled(space: Space, one: Genotype, other: Genotype, *, rng: np.random.Generator) -> tuple[Assignment, Assignment]:
    """Return full assignments of two parents: a variable inactive in one is taken from the other, else drawn."""
    first, second = one.as_dict(), other.as_dict()
    rest = space.fill({**second, **first}, rng)
    return rest, {**rest, **second}


@dataclass(frozen=True)
class _Group:
    """Variables that are crossed and mutated together, as a vector.

    Attributes:
        variables: Name to variable.
        is_numeric: Whether they are numbers with bounds; values of others are drawn.
        problem: The bounds, or how values are drawn, in the form that pymoo's operators take.
        crossover: pymoo's operator, which makes two children of two parents.
        mutation: pymoo's operator.
    """

    variables: dict[str, Variable]
    is_numeric: bool
    problem: Problem
    crossover: Crossover
    mutation: Mutation

    def crossed(self, parents: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        """Return `(2 * pairs, variables)` children of `(2, pairs, variables)` parents, all first ones first.

        As pymoo's `Crossover.do`, on arrays: its individuals take more time than the crossing.
        """
        children = parents.copy()
        is_crossed = rng.random(parents.shape[1]) < self.crossover.prob.get()
        if is_crossed.any():
            crossed = self.crossover._do(self.problem, parents, random_state=rng)
            children[:, is_crossed] = crossed[:, is_crossed]
        return children.reshape(-1, parents.shape[2])

    def mutated(self, vectors: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        """Return `(vectors, variables)` vectors, some of them changed, as pymoo's `Mutation.do` does it."""
        changed = self.mutation._do(self.problem, vectors, random_state=rng)
        is_changed = rng.random(len(vectors)) <= self.mutation.prob.get()
        return np.where(is_changed[:, None], changed, vectors)

    def encode(self, assignments: Sequence[Assignment]) -> np.ndarray:
        """Return `(assignments, variables)` positions of numbers on their axes, or the values of choices."""
        if self.is_numeric:
            axes = self.variables.items()
            return np.array([[_position(v, one[name]) for name, v in axes] for one in assignments], dtype=float)
        vectors = np.empty((len(assignments), len(self.variables)), dtype=object)
        vectors[:] = [[one[name] for name in self.variables] for one in assignments]
        return vectors

    def decode(self, vector: Sequence[Any]) -> Assignment:
        """Return the values of an encoded `(variables,)` vector, as plain scalars."""
        if self.is_numeric:
            return {name: _value(v, x) for (name, v), x in zip(self.variables.items(), vector, strict=True)}
        return dict(zip(self.variables, vector, strict=True))


def _groups(space: Space, rates: Rates) -> list[_Group]:
    probability = min(0.5, rates.mutations / len(space.variables))
    numeric = {name: v for name, v in space.variables.items() if isinstance(v, Real | LogReal | Integer)}
    groups = []
    if numeric:
        low = np.array([_position(v, v.low) for v in numeric.values()])
        high = np.array([_position(v, v.high) for v in numeric.values()])
        crossover = SBX(eta=rates.eta_crossover, prob=rates.crossover)
        mutation = PM(eta=rates.eta_mutation, prob_var=probability)
        groups.append(_Group(dict(numeric), True, Problem(n_var=len(numeric), xl=low, xu=high), crossover, mutation))
    others = {name: v for name, v in space.variables.items() if name not in numeric}
    for size in sorted({v.size for v in others.values()}):
        drawn = {name: v for name, v in others.items() if v.size == size}
        problem = Problem(vars={name: _Drawn(v) for name, v in drawn.items()})
        draws_per_change = 1.0 if size == 1 or math.isinf(size) else size / (size - 1)  # until a value is another one
        mutation = ChoiceRandomMutation(prob_var=min(0.5, probability * draws_per_change))
        groups.append(_Group(drawn, False, problem, UX(prob=rates.crossover), mutation))
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
