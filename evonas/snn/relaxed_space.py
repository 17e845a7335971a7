"""A space made differentiable: its networks at once, its choices as logits, and the way back to a genotype."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from evonas.snn.cell import Cell
from evonas.snn.logits import Bounds, Logits
from evonas.snn.mixture import Mixture
from evonas.snn.network import Network
from evonas.snn.relaxed_network import RelaxedNetwork
from evonas.snn.relaxed_plan import Widths, cell_name, edge_name
from evonas.space import Genotype, Scalar


@dataclass(frozen=True)
class RelaxedSpace:
    """What a space offers to the differentiable search: the networks of one context.

    Attributes:
        network: All of them, with weights.
        bounds: What the constants may be.
        discretise: `discretise(mixture)` returns the genotype of the most likely network.
        one_hot: `one_hot(genotype)` returns the mixture that is this network alone.
        branches: `branches(genotype)` returns, for each connection of its network, the one of the relaxed network.
    """

    network: RelaxedNetwork
    bounds: Bounds
    discretise: Callable[[Mixture], Genotype]
    one_hot: Callable[[Mapping[str, Scalar]], Mixture]
    branches: Callable[[Mapping[str, Scalar]], Mapping[str, str]]

    @property
    def widths(self) -> Widths:
        """The sizes of all networks."""
        return self.network.plan.widths

    def logits(self, *, generator: torch.Generator) -> Logits:
        """Return fresh logits."""
        return Logits(self.widths, self.bounds, generator=generator)

    def weights_of(self, genotype: Mapping[str, Scalar]) -> dict[str, Tensor]:
        """Return the weights of its network, named as there: copies, on the CPU."""
        branches = self.branches(genotype)
        return {
            f"operations.{own}.{name}": value.detach().cpu().clone()
            for own, branch in branches.items()
            for name, value in self.network.operations[branch].state_dict().items()
        }

    def take_weights(self, genotype: Mapping[str, Scalar], network: Network) -> None:
        """Copy the weights of the network of a genotype into its branches."""
        for own, branch in self.branches(genotype).items():
            self.network.operations[branch].load_state_dict(network.operations[own].state_dict())


Relax = Callable[[Mapping[str, Scalar], Sequence[int], int], RelaxedSpace]
"""`relax(context, input_shape, classes)`: the `relax` of a space."""


def branches(cell: Cell, levels: Sequence[int]) -> dict[str, str]:
    """Return the connections of the network of this cell and path, each with its name in the relaxed network."""
    names = {"stem/conv": "stem/conv"}
    path = (0, *levels)  # the stem, then the cells
    for layer, level in enumerate(levels, start=1):
        cell_at = cell_name(layer, level)
        adapted: dict[str, bool] = {}
        for side, back in (("s0", 2), ("s1", 1)):
            origin = max(layer - back, 0)
            before = path[origin]
            adapted[side] = level != before or (origin > 0 and len(cell) > 1)
            if adapted[side] and any(edge.source == side for edges in cell for edge in edges):
                names[f"cell{layer}/{side}/conv"] = f"{cell_at}/{side}/conv@{before}"
        for node, edges in enumerate(cell):
            for letter, edge in zip("ab", edges, strict=False):
                own = f"cell{layer}/node{node}/{letter}"
                branch = edge_name(cell_at, node, edge, adapted=adapted.get(edge.source, False))
                names[own] = branch
                if edge.operation == "separable":
                    names[f"{own}/depthwise"] = f"{branch}/depthwise"
    names["readout/linear"] = f"readout/linear@{levels[-1]}"
    return names
