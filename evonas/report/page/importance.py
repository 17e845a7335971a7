"""Importance: how much of what differs between networks goes with one variable of their genotypes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evonas.engine.pareto import axes
from evonas.engine.view import Row
from evonas.objective import Objective
from evonas.variables import Scalar

FOLDS = 20
"""Parts of the networks, each of which is left out once to see how uncertain a share is."""

FEWEST = 2 * FOLDS
"""Networks below which nothing is said."""

LEVELS = 6
"""Most different numbers of a variable that are taken one by one; more are put into quarters."""


@dataclass(frozen=True)
class Importance:
    """The importance of a variable for an objective.

    Attributes:
        variable: Its name.
        objective: Name of the objective.
        share: Share of the variance of the objective that goes with the variable alone, corrected for its number of
            levels, so that it is about 0, or below, where the variable does not matter.
        error: Standard error of the share.
    """

    variable: str
    objective: str
    share: float
    error: float


def importances(rows: Sequence[Row], objectives: Sequence[Objective]) -> tuple[Importance, ...]:
    """Return the importance of each variable that varies, for each objective; empty for fewer than `FEWEST` rows.

    The share is epsilon squared, the correlation ratio without its bias: T. L. Kelley, An unbiased correlation ratio
    measure, PNAS 21(9), 1935. The error is that of the delete-a-group jackknife: J. Shao and D. Tu, The Jackknife
    and Bootstrap, 1995, section 5.1. Objectives with `log` are taken in decades; a variable that a
    genotype does not have is a level of its own. A search chooses its networks: variables that it changed together
    share what they explain.

    Args:
        rows: Networks of one rung with costs.
        objectives: Those of the costs.
    """
    if len(rows) < FEWEST:
        return ()
    values = axes(np.array([row.costs for row in rows]), objectives)  # (rows, objectives)
    genotypes = [row.job.genotype for row in rows]
    found = []
    for name in sorted({name for genotype in genotypes for name in genotype}):
        levels = _levels([genotype.get(name) for genotype in genotypes])
        if levels.max() > 0:
            shares, errors = _shares(levels, values)
            pairs = zip(objectives, shares.tolist(), errors.tolist(), strict=True)
            found += [Importance(name, one.name, share, error) for one, share, error in pairs if np.isfinite(share)]
    return tuple(found)


def _levels(values: Sequence[Scalar | None]) -> np.ndarray:
    """Return the `(rows,)` level of each value, from 0: one for each value, or for each quarter of many numbers."""
    there = [value for value in values if value is not None]
    is_number = all(isinstance(value, int | float) and not isinstance(value, bool) for value in there)
    if is_number and len(set(there)) > LEVELS:
        edges = np.quantile(np.array(there, dtype=float), [0.25, 0.5, 0.75])
        marks: list[Scalar | None] = [
            None if value is None else int(np.searchsorted(edges, float(value))) for value in values
        ]
    else:
        marks = list(values)
    numbers: Mapping[tuple[str, Scalar | None], int] = {
        mark: index for index, mark in enumerate(dict.fromkeys((type(mark).__name__, mark) for mark in marks))
    }
    return np.array([numbers[type(mark).__name__, mark] for mark in marks])


def _shares(levels: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the `(objectives,)` shares and their standard errors, of `(rows,)` levels and `(rows, objectives)` values.

    Sums of each level and fold are enough: leaving a fold out is subtracting its sums.
    """
    rows, count = len(levels), int(levels.max()) + 1
    centred = values - values.mean(axis=0)
    cells = (np.arange(rows) % FOLDS) * count + levels

    def summed(weights: np.ndarray) -> np.ndarray:
        return np.bincount(cells, weights, minlength=FOLDS * count).reshape(FOLDS, count)

    numbers = summed(np.ones(rows))  # (folds, levels)
    sums = np.stack([summed(column) for column in centred.T], axis=-1)  # (folds, levels, objectives)
    squares = np.stack([summed(column**2) for column in centred.T], axis=-1)
    share = _epsilon_squared(numbers.sum(0), sums.sum(0), squares.sum(0))
    left = np.stack(
        [
            _epsilon_squared(numbers.sum(0) - numbers[fold], sums.sum(0) - sums[fold], squares.sum(0) - squares[fold])
            for fold in range(FOLDS)
        ]
    )
    error = np.sqrt((FOLDS - 1) / FOLDS * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    return share, error


def _epsilon_squared(numbers: np.ndarray, sums: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Return `(objectives,)` epsilon squared of `(levels,)` numbers, `(levels, objectives)` sums and squares."""
    there = numbers > 0
    rows, levels = numbers.sum(), int(there.sum())
    total = squares.sum(0) - sums.sum(0) ** 2 / rows
    within = squares.sum(0) - (sums[there] ** 2 / numbers[there, None]).sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share: np.ndarray = 1 - (within / (rows - levels)) / (total / (rows - 1))
    return share
