"""The choices of SpikeDHS as logits, and mixtures of its networks.

Source: Che et al. (NeurIPS 2022): one matrix of logits of operations for all cells, and logits of the moves from layer
to layer. Departure: a search may step on drawn networks in place of the whole mixture. A network is drawn as it is
decoded, two edges of a node by the probability of their likeliest convolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from evonas.architecture.cell import Cell, Edge
from evonas.snn.relaxed.entropy import mean_entropy
from evonas.snn.relaxed.gumbel import drawn, gumbel, top
from evonas.snn.relaxed.path_distribution import LayerPath, choosing
from evonas.space import Space
from evonas.variables import Choice
from spaces.spike_dhs_form import LAYERS, LEVELS, OPERATIONS, SIDES, sources_of

NOISE = 1e-3
"""Standard deviation of the initial logits, as published."""


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
        values = edge_factors(self.operations, self.edges)
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
        self.nodes = nodes
        self.operations = initial_logits(allowed_operations(nodes, space), generator=generator)
        self.moves = nn.ParameterList()
        for layer in range(1, LAYERS + 1):
            may_move = allowed(space, ("stay", "down"), f"layer{layer}.move")
            each = may_move.expand(len(choosing(layer, levels=LEVELS)), 2)
            self.moves.append(initial_logits(each, generator=generator))
        self.readable = readable_edges(nodes, space)

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
        return mean_entropy(self.choices)

    def _drawn(
        self, temperature: float, generator: torch.Generator, *, rivals: int, contested_layer: int | None
    ) -> SpikeDhsMixture:
        scaled = [logits / temperature for logits in self.choices]
        edges = two_of_each_node(scaled[0].detach(), self.readable, generator=generator)
        counts = [1 + rivals, *(2 if layer == contested_layer else 1 for layer in range(LAYERS))]
        kept = [drawn(logits, count, generator=generator) for logits, count in zip(scaled, counts, strict=True)]
        return self._mixture(kept, edges)

    def _mixture(self, logits: list[Tensor], edges: Tensor) -> SpikeDhsMixture:
        operations, *moves = (torch.softmax(values, dim=1) for values in logits)
        return SpikeDhsMixture(operations, edges.to(torch.float64), tuple(moves))


def two_of_each_node(logits: Tensor, readable: Tensor, *, generator: torch.Generator) -> Tensor:
    """Return a `(edges,)` mask of two edges of each node, drawn by the probability of their likeliest convolution.

    Gumbel top-k trick: the highest logarithms with Gumbel noise are a sample without replacement.

    Args:
        logits: `(edges, operations)`.
        readable: `(edges,)` whether a node may read this source.
        generator: Draws.
    """
    strength = torch.softmax(logits, dim=1)[:, 1:].amax(1).log().clamp(min=-700.0)  # also where skip alone is left
    noisy = (strength + gumbel(strength.shape, generator)).masked_fill(~readable, -torch.inf)
    sizes = [2 + node for node in range(_nodes_with(len(readable)))]
    return torch.cat([top(one, 2) for one in noisy.split(sizes)])


def edge_factors(operations: Tensor, edges: Tensor) -> dict[str, Tensor]:
    """Return the weight of each operation of each edge, and the probability that a cell reads each of its inputs.

    Args:
        operations: `(edges, operations)` probabilities.
        edges: `(edges,)` whether a node has an edge.
    """
    weights = edges[:, None] * operations  # (edges, operations)
    values = {
        f"edge{edge}.{OPERATIONS[column]}": weight
        for edge, row in enumerate(weights.unbind())
        for column, weight in enumerate(row.unbind())
    }
    sources = [source for _, source in edges_of(_nodes_with(len(edges)))]
    for side in SIDES:
        unread = [1 - edge for edge, source in zip(edges.unbind(), sources, strict=True) if source == side]
        values[f"used.{side}"] = 1 - torch.stack(unread).prod()
    return values


def likeliest_cell(operations: Tensor, edges: Tensor) -> Cell:
    """Return the cell that probabilities are decoded to; arguments as for `edge_factors`."""
    likeliest = operations[:, 1:].amax(1).tolist()  # of the convolutions of an edge
    order = sorted(range(len(likeliest)), key=lambda edge: (-edges[edge].item(), -likeliest[edge]))
    nodes = _nodes_with(len(edges))
    numbered, chosen = edges_of(nodes), operations.argmax(1).tolist()
    cell = []
    for node in range(nodes):
        best = [edge for edge in order if numbered[edge][0] == node][:2]
        cell.append(tuple(Edge(numbered[edge][1], OPERATIONS[chosen[edge]]) for edge in sorted(best)))
    return tuple(cell)


def edges_of(nodes: int) -> tuple[tuple[int, str], ...]:
    """Return the node and the source of each edge of a cell, as numbered in the published code."""
    return tuple((node, source) for node in range(nodes) for source in sources_of(node))


def initial_logits(allowed: Tensor, *, generator: torch.Generator) -> nn.Parameter:
    """Return logits that are all but equal, and minus infinity where the mask `allowed` leaves an option out."""
    noise = NOISE * torch.randn(*allowed.shape, generator=generator, dtype=torch.float64)
    return nn.Parameter(noise.masked_fill(~allowed, -torch.inf))


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


def readable_edges(nodes: int, space: Space) -> Tensor:
    """Return a `(edges,)` mask of the edges that nodes may have in a space."""
    return torch.tensor([source in _allowed_sources(space, node) for node, source in edges_of(nodes)])


def allowed_operations(nodes: int, space: Space) -> Tensor:
    """Return a `(edges, operations)` mask of what edges may do in a space."""
    return torch.stack([allowed(space, OPERATIONS, f"node{node}.a", f"node{node}.b") for node, _ in edges_of(nodes)])


def allowed(space: Space, options: Sequence[str], *names: str) -> Tensor:
    """Return a mask of the options that one of these variables has."""
    values = {value for name in names if isinstance(one := space.variables[name], Choice) for value in one.values}
    return torch.tensor([option in values for option in options])
