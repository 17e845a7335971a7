"""Contributions: what the search spent for each step of its hypervolume, and whose networks last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from evonas.archive.pareto_front import Front
from evonas.archive.results import Results
from evonas.engine.view import Row
from evonas.report.growth import growth


@dataclass(frozen=True)
class Spent:
    """How the hypervolume of a front grew with what was spent. All tuples have one entry a point.

    Attributes:
        evaluations: Networks evaluated so far, at any rung; rejected ones do not count.
        sample_steps: Samples times time steps of all training so far, that of `search` jobs as well.
        seconds: Seconds of all workers so far, added up.
        hypervolume: In [0, 1].
    """

    evaluations: tuple[int, ...]
    sample_steps: tuple[float, ...]
    seconds: tuple[float, ...]
    hypervolume: tuple[float, ...]


def spent(results: Results, front: Front) -> Spent | None:
    """Return how a front grew, None where no hypervolume is known."""
    if front.reference is None:
        return None
    curve = growth(results, reference=front.reference)
    steps, seconds = [0.0], [0.0]  # after each evaluation; the first before any
    for row in results.rows:
        if row.is_rejected:  # predicted to cost something, and never trained
            continue
        if row.job.kind == "evaluate":
            steps.append(steps[-1])
            seconds.append(seconds[-1])
        steps[-1] += row.evaluation.sample_steps
        seconds[-1] += row.evaluation.seconds
    return Spent(
        curve.evaluations,
        tuple(steps[count] for count in curve.evaluations),
        tuple(seconds[count] for count in curve.evaluations),
        curve.hypervolumes,
    )


@dataclass(frozen=True)
class StrategyShare:
    """What a strategy has contributed.

    Attributes:
        strategy: Its name.
        evaluations: Networks that it proposed and that were evaluated, at any rung.
        front: Those of them that are on the front.
    """

    strategy: str
    evaluations: int
    front: int


def strategy_shares(rows: Sequence[Row], front: Front) -> tuple[StrategyShare, ...]:
    """Return the contribution of each strategy, in the order in which they first proposed."""
    evaluated = Counter(row.job.strategy for row in rows if row.job.kind == "evaluate" and not row.is_rejected)
    lasting = Counter(row.job.strategy for row in front.rows)
    return tuple(StrategyShare(name, count, lasting[name]) for name, count in evaluated.items())
