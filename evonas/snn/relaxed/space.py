"""What a differentiable search needs of a space: all its networks in one, its choices as logits, and the way back.

`Space(…, relax=…)` returns a `RelaxedSpace`. The search takes mixtures from the logits, hands them to the network, and
the last of them to `discretise`; what is in a mixture only the space knows. `evonas.training.bilevel_search` trains
the weights of the network and the logits in turns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol, Self, TypeVar

import torch
from torch import Tensor, nn

from evonas.expected_counts import ExpectedCounts
from evonas.genotype import Genotype


class Mixture(Protocol):
    """Probabilities of all options. If all are 0 or 1, it is a single network."""

    def detached(self) -> Self:
        """Return the same mixture, from which no gradient reaches the logits."""


M = TypeVar("M", bound=Mixture)
M_co = TypeVar("M_co", bound=Mixture, covariant=True)
M_contra = TypeVar("M_contra", bound=Mixture, contravariant=True)


class MixtureLogits(Protocol[M_co]):
    """What is searched, as parameters in float64 on the CPU; a module or not."""

    @property
    def choices(self) -> list[nn.Parameter]:
        """The logits."""

    @property
    def numbers(self) -> list[nn.Parameter]:
        """Constants that are trained together with the logits, at a rate of their own; none in most spaces."""

    def leave_out(self, kind: str) -> None:
        """Exclude this kind of neuron from all networks; nothing where the space has none.

        Raises:
            EvonasError: If no network is left.
        """

    def keep_bounds(self) -> None:
        """Clamp `numbers` to their bounds after a step."""

    def mixture(self, *, temperature: float = 1.0) -> M_co:
        """Return the probabilities of all options, from the logits divided by `temperature`."""

    def network(self, *, temperature: float = 1.0, generator: torch.Generator) -> M_co:
        """Return one network drawn from the mixture, detached."""

    def two_paths(self, *, temperature: float = 1.0, generator: torch.Generator) -> M_co:
        """Return the mixture of a drawn network and of rivals for some of its choices, with gradients to the logits."""

    def entropy(self) -> float:
        """Return the mean entropy of the choices, each relative to that of equal logits: between 0 and 1."""


class BatchCounts(Protocol):
    """Counts one batch at a time."""

    def counts(self) -> ExpectedCounts:
        """Return the expected counts of the last batch, a mean over its samples."""


class MixtureNetwork(Protocol[M_contra]):
    """All networks in one. It is a `torch.nn.Module` whose parameters are the weights; its stages are `Searchable`."""

    @property
    def most_time_steps(self) -> int:
        """Time steps of the longest network: as many as inputs are made for."""

    def time_steps(self, mixture: M_contra, /) -> int:
        """Return the time steps of the longest network of a mixture."""

    def counter(self) -> BatchCounts:
        """Return a counter of what this network does, to hand to it together with a batch."""

    def __call__(self, data: Tensor, mixture: M_contra, *, counter: BatchCounts | None = None) -> Tensor:
        """Return `(batch, classes)` logits, differentiable in the mixture.

        If the mixture is a single network, they are those of the network that the space builds with the same weights.

        Args:
            data: `(time, batch, c, h, w)`; a static image has time 1.
            mixture: The probabilities.
            counter: A counter of this network, to count the batch.
        """

    @property
    def surrogate_widths(self) -> Mapping[str, float]:
        """Stage to the width of its surrogate gradient."""

    def set_surrogate_width(self, stage: str, width: float) -> None:
        """Give the surrogate gradient of a stage this width."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Return all weights."""

    def buffers(self) -> Iterator[Tensor]:
        """Return all buffers."""


class RelaxedSpace(Protocol[M]):
    """The networks of a space that have the same sizes, as a differentiable search trains them."""

    @property
    def network(self) -> MixtureNetwork[M]:
        """All networks in one, its weights drawn from torch's global generator."""

    def logits(self, *, generator: torch.Generator) -> MixtureLogits[M]:
        """Return new logits, drawn from `generator`, without the options that the space was narrowed from."""

    def discretise(self, mixture: M, /) -> Genotype:
        """Return the genotype of the most likely network of a mixture.

        Raises:
            SpaceError: If it lies outside of what the space was narrowed to.
        """
