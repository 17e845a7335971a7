"""The exponential average of the weights of a network over the steps of its training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class WeightAverage:
    """Averages what is trained in a network, and the running statistics of its norms.

    After step n the average keeps `min(decay, (1 + n) / (10 + n))` of itself, so that it soon forgets the weights as
    they were drawn.

    Source: Polyak and Juditsky, Acceleration of stochastic approximation by averaging, SIAM Journal on Control and
    Optimization 30, 1992, in the exponential form that is usual for networks.

    Args:
        network: The network.
        decay: What the average keeps of itself at each step, in [0, 1).
    """

    def __init__(self, network: nn.Module, *, decay: float) -> None:
        self._network, self._decay = network, decay
        self._values = [tensor.detach().clone() for tensor in self._tensors()]

    def _tensors(self) -> list[Tensor]:
        buffers = [buffer for buffer in self._network.buffers() if buffer.is_floating_point()]
        return [*(one for one in self._network.parameters() if one.requires_grad), *buffers]

    @torch.no_grad()
    def add(self, step: int) -> None:
        """Add the weights after the step of this number, counted from 1."""
        new = 1 - min(self._decay, (1 + step) / (10 + step))
        for value, tensor in zip(self._values, self._tensors(), strict=True):
            value.lerp_(tensor, new)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Return a context in which the network has its average weights."""
        own = [tensor.detach().clone() for tensor in self._tensors()]
        self._set(self._values)
        try:
            yield
        finally:
            self._set(own)

    @torch.no_grad()
    def _set(self, values: list[Tensor]) -> None:
        for tensor, value in zip(self._tensors(), values, strict=True):
            tensor.copy_(value)

    def state(self) -> list[Tensor]:
        """Return the average, which `take_up` takes."""
        return self._values

    @torch.no_grad()
    def take_up(self, state: Any) -> None:
        """Go on from the average of the same network."""
        for value, kept in zip(self._values, state, strict=True):
            value.copy_(kept)
