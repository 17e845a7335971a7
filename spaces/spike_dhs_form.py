"""SpikeDHS: cells and paths of a genotype, the connections that they stand for, and the published code of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations

from evonas.architecture.cell import Cell, Edge
from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics, Surrogate
from evonas.architecture.plan import INPUT
from evonas.errors import SpaceError
from evonas.rule import Rule
from evonas.space import Assignment
from evonas.variables import Choice, Integer, Scalar, Variable

Values = Mapping[str, Scalar]

LAYERS = 8
LEVELS = 4

MOST_NODES = 4

SIDES = {"s0": 2, "s1": 1}
"""The inputs of a cell, and how many layers back they lie."""

OPERATIONS = ("skip", "conv_b3", "conv_b5")
"""The operations of an edge, as numbered in the published code; a convolution is named by its temperature."""

TEMPERATURES = {"conv_b3": 3.0, "conv_b5": 5.0}

TAU_MEM_MS = 1.25
"""Time constant whose step keeps a fifth of the potential; and the factor of currents that undoes its leak of 0.8."""

READOUT = Dynamics("readout", tau_mem_ms=1.0)
"""A linear layer at each time step: its potentials keep nothing, and their mean over time is the answer."""


def dynamics(surrogate_width: float) -> Dynamics:
    """Return the neurons of all nodes and of the stem, which fire above 0.5 and are reset to 0."""
    surrogate = Surrogate("dspike", surrogate_width, temperature=TEMPERATURES["conv_b3"])
    return Dynamics("lif_box", tau_mem_ms=TAU_MEM_MS, v_th=0.5, surrogate=surrogate)


def stem(channels: int) -> Incoming:
    """Return the convolution of the data; its neurons have as many channels as the first cell."""
    return Incoming("stem/conv", (INPUT,), "conv", channels=channels, kernel=3, gain=TAU_MEM_MS)


def add_resized(draft: Draft, sources: tuple[str, ...], name: str, *, halvings: int) -> tuple[str, ...]:
    """Add relays of every second, fourth, … element of the sources and return them; without halvings the sources."""
    if halvings == 0:
        return sources
    resize = Incoming(f"{name}/resize", sources, "resize", stride=2**halvings)
    return (draft.add(name, Dynamics("relay"), incoming=[resize]),)


def connection(edge: Edge, name: str, sources: tuple[str, ...], *, channels: int) -> Incoming:
    """Return the connection of an edge into a node of so many channels."""
    if edge.operation == "skip" and edge.source.startswith("n"):
        return Incoming(name, sources, "skip", gain=TAU_MEM_MS)
    kernel = 1 if edge.operation == "skip" else 3
    temperature = TEMPERATURES[edge.operation] if edge.operation == "conv_b5" else None  # 3 is that of the neurons
    return Incoming(name, sources, "conv", channels=channels, kernel=kernel, gain=TAU_MEM_MS, temperature=temperature)


def sources_of(node: int) -> tuple[str, ...]:
    """Return what a node can read: the cell before the last, the last, and earlier nodes."""
    return ("s0", "s1", *(f"n{index}" for index in range(node)))


def pairs_of(node: int) -> tuple[tuple[str, str], ...]:
    """Return the pairs of sources that a node can read, without order."""
    return tuple(combinations(sources_of(node), 2))


def cell_variables(**of_node: Variable) -> dict[str, Variable]:
    """Return the variables of a cell; `of_node` are what each node has besides its inputs and its operations."""
    variables: dict[str, Variable] = {"nodes": Integer(3, MOST_NODES)}
    for node in range(MOST_NODES):
        if node:
            variables[f"node{node}.inputs"] = Choice(tuple("+".join(pair) for pair in pairs_of(node)))
        parts = {"a": Choice(OPERATIONS), "b": Choice(OPERATIONS), **of_node}
        variables.update({f"node{node}.{name}": variable for name, variable in parts.items()})
    return variables


def last_node(*of_node: str) -> Rule:
    """Return the rule on the node that small cells do not have; `of_node` as for `cell_variables`."""
    node = MOST_NODES - 1
    return Rule([f"node{node}.{name}" for name in ("inputs", "a", "b", *of_node)], partial(_has_node, node=node))


def _has_node(values: Values, *, node: int) -> bool:
    return node < int(values["nodes"])


def cell_of(genotype: Values) -> Cell:
    """Return the edges of each node."""
    return tuple(
        tuple(
            Edge(source, str(genotype[f"node{node}.{letter}"]))
            for letter, source in zip("ab", inputs_of(genotype, node), strict=True)
        )
        for node in range(int(genotype["nodes"]))
    )


def inputs_of(genotype: Values, node: int) -> tuple[str, ...]:
    """Return the two sources of a node; the first has no others than both inputs of the cell."""
    return tuple(str(genotype[f"node{node}.inputs"]).split("+")) if node else ("s0", "s1")


def levels_of(genotype: Values) -> tuple[int, ...]:
    """Return the level of each layer, that of the stem being 0: `2 ** -level` of the height and width."""
    levels, level = [], 0
    for layer in range(1, LAYERS + 1):
        level = min(level + (genotype[f"layer{layer}.move"] == "down"), LEVELS - 1)
        levels.append(level)
    return tuple(levels)


def choices_of(cell: Cell, levels: Sequence[int]) -> Assignment:
    """Return the values of the variables that say this cell and this path.

    Raises:
        SpaceError: If there is no such path.
    """
    values = cell_choices(cell)
    moves = [after - before for before, after in zip((0, *levels), levels, strict=False)]
    if len(levels) != LAYERS or not set(moves) <= {0, 1} or levels[-1] >= LEVELS:
        raise SpaceError(
            f"A path has {LAYERS} levels from 0 to {LEVELS - 1}, each that of the one before or the next, got "
            f"{list(levels)}."
        )
    return {**values, **{f"layer{n}.move": "down" if move else "stay" for n, move in enumerate(moves, start=1)}}


def cell_choices(cell: Cell) -> Assignment:
    """Return the values of the variables that say this cell."""
    values: Assignment = {"nodes": len(cell)}
    for node, edges in enumerate(cell):
        if node:
            values[f"node{node}.inputs"] = "+".join(edge.source for edge in edges)
        values.update({f"node{node}.{letter}": edge.operation for letter, edge in zip("ab", edges, strict=True)})
    return values


def of_code(pairs: Sequence[Sequence[int]], levels: Sequence[int]) -> Assignment:
    """Return the choices of a published genotype.

    Args:
        pairs: Of each node two pairs of an edge and an operation: edges are numbered through all nodes, each with its
            sources in their order, and operations as in `OPERATIONS`.
        levels: The level of each layer.

    Raises:
        SpaceError: If these are no pairs of edges of one node after the other, or no path.

    Example:
        >>> chosen = of_code([[1, 1], [0, 1], [3, 2], [2, 1], [7, 1], [8, 1]], [0, 0, 1, 1, 1, 2, 2, 2])
        >>> chosen["node1.inputs"], chosen["node1.a"], chosen["node1.b"]
        ('s0+s1', 'conv_b3', 'conv_b5')
    """
    every = [(node, source) for node in range(len(pairs) // 2) for source in sources_of(node)]
    cell: list[tuple[Edge, ...]] = []
    for node in range(len(pairs) // 2):
        both = sorted((edge, operation) for edge, operation in pairs[2 * node : 2 * node + 2])
        known = [0 <= edge < len(every) and every[edge][0] == node and 0 <= op < len(OPERATIONS) for edge, op in both]
        if not all(known) or both[0][0] == both[1][0]:
            raise SpaceError(
                f"Node {node} needs two edges of its own with known operations, got {list(map(list, both))}."
            )
        cell.append(tuple(Edge(every[edge][1], OPERATIONS[operation]) for edge, operation in both))
    return choices_of(tuple(cell), levels)
