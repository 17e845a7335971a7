"""The parts of an energy: dynamic and total, which of them a chip's profile can tell, and which stands for the chip.

The figure that stands for the chip where nobody asks for a part is the dynamic energy where the profile prices what
networks do, synaptic operations or the power of working cores. Where it prices less than that, messages alone for
instance, but gives power and time, it is the total: a sum that leaves out most of the chip is no figure to search by.
"""

from __future__ import annotations

from typing import Literal

from evonas.chips import latency
from evonas.chips.deployment import ASSUMED, Deployment
from evonas.chips.energy_sum import is_power_time
from evonas.chips.profile import Profile
from evonas.chips.static_power import has_static_power
from evonas.errors import ProfileError

Part = Literal["dynamic", "total"]

_SYNAPTIC = ("synop", "synop_conv", "mac")


def headline(profile: Profile) -> Part:
    """Return the part of the energy that stands for the chip where nobody asks for one.

    It is `"dynamic"` where the profile prices synaptic operations, or gives the power of working cores of a chip whose
    energy is power times time; else `"total"`, as far as power and time are given.
    """
    has_operations = any(name in profile.energy for name in _SYNAPTIC)
    has_work = is_power_time(profile) and "dynamic_run" in profile.power
    return "total" if has_static(profile) and not (has_operations or has_work) else "dynamic"


def has_static(profile: Profile) -> bool:
    """Return whether the static part of the energy can be told: the profile gives power and the time of a sample."""
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
        ProfileError: If it has none.
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
    """Check that this part of the energy can be told.

    Raises:
        ProfileError: If the total is asked for and the profile says too little of power or time.
    """
    if part == "total" and not has_static(profile):
        raise ProfileError(f'{profile.id} has no total energy: it {without_static(profile)}. Use part = "dynamic".')


def without_static(profile: Profile) -> str:
    """Return why the static part of the energy cannot be told, as the end of a sentence; empty where it can."""
    if profile.scope == "all-in":
        return "has figures that hold everything already (profile.scope = all-in)"
    lacking = [] if has_static_power(profile) else ["power.static_chip"]
    lacking += [f"time.{name}" for name in latency.lacking(profile)] if profile.time else ["[time]"]
    return f"gives no power or no time of a sample ({', '.join(lacking)})" if lacking else ""
