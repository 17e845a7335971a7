"""Quantisation: what is kept holds few values, does what was computed in training, and learns by its own gradients."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from export_networks import drawn, held, images, loops_and_votes, settled, summing
from torch import Tensor

from evonas.architecture.attention import add_attention
from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import INPUT
from evonas.snn.network import Network
from evonas.training.chip_weights import chip_weights
from evonas.training.quantization import quantized, rounded, rounded_while_trained

SYNAPSES = ("conv", "dense", "norm", "linear", "flat_linear")


def with_attention() -> Network:
    """Return a network with gates of both kinds: layers along channels, and over space."""
    draft = Draft((1, 8, 8), time_steps=4)
    neurons = Dynamics("lif_box", tau_mem_ms=2.0, v_th=0.3)
    draft.add("first", neurons, incoming=[Incoming("first/in", (INPUT,), "conv", channels=8, kernel=3)])
    gated = add_attention(draft, add_attention(draft, "first", "binary_cbam"), "eca")
    draft.add("readout", Dynamics("readout"), incoming=[Incoming("out", (gated,), "linear", channels=10)])
    torch.manual_seed(0)
    return Network(draft.finish())


NORMS = ("normed/in",)
"""Connections that are a norm by themselves."""


def untied(network: Network) -> Network:
    """Return a network whose linear weights do not end at a power of two, of which sums would lie at thresholds."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.Linear):
                module.weight.mul_(0.97)
    return network


def networks() -> dict[str, Network]:
    data = images(16)
    found = {f"joint {index}": one for index, one in enumerate(drawn(2, data, seed=1, wanted=lambda plan: True))}
    found |= loops_and_votes(data)
    found |= {f"sums, {norm}": settled(untied(summing(loop_norm=norm)), data, seed=4) for norm in ("weights", "steps")}
    return found | {"attention": settled(with_attention(), data, seed=5)}


NETWORKS = networks()


def trained_a_step(network: Network) -> tuple[Network, dict[str, Tensor]]:
    """Return a copy after forward and backward in training with rounded weights, and the gradients by name."""
    copied = copy.deepcopy(network).train()
    with rounded_while_trained(copied, bits=4):
        copied(images(16)).square().mean().backward()
    return copied, {name: one.grad for name, one in copied.named_parameters() if one.grad is not None}


@pytest.mark.parametrize("bits", [2, 3, 8, 12])
def test_weights_are_rounded_to_the_nearest_of_so_many_steps(bits: int) -> None:
    weights = torch.randn(7, 5, 3, 3, generator=torch.Generator().manual_seed(bits))
    most = 2 ** (bits - 1) - 1
    step = weights.abs().max().item() / most
    steps = rounded(weights, bits=bits) / step
    torch.testing.assert_close(steps, steps.round(), atol=1e-3, rtol=0)
    assert int(steps.abs().max().round()) == most
    assert float((rounded(weights, bits=bits) - weights).abs().max()) <= step / 2 * 1.0001
    assert rounded(weights, bits=bits).unique().numel() <= 2 * most + 1
    assert not rounded(torch.zeros(3, 4), bits=bits).any()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("bits", [8, 3])
def test_what_is_kept_holds_few_values_a_connection_exactly(name: str, bits: int) -> None:
    network = NETWORKS[name]
    before, after = held(network, operations=SYNAPSES), held(quantized(network, bits=bits), operations=SYNAPSES)
    assert before
    for edge, (weight, bias) in before.items():
        few = np.unique(after[edge][0].astype(np.float32))
        assert len(few) <= 2**bits - 1
        step = np.abs(weight).max() / (2 ** (bits - 1) - 1)
        np.testing.assert_allclose(few / step, (few / step).round(), atol=1e-3)
        assert np.abs(after[edge][0] - weight).max() <= step * 0.501
        if edge not in NORMS:  # the mean of what a norm reads is weighted as well
            np.testing.assert_allclose(after[edge][1], bias, atol=1e-5)


def test_weights_of_gates_are_rounded_layer_by_layer() -> None:
    network = NETWORKS["attention"]
    before = {name: one for name, one in network.named_parameters() if "scorer" in name and one.ndim > 1}
    kept = dict(quantized(network, bits=3).named_parameters())
    assert len(before) >= 4
    for name, weight in before.items():
        assert kept[name].unique().numel() <= 7
        torch.testing.assert_close(kept[name], rounded(weight.detach(), bits=3))


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_kept_does_what_rounded_weights_did_in_evaluation(name: str) -> None:
    network, data = NETWORKS[name], images(64)
    with torch.no_grad():
        own = network(data)
        with rounded_while_trained(network, bits=4):
            rounded_answers = network(data)
        kept = quantized(network, bits=4)(data)
        assert torch.equal(network(data), own)
    apart = ((kept - rounded_answers).abs() > 1e-4 * own.abs().max()).any(1)
    assert int(apart.sum()) <= 2  # a potential at its threshold may round otherwise
    assert not torch.allclose(kept, own, atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_to_round_twice_changes_nothing(name: str) -> None:
    once = quantized(NETWORKS[name], bits=8)
    twice = quantized(once, bits=8)
    for edge, (weight, bias) in held(once, operations=SYNAPSES).items():
        np.testing.assert_allclose(held(twice, operations=SYNAPSES)[edge][0], weight, rtol=1e-6)
        np.testing.assert_allclose(held(twice, operations=SYNAPSES)[edge][1], bias, rtol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_those_of_the_rounded_network_and_the_own_weights_stay(name: str) -> None:
    network = NETWORKS[name]
    copied, gradients = trained_a_step(network)
    for (_, one), (_, other) in zip(copied.named_parameters(), network.named_parameters(), strict=True):
        assert torch.equal(one, other)
    plain = copy.deepcopy(network).train()
    with torch.no_grad():
        for one in chip_weights(plain):
            one.show(rounded(one.folded(), bits=4))
    plain(images(16)).square().mean().backward()
    expected = {part: one.grad for part, one in plain.named_parameters() if one.grad is not None}
    assert gradients.keys() == expected.keys()
    assert all(torch.equal(gradients[part], expected[part]) for part in gradients)
    assert any(bool(one.any()) for one in gradients.values())


def test_a_channel_without_weights_or_factor_stays_silent() -> None:
    network = copy.deepcopy(NETWORKS["loop 0"])
    with torch.no_grad():
        for one in chip_weights(network):
            one.parameters[0][0] = 0
            if len(one.parameters) > 1:
                one.parameters[1][1] = 0
    kept = quantized(network, bits=4)
    assert all(bool(one.isfinite().all()) for one in kept.parameters())
    for before, after in zip(chip_weights(network), chip_weights(kept), strict=True):
        assert not after.folded()[0].any()
        torch.testing.assert_close(after.folded() == 0, rounded(before.folded(), bits=4) == 0)
