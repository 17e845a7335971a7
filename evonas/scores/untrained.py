"""What a score is: a number for a network that was just made, from its answer to a few samples."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from evonas.snn.network import Network


class UntrainedScore(Protocol):
    """Scores an untrained network: the higher, the better it is expected to become."""

    def __call__(self, network: Network, inputs: Tensor, /) -> float:
        """Return the score.

        Args:
            network: A network that was just made, in training mode. It belongs to the score, which may change it.
            inputs: `(time, batch, channels, height, width)` samples; a static image has time 1.

        Raises:
            EvonasError: If such a network has no score. One that is no finite number is none either.
        """
