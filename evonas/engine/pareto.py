"""Pareto dominance among rows: order, front and hypervolume.

Everything that pymoo and moocore are given passes `_matrix`, which lets only finite numbers through: a NaN becomes the
only optimum in their sorting and can crash the process in their hypervolume.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import moocore
import numpy as np
from numpy.typing import ArrayLike
from pymoo.indicators.hv import HV
from pymoo.operators.survival.rank_and_crowding.metrics import get_crowding_function
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

from evonas.engine.view import Row
from evonas.errors import EvonasError
from evonas.objective import Objective

_CROWDING = get_crowding_function("cd")

REFERENCE_ROWS = 16
"""Default number of first rows from which the corners of the hypervolume are made."""

SAMPLED_POINTS = 1024
"""Random points with which the hypervolume improvement in three and more objectives is estimated."""


@dataclass(frozen=True)
class Reference:
    """The two corners between which a hypervolume is measured, in each objective's own unit and direction.

    Attributes:
        ideal: `(objectives,)` values that scale to 0.
        ref_point: `(objectives,)` values that scale to 1; a point must be better in every objective to count.
    """

    ideal: tuple[float, ...]
    ref_point: tuple[float, ...]


def order(rows: Sequence[Row], *, objectives: Sequence[Objective] = (), most: int | None = None) -> list[Row]:
    """Return `rows`, best first; the order that they come in has no effect.

    Feasible rows come first, by non-dominated rank and within a rank by falling crowding distance; then infeasible ones
    by violation; then those rejected before their evaluation by degree; then failures. Ties go to the lower slot.

    Source: Deb et al., A fast and elitist multiobjective genetic algorithm: NSGA-II, IEEE TEVC 6(2), 2002,
    section III, with its constrained domination (definition 1, section VI).

    Args:
        rows: Rows of one rung.
        objectives: If given, crowding is measured in decades on the axes of those with `log`.
        most: How many are asked for; None for all. The rest need not be ordered, which takes less time.

    Raises:
        EvonasError: If a feasible row has a cost that is not a finite number.
    """
    return [row for row, _, _ in ranking(rows, objectives=objectives, most=most)[:most]]


def ranking(
    rows: Sequence[Row], *, objectives: Sequence[Objective] = (), most: int | None = None
) -> list[tuple[Row, int, float]]:
    """Return `order(rows)`, each row with its rank from 0 and its crowding distance (`inf` at the ends of a rank).

    All others follow the last front, one rank for each violation or degree, with crowding distance 0. With `most`, it
    ends after the front that completes so many.
    """
    by_slot = sorted(rows, key=lambda row: row.job.slot)
    feasible = [row for row in by_slot if row.is_feasible]
    infeasible = sorted((row for row in by_slot if not row.is_feasible), key=_behind)
    ranked: list[tuple[Row, int, float]] = []
    costs = _matrix([row.costs for row in feasible])
    on_axes = axes(costs, objectives)
    fronts = NonDominatedSorting().do(costs)
    for rank, members in enumerate(fronts):
        distances = _CROWDING.do(on_axes[members])
        best_first = sorted(range(len(members)), key=lambda i: -distances[i])  # stable: members are in slot order
        ranked.extend((feasible[members[i]], rank, float(distances[i])) for i in best_first)
        if most is not None and len(ranked) >= most:
            return ranked
    places = {place: i for i, place in enumerate(sorted({_behind(row) for row in infeasible}))}
    ranked.extend((row, len(fronts) + places[_behind(row)], 0.0) for row in infeasible)
    return ranked


def _behind(row: Row) -> tuple[bool, float]:
    """Return the sort key of rows that are not feasible: measured ones first, failures last."""
    return not row.is_scored, row.violation


def front(rows: Sequence[Row]) -> list[Row]:
    """Return the feasible rows that no other row dominates, in slot order; rows of equal costs stay together."""
    feasible = sorted((row for row in rows if row.is_feasible), key=lambda row: row.job.slot)
    costs = _matrix([row.costs for row in feasible])
    kept = NonDominatedSorting().do(costs, only_non_dominated_front=True)
    return [feasible[i] for i in kept]


def hypervolume(costs: ArrayLike, *, objectives: Sequence[Objective], reference: Reference) -> float:
    """Return the part of the box between `reference.ideal` and `reference.ref_point` that `costs` dominate, in [0, 1].

    Each axis is scaled to [0, 1], in decades if its objective has `log`, and clipped: a point beyond the ideal counts
    as the ideal, one beyond the reference point adds nothing. On a logarithmic axis, zero and negative values lie
    infinitely far towards small values.

    Args:
        costs: `(points, objectives)`, as in `Row.costs`: signed so that less is better. May be empty.
        objectives: Those of the columns.
        reference: The corners of the box.

    Raises:
        EvonasError: If a cost is not a finite number.
    """
    points = _matrix(costs)
    if not len(points):
        return 0.0
    scaled = np.empty_like(points)
    for i, objective in enumerate(objectives):
        ends = np.array([reference.ideal[i], reference.ref_point[i]])
        low, high = _axis(ends, objective)
        scaled[:, i] = np.clip((_axis(objective.sign * points[:, i], objective) - low) / (high - low), 0.0, 1.0)
    return float(HV(ref_point=np.ones(scaled.shape[1])).do(scaled))


def spread_first(costs: ArrayLike) -> list[int]:
    """Return the indices of `(points, objectives)` costs by non-dominated rank, within a rank by crowding distance.

    As `order` does it for feasible rows; equal ones keep their order.
    """
    points = _matrix(costs)
    if not len(points):
        return []
    ordered: list[int] = []
    for members in NonDominatedSorting().do(points):
        distances = _CROWDING.do(points[members])
        ordered += [int(members[i]) for i in sorted(range(len(members)), key=lambda i: -distances[i])]
    return ordered


def nondominated(costs: ArrayLike) -> np.ndarray:
    """Return the indices of the `(points, objectives)` costs that no other point dominates."""
    points = _matrix(costs)
    return np.asarray(NonDominatedSorting().do(points, only_non_dominated_front=True), dtype=int)


def attainment(fronts: Sequence[ArrayLike]) -> list[np.ndarray]:
    """Return for each number of fronts, from 1 to all, the `(corners, objectives)` staircase that so many attain.

    What is no better than one of the corners in any objective is attained by at least so many fronts. Corners come by
    rising cost of the first objective. A front without points attains nothing.

    Source: V. Grunert da Fonseca, C. M. Fonseca and A. O. Hall, Inferential performance assessment of stochastic
    optimisers and the attainment function, EMO 2001; computed by moocore.

    Args:
        fronts: Of each run its `(points, objectives)` costs, less is better, of two or three objectives.

    Raises:
        EvonasError: If a cost is not a finite number.
    """
    found = [points for points in map(_matrix, fronts) if len(points)]
    surfaces = [np.empty((0, 2)) for _ in fronts]
    if found:
        corners = moocore.eaf(np.vstack(found), np.repeat(np.arange(len(found)), [len(points) for points in found]))
        counts = np.rint(corners[:, -1] / 100 * len(found)).astype(int)  # its last column is the percentage of fronts
        for count in range(1, len(found) + 1):
            surface = corners[counts == count, :-1]
            surfaces[count - 1] = surface[np.argsort(surface[:, 0], kind="stable")]
    return surfaces


def hypervolume_improvement(
    front: ArrayLike, candidates: ArrayLike, *, ref_point: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return the `(candidates,)` hypervolume that each candidate alone would add to `front`, up to `ref_point`.

    Exact for one and two objectives. For more it is estimated by `SAMPLED_POINTS` random points of the box around all,
    from the part that a candidate dominates and the front does not: enough to tell which candidates add most.

    Args:
        front: `(points, objectives)` costs, less is better, none of which dominates another.
        candidates: `(candidates, objectives)` costs.
        ref_point: `(objectives,)` costs; a candidate must be better in every objective to add anything.
        rng: Source of the random points.
    """
    points, added = _matrix(front), _matrix(candidates)  # (points, objectives), (candidates, objectives)
    objectives = added.shape[1]
    if objectives == 1:
        return np.maximum(min(float(points.min()), float(ref_point[0])) - added[:, 0], 0.0)
    if objectives == 2:
        steps = points[np.argsort(points[:, 0], kind="stable")]  # the corners of a staircase
        begins = np.concatenate([[-np.inf], steps[:, 0]])  # (points + 1,) intervals of the first objective
        ends = np.minimum(np.concatenate([steps[:, 0], [np.inf]]), ref_point[0])
        levels = np.minimum(np.concatenate([[np.inf], steps[:, 1]]), ref_point[1])  # (points + 1,) heights there
        widths = np.maximum(ends - np.maximum(begins, added[:, :1]), 0.0)  # (candidates, points + 1)
        return np.asarray((widths * np.maximum(levels - added[:, 1:], 0.0)).sum(axis=1))
    low = np.minimum(points.min(axis=0), added.min(axis=0))
    sampled = low + np.maximum(ref_point - low, 0.0) * rng.random((SAMPLED_POINTS, objectives))  # (sampled, objectives)
    is_free = ~(points[None] <= sampled[:, None]).all(axis=2).any(axis=1)  # (sampled,)
    dominated = (added[:, None] <= sampled[is_free][None]).all(axis=2).sum(axis=1)  # (candidates,)
    return np.asarray(dominated / SAMPLED_POINTS * np.prod(np.maximum(ref_point - low, 0.0)))


def reference(objectives: Sequence[Objective], rows: Sequence[Row]) -> Reference:
    """Return the corners for hypervolumes: from bounds and `best` where there are some, else from `rows`.

    In each objective, the reference point is the bound on the bad side, else the worst value seen. The ideal is `best`,
    else the best value seen (or the reference point, if that is better) improved by the first of these that is not
    zero: the range of values seen, the distance to the reference point, the magnitude of the value, 1. If `best` is not
    better than the reference point, the reference point becomes `best` worsened by its magnitude, else by 1.

    On a logarithmic axis, improved and worsened mean by a decade; bounds, `best` and values that are not positive do
    not count, and if no value is left, the reference point is 1.

    Args:
        objectives: What is traded.
        rows: The first rows of the search; those without a value in every objective do not count.

    Raises:
        EvonasError: If an objective has no bound on its bad side, and there is no row.
    """
    costs = _matrix([row.costs for row in rows if row.costs is not None])
    corners = []
    for i, objective in enumerate(objectives):
        bound = objective.at_most if objective.direction == "min" else objective.at_least
        if bound is None and not len(costs):
            raise EvonasError(
                f"Objective {objective.name} has no reference point: no row is scored yet and it has no bound. Give it "
                f"{'at_most' if objective.direction == 'min' else 'at_least'}, or ask again after the first rows."
            )
        corners.append(_corners(objective, bound, seen=objective.sign * costs[:, i] if len(costs) else np.empty(0)))
    return Reference(tuple(ideal for ideal, _ in corners), tuple(worst for _, worst in corners))


def _corners(objective: Objective, bound: float | None, *, seen: np.ndarray) -> tuple[float, float]:
    sign, best = objective.sign, objective.best
    if objective.log:
        seen = seen[seen > 0]
        bound = bound if bound is not None and bound > 0 else None
        best = best if best is not None and best > 0 else None
    if bound is None:
        bound = float(sign * (sign * seen).max()) if len(seen) else 1.0
    if best is None:
        top = float(sign * (sign * np.append(seen, bound)).min())
        span = float(np.ptp(seen)) if len(seen) else 0.0
        return _improved(top, objective, by=span or abs(bound - top) or abs(top) or 1.0), bound
    if sign * best >= sign * bound:
        return best, _improved(best, objective, by=-(abs(best) or 1.0))
    return best, bound


def _improved(value: float, objective: Objective, *, by: float) -> float:
    """Return `value` improved, or worsened if `by` is negative, by `by`, or by a decade on a logarithmic axis."""
    return value * 10.0 ** math.copysign(1.0, -objective.sign * by) if objective.log else value - objective.sign * by


def _axis(values: np.ndarray, objective: Objective) -> np.ndarray:
    """Return `values`, in decades if the objective has `log`; what has no logarithm becomes `-inf`."""
    if not objective.log:
        return values
    decades = np.full(values.shape, -math.inf)
    np.log10(values, out=decades, where=values > 0)
    return decades


def axes(costs: np.ndarray, objectives: Sequence[Objective]) -> np.ndarray:
    """Return `(points, objectives)` costs, less is better, in decades in the columns of objectives with `log`.

    What has no logarithm is set to the smallest value of its column that has one.
    """
    axes = costs.copy()
    for i, objective in enumerate(objectives):
        if objective.log and len(costs):
            decades = _axis(objective.sign * costs[:, i], objective)
            finite = decades[np.isfinite(decades)]
            axes[:, i] = objective.sign * np.maximum(decades, finite.min()) if len(finite) else 0.0
    return axes


def _matrix(costs: ArrayLike | Sequence[tuple[float, ...] | None]) -> np.ndarray:
    """Return `(points, objectives)` finite numbers: the only gate to pymoo and moocore."""
    if len(costs) == 0:  # type: ignore[arg-type]
        return np.empty((0, 0))
    matrix = np.asarray(costs, dtype=float)
    if matrix.ndim != 2 or not np.isfinite(matrix).all():
        raise EvonasError(
            f"Costs must be a table of finite numbers, got {matrix[~np.isfinite(matrix)][:3]} in shape {matrix.shape}. "
            "A failed evaluation has no costs: leave its row out."
        )
    return np.ascontiguousarray(matrix)
