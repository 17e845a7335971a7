"""The space AutoSNN: 3,125 networks of one width, the published ones, and what each choice changes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from recorded import recorded

from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import Plan
from evonas.errors import SpaceError
from evonas.genotype import Genotype
from evonas.strategies.random import listed
from spaces.autosnn import BLOCKS, PUBLISHED, space

CIFAR = (3, 32, 32)


def network_of(blocks: Sequence[str], *, channels: int = 16, time_steps: int = 8) -> Genotype:
    named = {f"block{index}": block for index, block in enumerate(blocks, start=1)}
    return space.canonical({**named, "channels": channels, "time_steps": time_steps})


def planned(genotype: Genotype, shape: Sequence[int] = CIFAR) -> Plan:
    assert space.plan is not None
    plan: Plan = space.plan(genotype, shape, 10)
    return plan


def built(genotype: Genotype, shape: Sequence[int] = CIFAR) -> Any:
    assert space.build is not None
    torch.manual_seed(0)
    return space.build(genotype, shape, 10)


def weights(blocks: Sequence[str], channels: int = 16) -> int:
    """Return the weights of the convolutions of a network, added up by hand."""
    widths, before, total = (1, 2, 2, 4, 4), channels, 3 * channels * 9
    for block, times in zip(blocks, widths, strict=True):
        after = times * channels
        if block == "skip":
            total += before * after if before != after else 0
        else:
            total += int(block[-1]) ** 2 * (before * after + after * after)
            total += before * after if block.startswith("SRB") and before != after else 0
        before = after
    return total + 4 * channels * 16 * 100  # 4 x 4 positions are left


def test_there_are_3125_networks_of_one_width_and_all_have_another_plan() -> None:
    narrowed = space.narrowed({"channels": [16], "time_steps": [8, 8]})
    every = list(listed(narrowed))
    assert len(every) == narrowed.size == 3125
    plans = {planned(genotype) for genotype in every[::25]}
    assert len(plans) == 125


@pytest.mark.parametrize("blocks", PUBLISHED.values(), ids=map(str, PUBLISHED))
def test_the_published_networks_build_and_have_the_weights_that_follow_from_their_blocks(
    blocks: tuple[str, ...],
) -> None:
    genotype = network_of(blocks)
    assert space.from_json(genotype.to_json()) == genotype
    plan = planned(genotype)
    assert sum(edge.weights for edge in plan.connections) == weights(blocks)
    network = built(genotype)
    assert network.plan == plan
    drawn = sum(
        p.numel() for name, p in network.named_parameters() if name.endswith((".conv.weight", ".linear.weight"))
    )
    assert drawn == weights(blocks)
    with torch.no_grad():
        assert network(torch.rand(1, 2, *CIFAR)).shape == (2, 10)


def test_blocks_are_read_back_from_the_names_of_a_network() -> None:
    for blocks in itertools.islice(itertools.product(BLOCKS, repeat=5), 0, None, 97):
        names = {one.name for one in planned(network_of(blocks)).populations}
        for index, block in enumerate(blocks, start=1):
            found = {name.split("/")[1] for name in names if name.startswith(f"block{index}/")}
            is_nothing = block == "skip" and index in (1, 3, 5)
            assert found == (set() if is_nothing else {block})


def test_the_macro_architecture_is_the_published_one() -> None:
    plan = planned(network_of(PUBLISHED[-0.08]))
    shapes = [one.shape for one in plan.populations]
    assert shapes == [
        (16, 32, 32), (16, 32, 32), (16, 32, 32), (16, 16, 16),  # stem, SRB_k5, pool
        (32, 16, 16), (32, 16, 16), (32, 8, 8),  # SRB_k5, skip, pool
        (64, 8, 8), (64, 8, 8), (64, 8, 8), (64, 8, 8), (64, 4, 4),  # SRB_k3, SRB_k5, pool
        (100, 1, 1), (10, 1, 1),
    ]  # fmt: skip
    residual = {edge.name: edge.operation for edge in plan.connections if edge.name.endswith("residual")}
    assert list(residual.values()) == ["skip", "conv", "conv", "skip"]
    gains = {edge.operation: edge.gain for edge in plan.connections}
    assert gains["conv"] == gains["dense"] == gains["skip"] == 1 / Dynamics("lif_box", tau_mem_ms=2.0).deviation(8)
    assert gains["vote"] == 1.0


def test_every_choice_changes_what_the_network_answers() -> None:
    base = dict(network_of(("SRB_k3",) * 5, channels=4, time_steps=3))
    data = torch.rand(1, 4, 3, 16, 16)
    reference = built(Genotype(base), (3, 16, 16))  # in training: norms by the batch, so that neurons fire
    plain = reference(data)
    assert plain.max() > 0
    for name, values in {"block1": BLOCKS, "block4": BLOCKS, "channels": (8,), "time_steps": (4,)}.items():
        for value in values:
            if value != base[name]:
                other = built(space.canonical({**base, name: value}), (3, 16, 16))
                assert other.plan != reference.plan
                assert not torch.equal(other(data), plain), (name, value)


def test_answers_are_the_mean_rates_of_ten_neurons_a_class_and_spikes_are_counted_as_published() -> None:
    network = built(network_of(PUBLISHED[-0.24], channels=4, time_steps=4), (3, 16, 16))
    data = torch.rand(1, 5, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    for norm in (module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)):
        norm.momentum = None
    network(data)
    network.eval()
    outputs: dict[str, torch.Tensor] = {}
    for name, neuron in network.neurons.items():
        neuron.register_forward_hook(lambda _, __, out, name=name: outputs.update({name: out}))
    with torch.no_grad():
        logits, activity = recorded(network, data)
    rates = outputs["voters"].mean(0).reshape(5, 10, 10).mean(2)
    torch.testing.assert_close(logits, rates)
    assert float(rates.max()) > 0
    del outputs["readout"]
    assert {name for name in outputs if "pool" in name} == {"pool1", "pool2", "pool3"}
    assert activity.spikes == pytest.approx(sum(float(out.sum()) for out in outputs.values()) / 5)


def test_event_frames_of_128_pixels_are_quartered_first_and_one_belongs_to_each_step() -> None:
    plan = planned(network_of(PUBLISHED[-0.08], time_steps=8), (8, 2, 128, 128))
    assert [one.shape for one in plan.populations[:5]] == [
        (16, 128, 128), (16, 64, 64), (16, 64, 64), (16, 32, 32), (16, 32, 32)
    ]  # fmt: skip
    assert not plan.populations[0].static
    assert planned(network_of(PUBLISHED[-0.08]), (8, 2, 34, 34)).populations[1].shape == (16, 34, 34)
    with pytest.raises(SpaceError, match="8 time steps and each sample 6 frames"):
        built(network_of(PUBLISHED[-0.08], time_steps=8), (6, 2, 34, 34))


def test_random_networks_learn_a_step() -> None:
    rng = np.random.default_rng(0)
    narrowed = space.narrowed({"channels": [4], "time_steps": [2, 4]})
    for _ in range(3):
        network = built(narrowed.sample(rng), (1, 8, 8))
        network(torch.rand(1, 6, 1, 8, 8)).square().sum().backward()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters() if p.requires_grad)
