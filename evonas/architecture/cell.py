"""The cell: nodes that are each one population, driven by the sum of a few operations on earlier outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evonas.architecture.attention import add_attention
from evonas.architecture.constant import each
from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics
from evonas.errors import SpaceError

FEEDBACK_GAIN = 0.5
"""Factor of what a node reads of its own cell one step ago, in that of its other currents."""

OPERATIONS = ("conv3", "conv5", "separable", "pool", "skip")
"""The operations of an edge; all keep height, width and channels."""


@dataclass(frozen=True)
class Edge:
    """An edge into a node.

    Attributes:
        source: `"s0"` (the cell before the last), `"s1"` (the last cell), or `"n0"`, `"n1"`, ... (an earlier node).
        operation: One of `OPERATIONS`.
    """

    source: str
    operation: str


Cell = tuple[tuple[Edge, ...], ...]
"""The edges of each node, one or more."""


@dataclass(frozen=True)
class CellInput:
    """An input of a cell.

    Attributes:
        sources: Populations whose outputs are concatenated.
        stride: Height and width of the input over those of the nodes, a power of two.
    """

    sources: tuple[str, ...]
    stride: int


def add_cell(
    draft: Draft,
    cell: Cell,
    *,
    name: str,
    inputs: Mapping[str, CellInput],
    channels: int,
    dynamics: Dynamics,
    is_pooled: bool = False,
    is_fed_back: bool = False,
    attention: str = "none",
) -> tuple[str, ...]:
    """Add a cell to `draft` and return the names of its nodes, whose outputs are the cell's, concatenated.

    Where there is attention, it is the names of the last gates behind them; within the cell nodes are read as they are.

    The currents of a node's edges are summed at its membrane, so a node sends spikes. An input whose channels or
    resolution differ from the nodes' passes an adapter: a convolution (kernel 1, or `r + 1` for a stride `r > 1`),
    batch norm and neurons; one that pools takes the maximum of each `r x r` window first, and its kernel is 1. Adapters
    that no edge uses are not added.

    Args:
        draft: The draft of the plan.
        cell: The edges of each node.
        name: Prefix of the names of its populations.
        inputs: The inputs `"s0"` and `"s1"`.
        channels: Channels of each node.
        dynamics: Dynamics of its neurons.
        is_pooled: Whether adapters pool, and have no stride.
        attention: One of `evonas.architecture.attention.ATTENTION`, behind each node.
        is_fed_back: Whether each node reads all nodes of the cell one time step ago, by a convolution of kernel 1.
    """
    known: dict[str, tuple[str, ...]] = {}
    used = {edge.source for edges in cell for edge in edges}
    for side, given in inputs.items():
        if side in used:
            if is_pooled and given.stride > 1:
                pooled = add_max_pool(draft, given.sources, name=f"{name}/{side}/pooled", stride=given.stride)
                given = CellInput((pooled,), stride=1)
            known[side] = _adapt(draft, given, name=f"{name}/{side}", channels=channels, dynamics=dynamics)
    nodes = []
    for index, edges in enumerate(cell):
        node = f"{name}/node{index}"
        incoming = [
            add_edge(draft, edge, f"{node}/{letter}", sources=known[edge.source], channels=channels, dynamics=dynamics)
            for letter, edge in zip("abcdefgh", edges, strict=False)
        ]
        known[f"n{index}"] = (draft.add(node, dynamics, incoming=incoming),)
        nodes.append(node)
    for node in nodes if is_fed_back else ():
        gain = each(lambda deviation: FEEDBACK_GAIN / deviation, dynamics.deviation(draft.time_steps))
        draft.connect(node, Incoming(f"{node}/back", tuple(nodes), "conv", channels=channels, delay=1, gain=gain))
    return tuple(add_attention(draft, node, attention) for node in nodes)


def add_max_pool(draft: Draft, sources: tuple[str, ...], *, name: str, stride: int) -> str:
    """Add relays of the maximum of each `stride x stride` window of the sources, and return their name."""
    edge = Incoming(f"{name}/max_pool", sources, "max_pool", kernel=stride, stride=stride)
    return draft.add(name, Dynamics("relay"), incoming=[edge])


def _adapt(draft: Draft, given: CellInput, *, name: str, channels: int, dynamics: Dynamics) -> tuple[str, ...]:
    if not needs_adapter(draft.shape(given.sources)[0], stride=given.stride, channels=channels):
        return given.sources
    incoming = adapter(given, name=f"{name}/conv", channels=channels)
    return (draft.add(name, dynamics, incoming=[incoming]),)


def needs_adapter(in_channels: int, *, stride: int, channels: int) -> bool:
    """Return whether nodes of `channels` channels cannot read an input as it is.

    Args:
        in_channels: Channels of the input.
        stride: Height and width of the input over those of the nodes.
        channels: Channels of each node.

    Example:
        >>> needs_adapter(8, stride=1, channels=8), needs_adapter(8, stride=2, channels=16)
        (False, True)
    """
    return stride != 1 or in_channels != channels


def adapter(given: CellInput, *, name: str, channels: int) -> Incoming:
    """Return the convolution that gives an input the channels and the resolution of the nodes."""
    kernel = given.stride + 1 if given.stride > 1 else 1
    return Incoming(name, given.sources, "conv", channels=channels, kernel=kernel, stride=given.stride)


def add_edge(
    draft: Draft, edge: Edge, name: str, *, sources: tuple[str, ...], channels: int, dynamics: Dynamics
) -> Incoming:
    """Return the connection into the node; a separable convolution first adds the neurons between its two parts."""
    match edge.operation:
        case "conv3":
            return Incoming(name, sources, "conv", channels=channels, kernel=3)
        case "conv5":
            return Incoming(name, sources, "conv", channels=channels, kernel=5)
        case "separable":
            depthwise = Incoming(f"{name}/depthwise", sources, "conv", channels=channels, kernel=3, depthwise=True)
            middle = draft.add(f"{name}/middle", dynamics, incoming=[depthwise])
            return Incoming(name, (middle,), "conv", channels=channels)
        case "pool":
            return Incoming(name, sources, "pool", kernel=3)
        case "skip":
            return Incoming(name, sources, "skip")
    raise SpaceError(f"The operation of an edge must be one of {', '.join(OPERATIONS)}, got {edge.operation!r}.")
