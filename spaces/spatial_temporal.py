"""The joint space: stem, cell, layer path and width, neurons, time constants, surrogate gradient and time steps.

Source: the spatial part follows SpikeDHS (Che et al., NeurIPS 2022), the temporal part the idea of STS (Che et al.,
arXiv 2410.18580) of neurons that differ in kind and time constants; the ranges are chosen for few time steps of 1 ms.
Adaptive thresholds are those of the stem of SpikingEDN (see `evonas.snn.kernels.adaptive_step`), feedback within a cell
follows the backward edges of SNASNet (Kim et al., ECCV 2022), with weights and to all nodes, and attention behind the
nodes of cells the idea of MA-DARTS (Man et al., arXiv 2411.00902), a reconstruction. All three are `optional`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from evonas.architecture.attention import ATTENTION
from evonas.architecture.cell import OPERATIONS, Cell
from evonas.architecture.cell_form import (
    EDGE_NAMES,
    EDGES,
    LAYERS,
    LEVELS,
    MOST_CELLS,
    MOVES,
    NODES,
    cell_of,
    first_form,
    levels_of,
)
from evonas.architecture.neuron import DT_MS, PARAMETERS, RESETS, SEARCHED_SURROGATES, SPIKING, Dynamics, Surrogate
from evonas.architecture.plan import Plan
from evonas.architecture.trellis import READOUTS, Trellis, plan_trellis
from evonas.real_variables import LogReal, Real
from evonas.rule import Rule
from evonas.snn.planned import planned
from evonas.space import Assignment, Space
from evonas.variables import Choice, Integer, Scalar, Variable

if TYPE_CHECKING:
    from evonas.snn.relaxed.mixture import NetworkMixture
    from evonas.snn.relaxed.space import RelaxedSpace

Values = Mapping[str, Scalar]

CONSTANTS = ("tau_mem", "tau_syn", "v_th", "tau_adapt", "beta")
"""The constants of the neurons of a stage."""

UNDECAYED = 2
"""Time steps in which no adaptation decays: it begins behind the first step, and decays from the second on."""

GATES = tuple(name for name in ATTENTION if "temporal" not in name)
"""Attention behind the nodes of cells; that over time steps waits for the last one, which static inputs do not have."""

FEEDBACK = ("none", "first", "last", "all")
"""The cells of the path whose nodes read all nodes of their cell one time step ago."""


KINDS = tuple(f"stage{stage}.kind" for stage in range(LEVELS))
"""Names of the kinds of neurons of the stages."""


def relax(
    context: Values, input_shape: Sequence[int], classes: int, *, within: Space | None = None
) -> RelaxedSpace[NetworkMixture]:
    """Return all networks of the sizes in `context` as one, which the differentiable search can train.

    Args:
        context: The sizes.
        input_shape: As for `plan`.
        classes: Number of classes.
        within: What the space was narrowed to, if it was.
    """
    from spaces import spatial_temporal_relaxed  # needs torch

    return spatial_temporal_relaxed.relax(within or space, context, input_shape=input_shape, classes=classes)


def plan(genotype: Values, input_shape: Sequence[int], classes: int) -> Plan:
    """Return what the network of a genotype consists of; arguments as in `evonas.snn.planned`."""
    return plan_trellis(trellis_of(genotype), cell_of(genotype), input_shape=input_shape, classes=classes)


def trellis_of(genotype: Values) -> Trellis:
    """Return what surrounds the cell of a genotype."""
    levels = levels_of(genotype)
    return Trellis(
        levels=levels,
        channels=int(genotype["channels"]),
        stages=tuple(_dynamics(genotype, stage) for stage in range(levels[-1] + 1)),
        readout_tau_mem_ms=float(genotype["readout.tau_mem"]),
        time_steps=int(genotype["time_steps"]),
        stem_stride=int(genotype["stem.stride"]),
        readout_input=str(genotype["readout.input"]),
        attention=str(genotype.get("attention", "none")),
        feedback=_fed_back(genotype, levels, str(genotype.get("feedback", "none"))),
    )


def _fed_back(values: Values, levels: Sequence[int], feedback: str) -> frozenset[int]:
    """Return the places of the cells with feedback: analog neurons have none, what they read stays static."""
    return _spiking_places(tuple(values[KINDS[level]] != "analog" for level in levels), feedback)


@lru_cache
def _spiking_places(are_spiking: tuple[bool, ...], feedback: str) -> frozenset[int]:
    cells = len(are_spiking)
    places = {"none": (), "first": (0,), "last": (cells - 1,), "all": range(cells)}[feedback]
    return frozenset(place for place in places if are_spiking[place])


def _dynamics(values: Values, stage: int) -> Dynamics:
    constants = {
        f"{name}_ms" if name.startswith("tau") else name: float(values[f"stage{stage}.{name}"])
        for name in CONSTANTS
        if f"stage{stage}.{name}" in values
    }
    surrogate = Surrogate()
    if "surrogate" in values:
        surrogate = Surrogate(str(values["surrogate"]), float(values["surrogate_width"]))
    kind: Any = values[f"stage{stage}.kind"]
    return Dynamics(kind, **constants, reset=str(values.get(f"stage{stage}.reset", "value")), surrogate=surrogate)


def arrange(values: Assignment) -> Assignment:
    """Return the assignment in the one form that all assignments of the same network share.

    Drop edges from inactive nodes and nodes without edges, then renumber. A node's two edges come
    from two sources: the second of one source moves on to the next younger one, or from the youngest to s0. Where no
    node lives, one 3x3 convolution of the last cell does. A cell that reads only the cell before the last would leave
    every second cell without a reader, so it reads the last one. Nodes and edges come in the first of all orders that
    are possible. A move down from the last level is a stay. Feedback has the first name of those of the same cells.
    """
    arranged = {**values, **_arranged_cell(cell_of(values))}
    level, levels = 0, levels_of(values)
    for layer, reached in enumerate(levels):
        arranged[MOVES[layer]] = "down" if reached > level else "stay"
        level = reached
    if "feedback" in values:
        places = _fed_back(arranged, levels, str(values["feedback"]))
        arranged["feedback"] = next(name for name in FEEDBACK if _fed_back(arranged, levels, name) == places)
    return arranged


@lru_cache(maxsize=MOST_CELLS)
def _arranged_cell(cell: Cell) -> Values:
    """Return the values of the variables of the one of all cells that do the same."""
    first = first_form(cell)
    arranged: Assignment = {"nodes": len(first)}
    for edges, names in zip(first, EDGE_NAMES, strict=False):
        arranged[names[-1][1]] = "none"
        for edge, (source, operation) in zip(edges, names, strict=False):
            arranged[source], arranged[operation] = edge.source, edge.operation
    return arranged


def alike(values: Assignment, input_shape: Sequence[int]) -> Assignment:
    """Return the assignment that stands for a network on data of this shape.

    Where the last cell has one position, the readout reads its mean and all of its positions alike: the mean it is.
    """
    reduction = int(values["stem.stride"]) * 2 ** levels_of(values)[-1]
    return {**values, "readout.input": "mean"} if max(input_shape[-2:]) <= reduction else values


def _variables() -> dict[str, Variable]:
    """Return the variables; sizes list their values from the smallest network to the largest."""
    variables: dict[str, Variable] = {"nodes": Integer(1, NODES)}
    for node in range(NODES):
        sources = ("s0", "s1", *(f"n{index}" for index in range(node)))
        for letter in EDGES:
            variables[f"node{node}.{letter}.from"] = Choice(sources)
            variables[f"node{node}.{letter}.op"] = Choice((*OPERATIONS, "none"))
    variables["layers"] = Integer(2, LAYERS)
    for layer in range(1, LAYERS + 1):
        variables[f"layer{layer}.move"] = Choice(("stay", "down"))
    variables["channels"] = Choice((4, 6, 8, 12, 16, 24))
    variables["stem.stride"] = Choice((4, 2, 1))
    for stage in range(LEVELS):
        variables[f"stage{stage}.kind"] = Choice((*SPIKING, "analog"))
        variables[f"stage{stage}.tau_mem"] = LogReal(1.0, 5.0)
        variables[f"stage{stage}.tau_syn"] = LogReal(1.0, 5.0)
        variables[f"stage{stage}.v_th"] = Real(0.25, 1.5, 0.05)
        variables[f"stage{stage}.tau_adapt"] = LogReal(1.0, 5.0)
        variables[f"stage{stage}.beta"] = Real(0.05, 0.5, 0.05)
        variables[f"stage{stage}.reset"] = Choice(RESETS)
    variables["feedback"] = Choice(FEEDBACK)
    variables["attention"] = Choice(GATES)
    variables["surrogate"] = Choice(SEARCHED_SURROGATES)
    variables["surrogate_width"] = LogReal(0.25, 4.0)
    variables["time_steps"] = Integer(2, 8)
    variables["readout.input"] = Choice(tuple(READOUTS))
    variables["readout.tau_mem"] = LogReal(1.0, 5.0)
    return variables


def _rules() -> tuple[Rule, ...]:
    rules = []
    for node in range(NODES):
        for letter in EDGES:
            edge = f"node{node}.{letter}"
            rules.append(Rule((f"{edge}.from",), partial(_is_edge, edge=edge)))
        parts = tuple(f"node{node}.{letter}.{part}" for letter in EDGES for part in ("from", "op"))
        rules.append(Rule(parts, partial(_has_node, node=node)))
    for stage in range(LEVELS):
        rules.append(Rule((f"stage{stage}.kind",), partial(_reaches, stage=stage)))
        for constant in CONSTANTS:
            rules.append(Rule((f"stage{stage}.{constant}",), partial(_depends, stage=stage, constant=constant)))
        rules.append(Rule((f"stage{stage}.reset",), partial(_remembers, stage=stage)))
    for layer in range(1, LAYERS + 1):
        rules.append(Rule((f"layer{layer}.move",), partial(_has_layer, layer=layer)))
    rules.append(Rule(("surrogate", "surrogate_width"), _spikes))
    return tuple(rules)


def _is_edge(values: Values, *, edge: str) -> bool:
    return values[f"{edge}.op"] != "none"


def _has_node(values: Values, *, node: int) -> bool:
    return node < int(values["nodes"])


def _has_layer(values: Values, *, layer: int) -> bool:
    return layer <= int(values["layers"])


def _reaches(values: Values, *, stage: int) -> bool:
    return stage <= levels_of(values)[-1]


def _depends(values: Values, *, stage: int, constant: str) -> bool:
    if constant == "tau_adapt" and int(values["time_steps"]) <= UNDECAYED:
        return False
    return (values.get(KINDS[stage], "analog"), constant) in _DEPENDENT


_DEPENDENT = frozenset(
    (kind, constant)
    for kind, names in PARAMETERS.items()
    for constant in CONSTANTS
    if any(name.startswith(constant) for name in names)
)
"""Kinds of neurons with the constants that they have."""


def _remembers(values: Values, *, stage: int) -> bool:
    """Return whether a reset leaves anything behind: a membrane as fast as the time step forgets in any case."""
    return values.get(KINDS[stage]) == "lif_box" and float(values[f"stage{stage}.tau_mem"]) > DT_MS


def _spikes(values: Values) -> bool:
    return any(values.get(kind) in SPIKING for kind in KINDS)


space = Space(
    _variables(),
    rules=_rules(),
    arrange=arrange,
    alike=alike,
    relax=relax,
    sizes=("nodes", "layers", "channels", "stem.stride", "readout.input"),
    **planned(plan),
    optional={
        "adaptive": {"stage*.kind": ("alif",), "stage*.tau_adapt": None, "stage*.beta": None},
        "feedback": {"feedback": None},
        "attention": {"attention": None},
    },
    constants=(
        *(f"stage*.{name}" for name in (*CONSTANTS, "reset")),
        "surrogate",
        "surrogate_width",
        "readout.tau_mem",
    ),
    surrogate_width="surrogate_width",
)
