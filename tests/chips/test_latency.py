"""Latency: models of time against loops that write them out, and what is said where a chip is too slow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from counted import edge, gesture, graded, layer, small
from hypothesis import given, settings
from hypothesis import strategies as st

from evonas.chips import latency
from evonas.chips.band import at
from evonas.chips.deployed_network import DeployedNetwork
from evonas.chips.deployment import Deployment
from evonas.chips.energy import estimate as energy
from evonas.chips.profile import Profile, load
from evonas.chips.time_models import Loads, core_ns, work_ns
from evonas.errors import OptionError, ProfileError, UnpriceableError
from evonas.measurement import Activity, Measurement
from objectives.latency import objective

SANAFE = load("loihi1_sanafe")
WITHIN = Deployment(pipeline="within-step")


def trace(steps: int, seed: int) -> Activity:
    """Return a chain of three layers whose loads differ from step to step."""
    random = np.random.default_rng(seed)

    def counts() -> tuple[int, ...]:
        return tuple(random.integers(0, 50_000, steps).tolist())

    populations, connections = [], []
    source, heard = "input", counts()
    for index, neurons in enumerate((3000, 900, 10)):
        name = f"l{index}"
        spikes = counts()
        populations.append(layer(name, kind="lif_box", state=1, shape=(neurons, 1, 1), spikes=spikes, updates=counts()))
        none = {"graded": (0,) * steps, "macs": (0,) * steps, "units": (0,) * steps, "unrolled": (0,) * steps}
        shapes = {"in_shape": (5, 1, 1), "out_shape": (neurons, 1, 1)}
        connections.append(edge(f"to {name}", name, sources=(source,), events=counts(), inputs=heard, **shapes, **none))
        source, heard = name, spikes
    return Activity(7, steps, tuple(populations), tuple(connections))


def written_out(activity: Activity, profile: Profile, cores: list[int], *, delay: int) -> float:
    """Return the seconds of a chain of layers on a machine with barriers, found one step and layer at a time."""
    time = {
        name: at(profile.time[name]) for name in ("synop", "acc_neuron", "upd_neuron", "spike_out", "msg_out", "msg_in")
    }
    depth, total = len(activity.populations), 0.0
    tiles = -(-sum(cores) // 4)
    sync = next(ns for most, ns in profile.time["sync_by_tiles"] if tiles <= most)
    for step in range(activity.time_steps + delay * (depth - 1)):
        worst = 0.0
        for index, (population, connection) in enumerate(zip(activity.populations, activity.connections)):
            own = step - delay * index
            soma = population.neurons * time["acc_neuron"]
            synapse = 0.0
            if 0 <= own < activity.time_steps:
                soma += population.updates[own] / 7 * time["upd_neuron"]
                soma += population.spikes[own] / 7 * time["spike_out"]
                if index + 1 < depth:
                    soma += population.spikes[own] / 7 * cores[index + 1] * time["msg_out"]
                synapse += connection.events[own] / 7 * time["synop"]
                synapse += connection.inputs[own] / 7 * cores[index] * time["msg_in"]
            worst = max(worst, soma / cores[index], synapse / cores[index])
        total += (worst + sync) * 1e-9
    return total


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**32), st.integers(1, 6), st.booleans())
def test_barriers_agree_with_the_loop_written_out(steps: int, seed: int, cores: int, delayed: bool) -> None:
    activity = trace(steps, seed)
    assumed = Deployment(
        cores={"l0": cores, "l1": 2, "l2": 1}, pipeline="one-layer-per-step" if delayed else "within-step"
    )
    expected = written_out(activity, SANAFE, [cores, 2, 1], delay=int(delayed))
    result = latency.estimate(activity, SANAFE, assumed=assumed)
    assert result.seconds.nominal == pytest.approx(expected)
    assert latency.seconds(activity, SANAFE, assumed=assumed) == pytest.approx(expected)
    assert len(result.parts) == steps + 2 * delayed


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 6), st.integers(0, 2**32))
def test_mean_loads_are_never_longer_than_those_of_each_step(steps: int, seed: int) -> None:
    activity = trace(steps, seed)

    def as_samples(counts: tuple[int, ...]) -> tuple[int, ...]:
        return (sum(counts),)

    flat = Activity(
        7 * steps, 1,
        tuple(replace(p, spikes=as_samples(p.spikes), updates=as_samples(p.updates)) for p in activity.populations),
        tuple(
            replace(c, events=as_samples(c.events), inputs=as_samples(c.inputs), graded=(0,), macs=(0,), units=(0,), unrolled=(0,))
            for c in activity.connections
        ),
    )  # fmt: skip
    means = steps * latency.seconds(flat, SANAFE, assumed=WITHIN)
    assert means <= latency.seconds(activity, SANAFE, assumed=WITHIN) * (1 + 1e-12)


@given(st.lists(st.tuples(*[st.integers(0, 10_000)] * 6), min_size=1, max_size=8))
def test_layer_totals_are_never_longer_than_the_busiest_of_its_cores(cores: list[tuple[int, ...]]) -> None:
    deployed = DeployedNetwork(gesture(), SANAFE, WITHIN)
    counts = np.array(cores)
    apart = Loads(np.ones((len(cores), 1)), *counts.T[:, :, None])
    together = Loads(np.array([[len(cores)]]), *counts.sum(axis=0)[:, None, None])
    ns = work_ns(deployed)
    assert core_ns(together, ns).max() <= core_ns(apart, ns).max() + 1e-6


def test_the_band_of_a_latency_comes_from_its_coefficients() -> None:
    result = latency.estimate(small(), load("truenorth28"))
    assert (result.seconds.low, result.seconds.nominal, result.seconds.high) == pytest.approx((4 * 47.6e-6, 4e-3, 4e-3))


def test_a_ticking_chip_takes_its_ticks_and_those_until_a_spike_has_passed_all_layers() -> None:
    assert latency.seconds(small(), load("truenorth28")) == pytest.approx((2 + 2) * 1e-3)
    xylo = latency.estimate(small(), load("xylo_a2"))
    assert xylo.seconds.nominal == pytest.approx(2e-3)
    assert any("passed all layers" in text for text in xylo.uncounted)


def test_more_work_than_fits_into_a_tick_is_said() -> None:
    chip = load("truenorth28")
    slow = replace(chip, time={**chip.time, "synop": 300_000.0})  # ns: 6 events of the busier step are 1.8 ms
    with pytest.raises(UnpriceableError, match=r"truenorth28 cannot keep its tick of 1000 us: a core of readout has"):
        latency.estimate(small(), slow)
    assert any("fits into a tick" in text for text in latency.gaps(chip))
    assert not any("fits into a tick" in text for text in latency.gaps(slow))


def test_a_clock_that_no_xylo_has_is_said() -> None:
    wide = layer("hidden", shape=(1000, 1, 1), spikes=(1000, 1000))
    readout = layer("readout", kind="readout", shape=(8, 1, 1), state=1)
    around = edge("around", "hidden", sources=("hidden",), events=(32_000, 32_000), inputs=(1000, 1000))
    first = edge("first", "hidden", sources=("input",), in_shape=(16, 1, 1), events=(16_000, 0), inputs=(16, 0))
    activity = Activity(1, 2, (wide, readout), (first, around))
    with pytest.raises(
        UnpriceableError, match=r"would need a clock of 444 MHz for 370,112 cycles .* 250 MHz is the most"
    ):
        latency.estimate(activity, load("xylo_a2"))


def test_a_core_that_does_one_thing_after_the_other_takes_the_sum_of_its_cycles() -> None:
    chip, activity = load("odin28"), gesture()
    rows = sum(part.inputs[0] for part in activity.connections) / 100
    expected = (2 * 256 * rows + rows + 512) / 75e6
    assert latency.seconds(activity, chip) == pytest.approx(expected)
    slow = latency.seconds(activity, chip, assumed=Deployment(clock_mhz=7.5))
    assert slow == pytest.approx(10 * expected)


def test_an_event_driven_chip_answers_after_the_last_event_and_waits_for_all() -> None:
    chip = load("speck2f")
    result = latency.estimate(small(), chip)
    assert result.seconds.nominal == pytest.approx(2 * 0.373e-6)
    assert result.busy.nominal == pytest.approx(2e-3 + 2 * 0.373e-6)
    crowded = replace(small().connections[1], inputs=(60_000, 50_000))
    busy = replace(small().populations[0], spikes=(60_000, 50_000))
    activity = replace(
        small(), populations=(busy, small().populations[1]), connections=(small().connections[0], crowded)
    )
    with pytest.raises(
        UnpriceableError, match=r"cannot keep up with the events into readout: they would take 2\.1 times"
    ):
        latency.estimate(activity, chip)


def test_an_event_driven_chip_waits_as_long_as_a_recording_lasts() -> None:
    activity = replace(small(), step_seconds=0.075)
    result = latency.estimate(activity, load("speck2f"))
    assert result.seconds.nominal == pytest.approx(2 * 0.373e-6)
    assert result.busy.nominal == pytest.approx(0.15 + 2 * 0.373e-6)
    crowded = replace(small().connections[1], inputs=(60_000, 50_000))  # too many for 2 ms, few for 150
    busy = replace(small().populations[0], spikes=(60_000, 50_000))
    many = replace(activity, populations=(busy, small().populations[1]), connections=(small().connections[0], crowded))
    assert latency.estimate(many, load("speck2f")).busy.nominal == pytest.approx(0.15 + 2 * 0.373e-6)


def test_a_roofline_needs_the_machine_at_hand() -> None:
    chip = load("gpu_degnan")
    with pytest.raises(ProfileError, match="time model roofline without peak_ops_per_s, bytes_per_s"):
        objective(profile="gpu_degnan")
    mine = replace(chip, time={**chip.time, "peak_ops_per_s": 1e12, "bytes_per_s": 1e9, "launch_us": 5.0})
    activity = gesture()
    expected = 0.0
    for part, population in zip(activity.connections, activity.populations):
        inputs = part.in_shape[0] * part.in_shape[1] * part.in_shape[2]
        moved = part.weights + inputs + population.neurons
        expected += max(part.dense / 1e12, moved / 1e9) + 5e-6
    assert latency.seconds(activity, mine) == pytest.approx(expected)


def test_a_chip_without_times_is_refused() -> None:
    for name in ("arith45_fp32", "sram45_int8", "loihi2"):
        with pytest.raises(ProfileError, match=rf"{name} has no \[time\]"):
            objective(profile=name)


def test_what_a_chip_cannot_do_has_no_time_either() -> None:
    real = replace(small().connections[1], element="real", macs=(5, 5))
    with pytest.raises(UnpriceableError, match="no price for multiply-accumulates"):
        latency.seconds(replace(small(), connections=(real,)), SANAFE)


def test_graded_events_take_the_time_of_the_unit_events_that_carry_them() -> None:
    slow = replace(SANAFE, time={**SANAFE.time, "synop": 1e6})
    activity = graded()
    quiet = replace(activity.connections[1], events=(0, 0))
    activity = replace(activity, connections=(activity.connections[0], quiet))
    assert latency.estimate(activity, slow, assumed=WITHIN).parts[0] == pytest.approx(4e-3, rel=1e-3)


def measured(activity: Activity) -> Measurement:
    return Measurement({"accuracy": 0.9, "loss": 0.2}, 10, 40, 2, False, activity)


def test_the_objective_scores_a_measurement() -> None:
    made = objective(profile="loihi1_sanafe", pipeline="within-step")
    assert (made.name, made.unit, made.direction, made.log) == ("latency", "s/sample", "min", True)
    assert made.score(measured(small())) == latency.seconds(small(), SANAFE, assumed=WITHIN)
    assert any("hops" in text for text in made.uncounted)
    assert made.band is not None
    expected = latency.estimate(small(), SANAFE, assumed=WITHIN).seconds
    assert made.band(measured(small())) == (expected.low, expected.high)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pipeline": "none"}, "pipeline: got 'none', expected one of one-layer-per-step, within-step"),
        ({"weight_bits": 0}, "weight_bits: got 0, expected a whole number from 1 to 64"),
        ({"clock_mhz": -1.0}, r"clock_mhz: got -1\.0, expected "),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        objective(profile="loihi1_sanafe", **options)


def test_cores_of_a_layer_must_be_whole_numbers() -> None:
    with pytest.raises(OptionError, match=r"cores\.a: got 0"):
        Deployment(cores={"a": 0})


@pytest.mark.parametrize("name", ["loihi1_davies", "loihi1_sanafe", "truenorth28", "odin28", "xylo_a2", "spinnaker1"])
def test_the_total_is_the_dynamic_part_and_the_static_power_of_the_time(name: str) -> None:
    chip = load(name)
    busy = latency.estimate(small(), chip).busy.nominal
    watts = {"loihi1_davies": 0.1044, "loihi1_sanafe": 0.1044, "truenorth28": 0.0644, "odin28": 0.0273e-3 + 75 * 1.78e-6,
             "xylo_a2": 0.219e-3, "spinnaker1": 0.350 + 2 * 0.034}[name]  # fmt: skip
    result = energy(small(), chip)
    assert result.static is not None
    assert result.static.nominal == pytest.approx(watts * busy)
    assert result.total.nominal == pytest.approx(result.dynamic.nominal + watts * busy)


def test_power_times_time_is_the_dynamic_energy_where_it_is_composed_so() -> None:
    result = energy(small(), load("xylo_a2"))
    assert result.dynamic.nominal == pytest.approx(0.093e-3 * 2e-3)
    assert result.dynamic.high == pytest.approx(0.291e-3 * 2e-3)
    messages = energy(small(), load("spinnaker1"))
    assert messages.dynamic.nominal == pytest.approx(5 * 1000e-12)
    assert any("working cores" in text for text in messages.uncounted)


def test_the_host_is_counted_on_request() -> None:
    chip = load("loihi1_davies")
    without, with_host = energy(small(), chip), energy(small(), chip, assumed=Deployment(host="active"))
    busy = latency.estimate(small(), chip).busy.nominal
    assert with_host.total.nominal - without.total.nominal == pytest.approx(0.070 * busy)
    assert any("power of the host" in text for text in without.uncounted)
    assert not any("power of the host" in text for text in with_host.uncounted)


def test_a_whole_board_idles_as_one() -> None:
    chip = load("spinnaker1")
    many = Deployment(cores={"hidden": 700, "readout": 60})
    busy = latency.estimate(small(), chip).busy.nominal
    result = energy(small(), chip, assumed=many)
    assert result.static is not None
    assert result.static.nominal == pytest.approx((26.840 + 760 * 0.034) * busy)
