"""Hamming distance: how different the firing patterns of samples are, whatever the firing rates."""

from __future__ import annotations

from torch import Tensor

from evonas.scores.patterns import log_determinant, seen
from evonas.snn.network import Network


def score(network: Network, inputs: Tensor) -> float:
    """Return the logarithm of the determinant of the kernel `neurons - distance`, summed over layers and time steps.

    Source: NASWOT (Mellor et al., ICML 2021), on the patterns of each time step, as SNASNet (Kim et al.,
    ECCV 2022) does to compare with it. In float64: the sum over large layers has few digits left in float32.
    """
    total = seen(network, inputs, _kernel).total
    assert total is not None
    return log_determinant(total)


def _kernel(distance: Tensor, expected: Tensor, neurons: int) -> Tensor:
    return neurons - distance
