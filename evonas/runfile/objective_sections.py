"""The sections `[[objectives]]` of a run file: the objectives that they name, bounds, and what values depend on."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from evonas.chips.profile import SHIPPED, load
from evonas.errors import OptionError
from evonas.objective import Objective
from evonas.runfile.schema import ObjectiveSection
from evonas.runfile.section_options import make_named

_HOUSE = SHIPPED.parents[1]
_SOURCES = ("objectives/*.py", "evonas/*.py", "evonas/chips/*.py", "evonas/architecture/*.py")


def objectives_of(
    sections: Sequence[ObjectiveSection], *, numbers: Sequence[int] | None = None, trusted: bool = True
) -> tuple[tuple[Objective, ...], list[str]]:
    """Return the objectives that sections of a run file name, and a sentence for each fault.

    Args:
        sections: What is named.
        numbers: Number of each section in the run file; by default from 0 on.
        trusted: Whether code of the user's own may be imported.
    """
    objectives: list[Objective] = []
    faults: list[str] = []
    for index, section in zip(numbers or range(len(sections)), sections, strict=True):
        key = f"objectives.{index}"
        made, wrong = make_named(
            section.name, section.options, folder="objectives", attribute="objective", key=key, trusted=trusted
        )
        faults += wrong
        if made is None:
            continue
        try:
            objective = replace(
                made,
                name=section.as_ or made.name,
                at_least=made.at_least if section.at_least is None else section.at_least,
                at_most=made.at_most if section.at_most is None else section.at_most,
                basis=basis_of(section),
            )
        except OptionError as error:  # bounds are right by their form, so that it is the name
            faults += [f"{key}.as{fault.removeprefix('name')}" for fault in error.faults]
            continue
        faults += [f"{key}.{fault}" for fault in bound_faults(objective)]
        if objective.name in [other.name for other in objectives]:
            faults.append(f'{key}.as: a second objective is called {objective.name!r}; give it a name with as = "…"')
        objectives.append(objective)
    return tuple(objectives), faults


def bound_faults(objective: Objective) -> list[str]:
    """Return a sentence for each bound of an objective that no network, or no two bounds, can keep."""
    faults = []
    least, most = objective.at_least, objective.at_most
    if least is not None and most is not None and least > most:
        faults.append(f"at_least: {least:g} is above at_most = {most:g}, so that no network can keep both")
    if most is not None and objective.direction == "min" and (most < 0 or (objective.log and most == 0)):
        faults.append(f"at_most: {most:g} {objective.unit} can never be kept; expected a bound above 0")
    if least is not None and objective.direction == "max" and objective.best is not None and least > objective.best:
        faults.append(f"at_least: {least:g} can never be reached; the best possible is {objective.best:g}")
    return faults


def basis_of(section: ObjectiveSection) -> str:
    """Return the hash of all that the values of an objective depend on; empty for one that evonas does not ship.

    What a user's own code depends on is unknown: its values are computed at each reading.
    """
    file = getattr(sys.modules.get(f"objectives.{section.name}"), "__file__", None)
    if file is None or Path(file).resolve().parent != SHIPPED.parent.resolve():
        return ""
    options = dict(section.options)
    chip = repr(load(options.pop("profile"))) if "profile" in options else ""
    parts = json.dumps([section.name, options, chip, _code()], sort_keys=True, default=repr)
    return hashlib.sha256(parts.encode()).hexdigest()


@cache
def _code() -> str:
    """Return the hash of all code that an objective may run."""
    digest = hashlib.sha256()
    for pattern in _SOURCES:
        for path in sorted(_HOUSE.glob(pattern)):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
