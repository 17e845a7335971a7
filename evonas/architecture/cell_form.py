"""Cells and layer paths of a genotype, and the canonical form of a cell."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import permutations

from evonas.architecture.cell import Cell, Edge
from evonas.variables import Scalar

NODES = 3
LAYERS = 4
LEVELS = 3
EDGES = ("a", "b")

MOST_CELLS = 1024
"""Cells whose first form is kept at most; a search comes back to few."""

MOVES = tuple(f"layer{layer}.move" for layer in range(1, LAYERS + 1))
"""Names of the moves to the cells."""

EDGE_NAMES = tuple(
    tuple((f"node{node}.{letter}.from", f"node{node}.{letter}.op") for letter in EDGES) for node in range(NODES)
)
"""Names of the source and of the operation of each edge of each node."""

Values = Mapping[str, Scalar]


def levels_of(values: Values) -> tuple[int, ...]:
    """Return the level of each cell: each move down adds one, up to the last level."""
    levels, level = [], 0
    for layer in range(int(values["layers"])):
        if level < LEVELS - 1 and values[MOVES[layer]] == "down":
            level += 1
        levels.append(level)
    return tuple(levels)


def cell_of(values: Values) -> Cell:
    """Return the edges of each node, without those whose operation is none."""
    return tuple(
        tuple(
            _edge(str(values[source]), str(values[operation]))
            for source, operation in EDGE_NAMES[node]
            if values[operation] != "none"
        )
        for node in range(int(values["nodes"]))
    )


_edge = lru_cache(Edge)  # there are few different ones


@lru_cache(maxsize=MOST_CELLS)
def first_form(cell: Cell) -> Cell:
    """Return the one of all cells that do the same: of what lives in a cell that reads the last one, the first."""
    return numbered(reading_the_last(living(cell)))[0]


def living(cell: Cell) -> Cell:
    """Return the active nodes (those with an edge from an active source), renumbered.

    Where both edges of a node come from one source, the second is moved to the next source.
    """
    names = {"s0": "s0", "s1": "s1"}
    active: list[tuple[Edge, ...]] = []
    for node, edges in enumerate(cell):
        inputs = sorted((names[edge.source], edge.operation) for edge in edges if edge.source in names)
        if len(inputs) == 2 and inputs[0][0] == inputs[1][0]:
            sources = list(names.values())  # oldest first
            next_source = sources[(sources.index(inputs[1][0]) + 1) % len(sources)]
            inputs = sorted([inputs[0], (next_source, inputs[1][1])])
        if inputs:
            names[f"n{node}"] = f"n{len(active)}"
            active.append(tuple(Edge(source, operation) for source, operation in inputs))
    return tuple(active) or ((Edge("s1", "conv3"),),)


def reading_the_last(cell: Cell) -> Cell:
    """Return the cell with `s0` replaced by `s1` if no edge reads `s1`, the last cell."""
    if any(edge.source == "s1" for edges in cell for edge in edges):
        return cell
    return tuple(tuple(Edge(edge.source.replace("s0", "s1"), edge.operation) for edge in edges) for edges in cell)


def numbered(cell: Cell) -> tuple[Cell, tuple[int, ...]]:
    """Return the canonical numbering of the cell's nodes, and `order`: its node `i` is node `order[i]` of the cell.

    Of all numberings in which no node reads a later one, it is the lexicographically first.
    """
    forms = []
    for order in permutations(range(len(cell))):
        names = {"s0": "s0", "s1": "s1"}
        form = []
        for index, node in enumerate(order):
            if any(edge.source not in names for edge in cell[node]):
                break
            form.append(tuple(sorted((names[edge.source], edge.operation) for edge in cell[node])))
            names[f"n{node}"] = f"n{index}"
        else:
            forms.append((tuple(form), order))
    first, order = min(forms)
    return tuple(tuple(Edge(*edge) for edge in edges) for edges in first), order
