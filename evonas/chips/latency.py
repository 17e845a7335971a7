"""Seconds per sample on a chip, from the loads of its cores at every time step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from evonas.chips.band import Band, End
from evonas.chips.deployed_network import DeployedNetwork
from evonas.chips.deployment import ASSUMED, Deployment
from evonas.chips.operation_counts import check_possible
from evonas.chips.profile import Profile
from evonas.chips.time_models import barrier, cycles, event, roofline, ticks
from evonas.errors import ProfileError
from evonas.measurement import Activity

_MODELS: Mapping[str, Callable[[DeployedNetwork, End], list[float]]] = {
    "async-barrier": barrier,
    "tick": ticks,
    "tick+cycles": ticks,
    "cycles": cycles,
    "event": event,
    "roofline": roofline,
}
_NEEDED = {
    "async-barrier": ("synop", "acc_neuron", "sync_by_tiles"),
    "tick": ("tick_us",),
    "tick+cycles": ("tick_us", "cyc", "clock_mhz_max"),
    "cycles": ("cycles_per_synop", "clock_mhz"),
    "event": ("event_layer_us",),
    "roofline": ("peak_ops_per_s", "bytes_per_s"),
}
_WISHED = {
    "async-barrier": ("upd_neuron", "spike_out", "msg_out", "msg_in"),
    "tick": ("pipeline_ticks_per_layer",),
    "tick+cycles": ("pipeline_ticks_per_layer",),
    "cycles": ("cycles_per_spike", "cycles_per_tick_leak"),
    "event": (),
    "roofline": ("launch_us",),
}
_TEXTS = {
    "upd_neuron": "updates of active neurons",
    "spike_out": "spikes sent",
    "msg_out": "messages sent",
    "msg_in": "messages received",
    "pipeline_ticks_per_layer": "ticks until a spike has passed all layers",
    "cycles_per_spike": "cycles of a spike",
    "cycles_per_tick_leak": "cycles of the leak at every step",
    "launch_us": "launches of the layers",
}


@dataclass(frozen=True)
class LatencyEstimate:
    """The time of a sample, as far as it can be computed from the profile.

    Attributes:
        profile: Id of the profile.
        model: Its model of time.
        seconds: From the first input of a sample to its answer (`event`: from the last input).
        busy: Seconds for which the sample occupies the chip, during which static power is paid.
        parts: Nominal seconds of each time step (`cycles`: of the sample, `roofline`: of each layer).
        uncounted: What takes time and is not in the profile, as texts for people.
    """

    profile: str
    model: str
    seconds: Band
    busy: Band
    parts: tuple[float, ...]
    uncounted: tuple[str, ...]


def seconds(activity: Activity, profile: Profile, *, assumed: Deployment = ASSUMED) -> float:
    """Return the nominal seconds of a sample: the same as `estimate` does, several times as fast.

    Raises:
        UnpriceableError: If the chip cannot do what the network needs, or not in the time that it has for it.
        ProfileError: If the profile says too little of time.
    """
    check_time(profile)
    return sum(_parts(_feasible(activity, profile, assumed)))


def estimate(activity: Activity, profile: Profile, *, assumed: Deployment = ASSUMED) -> LatencyEstimate:
    """Return how long a sample takes.

    Raises:
        UnpriceableError: If the chip cannot do what the network needs, or not in the time that it has for it.
        ProfileError: If the profile says too little of time.
    """
    check_time(profile)
    deployed = _feasible(activity, profile, assumed)
    parts = _parts(deployed)
    band = Band(sum(_parts(deployed, "low")), sum(parts), sum(_parts(deployed, "high")))
    waiting = _waiting(deployed)
    occupied = band + Band(waiting, waiting, waiting)
    return LatencyEstimate(profile.id, profile.time["model"], band, occupied, tuple(parts), gaps(profile))


def busy(deployed: DeployedNetwork) -> Band:
    """Return the seconds for which a sample occupies the chip; raises what `busy_seconds` does."""
    return Band(*[busy_seconds(deployed, end) for end in ("low", "value", "high")])


def busy_seconds(deployed: DeployedNetwork, end: End = "value") -> float:
    """Return the seconds for which a sample occupies the chip, at one end of their band.

    Raises:
        UnpriceableError: If the chip cannot do it in the time that it has for it.
        ProfileError: If the profile says too little of time.
    """
    check_time(deployed.profile)
    return sum(_parts(deployed, end)) + _waiting(deployed)


def _parts(deployed: DeployedNetwork, end: End = "value") -> list[float]:
    """Return the seconds of each part of a sample, at one end of their bands."""
    return _MODELS[deployed.profile.time["model"]](deployed, end)


def _waiting(deployed: DeployedNetwork) -> float:
    """Return the seconds in which a chip without time steps waits for the events of a sample."""
    return deployed.activity.seconds if deployed.profile.time["model"] == "event" else 0.0


def has_time(profile: Profile) -> bool:
    """Return whether the profile says enough for a latency."""
    return bool(profile.time) and not lacking(profile)


def lacking(profile: Profile) -> list[str]:
    """Return the keys of `[time]` that the profile's model of time needs and does not have."""
    return [key for key in _NEEDED.get(profile.time.get("model", ""), ()) if key not in profile.time]


def gaps(profile: Profile) -> tuple[str, ...]:
    """Return what a latency on this chip leaves out, as texts for people."""
    model = profile.time.get("model", "")
    missing = [f"{_TEXTS[key]} (the profile has no time.{key})" for key in _WISHED.get(model, ())
               if key not in profile.time]  # fmt: skip
    if model == "async-barrier":
        missing.append("hops of messages, and their waiting for each other")
        missing.append("exchange with a host, which may take 300 us a step")
    if model == "tick" and not any(key in profile.time for key in ("synop", "acc_neuron")):
        missing.append("whether the work of a core fits into a tick (the profile has no times of operations)")
    return tuple(missing)


def check_time(profile: Profile) -> None:
    """Check that the profile says enough of time.

    Raises:
        ProfileError: If it does not.
    """
    if not profile.time:
        raise ProfileError(f"{profile.id} has no [time]: nothing can be said about its latency. Choose another chip.")
    missing = lacking(profile)
    if missing:
        raise ProfileError(
            f"{profile.id} has the time model {profile.time['model']} without {', '.join(missing)}, which it needs. "
            "Fill in what the machine at hand can do, in a profile of your own."
        )


def _feasible(activity: Activity, profile: Profile, assumed: Deployment) -> DeployedNetwork:
    check_possible(activity, profile)  # what the chip cannot do has no time either
    return DeployedNetwork(activity, profile, assumed)
