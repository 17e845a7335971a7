"""The relaxed network: with one network's choices it is that network to the last bit; mixed, it counts in the mean."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import pytest
import torch
from recorded import recorded
from relaxed_twin import branches, branches_of, one_hot, order_of, take_weights, weights_of

from evonas.architecture.cell import Cell, Edge
from evonas.architecture.neuron import Dynamics
from evonas.architecture.trellis import Trellis, plan_trellis
from evonas.genotype import Genotype
from evonas.snn.relaxed.edge_distribution import pairs_of
from evonas.snn.relaxed.logits import Logits
from evonas.snn.relaxed.mixture import KINDS, NetworkMixture
from evonas.snn.relaxed.neurons import Output, mixed
from evonas.snn.relaxed.path_distribution import most_likely
from evonas.snn.relaxed.trellis import RelaxedTrellis
from evonas.variables import Scalar
from spaces.spatial_temporal import LEVELS
from spaces.spatial_temporal import space as joint
from spaces.spatial_temporal_relaxed import likeliest_cell

space = joint.without(["feedback", "attention"])  # which are not relaxed
SHAPE, CLASSES = (2, 8, 8), 5
SIZES = ("nodes", "layers", "channels", "stem.stride", "readout.input", "surrogate", "surrogate_width")


def genotypes(count: int, *, seed: int, **fixed: Scalar) -> list[Genotype]:
    rng = np.random.default_rng(seed)
    return [space.canonical({**space.fill({}, rng), "channels": 4, **fixed}) for _ in range(count)]


def relaxed_for(genotype: Genotype, shape: tuple[int, ...] = SHAPE) -> RelaxedTrellis:
    return space.relax({name: genotype[name] for name in SIZES if name in genotype}, shape, CLASSES)


def trained(genotype: Genotype, data: torch.Tensor, shape: tuple[int, ...] = SHAPE) -> torch.nn.Module:
    """The network with statistics of its batch norms and weights in them, as after a training."""
    torch.manual_seed(0)
    network = space.build(genotype, shape, CLASSES)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
            torch.nn.init.normal_(module.bias, 0.0, 0.2)
            torch.nn.init.normal_(module.weight, 1.0, 0.2)
    with torch.no_grad():
        network(data)
    return network.eval()


class Listener:
    """Hears what populations send, as a recorder of a network and as a counter of a relaxed one."""

    def __init__(self) -> None:
        self.heard: dict[str, torch.Tensor] = {}

    def see(self, name: str, output: torch.Tensor) -> None:
        self.heard[name] = output

    def updates(self, name: str, *, device: torch.device) -> None:
        return None

    def begin(self, data: torch.Tensor, *, running: torch.Tensor) -> None:
        pass

    def fire(self, name: str, outputs: list[Output], *, presence: torch.Tensor) -> None:
        self.heard[name] = mixed(outputs)

    def deliver(self, name: str, *, presence: torch.Tensor) -> None:
        pass

    def step(self, neurons: int, *, presence: torch.Tensor, adaptive: torch.Tensor | None = None) -> None:
        pass


def populations(relaxed: RelaxedTrellis, genotype: Genotype, network: torch.nn.Module) -> dict[str, str]:
    """Each population of the network, and the one of the relaxed network that has the same connections."""
    target = {edge.name: edge.target for edge in relaxed.network.plan.plan.connections}
    branch = branches_of(genotype)
    return {edge.target: target[branch[edge.name]] for edge in network.plan.connections}


@pytest.mark.parametrize("seed", range(30))
def test_with_the_choices_of_one_network_it_is_that_network_to_the_last_bit(seed):
    (genotype,) = genotypes(1, seed=seed)
    data = torch.rand(1, 4, *SHAPE, generator=torch.Generator().manual_seed(1))
    network, relaxed = trained(genotype, data), relaxed_for(genotype)
    take_weights(relaxed, genotype, network)
    one, other = Listener(), Listener()
    with torch.no_grad():
        logits = network(data, one)
        same = relaxed.network.eval()(data, one_hot(relaxed, genotype), counter=other)
    assert torch.equal(same, logits)
    pairs = populations(relaxed, genotype, network)
    assert set(pairs) == {population.name for population in network.plan.populations}
    for name, its_name in pairs.items():
        if name != "readout":
            assert torch.equal(other.heard[its_name], one.heard[name]), name
    assert len(other.heard) == len(pairs) - 1  # and nothing else fires


def test_it_is_that_network_in_training_too_with_the_same_gradients():
    for genotype in genotypes(5, seed=100):
        data = torch.rand(1, 4, *SHAPE)
        network, relaxed = trained(genotype, data), relaxed_for(genotype)
        take_weights(relaxed, genotype, network)
        ours, its = relaxed.network.train()(data, one_hot(relaxed, genotype)), network.train()(data)
        assert torch.equal(ours, its)
        ours.square().sum().backward()
        its.square().sum().backward()
        for own, branch in branches_of(genotype).items():
            pairs = zip(
                network.operations[own].parameters(), relaxed.network.operations[branch].parameters(), strict=True
            )
            for its_weight, our_weight in pairs:
                torch.testing.assert_close(our_weight.grad, its_weight.grad)


def test_event_frames_take_the_same_way():
    shape = (5, 2, 8, 8)
    for genotype in genotypes(6, seed=3, time_steps=5):
        data = torch.randint(3, (5, 4, *SHAPE)).float()
        network, relaxed = trained(genotype, data, shape), relaxed_for(genotype, shape)
        take_weights(relaxed, genotype, network)
        counter = relaxed.network.counter()
        with torch.no_grad():
            logits, activity = recorded(network, data)
            assert torch.equal(relaxed.network.eval()(data, one_hot(relaxed, genotype), counter=counter), logits)
        graded = sum(sum(edge.graded) for edge in activity.connections) / activity.samples
        assert graded > 0
        assert counter.counts().graded.item() == pytest.approx(graded)


@pytest.mark.parametrize("seed", range(12))
def test_the_counts_of_one_network_are_those_of_its_activity(seed):
    (genotype,) = genotypes(1, seed=200 + seed)
    data = torch.rand(1, 4, *SHAPE) * (torch.rand(1, 4, *SHAPE) < 0.7)
    network, relaxed = trained(genotype, data), relaxed_for(genotype)
    take_weights(relaxed, genotype, network)
    counter = relaxed.network.counter()
    with torch.no_grad():
        _, activity = recorded(network, data)
        relaxed.network.eval()(data, one_hot(relaxed, genotype), counter=counter)
    counts = counter.counts()
    assert counts.spikes.item() == pytest.approx(activity.spikes, rel=1e-5)
    assert counts.events.item() == pytest.approx(activity.synaptic_operations, rel=1e-5)
    assert (counts.macs + counts.input_macs).item() == pytest.approx(activity.macs, rel=1e-5)
    assert counts.input_macs.item() == pytest.approx(activity.connections[0].macs[0] / activity.samples, rel=1e-5)
    assert counts.neuron_steps.item() == activity.neuron_steps >= activity.updates
    adaptive = sum(population.neurons for population in activity.populations if population.kind == "alif")
    assert counts.adaptive_steps.item() == adaptive * activity.time_steps
    assert counts.time_steps.item() == activity.time_steps


def heard(relaxed: RelaxedTrellis) -> list[str]:
    """Return a list to which each operation adds its name whenever it computes."""
    called: list[str] = []
    for name, operation in relaxed.network.operations.items():
        operation.register_forward_hook(lambda *_, name=name: called.append(name))
    return called


def test_branches_without_weight_are_not_computed():
    for genotype in genotypes(5, seed=4):
        relaxed = relaxed_for(genotype)
        called = heard(relaxed)
        relaxed.network(torch.rand(1, 2, *SHAPE), one_hot(relaxed, genotype))
        assert sorted(called) == sorted(branches_of(genotype).values())


def test_a_drawn_network_is_one_network_and_nothing_else_is_computed():
    relaxed = space.relax(
        {"nodes": 3, "layers": 4, "channels": 4, "stem.stride": 1, "readout.input": "mean"}, SHAPE, CLASSES
    )
    generator = torch.Generator().manual_seed(0)
    logits = relaxed.logits(generator=generator)
    called = heard(relaxed)
    for _ in range(8):
        drawn = logits.network(generator=generator)
        weights = [*drawn.edges, *drawn.moves, drawn.kinds, drawn.resets, drawn.time_steps]
        assert all(bool(((chances.float() == 0) | (chances.float() == 1)).all()) for chances in weights)
        called.clear()
        relaxed.network(torch.rand(1, 2, *SHAPE), drawn)
        cell = likeliest_cell(drawn)
        if not reads_the_last(cell):
            continue  # every second cell has no reader
        assert sorted(called) == sorted(branches(cell, most_likely(drawn.moves, levels=LEVELS)).values())


def test_two_paths_compute_little_more_than_a_network():
    relaxed = space.relax(
        {"nodes": 2, "layers": 3, "channels": 4, "stem.stride": 1, "readout.input": "mean"}, SHAPE, CLASSES
    )
    generator = torch.Generator().manual_seed(0)
    logits = relaxed.logits(generator=generator)
    called = heard(relaxed)

    def operations(mixture: NetworkMixture) -> int:
        called.clear()
        relaxed.network(torch.rand(1, 2, *SHAPE), mixture)
        return len(called)

    drawn = sum(operations(logits.network(generator=generator)) for _ in range(20))
    pairs = sum(operations(logits.two_paths(generator=generator)) for _ in range(20))
    assert drawn < pairs < 2 * drawn < 0.5 * 20 * operations(logits.mixture())


@pytest.mark.parametrize("nodes", [1, 2, 3])
def test_what_is_drawn_has_the_weights_that_it_was_drawn_with(nodes):
    torch.manual_seed(0)
    relaxed = space.relax(
        {"nodes": nodes, "layers": 3, "channels": 4, "stem.stride": 1, "readout.input": "mean"}, SHAPE, CLASSES
    )
    generator = torch.Generator().manual_seed(nodes)
    logits = relaxed.logits(generator=generator)
    with torch.no_grad():
        logits.constants[:] = torch.tensor([2.0, 1.5, 0.6, 3.0, 0.2])  # values that need no rounding
        logits.readout_tau_mem_ms.fill_(3.0)
    for module in relaxed.network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.bias, 0.0, 0.2)
            torch.nn.init.normal_(module.running_mean, 0.0, 0.2)
    relaxed.network.eval()
    renumbered = 0
    for _ in range(25):
        drawn = logits.network(generator=generator)
        order = order_of(drawn)
        if not reads_the_last(likeliest_cell(drawn)):
            continue  # its genotype does
        renumbered += list(order) != sorted(order)
        network = space.build(relaxed.discretise(drawn), SHAPE, CLASSES).eval()
        network.load_state_dict(weights_of(relaxed, drawn), strict=False)
        data = torch.rand(1, 4, *SHAPE, generator=generator)
        with torch.no_grad():
            torch.testing.assert_close(network(data), relaxed.network(data, drawn), rtol=1e-4, atol=1e-4)
    assert renumbered > 0 or nodes == 1


def reads_the_last(cell: Cell) -> bool:
    return any(edge.source == "s1" for edges in cell for edge in edges)


def soft(logits: Logits, *, seed: int) -> Logits:
    with torch.no_grad():
        for values in logits.choices:
            values.copy_(torch.randn(values.shape, generator=torch.Generator().manual_seed(seed), dtype=values.dtype))
    return logits


@pytest.mark.parametrize("sizes", [{"nodes": 1, "layers": 4}, {"nodes": 3, "layers": 3}])
def test_every_logit_and_every_constant_gets_a_gradient(sizes):
    torch.manual_seed(0)
    relaxed = space.relax({**sizes, "channels": 4, "stem.stride": 1, "readout.input": "mean"}, SHAPE, CLASSES)
    logits = soft(relaxed.logits(generator=torch.Generator().manual_seed(0)), seed=1)
    counter = relaxed.network.counter()
    data, labels = torch.rand(1, 8, *SHAPE), torch.randint(CLASSES, (8,))
    answers = relaxed.network(data, logits.mixture(), counter=counter)
    trained = {
        "the loss": torch.nn.functional.cross_entropy(answers, labels),
        "spikes": counter.counts().spikes,
        "events": counter.counts().events,
    }
    for name, value in trained.items():
        gradients = torch.autograd.grad(value, logits.choices, retain_graph=True)
        assert all(bool((gradient != 0).all()) for gradient in gradients if name == "the loss"), name
        assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients), name
        assert all(bool((gradient != 0).any()) for gradient in gradients), name
        (constants,) = torch.autograd.grad(value, [logits.constants], retain_graph=True)
        assert bool((constants != 0).all()), name


def test_over_many_pairs_of_paths_every_logit_and_every_constant_gets_a_gradient():
    torch.manual_seed(0)
    relaxed = space.relax(
        {"nodes": 1, "layers": 2, "channels": 4, "stem.stride": 1, "readout.input": "mean"}, SHAPE, CLASSES
    )
    generator = torch.Generator().manual_seed(0)
    logits = relaxed.logits(generator=generator)
    data, labels = torch.rand(1, 4, *SHAPE), torch.randint(CLASSES, (4,))
    trained = [*logits.choices, *logits.numbers]
    had = [torch.zeros_like(values, dtype=torch.bool) for values in trained]
    for _ in range(120):
        answers = relaxed.network(data, logits.two_paths(generator=generator))
        loss = torch.nn.functional.cross_entropy(answers, labels)
        for ever, gradient in zip(had, torch.autograd.grad(loss, trained, allow_unused=True), strict=True):
            if gradient is not None:
                ever |= gradient != 0
    assert all(bool(ever.all()) for ever in had)


@cache
def stateful_neurons(cell: Cell, levels: tuple[int, ...], have_state: tuple[bool, ...]) -> int:
    """Stateful neurons of one network, from its plan."""
    stages = tuple(Dynamics("lif" if has_state else "analog") for has_state in have_state)
    trellis = Trellis(levels=levels, channels=4, stages=stages, readout_tau_mem_ms=2.0, time_steps=2)
    plan = plan_trellis(trellis, cell, input_shape=SHAPE, classes=CLASSES)
    return sum(int(np.prod(layer.shape)) for layer in plan.populations if layer.dynamics.state_variables)


def test_expected_neuron_steps_are_the_mean_over_all_networks():
    relaxed = space.relax(
        {"nodes": 1, "layers": 2, "channels": 4, "stem.stride": 1, "readout.input": "mean"}, SHAPE, CLASSES
    )
    logits = soft(relaxed.logits(generator=torch.Generator().manual_seed(0)), seed=2)
    counter = relaxed.network.counter()
    with torch.no_grad():
        mixture = logits.mixture()
        relaxed.network(torch.rand(1, 1, *SHAPE), mixture, counter=counter)
    pairs = pairs_of(0)
    weights = logits.edges[0].detach().exp()
    stateful = 1 - mixture.kinds[:, KINDS.index("analog")]
    mean_time = sum(
        steps * chance for steps, chance in zip(relaxed.sizes.time_steps, mixture.time_steps.tolist(), strict=True)
    )
    expected = 0.0
    for first, second in product(range(10), range(11)):
        allowed = [i for i in range(11) if i == 10 or i // 5 != first // 5]
        if second not in allowed:
            continue
        chance = float(weights[first] / weights[:10].sum() * weights[second] / weights[allowed].sum())
        cell = (tuple(Edge(*pairs[index]) for index in (first, second) if index < 10),)
        for down1, down2 in product((0, 1), repeat=2):
            levels = (down1, down1 + down2)
            path = float(mixture.moves[0][0, down1] * mixture.moves[1][down1, down2])
            for states in product((False, True), repeat=LEVELS):
                likely = float(np.prod([s if has else 1 - s for s, has in zip(stateful.tolist(), states, strict=True)]))
                cell = tuple(tuple(sorted(edges, key=str)) for edges in cell)
                expected += chance * path * likely * stateful_neurons(cell, levels, states) * mean_time
    assert counter.counts().neuron_steps.item() == pytest.approx(expected, rel=1e-5)
