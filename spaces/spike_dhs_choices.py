"""The choices of SpikeDHS as logits, and mixtures of its networks.

Source: Che et al. (NeurIPS 2022): one matrix of logits of operations for all cells, and logits of the moves from layer
to layer. Departure: a search may step on drawn networks in place of the whole mixture. A network is drawn as it is
decoded, two edges of a node by the probability of their likeliest convolution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from evonas.snn.relaxed.gumbel import gumbel, top
from evonas.snn.relaxed.path_distribution import LayerPath, choosing
from evonas.space import Space
from evonas.variables import Choice
from spaces.spike_dhs_form import LAYERS, LEVELS, OPERATIONS, sources_of

NOISE = 1e-3
"""Standard deviation of the initial logits, as published."""

SIDES = {"s0": 2, "s1": 1}
"""The inputs of a cell, and how many layers back they lie."""


@dataclass(frozen=True)
class SpikeDhsMixture:
    """Probabilities, float64 on the CPU; edges are those of one node after the other, as numbered in the code.

    Attributes:
        operations: `(edges, operations)`.
        edges: `(edges,)` whether a node has an edge: 1 for all in the whole mixture, for two of a node in a network.
        moves: For each layer `(levels that choose, 2)` probabilities of staying and of going down.
    """

    operations: Tensor
    edges: Tensor
    moves: tuple[Tensor, ...]

    def detached(self) -> SpikeDhsMixture:
        """Return the same mixture, from which no gradient reaches the logits."""
        return SpikeDhsMixture(
            self.operations.detach(), self.edges.detach(), tuple(move.detach() for move in self.moves)
        )

    def factors(self) -> dict[str, Tensor]:
        """Return the value of every factor that `plan_of_all` names."""
        weights = self.edges[:, None] * self.operations  # (edges, operations)
        values = {
            f"edge{edge}.{OPERATIONS[column]}": weight
            for edge, row in enumerate(weights.unbind())
            for column, weight in enumerate(row.unbind())
        }
        sources = [source for _, source in edges_of(_nodes_with(len(self.edges)))]
        for side in SIDES:
            unread = [1 - edge for edge, source in zip(self.edges.unbind(), sources, strict=True) if source == side]
            values[f"used.{side}"] = 1 - torch.stack(unread).prod()
        path = LayerPath(self.moves, levels=LEVELS)
        for layer in range(1, LAYERS + 1):
            values.update({f"pass{layer}@{level}": value for level, value in enumerate(path.passing[layer].unbind())})
            for side, back in SIDES.items():
                if layer > back:
                    before = path.before(layer, back=back)
                    values.update(
                        {
                            f"cell{layer}@{level}/{side}~{its_level}": before[its_level, level]
                            for level in range(LEVELS)
                            for its_level in range(LEVELS)
                        }
                    )
        return values


class SpikeDhsLogits(nn.Module):
    """Logits of operations and moves; float64, on the CPU.

    Args:
        nodes: Nodes of a cell.
        space: What of them is left where the space was narrowed.
        generator: Draws the initial logits.
    """

    def __init__(self, nodes: int, space: Space, *, generator: torch.Generator) -> None:
        super().__init__()

        def draw(*shape: int) -> nn.Parameter:
            return nn.Parameter(NOISE * torch.randn(*shape, generator=generator, dtype=torch.float64))

        self.nodes = nodes
        self.operations = draw(len(edges_of(nodes)), len(OPERATIONS))
        layers = range(1, LAYERS + 1)
        self.moves = nn.ParameterList([draw(len(choosing(layer, levels=LEVELS)), 2) for layer in layers])
        readable = [source in _allowed_sources(space, node) for node, source in edges_of(nodes)]
        self.readable = torch.tensor(readable)
        with torch.no_grad():
            for row, (node, _) in zip(self.operations, edges_of(nodes), strict=True):
                names = [f"node{node}.{letter}" for letter in "ab"]
                row.masked_fill_(~_allowed(space, OPERATIONS, *names), -torch.inf)
            for layer, move in enumerate(self.moves, start=1):
                move.masked_fill_(~_allowed(space, ("stay", "down"), f"layer{layer}.move"), -torch.inf)

    @property
    def choices(self) -> list[nn.Parameter]:
        """The logits."""
        return [self.operations, *self.moves]

    @property
    def numbers(self) -> list[nn.Parameter]:
        """No constants are trained."""
        return []

    def leave_out(self, kind: str) -> None:
        """Do nothing: all neurons are of one kind, `lif_box`."""

    def keep_bounds(self) -> None:
        """Do nothing: there are no constants."""

    def mixture(self, *, temperature: float = 1.0) -> SpikeDhsMixture:
        """Return the probabilities of all options, from the logits divided by `temperature`."""
        return self._mixture([logits / temperature for logits in self.choices], self.readable)

    def network(self, *, temperature: float = 1.0, generator: torch.Generator) -> SpikeDhsMixture:
        """Return one network drawn from the mixture, detached."""
        return self._drawn(temperature, generator, rivals=0, contested_layer=None).detached()

    def two_paths(self, *, temperature: float = 1.0, generator: torch.Generator) -> SpikeDhsMixture:
        """Return the mixture of a drawn network and of a rival for each operation or for the move at one layer.

        Source: as in `evonas.snn.relaxed.logits.Logits.two_paths`.
        """
        if torch.rand((), generator=generator) < 0.5:
            return self._drawn(temperature, generator, rivals=1, contested_layer=None)
        layer = int(torch.randint(LAYERS, (), generator=generator))
        return self._drawn(temperature, generator, rivals=0, contested_layer=layer)

    def entropy(self) -> float:
        """Return the mean entropy of the choices, each relative to that of equal logits: between 0 and 1."""
        relative = []
        for logits in self.choices:
            probabilities = torch.softmax(logits.detach(), dim=-1)
            nats = -torch.special.xlogy(probabilities, probabilities).sum(-1).mean()
            relative.append(nats.item() / math.log(logits.shape[-1]))
        return math.fsum(relative) / len(relative)

    def _drawn(
        self, temperature: float, generator: torch.Generator, *, rivals: int, contested_layer: int | None
    ) -> SpikeDhsMixture:
        scaled = [logits / temperature for logits in self.choices]
        edges = self._two_of_each_node(scaled[0].detach(), generator)
        counts = [1 + rivals, *(2 if layer == contested_layer else 1 for layer in range(LAYERS))]
        kept = [
            logits.masked_fill(~top(logits.detach() + gumbel(logits.shape, generator), count), -torch.inf)
            for logits, count in zip(scaled, counts, strict=True)
        ]
        return self._mixture(kept, edges)

    def _two_of_each_node(self, logits: Tensor, generator: torch.Generator) -> Tensor:
        """Return a `(edges,)` mask of two edges of each node, drawn by the probability of their likeliest convolution.

        Gumbel top-k trick: the highest logarithms with Gumbel noise are a sample without replacement.
        """
        strength = torch.softmax(logits, dim=1)[:, 1:].amax(1).log().clamp(min=-700.0)  # also where skip alone is left
        noisy = (strength + gumbel(strength.shape, generator)).masked_fill(~self.readable, -torch.inf)
        return torch.cat([top(one, 2) for one in noisy.split([2 + node for node in range(self.nodes)])])

    def _mixture(self, logits: list[Tensor], edges: Tensor) -> SpikeDhsMixture:
        operations, *moves = (torch.softmax(values, dim=1) for values in logits)
        return SpikeDhsMixture(operations, edges.to(torch.float64), tuple(moves))


def edges_of(nodes: int) -> tuple[tuple[int, str], ...]:
    """Return the node and the source of each edge of a cell, as numbered in the published code."""
    return tuple((node, source) for node in range(nodes) for source in sources_of(node))


def _nodes_with(edges: int) -> int:
    return next(nodes for nodes in range(1, edges + 1) if len(edges_of(nodes)) == edges)


def _allowed_sources(space: Space, node: int) -> set[str]:
    """Return the sources that a node may read in a space, the first node both inputs of its cell."""
    pairs = space.variables.get(f"node{node}.inputs")
    return (
        {source for pair in pairs.values for source in str(pair).split("+")}
        if isinstance(pairs, Choice)
        else set(SIDES)
    )


def _allowed(space: Space, options: Sequence[str], *names: str) -> Tensor:
    """Return a mask of the options that one of these variables has."""
    values = {value for name in names if isinstance(one := space.variables[name], Choice) for value in one.values}
    return torch.tensor([option in values for option in options])
