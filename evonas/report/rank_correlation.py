"""Rank correlation: how alike two chips order the same networks, as Kendall's tau."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import kendalltau

from evonas.engine.view import Row
from evonas.objective import score
from evonas.runfile.sweep_chip import Chip

LOW = 0.7
"""Below this tau, more than 15 of 100 pairs of networks have another order on the other chip."""

FEWEST = 5
"""Fewest networks of which a correlation is reported."""


@dataclass(frozen=True)
class RankCorrelation:
    """How alike two chips order the networks by one quantity.

    Attributes:
        quantity: Name of the objective that ranks, such as `"energy"`.
        profiles: The two chips.
        networks: Networks that have a value on both.
        tau: Kendall's tau-b, from -1 to 1; None where there are too few networks or all are the same.
    """

    quantity: str
    profiles: tuple[str, str]
    networks: int
    tau: float | None

    @property
    def is_low(self) -> bool:
        """Whether the orders differ so much that readers are warned."""
        return self.tau is not None and self.tau < LOW


def rank_correlations(chips: Sequence[Chip], rows: Sequence[Row], *, quantity: str) -> list[RankCorrelation]:
    """Return the rank correlation of each pair of chips; of each network the row with the longest training counts."""
    longest: dict[str, Row] = {}
    for row in rows:
        known = longest.get(row.job.genotype.key)
        if row.is_scored and (known is None or known.job.rung < row.job.rung):
            longest[row.job.genotype.key] = row
    measurements = [row.evaluation.measurement for row in longest.values()]
    columns = {
        chip.name: np.array([score(one, [chip.priced[quantity]]).values[0] for one in measurements], dtype=float)
        for chip in chips
        if quantity in chip.priced
    }
    return [
        RankCorrelation(quantity, (a, b), *kendall_tau(columns[a], columns[b]))
        for a, b in itertools.combinations(columns, 2)
    ]


def kendall_tau(a: np.ndarray, b: np.ndarray) -> tuple[int, float | None]:
    """Return the number of networks with both values, and their tau-b, None where it is not defined.

    Args:
        a: `(networks,)` values on one chip, NaN where there is none.
        b: `(networks,)` values on another.

    Source: Kendall, The treatment of ties in ranking problems, Biometrika 33(3), 1945.
    """
    both = np.isfinite(a) & np.isfinite(b)
    count = int(both.sum())
    if count < FEWEST or np.ptp(a[both]) == 0 or np.ptp(b[both]) == 0:
        return count, None
    return count, float(kendalltau(a[both], b[both]).statistic)
