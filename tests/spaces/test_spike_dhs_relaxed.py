"""SpikeDHS relaxed: with one network's choices it is that network to the last bit; its logits are trained and decoded."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from recorded import recorded
from relaxed_cells import assert_counted_alike, assert_same_gradients, certain_edges, found, settled, soften

from evonas.errors import SpaceError
from evonas.genotype import Genotype
from evonas.snn.relaxed.path_distribution import DOWN, STAY, choosing
from evonas.training.training_settings import Training
from spaces.spike_dhs import space
from spaces.spike_dhs_choices import SpikeDhsLogits, SpikeDhsMixture, edges_of
from spaces.spike_dhs_form import LAYERS, LEVELS, OPERATIONS, cell_of, levels_of
from spaces.spike_dhs_relaxed import RelaxedCells

torch.set_num_threads(1)
SHAPE, CLASSES = (2, 8, 8), 5
SIZES = {"nodes": 3, "channels": 4}


def relaxed(shape: tuple[int, ...] = SHAPE, **sizes: int) -> RelaxedCells[SpikeDhsMixture]:
    torch.manual_seed(0)
    return space.relax({**SIZES, **sizes}, shape, CLASSES)


def genotypes(count: int, *, seed: int, **fixed: object) -> list[Genotype]:
    rng = np.random.default_rng(seed)
    given = {"channels": 4, "time_steps": 6, "surrogate_width": 1.0, "nodes": 3, **fixed}
    return [space.sample(rng, given=given) for _ in range(count)]


def one_hot(genotype: Genotype) -> SpikeDhsMixture:
    """The mixture that is the network of a genotype alone."""
    levels, moves = (0, *levels_of(genotype)), []
    for layer in range(1, LAYERS + 1):
        move = torch.zeros(len(choosing(layer, levels=LEVELS)), 2, dtype=torch.float64)
        move[:, STAY] = 1.0
        if levels[layer] > levels[layer - 1]:
            move[levels[layer - 1]] = torch.eye(2, dtype=torch.float64)[DOWN]
        moves.append(move)
    return SpikeDhsMixture(*certain_edges(genotype), tuple(moves))


def branches(genotype: Genotype) -> dict[str, str]:
    """Each connection of a network, and its name among those of all networks."""
    levels = (0, *levels_of(genotype))
    names = {"stem/conv": "stem/conv", "readout/linear": f"readout/linear@{levels[-1]}"}
    for layer in range(1, LAYERS + 1):
        cell = f"cell{layer}@{levels[layer]}"
        origin = {side: f"{side}~{levels[max(layer - back, 0)]}" for side, back in (("s0", 2), ("s1", 1))}
        for side, its_name in origin.items():
            names[f"cell{layer}/{side}/resize"] = f"{cell}/{its_name}/resize"
        for node, edges in enumerate(cell_of(genotype)):
            for edge in edges:
                source = origin.get(edge.source, edge.source)
                names[f"cell{layer}/node{node}/{edge.source}"] = f"{cell}/node{node}/{source}/{edge.operation}"
    return names


def with_weights_of(network: torch.nn.Module, names: Mapping[str, str], one: RelaxedCells[SpikeDhsMixture]) -> None:
    for own, operation in network.operations.items():
        one.network.all.operations[names[own]].load_state_dict(operation.state_dict())


@pytest.mark.parametrize(("shape", "nodes"), [(SHAPE, 3), (SHAPE, 4), ((6, *SHAPE), 3)])
def test_with_the_choices_of_one_network_it_is_that_network_to_the_last_bit_with_its_counts(shape, nodes):
    one = relaxed(shape, nodes=nodes)
    for genotype in genotypes(6, seed=nodes, nodes=nodes):
        data = torch.rand(6 if len(shape) == 4 else 1, 4, *SHAPE, generator=torch.Generator().manual_seed(2)).round()
        network = settled(space, genotype, data, shape, CLASSES)
        with_weights_of(network, branches(genotype), one)
        counter = one.network.counter()
        with torch.no_grad():
            logits, activity = recorded(network, data)
            assert torch.equal(one.network.eval()(data, one_hot(genotype), counter=counter), logits)
        counts = counter.counts()
        assert_counted_alike(counts, activity)
        assert counts.neuron_steps.item() == activity.neuron_steps
        assert one.discretise(one_hot(genotype)) == genotype


def test_it_is_that_network_in_training_too_with_the_same_gradients():
    one = relaxed()
    for genotype in genotypes(3, seed=11):
        data = torch.rand(1, 6, *SHAPE)
        network, names = settled(space, genotype, data, SHAPE, CLASSES).train(), branches(genotype)
        with_weights_of(network, names, one)
        one.network.zero_grad()
        ours, its = one.network.train()(data, one_hot(genotype)), network(data)
        assert torch.equal(ours, its)
        ours.square().sum().backward()
        its.square().sum().backward()
        assert_same_gradients(one.network.all, network, names)


def test_a_drawn_network_is_decoded_as_itself_and_nothing_else_is_computed():
    one = relaxed()
    called: list[str] = []
    for name, operation in one.network.all.operations.items():
        operation.register_forward_hook(lambda *_, name=name: called.append(name))
    generator = torch.Generator().manual_seed(0)
    logits = one.logits(generator=generator)
    for _ in range(5):
        drawn = logits.network(generator=generator)
        genotype = one.discretise(drawn)
        called.clear()
        one.network(torch.rand(1, 2, *SHAPE), drawn)
        names = branches(genotype)
        assert set(called) <= set(names.values())
        weighted = {edge.name for edge in space.plan(genotype, SHAPE, CLASSES).connections}
        assert len(called) <= len(weighted)
        assert names["readout/linear"] in called


def soft(one: RelaxedCells[SpikeDhsMixture]) -> SpikeDhsLogits:
    logits = one.logits(generator=torch.Generator().manual_seed(0))
    soften(logits)
    return logits


def test_the_whole_mixture_weighs_operations_by_a_softmax_and_has_all_edges():
    one = relaxed()
    logits = soft(one)
    mixture = logits.mixture(temperature=0.5)
    torch.testing.assert_close(mixture.operations, torch.softmax(logits.operations / 0.5, 1))
    assert bool((mixture.edges == 1).all())
    factors = mixture.factors()
    assert factors["used.s0"] == factors["used.s1"] == 1
    weights = [factors[f"edge5.{operation}"] for operation in OPERATIONS]
    torch.testing.assert_close(torch.stack(weights).sum(), torch.ones((), dtype=torch.float64))


def test_every_logit_gets_a_gradient_and_spikes_of_mixtures_are_spikes():
    one = relaxed()
    logits = soft(one)
    counter = one.network.counter()
    with torch.no_grad():
        one.network(torch.rand(1, 8, *SHAPE), logits.mixture())  # begin somewhere
    answers = one.network(torch.rand(1, 8, *SHAPE), logits.mixture(), counter=counter)
    loss = torch.nn.functional.cross_entropy(answers, torch.randint(CLASSES, (8,)))
    for value in (loss, counter.counts().spikes):
        gradients = torch.autograd.grad(value, logits.choices, retain_graph=True)
        assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)
        assert all(bool((gradient != 0).all()) for gradient in gradients)


def test_two_paths_contest_an_operation_of_each_edge_or_the_move_at_one_layer():
    one = relaxed()
    logits, generator, kinds = soft(one), torch.Generator().manual_seed(5), set()
    for _ in range(40):
        mixture = logits.two_paths(generator=generator).detached()
        operations = {int(count) for count in (mixture.operations > 0).sum(1)}
        moves = sum(bool(((move > 0) & (move < 1)).any()) for move in mixture.moves)
        kinds.add((tuple(operations), moves))
        assert mixture.edges.sum() == 6
    assert kinds == {((2,), 0), ((1,), 1)}


def test_the_likeliest_convolutions_decide_which_edges_a_node_keeps_and_a_skip_may_win_them():
    one = relaxed()
    logits = one.logits(generator=torch.Generator().manual_seed(0))
    edges = list(edges_of(3))
    with torch.no_grad():
        logits.operations[:] = torch.tensor([2.0, 0.0, 0.0])
        logits.operations[edges.index((2, "s1"))] = torch.tensor([1.5, 1.4, 0.0])
        logits.operations[edges.index((2, "n0"))] = torch.tensor([0.0, 0.0, 4.0])
        for move in logits.moves:
            move[:] = torch.tensor([1.0, 0.0])
        logits.moves[3][0] = torch.tensor([0.0, 3.0])
    genotype = one.discretise(logits.mixture())
    assert genotype["node2.inputs"] == "s1+n0"
    assert (genotype["node2.a"], genotype["node2.b"]) == ("skip", "conv_b5")
    assert levels_of(genotype) == (0, 0, 0, 1, 1, 1, 1, 1)


def test_a_narrowed_space_leaves_its_options_out():
    only = {"node*.?": ["conv_b3", "conv_b5"], "node2.inputs": ["s1+n1"], "layer[5-8].move": ["stay"]}
    narrow = space.narrowed({**only, "time_steps": [2, 4], "surrogate_width": [1.5, 2.0]})
    one = narrow.relax(SIZES, SHAPE, CLASSES)
    assert one.network.most_time_steps == 4
    generator = torch.Generator().manual_seed(0)
    logits = one.logits(generator=generator)
    found = [one.discretise(logits.network(generator=generator)) for _ in range(3)]
    found.append(one.discretise(logits.mixture()))
    for genotype in found:
        assert narrow.genotype(genotype) == genotype
        assert "skip" not in genotype.values()
        assert (genotype["surrogate_width"], genotype["node2.inputs"]) == (1.5, "s1+n1")


@pytest.mark.parametrize("context", [{}, {"nodes": 3}, {**SIZES, "layers": 8}, {"nodes": 5, "channels": 4}])
def test_other_sizes_are_refused(context):
    with pytest.raises(SpaceError, match="sizes nodes and channels, got|5"):
        space.relax(context, SHAPE, CLASSES)


def test_widths_of_stages_are_those_of_resolutions():
    one = relaxed()
    assert set(one.network.surrogate_widths) == {"8x8", "4x4", "2x2", "1x1"}
    one.network.set_surrogate_width("4x4", 2.0)
    assert one.network.surrogate_widths["4x4"] == 2.0


@pytest.mark.parametrize("every", [None, 1])
def test_a_search_finds_networks_of_the_space_the_same_for_the_same_seed(every):
    training = Training(search_surrogates_every=every)
    result = found(space, SIZES, training)
    assert len(set(result.proposals)) == 2
    assert all(space.genotype(genotype) == genotype for genotype in result.proposals)
    assert result.trained.epochs[0]["objective"] > 0
    assert bool(result.trained.surrogate_widths) == bool(every)
    if every is None:
        assert found(space, SIZES, training) == result
