"""The sections `[[strategies]]` of a run file: the strategies that they name, made, checked and mixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evonas.engine.pareto import REFERENCE_ROWS
from evonas.engine.search_job import SearchingStrategy
from evonas.engine.view import Strategy
from evonas.errors import OptionError
from evonas.objective import Objective
from evonas.options import shown
from evonas.runfile.lookup import LookupFault
from evonas.runfile.schema import ObjectiveSection, StrategySection
from evonas.runfile.searchers import SearchesOf, left_out, score_of
from evonas.runfile.section_options import make_named
from evonas.space import Space
from evonas.strategies.mixture import Mixture
from evonas.strategies.zero_shot import ZeroShot

Members = Mapping[int, Strategy]
"""Strategies by the number of their section."""


def members_of(sections: Mapping[int, StrategySection]) -> tuple[Members, list[str]]:
    """Return each strategy that can be made, and a sentence for each fault."""
    members: dict[int, Strategy] = {}
    faults: list[str] = []
    for index, section in sections.items():
        member, wrong = make_named(
            section.name, section.options, folder="evonas.strategies", attribute="strategy", key=f"strategies.{index}"
        )
        faults += wrong
        if member is not None:
            members[index] = member
    return members, faults


def mixed(
    members: Members, sections: Mapping[int, StrategySection], *, shares: str
) -> tuple[Strategy | None, list[str]]:
    """Return the strategy of a run, None where no member is right, and a sentence for each fault.

    Args:
        members: One is the strategy itself, several make a mixture.
        sections: Their sections.
        shares: How several share the slots, `"fixed"` or `"success"`.
    """
    if len(members) < 2:
        return next(iter(members.values()), None), []
    shared = [(member, sections[index].share or 1.0) for index, member in members.items()]
    try:
        return Mixture(shared, shares=shares), []
    except OptionError as error:
        return None, [f"strategies.{fault}" for fault in error.faults]


def reference_rows_of(members: Members) -> int:
    """Return how many first rows make the corners of the hypervolume: the largest population of the strategies."""
    sizes = [getattr(member, "pop_size", None) for member in members.values()]
    return max((size for size in sizes if isinstance(size, int) and size > 0), default=REFERENCE_ROWS)


@dataclass(frozen=True)
class PlannedSearches:
    """The search jobs that one strategy of a run may propose.

    Attributes:
        index: Number of the section of the strategy.
        strategy: Its name.
        told: What a worker is told of them.
        objective: Name of the objective that they compute on their own, None where they need none.
        uncounted: What that leaves out of the objective.
    """

    index: int
    strategy: str
    told: SearchesOf
    objective: str | None
    uncounted: Sequence[str] = ()

    @property
    def notes(self) -> list[str]:
        """A sentence if the searches leave out what the objective counts."""
        if not self.uncounted:
            return []
        return [
            f"strategies.{self.index}: the searches follow a simpler {self.objective}, which leaves out "
            f"{' and '.join(self.uncounted)}; the networks that they find are measured in full."
        ]


def searches_of(
    members: Members, space: Space, *, objectives: Sequence[Objective] | None, sections: Sequence[ObjectiveSection]
) -> tuple[tuple[PlannedSearches, ...], list[str]]:
    """Return the search jobs that a run may have, and a sentence for each option that does not fit the run.

    Args:
        members: The strategies.
        space: The space of the run.
        objectives: What the run trades, None where one is wrong: nothing is then checked against them.
        sections: Their sections.
    """
    searches: list[PlannedSearches] = []
    faults: list[str] = []
    for index, member in members.items():
        if not isinstance(member, SearchingStrategy):
            continue
        faults += [f"strategies.{index}.{fault}" for fault in member.faults(space, objectives)]
        faults += [f"strategies.{index}.{fault}" for fault in _score_faults(member)]
        if member.objective is None:
            searches.append(PlannedSearches(index, member.name, SearchesOf(member.method, None), None))
            continue
        names = [objective.name for objective in objectives or ()]
        if member.objective not in names:
            continue
        section = sections[names.index(member.objective)]
        try:
            uncounted = left_out(member.method, section, name=member.objective)
        except LookupFault as fault:
            faults.append(f"strategies.{index}.{fault}")
            continue
        told = SearchesOf(member.method, section)
        searches.append(PlannedSearches(index, member.name, told, member.objective, uncounted))
    return tuple(searches), faults


def _score_faults(member: Strategy) -> list[str]:
    """Return a sentence where a strategy names a score that there is not."""
    if not isinstance(member, ZeroShot):
        return []
    try:
        score_of(member.score)
    except LookupFault as fault:
        return [f"score: {fault}, got {shown(member.score)}"]
    return []
