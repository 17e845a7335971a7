"""A trial: one chosen network, trained from one seed."""

from __future__ import annotations

from dataclasses import dataclass

from evonas.genotype import Genotype
from evonas.training.seeds import network_seed


@dataclass(frozen=True)
class Trial:
    """One training.

    Attributes:
        genotype: The network.
        seed: Of its weights, of the order of the samples and of how they are varied.
        picked: How the command named it, such as `"knee"`.
        slot: Of its row in the search.
    """

    genotype: Genotype
    seed: int
    picked: str = ""
    slot: int = 0

    @property
    def key(self) -> str:
        """The hash of the genotype."""
        return self.genotype.key

    @property
    def name(self) -> str:
        """What its files are called."""
        return f"{self.key}-{self.seed}"

    @property
    def random_seed(self) -> int:
        """The seed of its random numbers: that of a search with this seed, so that a search is the first epochs."""
        return network_seed(self.genotype, self.seed)
