"""Gaussian process regression: predicts the costs of networks from those that were measured.

Source: C. E. Rasmussen and C. K. I. Williams, Gaussian Processes for Machine Learning, 2006, algorithm 2.1; the signal
variance is the one of maximum marginal likelihood.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dpotrf, dtrtrs

DECAYS = (0.03, 0.06, 0.12, 0.25, 0.5, 1.0)
NOISES = (0.01, 0.1)
"""Grid on which the search for the maximum marginal likelihood begins; all variables share one decay."""

STEP = 3.0
"""Factor by which the decay of one variable, or the noise, is changed in a step of the ascent."""

SMALL_STEP = 1.6
"""Factor by which all decays are changed at once."""

DECAY_RANGE = (3e-3, 4.0)
NOISE_RANGE = (1e-3, 1.0)

JITTER = 1e-6
"""Added to the diagonal of a covariance, so that its Cholesky factor exists in spite of rounding."""


@dataclass(frozen=True)
class Kernel:
    """Anisotropic squared exponential kernel: `exp(-sum over the variables of decay * squared distance)`, plus noise.

    Attributes:
        decays: `(variables,)` inverse squared length scales.
        noise: Noise variance, relative to the signal variance.
    """

    decays: tuple[float, ...]
    noise: float


class GaussianProcess:
    """Regression of one value: made of the inputs, to which more may be added, then given the values seen there.

    Adding a point takes time in the square of the number of points, not in its cube. The last bits of a result depend
    on the order in which points were added: add them in the same order to get the same bits again.

    Args:
        points: `(networks, coordinates)`.
        kernel: The kernel.
        owners: `(coordinates,)` index of the variable of each coordinate.
    """

    def __init__(self, points: np.ndarray, *, kernel: Kernel, owners: np.ndarray) -> None:
        self._weights = np.sqrt(np.array(kernel.decays)[owners])
        self._noise = kernel.noise
        self._points = points * self._weights
        self._similarity = _similarity(self._points, self._points)
        self._factor = _factor(self._similarity.copy(), noise=self._noise)
        self.see(np.zeros(len(points)))

    def add(self, point: np.ndarray) -> None:
        """Add one `(coordinates,)` point."""
        weighted = (point * self._weights)[None]
        similarity = _similarity(self._points, weighted)[:, 0]
        row = _solved(self._factor, similarity)
        size = len(similarity)
        factor, extended = np.empty((size + 1, size + 1)), np.empty((size + 1, size + 1))
        factor[:size, :size], factor[size, :size], factor[:size, size] = self._factor, row, 0.0
        factor[size, size] = math.sqrt(max(1.0 + self._noise - float(row @ row), 1e-12))
        extended[:size, :size], extended[size, :size], extended[:size, size] = self._similarity, similarity, similarity
        extended[size, size] = 1.0
        self._points, self._similarity, self._factor = np.vstack([self._points, weighted]), extended, factor

    def see(self, values: np.ndarray) -> None:
        """Set the `(networks,)` values at the points."""
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
        """Noise variance, in the squared unit of the values."""
        return self._noise * self._scale * self._unit**2

    @property
    def fitted(self) -> np.ndarray:
        """`(networks,)` posterior means at the points themselves: the values without their noise."""
        weights = _solved(self._factor, self._whitened, transposed=True)
        fitted: np.ndarray = self._mean + self._unit * (self._similarity @ weights)
        return fitted

    def at(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the `(points,)` posterior means at `(points, coordinates)` and their `(points, points)` covariance."""
        weighted = points * self._weights
        halfway = self._halfway(weighted)
        covariance = _similarity(weighted, weighted) - halfway.T @ halfway
        return self._means(halfway), self._scale * self._unit**2 * covariance

    def means_at(self, points: np.ndarray) -> np.ndarray:
        """Return the `(points,)` posterior means at `(points, coordinates)` alone, in less time than `at`."""
        return self._means(self._halfway(points * self._weights))

    def _halfway(self, weighted: np.ndarray) -> np.ndarray:
        """Return the `(networks, points)` solution of the factor for the similarity to weighted points."""
        return _solved(self._factor, _similarity(self._points, weighted))

    def _means(self, halfway: np.ndarray) -> np.ndarray:
        means: np.ndarray = self._mean + self._unit * (halfway.T @ self._whitened)
        return means

    def sample(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the `(points,)` values of one function that is drawn from the posterior."""
        means, covariance = self.at(points)
        factor = _factor(covariance, noise=JITTER * self._unit**2 * max(self._scale, 1.0))
        drawn: np.ndarray = means + factor @ rng.standard_normal(len(points))
        return drawn


def likelier_kernel(
    points: np.ndarray, values: np.ndarray, *, owners: np.ndarray, known: Kernel | None, rng: np.random.Generator
) -> Kernel:
    """Return a kernel of higher marginal likelihood than `known`, or `known` itself: one round of coordinate ascent.

    The decay of each variable is tried once, larger or smaller at random, then the noise and all decays both ways.
    Without a known kernel the round begins at the best of a small grid.
    """
    variables = int(owners.max()) + 1
    distances = np.array(
        [_squared_distances(part, part) for part in (points[:, owners == v] for v in range(variables))]
    )
    spread = float(values.std())
    scaled = (values - values.mean()) / (spread if spread > 0 else 1.0)

    def weighted(kernel: Kernel) -> np.ndarray:
        return np.tensordot(np.array(kernel.decays), distances, axes=1)

    def likelihood(total: np.ndarray, noise: float) -> float:
        factor = _factor(np.exp(-total), noise=noise)
        return _log_likelihood(factor, _solved(factor, scaled))

    grid = [Kernel((decay,) * variables, noise) for decay in DECAYS for noise in NOISES] if known is None else [known]
    best, value = max(((one, likelihood(weighted(one), one.noise)) for one in grid), key=lambda entry: entry[1])
    total = weighted(best)  # (networks, networks) squared distances; a move changes the part of few variables
    signs, unchanged = rng.choice((-1.0, 1.0), variables), np.ones(variables)
    moves = [(np.where(np.arange(variables) == v, STEP ** signs[v], 1.0), 1.0) for v in rng.permutation(variables)]
    moves += [(unchanged, STEP), (unchanged, 1 / STEP), (unchanged * SMALL_STEP, 1.0), (unchanged / SMALL_STEP, 1.0)]
    for factors, noise in moves:
        tried = Kernel(
            tuple(np.clip(np.array(best.decays) * factors, *DECAY_RANGE).tolist()),
            float(np.clip(best.noise * noise, *NOISE_RANGE)),
        )
        moved = total.copy()
        for v, (decay, former) in enumerate(zip(tried.decays, best.decays, strict=True)):
            if decay != former:
                moved += (decay - former) * distances[v]
        if (reached := likelihood(moved, tried.noise)) > value:
            best, value, total = tried, reached, moved
    return best


def _log_likelihood(factor: np.ndarray, whitened: np.ndarray) -> float:
    scale = max(float(whitened @ whitened) / len(whitened), 1e-9)
    return -0.5 * len(whitened) * math.log(scale) - float(np.log(np.diag(factor)).sum())


def _factor(similarity: np.ndarray, *, noise: float) -> np.ndarray:
    """Return the lower Cholesky factor of similarities with noise on their diagonal, in their place.

    Raises:
        LinAlgError: If they are no similarities: not positive definite.
    """
    similarity[np.diag_indices(len(similarity))] += noise
    upper, fault = dpotrf(similarity.T, lower=0, overwrite_a=1)  # LAPACK reads columns: no copy
    if fault:
        raise np.linalg.LinAlgError(f"The covariance of {len(similarity)} networks is not positive definite.")
    return np.asarray(upper.T)


def _solved(factor: np.ndarray, right: np.ndarray, *, transposed: bool = False) -> np.ndarray:
    """Return the solution of a lower triangular system, or of the transposed one."""
    solution, _ = dtrtrs(factor.T, right, lower=0, trans=0 if transposed else 1)  # LAPACK reads columns: no copy
    return np.asarray(solution)


def _similarity(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return `(some, others)` similarities of weighted points."""
    distances = _squared_distances(some, others)
    np.exp(np.negative(distances, out=distances), out=distances)
    return distances


def _squared_distances(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    # in place: memory that is taken anew takes more time than the arithmetic
    distances: np.ndarray = (some**2).sum(1)[:, None] + (others**2).sum(1)[None, :]
    distances -= 2.0 * some @ others.T
    np.maximum(distances, 0.0, out=distances)
    return distances
