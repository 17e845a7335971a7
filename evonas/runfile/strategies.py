"""Resolved strategies: what the sections `[[strategies]]` of a run file name, looked up, made and mixed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evonas.engine.view import Strategy
from evonas.errors import OptionError, ProfileError, RunFileError
from evonas.objective import Objective
from evonas.runfile.lookup import LookupFault, look_up, make_named
from evonas.runfile.schema import ObjectiveSection, RunFile, StrategySection
from evonas.runfile.sections import Sections
from evonas.space import Space
from evonas.strategies.adaptive_mixture import AdaptiveMixture
from evonas.strategies.differentiable import Differentiable
from evonas.strategies.mixture import Mixture


def strategy_of(sections: Mapping[int, StrategySection], *, shares: str = "fixed") -> tuple[Strategy | None, list[str]]:
    """Return the strategy that sections of a run file name, and a sentence for each fault.

    Args:
        sections: What is named, by number in the run file; several make a mixture.
        shares: How several share the slots, `"fixed"` or `"success"`.
    """
    members, faults = members_of(sections)
    if not members:
        return None, faults
    try:
        return (members[0][1] if len(members) == 1 else _mixed(sections, members, shares=shares)), faults
    except OptionError as error:
        return None, [*faults, *(f"strategies.{fault}" for fault in error.faults)]


def members_of(sections: Mapping[int, StrategySection]) -> tuple[list[tuple[int, Strategy]], list[str]]:
    """Return each strategy that can be made with the number of its section, and a sentence for each fault."""
    members: list[tuple[int, Strategy]] = []
    faults: list[str] = []
    for index, section in sections.items():
        member, wrong = make_named(
            section.name, section.options, folder="evonas.strategies", attribute="strategy", key=f"strategies.{index}"
        )
        faults += wrong
        if member is not None:
            members.append((index, member))
    return members, faults


def misfits(sections: Sections, space: Space, *, objectives: Sequence[Objective] | None) -> Iterator[str]:
    """Yield a sentence for each option of a strategy that does not fit the space and the objectives of the run.

    Args:
        sections: The run file.
        space: The space of the run.
        objectives: Of all sections, None where one of them is wrong: nothing is then said of objectives.
    """
    for index, member in members_of(sections.strategies)[0]:
        if isinstance(member, Differentiable):
            faults = member.faults(space, objectives)
            if objectives is not None and member.objective in [objective.name for objective in objectives]:
                try:
                    price_of(member.objective, tuple(sections.objectives.values()), objectives=objectives)
                except RunFileError as error:
                    faults += error.faults
            yield from (f"strategies.{index}.{fault}" for fault in faults)


def price_notes(file: RunFile, *, objectives: Sequence[Objective]) -> Iterator[str]:
    """Yield a sentence for each strategy whose price leaves out what its objective counts."""
    for index, member, price in prices_of(file, objectives=objectives):
        if uncounted := getattr(price, "uncounted", ()):
            yield (
                f"strategies.{index}: the searches follow a simpler {member.objective}, which leaves out "
                f"{' and '.join(uncounted)}; the networks that they find are measured in full."
            )


def prices_of(file: RunFile, *, objectives: Sequence[Objective]) -> Iterator[tuple[int, Differentiable, Any]]:
    """Yield each strategy that has search jobs with the index of its section, and the arithmetic of what it prices.

    Raises:
        RunFileError: If one of them prices an objective that has no such arithmetic.
    """
    for index, member in members_of(dict(enumerate(file.strategies)))[0]:
        if isinstance(member, Differentiable):
            yield index, member, price_of(member.objective, file.objectives, objectives=objectives)


def price_of(name: str, sections: Sequence[ObjectiveSection], *, objectives: Sequence[Objective]) -> Any:
    """Return the arithmetic of an objective on expected counts, which the differentiable search can follow.

    Args:
        name: Name of one of the objectives.
        sections: Their sections of the run file.
        objectives: What the sections have made, in the same order.

    Raises:
        RunFileError: If the objective has no such arithmetic.
    """
    section = sections[[objective.name for objective in objectives].index(name)]
    try:
        make = look_up(section.name, folder="objectives", attribute="expected")
        return make(**section.options)
    except (LookupFault, ProfileError) as error:
        raise RunFileError([f"objective: {name!r} has no price for a differentiable search: {error}"]) from None


def _mixed(
    sections: Mapping[int, StrategySection], members: Sequence[tuple[int, Strategy]], *, shares: str
) -> Strategy:
    shared = [(member, sections[index].share or 1.0) for index, member in members]
    return AdaptiveMixture(shared) if shares == "success" else Mixture(shared)
