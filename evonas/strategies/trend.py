"""Trends: costs as a linear function of what is known of networks before they are evaluated."""

from __future__ import annotations

import numpy as np

RIDGE = 1.0
"""Penalty on the slopes, in units in which each trait has a variance of 1: with few rows, slopes are small."""


class Trend:
    """Ridge regression of costs on traits.

    Args:
        traits: `(rows, traits)`.
        costs: `(rows, objectives)` of the same networks.
    """

    def __init__(self, traits: np.ndarray, costs: np.ndarray) -> None:
        self._means, self._units = traits.mean(0), np.maximum(traits.std(0), 1e-6)
        self._level = costs.mean(0)
        inputs = self._scaled(traits)
        penalised = inputs.T @ inputs + RIDGE * np.eye(inputs.shape[1])
        self._slopes = np.linalg.solve(penalised, inputs.T @ (costs - self._level))  # (traits, objectives)

    def at(self, traits: np.ndarray) -> np.ndarray:
        """Return the `(networks, objectives)` costs that the trend has at `(networks, traits)`."""
        return np.asarray(self._level + self._scaled(traits) @ self._slopes)

    def _scaled(self, traits: np.ndarray) -> np.ndarray:
        return np.asarray((traits - self._means) / self._units)
