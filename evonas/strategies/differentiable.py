"""Differentiable search: relaxed networks are trained under different prices, and their proposals are evaluated."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar, get_args

import numpy as np

from evonas.engine.evaluation import Outcome
from evonas.engine.gradient_search import GradientSearch, Paths
from evonas.engine.job import Job
from evonas.engine.ladder import MOST_EPOCHS
from evonas.engine.pareto import axes, front
from evonas.engine.search_job import FIRST_METHOD
from evonas.engine.view import Proposal, Row, View
from evonas.errors import OptionError, SpaceError
from evonas.genotype import Genotype
from evonas.objective import Objective
from evonas.options import NAME, Number, OneOf, OptionRule, Whole, faults_of, settle, shown
from evonas.space import Space
from evonas.strategies.prices import Aim, Landing, Prices
from evonas.strategies.random import values_of
from evonas.variables import LARGEST, Scalar

ANYWHERE = 4
"""After the initial searches, every ANYWHERE-th one draws its price at random: a bad interpolation cannot persist."""

FEWEST_ROWS = 4
"""Feasible rows that a rung needs before gaps are looked for in its front."""

PATIENCE = 6
"""After so many searches in a row that brought nothing new, the next one waits for more and more rows of others."""

MOST_SEARCHES = 100_000

MOST_PROPOSALS = 1000

_PRICE = Number(1e-9, 1e6)

_RULES: dict[str, OptionRule] = {
    "objective": NAME,
    "first": Whole(1, MOST_SEARCHES),
    "searches": Whole(1, MOST_SEARCHES),
    "warm_up": Whole(0, MOST_EPOCHS),
    "epochs": Whole(1, MOST_EPOCHS),
    "paths": OneOf(get_args(Paths)),
    "proposals": Whole(1, MOST_PROPOSALS),
    "name": NAME,
}


@dataclass(frozen=True)
class Differentiable:
    """Proposes search jobs, each of which trains a relaxed network under one price, and then the networks they found.

    The first prices cover the range, high ones with small networks and low ones with large ones. Each later search
    aims at the widest gap of the front on the axis of the priced objective: its price and fixed sizes lie between those
    of the searches whose networks landed on both sides. A gap that was aimed at before counts for less. Every
    `ANYWHERE`-th search draws its price and fixed sizes at random. The networks that a search found are evaluated like
    any other, from the lowest rung on, before the next search begins.

    Source: the search itself follows SpikeDHS (Che et al., NeurIPS 2022), which searches one network under no price;
    the choice of prices is ours.

    Attributes:
        objective: Name of the objective that is priced.
        prices: Lowest and highest price of that objective: the increase of the loss, in nats, that sparing all of it is
            worth.
        contexts: Variable to its fixed sizes, rising numbers or names, of which a search has one; by default all values
            of each variable that the space names as a size. The order of the space says which make small networks.
        first: Searches that cover the range of prices before gaps are looked for.
        searches: Search jobs that may be open at once.
        warm_up: Epochs of a search in which weights alone are trained.
        epochs: Epochs after these, in which weights and logits are trained in turns.
        paths: What a step of a search sees: `"drawn"`, one network for the weights and two paths for the choices, or
            `"all"`, all networks at once, as published, which takes the time and the memory of all of them.
        proposals: Networks of a search that are evaluated.
        name: Stored with every row.

    Raises:
        OptionError: If an option is out of its range.

    Example:
        >>> from evonas import Differentiable, Integer, Objective, Space
        >>> spikes = Objective("spikes", lambda found: found["spikes"], log=True)
        >>> Differentiable("spikes", prices=(0.1, 3.0)).faults(Space({"layers": Integer(1, 6)}), [spikes])
        ['name: the space has no `relax`, so that it cannot be searched by gradients; use another one']
    """

    method: ClassVar[str] = FIRST_METHOD

    objective: str
    prices: Sequence[float] = (0.1, 3.0)
    contexts: Mapping[str, Sequence[Scalar]] = field(default_factory=dict)
    first: int = 4
    searches: int = 2
    warm_up: int = 2
    epochs: int = 6
    paths: Paths = "drawn"
    proposals: int = 2
    name: str = "differentiable"

    def __post_init__(self) -> None:
        faults = [*_faults_of_numbers(self), *_faults_of_sizes(self.contexts)]
        if faults:
            raise OptionError(faults)
        settle(self, _RULES)

    def faults(self, space: Space, objectives: Sequence[Objective] | None) -> list[str]:
        """Return a sentence for each option that does not fit the space and the objectives of a run, where known."""
        faults = []
        names = [objective.name for objective in objectives or ()]
        if objectives is not None and self.objective not in names:
            faults.append(f"objective: got {shown(self.objective)}, expected one of the objectives {', '.join(names)}")
        if space.relax is None:
            faults.append("name: the space has no `relax`, so that it cannot be searched by gradients; use another one")
        faults += [
            f"contexts: {name} is a size of the space and cannot be listed; give it here"
            for name, sizes in self._sizes(space).items()
            if not sizes
        ]
        for name, sizes in self.contexts.items():
            variable = space.variables.get(name)
            if variable is None:
                faults.append(f"contexts.{name}: the space has no such variable; it has {', '.join(space.variables)}")
                continue
            if space.sizes and name not in space.sizes:
                faults.append(f"contexts.{name}: is no size of the space; the sizes are {', '.join(space.sizes)}")
            for size in sizes:
                try:
                    variable.canonical(size)
                except (SpaceError, TypeError, ValueError) as error:
                    faults.append(f"contexts.{name}: {error}")
        return faults

    def propose(self, view: View) -> Proposal | None:
        """Return a network that a search has found, else the next search; None while that has to wait."""
        state = self._state(view)
        waiting = state.next_waiting(view)
        if waiting is not None:
            genotype, slot = waiting
            return Proposal(genotype, self.name, parents=(slot,))
        running = [job for job in view.open.values() if _is_search(job, self.name)]
        if len(running) >= self.searches or state.has_to_wait(view):
            return None
        settings, parents = self._next_search(view, state, running)
        return Proposal(Genotype({}), self.name, kind="search", settings=settings.to_job(), parents=parents)

    def _next_search(self, view: View, state: _State, running: Sequence[Job]) -> tuple[GradientSearch, tuple[int, ...]]:
        """Return the settings of the next search, and the slots of the rows between which it aims."""
        rng = view.generator()
        prices = Prices(self.prices[0], self.prices[1], contexts=self._sizes(view.space))
        index = len(state.searches) + len(running)
        jobs = [*(row.job for row in state.searches), *running]
        targets = [GradientSearch.of(job.settings).target for job in jobs]
        gap = widest_gap(self._on_axis(view, _front(view)), [target for target in targets if target is not None])
        target: float | None = None
        parents: tuple[int, ...] = ()
        if index < self.first:
            aim = prices.spread(index)
        elif gap is None or index % ANYWHERE == 0:
            aim = prices.anywhere(rng)
        else:
            target, parents = gap
            aim = prices.between(target, self.landings(view), rng=rng)
        settings = GradientSearch(
            aim.price,
            aim.context,
            self.warm_up,
            self.epochs,
            proposals=self.proposals,
            seed=index,
            target=target,
            paths=self.paths,
        )
        return settings, parents

    def _sizes(self, space: Space) -> dict[str, Sequence[Scalar]]:
        """Return the fixed sizes to choose from, small networks first, for each variable that a search fixes."""
        every = {name: values_of(space.variables[name]) or [] for name in space.sizes}
        given = {name: _in_order(sizes, every.get(name, [])) for name, sizes in self.contexts.items()}
        return {**every, **given}

    def _state(self, view: View) -> _State:
        """Return what is derived from the view, up to its last row."""
        state = view.derived(self, lambda: _State(self.name))
        state.fold(view)
        return state

    def landings(self, view: View) -> list[Landing]:
        """Return where the networks of each search have landed; in decades, costs of 0 where the least other has."""
        state = self._state(view)
        every = [child for children in state.children.values() for child in children]
        costs = {slot: cost for cost, slot in self._on_axis(view, every)}
        landings = []
        for row in state.searches:
            found = [costs[child.job.slot] for child in state.children[row.job.slot] if child.job.slot in costs]
            if found:
                settings = GradientSearch.of(row.job.settings)
                landings.append(Landing(Aim(settings.price, settings.context), statistics.median(found)))
        return landings

    def _on_axis(self, view: View, rows: Sequence[Row]) -> list[tuple[float, int]]:
        """Return the costs of rows under the priced objective, on its axis, with their slots; rows without drop out."""
        priced = [row for row in rows if row.costs is not None]
        if not priced:
            return []
        column = [objective.name for objective in view.objectives].index(self.objective)
        costs = axes(np.array([row.costs for row in priced]), view.objectives)[:, column]
        return [(float(cost), row.job.slot) for cost, row in zip(costs, priced, strict=True)]


def widest_gap(costs: Sequence[tuple[float, int]], targets: Sequence[float]) -> tuple[float, tuple[int, int]] | None:
    """Return the middle of the widest gap between neighbouring costs and their slots, None where there is no gap.

    A gap that holds n of the `targets` of earlier searches counts as if it were n + 1 times narrower.
    """
    ordered = sorted(costs)
    gaps = []
    for (low, left), (high, right) in pairwise(ordered):
        attempts = sum(low < target < high for target in targets)
        if high > low:
            gaps.append(((high - low) / (1 + attempts), (low + high) / 2, (left, right)))
    if not gaps:
        return None
    _, middle, slots = max(gaps, key=lambda gap: (gap[0], -gap[1]))
    return middle, slots


def _front(view: View) -> list[Row]:
    """Return the front of the highest rung that has `FEWEST_ROWS` feasible rows, none where no rung has."""
    best: list[Row] = []
    rung = 0
    while len(feasible := [row for row in view.scored(rung) if row.is_feasible]) >= FEWEST_ROWS:
        best, rung = feasible, rung + 1
    return front(best) if best else []


def _is_search(job: Job, name: str) -> bool:
    return job.kind == "search" and job.strategy == name


def _faults_of_numbers(options: Differentiable) -> Iterator[str]:
    prices: Any = options.prices
    is_pair = isinstance(prices, list | tuple) and len(prices) == 2
    if not is_pair or faults_of({"0": prices[0], "1": prices[1]}, {"0": _PRICE, "1": _PRICE}) or prices[0] > prices[1]:
        yield (
            f"prices: got {shown(prices)}, expected the lowest and the highest price, such as [0.1, 3.0], from "
            f"{_PRICE.low:g} to {_PRICE.high:g}"
        )
    yield from faults_of(vars(options), _RULES)


def _faults_of_sizes(contexts: Any) -> Iterator[str]:
    if not isinstance(contexts, Mapping):
        yield f"contexts: got {shown(contexts)}, expected sizes by variable, such as {{channels = [4, 8]}}"
        return
    for name, sizes in contexts.items():
        if not _are_numbers(sizes) and not _are_names(sizes):
            yield (
                f"contexts.{name}: got {shown(sizes)}, expected one or more rising numbers, such as [4, 8], or "
                "different names"
            )


def _in_order(sizes: Sequence[Scalar], listed: Sequence[Scalar]) -> list[Scalar]:
    """Return sizes in the order in which the space lists them; what it does not list comes first."""
    return sorted(sizes, key=lambda size: listed.index(size) if size in listed else -1)


def _are_numbers(sizes: Any) -> bool:
    """Return whether these are one or more rising numbers."""
    are_numbers = isinstance(sizes, list | tuple) and len(sizes) > 0 and all(map(_is_number, sizes))
    return are_numbers and all(low < high for low, high in pairwise(sizes))


def _are_names(sizes: Any) -> bool:
    """Return whether these are one or more different names."""
    are_names = isinstance(sizes, list | tuple) and len(sizes) > 0 and all(isinstance(size, str) for size in sizes)
    return are_names and len(set(sizes)) == len(sizes)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


class _State:
    """State derived from a view: a fold over its rows, so that it does not depend on when it was made."""

    def __init__(self, name: str) -> None:
        self.searches: list[Row] = []
        self.children: dict[int, list[Row]] = {}
        self._name = name
        self._waiting: list[tuple[Genotype, int]] = []
        self._folded = 0
        self._last_seen = 0

    def fold(self, view: View) -> None:
        """Add the new rows."""
        for row in view.rows[self._folded :]:
            self._folded += 1
            job = row.job
            if _is_search(job, self._name):
                self.searches.append(row)
                self.children[job.slot] = []
                self._waiting.extend((genotype, job.slot) for genotype in row.evaluation.proposals)
                self._last_seen = self._folded
            elif job.rung == 0 and job.strategy == self._name and job.parents:
                self.children[job.parents[0]].append(row)

    def next_waiting(self, view: View) -> tuple[Genotype, int] | None:
        """Return the first network found by a search that is not known yet, and the slot of the search."""
        while self._waiting and view.is_known(self._waiting[0][0]):
            del self._waiting[0]
        return self._waiting[0] if self._waiting else None

    def has_to_wait(self, view: View) -> bool:
        """Return whether searches bring nothing new, so that the next one has to wait for rows of others.

        To be called when no proposal waits: a search without a child has then brought nothing new, nor has one whose
        children were all rejected.
        """
        with_open_child = {job.parents[0] for job in view.open.values() if job.strategy == self._name and job.parents}
        fruitless = 0
        for row in reversed(self.searches):
            outcomes = {child.evaluation.outcome for child in self.children[row.job.slot]}
            if outcomes - {Outcome.REJECTED} or row.job.slot in with_open_child:
                break
            fruitless += 1
        return fruitless >= PATIENCE and len(view.rows) - self._last_seen < 2 ** min(fruitless, 20)


strategy = Differentiable
"""What run files find by the name of this file."""
