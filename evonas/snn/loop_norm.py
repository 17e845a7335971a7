"""Norm within a loop, where a time step cannot wait for the statistics of later ones: that of the weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from evonas.snn.operations import Operation

SPIKING = 0.15
"""Part of the inputs that spike: with so many, currents begin with the deviation of a batch norm, the gain."""


class LoopNorm(nn.Module):
    """Weight norm in the place of a batch norm: each channel is divided by the length of its weights, and scaled.

    Statistics of each step on its own would not be those of the evaluation, and those of all steps are not known within
    the first; running ones lag behind, which training does not survive. The length of the weights needs none:
    training and evaluation do the same, step by step or at once, and the norm can be folded into the weights.

    Source: Salimans and Kingma, Weight normalization (NeurIPS 2016).

    Args:
        operation: Whose weights are divided; the norm is a part of it.
        replaced: The batch norm, whose factors and biases are taken over.
    """

    def __init__(self, operation: Operation, replaced: nn.BatchNorm2d) -> None:
        super().__init__()
        self.weight = nn.Parameter(replaced.weight.detach() / (SPIKING * (1 - SPIKING)) ** 0.5)
        self.bias = nn.Parameter(replaced.bias.detach().clone())
        self._operation = (operation,)  # in a tuple: it is no part of this module
        self._factors: Tensor | None = None

    def factors(self) -> Tensor:
        """Return the `(c, 1, 1)` factors of the channels."""
        weight = self._operation[0].weight
        assert weight is not None
        length = torch.linalg.vector_norm(weight.flatten(1), dim=1)
        factors: Tensor = self.weight / length.clamp(min=1e-6)
        return factors[:, None, None]

    def open(self) -> None:
        """Keep the factors until `close`: they are the same at all time steps."""
        self._factors = self.factors()

    def close(self) -> None:
        """Forget the factors."""
        self._factors = None

    def forward(self, current: Tensor) -> Tensor:
        """Return the `(batch, c, h, w)` current, scaled and moved."""
        factors = self.factors() if self._factors is None else self._factors
        return current * factors + self.bias[:, None, None]

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to save or copy."""
        return {**self.__dict__, "_factors": None}


def with_loop_norms(operation: nn.Module) -> nn.Module:
    """Return an operation that was just made, its batch norms replaced by those of loops."""
    for parent in list(operation.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, LoopNorm(operation, child))  # type: ignore[arg-type]
    return operation


def loop_norms(operation: nn.Module) -> list[LoopNorm]:
    """Return the norms of an operation that are those of loops."""
    return [module for module in operation.modules() if isinstance(module, LoopNorm)]
