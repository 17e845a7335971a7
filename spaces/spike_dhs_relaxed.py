"""SpikeDHS made differentiable: its choices as logits, all its networks as one, and the way back to a genotype.

Source: Che et al. (NeurIPS 2022). An edge is the mean of its operations, weighted by a softmax; a node sums all of its
edges at the membrane. Nodes keep the two edges whose likeliest operation other than skip is likeliest; an edge gets its
likeliest operation, and the path is the likeliest by dynamic programming.

Where the paper leaves something open, or its code does something else:

* Cells of all levels that a path may come from are mixed as currents at the membranes of a cell, each with operations
  of its own and by the probability of its path; the code mixes their spikes.
* The readout mixes those of all levels at which a path may end, where the code convolves all levels down to the last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Generic, Protocol

import torch

from evonas.architecture.cell import Edge
from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics
from evonas.errors import SpaceError
from evonas.genotype import Genotype
from evonas.input_shape import InputShape
from evonas.real_variables import LogReal, Real
from evonas.snn.relaxed.path_distribution import most_likely, reached
from evonas.snn.relaxed.products import Factors
from evonas.snn.relaxed.space import M, M_co, MixtureLogits
from evonas.snn.relaxed.weighted_network import WeightedNetwork, WeightedPlan
from evonas.space import Assignment, Space
from evonas.variables import Choice, Integer, Scalar
from spaces.spike_dhs_choices import SpikeDhsLogits, SpikeDhsMixture, edges_of, likeliest_cell
from spaces.spike_dhs_form import (
    LAYERS,
    LEVELS,
    OPERATIONS,
    READOUT,
    SIDES,
    add_resized,
    choices_of,
    connection,
    dynamics,
    sources_of,
    stem,
)

TIME_STEPS = 6
"""Time steps of the networks of a search where the data leave them open, as published."""

Values = Mapping[str, Scalar]


def relax(space: Space, context: Values, *, input_shape: Sequence[int], classes: int) -> RelaxedCells[SpikeDhsMixture]:
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
    return RelaxedCells(network, space, fixed, make_logits=SpikeDhsLogits, choices_of=_likeliest)


def fixed_values(space: Space, context: Values, input_shape: Sequence[int], *, time_steps: int) -> dict[str, Scalar]:
    """Return the values that all networks of a search share.

    There is a time step for each frame, else as many as wished or the nearest that are allowed.

    Args:
        space: The space, narrowed or not.
        context: The values of `nodes` and `channels`.
        input_shape: As for `plan`.
        time_steps: Those that are wished.

    Raises:
        SpaceError: If a size is missing, or something else is given.
    """
    if set(context) != {"nodes", "channels"}:
        given = ", ".join(context) or "nothing"
        raise SpaceError(f"A differentiable search of this space has the sizes nodes and channels, got {given}.")
    fixed = {name: space.variables[name].canonical(context[name]) for name in context}
    frames, steps = InputShape(input_shape).frames, space.variables["time_steps"]
    assert isinstance(steps, Integer)
    fixed["time_steps"] = steps.canonical(frames or min(max(time_steps, steps.low), steps.high))
    width = space.variables["surrogate_width"]
    assert isinstance(width, Real | LogReal)
    fixed["surrogate_width"] = width.canonical(min(max(1.0, width.low), width.high))
    return fixed


class MakeLogits(Protocol[M_co]):
    """Makes the logits of all networks of a space with so many nodes."""

    def __call__(self, nodes: int, space: Space, *, generator: torch.Generator) -> MixtureLogits[M_co]:
        """Return new logits, without the options that the space was narrowed from."""


@dataclass(frozen=True)
class RelaxedCells(Generic[M]):
    """All networks of the same sizes, as `evonas.snn.relaxed.space.RelaxedSpace`, of cells such as those of SpikeDHS.

    Attributes:
        network: All networks in one.
        space: The space, narrowed or not.
        fixed: The values that all of them share.
        make_logits: Makes the logits of what is searched.
        choices_of: Returns the values of the variables that say the likeliest network of a mixture.
    """

    network: WeightedNetwork
    space: Space
    fixed: Mapping[str, Scalar]
    make_logits: MakeLogits[M]
    choices_of: Callable[[M], Assignment]

    def logits(self, *, generator: torch.Generator) -> MixtureLogits[M]:
        """Return new logits, without the options that the space was narrowed from."""
        return self.make_logits(int(self.fixed["nodes"]), self.space, generator=generator)

    def discretise(self, mixture: M) -> Genotype:
        """Return the genotype of the most likely network of a mixture."""
        return self.space.canonical({**_placeholders(self.space), **self.fixed, **self.choices_of(mixture)})


def _likeliest(mixture: SpikeDhsMixture) -> Assignment:
    cell = likeliest_cell(mixture.operations, mixture.edges)
    return choices_of(cell, most_likely(mixture.moves, levels=LEVELS))


def _placeholders(space: Space) -> Assignment:
    """Return values for a node that there is not."""
    return {name: variable.values[0] for name, variable in space.variables.items() if isinstance(variable, Choice)}


def plan_of_all(fixed: Values, input_shape: Sequence[int], classes: int) -> WeightedPlan:
    """Return the plan of all networks with these values of `nodes`, `channels`, `time_steps` and `surrogate_width`."""
    nodes, neurons = int(fixed["nodes"]), dynamics(float(fixed["surrogate_width"]))
    draft = Draft(input_shape, time_steps=int(fixed["time_steps"]))
    draft.add("stem", neurons, incoming=[stem(int(fixed["channels"]) * nodes)])
    weight: dict[str, Factors] = {"stem/conv": ()}
    presence: dict[str, Factors] = {"stem/conv": (), "stem": (), "readout": ()}
    for layer in range(1, LAYERS + 1):
        for level in reached(layer, levels=LEVELS):
            channels = int(fixed["channels"]) * 2**level
            _add_cell(draft, weight, presence, layer, level, nodes=nodes, channels=channels, neurons=neurons)
    last = []
    for level in reached(LAYERS, levels=LEVELS):
        name = f"readout/linear@{level}"
        last.append(Incoming(name, _outputs(LAYERS, level, nodes), "linear", channels=classes))
        weight[name] = presence[name] = (f"pass{LAYERS}@{level}",)
    draft.add("readout", READOUT, incoming=last)
    return WeightedPlan(draft.finish(), weight, presence)


def _outputs(layer: int, level: int, nodes: int) -> tuple[str, ...]:
    if layer <= 0:
        return ("stem",)
    return tuple(f"cell{layer}@{level}/node{node}" for node in range(nodes))


def _add_cell(
    draft: Draft,
    weight: dict[str, Factors],
    presence: dict[str, Factors],
    layer: int,
    level: int,
    *,
    nodes: int,
    channels: int,
    neurons: Dynamics,
) -> None:
    """Add the cell at a layer and level, which reads those before it at every level that a path may come from."""
    cell, passing = f"cell{layer}@{level}", (f"pass{layer}@{level}",)
    known: dict[str, list[tuple[str, tuple[str, ...], Factors]]] = {}  # source to origin, populations and its factors
    for side, back in SIDES.items():
        known[side] = []
        for before in reached(max(layer - back, 0), levels=LEVELS):
            if not 0 <= level - before <= min(back, layer):
                continue
            name = f"{cell}/{side}~{before}"
            came: Factors = (name,) if layer > back else ()  # nearer to the stem, all paths come from it
            read = add_resized(draft, _outputs(layer - back, before, nodes), name, halvings=level - before)
            if read == (name,):
                presence[name] = presence[f"{name}/resize"] = (*passing, f"used.{side}", *came)
                weight[f"{name}/resize"] = ()
            known[side].append((f"{side}~{before}", read, came))
    numbers = {edge: number for number, edge in enumerate(edges_of(nodes))}
    for node in range(nodes):
        name, incoming = f"{cell}/node{node}", []
        for source, operation in product(sources_of(node), OPERATIONS):
            for origin, read, came in known[source]:
                edge = f"{name}/{origin}/{operation}"
                incoming.append(connection(Edge(source, operation), edge, read, channels=channels))
                weight[edge] = (f"edge{numbers[node, source]}.{operation}", *came)
                presence[edge] = (*passing, *weight[edge])
        draft.add(name, neurons, incoming=incoming)
        presence[name] = passing
        known[f"n{node}"] = [(f"n{node}", (name,), ())]
