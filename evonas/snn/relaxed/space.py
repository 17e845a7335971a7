"""A space made differentiable: its networks at once, its choices as logits, and the way back to a genotype."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from evonas.architecture.cell import Cell
from evonas.snn.relaxed.logits import Allowed, Bounds, Logits
from evonas.snn.relaxed.mixture import NetworkMixture
from evonas.snn.relaxed.network import RelaxedNetwork
from evonas.snn.relaxed.plan import FixedSizes, cell_name, edge_name
from evonas.space import Genotype


@dataclass(frozen=True)
class RelaxedSpace:
    """What a space offers to the differentiable search: the networks of one context.

    Attributes:
        network: All of them, with weights.
        bounds: What the constants may be.
        discretise: `discretise(mixture)` returns the genotype of the most likely network.
        branches_of: `branches_of(mixture)` returns, for each connection of the network of `discretise(mixture)`, the
            one of the relaxed network that it comes from, and the number in the mixture of each of its nodes: a
            genotype may number nodes otherwise.
        allowed: Options that networks may have; None for all.
    """

    network: RelaxedNetwork
    bounds: Bounds
    discretise: Callable[[NetworkMixture], Genotype]
    branches_of: Callable[[NetworkMixture], tuple[Mapping[str, str], Sequence[int]]]
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

    def weights_of(self, mixture: NetworkMixture) -> dict[str, Tensor]:
        """Return the weights of the network of `discretise(mixture)`, named as there: copies, on the CPU."""
        branches, order = self.branches_of(mixture)
        sources = {edge.name: edge.sources for edge in self.network.plan.plan.connections}
        weights = {}
        for own, branch in branches.items():
            for name, value in self.network.operations[branch].state_dict().items():
                if value.ndim > 1 and len(sources[branch]) == len(order):  # reads all nodes of a cell, one by one
                    value = value.unflatten(1, (len(order), -1))[:, list(order)].flatten(1, 2)
                weights[f"operations.{own}.{name}"] = value.detach().cpu().clone()
        return weights


def branches(cell: Cell, levels: Sequence[int], *, order: Sequence[int] = ()) -> dict[str, str]:
    """Return the connections of a network, each with its name in the relaxed network.

    Args:
        cell: The edges, numbered as in the relaxed network.
        levels: The path.
        order: Number there of each node of the network; by default nodes have the same numbers.
    """
    order = order or range(len(cell))
    own_names = {f"n{number}": f"n{node}" for node, number in enumerate(order)}
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
        for node, number in enumerate(order):
            edges = sorted(cell[number], key=lambda edge: (own_names.get(edge.source, edge.source), edge.operation))
            for letter, edge in zip("ab", edges, strict=False):
                own = f"cell{layer}/node{node}/{letter}"
                branch = edge_name(cell_at, number, edge, adapted=adapted.get(edge.source, False))
                names[own] = branch
                if edge.operation == "separable":
                    names[f"{own}/depthwise"] = f"{branch}/depthwise"
    names["readout/linear"] = f"readout/linear@{levels[-1]}"
    return names
