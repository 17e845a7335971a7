"""Evolution: steady-state NSGA-II of pymoo's operators, with pre-selection and a local search around the front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from evonas.engine.pareto import order, ranking
from evonas.engine.view import Proposal, Row, View
from evonas.errors import OptionError
from evonas.genotype import Genotype
from evonas.options import NAME, Number, OneOf, OptionRule, OrNone, Whole, settle
from evonas.space import Space
from evonas.strategies.mating import Child, Mating, Ranked, Rates
from evonas.strategies.neighbourhood import neighbours
from evonas.strategies.preselection import FEWEST_ROWS, PreSelection
from evonas.strategies.random import Unknown

PAIRS = 4
"""Pairs of parents that are mated at once."""

ROUNDS = 8
"""Rounds of mating that are tried to find new children; if none is found, a network is drawn at random."""

SCARCE = 8
"""With at least this many rejections per accepted network, the least violating rejected networks become parents."""

IMMIGRANTS_IF_SCARCE = 1 / 2
"""Part of the proposals that are random immigrants then: so the search is never much worse than random search."""

ORIGINS = {"model": 0.6, "mating": 0.15, "neighbourhood": 0.15, "immigration": 0.1}
"""Where proposals come from, each with its probability; those without the model keep variety if it misleads."""

FORESEEN_ORIGINS = {"model": 0.8, "mating": 0.05, "neighbourhood": 0.1, "immigration": 0.05}
"""The same where something is known of networks before they are evaluated: the model is right sooner."""

CHILDREN, NEIGHBOURS = 0.3, 0.55
"""Parts of the candidates for pre-selection; the others are random immigrants."""

DESIGN_DRAWS = 64
"""Networks that are drawn for each one of the first design."""

DEAREST = 0.9
"""Quantile of their cost at which the first design ends."""

FirstDesign = Literal["random", "by_cost"]

_RULES: dict[str, OptionRule] = {
    "pop_size": Whole(4, 10_000),
    "first_design": OrNone(OneOf(get_args(FirstDesign))),
    "screen": Whole(1, 1000),
    "crossover": Number(0, 1),
    "mutations": Number(0, 1000, is_open=True),
    "eta_crossover": Number(1, 1000),
    "eta_mutation": Number(1, 1000),
    "name": NAME,
}


@dataclass(frozen=True)
class Evolution:
    """Steady-state NSGA-II with pre-selection by a Gaussian process and a local search around the front.

    The population holds the `pop_size` best rows, by non-dominated rank and crowding, of the highest rung that has so
    many; until the lowest rung has, networks are drawn at random. Parents win binary tournaments by rank and crowding.
    Most proposals are pre-selected: of `screen` candidates (children of the population, neighbours of the front and
    random immigrants), a model of the rows seen chooses the most promising one (`PreSelection`). The other proposals
    are a child, a neighbour or a random immigrant, without pre-selection. No network is proposed twice.

    Where nearly all networks are rejected before their evaluation, the least violating ones become parents of every
    second proposal, until `pop_size` networks are measured: so the search moves towards feasible networks. With
    `screen = 1` every proposal is a child, and this is NSGA-II alone.

    Source: Deb et al., A fast and elitist multiobjective genetic algorithm: NSGA-II, IEEE TEVC 6(2), 2002. It departs
    from the paper in replacing one row at a time and in dropping every child that is known to the whole run.

    Attributes:
        pop_size: Networks of the first design, and afterwards the rows of the population. Where something is known of
            networks before they are evaluated (the `foresee` of `search`), the first design has at most `FEWEST_ROWS`.
        first_design: `"random"`, or `"by_cost"`: the first networks rise in predicted training cost (the `predict` of
            the search), from the cheapest of some drawn ones to their upper decile, evenly on a logarithmic axis.
            None is `"by_cost"` where time is limited and costs are predicted, so that the first networks are soon
            trained, and `"random"` elsewhere.
        screen: Candidates of which one is proposed; 1 for no pre-selection.
        crossover: Probability that a pair of parents is crossed.
        mutations: Mean number of variables of a child that mutate.
        eta_crossover: Distribution index of SBX: the larger, the nearer children are to their parents.
        eta_mutation: Distribution index of PM: the larger, the smaller are the steps.
        name: Stored with every row.

    Raises:
        OptionError: If an option is out of its range.

    Example:
        >>> from evonas import Evolution, Integer, Objective, Space
        >>> from evonas.engine.view import View
        >>> space, error = Space({"layers": Integer(1, 6)}), Objective("error", lambda found: found["error"])
        >>> Evolution(pop_size=4).propose(View(space, [error], seed=0)).strategy
        'evolution'
    """

    pop_size: int = 16
    first_design: FirstDesign | None = None
    screen: int = 64
    crossover: float = 0.9
    mutations: float = 1.0
    eta_crossover: float = 15.0
    eta_mutation: float = 5.0
    name: str = "evolution"

    def __post_init__(self) -> None:
        settle(self, _RULES)

    def propose(self, view: View) -> Proposal | None:
        """Return a network that has never been proposed, or None where none is left."""
        rng = view.generator()
        rates = Rates(self.crossover, self.mutations, self.eta_crossover, self.eta_mutation)
        state = view.derived(self, lambda: _State(view.space, rates))
        population = state.population(view, self.pop_size, first=self._first_size(view))
        found: Sequence[Child] = ()
        if population is not None:
            origin = self._origin(view, rng=rng)
            if origin == "model":
                found = self._candidates(view, state, population, rng=rng)
                best = state.preselection.choose(view, [genotype for genotype, _ in found], rng=rng) if found else 0
                found = found[best : best + 1]
            elif origin == "neighbourhood":
                found = list(neighbours(view, state.best(view, population), count=1, rng=rng))
            elif origin == "mating":
                found = _children(view, state.mating, population, count=1, rng=rng)
        if found:
            genotype, parents = found[0]
            return Proposal(genotype, self.name, parents=parents)
        drawn = state.unknown.draw(view, rng) if population is not None else self._first(view, state.unknown, rng=rng)
        return None if drawn is None else Proposal(drawn, self.name)

    def _first(self, view: View, unknown: Unknown, *, rng: np.random.Generator) -> Genotype | None:
        """Return a new network of the first design, the next one by cost where that is asked for."""
        design = self.first_design or ("by_cost" if view.is_timed and view.predicts else "random")
        if design == "random":
            return unknown.draw(view, rng)
        drawn = {genotype.key: genotype for genotype in (view.space.sample(rng) for _ in range(DESIGN_DRAWS))}
        new = [genotype for genotype in drawn.values() if not view.is_known(genotype)]
        costs = np.array([view.predicted_cost(genotype) or 0.0 for genotype in new])  # (new,)
        if not new:
            return unknown.draw(view, rng)
        if not (costs > 0).all():
            raise OptionError(
                [
                    'first_design: got "by_cost", which needs a predicted cost above 0 of every network; '
                    'hand `search` a `predict`, or use "random"'
                ]
            )
        logs = np.log(costs)
        begun = len(view.scored(0)) + sum(job.rung == 0 and job.kind == "evaluate" for job in view.open.values())
        part = min((begun + 0.5) / self._first_size(view), 1.0)
        wanted = (1 - part) * logs.min() + part * np.quantile(logs, DEAREST)
        return new[int(np.argmin(np.abs(logs - wanted)))]

    def _origin(self, view: View, *, rng: np.random.Generator) -> str:
        """Return the origin of the next proposal, one of `ORIGINS`."""
        if len(view.scored(0)) < self._first_size(view):
            return "immigration" if rng.random() < IMMIGRANTS_IF_SCARCE else "mating"
        origins = FORESEEN_ORIGINS if view.foresees else ORIGINS
        return "mating" if self.screen == 1 else str(rng.choice(list(origins), p=list(origins.values())))

    def _first_size(self, view: View) -> int:
        """Return the number of networks of the first design: fewer where a model needs no more."""
        return min(self.pop_size, FEWEST_ROWS) if view.foresees and self.screen > 1 else self.pop_size

    def _candidates(
        self, view: View, state: _State, population: Ranked, *, rng: np.random.Generator
    ) -> Sequence[Child]:
        """Return up to `screen` new networks of all origins, for pre-selection."""
        children, near = round(CHILDREN * self.screen), round(NEIGHBOURS * self.screen)
        found = _children(view, state.mating, population, count=children, rng=rng)
        found += neighbours(view, state.best(view, population), count=near, rng=rng)
        drawn = (view.space.sample(rng) for _ in range(self.screen - children - near))
        found += [(genotype, ()) for genotype in drawn if not view.is_known(genotype)]
        return list({genotype.key: (genotype, parents) for genotype, parents in found}.values())


def _children(view: View, mating: Mating, population: Ranked, *, count: int, rng: np.random.Generator) -> list[Child]:
    """Return up to `count` new children of the population."""
    found: dict[str, Child] = {}
    for _ in range(ROUNDS):
        for genotype, parents in mating.children(population, pairs=max(PAIRS, count // 2), rng=rng):
            if not view.is_known(genotype):
                found.setdefault(genotype.key, (genotype, parents))
                if len(found) == count:
                    return list(found.values())
    return list(found.values())


class _State:
    """State derived from a view: a fold over its rows, so that it does not depend on when it was made."""

    def __init__(self, space: Space, rates: Rates) -> None:
        self.mating = Mating(space, rates=rates)
        self.preselection = PreSelection(space)
        self.unknown = Unknown()
        self._folded: dict[int, int] = {}
        self._least_violating: list[Row] = []
        self._rejected = 0
        self._population: dict[int, Ranked] = {}

    def population(self, view: View, pop_size: int, *, first: int) -> Ranked | None:
        """Return the survivors of the highest rung with `pop_size` scored rows; None where networks are to be drawn.

        Until the lowest rung has so many, all of its rows are, from the `first` ones on.
        """
        if len(view.scored(0)) < first:
            return self._population_if_scarce(view, pop_size)
        rung = 0
        while len(view.scored(rung + 1)) >= pop_size:
            rung += 1
        rows, ranked = view.scored(rung), self._population.get(rung, ())
        for row in rows[self._folded.get(rung, 0) :]:
            if len(ranked) == pop_size and _is_behind(row, ranked):
                continue
            survivors = order([*(one for one, _, _ in ranked), row], objectives=view.objectives)[:pop_size]
            # the last one to leave has changed the crowding, so the survivors are ranked among themselves
            ranked = ranking(survivors, objectives=view.objectives)
        self._population[rung], self._folded[rung] = ranked, len(rows)
        return ranked

    def best(self, view: View, population: Ranked) -> list[Row]:
        """Return the non-dominated rows of the population's rung, as far as they are kept."""
        rows = [row for row, rank, _ in population if rank == 0]
        return self.preselection.front(view) if all(row.job.rung == 0 for row in rows) else rows

    def _population_if_scarce(self, view: View, pop_size: int) -> Ranked | None:
        """Return measured and least violating rejected rows; None while random networks are accepted often enough."""
        new = view.rejected[self._rejected :]
        self._rejected = len(view.rejected)
        self._least_violating = order([*self._least_violating, *new])[:pop_size]
        if self._rejected < max(pop_size, SCARCE * (len(view.rows) - self._rejected + len(view.open))):
            return None
        return ranking([*view.scored(0), *self._least_violating], objectives=view.objectives)[:pop_size]


def _is_behind(row: Row, ranked: Ranked) -> bool:
    """Return whether `row` plainly comes last of all: behind feasible rows, or dominated by one of the last."""
    last, last_rank, _ = ranked[-1]
    if not last.is_feasible:
        return False
    if not row.is_feasible or row.costs is None:
        return True
    own = row.costs
    last_front = (one.costs for one, rank, _ in ranked if rank == last_rank and one.costs is not None)
    return any(costs != own and all(a <= b for a, b in zip(costs, own, strict=True)) for costs in last_front)


strategy = Evolution
"""What run files find by the name of this file."""
