"""The weights of a network as a chip holds them, norms folded in: looked at, changed for a while, or kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from evonas.snn.loop_norm import LoopNorm
from evonas.snn.network import Network
from evonas.snn.operations import Norm, elected


@dataclass(frozen=True, eq=False)
class ChipWeights:
    """The weights of one connection, or of one layer of a gate of attention, channels first.

    Attributes:
        holder: The module that has them in `weight`: a layer, or a norm that is a connection by itself.
        norm: What normalises the connection, None where nothing does.
        votes: Rows of the layer whose mean is the weights of a class.
    """

    holder: nn.Module
    norm: nn.BatchNorm2d | LoopNorm | None = None
    votes: int = 1

    @property
    def parameters(self) -> tuple[Tensor, ...]:
        """What holds them, and the factors of the norm."""
        own = cast(Tensor, self.holder.weight)
        return (own,) if self.norm is None or self.norm is self.holder else (own, self.norm.weight)

    def folded(self) -> Tensor:
        """Return the weights with the factors of the norm folded in, those of its running statistics."""
        whole = elected(self.parameters[0], self.votes)
        return whole * self._factors(whole)

    def show(self, weights: Tensor) -> None:
        """Let the folded weights be these, up to rounding; statistics and biases of the norm stay what they are.

        A norm of a loop that divides by the length of the weights keeps its factors.
        """
        whole = elected(self.parameters[0], self.votes)
        factors = self._factors(whole)
        moved = torch.where(factors == 0, 0.0, (weights - whole * factors) / factors)
        self.parameters[0].add_(moved.repeat_interleave(self.votes, dim=0))
        if isinstance(self.norm, LoopNorm):
            before = factors.flatten()
            self.norm.weight.mul_(torch.where(before == 0, 1.0, before / self.norm.factors().flatten()))

    def keep(self, weights: Tensor) -> None:
        """Hold these folded weights exactly; of the norm nothing but its bias in evaluation is left.

        A norm that is a connection by itself moves currents by their mean times its new weights, as `show` lets it.
        """
        norm = self.norm
        if isinstance(norm, nn.BatchNorm2d):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            factors = weights if norm is self.holder else norm.weight / (norm.running_var + norm.eps).sqrt()
            norm.bias.sub_(norm.running_mean * factors)
            norm.running_mean.zero_()
            norm.running_var.fill_(1 - norm.eps)
            norm.weight.fill_(1)
        self.parameters[0].copy_(weights.repeat_interleave(self.votes, dim=0))
        if isinstance(norm, LoopNorm):
            norm.weight.copy_(norm.lengths())  # so that the factors are 1

    def _factors(self, whole: Tensor) -> Tensor:
        """Return what the weights of each channel are multiplied by, one dimension for each of theirs."""
        norm = self.norm
        if norm is None:
            return whole.new_ones(())
        if isinstance(norm, LoopNorm):
            factors = norm.factors().flatten()
        else:
            assert norm.running_var is not None
            own = torch.ones_like(norm.weight) if norm is self.holder else norm.weight
            factors = own / (norm.running_var + norm.eps).sqrt()
        return factors.reshape(-1, *[1] * (whole.ndim - 1))


def chip_weights(network: Network) -> list[ChipWeights]:
    """Return the weights of all connections that have some which are not one constant."""
    return [one for operation in network.operations.values() for one in _of_operation(operation)]


def _of_operation(operation: nn.Module) -> list[ChipWeights]:
    if isinstance(operation, Norm):
        return [ChipWeights(operation.norm, operation.norm)]
    layers = [part for part in operation.modules() if isinstance(part, nn.Conv1d | nn.Conv2d | nn.Linear)]
    whole = cast(Tensor | None, operation.weight)  # None of gates, whose layers have no norms
    if whole is None:
        return [ChipWeights(layer) for layer in layers]
    norms = [part for part in operation.modules() if isinstance(part, nn.BatchNorm2d | LoopNorm)]
    return [ChipWeights(layer, next(iter(norms), None), votes=len(layer.weight) // len(whole)) for layer in layers]


@contextmanager
def weights_changed(network: Network, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Return a context in which the weights of each connection, as a chip holds them, are those that `change` returns.

    Factors of batch norms are those of the running statistics, in training too.

    Args:
        network: The network; afterwards it has its own weights again, or what was then made of them.
        change: Returns new weights of the same shape.
    """
    held = chip_weights(network)
    kept = [(parameter, parameter.detach().clone()) for one in held for parameter in one.parameters]
    try:
        with torch.no_grad():
            for one in held:
                one.show(change(one.folded()))
        yield
    finally:
        with torch.no_grad():
            for parameter, value in kept:
                parameter.copy_(value)
