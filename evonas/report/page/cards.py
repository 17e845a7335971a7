"""Cards: the networks that somebody who decides looks at first, each with a sentence that says why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evonas.archive.pareto_front import Front
from evonas.engine.view import Row
from evonas.measurement import Measurement
from evonas.objective import Objective
from evonas.report.page.amounts import amount
from evonas.report.pick import knee
from evonas.report.ties import Ties, ties


@dataclass(frozen=True)
class Card:
    """A network and why it is looked at.

    Attributes:
        title: What it is, in a few words.
        row: The network.
        sentence: What it does, what it costs and what that means.
    """

    title: str
    row: Row
    sentence: str


def cards(front: Front, *, picks: Sequence[Row] = ()) -> tuple[Card, ...]:
    """Return the cards of a front: the best network, the cheapest that ties with it, the knee, and picks.

    Where no ties are known (`evonas.report.ties`), the best network in each objective has a card instead.
    """
    return (*_cards(front), *(Card("Picked", row, _values(front, row)) for row in picks))


def sampling_error(row: Row, index: int, objectives: Sequence[Objective]) -> float | None:
    """Return one standard error of a value of a row, None where it is not known."""
    measurement, objective = row.evaluation.measurement, objectives[index]
    if objective.sampling_error is None or row.score is None or not isinstance(measurement, Measurement):
        return None
    value = row.score.values[index]
    return None if value is None else float(objective.sampling_error(value, measurement.samples))


def _cards(front: Front) -> Iterator[Card]:
    if not front.rows:
        return
    tied = ties(front)
    if tied is None:
        for index, objective in enumerate(front.objectives):
            best = min(front.rows, key=lambda row: (row.costs or ())[index])
            yield Card(f"Best {objective.name}", best, _values(front, best))
    else:
        yield from _of_ties(front, tied)
    if len(front.objectives) > 1:
        bend = knee(front)
        where = "The bend of the front: from here on, getting better in one objective costs most in the others."
        yield Card("Knee", bend, f"{_values(front, bend)} {where}")


def _of_ties(front: Front, tied: Ties) -> Iterator[Card]:
    at, price = front.objectives.index(tied.merit), front.objectives.index(tied.cost)
    sign = tied.merit.sign
    best = min(tied.rows, key=lambda row: (sign * _value(row, at), _value(row, price)))
    cheapest = tied.rows[0]
    cheaper = sum(_value(row, price) < _value(best, price) for row in tied.rows)
    known = (
        f"Its {tied.samples:,} validation samples do not tell {cheaper} cheaper network{'s' * (cheaper != 1)} of the "
        "front from it."
        if cheaper
        else "No cheaper network of the front comes within one sampling error of it."
    )
    yield Card(f"Best {tied.merit.name}", best, f"{_values(front, best)} {known}")
    share = _value(cheapest, price) / _value(best, price) if _value(best, price) else 1.0
    saved = (
        f"Within one sampling error of the best, for {100 * share:.2g} % of its {tied.cost.name}."
        if cheapest is not best
        else "It is the best itself: nothing cheaper is as good."
    )
    yield Card("Cheapest of the best", cheapest, f"{_values(front, cheapest)} {saved}")


def _values(front: Front, row: Row) -> str:
    """Return all values of a network as a sentence."""
    texts = [
        f"{objective.name} {amount(_value(row, index), objective, error=sampling_error(row, index, front.objectives))}"
        for index, objective in enumerate(front.objectives)
    ]
    sentence = f"{', '.join(texts)}."
    return sentence[:1].upper() + sentence[1:]


def _value(row: Row, index: int) -> float:
    value = None if row.score is None else row.score.values[index]
    assert value is not None  # networks of a front have all values
    return value
