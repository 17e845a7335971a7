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
from typing import TYPE_CHECKING

from evonas.architecture.attention import add_attention
from evonas.architecture.cell import Cell
from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.plan import Plan
from evonas.real_variables import LogReal
from evonas.snn.planned import planned
from evonas.space import Assignment, Space
from evonas.variables import Choice, Integer, Scalar, Variable
from spaces.spike_dhs_form import (
    LAYERS,
    READOUT,
    SIDES,
    add_resized,
    cell_of,
    cell_variables,
    connection,
    dynamics,
    last_node,
    levels_of,
    stem,
)

if TYPE_CHECKING:
    from evonas.snn.relaxed.space import RelaxedSpace
    from spaces.spike_dhs_choices import SpikeDhsMixture

Values = Mapping[str, Scalar]


def relax(
    context: Values, input_shape: Sequence[int], classes: int, *, within: Space | None = None
) -> RelaxedSpace[SpikeDhsMixture]:
    """Return all networks of the sizes in `context` as one, which the differentiable search can train.

    Args:
        context: The values of `nodes` and `channels`.
        input_shape: As for `plan`.
        classes: Number of classes.
        within: What the space was narrowed to, if it was.

    Raises:
        SpaceError: If a size is missing, or something else is given.
    """
    from spaces import spike_dhs_relaxed  # needs torch

    return spike_dhs_relaxed.relax(within or space, context, input_shape=input_shape, classes=classes)


def plan(genotype: Values, input_shape: Sequence[int], classes: int) -> Plan:
    """Return what the network of a genotype consists of; arguments as in `evonas.snn.planned`."""
    cell, levels = cell_of(genotype), levels_of(genotype)
    return plan_cells(cell, levels, genotype, input_shape=input_shape, classes=classes)


def plan_cells(
    cell: Cell,
    levels: Sequence[int],
    values: Values,
    *,
    input_shape: Sequence[int],
    classes: int,
    attention: Sequence[str] = (),
) -> Plan:
    """Return the plan of a cell at each place of a path.

    Args:
        cell: The edges of each node.
        levels: The level of each layer.
        values: The values of `channels`, `time_steps` and `surrogate_width`.
        input_shape: As for `plan`.
        classes: Number of classes.
        attention: What each node sends through, as in `evonas.architecture.attention.ATTENTION`; nothing by default.
    """
    channels, neurons = int(values["channels"]), dynamics(float(values["surrogate_width"]))
    draft = Draft(input_shape, time_steps=int(values["time_steps"]))
    draft.add("stem", neurons, incoming=[stem(channels * len(cell))])
    last: tuple[tuple[str, ...], int] = (("stem",), 0)
    before = last
    for layer, level in enumerate(levels, start=1):
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
            sent = draft.add(name, neurons, incoming=incoming)
            nodes.append(add_attention(draft, sent, attention[node]) if attention else sent)
            known[f"n{node}"] = (nodes[-1],)
        before, last = last, (tuple(nodes), level)
    draft.add("readout", READOUT, incoming=[Incoming("readout/linear", last[0], "linear", channels=classes)])
    return draft.finish()


def share(genotype: Values, name: str) -> str:
    """Return the name under which weights are shared, as in `evonas.weight_sharing`.

    As in the search by gradients, each operation of an edge has weights of its own in each layer, at each level and for
    each level of the cell that it reads.

    Example:
        >>> from spaces.spike_dhs_form import of_code
        >>> chosen = of_code([[1, 1], [0, 1], [3, 2], [2, 1], [7, 1], [8, 1]], [0, 0, 1, 1, 1, 2, 2, 2])
        >>> [share(chosen, name) for name in ("stem/conv", "cell3/node1", "cell3/node1/s1")]
        ['stem/conv', 'cell3@1/node1', 'cell3@1/node1/s1~0/conv_b5']
    """
    place, *parts = name.split("/")
    if not place.startswith("cell"):
        return name
    layer, levels = int(place.removeprefix("cell")), (0, *levels_of(genotype))
    shared = "/".join((f"{place}@{levels[layer]}", *parts))
    if len(parts) != 2 or not parts[0].startswith("node"):
        return shared
    node, source = int(parts[0].removeprefix("node")), parts[1]
    if source in SIDES:
        shared = f"{shared}~{levels[max(layer - SIDES[source], 0)]}"
    operation = next(edge.operation for edge in cell_of(genotype)[node] if edge.source == source)
    return f"{shared}/{operation}"


def _arrange(values: Assignment) -> Assignment:
    """Return the assignment with the moves of its path: from the last level none goes down."""
    levels = (0, *levels_of(values))
    moves = {
        f"layer{layer}.move": "down" if levels[layer] > levels[layer - 1] else "stay" for layer in range(1, LAYERS + 1)
    }
    return {**values, **moves}


def _variables() -> dict[str, Variable]:
    variables = cell_variables()
    for layer in range(1, LAYERS + 1):
        variables[f"layer{layer}.move"] = Choice(("stay", "down"))
    variables["channels"] = Choice((4, 8, 12, 16, 24, 36, 48))
    variables["time_steps"] = Integer(2, 8)
    variables["surrogate_width"] = LogReal(0.5, 3.0)
    return variables


space = Space(
    _variables(),
    rules=[last_node()],
    arrange=_arrange,
    relax=relax,
    sizes=("nodes", "channels"),
    **planned(plan),
    share=share,
    surrogate_width="surrogate_width",
)
