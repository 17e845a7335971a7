"""A chip of a sweep: the objectives that have a value on it, and whether networks fit."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evonas.chips.fit import Fit, checker
from evonas.chips.profile import load
from evonas.errors import ProfileError, RunFileError
from evonas.objective import Objective
from evonas.runfile.lookup import look_up
from evonas.runfile.schema import HardwareSection, ObjectiveSection
from evonas.runfile.section_options import option_faults


@dataclass(frozen=True)
class Chip:
    """One chip of a sweep.

    Attributes:
        name: As it was given: the name of a profile, or the path of its file.
        scope: What its energies include; energies of different scopes are not comparable.
        priced: Objectives by name that have a value on this chip, without bounds.
        missing: Why other objectives have none, by name.
        fit: By how much a network misses the chip, bounded to 0.
        check: `check(network)` returns whether a planned network, or the activity of a measured one, fits.
    """

    name: str
    scope: str
    priced: Mapping[str, Objective]
    missing: Mapping[str, str]
    fit: Objective
    check: Callable[[Any], Fit]


def listed_chips(profiles: str) -> tuple[list[str], list[str]]:
    """Return the chips of a list that is separated by commas, each once, and a sentence for each fault of it."""
    names = [name.strip() for name in profiles.split(",")]
    if not all(names):
        return [], [f"--profiles: got {profiles!r}, expected names of chips, separated by commas"]
    once = list(dict.fromkeys(names))
    return once, [
        f"--profiles: {name} stands there {names.count(name)} times" for name in once if names.count(name) > 1
    ]


def chip_of(
    name: str, sections: Sequence[ObjectiveSection], *, budgets: Iterable[str], hardware: HardwareSection | None
) -> Chip:
    """Return a chip with the objectives that have a value on it.

    Args:
        name: Name of its profile, or the path of the file.
        sections: Objectives of a run file; options of those that depend on a chip hold for this one as well.
        budgets: Objectives that are needed beside those, energy and latency.
        hardware: What the run file says of how a network is put on a chip, if it does.

    Raises:
        ProfileError: If there is no such profile, or it is wrong.
        RunFileError: If an option is wrong.
    """
    profile = load(name)
    options: dict[str, dict[str, Any]] = {"energy": {}, "latency": {}, **{key: {} for key in budgets}}
    assumed: dict[str, Any] = {}
    for section in sections:
        if "profile" in section.options:
            own = {key: value for key, value in section.options.items() if key != "profile"}
            options.setdefault(section.name, {}).update(own)
            assumed = {**own, **assumed}
    options.pop("fit", None)
    priced, missing = {}, {}
    for key, own in options.items():
        make = look_up(key, folder="objectives", attribute="objective")
        wrong = option_faults(make, {"profile": name, **own})
        if wrong:
            raise RunFileError([f"{key}.{fault}" for fault in wrong])
        try:
            priced[key] = make(profile=name, **{**_taken(make, assumed), **own})
        except ProfileError as error:
            missing[key] = str(error)
    if hardware is not None:
        assumed |= {"weight_bits": hardware.weight_bits, **hardware.options}
    fit = look_up("fit", folder="objectives", attribute="objective")
    return Chip(
        name,
        profile.scope,
        priced,
        missing,
        fit=fit(profile=name, **_taken(fit, assumed)),
        check=checker(profile=name, **_taken(checker, assumed)),
    )


def _taken(function: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name in inspect.signature(function).parameters}
