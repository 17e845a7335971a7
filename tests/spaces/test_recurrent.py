"""The recurrent space: every assignment is a network, every active variable changes it, and it is counted exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from other_values import another_value
from recorded import recorded
from unrolled import check_counts, unrolled

from evonas.chips.energy import estimate
from evonas.chips.fit import check
from evonas.chips.profile import load
from evonas.errors import SpaceError
from evonas.genotype import Genotype
from spaces.recurrent import LAYERS, plan, space

torch.set_num_threads(1)
CHANNELS, CLASSES, STEPS = 12, 5, 14


def genotypes(count: int, *, seed: int, **fixed) -> list[Genotype]:
    rng = np.random.default_rng(seed)
    return [space.canonical({**space.fill({}, rng), **fixed}) for _ in range(count)]


def spikes(steps: int, *, samples: int, seed: int, rate: float = 0.2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(steps, samples, CHANNELS, 1, 1, generator=generator) < rate).float()


def with_statistics(genotype: Genotype, *, steps: int) -> torch.nn.Module:
    """The same seed for every network, and the statistics of its norms from the same data."""
    torch.manual_seed(0)
    network = space.build(genotype, (None, CHANNELS, 1, 1), CLASSES)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        for _ in range(2):  # within loops, statistics lag by a batch
            network(spikes(int(genotype["time_steps"]), samples=16, seed=1))
    return network.eval()


def answers(genotype: Genotype):
    """Logits and counts of random data, and the gradient at the first layer."""
    steps = int(genotype["time_steps"])
    network = with_statistics(genotype, steps=steps)
    logits, activity = recorded(network, spikes(steps, samples=16, seed=2))
    (logits * torch.randn(logits.shape, generator=torch.Generator().manual_seed(3))).sum().backward()
    return logits.detach(), activity, network.operations["layer1/in"].linear.weight.grad


@pytest.mark.parametrize("seed", range(6))
def test_every_active_variable_changes_the_network(seed):
    rng = np.random.default_rng(seed)
    (genotype,) = genotypes(1, seed=seed, layers=1 + seed % LAYERS, time_steps=20)
    logits, _, gradient = answers(genotype)
    assert bool(logits.any())
    for name, value in genotype.items():
        other = space.canonical({**space.fill(genotype, rng), name: another_value(space.variables[name], value, rng)})
        assert other != genotype, name
        its_logits, _, its_gradient = answers(other)
        if name.startswith("surrogate"):
            assert torch.equal(its_logits, logits), name
            assert not torch.equal(its_gradient, gradient), name
        else:
            assert not torch.equal(its_logits, logits), name


def test_the_canonical_form_is_its_own_canonical_form_and_survives_json():
    for genotype in genotypes(300, seed=0):
        assert space.genotype(dict(genotype)) == genotype
        assert space.from_json(genotype.to_json()) == genotype
        assert space.canonical(space.fill(genotype, np.random.default_rng(1))) == genotype


def test_only_what_a_layer_has_is_active():
    (genotype,) = genotypes(1, seed=1, layers=1, **{"layer1.recurrence": "none", "layer1.kind": "integrate_and_fire"})
    assert not [name for name in genotype if name.startswith(("layer2", "layer3", "layer1.recurrence_"))]
    assert not {"layer1.tau_mem", "layer1.tau_syn", "layer1.reset", "readout.input"} & set(genotype)
    (other,) = genotypes(1, seed=1, layers=2, **{"layer2.recurrence": "dense", "layer2.kind": "lif"})
    assert {"layer2.recurrence_delay", "layer2.tau_mem", "layer2.tau_syn", "readout.input"} <= set(other)
    for tau, has_reset in ((1.0, False), (2.0, True)):
        (box,) = genotypes(1, seed=1, **{"layer1.kind": "lif_box", "layer1.tau_mem": tau})
        assert ("layer1.reset" in box) == has_reset


@pytest.mark.parametrize("seed", range(4))
def test_counts_and_answers_equal_a_plain_loop_over_steps_and_synapses(seed):
    (genotype,) = genotypes(
        1, seed=seed, layers=LAYERS, time_steps=STEPS, **{f"layer{i}.width": 16 for i in range(1, LAYERS + 1)},
        **{f"layer{1 + seed % LAYERS}.recurrence": "dense"},
    )  # fmt: skip
    network = with_statistics(genotype, steps=STEPS).double()
    data = spikes(STEPS, samples=2, seed=4).double()
    with torch.no_grad():
        logits, activity = recorded(network, data)
        check_counts(network, data, activity)
        assert float((logits - unrolled(network, data)["readout"].mean(0)).abs().max()) < 1e-12
    assert activity.spikes > 0


@pytest.mark.parametrize(
    ("shape", "element"),
    [((STEPS, 7, 1, 1), "graded"), ((None, 3, 1, 1), "graded"), ((4, 1, 1), "real"), ((STEPS, 2, 3, 4), "graded")],
)
def test_every_assignment_is_a_network_whose_cost_is_known_before_it_is_built(shape, element):
    for genotype in genotypes(8, seed=10, time_steps=STEPS):
        torch.manual_seed(0)
        network = space.build(genotype, shape, 4)
        data = torch.rand(STEPS if len(shape) == 4 else 1, 2, *shape[-3:])
        with torch.no_grad():
            logits, activity = recorded(network, data)
        assert logits.shape == (2, 4)
        assert activity.connections[0].element == element
        dense = sum(edge.dense * (1 if edge.static else STEPS) for edge in activity.connections)
        assert space.operations(genotype, shape, 4) == dense
        trainable = sum(value.numel() for value in network.parameters() if value.requires_grad)
        assert trainable == sum(edge.weights + 2 * edge.biases for edge in activity.connections)


def test_networks_are_placed_and_priced_with_their_recurrent_connections():
    loihi = load("loihi1_davies")
    wide = {f"layer{i}.{name}": value for i in (1, 2) for name, value in (("width", 128), ("recurrence", "dense"))}
    (looped,) = genotypes(1, seed=2, layers=2, time_steps=STEPS, **wide)
    (plain,) = genotypes(
        1, seed=2, layers=2, time_steps=STEPS, **{**wide, "layer1.recurrence": "none", "layer2.recurrence": "none"}
    )
    fits = {g: check(plan(g, (STEPS, CHANNELS, 1, 1), CLASSES), loihi) for g in (looped, plain)}
    assert {fit.verdict for fit in fits.values()} == {"fits"}
    weights = {g: sum(edge.weights for edge in plan(g, (STEPS, CHANNELS, 1, 1), CLASSES).connections) for g in fits}
    assert weights[looped] - weights[plain] == 2 * 128**2
    activity = answers(looped)[1]
    back = next(edge for edge in activity.connections if edge.name == "layer1/back")
    assert sum(back.events) > 0
    cut = replace(back, events=(0,) * STEPS)
    without = replace(activity, connections=tuple(cut if edge is back else edge for edge in activity.connections))
    saved = estimate(activity, loihi).dynamic.nominal - estimate(without, loihi).dynamic.nominal
    assert saved == pytest.approx(sum(back.events) / activity.samples * loihi.energy["synop"].value * 1e-12)
    speck = check(plan(looped, (STEPS, CHANNELS, 1, 1), CLASSES), load("speck2f"))
    assert any("layer1/back is recurrent" in text for text in speck.violations)


def test_most_random_networks_spike_before_training():
    silent = 0
    for genotype in genotypes(40, seed=14):
        torch.manual_seed(0)
        network = space.build(genotype, (None, CHANNELS, 1, 1), CLASSES)
        with torch.no_grad():
            _, activity = recorded(network, spikes(int(genotype["time_steps"]), samples=16, seed=5))
        silent += activity.is_silent
    assert silent <= 2


def test_frames_of_another_number_than_time_steps_are_refused():
    (genotype,) = genotypes(1, seed=3, time_steps=10)
    with pytest.raises(SpaceError, match="10 time steps and each sample 12 frames"):
        space.build(genotype, (12, CHANNELS, 1, 1), CLASSES)
