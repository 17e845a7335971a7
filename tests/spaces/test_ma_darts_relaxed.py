"""MA-DARTS relaxed: with one network's choices it is that network with its counts; its logits are trained and decoded."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from recorded import recorded
from relaxed_cells import assert_counted_alike, assert_same_gradients, certain_edges, found, settled, soften

from evonas.architecture.attention import REAL
from evonas.errors import EvonasError
from evonas.genotype import Genotype
from evonas.training.training_settings import Training
from spaces.ma_darts import space
from spaces.ma_darts_form import ATTENTION
from spaces.ma_darts_relaxed import MaDartsLogits, MaDartsMixture
from spaces.spike_dhs_form import cell_of
from spaces.spike_dhs_relaxed import RelaxedCells

torch.set_num_threads(1)
SHAPE, CLASSES = (2, 8, 8), 5
SIZES = {"nodes": 3, "channels": 4}


def relaxed(shape: tuple[int, ...] = SHAPE, **sizes: int) -> RelaxedCells[MaDartsMixture]:
    torch.manual_seed(0)
    return space.relax({**SIZES, **sizes}, shape, CLASSES)


def genotypes(count: int, *, seed: int, **fixed: object) -> list[Genotype]:
    rng = np.random.default_rng(seed)
    given = {"channels": 4, "time_steps": 2, "surrogate_width": 1.0, "nodes": 3, **fixed}
    return [space.sample(rng, given=given) for _ in range(count)]


def one_hot(genotype: Genotype) -> MaDartsMixture:
    """The mixture that is the network of a genotype alone."""
    nodes = int(genotype["nodes"])
    chosen = [ATTENTION.index(str(genotype[f"node{node}.attention"])) for node in range(nodes)]
    return MaDartsMixture(*certain_edges(genotype), torch.eye(len(ATTENTION), dtype=torch.float64)[chosen])


def branches(genotype: Genotype, names: Mapping[str, object]) -> dict[str, str]:
    """Each connection of a network, and its name among those of all networks."""
    found = {}
    for name in names:
        parts = name.split("/")
        if len(parts) == 3 and parts[1].startswith("node"):
            node = int(parts[1].removeprefix("node"))
            (edge,) = [edge for edge in cell_of(genotype)[node] if edge.source == parts[2]]
            found[name] = f"{name}/{edge.operation}"
        else:
            found[name] = name
    return found


def with_weights_of(network: torch.nn.Module, one: RelaxedCells[MaDartsMixture], genotype: Genotype) -> dict[str, str]:
    names = branches(genotype, dict(network.operations.items()))
    for own, operation in network.operations.items():
        one.network.all.operations[names[own]].load_state_dict(operation.state_dict())
    return names


@pytest.mark.parametrize(("shape", "nodes"), [(SHAPE, 3), (SHAPE, 4), ((4, *SHAPE), 3)])
def test_with_the_choices_of_one_network_it_is_that_network_to_the_last_bit_with_its_counts(
    shape: tuple[int, ...], nodes: int
) -> None:
    one = relaxed(shape, nodes=nodes)
    steps = 4 if len(shape) == 4 else 2
    drawn = [
        *genotypes(8, seed=nodes, nodes=nodes, time_steps=steps),
        *(
            genotypes(1, seed=5, nodes=nodes, time_steps=steps, **{f"node{n}.attention": kind for n in range(nodes)})[0]
            for kind in ATTENTION
        ),
    ]
    for genotype in drawn:
        data = torch.rand(
            steps if len(shape) == 4 else 1, 4, *SHAPE, generator=torch.Generator().manual_seed(2)
        ).round()
        network = settled(space, genotype, data, shape, CLASSES)
        with_weights_of(network, one, genotype)
        counter = one.network.counter()
        with torch.no_grad():
            logits, activity = recorded(network, data)
            assert torch.equal(one.network.eval()(data, one_hot(genotype), counter=counter), logits)
        counts = counter.counts()
        assert_counted_alike(counts, activity)
        assert counts.neuron_steps.item() == pytest.approx(activity.neuron_steps)
        assert one.discretise(one_hot(genotype)) == genotype


def test_it_is_that_network_in_training_too_with_the_same_gradients() -> None:
    one = relaxed()
    one.network.double()
    for genotype in genotypes(4, seed=11):
        data = torch.rand(1, 6, *SHAPE, dtype=torch.float64)
        network = settled(space, genotype, data.float(), SHAPE, CLASSES).double().train()
        names = with_weights_of(network, one, genotype)
        one.network.zero_grad()
        ours, its = one.network.train()(data, one_hot(genotype)), network(data)
        assert torch.equal(ours, its)
        ours.square().sum().backward()
        its.square().sum().backward()
        assert_same_gradients(one.network.all, network, names)


def soft(one: RelaxedCells[MaDartsMixture]) -> MaDartsLogits:
    logits = one.logits(generator=torch.Generator().manual_seed(0))
    soften(logits)
    return logits


def test_a_node_sends_the_mean_of_what_its_gates_let_through() -> None:
    one = relaxed()
    mixture = soft(one).mixture()
    seen: dict[str, torch.Tensor] = {}
    for name, neurons in one.network.all.neurons.items():
        neurons.register_forward_hook(lambda _, __, output, name=name: seen.update({name: output}))
    with torch.no_grad():
        one.network(torch.rand(1, 4, *SHAPE), mixture)
    name = "cell3/node1"
    last = {"none": name, "eca": f"{name}/real_eca", "cbam": f"{name}/real_spatial",
            "binary_eca": f"{name}/binary_eca", "binary_cbam": f"{name}/binary_spatial"}  # fmt: skip
    expected = sum(mixture.attention[1, ATTENTION.index(kind)].float() * seen[last[kind]] for kind in ATTENTION)
    torch.testing.assert_close(seen[f"{name}/sent"], expected)
    assert set(seen[name].unique().tolist()) == {0.0, 1.0}


def test_every_logit_gets_a_gradient_of_the_loss_and_of_the_price() -> None:
    one = relaxed()
    logits, counter = soft(one), one.network.counter()
    with torch.no_grad():
        one.network(torch.rand(1, 8, *SHAPE), logits.mixture())  # begin somewhere
    answers = one.network(torch.rand(1, 8, *SHAPE), logits.mixture(), counter=counter)
    loss = torch.nn.functional.cross_entropy(answers, torch.randint(CLASSES, (8,)))
    for value in (loss, counter.counts().spikes, counter.counts().macs):
        gradients = torch.autograd.grad(value, logits.choices, retain_graph=True)
        assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)
        assert all(bool((gradient != 0).all()) for gradient in gradients)


def test_expected_multiply_accumulates_rise_with_the_probability_of_real_gates() -> None:
    one = relaxed()
    data, macs = torch.rand(1, 8, *SHAPE), []
    for share in (0.0, 0.3, 1.0):
        mixture = soft(one).mixture().detached()
        attention = torch.zeros(3, len(ATTENTION), dtype=torch.float64)
        attention[:, ATTENTION.index("none")], attention[:, ATTENTION.index("eca")] = 1 - share, share
        counter = one.network.counter()
        with torch.no_grad():
            one.network(data, MaDartsMixture(mixture.operations, mixture.edges, attention), counter=counter)
        macs.append(counter.counts().macs.item())
    assert macs[0] == 0 < macs[1] < macs[2]


def test_a_drawn_network_is_decoded_as_itself_and_no_other_gate_is_computed() -> None:
    one = relaxed()
    called: list[str] = []
    for name, operation in one.network.all.operations.items():
        operation.register_forward_hook(lambda *_, name=name: called.append(name))
    generator = torch.Generator().manual_seed(0)
    logits, kinds = one.logits(generator=generator), set()
    for _ in range(5):
        genotype = one.discretise(drawn := logits.network(generator=generator))
        called.clear()
        one.network(torch.rand(1, 2, *SHAPE), drawn)
        gates = {edge.name for edge in space.plan(genotype, SHAPE, CLASSES).connections if edge.gate}
        assert {name for name in called if name.endswith("/gate")} == gates
        kinds.add(genotype["node0.attention"])
    assert len(kinds) > 1


def test_two_paths_contest_the_operations_of_all_edges_or_the_attention_of_all_nodes() -> None:
    one = relaxed()
    logits, generator = soft(one), torch.Generator().manual_seed(5)
    found = set()
    for _ in range(20):
        mixture = logits.two_paths(generator=generator).detached()
        found.add(tuple(frozenset((part > 0).sum(1).tolist()) for part in (mixture.operations, mixture.attention)))
        assert mixture.edges.sum() == 6
    assert found == {(frozenset({2}), frozenset({1})), (frozenset({1}), frozenset({2}))}


def test_without_a_price_of_products_gates_of_real_values_are_left_out() -> None:
    one = relaxed()
    logits = one.logits(generator=torch.Generator().manual_seed(0))
    logits.leave_out("lif")
    logits.leave_out("analog")
    shares = logits.mixture().attention
    assert [kind for kind, share in zip(ATTENTION, shares[0].tolist(), strict=True) if share == 0] == list(REAL)[:2]
    narrow = space.narrowed({"node*.attention": ["eca", "cbam"]})
    left = narrow.relax(SIZES, SHAPE, CLASSES).logits(generator=torch.Generator().manual_seed(0))
    with pytest.raises(EvonasError, match="All attention that a node may have multiplies"):
        left.leave_out("analog")


def test_a_narrowed_space_leaves_its_options_out() -> None:
    narrow = space.narrowed({"node*.attention": ["binary_eca", "none"], "node*.?": ["conv_b3"]})
    one = narrow.relax(SIZES, SHAPE, CLASSES)
    generator = torch.Generator().manual_seed(0)
    logits = one.logits(generator=generator)
    for genotype in [*(one.discretise(logits.network(generator=generator)) for _ in range(3)),
                     one.discretise(logits.mixture())]:  # fmt: skip
        assert narrow.genotype(genotype) == genotype
        assert {genotype[f"node{node}.attention"] for node in range(3)} <= {"binary_eca", "none"}


def test_a_search_finds_networks_of_the_space_the_same_for_the_same_seed() -> None:
    result = found(space, SIZES, Training())
    assert len(set(result.proposals)) == 2
    assert all(space.genotype(genotype) == genotype for genotype in result.proposals)
    assert found(space, SIZES, Training()) == result
