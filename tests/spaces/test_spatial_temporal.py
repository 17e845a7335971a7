"""The joint space: every assignment is a network, and every active variable changes it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from other_values import another_value
from recorded import recorded
from unrolled import check_counts

from evonas.architecture.attention import ATTENTION
from evonas.architecture.trellis import READOUTS
from evonas.engine.description import described_space
from evonas.errors import OptionError
from evonas.genotype import Genotype
from evonas.measurement import Activity
from spaces.spatial_temporal import EDGES, GATES, NODES, arrange, plan, space

torch.set_num_threads(1)
SHAPE, CLASSES = (1, 8, 8), 10


def genotypes(count: int, *, seed: int, **fixed) -> list[Genotype]:
    rng = np.random.default_rng(seed)
    return [space.canonical({**space.fill({}, rng), **fixed}) for _ in range(count)]


def assignments(count: int, *, seed: int):
    rng = np.random.default_rng(seed)
    return [space.fill({}, rng) for _ in range(count)]


def with_statistics(genotype: Genotype) -> torch.nn.Module:
    """The same seed for every network, and the statistics of the batch norms from the same data."""
    torch.manual_seed(0)
    network = space.build(genotype, SHAPE, CLASSES)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean of all batches, so that one is enough
    with torch.no_grad():
        network(torch.rand(1, 16, *SHAPE, generator=torch.Generator().manual_seed(1)))
    return network.eval()


def answers(genotype: Genotype) -> tuple[torch.Tensor, Activity, torch.Tensor]:
    """Logits and counts of random data, and the gradient at the stem."""
    network = with_statistics(genotype)
    logits, activity = recorded(network, torch.rand(1, 16, *SHAPE, generator=torch.Generator().manual_seed(2)))
    (logits * torch.randn(logits.shape, generator=torch.Generator().manual_seed(3))).sum().backward()
    return logits.detach(), activity, network.operations["stem/conv"].conv.weight.grad


@pytest.mark.parametrize("seed", range(6))
def test_every_active_variable_changes_the_network_or_not_even_the_genotype(seed):
    rng = np.random.default_rng(seed)
    (genotype,) = genotypes(1, seed=seed, channels=4, time_steps=5)  # within 2 steps some resets never show
    logits, activity, gradient = answers(genotype)
    assert bool(logits.any())
    for name, value in genotype.items():
        other = space.canonical({**space.fill(genotype, rng), name: another_value(space.variables[name], value, rng)})
        if other == genotype:
            continue
        its_logits, its_activity, its_gradient = answers(other)
        if name.startswith("surrogate"):
            assert torch.equal(its_logits, logits), name
            assert not torch.equal(its_gradient, gradient), name
        else:  # a cell that only relays spikes leaves the logits as they are, at a price
            assert not torch.equal(its_logits, logits) or its_activity != activity, name


def test_the_canonical_form_is_its_own_canonical_form_and_survives_json():
    for assignment in assignments(300, seed=0):
        genotype = space.canonical(assignment)
        assert space.genotype(dict(genotype)) == genotype
        assert space.from_json(genotype.to_json()) == genotype
        rng = np.random.default_rng(1)
        assert space.canonical(space.fill(genotype, rng)) == genotype


def test_the_order_of_a_nodes_two_edges_does_not_matter():
    rng = np.random.default_rng(5)
    for assignment in assignments(300, seed=1):
        swapped = dict(assignment)
        for node in range(NODES):
            if rng.random() < 0.6:
                for part in ("from", "op"):
                    a, b = f"node{node}.a.{part}", f"node{node}.b.{part}"
                    swapped[a], swapped[b] = swapped[b], swapped[a]
        assert space.canonical(swapped) == space.canonical(assignment)


def with_dead_node(genotype: Genotype, place: int, rng: np.random.Generator) -> dict:
    """The same network with a node without edges put in at `place`, sometimes read by later ones."""
    values = space.fill(genotype, rng)
    moved = dict(values)
    names = {f"n{node}": f"n{node + (node >= place)}" for node in range(NODES)}
    for node in range(int(genotype["nodes"])):
        for letter in EDGES:
            source = values[f"node{node}.{letter}.from"]
            target = f"node{node + (node >= place)}.{letter}"
            moved[f"{target}.from"] = names.get(source, source)
            moved[f"{target}.op"] = values[f"node{node}.{letter}.op"]
            if node >= place and moved[f"{target}.op"] == "none":  # an edge from the dead node is none as well
                moved[f"{target}.from"], moved[f"{target}.op"] = f"n{place}", "conv3"
    for letter in EDGES:
        moved[f"node{place}.{letter}.op"] = "none"
    return {**moved, "nodes": int(genotype["nodes"]) + 1}


def test_dead_nodes_vanish():
    rng = np.random.default_rng(6)
    tried = 0
    for genotype in genotypes(300, seed=2):
        if genotype["nodes"] < NODES:
            place = int(rng.integers(0, int(genotype["nodes"]) + 1))
            assert space.canonical(with_dead_node(genotype, place, rng)) == genotype
            tried += 1
    assert tried > 100


def test_the_numbering_of_the_nodes_does_not_matter():
    for values in assignments(200, seed=3):
        values.update({"nodes": 2, "node0.a.op": "conv3", "node0.a.from": "s1", "node0.b.from": "s0"})
        values.update({f"node1.{letter}.from": values[f"node0.{letter}.from"] for letter in EDGES})
        swapped = dict(values)
        for letter in EDGES:
            a, b = f"node0.{letter}.op", f"node1.{letter}.op"
            swapped[a], swapped[b] = swapped[b], swapped[a]
        assert space.canonical(swapped) == space.canonical(values)


def test_canonical_nodes_have_two_different_sources_and_someone_reads_the_last_cell():
    for genotype in genotypes(300, seed=4):
        sources = [
            [genotype[f"node{node}.{letter}.from"] for letter in EDGES if f"node{node}.{letter}.from" in genotype]
            for node in range(int(genotype["nodes"]))
        ]
        assert all(len(set(node)) == len(node) >= 1 for node in sources)
        assert any("s1" in node for node in sources)


def everything(**given):
    values = next(iter(assignments(1, seed=7)))
    values.update({f"node{node}.{letter}.op": "none" for node in range(NODES) for letter in EDGES})
    return {**values, **given}


def test_a_cell_without_a_living_node_gets_one_convolution_of_the_last_cell():
    genotype = space.canonical(everything())
    cell = {name: value for name, value in genotype.items() if name.startswith("node")}
    assert cell == {"nodes": 1, "node0.a.from": "s1", "node0.a.op": "conv3", "node0.b.op": "none"}


def test_the_second_edge_from_one_source_moves_to_the_next():
    given = {"node0.a.from": "s1", "node0.a.op": "skip", "node0.b.from": "s1", "node0.b.op": "conv5"}
    genotype = space.canonical(everything(**given))
    assert (genotype["node0.a.from"], genotype["node0.a.op"]) == ("s0", "skip")
    assert (genotype["node0.b.from"], genotype["node0.b.op"]) == ("s1", "conv5")


def test_a_cell_that_reads_only_the_cell_before_the_last_reads_the_last():
    genotype = space.canonical(everything(**{"node0.b.from": "s0", "node0.b.op": "pool"}))
    assert (genotype["node0.a.from"], genotype["node0.a.op"]) == ("s1", "pool")


def test_a_move_below_the_last_level_is_a_stay():
    moves = {f"layer{layer}.move": "down" for layer in range(1, 5)}
    genotype = space.canonical(everything(layers=4, **moves, **{"stem.stride": 1}))
    assert [genotype[f"layer{layer}.move"] for layer in range(1, 5)] == ["down", "down", "stay", "stay"]
    layers = plan(genotype, SHAPE, CLASSES).populations
    assert [layer.shape[1] for layer in layers if layer.name.endswith("/node0")] == [4, 2, 2, 2]


@pytest.mark.parametrize(("stride", "height_and_width"), [(1, (9, 7)), (2, (5, 4)), (4, (3, 2))])
def test_the_stem_strides_and_what_follows_has_its_resolution(stride, height_and_width):
    moves = {f"layer{layer}.move": "stay" for layer in range(1, 5)}
    genotype = space.canonical(everything(**moves, **{"stem.stride": stride}))
    layers = plan(genotype, (2, 9, 7), CLASSES).populations
    assert {layer.shape[1:] for layer in layers[:-1]} == {height_and_width}
    least = space.canonical(everything(layers=4, **dict.fromkeys(moves, "down"), **{"stem.stride": stride}))
    assert {layer.shape[1:] for layer in plan(least, (2, 1, 1), CLASSES).populations} == {(1, 1)}


def test_only_what_is_reached_is_active():
    stay = {f"layer{layer}.move": "stay" for layer in range(1, 5)}
    genotype = space.canonical(everything(layers=3, **stay, **{"stage0.kind": "analog"}))
    assert not [name for name in genotype if name.startswith(("stage1", "stage2", "surrogate", "layer4"))]
    assert [name for name in genotype if name.startswith("stage0")] == ["stage0.kind"]
    lif = space.canonical(everything(layers=3, **stay, **{"stage0.kind": "lif"}))
    assert {"stage0.tau_mem", "stage0.tau_syn", "stage0.v_th", "surrogate", "surrogate_width"} <= set(lif)
    assert "stage0.reset" not in lif
    fast = space.canonical(everything(layers=3, **stay, **{"stage0.kind": "lif_box", "stage0.tau_mem": 1.0}))
    slow = space.canonical(everything(layers=3, **stay, **{"stage0.kind": "lif_box", "stage0.tau_mem": 2.0}))
    assert ("stage0.reset" in fast, "stage0.reset" in slow) == (False, True)


def test_neurons_whose_threshold_adapts_have_its_constants_alone():
    stay = {f"layer{layer}.move": "stay" for layer in range(1, 5)}
    genotype = space.canonical(everything(layers=3, **stay, **{"stage0.kind": "alif"}))
    names = {name.removeprefix("stage0.") for name in genotype if name.startswith("stage")}
    assert names == {"kind", "tau_mem", "v_th", "tau_adapt", "beta"}


@pytest.mark.parametrize(
    ("moves", "kinds", "names"),
    [
        ("stay stay stay", "lif", {"none": "none", "first": "first", "last": "last", "all": "all"}),
        ("stay stay down", "lif analog", {"none": "none", "first": "first", "last": "none", "all": "all"}),
        ("stay down down", "lif analog lif", {"first": "first", "last": "last", "all": "all"}),
        ("stay down down", "lif analog analog", {"first": "first", "last": "none", "all": "first"}),
        ("down stay stay", "lif analog", {"none": "none", "first": "none", "last": "none", "all": "none"}),
        ("down stay down", "lif analog lif", {"first": "none", "last": "last", "all": "last"}),
    ],
)
def test_feedback_of_the_same_cells_is_one_genotype_and_analog_cells_have_none(moves, kinds, names):
    given = {f"layer{layer}.move": move for layer, move in enumerate(moves.split(), start=1)}
    given |= {f"stage{stage}.kind": kind for stage, kind in enumerate(kinds.split())}
    for feedback, name in names.items():
        genotype = space.canonical(everything(layers=3, feedback=feedback, **given))
        assert genotype["feedback"] == name
        backs = {edge.target for edge in plan(genotype, SHAPE, CLASSES).connections if edge.delay}
        cells = {"none": [], "first": [1], "last": [3], "all": [1, 2, 3]}[feedback]
        spiking = [cell for cell in cells if kinds.split()[moves.split()[:cell].count("down")] != "analog"]
        assert backs == {f"cell{cell}/node0" for cell in spiking}


@pytest.mark.parametrize("attention", GATES)
def test_attention_stands_behind_each_node_and_who_reads_the_cell_reads_its_gates(attention):
    given = {"node0.b.from": "s1", "node0.b.op": "conv3", "node1.a.from": "n0", "node1.a.op": "conv3", "nodes": 2}
    kinds = {f"stage{stage}.kind": "lif" for stage in range(3)}
    genotype = space.canonical(everything(layers=2, attention=attention, feedback="all", **given, **kinds))
    connections = plan(genotype, SHAPE, CLASSES).connections
    gates = ATTENTION[attention]
    gated = [edge.target for edge in connections if edge.gate]
    assert gated == [f"cell{cell}/node{node}/{gate}" for cell in (1, 2) for node in (0, 1) for gate in gates]
    last = f"/{gates[-1]}" if gates else ""
    assert connections[-1].sources == tuple(f"cell2/node{node}{last}" for node in (0, 1))
    backs = [edge for edge in connections if edge.delay]
    assert {edge.sources for edge in backs} == {(f"cell{cell}/node0", f"cell{cell}/node1") for cell in (1, 2)}
    assert not any(edge.gate for edge in connections if edge.name in plan(genotype, SHAPE, CLASSES).stepped)


def with_the_new(genotype: Genotype, rng: np.random.Generator, **given) -> Genotype:
    """The genotype with feedback or adaptive thresholds, in a form that the brute-force counter knows."""
    ops = {
        f"node{node}.{letter}.op": str(rng.choice(["conv3", "conv5", "skip"]))
        for node in range(NODES)
        for letter in EDGES
    }
    plain = {
        "stem.stride": 1,
        "readout.input": "mean",
        "attention": "none",
        **{f"layer{layer}.move": "stay" for layer in range(1, 5)},
    }
    return space.canonical({**space.fill(genotype, rng), **ops, **plain, **given})


@pytest.mark.parametrize("kind", ["alif", "lif", "integrate_and_fire"])
@pytest.mark.parametrize("feedback", ["none", "first", "last", "all"])
def test_counts_with_feedback_and_adaptive_thresholds_are_those_of_every_synapse(kind, feedback):
    rng = np.random.default_rng(15)
    for genotype in genotypes(3, seed=16, channels=4, nodes=2, time_steps=4, layers=2):
        network = with_statistics(with_the_new(genotype, rng, feedback=feedback, **{"stage0.kind": kind}))
        assert bool(network.plan.stepped) == (feedback != "none")
        data = torch.rand(1, 2, *SHAPE, generator=torch.Generator().manual_seed(4))
        with torch.no_grad():
            _, activity = recorded(network, data)
            check_counts(network, data, activity)


def test_without_the_optional_the_space_is_as_if_it_had_never_had_it():
    plain = space.without(["adaptive", "feedback", "attention"])
    assert not [
        name for name in plain.variables if name.split(".")[-1] in ("tau_adapt", "beta", "feedback", "attention")
    ]
    assert "alif" not in plain.variables["stage2.kind"].values
    assert not plain.optional
    assert plain.variables.keys() >= {name for rule in plain.rules for name in rule.names}
    rng = np.random.default_rng(0)
    for genotype in (plain.sample(rng) for _ in range(100)):
        assert plain.genotype(dict(genotype)) == genotype
        assert plan(genotype, SHAPE, CLASSES) == plan(
            space.genotype({**genotype, "feedback": "none", "attention": "none"}), SHAPE, CLASSES
        )
    assert described_space(plain) != described_space(space.without(["feedback"])) != described_space(space)
    with pytest.raises(OptionError, match="it can do without adaptive, feedback, attention, got 'atention'"):
        space.without(["atention"])
    with pytest.raises(OptionError, match="it can do without adaptive, attention, got 'feedback'"):
        space.without(["feedback"]).without(["feedback"])


def test_arranging_changes_no_argument():
    values = assignments(1, seed=9)[0]
    before = dict(values)
    arrange(values)
    assert values == before


@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 9, 7), (3, 5, 3)])
def test_every_assignment_is_a_network_whose_cost_is_known_before_it_is_built(shape):
    for genotype in genotypes(12, seed=10):
        torch.manual_seed(0)
        network = space.build(genotype, shape, 4)
        with torch.no_grad():
            logits, activity = recorded(network, torch.rand(1, 2, *shape))
        assert logits.shape == (2, 4)
        steps = int(genotype["time_steps"])
        assert activity.time_steps == steps
        dense = sum(edge.dense * (1 if edge.static else steps) for edge in activity.connections)
        assert space.operations(genotype, shape, 4) == dense
        trainable = sum(value.numel() for value in network.parameters() if value.requires_grad)
        # batch norm trains a factor and a bias for each channel; the factor is folded into the weights
        thresholds = sum(edge.operation.startswith("binary") for edge in activity.connections)  # one of each such gate
        assert trainable - thresholds == sum(edge.weights + 2 * edge.biases for edge in activity.connections)


def test_event_frames_are_computed_at_every_step():
    for genotype in genotypes(5, seed=11, channels=4, time_steps=3):
        network = space.build(genotype, (3, 2, 8, 8), CLASSES)
        with torch.no_grad():
            _, activity = recorded(network, torch.rand(3, 2, 2, 8, 8))
        assert not any(edge.static for edge in activity.connections)
        assert space.operations(genotype, (3, 2, 8, 8), CLASSES) == 3 * sum(edge.dense for edge in activity.connections)


def test_what_is_counted_as_synaptic_events_is_binary():
    for genotype in genotypes(12, seed=12):
        network = with_statistics(genotype)
        seen = {}
        for name, operation in network.operations.items():
            operation.register_forward_pre_hook(lambda _, args, name=name, seen=seen: seen.update({name: args[0]}))
        with torch.no_grad():
            network(torch.rand(1, 4, *SHAPE))
        for edge in network.plan.connections:
            binary = bool(((seen[edge.name] == 0) | (seen[edge.name] == 1)).all())
            assert binary or edge.element == "real"
            assert edge.static == (seen[edge.name].shape[0] == 4 and edge.name not in network.plan.stepped)


def test_a_network_is_random_only_while_it_is_made():
    (genotype,) = genotypes(1, seed=13)
    torch.manual_seed(4)
    first = space.build(genotype, SHAPE, CLASSES)
    state = torch.get_rng_state()
    first(torch.rand(1, 2, *SHAPE, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(4)
    second = space.build(genotype, SHAPE, CLASSES)
    third = space.build(genotype, SHAPE, CLASSES)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(second.parameters(), third.parameters(), strict=True))


def test_most_random_networks_spike_before_training():
    silent = 0
    for genotype in genotypes(25, seed=14):
        torch.manual_seed(0)
        network = space.build(genotype, SHAPE, CLASSES)
        with torch.no_grad():
            _, activity = recorded(network, torch.rand(1, 16, *SHAPE))
        last = activity.connections[-1]
        silent += sum(last.events) + sum(last.macs) == 0
    assert silent <= 1


def test_where_the_last_cell_has_one_position_both_readouts_are_one_genotype_on_that_data():
    down = {f"layer{layer}.move": "down" for layer in range(1, 5)}
    mean, flat = (everything(layers=2, **down, **{"stem.stride": 2, "readout.input": way}) for way in READOUTS)
    for shape, is_one in (((1, 8, 8), True), ((3, 2, 1, 5), True), ((1, 9, 8), False), ((1, 1, 28), False)):
        on = space.on(shape)
        assert (on.canonical(mean) == on.canonical(flat)) == is_one
        assert on.canonical(mean) == space.canonical(mean)
        assert (plan(space.canonical(flat), shape, CLASSES).connections[-1].in_shape[1:] == (1, 1)) == is_one
        rng = np.random.default_rng(0)
        for genotype in (on.sample(rng) for _ in range(50)):
            at_one = plan(genotype, (1, *shape[-2:]), CLASSES).connections[-1].in_shape[1:] == (1, 1)
            assert not (at_one and genotype["readout.input"] == "flat")
    assert space.canonical(mean) != space.canonical(flat)


def test_a_space_that_was_narrowed_to_flat_readouts_keeps_them_on_any_data():
    only = {"readout.input": ["flat"]}
    for narrow in (space.narrowed(only).on(SHAPE), space.on(SHAPE).narrowed(only)):
        rng = np.random.default_rng(0)
        assert {narrow.sample(rng)["readout.input"] for _ in range(50)} == {"flat"}


def test_what_a_search_by_gradients_finds_is_a_genotype_on_its_data():
    sizes = {"nodes": 1, "layers": 2, "channels": 4, "stem.stride": 4, "readout.input": "flat"}
    on = space.on((1, 4, 4))
    relaxed = on.relax(sizes, (1, 4, 4), CLASSES)
    with torch.no_grad():
        found = relaxed.discretise(relaxed.logits(generator=torch.Generator().manual_seed(0)).mixture())
    assert found["readout.input"] == "mean"
