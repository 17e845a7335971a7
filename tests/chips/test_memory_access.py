"""Accesses to memory: the toy of the accounting, computed by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from counted import edge, layer
from hypothesis import given
from hypothesis import strategies as st

from evonas.chips.energy import estimate
from evonas.chips.memory_access import Accesses
from evonas.chips.profile import load
from evonas.measurement import Activity

CHIP = load("sram45_int8")


def toy() -> Activity:
    """Return 784-100-10 fully connected: 4 steps, 1000 input spikes, 200 and 20 spikes, no biases."""
    hidden = layer("hidden", shape=(100, 1, 1), kind="lif_box", state=1, spikes=(50,) * 4, updates=(0,) * 4)
    output = layer("output", shape=(10, 1, 1), kind="lif_box", state=1, spikes=(5,) * 4, updates=(0,) * 4)
    none = {"graded": (0,) * 4, "macs": (0,) * 4, "units": (0,) * 4, "unrolled": (0,) * 4}
    first = edge(
        "first", "hidden", sources=("input",), in_shape=(784, 1, 1), out_shape=(100, 1, 1), weights=78_400, dense=78_400,
        events=(25_000,) * 4, inputs=(250,) * 4, **none,
    )  # fmt: skip
    second = edge(
        "second", "output", in_shape=(100, 1, 1), out_shape=(10, 1, 1), weights=1000, dense=1000,
        events=(500,) * 4, inputs=(50,) * 4, **none,
    )  # fmt: skip
    return Activity(1, 4, (hidden, output), (first, second))


def test_the_toy_costs_what_the_hand_says() -> None:
    terms = {name: band.nominal * 1e9 for name, band in estimate(toy(), CHIP).terms.items()}
    assert terms["weights"] == pytest.approx(504.2, abs=0.05)
    assert terms["state"] == pytest.approx(512.2, abs=0.05)
    assert terms["events"] == pytest.approx(3.55, abs=0.005)
    assert terms["addr"] == pytest.approx(10.2, abs=0.05)
    assert terms["synop"] + terms["acc_neuron"] == pytest.approx(5.3, abs=0.06)
    assert sum(terms.values()) == pytest.approx(1035.4, abs=0.05)


@pytest.mark.parametrize(
    ("nbytes", "reuse", "spikes"),
    [(8192, 1, 0.44), (8192, 8, 0.096), (32768, 1, 0.42), (32768, 16, 0.048), (2**20, 1, 0.40)],
)
def test_spikes_a_synapse_at_which_both_cost_the_same(nbytes: int, reuse: int, spikes: float) -> None:
    def of(bits: int) -> float:
        return Accesses(1.0, nbytes * 8 / bits, bits).joules(CHIP.memory) * 1e12

    ordinary = 0.3 + 2 * of(8) / reuse
    spiking = 0.05 + 0.1 + of(8) + 2 * of(16)
    assert ordinary / spiking == pytest.approx(spikes, abs=0.006)


def test_neurons_without_leak_need_no_sweep_over_their_state() -> None:
    activity = toy()
    lazy = replace(
        activity, populations=tuple(replace(part, kind="integrate_and_fire") for part in activity.populations)
    )
    sweep = 2 * 2.5e-12 * (400 + 40)
    assert estimate(activity, CHIP).terms["state"].nominal - estimate(lazy, CHIP).terms[
        "state"
    ].nominal == pytest.approx(sweep)


def test_a_bias_is_added_and_read_for_every_neuron_at_every_step() -> None:
    activity = toy()
    biased = replace(activity, connections=(replace(activity.connections[0], biases=100), activity.connections[1]))
    result = estimate(biased, CHIP)
    assert result.terms["add"].nominal == pytest.approx(400 * 0.05e-12)
    assert result.terms["biases"].nominal == pytest.approx(400 * 2.5e-12)


def test_layers_with_real_inputs_read_weights_and_activations() -> None:
    activity = toy()
    image = replace(
        activity.connections[0], element="real", static=True, events=(0,) * 4, macs=(78_400,) * 4, inputs=(784,) * 4
    )
    result = estimate(replace(activity, connections=(image, activity.connections[1])), CHIP)
    assert result.counts["hidden"]["mac"] == 78_400
    assert result.terms["activations"].nominal == pytest.approx(78_400 * 1.25e-12)
    assert result.terms["weights"].nominal * 1e9 == pytest.approx(78_400 * 5.0173e-3 + 2.5, abs=0.1)


def test_memories_beyond_the_chip_cost_a_band() -> None:
    beyond = Accesses(1.0, 9e6, 8)
    joules = [beyond.joules(CHIP.memory, end) for end in ("low", "value", "high")]
    assert joules == pytest.approx([1300e-12 / 8, 1950e-12 / 8, 2600e-12 / 8])
    assert Accesses(1.0, 2**22, 8).joules(CHIP.memory) == pytest.approx(100e-12 / 8)


@given(st.floats(1, 1e8), st.floats(1, 1e8), st.sampled_from([8, 16, 32]))
def test_a_larger_memory_is_never_cheaper(one: float, other: float, bits: int) -> None:
    small, large = sorted((one, other))
    assert Accesses(1.0, small, bits).joules(CHIP.memory) <= Accesses(1.0, large, bits).joules(CHIP.memory)
