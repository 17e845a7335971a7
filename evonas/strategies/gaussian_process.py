"""Gaussian processes: what networks that were never measured may cost, from those that were.

Source: C. E. Rasmussen and C. K. I. Williams, Gaussian Processes for Machine Learning, 2006, algorithm 2.1; the scale
of the values is the one of largest likelihood.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dtrtrs

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
    """Regression of one value: made of places, to which more may be added, then given the values that were seen there.

    Adding a place takes time in the square of the number of places, not in its cube. The last bits of a result depend
    on the order in which places were added: add them in the same order to get the same bits again.

    Args:
        places: `(networks, coordinates)`.
        kernel: How alike they are expected to be.
        owners: `(coordinates,)` index of the variable of each coordinate.
    """

    def __init__(self, places: np.ndarray, *, kernel: Kernel, owners: np.ndarray) -> None:
        self._weights = np.sqrt(np.array(kernel.decays)[owners])
        self._noise = kernel.noise
        self._places = places * self._weights
        self._likeness = np.exp(-_squared_distances(self._places, self._places))
        self._factor = np.linalg.cholesky(self._likeness + self._noise * np.eye(len(places)))
        self.see(np.zeros(len(places)))

    def add(self, place: np.ndarray) -> None:
        """Take one more `(coordinates,)` place."""
        weighted = (place * self._weights)[None]
        likeness = np.exp(-_squared_distances(self._places, weighted))[:, 0]
        row = _solved(self._factor, likeness)
        size = len(likeness)
        factor = np.zeros((size + 1, size + 1))
        factor[:size, :size], factor[size, :size] = self._factor, row
        factor[size, size] = math.sqrt(max(1.0 + self._noise - float(row @ row), 1e-12))
        whole = np.ones((size + 1, size + 1))
        whole[:size, :size], whole[size, :size], whole[:size, size] = self._likeness, likeness, likeness
        self._places, self._likeness, self._factor = np.vstack([self._places, weighted]), whole, factor

    def see(self, values: np.ndarray) -> None:
        """Take the `(networks,)` values at the places."""
        self._mean, spread = float(values.mean()), float(values.std())
        self._unit = spread if spread > 0 else 1.0
        self._whitened = _solved(self._factor, (values - self._mean) / self._unit)
        self._scale = max(float(self._whitened @ self._whitened) / len(values), 1e-9)

    @property
    def log_likelihood(self) -> float:
        """Log marginal likelihood of the values, up to a constant."""
        return _log_likelihood(self._factor, self._whitened)

    @property
    def noise_variance(self) -> float:
        """Variance of what repeats with no network."""
        return self._noise * self._scale * self._unit**2

    @property
    def fitted(self) -> np.ndarray:
        """`(networks,)` means at the places themselves: the values without their noise."""
        weights = _solved(self._factor, self._whitened, transposed=True)
        fitted: np.ndarray = self._mean + self._unit * (self._likeness @ weights)
        return fitted

    def at(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return `(places,)` means and their `(places, places)` covariance at `(places, coordinates)`."""
        weighted = places * self._weights
        halfway = _solved(self._factor, np.exp(-_squared_distances(self._places, weighted)))
        covariance = np.exp(-_squared_distances(weighted, weighted)) - halfway.T @ halfway
        return self._mean + self._unit * (halfway.T @ self._whitened), self._scale * self._unit**2 * covariance

    def sample(self, places: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return `(places,)` values of one function that agrees with what was seen, drawn from all that do."""
        means, covariance = self.at(places)
        covariance[np.diag_indices(len(places))] += JITTER * self._unit**2 * max(self._scale, 1.0)
        drawn: np.ndarray = means + np.linalg.cholesky(covariance) @ rng.standard_normal(len(places))
        return drawn


def likelier_kernel(
    places: np.ndarray, values: np.ndarray, *, owners: np.ndarray, known: Kernel | None, rng: np.random.Generator
) -> Kernel:
    """Return a kernel under which the values are likelier than under `known`, or that one: one round of ascent.

    Each variable's decay is tried once, larger or smaller by chance, then the noise and all decays both ways. Where
    none is known the round begins from the likeliest of a small grid.
    """
    variables = int(owners.max()) + 1
    distances = np.array(
        [_squared_distances(part, part) for part in (places[:, owners == v] for v in range(variables))]
    )
    spread = float(values.std())
    scaled = (values - values.mean()) / (spread if spread > 0 else 1.0)

    def likelihood(kernel: Kernel) -> float:
        likeness = np.exp(-np.tensordot(np.array(kernel.decays), distances, axes=1))
        factor = np.linalg.cholesky(likeness + kernel.noise * np.eye(len(values)))
        return _log_likelihood(factor, _solved(factor, scaled))

    grid = [Kernel((decay,) * variables, noise) for decay in DECAYS for noise in NOISES] if known is None else [known]
    best, value = max(((kernel, likelihood(kernel)) for kernel in grid), key=lambda entry: entry[1])
    signs, same = rng.choice((-1.0, 1.0), variables), np.ones(variables)
    moves = [(np.where(np.arange(variables) == v, STEP ** signs[v], 1.0), 1.0) for v in rng.permutation(variables)]
    moves += [(same, STEP), (same, 1 / STEP), (same * SMALL_STEP, 1.0), (same / SMALL_STEP, 1.0)]
    for factors, noise in moves:
        tried = Kernel(
            tuple(np.clip(np.array(best.decays) * factors, *DECAY_RANGE).tolist()),
            float(np.clip(best.noise * noise, *NOISE_RANGE)),
        )
        if (reached := likelihood(tried)) > value:
            best, value = tried, reached
    return best


def _log_likelihood(factor: np.ndarray, whitened: np.ndarray) -> float:
    scale = max(float(whitened @ whitened) / len(whitened), 1e-9)
    return -0.5 * len(whitened) * math.log(scale) - float(np.log(np.diag(factor)).sum())


def _solved(factor: np.ndarray, right: np.ndarray, *, transposed: bool = False) -> np.ndarray:
    """Return the solution of a lower triangular system, or of the transposed one."""
    solution, _ = dtrtrs(factor.T, right, lower=0, trans=0 if transposed else 1)  # LAPACK reads columns: no copy
    return np.asarray(solution)


def _squared_distances(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    lengths = (some**2).sum(1)[:, None] + (others**2).sum(1)[None, :]
    distances: np.ndarray = np.maximum(lengths - 2.0 * some @ others.T, 0.0)
    return distances
