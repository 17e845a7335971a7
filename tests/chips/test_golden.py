"""Published figures, reproduced: what a profile must give before anyone should believe what else it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from counted import GESTURE, gesture, totals

from evonas.chips import latency
from evonas.chips.band import Band, at
from evonas.chips.deployment import Deployment
from evonas.chips.energy import compose, estimate
from evonas.chips.energy_sum import Work
from evonas.chips.profile import SHIPPED, Profile, load, names
from evonas.chips.time_models import PoolCounts, pool_cycles
from evonas.measurement import Activity

GROUPS = {
    "synapse": ("synop",),
    "soma": ("acc_neuron", "upd_neuron", "spike_out"),
    "network": ("msg_out", "hop"),
}
BLOCKS = [(name, block) for name in names(folder=SHIPPED) for block in load(name, folder=SHIPPED).golden]


def millijoules(profile: Profile, block: Mapping[str, Any]) -> dict[str, float]:
    """Return the energies of a golden block's counts."""
    seconds = block.get("t_s", 0.0)
    assumed = Deployment(clock_mhz=block.get("clock_mhz"))
    result = compose(Work({"all": totals(block)}), profile, busy=Band(seconds, seconds, seconds), assumed=assumed)
    found = {
        group: sum(result.terms[term].nominal for term in terms if term in result.terms)
        for group, terms in GROUPS.items()
    }
    return {name: 1e3 * joules for name, joules in {**found, "total": result.total.nominal}.items()}


@pytest.mark.parametrize(("name", "block"), BLOCKS, ids=[f"{name}: {block['name']}" for name, block in BLOCKS])
def test_the_golden_blocks_of_the_shipped_profiles_hold(name: str, block: Mapping[str, Any]) -> None:
    found = millijoules(load(name, folder=SHIPPED), block)
    for group, expected in block["expect_mj"].items():
        assert found[group] == pytest.approx(expected, rel=block["tol"]), group


def test_a_wrong_golden_block_is_noticed() -> None:
    name, block = next((name, block) for name, block in BLOCKS if name == "odin28")
    found = millijoules(load(name), {**block, "S": 1.1 * block["S"]})
    assert found["total"] != pytest.approx(block["expect_mj"]["total"], rel=block["tol"])


@pytest.mark.parametrize(
    ("name", "expected"), [("loihi1_davies", 2.659), ("arith45_fp32", 0.0464)], ids=["Davies", "0.9 pJ"]
)
def test_other_models_differ_on_the_gesture_network_as_they_are_known_to(name: str, expected: float) -> None:
    block = load("loihi1_sanafe").golden[0]
    assert millijoules(load(name), block)["total"] == pytest.approx(expected, rel=0.002)


def test_the_price_of_convolutions_is_taken_only_where_weights_are_shared() -> None:
    chip = load("loihi1_sanafe")
    unshared, shared = (
        estimate(gesture(), chip, assumed=Deployment(weights=weights)) for weights in ("unshared", "shared")
    )
    events = {name: values[4] / 100 for name, values in GESTURE.items()}
    assert unshared.terms["synop"].nominal == pytest.approx(35.5e-12 * sum(events.values()))
    assert shared.terms["synop"].nominal == pytest.approx(35.5e-12 * events["dense"])
    assert shared.terms["synop_conv"].nominal == pytest.approx(24e-12 * (sum(events.values()) - events["dense"]))


DEMO = Deployment(
    cores={"conv1": 4, "conv2": 16, "conv3": 16, "conv4": 4, "dense": 1}, pipeline="within-step", split="channels"
)


def test_the_mean_loads_of_the_gesture_network_take_13_microseconds() -> None:
    result = latency.estimate(gesture(), load("loihi1_sanafe"), assumed=DEMO)
    assert result.seconds.nominal * 1e6 == pytest.approx(13.34, abs=0.005)


def test_messages_are_spikes_times_cores_of_the_next_layer() -> None:
    known = {"conv1": 9628, "conv2": 35_584, "conv3": 90_736, "conv4": 57_812, "dense": 4401}
    counts = estimate(gesture(), load("loihi1_sanafe"), assumed=DEMO).counts
    assert {name: round(100 * part["msg_out"]) for name, part in counts.items()} == known


def test_the_line_of_truenorth_and_why_its_all_in_figure_must_not_be_used_elsewhere() -> None:
    chip = load("truenorth28")
    known = {11.58: 68.0, 20.07: 71.0, 95.93: 94.0}
    for rate, milliwatts in known.items():
        events = rate * 128 * 2**20
        result = compose(Work({"all": {"synop": events, "hop": events}}), chip, busy=Band(1.0, 1.0, 1.0))
        assert result.total.nominal * 1e3 == pytest.approx(milliwatts, rel=0.01)
        assert "hop" not in result.terms  # inside the price of an event
    assert 26e-12 * 95.93 * 128 * 2**20 * 1e3 > 3 * 94


def test_the_idle_rails_of_speck_add_up() -> None:
    power = load("speck2f").power
    assert at(power["static_chip"]) * 1e3 == pytest.approx(51.7 + 367.0, rel=0.005)
    assert at(power["io_idle"]) * 1e3 == pytest.approx(61.7)
    assert at(power["pixel_idle"]) * 1e3 == pytest.approx(78.9 + 610.9)


@pytest.mark.parametrize(
    ("counts", "fan_out", "rate", "cycles", "rounding"),
    [
        (PoolCounts(16, 63, 8), 31, 1.0, 22_981, 0.5),
        (PoolCounts(16, 63, 8), 31, 0.05, 2572, 1),
        (PoolCounts(16, 1000, 8), 32, 1.0, 370_112, 0.5),
    ],
)
def test_the_cycles_of_xylo(counts: PoolCounts, fan_out: int, rate: float, cycles: int, rounding: float) -> None:
    found = pool_cycles(
        load("xylo_a2"),
        counts,
        spikes_in=rate * counts.inputs,
        spikes=rate * counts.hidden,
        events=rate * counts.hidden * fan_out,
    )
    assert found == pytest.approx(cycles, abs=rounding)


def test_a_machine_that_knows_no_spikes_pays_each_synapse_and_neuron_once() -> None:
    activity = gesture()
    pairs = sum(part.dense for part in activity.connections)
    neurons = sum(part.neurons for part in activity.populations)
    result = estimate(activity, load("gpu_degnan"))
    assert result.dynamic.nominal == pytest.approx(300e-12 * (pairs + neurons))
    assert result.dynamic.high == pytest.approx(573 * result.dynamic.nominal)
    assert result.static is None
    twice = replace(activity, time_steps=2)
    assert estimate(twice, load("gpu_degnan")).dynamic == result.dynamic


def test_a_crossbar_reads_a_full_row_for_every_spike_and_none_twice() -> None:
    activity = gesture()
    rows = sum(values[5] for values in GESTURE.values()) / 100  # what each layer hears is what one source sends
    result = estimate(activity, load("odin28"))
    assert sum(part.get("synop", 0.0) for part in result.counts.values()) == pytest.approx(256 * rows)
    doubled = replace(activity.connections[1], name="again")
    again = Activity(100, 1, activity.populations, (*activity.connections, doubled))
    assert estimate(again, load("odin28")).dynamic.nominal == pytest.approx(result.dynamic.nominal)


def test_a_rate_convention_counts_padding_and_the_rate_of_the_input() -> None:
    convention = replace(load("arith45_fp32"), rules={"counts": "dense-rate"})
    activity = gesture()
    for part in activity.connections:  # valid convolutions: no padding to be counted
        rate = part.inputs[0] / 100 / (part.in_shape[0] * part.in_shape[1] * part.in_shape[2])
        counted = estimate(activity, convention).counts[part.target]["synop"]
        assert counted == pytest.approx(rate * part.dense)
    padded = replace(activity.connections[1], padding=1, dense=activity.connections[1].dense - 99)
    edges = (activity.connections[0], padded, *activity.connections[2:])
    counted = estimate(replace(activity, connections=edges), convention).counts["conv2"]["synop"]
    assert counted == pytest.approx(2224 / 100 / 3600 * activity.connections[1].dense)
