"""Why networks are not on a front, in one sentence, and which came nearest to each bound where it is empty."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from evonas.chips.fit import Fit
from evonas.engine.view import Row
from evonas.objective import Objective

SHOWN = 5
"""Most reasons that are listed, the commonest first."""

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?", re.IGNORECASE)


@dataclass
class _Group:
    """Networks with one reason.

    Attributes:
        text: The reason, as the first network has it.
        count: How many networks have it.
        objective: The objective of a bound that they break, None where it is no bound.
        values: Their values under that objective.
    """

    text: str
    count: int = 0
    objective: Objective | None = None
    values: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        best = f" (best {_best(self.objective, self.values):.3g})" if self.objective is not None else ""
        return f"{self.count} x {self.text}{best}"


def kept_off(
    rows: Sequence[Row], *, objectives: Sequence[Objective], top: int, check: Callable[[Any], Fit] | None = None
) -> str:
    """Return how many fully trained networks cannot be on the front, and why; empty where all can.

    Reasons that differ in their numbers alone are one reason.

    Args:
        rows: Rows of a run under the objectives.
        objectives: The objectives of the rows.
        top: The rung at which networks are trained in full.
        check: `check(activity)` returns whether a network fits on another chip than that of the run; else None.
    """
    networks = candidates(rows, top=top)
    off = [row for row in networks if _is_off(row)]
    if not off:
        return ""
    reasons = [str(group) for group in _grouped(off, objectives, check)]
    more = f"; and {len(reasons) - SHOWN} more reasons" if len(reasons) > SHOWN else ""
    return f"{len(off)} of {len(networks)} keep off the front: {'; '.join(reasons[:SHOWN])}{more}."


def counted_reasons(
    rows: Sequence[Row], *, objectives: Sequence[Objective], top: int, check: Callable[[Any], Fit] | None = None
) -> list[tuple[str, str, int]]:
    """Return every reason why networks are not on the front: its kind, itself, how many have it; the commonest first.

    Kinds are `"rejected"` before training, `"failed"`, and `"infeasible"` for what was measured. The arguments are
    those of `kept_off`.
    """
    found = [("rejected", one.text, one.count) for one in _rejected(rows)]
    off = [row for row in candidates(rows, top=top) if _is_off(row)]
    for kind, members in (
        ("failed", [row for row in off if row.score is None]),
        ("infeasible", [row for row in off if row.score is not None]),
    ):
        found += [(kind, one.text, one.count) for one in _grouped(members, objectives, check)]
    return sorted(found, key=lambda reason: -reason[2])


def unreached(rows: Sequence[Row], *, top: int) -> list[str]:
    """Return why no network was trained in full, a sentence each; empty where one was, or its training failed.

    Args:
        rows: Rows of a run.
        top: The rung at which networks are trained in full.
    """
    if candidates(rows, top=top):
        return []
    sentences = []
    if lower := {row.job.genotype.key for row in rows if row.job.kind == "evaluate" and row.is_scored}:
        sentences.append(f"{_counted(len(lower), 'network')} measured at lower rungs of the ladder, none at the last.")
    if rejected := _rejected(rows):
        reasons = "; ".join(f"{one.count} x {one.text}" for one in rejected[:SHOWN])
        sentences.append(
            f"{_counted(sum(one.count for one in rejected), 'network')} rejected before training: {reasons}."
        )
    if failed := [row.evaluation for row in rows if row.job.kind == "search" and row.is_failure]:
        last = (failed[-1].message or failed[-1].outcome.value).partition("\n")[0].rstrip(".")
        sentences.append(f"{len(failed)} of the searches of a strategy failed. The last said: {last}.")
    return sentences


def _counted(number: int, what: str) -> str:
    return f"{number} {what} was" if number == 1 else f"{number} {what}s were"


def _rejected(rows: Sequence[Row]) -> list[_Group]:
    """Return the reasons why networks were rejected before training, the commonest first."""
    groups: dict[str, _Group] = {}
    for row in rows:
        if row.job.kind == "evaluate" and row.is_rejected:
            reason = _without_layers(row.evaluation.message).rstrip(".") or "no reason is known"
            groups.setdefault(_NUMBER.sub("#", reason), _Group(reason)).count += 1
    return sorted(groups.values(), key=lambda group: -group.count)


def _is_off(row: Row) -> bool:
    return not (row.is_feasible and row.costs is not None)


def _grouped(rows: Sequence[Row], objectives: Sequence[Objective], check: Callable[[Any], Fit] | None) -> list[_Group]:
    """Return the reasons of networks, the commonest first; those that differ in their numbers alone are one."""
    groups: dict[str, _Group] = {}
    for row in rows:
        for key, group in _reasons(row, objectives, check):
            known = groups.setdefault(key, group)
            known.count += 1
            if known is not group:
                known.values += group.values
    return sorted(groups.values(), key=lambda group: -group.count)


def nearest(rows: Sequence[Row], *, objectives: Sequence[Objective], top: int) -> list[str]:
    """Return the best value for each bound, a sentence each; empty where a network keeps all bounds.

    Args:
        rows: Rows of a run under the objectives.
        objectives: The objectives of the rows.
        top: The rung at which networks are trained in full.
    """
    networks = [row for row in candidates(rows, top=top) if row.is_scored]
    bounded = [index for index, one in enumerate(objectives) if _bounds(one)]
    if not networks or not bounded or any(row.is_feasible for row in networks):
        return []
    sentences = []
    for index in bounded:
        objective = objectives[index]
        others = [other for other in bounded if other != index]
        keepers = [row for row in networks if _keeps(row, index, objective)]
        sentence = f"{_bounds(objective)}: {len(keepers)} of {len(networks)} networks keep it"
        sentence += f", {_best_of(networks, index, objective)}"
        if others:
            beside = [row for row in networks if all(_keeps(row, other, objectives[other]) for other in others)]
            sentence += f"; of the {len(beside)} that keep all other bounds, {_best_of(beside, index, objective)}"
        sentences.append(f"{sentence}.")
    return sentences


def candidates(rows: Sequence[Row], *, top: int) -> list[Row]:
    """Return the networks that were trained in full, and those whose training failed at any rung."""
    return [
        row
        for row in rows
        if row.job.kind == "evaluate" and not row.is_rejected and (row.is_failure or row.job.rung == top)
    ]


def _reasons(
    row: Row, objectives: Sequence[Objective], check: Callable[[Any], Fit] | None
) -> Iterator[tuple[str, _Group]]:
    """Yield each reason of a network, after a key that is the same for equal reasons."""
    if row.score is None:
        reason = f"failed: {row.evaluation.message or row.evaluation.outcome.value}".partition("\n")[0]
        yield _NUMBER.sub("#", reason), _Group(reason.rstrip("."))
        return
    measurement: Any = row.evaluation.measurement
    broken = () if check is None else check(measurement.activity).violations
    for rule in sorted({rule.partition(": ")[0] for rule in broken}):
        yield f"fit {rule}", _Group(f"does not fit: {rule}")
    for objective, value in zip(objectives, row.score.values, strict=True):
        if value is not None and (relation := _broken(objective, value)):
            yield f"bound {objective.name} {relation}", _Group(f"{objective.name} {relation}", 0, objective, [value])
    if not broken and any(value is None for value in row.score.values):
        reason = "; ".join(part for part in row.score.reason.split("; ") if " breaks the bound " not in part)
        yield _NUMBER.sub("#", _without_layers(reason)), _Group(_without_layers(reason))


def _without_layers(reason: str) -> str:
    """Return a reason without the layers that it names, which differ from network to network."""
    return reason.partition(", which ")[0]


def _broken(objective: Objective, value: float) -> str:
    """Return the bound that a value breaks, as text; empty where it breaks none."""
    if objective.at_least is not None and value < objective.at_least:
        return f"below {objective.at_least:g}"
    if objective.at_most is not None and value > objective.at_most:
        return f"above {objective.at_most:g}"
    return ""


def _bounds(objective: Objective) -> str:
    """Return the bounds of an objective as text, empty where it has none."""
    least = [] if objective.at_least is None else [f"{objective.name} >= {objective.at_least:g}"]
    most = [] if objective.at_most is None else [f"{objective.name} <= {objective.at_most:g}"]
    return " and ".join([*least, *most]) + (f" {objective.unit}" if (least or most) and objective.unit else "")


def _value(row: Row, index: int) -> float | None:
    return None if row.score is None else row.score.values[index]


def _keeps(row: Row, index: int, objective: Objective) -> bool:
    value = _value(row, index)
    return value is not None and not _broken(objective, value)


def _best_of(rows: Sequence[Row], index: int, objective: Objective) -> str:
    valued = [row for row in rows if _value(row, index) is not None]
    if not valued:
        return f"none has a value of {objective.name}"
    best = min(valued, key=lambda row: _distance(objective, _value(row, index)))
    return f"the best has {_value(best, index):.3g} (network {best.job.genotype.key})"


def _distance(objective: Objective, value: float | None) -> tuple[float, float]:
    """Return a key to sort values by: first how much they break the bounds, then the value."""
    assert value is not None
    return objective.violation(value), objective.sign * value


def _best(objective: Objective, values: Sequence[float]) -> float:
    return min(values, key=lambda value: _distance(objective, value))
