"""MA-DARTS made differentiable: the choices of its cell as logits, all its networks as one, and the way back.

Operations and edges are searched as in `spaces.spike_dhs_relaxed`. A node sends the mean of what its gates let through,
weighted by a softmax over the attention it may have; in the end it keeps the likeliest. The path is fixed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import torch
from torch import Tensor, nn

from evonas.architecture.attention import REAL, add_attention, gates_of
from evonas.architecture.cell import Edge
from evonas.architecture.draft import Draft
from evonas.architecture.incoming import Incoming
from evonas.architecture.neuron import Dynamics
from evonas.errors import EvonasError
from evonas.snn.relaxed.entropy import mean_entropy
from evonas.snn.relaxed.gumbel import drawn
from evonas.snn.relaxed.plan import as_of_spikes
from evonas.snn.relaxed.products import Factors
from evonas.snn.relaxed.weighted_network import WeightedNetwork, WeightedPlan
from evonas.space import Assignment, Space
from evonas.variables import Scalar
from spaces.ma_darts_form import ATTENTION, PATH
from spaces.spike_dhs_choices import (
    allowed,
    allowed_operations,
    edge_factors,
    edges_of,
    initial_logits,
    likeliest_cell,
    readable_edges,
    two_of_each_node,
)
from spaces.spike_dhs_form import OPERATIONS, READOUT, add_resized, cell_choices, connection, dynamics, sources_of, stem
from spaces.spike_dhs_relaxed import RelaxedCells, fixed_values

Values = Mapping[str, Scalar]

TIME_STEPS = 2
"""Time steps of the networks of a search where the data leave them open, as reported."""


@dataclass(frozen=True)
class MaDartsMixture:
    """Probabilities, float64 on the CPU; edges are numbered as in `spaces.spike_dhs_choices`.

    Attributes:
        operations: `(edges, operations)`.
        edges: `(edges,)` whether a node has an edge: 1 for all in the whole mixture, for two of a node in a network.
        attention: `(nodes, attention)`.
    """

    operations: Tensor
    edges: Tensor
    attention: Tensor

    def detached(self) -> MaDartsMixture:
        """Return the same mixture, from which no gradient reaches the logits."""
        return MaDartsMixture(self.operations.detach(), self.edges.detach(), self.attention.detach())

    def factors(self) -> dict[str, Tensor]:
        """Return the value of every factor that `plan_of_all` names."""
        values = edge_factors(self.operations, self.edges)
        for node, row in enumerate(self.attention.unbind()):
            values.update({f"sent{node}.{kind}": value for kind, value in zip(ATTENTION, row.unbind(), strict=True)})
        return values


class MaDartsLogits(nn.Module):
    """Logits of operations and of attention; float64, on the CPU.

    Args:
        nodes: Nodes of a cell.
        space: What of them is left where the space was narrowed.
        generator: Draws the initial logits.
    """

    def __init__(self, nodes: int, space: Space, *, generator: torch.Generator) -> None:
        super().__init__()
        may_send = torch.stack([allowed(space, ATTENTION, f"node{node}.attention") for node in range(nodes)])
        self.operations = initial_logits(allowed_operations(nodes, space), generator=generator)
        self.attention = initial_logits(may_send, generator=generator)
        self.readable = readable_edges(nodes, space)

    @property
    def choices(self) -> list[nn.Parameter]:
        """The logits."""
        return [self.operations, self.attention]

    @property
    def numbers(self) -> list[nn.Parameter]:
        """No constants are trained."""
        return []

    def leave_out(self, kind: str) -> None:
        """Leave out gates of real values where analog neurons have no price: what they let through is multiplied.

        Raises:
            EvonasError: If a node can have no other.
        """
        if kind == "analog":
            real = torch.tensor([name in REAL for name in ATTENTION])
            with torch.no_grad():
                self.attention.masked_fill_(real, -torch.inf)
            if bool(torch.isinf(self.attention).all(1).any()):
                raise EvonasError(
                    "All attention that a node may have multiplies, which has no price. Allow others, or another chip."
                )

    def keep_bounds(self) -> None:
        """Do nothing: there are no constants."""

    def mixture(self, *, temperature: float = 1.0) -> MaDartsMixture:
        """Return the probabilities of all options, from the logits divided by `temperature`."""
        operations, attention = (torch.softmax(logits / temperature, dim=1) for logits in self.choices)
        return MaDartsMixture(operations, self.readable.to(torch.float64), attention)

    def network(self, *, temperature: float = 1.0, generator: torch.Generator) -> MaDartsMixture:
        """Return one network drawn from the mixture, detached."""
        return self._drawn((1, 1), temperature, generator).detached()

    def two_paths(self, *, temperature: float = 1.0, generator: torch.Generator) -> MaDartsMixture:
        """Return the mixture of a drawn network and of a rival for each operation or for the attention of each node.

        Source: as in `evonas.snn.relaxed.logits.Logits.two_paths`.
        """
        counts = (2, 1) if torch.rand((), generator=generator) < 0.5 else (1, 2)
        return self._drawn(counts, temperature, generator)

    def entropy(self) -> float:
        """Return the mean entropy of the choices, each relative to that of equal logits: between 0 and 1."""
        return mean_entropy(self.choices)

    def _drawn(self, counts: tuple[int, int], temperature: float, generator: torch.Generator) -> MaDartsMixture:
        """Return the mixture of so many drawn operations of an edge and drawn attentions of a node."""
        scaled = [logits / temperature for logits in self.choices]
        edges = two_of_each_node(scaled[0].detach(), self.readable, generator=generator)
        kept = [drawn(logits, count, generator=generator) for logits, count in zip(scaled, counts, strict=True)]
        operations, attention = (torch.softmax(logits, dim=1) for logits in kept)
        return MaDartsMixture(operations, edges.to(torch.float64), attention)


def choices_of(mixture: MaDartsMixture) -> Assignment:
    """Return the values of the variables that say the likeliest network of a mixture."""
    values = cell_choices(likeliest_cell(mixture.operations, mixture.edges))
    likeliest = mixture.attention.argmax(1).tolist()
    return {**values, **{f"node{node}.attention": ATTENTION[index] for node, index in enumerate(likeliest)}}


def relax(space: Space, context: Values, *, input_shape: Sequence[int], classes: int) -> RelaxedCells[MaDartsMixture]:
    """Return all networks of the space that have these sizes, as one.

    Args:
        space: The space, narrowed or not.
        context: The values of `nodes` and `channels`.
        input_shape: As for `plan`.
        classes: Number of classes.

    Raises:
        SpaceError: If a size is missing, or something else is given.
    """
    fixed = fixed_values(space, context, input_shape, time_steps=TIME_STEPS)
    network = WeightedNetwork(plan_of_all(fixed, input_shape, classes))
    return RelaxedCells(network, space, fixed, make_logits=MaDartsLogits, choices_of=choices_of)


def plan_of_all(fixed: Values, input_shape: Sequence[int], classes: int) -> WeightedPlan:
    """Return the plan of all networks with these values of `nodes`, `channels`, `time_steps` and `surrogate_width`."""
    nodes, neurons = int(fixed["nodes"]), dynamics(float(fixed["surrogate_width"]))
    draft = Draft(input_shape, time_steps=int(fixed["time_steps"]))
    draft.add("stem", neurons, incoming=[stem(int(fixed["channels"]) * nodes)])
    builder = _Builder(draft, {"stem/conv": ()}, {"stem/conv": (), "stem": (), "readout": (), "readout/linear": ()})
    last: tuple[tuple[str, ...], int] = (("stem",), 0)
    before = last
    for layer, level in enumerate(PATH, start=1):
        known = {
            side: builder.side(f"cell{layer}/{side}", side, sources, halvings=level - its_level)
            for side, (sources, its_level) in (("s0", before), ("s1", last))
        }
        for node in range(nodes):
            channels = int(fixed["channels"]) * 2**level
            known[f"n{node}"] = builder.node(
                f"cell{layer}/node{node}", node, known, channels=channels, neurons=neurons, nodes=nodes
            )
        before, last = last, (tuple(name for node in range(nodes) for name in known[f"n{node}"]), level)
    draft.add("readout", READOUT, incoming=[Incoming("readout/linear", last[0], "linear", channels=classes)])
    builder.weight["readout/linear"] = ()
    return WeightedPlan(as_of_spikes(draft.finish()), builder.weight, builder.presence, frozenset(builder.sent))


@dataclass
class _Builder:
    """A plan of all networks under construction."""

    draft: Draft
    weight: dict[str, Factors]
    presence: dict[str, Factors]
    sent: set[str] = field(default_factory=set)

    def side(self, name: str, side: str, sources: tuple[str, ...], *, halvings: int) -> tuple[str, ...]:
        """Add an input of a cell, and return what nodes read of it."""
        read = add_resized(self.draft, sources, name, halvings=halvings)
        if read != sources:
            self.weight[f"{name}/resize"] = ()
            self.presence[name] = self.presence[f"{name}/resize"] = (f"used.{side}",)
        return read

    def node(
        self,
        name: str,
        node: int,
        known: Mapping[str, tuple[str, ...]],
        *,
        channels: int,
        neurons: Dynamics,
        nodes: int,
    ) -> tuple[str, ...]:
        """Add a node with every edge that it may have, and return what it sends through every attention."""
        numbers = {edge: number for number, edge in enumerate(edges_of(nodes))}
        incoming = []
        for source, operation in product(sources_of(node), OPERATIONS):
            edge = f"{name}/{source}/{operation}"
            incoming.append(connection(Edge(source, operation), edge, known[source], channels=channels))
            self.weight[edge] = self.presence[edge] = (f"edge{numbers[node, source]}.{operation}",)
        self.draft.add(name, neurons, incoming=incoming)
        self.presence[name] = ()
        return (self._attended(name, node),)

    def _attended(self, name: str, node: int) -> str:
        """Add relays of a mixture of what attention makes of a node, and return their name."""
        incoming = []
        for kind in ATTENTION:
            chosen = (f"sent{node}.{kind}",)
            last = add_attention(self.draft, name, kind)
            for gate in gates_of(name, kind):
                self.presence[gate] = self.presence[f"{gate}/gate"] = chosen
                self.weight[f"{gate}/gate"] = ()
            incoming.append(Incoming(f"{name}/sent/{kind}", (last,), "skip", gain=1.0))
            self.weight[f"{name}/sent/{kind}"] = chosen
        sent = self.draft.add(f"{name}/sent", Dynamics("relay"), incoming=incoming)
        self.presence[sent] = ()
        self.sent.add(sent)
        return sent
