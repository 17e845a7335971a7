"""Coverage: which energy can be computed from a chip's profile, and what it counts, leaves out and assumes.

An energy is dynamic, or the total, which adds static power. The part that stands for a chip where none is named is the
dynamic one where the profile prices the work of networks: synaptic operations or the power of working cores. Where it
prices less, messages alone for instance, but gives power and time, it is the total: a sum that leaves out most of the
chip is no figure to search by.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from evonas.chips import latency
from evonas.chips.deployment import ASSUMED, Deployment
from evonas.chips.energy_sum import UNUSED, has_static_power, is_power_time
from evonas.chips.operation_counts import HOST_MACS
from evonas.chips.profile import Coefficient, Profile
from evonas.chips.units import VISITED
from evonas.errors import ProfileError

Part = Literal["dynamic", "total"]

_SYNAPTIC = ("synop", "synop_conv", "mac")

_TEXTS = {
    "synop": "synaptic events",
    "acc_neuron": "neuron updates at every step",
    "upd_neuron": "updates of active neurons",
    "spike_out": "spikes sent",
    "step": "time steps",
    "msg_out": "messages between cores",
    "hop": "hops between cores",
}
_WORK_OF_CORES = ("synop", "acc_neuron", "upd_neuron", "spike_out", "step")

_POWER = {
    "io_idle": "idle power of the pads",
    "pixel_idle": "idle power of the pixels",
    "host_active": "power of the host (counted on request)",
}


def gaps(profile: Profile, assumed: Deployment, *, part: str = "dynamic") -> dict[str, str]:
    """Return what an estimate on this chip leaves out, as texts by coefficient or topic."""
    missing = "the profile has no energy."
    left_out: dict[str, str] = {}
    is_held = is_power_time(profile) and "dynamic_run" in profile.power  # what cores do is in their power
    if not is_held and profile.rules["counts"] != "dense":
        left_out = {name: f"{text} ({missing}{name})" for name, text in _TEXTS.items() if name not in profile.energy}
    if is_power_time(profile) and not is_held:
        left_out |= _of_cores(profile, left_out)
    if not is_power_time(profile) and "dynamic_run" in profile.power:
        left_out["dynamic_run"] = "power of working cores (counted where energy is power times time)"
    if profile.rules.get("neuron_update_ops") == "ignored":
        for name in ("acc_neuron", "upd_neuron"):
            left_out[name] = f"{_TEXTS[name]} (ignored by the convention of the profile)"
        if "add" in profile.energy:
            left_out["add"] = "bias additions (ignored by the convention of the profile)"
        if "mul" in profile.energy:
            left_out["mul"] = "decays of adaptive thresholds (ignored by the convention of the profile)"
    if assumed.reset == "not-counted":
        left_out["reset"] = "reset before a sample (" + (
            "counted on request)" if "reset" in profile.energy else f"{missing}reset)"
        )
    if "offchip_spike" in profile.energy:
        left_out["offchip_spike"] = "spikes between chips (all layers are taken to be on one)"
    if "mac" not in profile.energy:
        left_out[HOST_MACS] = "MACs of a static first layer (the host computes it)"
    if not profile.memory and profile.scope == "arithmetic-only":
        left_out["memory"] = "memory accesses"
    return {**left_out, **_of_power(profile, assumed, part)}


def _of_cores(profile: Profile, left_out: Mapping[str, str]) -> dict[str, str]:
    """Return the work of cores that has no price, on a chip whose profile has no power of working cores."""
    if "active_core" not in profile.power:
        return {"dynamic_run": "power of working cores beyond idle ones (the profile has no power.dynamic_run)"}
    return {
        name: f"{_TEXTS[name]} (the profile has no energy.{name}; the total holds the power of working cores)"
        for name in _WORK_OF_CORES
        if name in left_out
    }


def _of_power(profile: Profile, assumed: Deployment, part: str) -> dict[str, str]:
    if profile.scope == "all-in":
        return {}
    if not profile.power:
        return {"power": "static power (none is given)"}
    if part == "dynamic":
        return {"power": "static power (it is in the total)"}
    left_out = {
        name: text
        for name, text in _POWER.items()
        if name in profile.power and not (name == "host_active" and assumed.host == "active")
    }
    if "board_idle" in profile.power:
        left_out["board_idle"] = "idle chips of the board that the network does not use"
    return left_out


def notes(profile: Profile, assumed: Deployment) -> tuple[str, ...]:
    """Return what an estimate on this chip assumes, as sentences."""
    assumptions = []
    if any(name in profile.energy for name in ("msg_out", "hop")):
        hops = "2 hops a message" if assumed.hops is None else f"{assumed.hops:g} hops a message"
        assumptions.append(f"Messages follow from a placement by layers, {hops} unless many tiles are used.")
    if "msg_out" in profile.energy and profile.energy["msg_out"].per == VISITED:
        assumptions.append(
            "Messages are paid once on each chip that sends or needs them, not on those that they only pass."
        )
    if "synop_conv" in profile.energy:
        assumptions.append(
            "Weights of convolutions are shared and priced so."
            if assumed.weights == "shared"
            else "Weights of convolutions are unshared, at the price of any synapse."
        )
    if "synop_graded" not in profile.energy and not profile.fit.get("graded_spikes", False):
        assumptions.append("Graded events are sent as so many unit events.")
    return tuple(assumptions)


def coverage(profile: Profile) -> dict[str, Any]:
    """Return the description of a chip as a JSON object."""
    ignored = set(gaps(profile, ASSUMED)) - {"reset"}  # on request
    energy = {
        name: {**_as_json(price), "counted": price.inside is None and name not in {*UNUSED, *ignored}}
        for name, price in profile.energy.items()
    }
    never = [f"all_in.{name}" for name in profile.all_in]
    never += [f"energy_alternative.{name}" for name in profile.energy_alternative]
    has_time = latency.has_time(profile)
    return {
        "id": profile.id,
        "name": profile.name,
        "class": profile.family,
        "scope": profile.scope,
        "composition": profile.composition,
        "part": headline(profile) if has_energy(profile) else None,
        "counts": profile.rules["counts"],
        "energy": energy,
        "paid_per": {name: price.per for name, price in profile.energy.items()},
        "power": {name: _as_json(price) for name, price in profile.power.items()},
        "memory": bool(profile.memory),
        "never_summed": never,
        "not_counted": list(gaps(profile, ASSUMED, part="total").values()),
        "latency": profile.time["model"] if has_time else None,
        "latency_not_counted": list(latency.gaps(profile)) if has_time else [],
        "fit": sorted(profile.fit),
        "uncertainty": [profile.uncertainty.low, profile.uncertainty.high] if profile.uncertainty else None,
        "sources": dict(profile.references),
    }


def _as_json(price: Coefficient) -> dict[str, Any]:
    return {
        "value": price.value,
        "low": price.low,
        "high": price.high,
        "kind": price.kind,
        "source": price.source,
    }


def headline(profile: Profile) -> Part:
    """Return the part of the energy that stands for the chip where no part is named.

    It is `"dynamic"` where the profile prices synaptic operations, or gives the power of working cores of a chip whose
    energy is power times time; else `"total"`, where power and time are known.
    """
    has_operations = any(name in profile.energy for name in _SYNAPTIC)
    has_work = is_power_time(profile) and "dynamic_run" in profile.power
    return "total" if has_static(profile) and not (has_operations or has_work) else "dynamic"


def has_static(profile: Profile) -> bool:
    """Return whether the static energy is known: the profile has power and enough for the time of a sample."""
    return has_static_power(profile) and latency.has_time(profile)


def has_energy(profile: Profile) -> bool:
    """Return whether any energy can be computed on this chip."""
    try:
        check_energy(profile, ASSUMED)
    except ProfileError:
        return False
    return True


def check_energy(profile: Profile, assumed: Deployment) -> None:
    """Check that energy can be computed on this chip.

    Raises:
        ProfileError: If it cannot.
    """
    if is_power_time(profile):
        if not has_static(profile):
            raise ProfileError(
                f"{profile.id} composes energy as power times time and {without_static(profile)}. Fill it in, in a "
                "profile of your own, or choose another chip."
            )
    elif profile.energy.keys().isdisjoint(_SYNAPTIC):
        raise ProfileError(
            f"{profile.id} has no energy of any operation: none is published, which is not the same as none. Use it "
            "for fit and latency, and another profile for energy."
        )
    if assumed.reset == "per-sample" and "reset" not in profile.energy:
        raise ProfileError(f"{profile.id} has no energy.reset: a reset per sample cannot be counted there.")


def check_searchable(profile: Profile, assumed: Deployment, *, part: Part) -> None:
    """Check that this part of the energy has a value for spiking networks at all, before a search is run for it.

    Raises:
        ProfileError: If it has no value.
    """
    check_energy(profile, assumed)
    check_part(profile, part)
    is_dense = profile.rules["counts"] == "dense"
    if not is_dense and not is_power_time(profile) and profile.energy.keys().isdisjoint(("synop", "synop_conv")):
        raise ProfileError(
            f"{profile.id} has no energy.synop, so that no spiking network has an energy there. Fill it in, in a "
            "profile of your own, or choose another chip."
        )


def check_part(profile: Profile, part: Part) -> None:
    """Check that this part of the energy can be computed.

    Raises:
        ProfileError: If the part is the total, and the profile says too little of power or time.
    """
    if part == "total" and not has_static(profile):
        raise ProfileError(f'{profile.id} has no total energy: it {without_static(profile)}. Use part = "dynamic".')


def without_static(profile: Profile) -> str:
    """Return why the static energy is unknown, as the end of a sentence; empty where it is known."""
    if profile.scope == "all-in":
        return "has figures that hold everything already (profile.scope = all-in)"
    lacking = [] if has_static_power(profile) else ["power.static_chip"]
    lacking += [f"time.{name}" for name in latency.lacking(profile)] if profile.time else ["[time]"]
    return f"gives no power or no time of a sample ({', '.join(lacking)})" if lacking else ""
