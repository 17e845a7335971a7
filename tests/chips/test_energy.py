"""Energy: hand calculations, what is left out, what cannot be priced, and properties that hold for all counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from counted import activities, analog, edge, graded, layer, small, with_energy
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import recorded
from relaxed_twin import one_hot, take_weights

from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics
from evonas.chips import latency
from evonas.chips.band import Band
from evonas.chips.coverage import has_energy
from evonas.chips.deployment import Deployment
from evonas.chips.energy import EnergyEstimate, compose, estimate, joules
from evonas.chips.energy_sum import Work
from evonas.chips.profile import SHIPPED, Coefficient, Profile, load, names
from evonas.errors import OptionError, ProfileError, UnpriceableError
from evonas.expected_counts import ExpectedCounts
from evonas.measurement import Activity, Measurement
from evonas.objective import score
from evonas.snn.network import Network
from evonas.snn.relaxed.expected_counter import unpriced_kinds
from objectives.energy import expected, objective
from spaces.spatial_temporal import space

ARITH = load("arith45_fp32")
LOIHI = load("loihi1_davies")


def costs(result: EnergyEstimate) -> dict[str, float]:
    return {name: band.nominal for name, band in result.terms.items() if band.nominal}


def text(result: EnergyEstimate) -> str:
    return "\n".join(result.uncounted)


def test_a_small_network_on_loihi_costs_what_the_hand_says() -> None:
    result = estimate(small(), LOIHI)
    # per sample: 10 events; 7 neurons x 2 steps; 12 active updates; 5 messages; the host does 60 MACs of the image
    expected = {"synop": 10 * 23.6e-12, "acc_neuron": 14 * 52e-12, "upd_neuron": 12 * 29e-12}
    expected |= {"msg_out": 5 * 1.7e-12, "hop": 10 * 3.5e-12}
    assert costs(result) == pytest.approx(expected)
    assert result.dynamic.nominal == pytest.approx(1355.5e-12)
    assert result.dynamic.low == pytest.approx(1350.5e-12)
    assert result.dynamic.high == pytest.approx(2721e-12)
    hidden = {name: band.nominal for name, band in result.layers["hidden"].items() if band.nominal}
    assert hidden == pytest.approx({"acc_neuron": 520e-12, "upd_neuron": 246.5e-12})
    assert {name: price.kind for name, price in result.prices.items()} == {
        "synop": "simulated", "acc_neuron": "simulated", "upd_neuron": "derived", "msg_out": "simulated",
        "hop": "derived",
    }  # fmt: skip


@pytest.mark.parametrize("part", ["dynamic", "total"])
def test_the_objective_tells_the_band_of_the_part_that_it_scores(part: Any) -> None:
    priced = objective(profile="loihi1_davies", part=part)
    measurement = Measurement({"accuracy": 0.9, "loss": 0.2}, 10, 40, 2, False, small())
    result = estimate(small(), LOIHI)
    expected = result.total if part == "total" else result.dynamic
    assert priced.band is not None
    assert priced.band(measurement) == (expected.low, expected.high)
    assert priced.score(measurement) == pytest.approx(expected.nominal)
    assert expected.low <= expected.nominal < expected.high


def test_a_small_network_in_the_arithmetic_convention_costs_what_the_hand_says() -> None:
    result = estimate(small(), ARITH)
    assert costs(result) == pytest.approx({"synop": 10 * 0.9e-12, "mac": 60 * 4.6e-12})
    assert result.dynamic.low == pytest.approx(0.2 * 285e-12)
    assert result.dynamic.high == pytest.approx(100 * 285e-12)
    assert (result.profile, result.scope) == ("arith45_fp32", "arithmetic-only")


def test_a_static_input_is_multiplied_once_or_at_every_step() -> None:
    assert costs(estimate(small(), ARITH))["mac"] == pytest.approx(60 * 4.6e-12)
    assert costs(estimate(small(), ARITH, assumed=Deployment(static_first="every-step")))["mac"] == pytest.approx(
        120 * 4.6e-12
    )


@pytest.mark.parametrize(
    ("macs", "acs", "millijoules", "rounding"),
    [((86_704_128, 4, 513_000), 6_517_540_000, 7.4635, 5e-5), ((2_750_000_000, 1, 0), 500_000_000, 13.10, 1e-9)],
    ids=["Spikingformer-8-512", "syops sew_resnet18"],
)
def test_the_convention_of_the_papers_is_reproduced(
    macs: tuple[int, int, int], acs: int, millijoules: float, rounding: float
) -> None:
    first, steps, head = macs
    image = edge("image", "hidden", sources=("input",), element="real", static=True, macs=(first,) * steps)
    last = edge("head", "readout", element="real", macs=(head,))
    events = edge("events", "hidden", events=(acs,))
    activity = Activity(1, steps, (layer("hidden"), layer("readout")), (image, last, events))
    result = estimate(activity, ARITH, assumed=Deployment(static_first="every-step"))
    assert result.dynamic.nominal * 1e3 == pytest.approx(millijoules, abs=rounding)


@pytest.mark.parametrize(("events", "millijoules"), [(51_200_000, 1.448), (57_600_000, 1.599)])
def test_nearest_neighbours_on_loihi_lie_in_the_known_band_above_the_measured_energy(
    events: int, millijoules: float
) -> None:
    result = compose(Work({"all": {"acc_neuron": 4_608_000, "synop": events}}), LOIHI)
    assert result.dynamic.nominal * 1e3 == pytest.approx(millijoules, abs=5e-4)
    assert 1.08 < result.dynamic.nominal * 1e3 / 1.33 < 1.21  # measured: 1.33 mJ


@pytest.mark.parametrize("name", ["acc_neuron", "upd_neuron"])
def test_a_missing_coefficient_is_reported_and_never_zero(name: str) -> None:
    result = estimate(small(), with_energy(LOIHI, **{name: None}))
    assert name not in result.terms
    assert f"(the profile has no energy.{name}): {14 if name == 'acc_neuron' else 12}" in text(result)


def test_spikes_without_a_price_are_reported_with_their_number() -> None:
    assert "spikes sent (the profile has no energy.spike_out): 5" in text(estimate(small(), LOIHI))
    priced = estimate(small(), with_energy(LOIHI, spike_out=7.0))
    assert priced.terms["spike_out"].nominal == pytest.approx(35e-12)
    assert "spikes sent" not in text(priced)


def test_a_convention_that_ignores_neuron_updates_is_reported_even_where_it_has_a_price() -> None:
    result = estimate(small(), with_energy(ARITH, acc_neuron=1.0))
    assert "acc_neuron" not in result.terms
    assert "neuron updates at every step (ignored by the convention of the profile): 14" in text(result)


def test_nothing_that_a_network_does_not_do_is_reported_as_uncounted() -> None:
    quiet = Activity(1, 2, (), ())
    for word in ("neuron updates", "active neurons", "spikes sent"):
        assert word not in text(estimate(quiet, with_energy(LOIHI, acc_neuron=None, upd_neuron=None)))


def test_a_hop_is_charged_per_message_and_never_per_synaptic_event() -> None:
    few, many = estimate(small(), LOIHI), estimate(busier(small()), LOIHI)
    assert many.terms["synop"].nominal == pytest.approx(2 * few.terms["synop"].nominal)
    assert many.terms["hop"] == few.terms["hop"]
    assert few.terms["hop"].nominal == pytest.approx(few.counts["readout"]["msg_out"] * 2 * 3.5e-12)
    three = estimate(small(), LOIHI, assumed=Deployment(hops=3.0))
    assert three.terms["hop"].nominal == pytest.approx(1.5 * few.terms["hop"].nominal)


def busier(activity: Activity) -> Activity:
    """Return the network with twice the synaptic events and no spike more."""
    connections = (
        replace(connection, events=tuple(2 * count for count in connection.events))
        for connection in activity.connections
    )
    return replace(activity, connections=tuple(connections))


def test_messages_and_hops_without_a_price_are_reported() -> None:
    found = text(estimate(small(), ARITH))
    for topic in ("messages between cores", "hops between cores", "static power", "memory accesses"):
        assert topic in found


def test_the_reset_of_the_chip_is_counted_only_when_it_is_asked_for() -> None:
    without = estimate(small(), LOIHI)
    once = estimate(small(), LOIHI, assumed=Deployment(reset="per-sample"))
    assert "reset before a sample (counted on request)" in text(without)
    assert once.dynamic.nominal - without.dynamic.nominal == pytest.approx(5.94e-6)
    assert "reset" not in text(once)
    with pytest.raises(ProfileError, match=r"arith45_fp32 has no energy\.reset"):
        estimate(small(), ARITH, assumed=Deployment(reset="per-sample"))


def test_a_price_per_time_step_is_paid_once_a_step() -> None:
    result = estimate(small(), with_energy(LOIHI, step=100.0))
    assert result.terms["step"].nominal == pytest.approx(200e-12)
    assert "time steps" not in text(result)


def test_all_in_and_alternative_prices_are_never_summed() -> None:
    huge = {"synop": Coefficient(1e9, 1e9, 1e9, "measured", "a test"), "mac": Coefficient(1, 1, 1, "measured", "x")}
    rich = replace(LOIHI, all_in=huge, energy_alternative=huge)
    assert estimate(small(), rich) == estimate(small(), LOIHI)
    poor = replace(with_energy(LOIHI, synop=None, mac=1.0), all_in=huge, energy_alternative=huge)
    with pytest.raises(UnpriceableError, match=r"no price for synaptic events \(energy.synop\)"):
        estimate(small(), poor)


def test_a_price_that_is_inside_another_is_never_added_nor_reported() -> None:
    inside = replace(LOIHI.energy["acc_neuron"], inside="synop")
    result = estimate(small(), replace(LOIHI, energy={**LOIHI.energy, "acc_neuron": inside}))
    assert "acc_neuron" not in result.terms
    assert "neuron updates at every step" not in text(result)
    hop = replace(LOIHI.energy["hop"], inside="synop")
    assert "hops between cores" not in text(estimate(small(), replace(LOIHI, energy={**LOIHI.energy, "hop": hop})))


def test_analog_neurons_have_no_state_to_update() -> None:
    result = estimate(analog(), with_energy(LOIHI, mac=1.0))
    assert {name: count for name, count in result.counts["hidden"].items() if count} == {"spike_out": 2.0, "mac": 60.0}
    assert result.counts["readout"]["acc_neuron"] == 4


def test_a_moving_picture_is_multiplied_at_every_step() -> None:
    image = replace(small().connections[0], static=False)
    result = estimate(small(connections=(image,)), ARITH)
    assert result.counts["hidden"]["mac"] == 120


def test_a_static_first_layer_on_loihi_is_work_of_the_host_and_uncounted() -> None:
    result = estimate(small(), LOIHI)
    assert "mac" not in result.terms
    assert "MACs of a static first layer (the host computes it): 60" in text(result)
    every_step = estimate(small(), LOIHI, assumed=Deployment(static_first="every-step"))
    assert "(the host computes it): 120" in text(every_step)


def test_an_analog_network_is_infeasible_on_loihi_and_priced_in_the_arithmetic_convention() -> None:
    with pytest.raises(UnpriceableError, match=r"no price for multiply-accumulates \(energy.mac\), which event would"):
        estimate(analog(), LOIHI)
    assert estimate(analog(), ARITH).terms["mac"].nominal == pytest.approx((60 + 8) * 4.6e-12)


def test_a_silent_analog_network_is_as_infeasible_as_a_busy_one() -> None:
    activity = analog()
    silent = tuple(replace(connection, macs=(0, 0)) for connection in activity.connections)
    with pytest.raises(UnpriceableError, match=r"energy\.mac"):
        estimate(replace(activity, connections=silent), LOIHI)


@pytest.mark.parametrize(
    "changes",
    [{"static": False}, {"sources": ("input", "hidden")}, {"sources": ("hidden",)}],
    ids=["a moving picture", "concatenated with a layer", "a static layer that is not the first"],
)
def test_real_numbers_that_no_host_can_take_over_are_unpriceable_on_loihi(changes: dict[str, Any]) -> None:
    activity = small()
    image, event = activity.connections
    with pytest.raises(UnpriceableError, match="which image would need"):
        estimate(replace(activity, connections=(replace(image, **changes), event)), LOIHI)


def test_graded_events_are_unrolled_into_unit_events_where_a_chip_sends_binary_spikes_only() -> None:
    result = estimate(graded(), LOIHI)
    assert result.counts["hidden"]["synop"] == pytest.approx(7.0)
    assert result.counts["hidden"]["msg_out"] == pytest.approx(0.7)
    assert any("unit events" in note for note in result.notes)


def test_graded_events_are_priced_as_such_where_the_chip_has_them() -> None:
    result = estimate(graded(), with_energy(LOIHI, synop_graded=30.0))
    assert result.terms["synop_graded"].nominal == pytest.approx(3 * 30e-12)
    assert result.counts["hidden"]["msg_out"] == pytest.approx(0.3)


def test_graded_events_without_a_price_on_a_chip_that_sends_them_are_unpriceable() -> None:
    chip = replace(LOIHI, fit={**LOIHI.fit, "graded_spikes": True})
    with pytest.raises(UnpriceableError, match=r"graded events \(energy.synop_graded\)"):
        estimate(graded(), chip)


def test_everything_that_cannot_be_priced_is_said_at_once() -> None:
    edges = tuple(edge(f"e{index}", "hidden", events=(1, 1)) for index in range(5))
    chip = replace(with_energy(LOIHI, synop=None, synop_conv=1.0))
    real = edge("r", "hidden", element="real", macs=(1, 1))
    with pytest.raises(UnpriceableError) as caught:
        estimate(Activity(1, 2, (layer("hidden"),), (*edges, real)), chip)
    assert "e0, e1, e2 and 2 more" in str(caught.value)
    assert "multiply-accumulates" in str(caught.value)


def test_a_chip_without_any_published_energy_is_refused_before_anything_runs() -> None:
    for name in ("loihi2", "speck2f"):
        with pytest.raises(ProfileError, match=f"{name} has no energy of any operation"):
            objective(profile=name)


def test_a_total_energy_needs_power_and_time() -> None:
    for name in ("arith45_fp32", "sram45_int8", "gpu_degnan"):
        with pytest.raises(ProfileError, match=f"{name} has no total energy"):
            objective(profile=name, part="total")
    with pytest.raises(ProfileError, match="gives no power or no time"):
        estimate(small(), replace(load("xylo_a2"), power={}))


def measured(activity: Activity) -> Measurement:
    return Measurement({"accuracy": 0.9, "loss": 0.2}, 10, 40, 2, False, activity)


def test_the_objective_scores_a_measurement_and_says_what_it_leaves_out() -> None:
    energy = objective(profile="loihi1_davies")
    assert (energy.name, energy.unit, energy.direction, energy.log) == ("energy", "J/sample", "min", True)
    assert energy.profile == "loihi1_davies"
    assert energy.score(measured(small())) == pytest.approx(1355.5e-12)
    assert any("spikes sent" in entry for entry in energy.uncounted)
    assert not score(measured(analog()), [energy]).is_feasible


def test_the_options_of_the_objective_reach_the_estimate() -> None:
    every_step = objective(profile="arith45_fp32", static_first="every-step")
    assert every_step.score(measured(small())) == pytest.approx(561e-12)
    with_reset = objective(profile="loihi1_davies", reset="per-sample")
    assert with_reset.score(measured(small())) == pytest.approx(5.94e-6 + 1355.5e-12)
    assert not any("reset" in entry for entry in with_reset.uncounted)


def test_wrong_options_are_refused_together() -> None:
    with pytest.raises(OptionError) as caught:
        objective(profile="arith45_fp32", static_first="twice", reset=True)  # type: ignore[arg-type]
    assert len(caught.value.faults) == 2
    assert "static_first: got 'twice', expected one of once, every-step." in caught.value.faults


def test_an_objective_with_a_file_of_ones_own_is_scored(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    source = (SHIPPED / "arith45_fp32.toml").read_text(encoding="utf-8")
    path.write_text(source.replace('id = "arith45_fp32"', 'id = "mine"'), encoding="utf-8")
    assert objective(profile=str(path)).profile == "mine"


CHIPS = st.sampled_from([load(name) for name in ("arith45_fp32", "loihi1_davies", "loihi1_sanafe", "sram45_int8")])
NEAR = Deployment(hops=2.0)


@given(CHIPS)
def test_without_neurons_and_events_nothing_costs_anything(profile: Profile) -> None:
    result = estimate(Activity(10, 2, (), ()), profile)
    assert (result.dynamic.low, result.dynamic.nominal, result.dynamic.high) == (0, 0, 0)
    assert not any(result.layers.values())


@settings(max_examples=30, deadline=None)
@given(activities())
def test_without_events_there_is_no_dynamic_energy_but_that_of_neurons_that_wait(activity: Activity) -> None:
    quiet = replace(
        activity,
        populations=tuple(replace(part, spikes=(0, 0), updates=(0, 0)) for part in activity.populations),
        connections=tuple(replace(part, events=(0, 0), macs=(0, 0), inputs=(0, 0)) for part in activity.connections),
    )
    for name in ("arith45_fp32", "truenorth28", "odin28"):
        assert joules(quiet, load(name)) == 0
    waiting = quiet.neuron_steps * LOIHI.energy["acc_neuron"].value * 1e-12
    assert joules(quiet, LOIHI) == pytest.approx(waiting)


@settings(max_examples=40, deadline=None)
@given(CHIPS, activities("a"), activities("b"))
def test_energy_is_additive_over_layers(profile: Profile, one: Activity, other: Activity) -> None:
    both = Activity(10, 2, one.populations + other.populations, one.connections + other.connections)
    parts = joules(one, profile, assumed=NEAR) + joules(other, profile, assumed=NEAR)
    whole = estimate(both, profile, assumed=NEAR)
    assert whole.dynamic.nominal == pytest.approx(parts)
    layers = sum(sum(band.nominal for band in terms.values()) for terms in whole.layers.values())
    assert layers == pytest.approx(whole.dynamic.nominal)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([ARITH, LOIHI, load("sram45_int8"), load("odin28")]), activities(), st.integers(1, 1000))
def test_energy_never_falls_when_a_count_grows(profile: Profile, activity: Activity, more: int) -> None:
    before = joules(activity, profile)

    def grow(parts: tuple[Any, ...], index: int, *names: str) -> tuple[Any, ...]:
        grown = {name: tuple(count + more for count in getattr(parts[index], name)) for name in names}
        return (*parts[:index], replace(parts[index], **grown), *parts[index + 1 :])

    for index in range(len(activity.populations)):
        for name in ("spikes", "updates"):
            populations = grow(activity.populations, index, name)
            assert joules(replace(activity, populations=populations), profile) >= before
    for index, connection in enumerate(activity.connections):
        names = ("macs",) if connection.element == "real" else ("events", "inputs")
        connections = grow(activity.connections, index, *names)
        assert joules(replace(activity, connections=connections), profile) >= before


@settings(max_examples=40, deadline=None)
@given(CHIPS, activities(), st.sampled_from(["synop", "mac", "acc_neuron", "upd_neuron", "msg_out", "hop"]))
def test_twice_the_coefficient_is_twice_its_term_and_no_other(profile: Profile, activity: Activity, name: str) -> None:
    before = estimate(activity, profile).terms
    if name not in before:
        return
    old = profile.energy[name]
    twice = replace(old, value=2 * old.value, low=2 * old.low, high=2 * old.high)
    after = estimate(activity, replace(profile, energy={**profile.energy, name: twice})).terms
    for term, band in before.items():
        assert after[term].nominal == (2 if term == name else 1) * band.nominal


@settings(max_examples=40, deadline=None)
@given(CHIPS, activities())
def test_the_nominal_value_lies_in_the_band(profile: Profile, activity: Activity) -> None:
    result = estimate(activity, profile)
    for band in (result.dynamic, result.total, *result.terms.values()):
        assert band.low <= band.nominal <= band.high


@settings(max_examples=40, deadline=None)
@given(CHIPS, activities())
def test_the_fast_score_is_that_of_the_estimate(profile: Profile, activity: Activity) -> None:
    result = estimate(activity, profile)
    assert joules(activity, profile) == pytest.approx(result.dynamic.nominal)
    if profile.power:
        assert joules(activity, profile, part="total") == pytest.approx(result.total.nominal)


@settings(max_examples=40, deadline=None)
@given(activities())
def test_an_all_in_figure_is_never_summed_with_static_power(activity: Activity) -> None:
    chip = replace(LOIHI, scope="all-in")
    result = estimate(activity, chip)
    assert result.static is None
    assert result.total == result.dynamic
    sums = replace(LOIHI, all_in={"synop": Coefficient(1e9, 1e9, 1e9, "measured", "a test")})
    assert estimate(activity, sums).total == estimate(activity, LOIHI).total


@given(st.floats(1e-6, 1e9))
def test_units_survive_a_round_trip(picojoules: float) -> None:
    chip = with_energy(ARITH, synop=picojoules)
    result = compose(Work({"only": {"synop": 1e12}}), chip)
    assert result.dynamic.nominal == pytest.approx(picojoules)  # 1e12 operations of x pJ are x joules
    milliwatts = replace(LOIHI, power={"static_chip": Coefficient(picojoules, picojoules, picojoules, "measured", "x")})
    static = compose(Work({}), milliwatts, busy=Band(1e3, 1e3, 1e3)).static
    assert static is not None
    assert static.nominal == pytest.approx(picojoules)  # x mW for 1000 s are x joules


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([ARITH, LOIHI]), activities())
def test_the_estimate_agrees_with_the_sum_written_out(profile: Profile, activity: Activity) -> None:
    price = {name: coefficient.value * 1e-12 for name, coefficient in profile.energy.items()}
    slow = sum(sum(connection.events) / 10 for connection in activity.connections) * price["synop"]
    slow += activity.macs * price.get("mac", 0.0)
    if profile is LOIHI:
        slow += activity.neuron_steps * price["acc_neuron"] + activity.updates * price["upd_neuron"]
        messages = sum(sum(part.inputs) for part in activity.connections if part.element == "binary") / 10
        slow += messages * (price["msg_out"] + 2 * price["hop"])
    assert estimate(activity, profile, assumed=NEAR).dynamic.nominal == pytest.approx(slow)


@pytest.mark.parametrize(
    ("profile", "most"),
    # every neuron is taken for active at every step, which matters where active updates have a price of their own
    [("arith45_fp32", 1.0), ("spinnaker2", 1.0), ("truenorth28", 1.0), ("loihi1_davies", 2.0)],
)
def test_expected_joules_of_one_network_are_those_of_its_counts(profile: str, most: float) -> None:
    price, measured = expected(profile=profile), objective(profile=profile)
    rng = np.random.default_rng(0)
    for _ in range(5):
        drawn = {**space.fill({}, rng), "channels": 4, "surrogate": "super", "surrogate_width": 1.0}
        kinds = {f"stage{stage}.kind": "lif_box" for stage in range(3)}
        genotype = space.canonical({**drawn, **kinds, "feedback": "none", "attention": "none"})
        torch.manual_seed(0)
        network = space.build(genotype, (1, 8, 8), 10).eval()
        relaxed = space.relax({name: genotype[name] for name in space.sizes}, (1, 8, 8), 10)
        take_weights(relaxed, genotype, network)
        data = torch.rand(1, 8, 1, 8, 8)
        counter = relaxed.network.counter()
        with torch.no_grad():
            _, activity = recorded(network, data)
            relaxed.network.eval()(data, one_hot(relaxed, genotype), counter=counter)
        measurement = Measurement({"accuracy": 0.5, "loss": 1.0}, 8, 0, activity.time_steps, False, activity)
        exact = measured.score(measurement)
        assert 0.999 * exact <= float(price(counter.counts())) <= 1.001 * most * exact


def test_expected_joules_follow_the_options_of_the_objective() -> None:
    one = torch.ones(())
    counts = ExpectedCounts(events=one, graded=0 * one, spikes=one, macs=0 * one, input_macs=one, time_steps=3 * one,
                            neuron_steps=0 * one, adaptive_steps=0 * one)  # fmt: skip
    once, every = (expected(profile="arith45_fp32", static_first=when) for when in ("once", "every-step"))
    mac = ARITH.energy["mac"].value
    assert float(every(counts) - once(counts)) == pytest.approx(2 * mac * 1e-12)
    near, far = (expected(profile="loihi1_davies", hops=hops) for hops in (1.0, 11.0))
    assert float(far(counts) - near(counts)) == pytest.approx(10 * LOIHI.energy["hop"].value * 1e-12)
    with pytest.raises(OptionError, match="static_first"):
        expected(profile="arith45_fp32", static_first="twice")


def test_expected_joules_of_adaptive_thresholds_are_refused_where_they_have_no_price() -> None:
    zero = torch.zeros(())
    nothing = ExpectedCounts(**dict.fromkeys(ExpectedCounts.__dataclass_fields__, zero))
    assert unpriced_kinds(expected(profile="loihi1_davies")) == ["analog", "alif"]
    assert unpriced_kinds(expected(profile="arith45_fp32")) == []
    price = expected(profile="sram45_int8")
    assert unpriced_kinds(price) == []
    assert float(price(replace(nothing, adaptive_steps=zero + 4))) == pytest.approx(4 * (0.2 + 0.05) * 1e-12)


def test_expected_joules_say_what_they_leave_out() -> None:
    assert expected(profile="loihi1_davies").uncounted == ()
    assert expected(profile="loihi1_davies", part="total").uncounted == ("static power",)
    assert expected(profile="sram45_int8").uncounted == ("accesses to memory",)
    assert expected(profile="odin28").uncounted == ("that a spike reads a full row of synapses, zeros included",)


PRICED = [file.stem for file in sorted(SHIPPED.glob("*.toml")) if file.stem not in ("loihi2", "speck2f")]
"""The profiles that have an energy."""


def pooling(pool: str, *, frames: bool) -> tuple[Network, torch.Tensor]:
    """Return a network that takes the maximum of spikes, by relays or by neurons, or of event frames; and its data."""
    draft = Draft((4, 2, 8, 8) if frames else (2, 8, 8), time_steps=4)
    source = "input"
    if not frames:
        convolution = Incoming("conv", ("input",), "conv", channels=4, kernel=3)
        source = draft.add("spikes", Dynamics("lif_box", v_th=0.4), incoming=[convolution])
    dynamics = Dynamics("relay") if pool == "max_pool" else Dynamics("integrate_and_fire", v_th=0.5)
    draft.add("pooled", dynamics, incoming=[Incoming("pool", (source,), pool, kernel=3, stride=2)])
    draft.add("readout", Dynamics("readout"), incoming=[Incoming("linear", ("pooled",), "linear", channels=3)])
    torch.manual_seed(0)
    network = Network(draft.finish())
    if pool == "pool":
        network.operations["pool"].gain = 9.0  # a sum, whose weights of 1 lift a neuron above its threshold
    return network, torch.rand(4 if frames else 1, 6, 2, 8, 8).mul(3).round()


@pytest.mark.parametrize("name", PRICED)
def test_relays_of_spikes_cost_what_neurons_cost_that_one_spike_fires(name: str) -> None:
    profile = load(name)
    counts = [recorded(*pooling(pool, frames=False))[1] for pool in ("max_pool", "pool")]
    assert counts[0].connections[1].events == counts[1].connections[1].events
    assert sum(counts[0].connections[1].events) > 0
    assert joules(counts[0], profile) == pytest.approx(joules(counts[1], profile), rel=1e-12)


def test_the_largest_of_graded_events_costs_arithmetic_and_has_no_price_on_a_chip_without() -> None:
    _, counts = recorded(*pooling("max_pool", frames=True))
    (compared,) = [edge for edge in counts.connections if edge.operation == "max_pool"]
    assert joules(counts, load("arith45_fp32")) > 4.6e-12 * sum(compared.graded) / counts.samples > 0
    for name in ("loihi1_davies", "truenorth28"):
        with pytest.raises(UnpriceableError, match=r"has no price for multiply-accumulates .* which pool would need"):
            joules(counts, load(name))


def adaptive() -> Activity:
    """Return the small network with thresholds that adapt in its hidden layer."""
    activity = small()
    return replace(activity, populations=(replace(activity.populations[0], kind="alif"), activity.populations[1]))


def test_an_adaptive_threshold_costs_a_decay_and_an_addition_a_step_and_an_addition_a_spike() -> None:
    chip = load("sram45_int8")
    plain, result = estimate(small(), chip), estimate(adaptive(), chip)
    more = {name: band.nominal - plain.terms.get(name, Band(0, 0, 0)).nominal for name, band in result.terms.items()}
    assert more.pop("mul") == pytest.approx(5 * 2 * 0.2e-12)
    assert more.pop("add") == pytest.approx((5 * 2 + 50 / 10) * 0.05e-12)
    assert not any(more.values())
    assert joules(adaptive(), ARITH) == joules(small(), ARITH)  # it ignores updates of neurons


@pytest.mark.parametrize("name", names(folder=SHIPPED))
def test_each_chip_prices_adaptive_thresholds_or_refuses_them_by_name(name: str) -> None:
    chip = load(name)
    if name in ("arith45_fp32", "sram45_int8", "seneca22", "gpu_degnan", "spinnaker1"):
        assert estimate(adaptive(), chip).dynamic.nominal >= estimate(small(), chip).dynamic.nominal
    elif has_energy(chip):
        with pytest.raises(UnpriceableError, match="as those of hidden do \\(kind alif\\)"):
            estimate(adaptive(), chip)
    if latency.has_time(chip) and name not in ("spinnaker1", "gpu_degnan"):
        with pytest.raises(UnpriceableError, match="kind alif"):
            latency.seconds(adaptive(), chip)
