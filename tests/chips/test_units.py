"""Units: what the code counts for a coefficient is what its unit says, found by counting one thing after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from counted import edge, graded, layer, small, with_energy

from evonas.chips import latency, units
from evonas.chips.band import at
from evonas.chips.deployed_network import DeployedNetwork
from evonas.chips.deployment import Deployment
from evonas.chips.energy import estimate
from evonas.chips.energy_sum import UNUSED, priced, static_watts
from evonas.chips.profile import SHIPPED, Coefficient, Profile, load, names
from evonas.errors import ProfileError
from evonas.measurement import Activity

SPREAD = Deployment(cores={"a": 3, "b": 20, "c": 2, "out": 1}, reset="per-sample", pipeline="within-step")
"""More cores than a chip of 16 has, so that messages leave their chip and are copied within others."""


def branching() -> Activity:
    """Return 4 samples and 2 steps of three layers and a readout, of which two read the first and one the data."""
    none = {"sources": ("input",), "in_shape": (6, 1, 1), "inputs": (12, 8)}
    a = layer("a", kind="lif_box", state=1, shape=(12, 1, 1), spikes=(7, 9), updates=(20, 16))
    b = layer("b", kind="lif_box", state=1, shape=(40, 1, 1), spikes=(5, 4), updates=(11, 13))
    c = layer("c", kind="lif_box", state=1, shape=(8, 1, 1), spikes=(3, 2), updates=(6, 5))
    out = layer("out", kind="readout", shape=(2, 1, 1), state=1, updates=(8, 8))
    edges = (
        edge("input to a", "a", out_shape=(12, 1, 1), dense=72, events=(144, 96), **none),
        edge("a to b", "b", sources=("a",), in_shape=(12, 1, 1), out_shape=(40, 1, 1), dense=480, events=(280, 360),
             inputs=(7, 9), biases=40),
        edge("a to c", "c", sources=("a",), in_shape=(12, 1, 1), out_shape=(8, 1, 1), dense=96, events=(56, 72),
             inputs=(7, 9)),
        edge("b to out", "out", sources=("b",), in_shape=(40, 1, 1), dense=80, events=(10, 8), inputs=(5, 4)),
        edge("c to out", "out", sources=("c",), in_shape=(8, 1, 1), dense=16, events=(6, 4), inputs=(3, 2)),
    )  # fmt: skip
    return Activity(4, 2, (a, b, c, out), edges)


SENT = {"input": 20, "a": 16, "b": 9, "c": 5}
READERS = {"input": ("a",), "a": ("b", "c"), "b": ("out",), "c": ("out",)}
LAYERS = ("a", "b", "c", "out")


def homes(cores_per_chip: int) -> dict[str, list[int]]:
    """Return the chip of each core of each layer, which are numbered layer by layer."""
    chips, first = {}, 0
    for name in LAYERS:
        chips[name] = [(first + core) // cores_per_chip for core in range(SPREAD.cores[name])]
        first += SPREAD.cores[name]
    return chips


def counted_one_by_one(per: str, profile: Profile) -> float:
    """Return what a unit says that is to be counted of the branching network, per sample."""
    activity, samples = branching(), 4
    cores = {name: 1 if profile.fit.get("cores") == 1 else SPREAD.cores[name] for name in LAYERS}
    per_chip = profile.fit.get("cores_per_chip", profile.fit.get("cores", 26))
    chips = homes(per_chip) if max(cores.values()) > 1 else {name: [0] for name in LAYERS}
    tiles = -(-sum(cores.values()) // profile.fit.get("cores_per_tile", 1))
    if profile.fit.get("cores") == 1:
        tiles = 1
    total = 0.0
    if per == "synaptic event":
        return sum(sum(part.events) for part in activity.connections) / samples
    if per == "spike":
        return sum(sum(part.spikes) for part in activity.populations) / samples
    if per == "neuron and time step":
        return 2.0 * (12 + 40 + 8 + 2)
    if per == "active neuron and time step":
        return sum(sum(part.updates) for part in activity.populations) / samples
    if per == "addition of a bias or to a threshold":
        return 2.0 * 40
    if per == "time step":
        return 2.0
    if per == "sample and chip":
        return len({chip for name in LAYERS for chip in chips[name]})
    for source, sent in SENT.items():
        if per == "spike and destination core":
            total += sent * sum(cores[reader] for reader in READERS[source])
        elif per == "message and hop":
            hops = max(2.0, 2 * tiles**0.5 / 3)
            total += sent * sum(cores[reader] for reader in READERS[source]) * hops
        elif per == "spike and chip visited":
            heard = {chip for reader in READERS[source] for chip in chips[reader]}
            own = chips.get(source, [])
            visited = [len(heard | {chip}) for chip in own] or [len(heard)]
            total += sent * float(np.mean(visited))
        else:
            raise AssertionError(f"nobody counts {per!r}")
    return total / samples


SUMMED = [
    (name, term)
    for name in names(folder=SHIPPED)
    if load(name).rules["counts"] == "exact"
    for term in priced(load(name), SPREAD)
    if term not in ("mac", "mul", "synop_conv")
]


@pytest.mark.parametrize(("name", "term"), SUMMED)
def test_what_is_counted_for_a_coefficient_is_what_its_unit_says(name: str, term: str) -> None:
    chip = load(name)
    assumed = SPREAD if "reset" in chip.energy else replace(SPREAD, reset="not-counted")
    try:
        result = estimate(branching(), chip, assumed=assumed)
    except ProfileError as error:
        assert "no energy of any operation" in str(error)  # noqa: PT017
        return
    counted = sum(parts.get(term, 0.0) for parts in result.counts.values()) + result.per_sample.get(term, 0.0)
    assert counted == pytest.approx(counted_one_by_one(chip.energy[term].per, chip))
    assert result.terms[term].nominal == pytest.approx(chip.energy[term].value * 1e-12 * counted)


EVERYTHING = ("synop", "add", "addr", "acc_neuron", "upd_neuron", "spike_out", "msg_out", "hop", "step", "reset")


@pytest.mark.parametrize("term", EVERYTHING)
@pytest.mark.parametrize("name", ["loihi1_davies", "sram45_int8", "seneca22", "truenorth28", "spinnaker2"])
def test_a_chip_that_priced_everything_would_count_by_the_same_units(name: str, term: str) -> None:
    chip = with_energy(load(name), **dict.fromkeys(EVERYTHING, 1.0))
    result = estimate(branching(), chip, assumed=SPREAD)
    counted = sum(parts.get(term, 0.0) for parts in result.counts.values()) + result.per_sample.get(term, 0.0)
    assert counted == pytest.approx(counted_one_by_one(units.ENERGY[term][0], chip))


@pytest.mark.parametrize("name", ["spinnaker1", "loihi1_davies"])
@pytest.mark.parametrize("cores_per_chip", [1, 2, 5, 16, 1000])
def test_a_message_is_paid_on_every_chip_that_it_visits_and_on_none_twice(name: str, cores_per_chip: int) -> None:
    chip = load(name)
    price = replace(chip.energy["msg_out"], per=units.VISITED)
    chip = replace(chip, energy={**chip.energy, "msg_out": price}, fit={**chip.fit, "cores_per_chip": cores_per_chip})
    result = estimate(branching(), chip, assumed=replace(SPREAD, reset="not-counted"))
    counted = sum(parts["msg_out"] for parts in result.counts.values())
    assert counted == pytest.approx(counted_one_by_one(units.VISITED, chip))
    per_core = counted_one_by_one("spike and destination core", chip)
    assert counted <= per_core + sum(SENT.values()) / 4
    if cores_per_chip == 1000:
        assert counted == pytest.approx(sum(SENT.values()) / 4)  # one chip holds all: its router copies


def test_a_message_to_a_window_of_a_layer_visits_no_more_chips_than_the_window_can() -> None:
    image = edge(
        "image",
        "wide",
        sources=("narrow",),
        operation="conv",
        kernel=3,
        in_shape=(8, 64, 64),
        out_shape=(8, 64, 64),
        dense=8 * 8 * 9 * 4096,
        weights=576,
        inputs=(100, 100),
        events=(100, 100),
    )
    narrow = layer("narrow", kind="lif_box", state=1, shape=(8, 64, 64), spikes=(100, 100))
    wide = layer("wide", kind="lif_box", state=1, shape=(8, 64, 64))
    activity = Activity(1, 2, (narrow, wide), (image,))  # fmt: skip
    chip = load("spinnaker1")
    chip = replace(chip, fit={**chip.fit, "in_axons_per_core": 5000})
    deployed = DeployedNetwork(activity, chip, Deployment())
    copies = deployed.placement.places["wide"].copies["narrow"]
    assert deployed.placement.places["wide"].cores > 2 * copies
    most = 1 + (1 + -(-copies // 16))
    assert 200 <= deployed.visits["wide"] <= 200 * most


@pytest.mark.parametrize("name", names(folder=SHIPPED))
def test_static_power_is_paid_for_what_its_units_say(name: str) -> None:
    chip = load(name)
    placement = DeployedNetwork(branching(), chip, SPREAD).placement
    amounts = {"static_chip": placement.chips, "active_core": placement.cores, "host_active": 1,
               "clk_mw_per_mhz": at(chip.time.get("clock_mhz", 0.0)), "board_idle": 0, "io_idle": 0, "pixel_idle": 0,
               "total_min": 0, "dynamic_run": 0}  # fmt: skip
    assumed = replace(SPREAD, host="active")
    watts = static_watts(chip, placement=placement, assumed=assumed)
    for term, price in chip.power.items():
        dearer = Coefficient(price.value + 1.0, price.value, price.value + 1.0, "measured", "a test")
        more = static_watts(replace(chip, power={**chip.power, term: dearer}), placement=placement, assumed=assumed)
        assert (more - watts) * 1e3 == pytest.approx(amounts[term]), units.POWER[term]


@pytest.mark.parametrize(
    ("key", "amount"),
    [("cycles_per_synop", 256 * (20 + 16 + 9 + 5) / 4), ("cycles_per_spike", (20 + 16 + 9 + 5) / 4),
     ("cycles_per_tick_leak", 2)],
)  # fmt: skip
def test_cycles_are_taken_for_what_their_units_say(key: str, amount: float) -> None:
    chip = load("odin28")
    before = latency.seconds(branching(), chip)
    longer = replace(chip, time={**chip.time, key: at(chip.time[key]) + 1.0})
    assert (latency.seconds(branching(), longer) - before) * 75e6 == pytest.approx(amount)


def test_cycles_know_every_kind_of_synaptic_event() -> None:
    chip = load("odin28")
    chip = replace(with_energy(chip, synop_graded=1.0), rules={"counts": "exact"})
    activity = graded()
    events = sum(sum(part.events) + sum(part.graded) for part in activity.connections) / 10
    before = latency.seconds(activity, chip)
    longer = replace(chip, time={**chip.time, "cycles_per_synop": at(chip.time["cycles_per_synop"]) + 1.0})
    assert (latency.seconds(activity, longer) - before) * 75e6 == pytest.approx(events)


@pytest.mark.parametrize(
    ("key", "amount"),
    [("tick_us", 2 * 1e-6 + 3 * 1e-6), ("pipeline_ticks_per_layer", 3 * 1e-3)],
)
def test_ticks_are_taken_for_what_their_units_say(key: str, amount: float) -> None:
    chip = load("spinnaker1")
    before = latency.seconds(branching(), chip)
    longer = replace(chip, time={**chip.time, key: at(chip.time[key]) + 1.0})
    assert latency.seconds(branching(), longer) - before == pytest.approx(amount)


@pytest.mark.parametrize("name", names(folder=SHIPPED))
def test_every_coefficient_of_a_profile_has_a_unit_of_the_vocabulary(name: str) -> None:
    chip = load(name)
    for section in (chip.energy, chip.energy_alternative, chip.all_in):
        for term, price in section.items():
            assert price.per in units.ENERGY[term]
    for term, price in chip.power.items():
        assert price.per == units.POWER[term]
    for term, value in chip.time.items():
        assert term in {*units.TIME, "model", "cyc", "sync_by_tiles", "step_range_us"}
        assert not isinstance(value, Coefficient) or value.per == units.TIME[term]
    assert set(UNUSED) <= set(units.ENERGY)


@pytest.mark.parametrize(
    ("per", "message"),
    [("chip", "energy.msg_out.per: got 'chip', expected one of spike and destination core, spike and chip visited"),
     (3, "energy.msg_out.per: got 3")],
)  # fmt: skip
def test_a_unit_that_nobody_counts_is_refused(tmp_path: Any, per: object, message: str) -> None:
    text = (SHIPPED / "seneca22.toml").read_text(encoding="utf-8")
    old = 'per = "spike and destination core"'
    assert text.count(old) == 1
    path = tmp_path / "seneca22.toml"
    path.write_text(text.replace(old, f"per = {per!r}"), encoding="utf-8")
    with pytest.raises(ProfileError) as caught:
        load(path)
    assert message in str(caught.value)


def test_the_reset_is_paid_on_every_chip_that_the_network_uses() -> None:
    chip = load("loihi1_davies")
    one = estimate(small(), chip, assumed=Deployment(reset="per-sample"))
    two = estimate(small(), chip, assumed=Deployment(reset="per-sample", cores={"hidden": 100, "readout": 100}))
    assert one.terms["reset"].nominal == pytest.approx(5.94e-6)
    assert two.terms["reset"].nominal == pytest.approx(2 * 5.94e-6)
