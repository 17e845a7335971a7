"""How a finished run is scored again: by its own objectives, or by those of another chip and other budgets."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from evonas.archive.results import Results
from evonas.chips.fit import Fit, checker
from evonas.chips.profile import load
from evonas.errors import ProfileError, RunFileError, UnpriceableError
from evonas.objective import Objective
from evonas.report.kept_off import kept_off
from evonas.runfile.lookup import LookupFault, look_up, members
from evonas.runfile.objective_sections import bound_faults, objectives_of
from evonas.runfile.schema import ObjectiveSection, RunFile


@dataclass(frozen=True)
class Rescoring:
    """The objectives and the chip by which the networks of a finished run are scored again.

    Attributes:
        objectives: What the networks are compared by. Where the command names a chip, networks that do not fit on it
            have no value of the first objective that depends on a chip.
        profile: The chip, None where neither the command nor the run names one.
        is_moved: Whether the command, and not the run, names the chip.
        energy: Options of the objective `energy`, without the profile.
        check: `check(activity)` returns whether a measured network fits on the chip; None without a chip.
    """

    objectives: tuple[Objective, ...]
    profile: str | None
    is_moved: bool
    energy: Mapping[str, Any]
    check: Callable[[Any], Fit] | None

    def kept_off(self, results: Results) -> str:
        """Return how many networks cannot be on the front, and why, as a sentence; empty where all can."""
        check = self.check if self.is_moved else None
        return kept_off(results.rows, objectives=results.objectives, top=results.header.top_rung, check=check)


def rescored(
    file: RunFile,
    *,
    profile: str | None = None,
    budgets: Sequence[str] = (),
    weight_bits: int | None = None,
    trusted: bool = True,
) -> Rescoring:
    """Return how a run is scored again.

    Args:
        file: The run file of the run.
        profile: Another chip, for every objective that depends on one; where none does, the energy there is added.
        budgets: Hard bounds, each as `NAME=VALUE`; an objective that the run does not have is added.
        weight_bits: Bits of a weight on the chip; None as the run file says.
        trusted: Whether code of the user's own may be imported.

    Raises:
        RunFileError: With everything that is wrong with the command.
    """
    bounds, faults = bounds_of(budgets)
    if profile is not None and (fault := _profile_fault(profile)):
        faults.append(f"--profile: {fault}")
        profile = None
    takes_profile = partial(_takes, option="profile", trusted=trusted)
    sections = list(file.objectives) if profile is None else _moved(file.objectives, profile, takes_profile)
    chips = [section.options["profile"] for section in sections if "profile" in section.options]
    chip = next(iter(chips), None if file.hardware is None else file.hardware.profile)
    known = [one.name for one in objectives_of(tuple(sections), trusted=trusted)[0]]
    added, wrong = _added(bounds, known=known, chip=chip, trusted=trusted)
    faults += wrong
    sections += added
    if weight_bits is not None:
        sections = [
            _with(section, weight_bits=weight_bits) if _takes(section.name, "weight_bits", trusted=trusted) else section
            for section in sections
        ]
        hardware = file.hardware and file.hardware.model_copy(update={"weight_bits": weight_bits})
        file = file.model_copy(update={"hardware": hardware})
    objectives, wrong = objectives_of(tuple(sections), trusted=trusted)
    faults += [f"--profile: {fault.partition(': ')[2]}" if profile else fault for fault in wrong]
    bounded = [within(objective, bounds.get(objective.name)) for objective in objectives]
    faults += [f"--budget {one.name}: {fault}" for one in bounded if one.name in bounds for fault in bound_faults(one)]
    if faults:
        raise RunFileError(faults)
    energy = next((section.options for section in sections if section.name == "energy"), {})
    energy = {name: value for name, value in energy.items() if name != "profile"}
    check = None if chip is None else _checker(chip, file, energy)
    if profile is not None and check is not None:
        index = next(index for index, section in enumerate(sections) if takes_profile(section.name))
        bounded[index] = _where_it_fits(bounded[index], check)
    return Rescoring(tuple(bounded), chip, profile is not None, energy, check)


def _moved(
    sections: Sequence[ObjectiveSection], profile: str, takes_profile: Callable[[str], bool]
) -> list[ObjectiveSection]:
    """Return the objectives on another chip; energy is added where none depends on one."""
    if not any(takes_profile(section.name) for section in sections):
        sections = (*sections, ObjectiveSection(name="energy"))
    return [_with(section, profile=profile) if takes_profile(section.name) else section for section in sections]


def _added(
    bounds: Mapping[str, float], *, known: Sequence[str], chip: str | None, trusted: bool
) -> tuple[list[ObjectiveSection], list[str]]:
    """Return the objectives that bounds name and the run does not have, and a sentence for each fault."""
    sections, faults = [], []
    shipped = members("objectives", attribute="objective", trusted=trusted)
    for name in [name for name in bounds if name not in known]:
        takes_profile = name in shipped and _takes(name, "profile", trusted=trusted)
        if name not in shipped:
            listed = ", ".join(sorted({*known, *shipped}))
            faults.append(f"--budget {name}: there is no such objective; there are {listed}")
        elif takes_profile and chip is None:
            faults.append(f"--budget {name}: it depends on a chip; name one with --profile")
        else:
            section = ObjectiveSection.model_validate({"name": name, "as": name})
            sections.append(_with(section, profile=chip) if chip is not None and takes_profile else section)
    return sections, faults


def _profile_fault(profile: str) -> str:
    try:
        load(profile)
    except ProfileError as error:
        return str(error)
    return ""


def bounds_of(budgets: Sequence[str]) -> tuple[dict[str, float], list[str]]:
    """Return the bounds that `NAME=VALUE` give, by name, and a sentence for each fault."""
    bounds: dict[str, float] = {}
    faults = []
    for budget in budgets:
        name, _, text = budget.partition("=")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not name or not math.isfinite(value):
            faults.append(f"--budget: got {budget!r}, expected NAME=NUMBER, such as energy=2e-5")
        elif name in bounds:
            faults.append(f"--budget {name}: given twice; one bound is enough")
        else:
            bounds[name] = value
    return bounds, faults


def within(objective: Objective, bound: float | None) -> Objective:
    """Return the objective with a bound on its bad side."""
    if bound is None:
        return objective
    return replace(objective, at_most=bound) if objective.direction == "min" else replace(objective, at_least=bound)


def _where_it_fits(objective: Objective, check: Callable[[Any], Fit]) -> Objective:
    """Return the objective without a value for networks that do not fit on its chip."""

    def score(measurement: Any) -> float:
        fit = check(measurement.activity)
        if fit.violations:
            raise UnpriceableError(str(fit))
        return objective.score(measurement)

    return replace(objective, score=score, basis="")


def _with(section: ObjectiveSection, **options: Any) -> ObjectiveSection:
    return ObjectiveSection.model_validate({**section.model_dump(by_alias=True, exclude_none=True), **options})


def _takes(name: str, option: str, *, trusted: bool) -> bool:
    """Return whether the objective of this name has an option."""
    try:
        make = look_up(name, folder="objectives", attribute="objective", trusted=trusted)
    except LookupFault:
        return False  # reported with all other faults when the objective is made
    return option in inspect.signature(make).parameters


def _checker(chip: str, file: RunFile, energy: Mapping[str, Any]) -> Callable[[Any], Fit]:
    """Return the check of fit, with the options of the run file that say how networks are put on a chip."""
    options = {name: energy[name] for name in ("weights", "weight_bits", "split") if name in energy}
    if file.hardware is not None:
        options = {"weight_bits": file.hardware.weight_bits, **file.hardware.options}
    return checker(profile=chip, **options)
