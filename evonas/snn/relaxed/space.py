"""A space made differentiable: its networks at once, its choices as logits, and the way back to a genotype."""

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
class RelaxedSpace:
    """What a space offers to the differentiable search: the networks of one context.

    Attributes:
        network: All of them, with weights.
        bounds: What the constants may be.
        discretise: `discretise(mixture)` returns the genotype of the most likely network.
        allowed: Options that networks may have; None for all.
    """

    network: RelaxedNetwork
    bounds: Bounds
    discretise: Callable[[NetworkMixture], Genotype]
    allowed: Allowed | None = None

    @property
    def sizes(self) -> FixedSizes:
        """The sizes of all networks."""
        return self.network.plan.sizes

    def logits(self, *, generator: torch.Generator) -> Logits:
        """Return fresh logits."""
        logits = Logits(self.sizes, self.bounds, generator=generator)
        if self.allowed is not None:
            logits.keep_to(self.allowed)
        return logits
