"""Power that flows whether or not anything happens: watts of the chips, cores, clock and host that are occupied."""

from __future__ import annotations

from evonas.chips.band import at
from evonas.chips.deployment import Deployment
from evonas.chips.placement import Placement
from evonas.chips.profile import Profile

_MILLI = 1e-3
_STATIC = ("static_chip", "active_core", "board_idle", "clk_mw_per_mhz")


def has_static_power(profile: Profile) -> bool:
    """Return whether the profile gives power that flows in any case and that its coefficients do not hold already."""
    return profile.scope != "all-in" and any(name in profile.power for name in _STATIC)


def static_watts(profile: Profile, *, placement: Placement, assumed: Deployment) -> float:
    """Return the static power in watts; 0 for a chip whose coefficients hold everything already."""
    if profile.scope == "all-in":
        return 0.0
    power, chips = profile.power, placement.chips
    if "board_idle" in power and chips >= profile.fit.get("chips", 1):  # a whole board idles as one
        milliwatts = at(power["board_idle"])
    else:
        milliwatts = chips * at(power["static_chip"]) if "static_chip" in power else 0.0
    if "active_core" in power:
        milliwatts += placement.cores * at(power["active_core"])
    if "clk_mw_per_mhz" in power:
        milliwatts += at(power["clk_mw_per_mhz"]) * (assumed.clock_mhz or at(profile.time.get("clock_mhz", 0.0)))
    if assumed.host == "active" and "host_active" in power:
        milliwatts += at(power["host_active"])
    return milliwatts * _MILLI
