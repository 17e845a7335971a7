"""Evolution: NSGA-II in steady state, made of pymoo's operators as plain functions on the rows that are seen."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from weakref import WeakKeyDictionary

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

from evonas.errors import EvonasError
from evonas.pareto import order, ranking
from evonas.space import Assignment, Genotype, Integer, LogReal, Real, Scalar, Space, Variable
from evonas.strategies.random import Unknown
from evonas.view import Proposal, Row, View

MATINGS = 4
"""Pairs of parents that are mated at once; their children are tried in turn until one is new."""

ROUNDS = 8
"""Rounds of matings without a new child, after which a network is drawn at random."""

GROWTH = 8
"""The population has a place for each so many rows seen: few at first, when it must get on, more to keep variety."""

FULL_GROWN = 4
"""The population stops to grow at so many times `pop_size`, which keeps the cost of a proposal the same."""


@dataclass(frozen=True)
class Evolution:
    """NSGA-II in steady state: each proposal is a child of the best `pop_size` rows seen so far.

    The population is what survives by non-dominated rank and crowding of all rows of the highest rung that holds
    `pop_size`; until the lowest does, networks are drawn at random. It grows with the rows of that rung, up to four
    times `pop_size`. Parents win binary tournaments by rank and crowding; whole and real numbers are crossed by SBX
    and mutated by PM, on the logarithm where the variable says so, choices are crossed uniformly and mutated by
    drawing a value. No network is proposed twice.

    Source: Deb et al., A fast and elitist multiobjective genetic algorithm: NSGA-II, IEEE TEVC 6(2), 2002. It departs
    from the paper in replacing one row at a time, in the growing population, and in rejecting every child that
    is known to the whole run.

    Attributes:
        pop_size: Random networks at the start, and rows that may become parents then.
        crossover: Probability that a pair of parents is crossed.
        mutations: Mean number of variables of a child that mutate.
        eta_crossover: Distribution index of SBX: the larger, the nearer children are to their parents.
        eta_mutation: Distribution index of PM: the larger, the smaller are the steps.
        name: Stored with every row.
    """

    pop_size: int = 16
    crossover: float = 0.9
    mutations: float = 1.0
    eta_crossover: float = 15.0
    eta_mutation: float = 5.0
    name: str = "evolution"
    _states: WeakKeyDictionary[View, _State] = field(
        default_factory=WeakKeyDictionary, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        etas = self.eta_crossover, self.eta_mutation
        if self.pop_size < 4 or not 0 <= self.crossover <= 1 or self.mutations <= 0 or min(etas) < 1:
            raise EvonasError(
                "Evolution needs pop_size >= 4, crossover from 0 to 1, mutations > 0 and distribution indices >= 1, "
                f"got {self.pop_size}, {self.crossover}, {self.mutations} and {etas}."
            )

    def propose(self, view: View) -> Proposal | None:
        """Return a network that has never been proposed, or None where none is left."""
        rng = view.generator()
        if view not in self._states:
            self._states[view] = _State(view.space)
        state = self._states[view]
        population = state.population(view, self.pop_size)
        for _ in range(ROUNDS if population is not None else 0):
            for genotype, parents in self._children(state, population, space=view.space, rng=rng):
                if not view.is_known(genotype):
                    return Proposal(genotype, self.name, parents=parents)
        drawn = state.unknown.draw(view, rng)
        return None if drawn is None else Proposal(drawn, self.name)

    def _children(
        self, state: _State, population: Population, *, space: Space, rng: np.random.Generator
    ) -> Iterator[tuple[Genotype, tuple[int, ...]]]:
        by_rank = SimpleNamespace(tournament_type="comp_by_rank_and_crowding", random_state=rng)
        chosen = _TOURNAMENT.do(None, population, MATINGS, 2, to_pop=False, random_state=rng, algorithm=by_rank)
        jobs = [[population[i].get("row").job for i in pair] for pair in chosen]
        mates = [_filled(space, a.genotype, b.genotype, rng=rng) for a, b in jobs]
        children: list[Assignment] = [{} for _ in range(2 * MATINGS)]
        probability = min(0.5, self.mutations / len(space.variables))
        for group in state.groups:
            if group.is_numeric:
                crossover = SBX(eta=self.eta_crossover, prob=self.crossover)
                mutation = PM(eta=self.eta_mutation, prob_var=probability)
            else:
                crossover = UX(prob=self.crossover)
                mutation = ChoiceRandomMutation(prob_var=min(0.5, probability * group.draws_per_change))
            parents = [[Individual(X=group.encode(assignment)) for assignment in pair] for pair in mates]
            crossed = crossover.do(group.problem, parents, random_state=rng)
            mutated = mutation.do(group.problem, crossed, random_state=rng)
            for child, x in zip(children, mutated.get("X"), strict=True):
                child.update(group.decode(x))
        for i, child in enumerate(children):  # pymoo lists the first child of every pair, then the second
            yield space.canonical(child), tuple(job.slot for job in jobs[i % MATINGS])


_TOURNAMENT = TournamentSelection(func_comp=binary_tournament)


class _State:
    """What is derived from a view and kept: a fold over its rows, so that it never depends on when it was made."""

    def __init__(self, space: Space) -> None:
        self.groups = _groups(space)
        self.unknown = Unknown()
        self._individuals: dict[int, Individual] = {}
        self._survivors: dict[int, list[Row]] = {}
        self._folded: dict[int, int] = {}
        self._population: dict[int, Population] = {}

    def population(self, view: View, pop_size: int) -> Population | None:
        """Return the survivors of the highest rung that has `pop_size` scored rows, None where no rung has."""
        if len(view.scored(0)) < pop_size:
            return None
        rung = 0
        while len(view.scored(rung + 1)) >= pop_size:
            rung += 1
        rows, survivors = view.scored(rung), self._survivors.setdefault(rung, [])
        folded = self._folded.get(rung, 0)
        if folded == len(rows):
            return self._population[rung]
        for seen, row in enumerate(rows[folded:], folded + 1):
            places = max(pop_size, min(seen // GROWTH, FULL_GROWN * pop_size))
            survivors = order([*survivors, row], objectives=view.objectives)[:places]
        # rank and crowding among the survivors themselves, which the last one to leave has changed
        ranked = ranking(survivors, objectives=view.objectives)
        self._survivors[rung], self._folded[rung] = survivors, len(rows)
        individuals = {row.job.slot: self._individual(row, rank, crowding) for row, rank, crowding in ranked}
        self._individuals = individuals
        self._population[rung] = Population.create(*individuals.values())
        return self._population[rung]

    def _individual(self, row: Row, rank: int, crowding: float) -> Individual:
        """Return what pymoo's tournament compares; violations need no word, they are ranked behind all others."""
        individual = self._individuals.get(row.job.slot) or Individual(F=np.zeros(1), CV=np.zeros(1), row=row)
        individual.set("rank", rank)
        individual.set("crowding", crowding)
        return individual


def _filled(
    space: Space, one: Mapping[str, Scalar], other: Mapping[str, Scalar], *, rng: np.random.Generator
) -> tuple[Assignment, Assignment]:
    """Return full assignments of two parents: what one lacks it takes from the other, else from chance."""
    rest = space.fill({**other, **one}, rng)
    return {**rest, **one}, {**rest, **other}


@dataclass(frozen=True)
class _Group:
    """Variables that are crossed and mutated together, as a vector.

    Attributes:
        variables: Name to variable.
        is_numeric: Whether they have axes; all others are drawn.
        problem: Their bounds, or how they are drawn, as pymoo's operators want to be told.
        draws_per_change: Mean number of draws until a value differs from a given one.
    """

    variables: dict[str, Variable]
    is_numeric: bool
    problem: Problem
    draws_per_change: float = 1.0

    def encode(self, assignment: Assignment) -> np.ndarray:
        """Return `(variables,)` positions on the axes, or the values of choices as they are."""
        if self.is_numeric:
            return np.array([_position(v, assignment[name]) for name, v in self.variables.items()], dtype=float)
        vector = np.empty(len(self.variables), dtype=object)
        vector[:] = [assignment[name] for name in self.variables]
        return vector

    def decode(self, vector: np.ndarray) -> Assignment:
        """Return the values at `(variables,)` positions, as plain scalars."""
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


strategy = Evolution
"""What run files find by the name of this file."""
