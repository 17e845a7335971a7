"""The space of SpikeDHS: its published sizes, its published network, and that each choice is a choice."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from export_networks import images, settled
from unrolled import check_counts

from evonas.architecture.cell import Cell, Edge
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import Plan
from evonas.errors import SpaceError
from evonas.export.check import nir_export, onnx_export
from evonas.genotype import Genotype
from evonas.snn.network import Network
from evonas.snn.neurons import Neuron
from evonas.training.supernet import Supernet
from spaces.spike_dhs import share, space
from spaces.spike_dhs_form import LAYERS, OPERATIONS, TAU_MEM_MS, cell_of, choices_of, dynamics, levels_of, of_code

CODE, LEVELS = [[1, 1], [0, 1], [3, 2], [2, 1], [7, 1], [8, 1]], [0, 0, 1, 1, 1, 2, 2, 2]
OTHERS = {"channels": 4, "time_steps": 4, "surrogate_width": 1.0}
FOURTH = {"node3.inputs": "s0+s1", "node3.a": "skip", "node3.b": "skip"}


def published(**others: object) -> Genotype:
    return space.canonical({**FOURTH, **OTHERS, **of_code(CODE, LEVELS), **others})


def genotypes(count: int, *, seed: int = 0, **fixed: object) -> list[Genotype]:
    rng = np.random.default_rng(seed)
    return [space.sample(rng, given={**OTHERS, **fixed}) for _ in range(count)]


def test_there_are_as_many_cells_and_paths_as_published():
    cells = {}
    for nodes in (3, 4):
        names = [name for name in space.variables if name.startswith("node") and name < f"node{nodes}"]
        cells[nodes] = int(np.prod([space.variables[name].size for name in names if "." in name]))
    assert cells == {3: 13_122, 4: 1_180_980}
    start = dict(space.fill(published(), np.random.default_rng(0)))
    moves = [f"layer{layer}.move" for layer in range(1, LAYERS + 1)]
    every = product(("stay", "down"), repeat=LAYERS)
    paths = {space.canonical({**start, **dict(zip(moves, chosen, strict=True))}) for chosen in every}
    assert len(paths) == len({levels_of(path) for path in paths}) == 93
    assert len({cell_of(genotype) for genotype in genotypes(300, nodes=3)}) > 290


def test_the_published_network_has_the_published_number_of_parameters():
    plan = space.plan(published(channels=48, time_steps=6), (3, 32, 32), 10)
    convolutions = [edge for edge in plan.connections if edge.operation == "conv"]
    (stem,) = [edge for edge in convolutions if edge.target == "stem"]
    ours = sum(edge.weights for edge in plan.connections) + sum(2 * edge.out_shape[0] for edge in convolutions)
    assert ours == 14_287_824  # weights, and factors and biases of the norms
    biases = sum(edge.out_shape[0] for edge in convolutions)  # in front of norms, where they do nothing
    classifier = 10 + 2 * 10  # the biases of the readout, and its norm
    assert ours + biases + classifier == 14_293_758
    copies = 5 * (stem.weights + stem.out_shape[0] + 2 * stem.out_shape[0]) + 5  # of the stem, and which is chosen
    assert ours + biases + classifier + copies == 14_315_363  # as logged, without the auxiliary head
    assert [layer.shape for layer in plan.populations if layer.name.endswith("node2")] == [
        (48 * 2**level, 32 // 2**level, 32 // 2**level) for level in LEVELS
    ]


def test_the_network_that_is_built_has_the_weights_of_its_plan():
    genotype = published()
    network = space.build(genotype, (3, 16, 16), 10)
    plan = space.plan(genotype, (3, 16, 16), 10)
    norms = sum(2 * edge.out_shape[0] for edge in plan.connections if edge.operation == "conv")
    trained = sum(one.numel() for one in network.parameters() if one.requires_grad)
    assert trained == sum(edge.weights for edge in plan.connections) + norms


def read_back(plan: Plan) -> tuple[Cell, tuple[int, ...]]:
    """The cell and the path of a network, from shapes, sources, kernels and temperatures alone."""
    by_name = {layer.name: layer for layer in plan.populations}
    path = [(layer, by_name[f"cell{layer}/node0"].shape[1]) for layer in range(1, LAYERS + 1)]
    levels = tuple(int(np.log2(plan.input_shape[1] // side)) for _, side in path)
    outputs = [("stem",), ("stem",), *(tuple(n for n in by_name if n.startswith(f"cell{k}/node")) for k, _ in path)]

    def cell(layer: int) -> Cell:
        names = {outputs[layer]: "s1", outputs[layer - 1]: "s0"}  # the same on the first layer
        nodes = []
        for node, name in enumerate(outputs[layer + 1]):
            edges = []
            for edge in by_name[name].incoming:
                read = edge.sources
                if by_name[read[0]].dynamics.kind == "relay":
                    read = by_name[read[0]].incoming[0].sources
                source = names.get(read) or f"n{outputs[layer + 1].index(read[0])}"
                is_skip = edge.operation == "skip" or edge.kernel == 1
                edges.append(Edge(source, "skip" if is_skip else f"conv_b{edge.temperature or 3:.0f}"))
            assert node == len(nodes)
            nodes.append(tuple(edges))
        return tuple(nodes)

    assert len({cell(layer) for layer in range(2, LAYERS + 1)}) == 1
    return cell(LAYERS), levels


def test_networks_say_their_genotypes():
    for genotype in [published(), *genotypes(20)]:
        cell, levels = read_back(space.plan(genotype, (3, 32, 32), 10))
        assert (cell, levels) == (cell_of(genotype), levels_of(genotype))
        assert space.canonical({**FOURTH, **OTHERS, **choices_of(cell, levels)}) == genotype


def test_the_published_code_says_what_its_authors_draw():
    b3, b5 = OPERATIONS[1:]
    assert cell_of(published()) == (
        (Edge("s0", b3), Edge("s1", b3)),
        (Edge("s0", b3), Edge("s1", b5)),
        (Edge("n0", b3), Edge("n1", b3)),
    )
    assert list(levels_of(published())) == LEVELS


@pytest.mark.parametrize(
    ("pairs", "levels", "told"),
    [
        (
            [[0, 1], [2, 1]],
            LEVELS,
            r"Node 0 needs two edges of its own with known operations, got \[\[0, 1\], \[2, 1\]\]",
        ),
        ([[0, 1], [0, 2]], LEVELS, "Node 0 needs two edges"),
        ([[0, 1], [1, 3]], LEVELS, "Node 0 needs two edges"),
        (CODE, [0, 2, 2, 2, 2, 2, 2, 2], "A path has 8 levels from 0 to 3"),
        (CODE, [0, 1, 2, 3, 4, 4, 4, 4], "A path has 8 levels"),
        (CODE, [0, 0, 0], "A path has 8 levels"),
    ],
)
def test_what_is_no_published_code_is_refused(pairs, levels, told):
    with pytest.raises(SpaceError, match=told):
        of_code(pairs, levels)


def test_neurons_are_the_published_ones():
    torch.manual_seed(0)
    currents = torch.randn(20, 50, dtype=torch.float64)
    kept, spikes = torch.zeros(50, dtype=torch.float64), []
    for current in currents:
        potential = kept + current
        spikes.append((potential > 0.5).double())
        kept = 0.2 * potential * (1 - spikes[-1])
    neurons = Neuron(dynamics(1.0), time_steps=20).double()
    assert torch.equal(neurons(TAU_MEM_MS * currents), torch.stack(spikes))
    assert 0.1 < torch.stack(spikes).mean() < 0.5


def test_every_count_is_that_of_a_loop_over_every_synapse():
    torch.manual_seed(0)
    for genotype in genotypes(3, seed=5, time_steps=2):
        network = space.build(genotype, (2, 8, 8), 5).eval()
        data = torch.randn(1, 2, 2, 8, 8)
        with torch.no_grad():
            network(data, recorder := network.recorder())
        check_counts(network, data, recorder.activity())


def test_networks_are_exported_with_every_spike():
    data = images(16)
    (genotype,) = genotypes(1, seed=9, nodes=3, **{"layer3.move": "down"})
    torch.manual_seed(0)
    network = settled(space.build(genotype, (1, 8, 8), 10), data, seed=0)
    done = nir_export(network, data, about={})
    assert done.is_equal, done.lines
    assert onnx_export(network, data, about={}).is_equal


def gradients(genotype: Genotype, weights: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    network = space.build(genotype, (1, 8, 8), 5)
    network.load_state_dict(weights)
    logits = network(torch.rand(1, 8, 1, 8, 8, generator=torch.Generator().manual_seed(1)))
    logits.square().sum().backward()
    return logits.detach(), torch.cat([one.grad.flatten() for one in network.parameters() if one.grad is not None])


def test_the_temperature_of_a_convolution_changes_the_gradients_and_no_output():
    torch.manual_seed(0)
    genotype = published()
    weights = space.build(genotype, (1, 8, 8), 5).state_dict()
    logits, gradient = gradients(genotype, weights)
    for node, letter in product(range(3), "ab"):
        name = f"node{node}.{letter}"
        other = {"conv_b3": "conv_b5", "conv_b5": "conv_b3"}[str(genotype[name])]
        same, changed = gradients(published(**{name: other}), weights)
        assert torch.equal(same, logits), name
        assert not torch.allclose(changed, gradient, rtol=1e-3), name


def test_every_other_choice_changes_the_network():
    rng = np.random.default_rng(3)
    for genotype in genotypes(4, seed=7):
        plan = space.plan(genotype, (1, 16, 16), 5)
        for name, variable in space.variables.items():
            tries = [space.canonical({**space.fill(genotype, rng), name: variable.sample(rng)}) for _ in range(12)]
            others = [one for one in tries if one != genotype]
            assert others or name not in genotype or name.endswith("move"), name  # the last level has no way down
            for other in others[:2]:
                assert space.plan(other, (1, 16, 16), 5) != plan, name


def test_a_skip_from_another_cell_is_a_convolution_of_kernel_1_and_else_none():
    plan = space.plan(published(**{"node0.a": "skip", "node2.a": "skip"}), (1, 16, 16), 5)
    found = {edge.name: (edge.operation, edge.kernel) for edge in plan.connections}
    assert found["cell4/node0/s0"] == ("conv", 1)
    assert found["cell4/node0/s1"] == ("conv", 3)
    assert found["cell4/node2/n0"] == ("skip", 1)


def shared_with(supernet: Supernet, one: Genotype, other: Genotype) -> set[str]:
    """Return the names of the parameters that two networks have in common."""
    first, second = (dict(supernet.network(genotype).named_parameters()) for genotype in (one, other))
    return {name for name in first.keys() & second.keys() if first[name] is second[name]}


def test_networks_share_the_weights_of_an_operation_of_an_edge_at_its_place_and_nothing_else():
    supernet = Supernet(space, (1, 8, 8), 10, train_neurons=True, device=torch.device("cpu"))
    one = published()
    whole = set(dict(supernet.network(one).named_parameters()))
    assert shared_with(supernet, one, one) == whole
    assert one["node1.inputs"] == "s0+s1"
    other = published(**{"node1.a": "skip" if one["node1.a"] == "conv_b3" else "conv_b3"})
    own = whole - shared_with(supernet, one, other)
    assert own == {name for name in whole if "/node1/s0." in name}
    assert own != set()
    lower = published(**of_code(CODE, [0, 1, 1, 1, 1, 2, 2, 2]))
    apart = whole - shared_with(supernet, one, lower)
    assert {name for name in whole if ".cell2/" in name} <= apart  # it is at another level
    assert {name.partition(".")[2].partition("/")[0] for name in apart} == {"cell2", "cell3", "cell4"}
    assert not any("cell3" in name and "/s1." not in name for name in apart)  # its last one is cell2
    assert not any("cell4" in name and "/s0." not in name for name in apart)  # its last but one


@pytest.mark.parametrize("operation", ["conv_b3", "conv_b5", "skip"])
def test_no_two_connections_of_a_network_are_one(operation):
    network = Network(space.plan(published(**{"node1.a": operation}), (1, 8, 8), 10))
    names = {share(published(**{"node1.a": operation}), name) for name in network.operations}
    assert len(names) == len(network.operations)  # no two of a network are one
    assert f"cell3@1/node1/s0~0/{operation}" in names


def test_frames_are_one_a_time_step():
    genotype = published(time_steps=4)
    assert torch.isfinite(space.build(genotype, (4, 2, 8, 8), 5)(torch.rand(4, 3, 2, 8, 8))).all()
    with pytest.raises(SpaceError, match="one frame for each time step"):
        space.build(genotype, (5, 2, 8, 8), 5)


def test_neurons_keep_a_fifth():
    assert dynamics(1.0) == Dynamics("lif_box", tau_mem_ms=1.25, v_th=0.5, surrogate=dynamics(1.0).surrogate)
    assert dynamics(2.0).surrogate.width == 2.0
