"""A network of the joint space among all those of its relaxed twin: which choices, branches and weights are its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from evonas.architecture.cell import Cell, Edge
from evonas.architecture.cell_form import LEVELS, cell_of, levels_of, numbered, reading_the_last
from evonas.architecture.constant import SCOPES
from evonas.architecture.neuron import DT_MS, RESETS
from evonas.snn.relaxed.edge_distribution import NONE, pairs_of
from evonas.snn.relaxed.mixture import KINDS, NetworkMixture
from evonas.snn.relaxed.path_distribution import DOWN, STAY, choosing, most_likely
from evonas.snn.relaxed.plan import cell_name, edge_name
from evonas.snn.relaxed.trellis import RelaxedTrellis
from evonas.variables import Scalar
from spaces.spatial_temporal_relaxed import STAGE_CONSTANTS, likeliest_cell
from spaces.sts_form import variable_of

Values = Mapping[str, Scalar]


def branches_of(genotype: Values) -> dict[str, str]:
    """Return, for each connection of the network, the one of the relaxed network that `one_hot` computes with."""
    return branches(cell_of(genotype), levels_of(genotype))


def take_weights(relaxed: RelaxedTrellis, genotype: Values, network: nn.Module) -> None:
    """Copy the weights of the network of a genotype into its branches."""
    for own, branch in branches_of(genotype).items():
        relaxed.network.operations[branch].load_state_dict(network.operations[own].state_dict())  # type: ignore[index, union-attr]


def one_hot(relaxed: RelaxedTrellis, genotype: Values) -> NetworkMixture:
    """Return the mixture that is the network of `genotype` alone: probabilities 0 and 1, its constants as they are.

    What is inactive in the genotype gets the first option, or a constant of 1.
    """
    time_steps = relaxed.sizes.time_steps
    layers, levels = int(genotype["layers"]), (0, *levels_of(genotype))
    moves = []
    for layer in range(1, layers + 1):
        move = _certain(STAY, options=2).repeat(len(choosing(layer, levels=LEVELS)), 1)
        if levels[layer] > levels[layer - 1]:
            move[levels[layer - 1]] = _certain(DOWN, options=2)
        moves.append(move)
    stages = range(LEVELS)
    kinds = [KINDS.index(str(genotype.get(f"stage{stage}.kind", KINDS[0]))) for stage in stages]
    resets = [RESETS.index(str(genotype.get(f"stage{stage}.reset", RESETS[0]))) for stage in stages]
    scopes = [SCOPES.index(str(genotype.get(f"stage{stage}.constants", "stage"))) for stage in stages]
    constants = [_constants(genotype, stage, groups=relaxed.sizes.groups) for stage in stages]
    return NetworkMixture(
        edges=tuple(_edges(edges, node) for node, edges in enumerate(cell_of(genotype))),
        moves=tuple(moves),
        kinds=torch.stack([_certain(kind, options=len(KINDS)) for kind in kinds]),
        resets=torch.stack([_certain(reset, options=len(RESETS)) for reset in resets]),
        time_steps=_certain(time_steps.index(int(genotype["time_steps"])), options=len(time_steps)),
        scopes=torch.stack([_certain(scope, options=len(SCOPES)) for scope in scopes]),
        constants=torch.tensor(constants, dtype=torch.float64),
        readout_tau_mem_ms=torch.tensor(float(genotype["readout.tau_mem"]), dtype=torch.float64),
    )


def _constants(genotype: Values, stage: int, *, groups: int) -> list[list[float]]:
    """Return the constants of each group of a stage, all alike where it has them once."""
    has_groups = genotype.get(f"stage{stage}.constants") == "channels"
    return [
        [
            float(genotype.get(variable_of(name, stage=stage, group=group if has_groups else 0), DT_MS))
            for name in STAGE_CONSTANTS
        ]
        for group in range(groups)
    ]


def _edges(edges: Sequence[Edge], node: int) -> Tensor:
    pairs = pairs_of(node)
    chances = torch.zeros(len(pairs) + 1, dtype=torch.float64)
    for edge in edges:
        chances[pairs.index((edge.source, edge.operation))] = 1.0
    if len(edges) == 1:
        chances[NONE] = 1.0
    return chances


def _certain(index: int, *, options: int) -> Tensor:
    return torch.nn.functional.one_hot(torch.tensor(index), options).to(torch.float64)


def branches(cell: Cell, levels: Sequence[int], *, order: Sequence[int] = ()) -> dict[str, str]:
    """Return the connections of a network, each with its name in the relaxed network.

    Args:
        cell: The edges, numbered as in the relaxed network.
        levels: The path.
        order: Number there of each node of the network; by default nodes have the same numbers.
    """
    order = order or range(len(cell))
    own_names = {f"n{number}": f"n{node}" for node, number in enumerate(order)}
    names = {"stem/conv": "stem/conv"}
    path = (0, *levels)  # the stem, then the cells
    for layer, level in enumerate(levels, start=1):
        cell_at = cell_name(layer, level)
        adapted: dict[str, bool] = {}
        for side, back in (("s0", 2), ("s1", 1)):
            origin = max(layer - back, 0)
            before = path[origin]
            adapted[side] = level != before or (origin > 0 and len(cell) > 1)
            if adapted[side] and any(edge.source == side for edges in cell for edge in edges):
                names[f"cell{layer}/{side}/conv"] = f"{cell_at}/{side}/conv@{before}"
        for node, number in enumerate(order):
            edges = sorted(cell[number], key=lambda edge: (own_names.get(edge.source, edge.source), edge.operation))
            for letter, edge in zip("ab", edges, strict=False):
                own = f"cell{layer}/node{node}/{letter}"
                branch = edge_name(cell_at, number, edge, adapted=adapted.get(edge.source, False))
                names[own] = branch
                if edge.operation == "separable":
                    names[f"{own}/depthwise"] = f"{branch}/depthwise"
    names["readout/linear"] = f"readout/linear@{levels[-1]}"
    return names


def order_of(mixture: NetworkMixture) -> tuple[int, ...]:
    """Return the number in the mixture of each node of the network of `discretise(mixture)`."""
    return numbered(reading_the_last(likeliest_cell(mixture)))[1]


def weights_of(relaxed: RelaxedTrellis, mixture: NetworkMixture) -> dict[str, Tensor]:
    """Return the weights of the network of `discretise(mixture)`, named as there."""
    order = order_of(mixture)
    names = branches(reading_the_last(likeliest_cell(mixture)), most_likely(mixture.moves, levels=LEVELS), order=order)
    sources = {edge.name: edge.sources for edge in relaxed.network.plan.plan.connections}
    weights = {}
    for own, branch in names.items():
        for name, value in relaxed.network.operations[branch].state_dict().items():  # type: ignore[union-attr]
            if value.ndim > 1 and len(sources[branch]) == len(order):  # reads all nodes of a cell, one by one
                value = value.unflatten(1, (len(order), -1))[:, list(order)].flatten(1, 2)
            weights[f"operations.{own}.{name}"] = value
    return weights
