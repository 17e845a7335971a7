"""Fit: what each kind of chip can hold, what it cannot and by how much, and what nobody can tell."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from counted import edge, gesture, layer, small
from hypothesis import given
from hypothesis import strategies as st

from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import Plan
from evonas.chips.deployment import Deployment
from evonas.chips.fit import check
from evonas.chips.fit_rules import Findings
from evonas.chips.fit_speck import kernel_entries, match, neuron_entries
from evonas.chips.placement import place
from evonas.chips.profile import Profile, load
from evonas.chips.topology import recurrent_edges, recurrent_sources, topology
from evonas.errors import OptionError, ProfileError
from evonas.measurement import Activity, Measurement
from evonas.objective import score
from objectives.fit import objective

LOIHI = load("loihi1_davies")
NAIVE = Deployment(split="channels")


def planned(*layers: tuple[Dynamics, dict[str, Any]], data: tuple[int, ...] = (1, 1, 16, 16)) -> Plan:
    """Return a chain of layers behind event frames."""
    draft, source = Draft(data, time_steps=4), "input"
    for index, (dynamics, incoming) in enumerate(layers):
        draft.add(f"l{index}", dynamics, incoming=[Incoming(f"e{index}", (source,), **incoming)])
        source = f"l{index}"
    return draft.finish()


CONV = {"operation": "conv", "kernel": 3}
IF = Dynamics("integrate_and_fire")
LIF = Dynamics("lif_box")
READOUT = Dynamics("readout")


def chain(channels: int = 8, dynamics: Dynamics = LIF, classes: int = 10) -> Plan:
    return planned((dynamics, {**CONV, "channels": channels}), (READOUT, {"operation": "linear", "channels": classes}))


def test_the_gesture_network_takes_42_cores_and_more_input_axons_than_there_are() -> None:
    result = check(gesture(), LOIHI, assumed=NAIVE)
    assert result.cores == {"conv1": 4, "conv2": 8, "conv3": 23, "conv4": 6, "dense": 1}
    assert sum(result.cores.values()) == 42
    inputs = [text for text in result.violations if "distinct sources" in text]
    assert inputs == [
        "distinct sources of a core of conv3: 5,408 > 4,096",
        "distinct sources of a core of conv4: 7,744 > 4,096",
    ]
    assert result.verdict == "does not fit"
    assert str(result).startswith("does not fit on loihi1_davies: ")
    assert result.degree >= (5408 - 4096) / 4096 + (7744 - 4096) / 4096


def test_a_spatial_split_brings_the_gesture_network_onto_the_chip() -> None:
    result = check(gesture(), LOIHI)
    assert (result.verdict, result.degree) == ("fits", 0)
    assert sum(result.cores.values()) <= 128
    placement = place(topology(gesture()), LOIHI)
    assert all(spot.axons <= 4096 for spot in placement.places.values())
    assert placement.places["conv4"].strips > 1


def test_a_plan_and_its_counts_fit_alike() -> None:
    plan = chain()
    counts = tuple(
        edge(
            part.name, part.target, sources=part.sources, operation=part.operation, element=part.element,
            in_shape=part.in_shape, out_shape=part.out_shape, kernel=part.kernel, stride=part.stride,
            padding=part.padding, groups=part.groups, weights=part.weights, biases=part.biases,
            fan_in=part.fan_in, dense=part.dense,
        )
        for part in plan.connections
    )  # fmt: skip
    populations = tuple(
        layer(part.name, kind=part.dynamics.kind, shape=part.shape, state=part.dynamics.state_variables)
        for part in plan.populations
    )
    activity = Activity(1, 2, populations, counts)
    for name in ("loihi1_davies", "truenorth28", "odin28", "speck2f", "xylo_a2", "spinnaker1", "loihi2"):
        assert check(plan, load(name)) == check(activity, load(name)), name


@pytest.mark.parametrize(
    "name", ["loihi1_davies", "truenorth28", "odin28", "speck2f", "xylo_a2", "spinnaker1", "loihi2"]
)
def test_a_flat_readout_takes_the_room_of_one_of_means_but_where_that_shares_its_weights(name: str) -> None:
    mean = planned((LIF, {**CONV, "channels": 4}), (READOUT, {"operation": "linear", "channels": 10}))
    flat = planned((LIF, {**CONV, "channels": 4}), (READOUT, {"operation": "flat_linear", "channels": 10}))
    for split in ("any", "channels"):
        given = Deployment(weights="unshared", split=split)
        assert check(flat, load(name), assumed=given) == check(mean, load(name), assumed=given)
    shared = [place(topology(plan), LOIHI, assumed=Deployment(weights="shared")).places["l1"] for plan in (mean, flat)]
    assert [spot.synapses for spot in shared] == [4 * 10, 4 * 10 * 16 * 16]


def test_shared_weights_take_less_room() -> None:
    unshared, shared = (
        place(topology(gesture()), LOIHI, assumed=Deployment(weights=weights, split="channels"))
        for weights in ("unshared", "shared")
    )
    assert shared.cores == 4 + 6 + 8 + 1 + 1 < unshared.cores


@pytest.mark.parametrize("bits", [9, 10, 12])
def test_weights_of_more_bits_than_the_chip_has_do_not_fit(bits: int) -> None:
    result = check(chain(), LOIHI, assumed=Deployment(weight_bits=bits))
    assert (result.verdict == "fits") == (bits <= 9)
    assert result.degree == pytest.approx(max(bits - 9, 0) / 9)
    assert f"{bits}-bit weights" in result.notes


def test_weights_of_fewer_bits_than_the_chip_has_take_the_room_of_its_own() -> None:
    result = check(chain(dynamics=IF), load("speck2f"), assumed=Deployment(weight_bits=4))
    assert not any("bits" in text for text in result.violations)
    assert "4-bit weights take the room of 8-bit ones" in result.notes


def test_too_many_cores_say_how_many() -> None:
    result = check(chain(channels=1024), LOIHI)
    assert any(text.startswith("cores: ") for text in result.violations)
    assert result.degree > 0


TILES = {"operation": "max_pool", "kernel": 2, "stride": 2}
RELAY = Dynamics("relay")


@pytest.mark.parametrize(
    "name", ["loihi1_davies", "truenorth28", "odin28", "speck2f", "xylo_a2", "spinnaker1", "loihi2"]
)
def test_relays_of_spikes_take_the_room_of_neurons_that_one_spike_fires(name: str) -> None:
    dynamics = IF if name in ("truenorth28", "speck2f") else LIF
    convolution = {"operation": "conv", "channels": 4, "kernel": 3, "stride": 2, "depthwise": True}
    plans = [
        planned((dynamics, {**CONV, "channels": 4}), layer, (READOUT, {"operation": "linear", "channels": 10}))
        for layer in ((RELAY, TILES), (dynamics, convolution))
    ]
    relayed, fired = (check(plan, load(name)) for plan in plans)
    assert relayed.cores == fired.cores
    assert not [text for text in relayed.violations if text not in fired.violations]


def test_the_largest_of_graded_events_does_not_fit_on_a_chip_that_adds_them_up() -> None:
    plan = planned((RELAY, TILES), (LIF, {**CONV, "channels": 4}))
    for name in ("loihi1_davies", "loihi2"):
        assert "the largest of graded events, and neurons add them up: e0" in check(plan, load(name)).violations


def test_real_numbers_and_analog_neurons_do_not_fit_on_a_chip_that_spikes() -> None:
    plan = planned((Dynamics("analog"), {**CONV, "channels": 4}), (LIF, {**CONV, "channels": 4}))
    result = check(plan, LOIHI)
    assert "inputs of real numbers, and the chip takes events only: e1" in result.violations
    assert "analog neurons, and the chip spikes: l0" in result.violations


def test_a_static_first_layer_is_work_of_the_host_and_takes_no_room() -> None:
    plan = planned((LIF, {**CONV, "channels": 4}), (READOUT, {"operation": "linear", "channels": 3}), data=(1, 16, 16))
    result = check(plan, LOIHI)
    assert result.verdict == "fits"
    assert any("the host computes e0 of the static input and sets biases" in note for note in result.notes)
    assert any("hands in its currents" in text for text in check(plan, load("truenorth28")).unchecked)


def test_graded_events_are_a_note_where_only_binary_ones_are_sent() -> None:
    assert any("unit events" in note for note in check(chain(), LOIHI).notes)
    assert not any("unit events" in note for note in check(chain(), load("loihi2")).notes)


@pytest.mark.parametrize(("channels", "fits"), [(28, True), (29, False)])
def test_a_convolution_on_truenorth_has_at_most_28_channels_of_input(channels: int, fits: bool) -> None:
    plan = planned((IF, {**CONV, "channels": channels}), (IF, {**CONV, "channels": 8}), data=(1, 1, 8, 8))
    result = check(plan, load("truenorth28"))
    assert any("inputs of a neuron of l1" in text for text in result.violations) == (not fits)
    assert any("4 values a neuron" in text for text in result.unchecked)
    if fits:
        assert result.verdict == "unchecked"


def test_truenorth_needs_copies_of_neurons_that_several_cores_read() -> None:
    plan = planned((IF, {**CONV, "channels": 16}), (IF, {**CONV, "channels": 64}), data=(1, 1, 16, 16))
    result = check(plan, load("truenorth28"))
    assert result.cores["copies of l0"] > 0
    assert "copies of input" not in result.cores


def test_a_leak_that_is_not_linear_does_not_fit_on_truenorth() -> None:
    assert any("lif_box neurons" in text for text in check(chain(), load("truenorth28")).violations)


def test_odin_holds_256_neurons_and_as_many_sources_with_few_bits() -> None:
    few = Deployment(weight_bits=3)
    tiny = planned((LIF, {**CONV, "channels": 2}), (LIF, {"operation": "linear", "channels": 4}), data=(1, 1, 4, 4))
    assert check(tiny, load("odin28"), assumed=few).verdict == "fits"
    result = check(tiny, load("odin28"))
    assert result.violations == ("bits of a weight: 8 > 3",)
    large = check(chain(), load("odin28"), assumed=few)
    assert "neurons: 2,058 > 256" in large.violations
    assert "distinct sources: 2,304 > 256" in large.violations


def test_xylo_has_few_inputs_a_small_fan_in_and_one_pool() -> None:
    lif = Dynamics("lif")
    data = (1, 16, 1, 1)
    fine = planned(
        (lif, {"operation": "linear", "channels": 63}), (READOUT, {"operation": "linear", "channels": 8}), data=data
    )
    assert check(fine, load("xylo_a2")).verdict == "fits"
    assert any("powers of two" in note for note in check(fine, load("xylo_a2")).notes)
    deep = planned(
        (lif, {"operation": "linear", "channels": 64}), (lif, {"operation": "linear", "channels": 950}),
        (READOUT, {"operation": "linear", "channels": 9}), data=(1, 17, 1, 1),
    )  # fmt: skip
    result = check(deep, load("xylo_a2"))
    assert set(result.violations) == {
        "inputs: 17 > 16", "hidden neurons: 1,014 > 1,000", "readouts: 9 > 8", "inputs of a neuron of l1: 64 > 63",
    }  # fmt: skip
    assert any("cycles in a time step" in text for text in result.unchecked)
    direct = planned((READOUT, {"operation": "linear", "channels": 8}), data=data)
    assert any("reads the data" in text for text in check(direct, load("xylo_a2")).violations)


def speck(*layers: dict[str, Any], data: tuple[int, ...] = (1, 2, 32, 32)) -> Plan:
    return planned(*((IF, {**CONV, **given}) for given in layers), data=data)


def test_a_convolutional_network_of_speck_finds_a_core_for_each_layer() -> None:
    plan = speck({"channels": 8}, {"channels": 16, "stride": 2}, {"operation": "linear", "channels": 10, "kernel": 1})
    result = check(plan, load("speck2f"))
    assert result.verdict == "fits"
    first = plan.connections[0]
    assert kernel_entries(first) == 2 * 2 ** (4 + 3)
    assert neuron_entries(topology(plan).layers[0]) == 8 * 2 ** (5 + 5)


def test_33_channels_cost_as_much_as_64() -> None:
    entries = [kernel_entries(speck({"channels": channels}).connections[0]) for channels in (32, 33, 64)]
    assert entries[0] < entries[1] == entries[2]


@pytest.mark.parametrize(
    ("layers", "data", "message"),
    [
        ([{"channels": 8}] * 10, (1, 2, 8, 8), "layers: 10 > 9"),
        ([{"channels": 8, "stride": 3}], (1, 2, 32, 32), "e0 has stride 3"),
        ([{"channels": 4, "kernel": 17}], (1, 2, 32, 32), "kernel of e0: 17 > 16"),
        ([{"channels": 2}], (1, 2, 66, 66), "height or width of l0: 66 > 64"),
        ([{"channels": 2, "stride": 8}], (1, 2, 130, 130), "height or width of the input of e0: 130 > 128"),
        ([{"channels": 1025}], (1, 1, 1, 1), "channels of e0: 1,025 > 1,024"),
        ([{"operation": "pool"}], (1, 2, 32, 32), "e0 pools 3 wide in steps of 1"),
        ([{"channels": 64}] * 2, (1, 2, 64, 64), "no core is left for l0"),
    ],
)
def test_speck_says_what_it_cannot_hold(layers: list[dict[str, Any]], data: tuple[int, ...], message: str) -> None:
    result = check(speck(*layers, data=data), load("speck2f"))
    assert any(text.startswith(message) for text in result.violations), result.violations


def test_a_core_of_speck_has_one_kernel_and_few_readers() -> None:
    draft = Draft((1, 2, 8, 8), time_steps=2)
    draft.add("a", IF, incoming=[Incoming("in", ("input",), "conv", channels=4, kernel=3)])
    for name in ("b", "c", "d"):
        draft.add(name, IF, incoming=[Incoming(f"to {name}", ("a",), "conv", channels=4, kernel=3)])
    both = [Incoming(f"{name} to e", (name,), "conv", channels=4, kernel=3) for name in ("b", "c")]
    draft.add("e", LIF, incoming=both)
    result = check(draft.finish(), load("speck2f"))
    assert "e sums 2 connections, and a core has one kernel" in result.violations
    assert "layers that read a: 3 > 2" in result.violations
    assert any("lif_box neurons" in text for text in result.violations)


ROOMS = st.tuples(st.integers(1, 6), st.integers(1, 6))


@given(st.lists(ROOMS, max_size=5), st.lists(ROOMS, max_size=5))
def test_the_matching_is_as_large_as_the_best_of_all(
    needs: list[tuple[int, int]], rooms: list[tuple[int, int]]
) -> None:
    found = match(needs, rooms)
    taken = [room for room in found if room is not None]
    assert len(taken) == len(set(taken))
    for need, room in zip(needs, found, strict=True):
        assert room is None or (need[0] <= rooms[room][0] and need[1] <= rooms[room][1])
    padded = [*range(len(rooms)), *[None] * len(needs)]
    best = max(
        sum(
            room is not None and need[0] <= rooms[room][0] and need[1] <= rooms[room][1]
            for need, room in zip(needs, order)
        )
        for order in itertools.permutations(padded, len(needs))
    ) if needs else 0  # fmt: skip
    assert len(taken) == best


def test_spinnaker_keeps_synapses_in_shared_memory_and_real_time_is_unchecked() -> None:
    result = check(chain(), load("spinnaker1"))
    assert result.verdict == "unchecked"
    assert any("real time" in text for text in result.unchecked)
    chip = load("spinnaker1")
    tight = replace(chip, fit={**chip.fit, "sdram_bytes_per_chip": 10, "router_entries": 1, "cores": 2})
    found = "; ".join(check(chain(), tight).violations)
    for word in ("bytes of synapses", "entries of a router", "cores"):
        assert word in found


def test_thresholds_that_adapt_need_a_chip_that_is_programmed() -> None:
    network = chain(dynamics=Dynamics("alif"))
    for name in ("loihi1_davies", "loihi1_sanafe", "odin28", "speck2f", "truenorth28", "xylo_a2"):
        assert any(text.startswith("alif neurons, and the chip has") for text in check(network, load(name)).violations)
    for name in ("loihi2", "spinnaker1", "spinnaker2"):
        assert not any("alif" in text for text in check(network, load(name)).violations)


def test_what_a_profile_does_not_tell_is_unchecked() -> None:
    assert check(chain(), load("arith45_fp32")).unchecked == ("everything (the profile has no [fit])",)
    result = check(chain(), load("loihi2"))
    assert result.verdict == "unchecked"
    assert {text.split(" (")[0] for text in result.unchecked} == {
        "weight bits", "input axons of a core", "synapse memory of a core", "output axons of a core",
    }  # fmt: skip
    assert str(result).startswith("unchecked on loihi2: weight bits")
    bare = replace(LOIHI, fit={"cores": 128})
    assert "kinds of neuron (the profile does not tell)" in check(chain(), bare).unchecked


def test_a_limit_of_zero_has_a_degree_too() -> None:
    findings = Findings()
    findings.at_most("x", 3, 0)
    findings.at_most("y", 3, None)
    assert (findings.degree, len(findings.unchecked)) == (3, 1)


def test_a_reset_that_the_chip_has_not_does_not_fit() -> None:
    chip = load("speck2f")
    picky = replace(chip, fit={**chip.fit, "reset": ["subtract"]})
    assert any("reset by value" in text for text in check(speck({"channels": 8}), picky).violations)
    assert any("resets (counts do not tell them)" in text for text in check(small(), picky).unchecked)


def fanned(targets: int, cores: int) -> tuple[Activity, Profile]:
    """Return a layer of 1024 neurons that is read by so many layers of so many cores."""
    shape = (1024, 1, 1)
    readers = [layer(f"t{index}", shape=(cores * 1024, 1, 1)) for index in range(targets)]
    edges = [edge(f"e{index}", f"t{index}", in_shape=shape, out_shape=(cores * 1024, 1, 1), dense=10)
             for index in range(targets)]  # fmt: skip
    return Activity(1, 2, (layer("hidden", shape=shape), *readers), tuple(edges)), LOIHI


def test_a_layer_that_goes_to_more_cores_than_it_has_axons_is_split() -> None:
    activity, chip = fanned(targets=4, cores=2)
    naive, spread = check(activity, chip, assumed=NAIVE), check(activity, chip)
    assert "output axons of a core of hidden: 8,192 > 4,096" in naive.violations
    assert (spread.verdict, spread.cores["hidden"]) == ("fits", 2)


def test_recurrence_needs_a_chip_that_has_it() -> None:
    activity = small()
    around = edge("around", "hidden", sources=("readout",), in_shape=(2, 1, 1), out_shape=(5, 1, 1))
    activity = replace(activity, connections=(*activity.connections, around))
    speck_like = load("speck2f")
    assert "around is recurrent, and the chip is feed-forward" in check(activity, speck_like).violations
    assert check(activity, LOIHI).verdict == "fits"
    silent = replace(LOIHI, fit={name: value for name, value in LOIHI.fit.items() if name != "recurrence"})
    assert "recurrence of around (the profile does not tell)" in check(activity, silent).unchecked


def test_delays_need_a_chip_with_time_steps_that_holds_spikes_back_for_so_long() -> None:
    activity = small()
    around = edge("around", "hidden", sources=("hidden",), in_shape=(5, 1, 1), out_shape=(5, 1, 1), delay=1)

    def with_delay(steps: int) -> Activity:
        return replace(activity, connections=(*activity.connections, replace(around, delay=steps)))

    assert "around has a delay, and the chip has no time steps" in check(with_delay(1), load("speck2f")).violations
    assert check(with_delay(62), LOIHI).verdict == "fits"
    assert "delay of around: 63 > 62" in check(with_delay(63), LOIHI).violations
    silent = replace(LOIHI, fit={name: value for name, value in LOIHI.fit.items() if name != "delay_max"})
    assert "the delay of around (the profile has no limit)" in check(with_delay(2), silent).unchecked
    assert "the delay of around (the profile has no limit)" not in check(with_delay(1), silent).unchecked


def test_a_layer_that_its_own_spikes_come_back_to_needs_axons_for_them() -> None:
    activity, chip = fanned(targets=4, cores=1)
    (hidden, *_) = activity.populations
    around = edge("around", "hidden", in_shape=hidden.shape, out_shape=hidden.shape, delay=1)
    looped = replace(activity, connections=(around, *activity.connections))
    shapes = topology(looped)
    assert shapes.depth["hidden"] == 1
    assert recurrent_edges(shapes) == [around]
    assert recurrent_sources(shapes) == {"hidden"}
    assert check(activity, chip).cores["hidden"] == 1
    checked = check(looped, chip)
    assert (checked.verdict, checked.cores["hidden"]) == ("fits", 2)
    assert sum(spot.copies.get("hidden", 0) for spot in place(shapes, chip).places.values()) == 2 + 4


def measured(activity: Activity) -> Measurement:
    return Measurement({"accuracy": 0.9, "loss": 0.2}, 10, 40, 2, False, activity)


def test_the_objective_is_a_bound_that_a_network_breaks_by_its_degree() -> None:
    fit = objective(profile="loihi1_davies", split="channels")
    assert (fit.name, fit.at_most, fit.best) == ("fit", 0.0, 0.0)
    fine, wide = score(measured(small()), [fit]), score(measured(gesture()), [fit])
    assert fine.is_feasible
    assert wide.violation == pytest.approx(check(gesture(), LOIHI, assumed=NAIVE).degree)
    with pytest.raises(ProfileError):
        objective(profile="nothing")
    with pytest.raises(OptionError, match="split"):
        objective(profile="loihi1_davies", split="rows")  # type: ignore[arg-type]


def of_channels(channels: int, **constants: tuple[float, ...]) -> Plan:
    return chain(channels, dynamics=Dynamics("integrate_and_fire" if "v_th" in constants else "lif_box", **constants))


def test_constants_of_channels_fit_where_neurons_have_their_own_and_a_core_has_enough() -> None:
    taus, thresholds = tuple(1.0 + 0.1 * n for n in range(40)), tuple(0.5 + 0.1 * n for n in range(16))
    many = check(of_channels(40, tau_mem_ms=taus), LOIHI)
    assert "time constants of a core of l0: 40 > 32" in many.violations
    assert not any("constants" in text for text in check(of_channels(32, tau_mem_ms=taus[:32]), LOIHI).violations)
    assert "thresholds of a core of l0: 16 > 8" in check(of_channels(16, v_th=thresholds), LOIHI).violations
    for name in ("truenorth28", "odin28", "spinnaker1", "spinnaker2", "xylo_a2"):
        result = check(of_channels(16, v_th=thresholds), load(name))
        assert not any("constants" in text or "thresholds" in text for text in (*result.violations, *result.unchecked))


def test_constants_of_channels_do_not_fit_where_a_layer_shares_them_and_are_unchecked_where_nothing_is_said() -> None:
    plan = of_channels(2, v_th=(0.5, 1.0))
    result = check(plan, load("speck2f"))
    assert "l0 has constants of each channel, and the chip one for all of a layer" in result.violations
    assert not any("constants" in text for text in check(chain(2, IF), load("speck2f")).violations)
    told = "constants of each channel of l0 (the profile does not tell)"
    assert told in check(plan, load("loihi2")).unchecked
    assert told not in check(chain(2, IF), load("loihi2")).unchecked
