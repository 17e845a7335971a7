"""Parts of an energy: which one stands for a chip, what is left out of each, and both side by side."""

from __future__ import annotations

from dataclasses import replace

import pytest
from counted import analog, small, with_energy

from evonas.chips import energy
from evonas.chips.coverage import coverage, gaps, has_static, headline
from evonas.chips.deployment import ASSUMED
from evonas.chips.energy_sum import UNUSED
from evonas.chips.profile import SHIPPED, load, names
from evonas.chips.units import ENERGY
from evonas.errors import ProfileError
from evonas.measurement import Measurement
from objectives.energy import objective

HAVING_ENERGY = [name for name in names(folder=SHIPPED) if coverage(load(name))["part"]]
MEASURED = Measurement({"accuracy": 0.9, "loss": 0.2}, 10, 40, 2, False, small())


def test_a_chip_that_prices_messages_alone_is_judged_by_its_total() -> None:
    chip = load("spinnaker1")
    result = energy.estimate(small(), chip)
    assert headline(chip) == "total"
    assert result.dynamic.nominal < 1e-3 * result.total.nominal
    made = objective(profile="spinnaker1")
    assert made.part == "total"
    assert made.score(MEASURED) == pytest.approx(result.total.nominal)
    asked = objective(profile="spinnaker1", part="dynamic")
    assert (asked.part, asked.score(MEASURED)) == ("dynamic", pytest.approx(result.dynamic.nominal))


@pytest.mark.parametrize("name", sorted(set(HAVING_ENERGY) - {"spinnaker1"}))
def test_a_chip_that_prices_what_networks_do_is_judged_by_that(name: str) -> None:
    assert headline(load(name)) == "dynamic"
    assert objective(profile=name).score(MEASURED) == objective(profile=name, part="dynamic").score(MEASURED)


def test_the_part_that_stands_for_a_chip_follows_from_what_its_profile_prices() -> None:
    chip = load("spinnaker1")
    assert headline(with_energy(chip, synop=8000.0)) == "dynamic"
    running = {**chip.power, "dynamic_run": chip.power["active_core"]}
    assert headline(replace(chip, power=running)) == "dynamic"
    assert headline(replace(chip, time={})) == "dynamic", "a total that nobody can tell stands for nothing"
    xylo = load("xylo_a2")
    assert headline(replace(xylo, power={"static_chip": xylo.power["static_chip"]})) == "total"


@pytest.mark.parametrize("part", ["dynamic", "total"])
@pytest.mark.parametrize("name", HAVING_ENERGY)
def test_whatever_a_network_does_is_priced_or_named_as_left_out(name: str, part: str) -> None:
    chip = load(name)
    if chip.rules["counts"] == "dense" or (part == "total" and not has_static(chip)):
        return
    left_out = gaps(chip, ASSUMED, part=part)
    is_held = chip.composition == "power-time" and "dynamic_run" in chip.power
    for term in ("synop", "acc_neuron", "upd_neuron", "spike_out", "msg_out", "hop", "step"):
        counted = term in chip.energy and chip.rules.get("neuron_update_ops") != "ignored"
        assert is_held or counted or term in chip.energy or term in left_out, term
    assert set(ENERGY) >= {*chip.energy, *UNUSED}
    assert ("power" in left_out) == (part == "dynamic" and chip.scope != "all-in")


def test_what_working_cores_do_without_a_price_is_named_in_the_dynamic_and_the_total_energy() -> None:
    for part in ("dynamic", "total"):
        told = "; ".join(objective(profile="spinnaker1", part=part).uncounted)  # type: ignore[arg-type]
        for what in (
            "synaptic events",
            "neuron updates at every step",
            "updates of active neurons",
            "hops between cores",
        ):
            assert what in told, part
    counted = energy.estimate(small(), load("spinnaker1")).uncounted
    assert any(text.startswith("synaptic events") and text.endswith(": 10") for text in counted)


@pytest.mark.parametrize("name", [name for name in HAVING_ENERGY if has_static(load(name))])
def test_both_parts_stand_side_by_side_where_power_and_time_are_published(name: str) -> None:
    result = energy.estimate(small(), load(name))
    for part in ("dynamic", "total"):
        made = objective(profile=name, part=part)  # type: ignore[arg-type]
        assert made.part == part
        assert made.parts is not None
        both = made.parts(MEASURED)
        assert both == {"dynamic": result.dynamic.nominal, "total": result.total.nominal}
        assert both[part] == made.score(MEASURED)


def test_where_no_total_can_be_told_there_are_no_parts() -> None:
    made = objective(profile="arith45_fp32")
    assert (made.part, made.parts) == (None, None)


def test_a_total_that_is_too_late_is_none_beside_a_dynamic_energy() -> None:
    chip = load("truenorth28")
    slow = replace(chip, time={**chip.time, "synop": 300_000.0})
    assert energy.parts(small(), slow) == {"dynamic": energy.joules(small(), slow), "total": None}


def test_a_wrong_part_is_refused() -> None:
    with pytest.raises(Exception, match="part: got 'static', expected one of dynamic, total"):
        objective(profile="loihi1_davies", part="static")  # type: ignore[arg-type]
    with pytest.raises(ProfileError, match=r"arith45_fp32 has no total energy: it gives no power or no time"):
        energy.joules(analog(), load("arith45_fp32"), part="total")
