"""SpikeDHS: a cell of convolutions that differ in the surrogate gradient, on a trellis of 8 layers and 4 resolutions.

Source: Che et al., Differentiable hierarchical and surrogate gradient search for spiking neural networks (NeurIPS
2022). Each node is one population, the sum of the currents of two edges at its membrane, and sends spikes; all nodes of
a cell are its output. Neurons keep a fifth of their potential from step to step, after the reset, and take currents as
they are; here as `lif_box` of 1.25 ms, whose leak is 0.8, with currents times 1.25. The operations of an edge are to
skip, and a convolution under Dspike of temperature 3 or 5.

Where the paper leaves something open, or its code does something else:

* The temperature of a convolution is that of the gradient which reaches it, through the one population of its node (see
  `Incoming.temperature`). In the code, edges have neurons of their own in the search and no temperature in the end.
* A skip from another cell, which has other channels, is a convolution of kernel 1; in the code it is one of kernel 3,
  which is what the other operations are.
* Neurons of stems, and what skips, see Dspike of temperature 3. The readout takes means over space of the last spikes,
  without neurons and norm between. There is no auxiliary head.
* A cell reads those before it at its own resolution: spikes are resized to the nearest elements, as in the code's final
  training; its search leaves out the cell before the last where that has another resolution.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING

from evonas.architecture.cell import Cell, Edge
from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics, Surrogate
from evonas.architecture.plan import INPUT, Plan, check_frames
from evonas.errors import SpaceError
from evonas.real_variables import LogReal
from evonas.space import Assignment, Rule, Space
from evonas.variables import Choice, Integer, Scalar, Variable

if TYPE_CHECKING:
    from evonas.snn.network import Network
    from evonas.snn.relaxed.space import RelaxedSpace
    from spaces.spike_dhs_relaxed import SpikeDhsMixture

Values = Mapping[str, Scalar]

LAYERS = 8
LEVELS = 4

OPERATIONS = ("skip", "conv_b3", "conv_b5")
"""The operations of an edge, as numbered in the published code; a convolution is named by its temperature."""

TEMPERATURES = {"conv_b3": 3.0, "conv_b5": 5.0}

TAU_MEM_MS = 1.25
"""Time constant whose step keeps a fifth of the potential; and the factor of currents that undoes its leak of 0.8."""


def build(genotype: Values, input_shape: Sequence[int], classes: int) -> Network:
    """Return the network of a genotype, its weights drawn from torch's global generator.

    Args:
        genotype: A genotype of `space`.
        input_shape: `(channels, height, width)` of images, or `(time, channels, height, width)` of event frames.
        classes: Number of classes.

    Raises:
        SpaceError: If there are event frames, but not one for each time step.
    """
    from evonas.snn.network import Network  # reading genotypes and their costs needs no torch

    check_frames(input_shape, time_steps=int(genotype["time_steps"]))
    return Network(plan(genotype, input_shape, classes))


def relax(
    context: Values, input_shape: Sequence[int], classes: int, *, within: Space | None = None
) -> RelaxedSpace[SpikeDhsMixture]:
    """Return all networks of the sizes in `context` as one, which the differentiable search can train.

    Args:
        context: The values of `nodes` and `channels`.
        input_shape: As for `build`.
        classes: Number of classes.
        within: What the space was narrowed to, if it was.

    Raises:
        SpaceError: If a size is missing, or something else is given.
    """
    from spaces import spike_dhs_relaxed  # needs torch

    return spike_dhs_relaxed.relax(within or space, context, input_shape=input_shape, classes=classes)


def operations(genotype: Values, input_shape: Sequence[int], classes: int) -> int:
    """Return the dense multiply-accumulates of one sample over all time steps, those of a static input once."""
    return plan(genotype, input_shape, classes).operations


def plan(genotype: Values, input_shape: Sequence[int], classes: int) -> Plan:
    """Return what the network of a genotype consists of; arguments as for `build`."""
    cell, channels = cell_of(genotype), int(genotype["channels"])
    neurons = dynamics(float(genotype["surrogate_width"]))
    draft = Draft(input_shape, time_steps=int(genotype["time_steps"]))
    draft.add("stem", neurons, incoming=[stem(channels * len(cell))])
    last: tuple[tuple[str, ...], int] = (("stem",), 0)
    before = last
    for layer, level in enumerate(levels_of(genotype), start=1):
        known: dict[str, tuple[str, ...]] = {}
        for side, (sources, its_level) in (("s0", before), ("s1", last)):
            if any(edge.source == side for edges in cell for edge in edges):
                known[side] = add_resized(draft, sources, f"cell{layer}/{side}", halvings=level - its_level)
        nodes = []
        for node, edges in enumerate(cell):
            name = f"cell{layer}/node{node}"
            incoming = [
                connection(edge, f"{name}/{edge.source}", known[edge.source], channels=channels * 2**level)
                for edge in edges
            ]
            nodes.append(draft.add(name, neurons, incoming=incoming))
            known[f"n{node}"] = (name,)
        before, last = last, (tuple(nodes), level)
    draft.add("readout", READOUT, incoming=[Incoming("readout/linear", last[0], "linear", channels=classes)])
    return draft.finish()


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
    values: Assignment = {"nodes": len(cell)}
    for node, edges in enumerate(cell):
        if node:
            values[f"node{node}.inputs"] = "+".join(edge.source for edge in edges)
        values.update({f"node{node}.{letter}": edge.operation for letter, edge in zip("ab", edges, strict=True)})
    moves = [after - before for before, after in zip((0, *levels), levels, strict=False)]
    if len(levels) != LAYERS or not set(moves) <= {0, 1} or levels[-1] >= LEVELS:
        raise SpaceError(
            f"A path has {LAYERS} levels from 0 to {LEVELS - 1}, each that of the one before or the next, got "
            f"{list(levels)}."
        )
    return {**values, **{f"layer{n}.move": "down" if move else "stay" for n, move in enumerate(moves, start=1)}}


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


def _arrange(values: Assignment) -> Assignment:
    """Return the assignment with the moves of its path: from the last level none goes down."""
    levels = (0, *levels_of(values))
    moves = {
        f"layer{layer}.move": "down" if levels[layer] > levels[layer - 1] else "stay" for layer in range(1, LAYERS + 1)
    }
    return {**values, **moves}


def _variables() -> dict[str, Variable]:
    variables: dict[str, Variable] = {"nodes": Integer(3, 4)}
    for node in range(4):
        if node:
            variables[f"node{node}.inputs"] = Choice(tuple("+".join(pair) for pair in pairs_of(node)))
        variables[f"node{node}.a"] = Choice(OPERATIONS)
        variables[f"node{node}.b"] = Choice(OPERATIONS)
    for layer in range(1, LAYERS + 1):
        variables[f"layer{layer}.move"] = Choice(("stay", "down"))
    variables["channels"] = Choice((4, 8, 12, 16, 24, 36, 48))
    variables["time_steps"] = Integer(2, 8)
    variables["surrogate_width"] = LogReal(0.5, 3.0)
    return variables


def _has_node(values: Values, *, node: int) -> bool:
    return node < int(values["nodes"])


space = Space(
    _variables(),
    rules=[Rule(("node3.inputs", "node3.a", "node3.b"), partial(_has_node, node=3))],
    arrange=_arrange,
    build=build,
    relax=relax,
    sizes=("nodes", "channels"),
    operations=operations,
    plan=plan,
    surrogate_width="surrogate_width",
)
