"""Pick: one network of a front: the cheapest of the best, the knee, the best in one objective, or by its key."""

from __future__ import annotations

import difflib

import numpy as np

from evonas.archive.pareto_front import Front
from evonas.archive.results import Results
from evonas.engine.pareto import axes
from evonas.engine.view import Row
from evonas.errors import RunFileError
from evonas.report.ties import merit_and_cost, ties

FORMS = "cheapest, knee, budget, best:OBJECTIVE or a key that --all shows"
"""What can be picked, for people."""


def pick(results: Results, wanted: str) -> Row:
    """Return one network.

    Args:
        results: The rows to pick from.
        wanted: Of the front `"cheapest"`, the cheapest network within one sampling error of the best accuracy
            (`evonas.report.ties`); `"knee"`; `"best:OBJECTIVE"`, of equals the cheapest; `"budget"`, the most accurate,
            or the best in a metric of the task, within all bounds. Or the key of a measured network, on the front or
            not, or how it begins.

    Raises:
        RunFileError: If there is no such network.
    """
    front = results.front()
    if wanted in ("cheapest", "knee", "budget") or wanted.startswith("best:"):
        name = wanted.partition(":")[2]
        names = [objective.name for objective in front.objectives]
        if wanted.startswith("best:") and name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
            raise RunFileError([f"--pick {wanted}: there is no objective {name!r}; {hint}"])
        if not front.rows:
            raise RunFileError([f"--pick {wanted}: the front is empty; --all shows what became of the networks"])
        if wanted == "knee":
            return knee(front)
        if wanted == "cheapest":
            return cheapest(front)
        return _best(front, names.index(name)) if name else _within_budget(front)
    matching = [row for row in results.rows if row.is_scored and row.job.genotype.key.startswith(wanted)]
    keys = sorted({row.job.genotype.key for row in matching})
    if len(keys) != 1 or not wanted:
        problem = f"{len(keys)} networks begin so: {', '.join(keys[:5])}" if keys else "no measured network begins so"
        raise RunFileError([f"--pick {wanted}: {problem}; expected {FORMS}"])
    return max(matching, key=lambda row: row.job.rung)


def usual(results: Results) -> Row | None:
    """Return what is picked where nobody says: the cheapest of the best, the knee where that is not known.

    Returns:
        None where the front is empty.
    """
    front = results.front()
    return pick(results, usual_form(front)) if front.rows else None


def usual_form(front: Front) -> str:
    """Return what is picked where nobody says: `"cheapest"`, or `"knee"` of a front that does not say what ties."""
    return "knee" if front.rows and ties(front) is None else "cheapest"


def cheapest(front: Front) -> Row:
    """Return the cheapest network within one sampling error of the best accuracy.

    Raises:
        RunFileError: If the objectives do not say what is accurate and what is cheap, or of how many samples.
    """
    tied = ties(front)
    if tied is None:
        names = ", ".join(objective.name for objective in front.objectives)
        raise RunFileError(
            [
                "--pick cheapest: it needs measured networks with a fraction to be maximised, such as accuracy, and an "
                f"objective to be minimised, got {names}; expected knee, best:OBJECTIVE or a key"
            ]
        )
    return tied.rows[0]


def _within_budget(front: Front) -> Row:
    """Return the best network within the bounds, of equals the cheapest.

    Raises:
        RunFileError: If there is no bound, or nothing says what is best.
    """
    merit, _ = merit_and_cost(front.objectives)
    if merit is None or all(one.at_least is None and one.at_most is None for one in front.objectives):
        missing = "an objective that is an accuracy" if merit is None else "a bound: --budget NAME=VALUE"
        raise RunFileError([f"--pick budget: it needs {missing}; expected it, or another pick such as best:OBJECTIVE"])
    return _best(front, merit)


def knee(front: Front) -> Row:
    """Return the network that is furthest from the plane through the best ones in each objective, on its better side.

    Each axis runs from 0, the best value on the front, to 1, the worst, in decades where its objective says `log`. With
    two objectives the plane is the line between the ends of the front. Ties go to the lower slot.

    Source: I. Das, On characterizing the "knee" of the Pareto curve based on normal-boundary intersection, Structural
    Optimization 18, 1999: the largest distance to the hull of the individual minima. Unlike in the paper
    only the networks of the front are considered, and the plane of equal sums is taken where the minima span no plane
    that falls on every axis.
    """
    costs = axes(np.array([row.costs for row in front.rows]), front.objectives)
    low, span = costs.min(0), np.ptp(costs, axis=0)
    scaled = (costs - low)[:, span > 0] / span[span > 0]
    distances = -scaled @ _normal(scaled)
    return front.rows[int(np.argmax(distances.round(12)))]


def _normal(scaled: np.ndarray) -> np.ndarray:
    """Return the `(objectives,)` direction that stands on the plane through the best point of each axis."""
    equal = np.ones(scaled.shape[1])
    ends = np.array([min(scaled.tolist(), key=lambda point: (point[i], sum(point))) for i in range(len(equal))])
    try:
        normal = np.linalg.solve(ends, equal) if len(ends) else equal
    except np.linalg.LinAlgError:
        return equal
    return normal / np.linalg.norm(normal) if (normal > 1e-9).all() and np.isfinite(normal).all() else equal


def _best(front: Front, index: int) -> Row:
    cost = merit_and_cost(front.objectives)[1]
    return min(front.rows, key=lambda row: [(row.costs or ())[i] for i in (index, cost) if i is not None])
