"""Gaussian processes: what networks that were never measured may cost, from those that were.

Source: C. E. Rasmussen and C. K. I. Williams, Gaussian Processes for Machine Learning, 2006, algorithm 2.1; the scale
of the values is the one of largest likelihood.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import solve_triangular

DECAYS = (0.03, 0.06, 0.12, 0.25, 0.5, 1.0)
NOISES = (0.01, 0.1)
"""Where the search for the likeliest kernel begins: a grid, all variables alike."""

STEP = 3.0
"""Factor by which the decay of a variable, or the noise, is changed to see whether that is likelier."""

SMALL_STEP = 1.6
"""The same for all decays at once."""

DECAY_RANGE = (3e-3, 4.0)
NOISE_RANGE = (1e-3, 1.0)

JITTER = 1e-6
"""Added to the variances of a sample, against rounding."""


@dataclass(frozen=True)
class Kernel:
    """How alike two networks are expected to be: `exp(-sum of decay * squared distance)` over the variables.

    Attributes:
        decays: `(variables,)`.
        noise: Variance of what repeats with no network, in units of the variance of all.
    """

    decays: tuple[float, ...]
    noise: float


class GaussianProcess:
    """Regression of one value.

    Args:
        places: `(networks, coordinates)`.
        values: `(networks,)`.
        kernel: How alike they are expected to be.
        owners: `(coordinates,)` index of the variable of each coordinate.
    """

    def __init__(self, places: np.ndarray, values: np.ndarray, *, kernel: Kernel, owners: np.ndarray) -> None:
        self._weights = np.sqrt(np.array(kernel.decays)[owners])
        self._places = places * self._weights
        covariance = np.exp(-_squared_distances(self._places, self._places))
        covariance[np.diag_indices(len(places))] += kernel.noise
        self._factor = np.linalg.cholesky(covariance)
        self._mean, spread = float(values.mean()), float(values.std())
        self._unit = spread if spread > 0 else 1.0
        self._whitened = self._solved((values - self._mean) / self._unit)
        self._scale = max(float(self._whitened @ self._whitened) / len(values), 1e-9)
        self._noise = kernel.noise

    @property
    def log_likelihood(self) -> float:
        """Log marginal likelihood of the values, up to a constant."""
        return -0.5 * len(self._whitened) * math.log(self._scale) - float(np.log(np.diag(self._factor)).sum())

    @property
    def noise_variance(self) -> float:
        """Variance of what repeats with no network."""
        return self._noise * self._scale * self._unit**2

    @cached_property
    def fitted(self) -> np.ndarray:
        """`(networks,)` means at the places that it was made of: the values without their noise."""
        return self._mean_at(self._solved(np.exp(-_squared_distances(self._places, self._places))))

    def at(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return `(places,)` means and their `(places, places)` covariance at `(places, coordinates)`."""
        weighted = places * self._weights
        halfway = self._solved(np.exp(-_squared_distances(self._places, weighted)))
        covariance = np.exp(-_squared_distances(weighted, weighted)) - halfway.T @ halfway
        return self._mean_at(halfway), self._scale * self._unit**2 * covariance

    def sample(self, places: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return `(places,)` values of one function that agrees with what was seen, drawn from all that do."""
        means, covariance = self.at(places)
        covariance[np.diag_indices(len(places))] += JITTER * self._unit**2 * max(self._scale, 1.0)
        drawn: np.ndarray = means + np.linalg.cholesky(covariance) @ rng.standard_normal(len(places))
        return drawn

    def _mean_at(self, halfway: np.ndarray) -> np.ndarray:
        mean: np.ndarray = self._mean + self._unit * (halfway.T @ self._whitened)
        return mean

    def _solved(self, right: np.ndarray) -> np.ndarray:
        solution: np.ndarray = solve_triangular(self._factor, right, lower=True, check_finite=False)
        return solution


def likelier_kernel(
    places: np.ndarray, values: np.ndarray, *, owners: np.ndarray, known: Kernel | None, rng: np.random.Generator
) -> Kernel:
    """Return a kernel under which the values are likelier than under `known`, or that one: one round of ascent.

    Each variable's decay is tried once, larger or smaller by chance, then the noise and all decays both ways. Where
    none is known the round begins from the likeliest of a small grid.
    """

    def likelihood(kernel: Kernel) -> float:
        return GaussianProcess(places, values, kernel=kernel, owners=owners).log_likelihood

    variables = int(owners.max()) + 1
    grid = [Kernel((decay,) * variables, noise) for decay in DECAYS for noise in NOISES] if known is None else [known]
    best, value = max(((kernel, likelihood(kernel)) for kernel in grid), key=lambda entry: entry[1])
    signs = rng.choice((-1.0, 1.0), variables)
    moves = [(np.where(np.arange(variables) == v, STEP ** signs[v], 1.0), 1.0) for v in rng.permutation(variables)]
    same = np.ones(variables)
    moves += [(same, STEP), (same, 1 / STEP), (same * SMALL_STEP, 1.0), (same / SMALL_STEP, 1.0)]
    for factors, noise in moves:
        tried = Kernel(
            tuple(np.clip(np.array(best.decays) * factors, *DECAY_RANGE).tolist()),
            float(np.clip(best.noise * noise, *NOISE_RANGE)),
        )
        if (found := likelihood(tried)) > value:
            best, value = tried, found
    return best


def _squared_distances(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    lengths = (some**2).sum(1)[:, None] + (others**2).sum(1)[None, :]
    distances: np.ndarray = np.maximum(lengths - 2.0 * some @ others.T, 0.0)
    return distances
