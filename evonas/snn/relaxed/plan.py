"""The plan of all networks at once: every connection that any network has, with the factors of its weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from evonas.architecture.cell import CellInput, Edge, adapter, add_edge, needs_adapter
from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import INPUT, Plan
from evonas.architecture.trellis import readout_connection, stem_convolution
from evonas.snn.relaxed.edge_distribution import NONE, pairs_of
from evonas.snn.relaxed.mixture import NetworkMixture
from evonas.snn.relaxed.path_distribution import LayerPath, reached
from evonas.snn.relaxed.products import Factors

SIDES = {"s0": 2, "s1": 1}
"""The inputs of a cell, and how many layers back they lie."""

_NOMINAL = Dynamics("analog")
"""Placeholder in the plan for mixed dynamics; with it, all gains of pools and skips are 1."""


@dataclass(frozen=True)
class FixedSizes:
    """Sizes that all networks of a mixture share; they are fixed during a search.

    Attributes:
        nodes: Nodes per cell.
        layers: Number of cells, one after another.
        levels: Levels of resolution.
        channels: Channels of the stem, and of each node at level 0.
        time_steps: Numbers of time steps to choose from, ascending.
        stem_stride: Stride of the stem's convolution.
        readout_input: `"mean"` or `"flat"`, as in `Trellis`.
        groups: Groups of the channels of a stage that may have constants of their own; 1 where no network has any.
    """

    nodes: int
    layers: int
    levels: int
    channels: int
    time_steps: tuple[int, ...]
    stem_stride: int = 1
    readout_input: str = "mean"
    groups: int = 1


@dataclass(frozen=True)
class RelaxedPlan:
    """The populations and connections of all networks of a mixture.

    Attributes:
        sizes: The fixed sizes.
        plan: All populations and connections; kinds of neurons, gains and what is static are placeholders in it.
        weight: Connection to the factors of the weight of its current.
        presence: Connection or population to the factors of the probability that a network of the mixture has it.
        stage: Population to its stage; the readout has none.
        direct: The sides of cells, such as `"cell2@1/s1"`, that are read without an adapter where the level stays.
    """

    sizes: FixedSizes
    plan: Plan
    weight: Mapping[str, Factors]
    presence: Mapping[str, Factors]
    stage: Mapping[str, int]
    direct: frozenset[str]


def cell_name(layer: int, level: int) -> str:
    """Return the prefix of the names in the cell at a layer and level."""
    return f"cell{layer}@{level}"


def edge_name(cell: str, node: int, edge: Edge, *, adapted: bool) -> str:
    """Return the name of a connection into a node; edges from an adapter have weights of their own."""
    return f"{cell}/node{node}/{edge.source}{'~' if adapted else ''}/{edge.operation}"


@dataclass
class _Builder:
    """A relaxed plan under construction."""

    sizes: FixedSizes
    draft: Draft
    weight: dict[str, Factors] = field(default_factory=dict)
    presence: dict[str, Factors] = field(default_factory=dict)
    stage: dict[str, int] = field(default_factory=dict)
    direct: set[str] = field(default_factory=set)

    def add(self, name: str, incoming: Sequence[Incoming], *, stage: int, presence: Factors) -> None:
        self.draft.add(name, _NOMINAL, incoming=incoming)
        self.stage[name] = stage
        self.presence[name] = presence

    def weigh(self, name: str, weight: Factors, *, presence: Factors) -> None:
        self.weight[name] = weight
        self.presence[name] = presence


def relax_trellis(sizes: FixedSizes, *, input_shape: Sequence[int], classes: int) -> RelaxedPlan:
    """Return the plan of all networks of these sizes.

    A cell stands at each layer and level that a path can reach, and has an adapter for each level that its inputs can
    come from. Source: the trellis of SpikeDHS (Che et al., NeurIPS 2022); here the cell before the last is read at
    whatever level it is, and in the end only the most likely path is kept.
    """
    builder = _Builder(sizes, Draft(input_shape, time_steps=sizes.time_steps[-1]))
    stem = stem_convolution(channels=sizes.channels, stride=sizes.stem_stride)
    builder.add("stem", [stem], stage=0, presence=())
    builder.weigh("stem/conv", (), presence=())
    for layer in range(1, sizes.layers + 1):
        for level in reached(layer, levels=sizes.levels):
            _add_cell(builder, layer, level)
    last = []
    for level in reached(sizes.layers, levels=sizes.levels):
        name = f"readout/linear@{level}"
        outputs = _outputs(sizes, sizes.layers, level)
        last.append(readout_connection(name, outputs, sizes.readout_input, classes=classes))
        passing = (f"pass{sizes.layers}@{level}",)
        builder.weigh(name, passing, presence=passing)
    builder.draft.add("readout", Dynamics("readout"), incoming=last)
    builder.presence["readout"] = ()
    plan = as_of_spikes(builder.draft.finish())
    return RelaxedPlan(sizes, plan, builder.weight, builder.presence, builder.stage, frozenset(builder.direct))


def as_of_spikes(plan: Plan) -> Plan:
    """Return the plan with all that is read marked as spikes, which sets the kernel of convolutions; gates stay."""
    return replace(
        plan,
        populations=tuple(
            replace(
                population,
                incoming=tuple(
                    edge if edge.gate or INPUT in edge.sources else replace(edge, element="binary")
                    for edge in population.incoming
                ),
            )
            for population in plan.populations
        ),
    )


def _outputs(sizes: FixedSizes, layer: int, level: int) -> tuple[str, ...]:
    if layer <= 0:
        return ("stem",)
    return tuple(f"{cell_name(layer, level)}/node{node}" for node in range(sizes.nodes))


def _add_cell(builder: _Builder, layer: int, level: int) -> None:
    sizes, name = builder.sizes, cell_name(layer, level)
    channels = sizes.channels * 2**level
    passing = (f"pass{layer}@{level}",)
    known: dict[str, list[tuple[bool, tuple[str, ...], Factors]]] = {}
    for side, back in SIDES.items():
        known[side] = _add_side(builder, side, back=back, layer=layer, level=level)
    for node in range(sizes.nodes):
        incoming = []
        for index, (source, operation) in enumerate(pairs_of(node)):
            for is_adapted, sources, how in known[source]:
                edge = edge_name(name, node, Edge(source, operation), adapted=is_adapted)
                weight = (f"edge{node}.{index}", *how)
                presence = (*passing, *weight)
                incoming.append(
                    add_edge(builder.draft, Edge(source, operation), edge, sources=sources, channels=channels,
                             dynamics=_NOMINAL)
                )  # fmt: skip
                if operation == "separable":
                    builder.stage[f"{edge}/middle"], builder.presence[f"{edge}/middle"] = level, presence
                    builder.weigh(f"{edge}/depthwise", (), presence=presence)
                builder.weigh(edge, weight, presence=presence)
        builder.add(f"{name}/node{node}", incoming, stage=level, presence=passing)
        known[f"n{node}"] = [(False, (f"{name}/node{node}",), ())]


def _add_side(
    builder: _Builder, side: str, *, back: int, layer: int, level: int
) -> list[tuple[bool, tuple[str, ...], Factors]]:
    """Add the adapters of one input of a cell; return the ways to read it: (is adapted, sources, weight factors)."""
    sizes, name = builder.sizes, f"{cell_name(layer, level)}/{side}"
    channels = sizes.channels * 2**level
    passing, used = f"pass{layer}@{level}", f"used.{side}"
    ways: list[tuple[bool, tuple[str, ...], Factors]] = []
    adapters: list[tuple[int, Incoming]] = []
    for before in reached(layer - back, levels=sizes.levels) if layer > back else (0,):
        if not 0 <= level - before <= (back if layer > back else layer):
            continue
        given = CellInput(_outputs(sizes, layer - back, before), stride=2 ** (level - before))
        if needs_adapter(builder.draft.shape(given.sources)[0], stride=given.stride, channels=channels):
            adapters.append((before, adapter(given, name=f"{name}/conv@{before}", channels=channels)))
        else:
            builder.direct.add(name)
            ways.append((False, given.sources, (f"{name}/direct",) if layer > back else ()))
    if adapters:
        is_certain = layer <= back  # from the stem, and from nowhere else
        adapted = () if is_certain else (f"{name}/adapted",)
        for before, incoming in adapters:
            via = () if is_certain else (f"{name}/via{before}",)
            builder.weigh(incoming.name, via, presence=(passing, used, *adapted, *via))
        builder.add(name, [incoming for _, incoming in adapters], stage=level, presence=(passing, used, *adapted))
        ways.append((True, (name,), adapted))
    return ways


def factors(mixture: NetworkMixture, plan: RelaxedPlan) -> dict[str, Tensor]:
    """Return the value of every factor named in a relaxed plan."""
    sizes = plan.sizes
    values: dict[str, Tensor] = {}
    unused = {side: mixture.kinds.new_ones(()) for side in SIDES}
    for node, probabilities in enumerate(mixture.edges):
        values.update(
            {f"edge{node}.{index}": probability for index, probability in enumerate(probabilities[:NONE].unbind())}
        )
        for index, side in enumerate(SIDES):
            unused[side] = unused[side] * (1 - probabilities[:NONE].unflatten(0, (2 + node, -1))[index].sum())
    values.update({f"used.{side}": 1 - probability for side, probability in unused.items()})
    path = LayerPath(mixture.moves, levels=sizes.levels)
    for layer in range(1, sizes.layers + 1):
        values.update({f"pass{layer}@{level}": value for level, value in enumerate(path.passing[layer].unbind())})
        for side, back in SIDES.items():
            if layer > back:  # nearer to the stem there is only one way to read it
                values.update(_of_side(path.before(layer, back=back), layer, side, plan))
    return values


def _of_side(before: Tensor, layer: int, side: str, plan: RelaxedPlan) -> dict[str, Tensor]:
    """Return the factors of a side of a layer's cells, from the `(levels before, levels)` probabilities."""
    levels = range(plan.sizes.levels)
    names = [f"{cell_name(layer, level)}/{side}" for level in levels]
    is_direct = torch.tensor([name in plan.direct for name in names])
    same = torch.where(is_direct, before.diagonal(), 0.0)
    other = before - torch.diag(same)
    adapted = other.sum(0)
    via = other / torch.where(adapted > 0, adapted, torch.ones_like(adapted))
    values: dict[str, Tensor] = {}
    for level, name in enumerate(names):
        values[f"{name}/direct"], values[f"{name}/adapted"] = same[level], adapted[level]
        values.update({f"{name}/via{source}": via[source, level] for source in levels})
    return values
