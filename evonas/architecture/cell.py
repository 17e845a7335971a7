"""The cell: a few nodes, each the sum of up to two operations on what came before, fired by one population."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics
from evonas.errors import SpaceError

OPERATIONS = ("conv3", "conv5", "separable", "pool", "skip")
"""What an edge may do to spikes; all keep height, width and channels."""


@dataclass(frozen=True)
class Edge:
    """An edge into a node.

    Attributes:
        source: `"s0"` (the cell before the last), `"s1"` (the last cell), or `"n0"`, `"n1"`, ... (a node before).
        operation: One of `OPERATIONS`.
    """

    source: str
    operation: str


Cell = tuple[tuple[Edge, ...], ...]
"""The edges of each node, one or more."""


@dataclass(frozen=True)
class CellInput:
    """What a cell reads.

    Attributes:
        sources: Populations whose outputs are concatenated.
        stride: How many times the height and width of the cell's nodes theirs are, a power of two.
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
) -> tuple[str, ...]:
    """Add a cell to `draft` and return the names of its nodes, whose outputs are the cell's, concatenated.

    The currents of a node's edges are summed at its membrane, so that whatever reads a node reads spikes. An input
    with other channels or another resolution than the nodes' passes an adapter: a convolution, batch norm and neurons,
    of kernel 1, or for a stride `r` of kernel `r + 1`. Adapters that no edge uses are not added.

    Args:
        draft: The plan in the making.
        cell: The edges.
        name: Start of the names of its populations.
        inputs: What `"s0"` and `"s1"` are.
        channels: Channels of each node.
        dynamics: What its neurons do.
    """
    known: dict[str, tuple[str, ...]] = {}
    used = {edge.source for edges in cell for edge in edges}
    for side, given in inputs.items():
        if side in used:
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
    return tuple(nodes)


def _adapt(draft: Draft, given: CellInput, *, name: str, channels: int, dynamics: Dynamics) -> tuple[str, ...]:
    if not needs_adapter(draft.shape(given.sources)[0], stride=given.stride, channels=channels):
        return given.sources
    incoming = adapter(given, name=f"{name}/conv", channels=channels)
    return (draft.add(name, dynamics, incoming=[incoming]),)


def needs_adapter(in_channels: int, *, stride: int, channels: int) -> bool:
    """Return whether nodes of `channels` channels cannot read an input as it is.

    Args:
        in_channels: Channels of the input.
        stride: How many times the height and width of the nodes those of the input are.
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
