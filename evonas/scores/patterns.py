"""Firing patterns: which neurons answer to which sample, compared for all pairs of samples, layer by layer."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from evonas.errors import EvonasError
from evonas.snn.network import Network

_EXACT = 2**24
"""Below this, counts are exact in float32."""

Kernel = Callable[[Tensor, Tensor, int], Tensor]
"""`kernel(distance, expected, neurons)` returns a `(batch, batch)` float64 matrix for one layer at one time step:
`distance` is the Hamming distance of the patterns of two samples, `expected` the one that independent patterns of the
same numbers of ones would have, both `(batch, batch)` float64."""


class Patterns:
    """Sums a kernel over the layers and time steps of a network: an observer, handed to `Network.forward`.

    A neuron's bit is whether its output is not zero. Layers are all populations of neurons, spiking and analog ones;
    readouts, and relays, which are no neurons, are left out. A static layer counts once for each time step.

    Args:
        network: The network that will be seen.
        kernel: What is summed.

    Attributes:
        total: `(batch, batch)` float64 sum; None before anything was seen.
        terms: Layers times time steps that it is a sum of.
    """

    def __init__(self, network: Network, kernel: Kernel) -> None:
        self.total: Tensor | None = None
        self.terms = 0
        self._kernel = kernel
        self._time_steps = network.plan.time_steps
        self._layers = {
            layer.name for layer in network.plan.populations if layer.dynamics.kind not in ("readout", "relay")
        }

    def see(self, name: str, output: Tensor) -> None:
        """Add the kernels of the `(time, batch, ...)` output of population `name`."""
        if name not in self._layers:
            return
        weight = self._time_steps // len(output)
        for at_step in output.detach():
            distance, expected, neurons = compared(at_step.flatten(1) != 0)
            added = weight * self._kernel(distance, expected, neurons)
            self.total = added if self.total is None else self.total + added
            self.terms += weight

    def updates(self, name: str, *, device: torch.device | None = None) -> Tensor:
        """Return `(time,)` counts that nobody reads."""
        return torch.zeros(self._time_steps, dtype=torch.int64, device=device)


def compared(patterns: Tensor) -> tuple[Tensor, Tensor, int]:
    """Return distance and expected distance of all pairs of patterns, both `(batch, batch)` float64, and the neurons.

    With `n` neurons, of which samples `i` and `j` have `a` and `b` that answer, independent patterns differ in
    `n * (a / n * (1 - b / n) + (1 - a / n) * b / n)` = `a + b - 2 * a * b / n` of them. Counts are whole numbers and
    exact; everything behind them is float64.

    Args:
        patterns: `(batch, neurons)` bits.
    """
    neurons = patterns.shape[1]
    bits = patterns.float() if neurons < _EXACT else patterns.double()
    ones = bits.sum(1).double()
    either = ones[:, None] + ones[None, :]
    return either - 2 * (bits @ bits.T).double(), either - 2 * ones[:, None] * ones[None, :] / neurons, neurons


@torch.no_grad()
def seen(network: Network, inputs: Tensor, kernel: Kernel) -> Patterns:
    """Return the patterns of a network on samples, in the mode that it is in.

    Raises:
        EvonasError: If it has no neurons.
    """
    patterns = Patterns(network, kernel)
    network(inputs, patterns)
    if patterns.total is None:
        raise EvonasError("The network has no neurons between data and readout, so that there are no patterns.")
    return patterns


def log_determinant(matrix: Tensor) -> float:
    """Return the logarithm of the absolute determinant of a float64 matrix, `-inf` where it is singular."""
    return float(torch.linalg.slogdet(matrix)[1])
