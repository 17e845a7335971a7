"""Energy: hand calculations, what is left out, what cannot be priced, and properties that hold for all counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evonas.errors import ProfileError, RunFileError, UnpriceableError
from evonas.measurement import Activity, Connection, Measurement, Population
from evonas.objective import score
from objectives.energy import EnergyEstimate, estimate, objective
from objectives.profile import SHIPPED, Coefficient, Profile, load, names

ARITH = load("arith45_fp32")
LOIHI = load("loihi1_davies")
GROUPS = {"synapse": ("synop",), "soma": ("acc_neuron", "upd_neuron", "spike_out")}


def layer(name: str, **changes: Any) -> Population:
    """Return five LIF neurons with a synaptic current that did nothing for two steps."""
    return replace(Population(name, "lif", (5, 1, 1), 2, False, (0, 0), (0, 0)), **changes)


def edge(name: str, target: str, **changes: Any) -> Connection:
    """Return a connection behind binary spikes that delivered nothing for two steps."""
    shapes = ((4, 1, 1), (5, 1, 1), 1, 1, 0, 1, 20, 5, 4, 20)
    none = (0, 0)
    silent = Connection(name, ("hidden",), target, "linear", "binary", *shapes, False, none, none, none)
    return replace(silent, **changes)


def small(**changes: Any) -> Activity:
    """Return 10 samples, 2 steps: a static image, 5 LIF neurons and a readout of 2."""
    hidden = layer("hidden", spikes=(20, 30), updates=(40, 45))
    readout = layer("readout", kind="readout", shape=(2, 1, 1), state=1, updates=(15, 20))
    image = edge("image", "hidden", sources=("input",), element="real", static=True, macs=(600, 600))
    event = edge("event", "readout", events=(40, 60))
    return replace(Activity(10, 2, (hidden, readout), (image, event)), **changes)


def analog() -> Activity:
    """Return the small network with analog neurons in its hidden layer, whose outputs are real numbers."""
    activity = small()
    hidden = replace(activity.populations[0], kind="analog", state=0, static=True, updates=(0, 0))
    event = replace(activity.connections[1], element="real", events=(0, 0), macs=(80, 80), static=True)
    return replace(
        activity, populations=(hidden, activity.populations[1]), connections=(activity.connections[0], event)
    )


def joules(result: EnergyEstimate) -> dict[str, float]:
    return {name: band.nominal for name, band in result.terms.items() if band.nominal}


def text(result: EnergyEstimate) -> str:
    return "\n".join(result.uncounted)


def test_a_small_network_on_loihi_costs_what_the_hand_says() -> None:
    result = estimate(small(), LOIHI)
    # per sample: 10 events; 7 neurons x 2 steps; 12 active updates; 60 MACs of the image are left to the host
    expected = {"synop": 10 * 23.6e-12, "acc_neuron": 14 * 52e-12, "upd_neuron": 12 * 29e-12}
    assert joules(result) == pytest.approx(expected)
    assert result.total.nominal == pytest.approx(1312e-12)
    assert result.total.low == pytest.approx(1312e-12)
    assert result.total.high == pytest.approx(2624e-12)
    assert result.layers["hidden"] == pytest.approx({"acc_neuron": 520e-12, "upd_neuron": 246.5e-12})
    assert result.shares == pytest.approx({"hidden": 766.5 / 1312, "readout": 545.5 / 1312})
    assert result.evidence == {"synop": "simulated", "acc_neuron": "simulated", "upd_neuron": "derived"}


def test_a_small_network_in_the_arithmetic_convention_costs_what_the_hand_says() -> None:
    result = estimate(small(), ARITH)
    assert joules(result) == pytest.approx({"synop": 10 * 0.9e-12, "mac": 60 * 4.6e-12})
    assert result.total.low == pytest.approx(0.2 * 285e-12)
    assert result.total.high == pytest.approx(100 * 285e-12)
    assert (result.profile, result.scope) == ("arith45_fp32", "arithmetic-only")


def test_a_static_input_is_multiplied_once_or_at_every_step() -> None:
    assert joules(estimate(small(), ARITH))["mac"] == pytest.approx(60 * 4.6e-12)
    assert joules(estimate(small(), ARITH, static_first="every-step"))["mac"] == pytest.approx(120 * 4.6e-12)


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
    result = estimate(activity, ARITH, static_first="every-step")
    assert result.total.nominal * 1e3 == pytest.approx(millijoules, abs=rounding)


def counted(counts: Mapping[str, Any]) -> Activity:
    """Return one sample of one layer with the counts of a golden block."""
    steps = int(counts.get("T", 1))
    neurons = int(counts.get("NT", 0)) // steps
    only = layer("only", shape=(neurons, 1, 1), spikes=(int(counts.get("K", 0)),), updates=(int(counts.get("U", 0)),))
    return Activity(1, steps, (only,), (edge("in", "only", events=(int(counts["S"]),)),))


GOLDEN = [(load(name), block) for name in names(folder=SHIPPED) for block in load(name).golden]


def check_golden(profile: Profile, block: Mapping[str, Any]) -> None:
    result = estimate(counted(block), profile)
    for group, terms in GROUPS.items():
        if group in block["expect_mj"]:
            got = sum(result.terms[term].nominal for term in terms if term in result.terms) * 1e3
            assert got == pytest.approx(block["expect_mj"][group], rel=block["tol"])


def test_the_golden_blocks_of_the_shipped_profiles_hold() -> None:
    for profile, block in GOLDEN:
        if profile.rules["counts"] == "exact" and profile.composition == "additive":
            check_golden(profile, block)


def test_a_gesture_network_on_a_fitted_chip_costs_what_its_simulator_says() -> None:
    fitted = with_energy(LOIHI, synop=35.5, acc_neuron=51.2, upd_neuron=21.6, spike_out=69.3)
    counts = {"T": 1000, "S": 51549374, "NT": 18678000, "U": 15539753, "K": 365277}
    check_golden(fitted, {**counts, "expect_mj": {"synapse": 1.83000, "soma": 1.317286}, "tol": 1e-5})
    with pytest.raises(AssertionError):
        check_golden(fitted, {**counts, "expect_mj": {"soma": 1.32}, "tol": 1e-5})


@pytest.mark.parametrize(("events", "millijoules"), [(51_200_000, 1.448), (57_600_000, 1.599)])
def test_nearest_neighbours_on_loihi_lie_in_the_known_band_above_the_measured_energy(
    events: int, millijoules: float
) -> None:
    result = estimate(counted({"T": 60, "NT": 4_608_000, "S": events}), LOIHI)
    assert result.total.nominal * 1e3 == pytest.approx(millijoules, abs=5e-4)
    assert 1.08 < result.total.nominal * 1e3 / 1.33 < 1.21  # measured: 1.33 mJ


def with_energy(profile: Profile, **values: float | None) -> Profile:
    """Return the profile with other coefficients; None takes one away."""
    energy = dict(profile.energy)
    for name, value in values.items():
        energy.pop(name, None)
        if value is not None:
            energy[name] = Coefficient(value, value, value, "fitted", "a test")
    return replace(profile, energy=energy)


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
    for word in ("neuron updates", "active neurons", "spikes sent", "MACs of a static first layer"):
        assert word not in text(estimate(quiet, with_energy(LOIHI, acc_neuron=None, upd_neuron=None)))


def test_messages_hops_and_static_power_are_reported_and_no_hop_is_charged_per_synaptic_event() -> None:
    result = estimate(small(), LOIHI)
    assert not {"hop", "msg_out", "reset"} & set(result.terms)
    assert result.terms["synop"].nominal / 10 == pytest.approx(23.6e-12)
    for topic in ("messages between cores", "hops between cores", "static power"):
        assert topic in text(result)


def test_the_reset_of_the_chip_is_counted_only_when_it_is_asked_for() -> None:
    without = estimate(small(), LOIHI)
    once = estimate(small(), LOIHI, reset="per-sample")
    assert "reset before a sample (counted on request)" in text(without)
    assert once.total.nominal - without.total.nominal == pytest.approx(5.94e-6)
    assert "reset" not in text(once)
    with pytest.raises(ProfileError, match=r"arith45_fp32 has no energy\.reset"):
        estimate(small(), ARITH, reset="per-sample")


def test_a_price_per_time_step_is_paid_once_a_step() -> None:
    result = estimate(small(), with_energy(LOIHI, step=100.0))
    assert result.terms["step"].nominal == pytest.approx(200e-12)
    assert "time steps" not in text(result)


def test_all_in_and_alternative_prices_are_never_summed() -> None:
    huge = {"synop": Coefficient(1e9, 1e9, 1e9, "measured", "a test"), "mac": Coefficient(1, 1, 1, "measured", "x")}
    rich = replace(LOIHI, all_in=huge, energy_alternative=huge)
    assert estimate(small(), rich) == estimate(small(), LOIHI)
    poor = replace(with_energy(LOIHI, synop=None), all_in=huge, energy_alternative=huge)
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
    assert result.counts["hidden"] == {"spike_out": 2.0, "mac": 60.0}
    assert result.counts["readout"]["acc_neuron"] == 4


def test_a_moving_picture_is_multiplied_at_every_step() -> None:
    image = replace(small().connections[0], static=False)
    result = estimate(small(connections=(image,)), ARITH)
    assert result.counts["hidden"]["mac"] == 120


def test_a_static_first_layer_on_loihi_is_work_of_the_host_and_uncounted() -> None:
    result = estimate(small(), LOIHI)
    assert "mac" not in result.terms
    assert "MACs of a static first layer (the host computes it): 60" in text(result)
    every_step = estimate(small(), LOIHI, static_first="every-step")
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


def test_graded_events_need_a_price_of_their_own() -> None:
    activity = small()
    graded = replace(activity.connections[1], element="graded", events=(0, 0), graded=(40, 60))
    activity = replace(activity, connections=(activity.connections[0], graded))
    with pytest.raises(UnpriceableError, match=r"graded events \(energy.synop_graded\)"):
        estimate(activity, LOIHI)
    result = estimate(activity, with_energy(LOIHI, synop_graded=30.0))
    assert result.terms["synop_graded"].nominal == pytest.approx(300e-12)


def test_everything_that_cannot_be_priced_is_said_at_once() -> None:
    edges = tuple(edge(f"e{index}", "hidden", events=(1, 1)) for index in range(5))
    real = edge("r", "hidden", element="real", macs=(1, 1))
    with pytest.raises(UnpriceableError) as caught:
        estimate(Activity(1, 2, (layer("hidden"),), (*edges, real)), with_energy(LOIHI, synop=None))
    assert "e0, e1, e2 and 2 more" in str(caught.value)
    assert "multiply-accumulates" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"composition": "power-time"}, "no latency model yet"),
        ({"rules": {"counts": "dense"}}, "counts operations as dense"),
        ({"rules": {"counts": "crossbar-full"}}, "counts operations as crossbar-full"),
    ],
)
def test_a_profile_that_needs_another_model_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        estimate(small(), replace(LOIHI, **changes))


def measured(activity: Activity) -> Measurement:
    return Measurement(0.9, 0.2, 10, 40, 2, False, activity)


def test_the_objective_scores_a_measurement_and_says_what_it_leaves_out() -> None:
    energy = objective(profile="loihi1_davies")
    assert (energy.name, energy.unit, energy.direction, energy.log) == ("energy", "J/sample", "min", True)
    assert energy.profile == "loihi1_davies"
    assert energy.score(measured(small())) == pytest.approx(1312e-12)
    assert any("messages between cores" in entry for entry in energy.uncounted)
    assert not score(measured(analog()), [energy]).is_feasible


def test_the_options_of_the_objective_reach_the_estimate() -> None:
    every_step = objective(profile="arith45_fp32", static_first="every-step")
    assert every_step.score(measured(small())) == pytest.approx(561e-12)
    with_reset = objective(profile="loihi1_davies", reset="per-sample")
    assert with_reset.score(measured(small())) == pytest.approx(5.94e-6 + 1312e-12)
    assert not any("reset" in entry for entry in with_reset.uncounted)


def test_wrong_options_are_refused_together() -> None:
    with pytest.raises(RunFileError) as caught:
        objective(profile="arith45_fp32", static_first="twice", reset=True)  # type: ignore[arg-type]
    assert len(caught.value.faults) == 2
    assert "static_first: got 'twice', expected one of once, every-step." in caught.value.faults


def test_an_objective_with_a_file_of_ones_own_is_scored(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    source = (SHIPPED / "arith45_fp32.toml").read_text(encoding="utf-8")
    path.write_text(source.replace('id = "arith45_fp32"', 'id = "mine"'), encoding="utf-8")
    assert objective(profile=str(path)).profile == "mine"


COUNTS = st.tuples(st.integers(0, 10**9), st.integers(0, 10**9))


@st.composite
def activities(draw: st.DrawFn, prefix: str = "") -> Activity:
    """Return a feed-forward network of 0 to 4 spiking layers, the first perhaps behind a static image."""
    populations, connections = [], []
    for index in range(draw(st.integers(0, 4))):
        name = f"{prefix}{index}"
        shape = (draw(st.integers(1, 64)), draw(st.integers(1, 8)), 1)
        populations.append(layer(name, shape=shape, spikes=draw(COUNTS), updates=draw(COUNTS)))
        if index == 0 and draw(st.booleans()):
            image = {"sources": ("input",), "element": "real", "static": True, "macs": draw(COUNTS)}
            connections.append(edge(f"to {name}", name, **image))
        else:
            connections.append(edge(f"to {name}", name, events=draw(COUNTS)))
    return Activity(10, 2, tuple(populations), tuple(connections))


CHIPS = st.sampled_from([ARITH, LOIHI])


@given(CHIPS)
def test_without_neurons_and_events_nothing_costs_anything(profile: Profile) -> None:
    result = estimate(Activity(10, 2, (), ()), profile)
    assert (result.total.low, result.total.nominal, result.total.high) == (0, 0, 0)
    assert result.shares == {}


@given(CHIPS, activities("a"), activities("b"))
def test_energy_is_additive_over_layers(profile: Profile, one: Activity, other: Activity) -> None:
    both = Activity(10, 2, one.populations + other.populations, one.connections + other.connections)
    parts = estimate(one, profile).total.nominal + estimate(other, profile).total.nominal
    whole = estimate(both, profile)
    assert whole.total.nominal == pytest.approx(parts)
    assert sum(sum(terms.values()) for terms in whole.layers.values()) == pytest.approx(whole.total.nominal)


@given(CHIPS, activities(), st.data())
def test_energy_never_falls_when_a_count_grows(profile: Profile, activity: Activity, data: st.DataObject) -> None:
    before = estimate(activity, profile).total
    more = data.draw(st.integers(1, 1000))
    for index, population in enumerate(activity.populations):
        for grown in (
            replace(population, spikes=tuple(count + more for count in population.spikes)),
            replace(population, updates=tuple(count + more for count in population.updates)),
        ):
            populations = (*activity.populations[:index], grown, *activity.populations[index + 1 :])
            assert estimate(replace(activity, populations=populations), profile).total.nominal >= before.nominal
    for index, connection in enumerate(activity.connections):
        busier = (
            replace(connection, macs=tuple(count + more for count in connection.macs))
            if connection.element == "real"
            else replace(connection, events=tuple(count + more for count in connection.events))
        )
        edges = (*activity.connections[:index], busier, *activity.connections[index + 1 :])
        assert estimate(replace(activity, connections=edges), profile).total.nominal >= before.nominal


@given(CHIPS, activities(), st.sampled_from(["synop", "mac", "acc_neuron", "upd_neuron"]))
def test_twice_the_coefficient_is_twice_its_term_and_no_other(profile: Profile, activity: Activity, name: str) -> None:
    before = estimate(activity, profile).terms
    if name not in before:
        return
    old = profile.energy[name]
    twice = replace(old, value=2 * old.value, low=2 * old.low, high=2 * old.high)
    after = estimate(activity, replace(profile, energy={**profile.energy, name: twice})).terms
    for term, band in before.items():
        assert after[term].nominal == (2 if term == name else 1) * band.nominal


@given(CHIPS, activities())
def test_the_nominal_value_lies_in_the_band(profile: Profile, activity: Activity) -> None:
    result = estimate(activity, profile)
    for band in (result.total, *result.terms.values()):
        assert band.low <= band.nominal <= band.high


@given(CHIPS, activities())
def test_the_estimate_agrees_with_the_sum_written_out(profile: Profile, activity: Activity) -> None:
    price = {name: coefficient.value * 1e-12 for name, coefficient in profile.energy.items()}
    slow = sum(sum(connection.events) / 10 for connection in activity.connections) * price["synop"]
    slow += activity.macs * price.get("mac", 0.0)
    if profile is LOIHI:
        slow += activity.neuron_steps * price["acc_neuron"] + activity.updates * price["upd_neuron"]
    assert estimate(activity, profile).total.nominal == pytest.approx(slow)
