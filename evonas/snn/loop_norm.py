"""Norms within a loop, where a time step cannot wait for the statistics of later ones."""

from __future__ import annotations

from typing import Any

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
        self.has_input = True  # whether anything has arrived, which makes no difference here
        self._operation = (operation,)  # in a tuple: it is no part of this module
        self._factors: Tensor | None = None

    def lengths(self) -> Tensor:
        """Return the `(c,)` lengths of the weights of the channels, which are divided by."""
        weight = self._operation[0].weight
        assert weight is not None
        lengths: Tensor = torch.linalg.vector_norm(weight.flatten(1), dim=1).clamp(min=1e-6)
        return lengths

    def factors(self) -> Tensor:
        """Return the `(c, 1, 1)` factors of the channels."""
        return (self.weight / self.lengths())[:, None, None]

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

    Within a loop the running statistics see the mean over the steps of a batch, once a batch; in the released code of
    SNASNet they see each step, so that the last ones count most. Until the delay of its connection has passed there is
    nothing to read but zeros, which are no statistics and meet the running ones.

    Source: the batch norm of a network that is stepped as a whole, as in SNASNet (Kim et al., ECCV 2022).

    Args:
        replaced: The batch norm, whose factors and biases are taken over.
    """

    def __init__(self, replaced: nn.BatchNorm2d) -> None:
        super().__init__(replaced.num_features, eps=replaced.eps, momentum=replaced.momentum)
        self.load_state_dict(replaced.state_dict())
        self.has_input = True
        self._steps: list[tuple[Tensor, Tensor]] | None = None

    def open(self) -> None:
        """Take the statistics of each step from now on, until `close`."""
        self._steps = []

    def close(self) -> None:
        """Let the running statistics see the mean of those of the steps."""
        steps, self._steps = self._steps, None
        if not steps:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        part = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
        for running, seen in zip((self.running_mean, self.running_var), zip(*steps, strict=True), strict=True):
            assert running is not None
            running.lerp_(torch.stack(seen).mean(0), part)

    def forward(self, current: Tensor) -> Tensor:
        """Return the `(batch, c, h, w)` current, normalised."""
        if self._steps is None:
            return super().forward(current)
        if not (self.training and self.has_input):
            assert self.running_mean is not None
            assert self.running_var is not None
            mean, variance = self.running_mean.clone(), self.running_var.clone()  # `close` changes them before backward
            return batch_norm(current, mean, variance, self.weight, self.bias, eps=self.eps)
        mean, variance = torch.zeros_like(self.bias.detach()), torch.ones_like(self.bias.detach())
        self._steps.append((mean, variance))  # with a momentum of 1 they become those of the step
        return batch_norm(current, mean, variance, self.weight, self.bias, training=True, momentum=1.0, eps=self.eps)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to save or copy."""
        return {**self.__dict__, "_steps": None}


def with_loop_norms(operation: nn.Module, loop_norm: str) -> nn.Module:
    """Return an operation that was just made, its batch norms replaced by those of loops.

    Args:
        operation: The operation.
        loop_norm: One of `LOOP_NORMS`.
    """
    for parent in list(operation.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                made = StepNorm(child) if loop_norm == "steps" else LoopNorm(operation, child)  # type: ignore[arg-type]
                setattr(parent, name, made)
    return operation


def loop_norms(operation: nn.Module) -> list[LoopNorm | StepNorm]:
    """Return the norms of an operation that are those of loops."""
    return [module for module in operation.modules() if isinstance(module, LoopNorm | StepNorm)]
