"""Batch norm within a loop, where a time step cannot wait for the statistics of later ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm

LOOP_EPS = 1e-2
"""Added to variances. Statistics lag behind by a batch here, so that sources which were silent must not be amplified
without bound as soon as they spike: at most tenfold."""


class LoopNorm(nn.BatchNorm2d):
    """Batch norm with the running statistics, while training as well; these are of all time steps, as outside of loops.

    Statistics of each step on its own would not be those of the evaluation: the first step, into which nothing has come
    back yet, would be normalised by a variance of zero. Here training and evaluation do the same, and norms can be
    folded into weights as everywhere. Gradients reach the input, and not through the statistics. `close` moves the
    running statistics towards those of the steps since the last call.

    Args:
        channels: Number of channels.
    """

    if TYPE_CHECKING:
        running_mean: Tensor
        running_var: Tensor
        num_batches_tracked: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=LOOP_EPS)
        self._steps: list[Tensor] = []

    def forward(self, input: Tensor) -> Tensor:
        """Return the `(batch, c, h, w)` input of one time step, normalised."""
        if self.training:
            self._steps.append(input.detach())
        return batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)

    def close(self) -> None:
        """Take the statistics of the steps since the last call into the running ones."""
        if not self._steps:
            return
        variance, mean = torch.var_mean(torch.cat(self._steps), (0, 2, 3))
        self._steps.clear()
        self.num_batches_tracked = self.num_batches_tracked + 1
        share = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean = self.running_mean.lerp(mean, share)
        self.running_var = self.running_var.lerp(variance, share)


def with_loop_norms(operation: nn.Module) -> nn.Module:
    """Return an operation that was just made, its batch norms replaced by those of loops."""
    for parent in list(operation.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                norm = LoopNorm(child.num_features)
                norm.load_state_dict(child.state_dict())
                setattr(parent, name, norm)
    return operation


def close_norms(operation: nn.Module) -> None:
    """Let the norms of an operation take in what they have seen since the last call."""
    for module in operation.modules():
        if isinstance(module, LoopNorm):
            module.close()
