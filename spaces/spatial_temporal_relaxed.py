"""The joint space, and that of STS around it, made differentiable: which variable is which logit, and back.

Feedback and attention are not relaxed: networks that are found have neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from evonas.architecture.cell import Cell, Edge
from evonas.architecture.cell_form import (
    EDGES,
    LEVELS,
    NODES,
)
from evonas.architecture.constant import GROUPS, SCOPES
from evonas.architecture.neuron import RESETS, Surrogate
from evonas.errors import SpaceError
from evonas.genotype import Genotype
from evonas.input_shape import InputShape
from evonas.real_variables import LogReal, Real
from evonas.snn.relaxed.edge_distribution import best_two, pairs_of
from evonas.snn.relaxed.logits import Allowed, Bounds
from evonas.snn.relaxed.mixture import KINDS, NetworkMixture
from evonas.snn.relaxed.network import RelaxedNetwork
from evonas.snn.relaxed.path_distribution import choosing, most_likely
from evonas.snn.relaxed.plan import FixedSizes, relax_trellis
from evonas.snn.relaxed.trellis import RelaxedTrellis
from evonas.space import Assignment, Space
from evonas.variables import Choice, Integer, Scalar, Variable
from spaces.sts_form import variable_of

CONTEXT = ("nodes", "layers", "channels", "stem.stride", "readout.input")
"""What has to be given: the sizes."""

FIXED = ("surrogate", "surrogate_width")
"""What may be given, for it changes the gradients and not the network."""

STAGE_CONSTANTS = ("tau_mem", "tau_syn", "v_th", "tau_adapt", "beta")
"""In the order of `evonas.snn.relaxed.mixture.CONSTANTS`."""

NOT_RELAXED = ("feedback", "attention")
"""Choices that are left at `"none"`."""

_WISHES: dict[str, Scalar] = {"surrogate": Surrogate().method, "surrogate_width": Surrogate().width}
"""What is fixed where nothing is given and the space allows it."""

Values = Mapping[str, Scalar]


def relax(space: Space, context: Values, *, input_shape: Sequence[int], classes: int) -> RelaxedTrellis:
    """Return all networks of the space that have these sizes, as one.

    Args:
        space: The joint space, or that of STS: its variables give the ranges.
        context: The values of `CONTEXT`; `surrogate` and `surrogate_width` if not the default.
        input_shape: As for `plan`.
        classes: Number of classes.

    Raises:
        SpaceError: If a size is missing, something else is given, or the space has only what is not relaxed.
    """
    _check_relaxable(space)
    given = _checked(context, space)
    sizes = FixedSizes(
        nodes=int(given["nodes"]),
        layers=int(given["layers"]),
        levels=LEVELS,
        channels=int(given["channels"]),
        time_steps=_time_steps(space, input_shape),
        stem_stride=int(given["stem.stride"]),
        readout_input=str(given["readout.input"]),
        groups=_groups(space),
    )
    surrogate = Surrogate(str(given["surrogate"]), float(given["surrogate_width"]))
    network = RelaxedNetwork(relax_trellis(sizes, input_shape=input_shape, classes=classes), surrogate=surrogate)
    return RelaxedTrellis(
        network=network,
        bounds=Bounds(
            tuple(_bounds(space, *_everywhere(name)) for name in STAGE_CONSTANTS),
            _bounds(space, "readout.tau_mem"),
        ),
        allowed=_allowed(space, sizes),
        discretise=partial(discretise, space=space, context=given, time_steps=sizes.time_steps),
    )


def _checked(context: Values, space: Space) -> dict[str, Scalar]:
    """Return the context with its defaults."""
    faults = [f"{name} is missing" for name in CONTEXT if name not in context]
    faults += [f"{name} is no size of the search" for name in context if name not in (*CONTEXT, *FIXED)]
    given: dict[str, Scalar] = {name: _nearest(space.variables[name], wish) for name, wish in _WISHES.items()}
    for name in (*CONTEXT, *FIXED):
        if name in context:
            try:
                given[name] = space.variables[name].canonical(context[name])
            except SpaceError as error:
                faults.append(f"{name}: {error}")
    if faults:
        raise SpaceError(f"The context of a differentiable search is wrong: {'; '.join(faults)}.")
    return given


def _check_relaxable(space: Space) -> None:
    """Raise `SpaceError` where every network of a space has what is not relaxed."""
    for name in NOT_RELAXED:
        choice = space.variables.get(name)
        if isinstance(choice, Choice) and "none" not in choice.values:
            raise SpaceError(
                f"Each network has {name} ({', '.join(map(str, choice.values))}), of which a search by gradients knows "
                'nothing. Allow "none", or choose another strategy.'
            )


def _nearest(variable: Variable, wish: Scalar) -> Scalar:
    """Return a value as near to `wish` as a variable allows."""
    if isinstance(variable, Real | LogReal):
        return variable.canonical(min(max(float(wish), variable.low), variable.high))
    assert isinstance(variable, Choice)
    return wish if wish in variable.values else variable.values[0]


def _time_steps(space: Space, input_shape: Sequence[int]) -> tuple[int, ...]:
    """Return the numbers of time steps among which is chosen.

    Frames leave one, their number. Where data have as many frames as a network has time steps, one is drawn from the
    generator of torch, as weights are: the first of many frames are another input than few frames of the whole, so that
    a batch serves one number.
    """
    shape, steps = InputShape(input_shape), range(*_range(space, "time_steps"))
    if shape.is_static:
        return tuple(steps)
    if shape.frames is None:
        return (steps[int(torch.randint(len(steps), ()))],)
    return (int(space.variables["time_steps"].canonical(shape.frames)),)


def _range(space: Space, name: str) -> tuple[int, int]:
    variable = space.variables[name]
    assert isinstance(variable, Integer)
    return variable.low, variable.high + 1


def _groups(space: Space) -> int:
    """Return the groups of channels whose constants are searched: 1 where no stage may have constants of channels."""
    scopes = [space.variables.get(f"stage{stage}.constants") for stage in range(LEVELS)]
    return GROUPS if any(isinstance(one, Choice) and "channels" in one.values for one in scopes) else 1


def _everywhere(constant: str) -> list[str]:
    """Return the names of a constant in all stages and groups."""
    return [variable_of(constant, stage=stage, group=group) for stage in range(LEVELS) for group in range(GROUPS)]


def _bounds(space: Space, *names: str) -> tuple[float, float]:
    """Return the lowest and the highest value of several constants of one kind; 1 where the space has none."""
    ranges = [variable for name in names if isinstance(variable := space.variables.get(name), Real | LogReal)]
    if not ranges:
        return 1.0, 1.0
    return min(one.low for one in ranges), max(one.high for one in ranges)


def _allowed(space: Space, sizes: FixedSizes) -> Allowed:
    """Return which options the space has, as far as they can be told of each choice alone."""

    def has(options: Sequence[str], *names: str) -> Tensor:
        values = {value for name in names if isinstance(variable := space.variables.get(name), Choice)
                  for value in variable.values}  # fmt: skip
        return torch.tensor([option in values for option in options])

    edges = []
    for node in range(sizes.nodes):  # a node may get another number, and its edges another letter, in the one form
        pairs = pairs_of(node)
        every = [f"node{other}.{letter}" for other in range(NODES) for letter in EDGES]
        source = has([source for source, _ in pairs], *(f"{edge}.from" for edge in every))
        operation = has([operation for _, operation in pairs], *(f"{edge}.op" for edge in every))
        edges.append(torch.cat([source & operation, has(["none"], *(f"{edge}.op" for edge in every))]))
    moves = [
        has(("stay", "down"), f"layer{layer}.move").repeat(len(choosing(layer, levels=LEVELS)), 1)
        for layer in range(1, sizes.layers + 1)
    ]
    stages = range(LEVELS)
    return Allowed(
        edges=tuple(edges),
        moves=tuple(moves),
        kinds=torch.stack([has(KINDS, f"stage{stage}.kind") for stage in stages]),
        resets=torch.stack([has(RESETS, f"stage{stage}.reset") for stage in stages]),
        scopes=torch.stack([has(SCOPES, f"stage{stage}.constants") for stage in stages]),
    )


def discretise(mixture: NetworkMixture, *, space: Space, context: Values, time_steps: tuple[int, ...]) -> Genotype:
    """Return the genotype of the likeliest options; its constants are rounded to the resolution of the space.

    A node gets its likeliest pair of source and operation and the likeliest from another source, unless "none" is
    likelier; the levels are those of the most likely path; a stage has the constants of its groups of channels, or
    their mean, whichever is likelier. The canonical form then does what it does to all: nodes may get other numbers,
    and a cell that reads only the cell before the last reads the last.
    """
    values: Assignment = {**_somewhere(space), **context}
    for node, edges in enumerate(likeliest_cell(mixture)):
        for letter, edge in zip(EDGES, edges, strict=False):
            values[f"node{node}.{letter}.from"], values[f"node{node}.{letter}.op"] = edge.source, edge.operation
    level = 0
    for layer, reached in enumerate(most_likely(mixture.moves, levels=LEVELS), start=1):
        values[f"layer{layer}.move"] = "down" if reached > level else "stay"
        level = reached
    for stage in range(LEVELS):
        values[f"stage{stage}.kind"] = KINDS[int(mixture.kinds[stage].argmax())]
        values[f"stage{stage}.reset"] = RESETS[int(mixture.resets[stage].argmax())]
        scope = SCOPES[int(mixture.scopes[stage].argmax())]
        if f"stage{stage}.constants" in space.variables:
            values[f"stage{stage}.constants"] = scope
        groups = mixture.constants[stage]
        if scope == "stage":
            groups = groups.mean(0).repeat(GROUPS, 1)
        for group, constants in enumerate(groups.tolist()):
            for name, value in zip(STAGE_CONSTANTS, constants, strict=True):
                constant = variable_of(name, stage=stage, group=group)
                if constant in space.variables:
                    low, high = _bounds(space, constant)
                    values[constant] = min(max(value, low), high)
    values["time_steps"] = time_steps[int(mixture.time_steps.argmax())]
    values["readout.tau_mem"] = mixture.readout_tau_mem_ms.item()
    return space.canonical(values)


def likeliest_cell(mixture: NetworkMixture) -> Cell:
    """Return the likeliest edges of each node, its number that of the mixture."""
    return tuple(
        tuple(Edge(*pairs_of(node)[index]) for index in best_two(chances) if index is not None)
        for node, chances in enumerate(mixture.edges)
    )


def _somewhere(space: Space) -> Assignment:
    """Return placeholder values for absent nodes and layers, and `"none"` for what is not relaxed."""
    somewhere: Assignment = {}
    for name, variable in space.variables.items():
        if isinstance(variable, Choice):
            is_absent = "none" in variable.values and (name.endswith(".op") or name in NOT_RELAXED)
            somewhere[name] = "none" if is_absent else variable.values[0]
    return somewhere
