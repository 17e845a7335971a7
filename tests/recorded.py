"""A network run with its counts."""

from __future__ import annotations

from torch import Tensor

from evonas.measurement import Activity
from evonas.snn.network import Network


def recorded(network: Network, data: Tensor) -> tuple[Tensor, Activity]:
    """Return the logits of one batch, and the exact counts of it."""
    recorder = network.recorder()
    return network(data, recorder), recorder.activity()
