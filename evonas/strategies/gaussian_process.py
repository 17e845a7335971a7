"""A forecast: what networks that were never measured may cost, from those that were."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.linalg import solve_triangular

from evonas.space import Space
from evonas.variables import Choice, Integer, LogReal, Real, Scalar

NUMERIC_SPAN = 2.0
"""Distance between the ends of a numeric variable, where two different choices are at distance 1."""

DECAYS = (0.03, 0.06, 0.12, 0.25, 0.5, 1.0)
NOISES = (1e-2, 1e-1)


def position(space: Space, genotype: Mapping[str, Scalar]) -> np.ndarray:
    """Return the `(dimensions,)` place of a genotype.

    The squared distance of two places is the number of choices that differ, plus the squared differences of numbers
    on their (logarithmic) axes. A variable without a value has a place of its own. Variables of a user's own kind have
    no distances (`has_distances`), and no part in it.
    """
    place: list[float] = []
    for name, variable in space.variables.items():
        value = genotype.get(name)
        if isinstance(variable, Choice):
            place += [math.sqrt(0.5) * (value is not None and value == known) for known in variable.values]
        elif isinstance(variable, Real | LogReal | Integer):
            place.append(-NUMERIC_SPAN if value is None else NUMERIC_SPAN * _along(variable, float(value)))
    return np.array(place)


def has_distances(space: Space) -> bool:
    """Return whether every variable is of a kind whose values have distances."""
    return all(isinstance(variable, Choice | Real | LogReal | Integer) for variable in space.variables.values())


def _along(variable: Real | LogReal | Integer, value: float) -> float:
    low, high = float(variable.low), float(variable.high)
    if isinstance(variable, LogReal):
        low, high, value = math.log(low), math.log(high), math.log(value)
    return (value - low) / (high - low) if high > low else 0.0


@dataclass(frozen=True)
class Kernel:
    """How alike two networks are expected to be: `exp(-decay * squared distance)`, and the part that is noise."""

    decay: float
    noise: float


class Forecast:
    """Gaussian process regression of several values with one kernel.

    Source: C. E. Rasmussen and C. K. I. Williams, Gaussian Processes for Machine Learning, 2006, algorithm 2.1; the
    scale of each value is the one of largest likelihood.

    Args:
        places: `(networks, dimensions)`.
        values: `(networks, values)`.
        kernel: Likeness of networks.
    """

    def __init__(self, places: np.ndarray, values: np.ndarray, *, kernel: Kernel) -> None:
        likeness = np.exp(-kernel.decay * _squared_distances(places, places))
        likeness[np.diag_indices(len(places))] += kernel.noise
        self._places = places
        self._kernel = kernel
        self._factor = np.linalg.cholesky(likeness)
        self._mean = values.mean(0)
        spread = values.std(0)
        self._unit = np.where(spread > 0, spread, 1.0)
        self._whitened = solve_triangular(self._factor, (values - self._mean) / self._unit, lower=True)
        self._scales = np.maximum((self._whitened**2).mean(0), 1e-12)

    @property
    def log_likelihood(self) -> float:
        """Log marginal likelihood of the values, up to a constant."""
        rows, columns = self._whitened.shape
        spread = float(np.log(np.diag(self._factor)).sum())
        return float(-0.5 * rows * np.log(self._scales).sum() - columns * spread)

    def at(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return `(places, values)` means and standard deviations at `(places, dimensions)`."""
        likeness = np.exp(-self._kernel.decay * _squared_distances(places, self._places))
        halfway = solve_triangular(self._factor, likeness.T, lower=True)
        unknown = np.maximum(1.0 - (halfway**2).sum(0), 1e-9)
        means = halfway.T @ self._whitened
        deviations = np.sqrt(unknown[:, None] * self._scales[None, :])
        return self._mean + self._unit * means, self._unit * deviations


def likeliest_kernel(places: np.ndarray, values: np.ndarray) -> Kernel:
    """Return the kernel of a small grid under which `values` are most likely."""
    kernels = [Kernel(decay, noise) for decay, noise in product(DECAYS, NOISES)]
    return max(kernels, key=lambda kernel: Forecast(places, values, kernel=kernel).log_likelihood)


def _squared_distances(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    lengths = (some**2).sum(1)[:, None] + (others**2).sum(1)[None, :]
    distances: np.ndarray = np.maximum(lengths - 2.0 * some @ others.T, 0.0)
    return distances
