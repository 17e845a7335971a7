"""Number of parameters: the baseline that any other score has to beat."""

from __future__ import annotations

from torch import Tensor

from evonas.snn.network import Network


def score(network: Network, inputs: Tensor) -> float:
    """Return the number of trainable weights and biases; `inputs` are not read."""
    return float(sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad))
