"""The search of surrogate gradients while a network is trained: each stage gets the width whose steps help most."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from evonas.engine.training_log import FORWARD
from evonas.errors import EvonasError

FACTOR = 2**0.5
"""From a width to its neighbours."""

SAMPLES = 4
"""Fewest samples: two to step on, two to judge by."""

Losses = Callable[[Tensor], Tensor]
"""Indices of samples to their `(samples,)` losses, in the network as it stands."""


class Searchable(Protocol):
    """A module whose stages have a surrogate gradient each."""

    @property
    def surrogate_widths(self) -> Mapping[str, float]:
        """Stage to width; stages that can have no spikes have none."""

    def set_surrogate_width(self, stage: str, width: float) -> None:
        """Give the surrogate gradient of a stage this width."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Return all parameters."""

    def buffers(self) -> Iterator[Tensor]:
        """Return all buffers."""


@dataclass(frozen=True)
class Range:
    """The widths that may be used, both ends included."""

    low: float
    high: float

    def clamp(self, width: float) -> float:
        """Return the nearest width of the range."""
        return min(max(width, self.low), self.high)


class SurrogateSearch:
    """Moves widths: each call of `move` compares the width of each stage with its neighbours, those of the others kept.

    A width is as good as the step that it leads to. From the same weights, the gradient under each candidate is taken
    on some samples, the weights go one step, and the loss is measured on other samples; then everything is put back.
    The loss needs no surrogate gradient, so no width is its own judge. A stage moves to the neighbour with the largest
    mean gain if that is above its standard error over the samples, and stays otherwise.

    Nothing is random, and weights, running statistics and gradients are afterwards what they were. A move costs
    `1 + 2 * stages` times a training step and the losses of as many samples.

    Source: the surrogate search of SpikeDHS (Che et al., NeurIPS 2022), which rewards a surrogate for what its weight
    update does to the loss. Departures: each stage is searched apart, where all layers move together there; the widths
    are neighbours on a logarithmic axis; candidates are judged by their own losses on samples that they did not step
    on, where a mixture of all is judged there, through a surrogate gradient; and each tensor goes as far under every
    candidate, about the learning rate an element as under AdamW, so that a surrogate is not rewarded for its height.

    Args:
        network: In training mode. Widths outside the range are brought into it.
        widths: The range.
        every: Training steps from move to move.

    Attributes:
        trace: Stage to width, at the beginning and after each move.
        samples: Samples that went forward and backward so far; those that went forward only count `FORWARD`.

    Raises:
        EvonasError: If `every` is not positive.
    """

    def __init__(self, network: Searchable, *, widths: Range, every: int) -> None:
        if every < 1:
            raise EvonasError(f"The steps between two searches of surrogate gradients must be 1 or more, got {every}.")
        self._network = network
        self._range = widths
        self._every = every
        self.samples = 0.0
        for stage, width in network.surrogate_widths.items():
            network.set_surrogate_width(stage, widths.clamp(width))
        self.trace: list[Mapping[str, float]] = [dict(network.surrogate_widths)]

    def is_due(self, step: int) -> bool:
        """Return whether training moves the widths before its step of this number, counted from 1."""
        return step % self._every == 0

    def move(self, losses: Losses, samples: Tensor, *, learning_rate: float) -> None:
        """Compare the widths of each stage with their neighbours, and take those that are better.

        Args:
            losses: What is trained.
            samples: Indices; the first half is stepped on, the second half judges.
            learning_rate: Size of the step: root of its mean square in each tensor.

        Raises:
            EvonasError: If there are too few samples.
        """
        if len(samples) < SAMPLES:
            raise EvonasError(f"A search of surrogate gradients needs {SAMPLES} samples or more, got {len(samples)}.")
        half = len(samples) // 2
        steps, judges = samples[:half], samples[half:]
        found = self._better(lambda: self._after_a_step(losses, steps, judges, learning_rate))
        for stage, width in found.items():
            self._network.set_surrogate_width(stage, width)
        self.trace.append(dict(self._network.surrogate_widths))

    def state(self) -> dict[str, Any]:
        """Return the widths and what was searched so far, which `take_up` takes."""
        return {"trace": [dict(widths) for widths in self.trace], "samples": self.samples}

    def take_up(self, state: Mapping[str, Any]) -> None:
        """Go on from the state of another search in the same network."""
        self.trace, self.samples = [dict(widths) for widths in state["trace"]], float(state["samples"])
        for stage, width in self.trace[-1].items():
            self._network.set_surrogate_width(stage, width)

    def _better(self, tried: Callable[[], Tensor]) -> dict[str, float]:
        """Return stage to width where a neighbour is better; `tried` returns the losses under the widths now set."""
        kept = tried()
        found = {}
        for stage, width in self._network.surrogate_widths.items():
            best = 0.0
            for neighbour in (self._range.clamp(width / FACTOR), self._range.clamp(width * FACTOR)):
                if neighbour == width:
                    continue
                self._network.set_surrogate_width(stage, neighbour)
                gains = kept - tried()
                gain, error = gains.mean().item(), gains.std().item() / len(gains) ** 0.5
                if gain > max(error, best):  # False where a loss is no number
                    found[stage], best = neighbour, gain
            self._network.set_surrogate_width(stage, width)
        return found

    def _after_a_step(self, losses: Losses, steps: Tensor, judges: Tensor, learning_rate: float) -> Tensor:
        """Return the losses of `judges` after one step on `steps`, from the weights as they are."""
        self.samples += len(steps) + FORWARD * len(judges)
        with _put_back(self._network):
            trained = [parameter for parameter in self._network.parameters() if parameter.requires_grad]
            gradients = torch.autograd.grad(losses(steps).mean(), trained, allow_unused=True)
            with torch.no_grad():
                for parameter, gradient in zip(trained, gradients, strict=True):
                    if gradient is not None:
                        size = gradient.square().mean().sqrt().clamp(min=torch.finfo(gradient.dtype).tiny)
                        parameter.sub_(learning_rate * (gradient / size))
                return losses(judges).double()


def samples_from(order: Tensor, *, first: int, batch_size: int) -> Tensor:
    """Return the samples of two batches from `first` on, round the end of `order`; all where there are no more."""
    return order.roll(-first)[: 2 * batch_size]


@contextmanager
def _put_back(network: Searchable) -> Iterator[None]:
    """Give parameters and buffers their values again afterwards."""
    tensors = [*network.parameters(), *network.buffers()]
    values = [tensor.detach().clone() for tensor in tensors]
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, value in zip(tensors, values, strict=True):
                tensor.copy_(value)
