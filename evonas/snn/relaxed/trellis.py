"""The joint space relaxed: its networks in one, its choices as logits, and the discretisation to a genotype."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from evonas.genotype import Genotype
from evonas.snn.relaxed.logits import Allowed, Bounds, Logits
from evonas.snn.relaxed.mixture import NetworkMixture
from evonas.snn.relaxed.network import RelaxedNetwork
from evonas.snn.relaxed.plan import FixedSizes


@dataclass(frozen=True)
class RelaxedTrellis:
    """All networks of the joint space that have the same fixed sizes: a `RelaxedSpace` of `NetworkMixture`s.

    Attributes:
        network: The relaxed network.
        bounds: Bounds of the constants.
        discretise: `discretise(mixture)` returns the genotype of the most likely network.
        allowed: Masks of the allowed options; None for all.
    """

    network: RelaxedNetwork
    bounds: Bounds
    discretise: Callable[[NetworkMixture], Genotype]
    allowed: Allowed | None = None

    @property
    def sizes(self) -> FixedSizes:
        """The fixed sizes of all networks."""
        return self.network.plan.sizes

    def logits(self, *, generator: torch.Generator) -> Logits:
        """Return new logits, without the options that are not allowed."""
        logits = Logits(self.sizes, self.bounds, generator=generator)
        if self.allowed is not None:
            logits.keep_to(self.allowed)
        return logits
