"""The cell whose nodes are sums of currents, with neurons in front of its convolutions and feedback a step later."""

from __future__ import annotations

from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics
from evonas.errors import SpaceError

OPERATIONS = ("zero", "identity", "conv1", "conv3", "pool")
"""The operations of an edge, in the order of the digits of published cells; all keep height, width and channels."""

NODES = 4
"""Nodes of a cell: the first is its input, the last its output."""

CurrentCell = tuple[tuple[str, ...], ...]
"""`(NODES, NODES)` operations: that of the edge from node `i` to node `j` stands in row `i` and column `j`. Edges to a
later node lead forward within a time step, those to an earlier one arrive one step later."""

_KERNELS = {"conv1": 1, "conv3": 3}


def cell_of_code(code: str) -> CurrentCell:
    """Return the cell of a published code: four rows of four digits, the places in `OPERATIONS`.

    Raises:
        SpaceError: If it has no such form, an edge of a node to itself, or two edges between two nodes.

    Example:
        >>> cell_of_code("0302 0030 3003 0000")[2]
        ('conv3', 'zero', 'zero', 'conv3')
    """
    rows = code.split()
    is_formed = len(rows) == NODES and all(len(row) == NODES and set(row) <= set("01234") for row in rows)
    if not is_formed:
        raise SpaceError(f"The code of a cell is four rows of four digits from 0 to 4, got {code!r}.")
    cell = tuple(tuple(OPERATIONS[int(digit)] for digit in row) for row in rows)
    for i in range(NODES):
        for j in range(i, NODES):
            if cell[j][i] != "zero" and (i == j or cell[i][j] != "zero"):
                raise SpaceError(f"The cell {code!r} has an edge from {j} to {i}: expected one edge between two nodes.")
    return cell


def living(cell: CurrentCell) -> CurrentCell:
    """Return the cell without the edges of nodes that the input does not reach, or that do not reach the output.

    Source: Kim et al., Neural architecture search for spiking neural networks (ECCV 2022), its rule of valid cells.
    """
    reached = [reach(cell, node) for node in range(NODES)]
    alive = [node in reached[0] and NODES - 1 in reached[node] for node in range(NODES)]
    return tuple(tuple(cell[i][j] if alive[i] and alive[j] else "zero" for j in range(NODES)) for i in range(NODES))


def reach(cell: CurrentCell, node: int) -> frozenset[int]:
    """Return the nodes to which edges lead from a node, over any others, itself among them."""
    found, waiting = {node}, [node]
    while waiting:
        source = waiting.pop()
        further = {j for j in range(NODES) if cell[source][j] != "zero"} - found
        found |= further
        waiting += further
    return frozenset(found)


def canonical(cell: CurrentCell) -> CurrentCell:
    """Return the one form of all cells that compute the same: without dead nodes, its middle nodes in the first order.

    Two middle nodes between which there is no edge can change places.
    """
    cell = living(cell)
    if cell[1][2] != "zero" or cell[2][1] != "zero":
        return cell
    order = (0, 2, 1, 3)
    return min(cell, tuple(tuple(cell[i][j] for j in order) for i in order))


def has_looped_convolution(cell: CurrentCell) -> bool:
    """Return whether a convolution of the cell lies within a loop, so that its currents are normalised step by step."""
    edges = ((i, j) for i in range(NODES) for j in range(NODES) if cell[i][j] in _KERNELS)
    return any(i in reach(cell, j) for i, j in edges)


def add_current_cell(draft: Draft, cell: CurrentCell, entry: Incoming, *, name: str, dynamics: Dynamics) -> str:
    """Add a cell to `draft` and return the name of its last node, relays of a sum of currents.

    A node is the sum of the currents of its edges. An identity hands the current on, a pool its means over 3 x 3, and a
    convolution reads neurons that the current drives. All convolutions that read one node would have the same neurons
    before them, so they share one population. Where nothing else reads the node, the neurons sum up the currents
    themselves; otherwise relays do, and the neurons read those.

    What leads back is read one step late, so that before the first step of a sample its neurons have sent nothing and
    its sums are zero. The bias of a folded norm does not wait, as on a chip; the paper's feedback brings it a step late
    as well.

    Source: Kim et al., Neural architecture search for spiking neural networks (ECCV 2022), forward and backward cells.

    Args:
        draft: The draft of the plan.
        cell: The cell, `living`; the edge from the first to the last node is there.
        entry: What drives the first node; its channels are those of all nodes.
        name: Prefix of the names of its populations.
        dynamics: What the neurons do.
    """
    added: list[int] = []
    for node in _order(cell):
        incoming = [_edge(cell, i, node, name=name) for i in added if cell[i][node] != "zero"]
        target = f"{name}/node{node}"
        is_sum = _is_sum(cell, node)
        draft.add(
            target, Dynamics("relay") if is_sum else dynamics, incoming=[entry, *incoming] if node == 0 else incoming
        )
        if is_sum and not _KERNELS.keys().isdisjoint(cell[node]):
            on = Incoming(f"{target}/on", (target,), "skip", gain=1.0)
            draft.add(_neurons(cell, node, name=name), dynamics, incoming=[on])
        for earlier in added:
            if cell[node][earlier] != "zero":
                draft.connect(f"{name}/node{earlier}", _edge(cell, node, earlier, name=name))
        added.append(node)
    return f"{name}/node{NODES - 1}"


def _order(cell: CurrentCell) -> list[int]:
    """Return the living nodes, each after one that it reads; the first node is the input."""
    order = [0]
    for node in order:
        order += [j for j in range(NODES) if cell[node][j] != "zero" and j not in order]
    return order


def _is_sum(cell: CurrentCell, node: int) -> bool:
    """Return whether anything but neurons reads the current of a node: what follows the cell, identities and pools."""
    return node == NODES - 1 or not {"identity", "pool"}.isdisjoint(cell[node])


def _neurons(cell: CurrentCell, node: int, *, name: str) -> str:
    """Return the population that the convolutions of a node read."""
    return f"{name}/node{node}/neurons" if _is_sum(cell, node) else f"{name}/node{node}"


def _edge(cell: CurrentCell, source: int, target: int, *, name: str) -> Incoming:
    operation, delay = cell[source][target], int(source > target)
    edge = f"{name}/edge{source}{target}"
    if operation in _KERNELS:
        sources = (_neurons(cell, source, name=name),)
        return Incoming(edge, sources, "conv", kernel=_KERNELS[operation], delay=delay, gain=1.0)
    sources = (f"{name}/node{source}",)
    if operation == "pool":
        return Incoming(edge, sources, "pool", kernel=3, delay=delay, gain=1.0)
    return Incoming(edge, sources, "skip", delay=delay, gain=1.0)
