"""Sparsity-aware Hamming distance: how different the firing patterns of samples are, given their firing rates."""

from __future__ import annotations

import torch
from torch import Tensor

from evonas.scores.patterns import log_determinant, seen
from evonas.snn.network import Network

ALPHA = 0.5
"""What the ratio of a distance to the expected one is multiplied by, in both forms."""

_NEVER_ZERO = 1e-3


def score(network: Network, inputs: Tensor) -> float:
    """Return the score as the released code of SNASNet computes it.

    The kernel of a layer with `N` neurons at one time step is `N - 0.5 * distance / (expected + 0.001)`; the score is
    the logarithm of the determinant of its mean over layers and time steps.

    Source: SNASNet (Kim et al., ECCV 2022), released code. Departures: float64 throughout, because `N` leaves the
    second term a few digits in float32, and one batch in place of the mean of two.
    """
    patterns = seen(network, inputs, _released)
    assert patterns.total is not None
    return log_determinant(patterns.total / patterns.terms)


def printed(network: Network, inputs: Tensor) -> float:
    """Return the score as SNASNet prints it: the sum over layers and time steps, and nothing added to `expected`.

    Two samples to which no neuron answers, or all do, have the distance 0, where the quotient is undefined.

    Source: SNASNet (Kim et al., ECCV 2022), with `ALPHA` as in its code, in float64.
    """
    total = seen(network, inputs, _printed).total
    assert total is not None
    return log_determinant(total)


def _released(distance: Tensor, expected: Tensor, neurons: int) -> Tensor:
    return neurons - ALPHA * distance / (expected + _NEVER_ZERO)


def _printed(distance: Tensor, expected: Tensor, neurons: int) -> Tensor:
    return neurons - ALPHA * torch.where(expected > 0, distance / expected, 0.0)
