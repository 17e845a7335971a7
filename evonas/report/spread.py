"""Spread: whether two groups of runs differ by more than their seeds do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import stdtrit

from evonas.report.seed_group import SeedGroup

CONFIDENCE = 0.95
"""Probability with which the intervals of all pairs together hold what is true."""


@dataclass(frozen=True)
class Difference:
    """The difference in hypervolume between two groups of runs that differ only in their seed.

    Attributes:
        larger: The group with the larger mean.
        smaller: The other one.
        value: The difference of the means.
        margin: Half the width of its interval; None where no group has several seeds, so that nothing tells the spread.
    """

    larger: SeedGroup
    smaller: SeedGroup
    value: float
    margin: float | None

    @property
    def is_more_than_spread(self) -> bool | None:
        """Whether the interval leaves out zero; None where there is none."""
        return None if self.margin is None else self.value > self.margin

    def sentence(self) -> str:
        """Return what differs by how much, and whether seeds alone may do that, for people."""
        names = f"{self.larger.label} and {self.smaller.label}"
        if self.value == 0.0:
            return f"The hypervolumes of {names} are equal on average."
        text = (
            f"The hypervolume of {self.larger.label} is larger than that of {self.smaller.label} by {self.value:.3g} "
            f"({self.larger.hypervolumes.mean():.4g} against {self.smaller.hypervolumes.mean():.4g}"
        )
        if self.margin is None:
            return (
                f"{text}), each from one seed, so that nothing tells how far seeds spread: search both from others as "
                "well, such as with --set search.seed=1."
            )
        seeds = [len(group.runs) for group in (self.larger, self.smaller)]
        only = next((group for group in (self.larger, self.smaller) if len(group.runs) > 1), None)
        borrowed = f", the spread of {only.label} taken for both" if only is not None and 1 in seeds else ""
        verdict = "" if self.is_more_than_spread else "not "
        interval = f"{self.value - self.margin:.3g} to {self.value + self.margin:.3g}{borrowed}"
        return (
            f"{text}, means of {seeds[0]} and {seeds[1]} seeds), with a {CONFIDENCE * 100:.0f} % interval of "
            f"{interval}: the difference is {verdict}more than the spread over seeds."
        )


def differences(groups: Sequence[SeedGroup]) -> tuple[Difference, ...]:
    """Return the difference of each pair of groups, the largest first.

    The interval is Welch's of two means (B. L. Welch, The generalization of "Student's" problem when several different
    population variances are involved, Biometrika 34, 1947); where one group is a single run, Student's with the
    variance of the other. All pairs together keep `CONFIDENCE`, by Bonferroni's inequality.
    """
    pairs = list(combinations(groups, 2))
    found = [_difference(one, other, confidence=1 - (1 - CONFIDENCE) / len(pairs)) for one, other in pairs]
    return tuple(sorted(found, key=lambda difference: -difference.value))


def _difference(one: SeedGroup, other: SeedGroup, *, confidence: float) -> Difference:
    larger, smaller = sorted((one, other), key=lambda group: -group.hypervolumes.mean())
    value = float(larger.hypervolumes.mean() - smaller.hypervolumes.mean())
    return Difference(larger, smaller, value, _margin(larger.hypervolumes, smaller.hypervolumes, confidence))


def _margin(first: np.ndarray, second: np.ndarray, confidence: float) -> float | None:
    """Return half the width of the interval of the difference of two means, of `(seeds,)` values each."""
    samples = [values for values in (first, second) if len(values) > 1]
    if not samples:
        return None
    if len(samples) == 1:  # a single run spreads as the others do
        error = math.sqrt(samples[0].var(ddof=1) * (1 / len(first) + 1 / len(second)))
        freedom = float(len(samples[0]) - 1)
    else:
        squares = [values.var(ddof=1) / len(values) for values in samples]
        error = math.sqrt(sum(squares))
        parts = sum(square**2 / (len(values) - 1) for square, values in zip(squares, samples, strict=True))
        freedom = sum(squares) ** 2 / parts if parts else 1.0
    return float(stdtrit(freedom, (1 + confidence) / 2)) * error
