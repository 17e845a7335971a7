"""Norms within a loop, where a time step cannot wait for the statistics of later ones."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm

from evonas.snn.operations import Operation

SPIKING = 0.15
"""Part of the inputs that spike: with so many, currents begin with the deviation of a batch norm, the gain."""


class LoopNorm(nn.Module):
    """Weight norm in the place of a batch norm: each channel is divided by the length of its weights, and scaled.

    Statistics of each step on its own are not those of the evaluation (`StepNorm` has them), and those of all steps are
    not known within the first; running ones lag behind, which training does not survive. The length of the weights
    needs none: training and evaluation do the same, step by step or at once, and the norm can be folded into the
    weights.

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


class StepNorm(nn.BatchNorm2d):
    """Batch norm of each time step on its own: training takes the statistics of the step, evaluation those of all.

    The running statistics are a mean over the steps: their momentum is that of a batch norm over the number of steps,
    where the released code of SNASNet has the whole at each step, so that the last steps count most. Until the delay of
    its connection has passed it reads nothing but zeros; these are no statistics, and meet the running ones.

    Source: the batch norm of a network that is stepped as a whole, as in SNASNet (Kim et al., ECCV 2022).

    Args:
        replaced: The batch norm, whose factors and biases are taken over.
        time_steps: Time steps of each sample.
    """

    def __init__(self, replaced: nn.BatchNorm2d, *, time_steps: int) -> None:
        assert replaced.momentum is not None
        super().__init__(replaced.num_features, eps=replaced.eps, momentum=replaced.momentum / time_steps)
        self.load_state_dict(replaced.state_dict())
        self.has_input = True

    def forward(self, current: Tensor) -> Tensor:
        """Return the `(batch, c, h, w)` current, normalised."""
        if self.has_input:
            return super().forward(current)
        return batch_norm(current, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


def with_loop_norms(operation: nn.Module, loop_norm: str, *, time_steps: int) -> nn.Module:
    """Return an operation that was just made, its batch norms replaced by those of loops.

    Args:
        operation: The operation.
        loop_norm: One of `LOOP_NORMS`.
        time_steps: Time steps of each sample.
    """
    for parent in list(operation.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                is_of_steps = loop_norm == "steps"
                made = StepNorm(child, time_steps=time_steps) if is_of_steps else LoopNorm(operation, child)  # type: ignore[arg-type]
                setattr(parent, name, made)
    return operation


N = TypeVar("N", bound=nn.Module)


def norms_of(operation: nn.Module, kind: type[N]) -> list[N]:
    """Return the norms of a kind within an operation."""
    return [module for module in operation.modules() if isinstance(module, kind)]
