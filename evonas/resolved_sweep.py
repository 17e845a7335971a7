"""A resolved sweep: a resolved run, and what each chip and budget of the command asks of its networks."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from evonas.errors import EvonasError, ProfileError, RunFileError
from evonas.hardware import Fit
from evonas.lookup import LookupFault, look_up, option_faults
from evonas.objective import Objective
from evonas.refusal import Refusal, Refuse
from evonas.resolved_run import ResolvedRun, resolve
from evonas.runfile import HardwareSection, ObjectiveSection
from evonas.search import Ending, Memory, Workers, search
from evonas.space import Genotype
from evonas.strategies.targets import SharedLadder, Target, Targets
from evonas.view import Row

MERIT = "accuracy"
"""The objective that says which network is best."""


@dataclass(frozen=True)
class Chip:
    """What can be said of networks on one chip.

    Attributes:
        name: As it was given: the name of a profile, or the path of its file.
        scope: What its energies include; energies of different scopes are not comparable.
        priced: Objectives by name that have a value on this chip, without bounds.
        missing: Why others have none, by name.
        fit: By how much a network misses the chip, bounded to 0.
        check: `check(network)` returns whether a planned network, or the activity of a measured one, fits.
    """

    name: str
    scope: str
    priced: Mapping[str, Objective]
    missing: Mapping[str, str]
    fit: Objective
    check: Callable[[Any], Fit]


@dataclass(frozen=True)
class Cell:
    """One cell of the table: a chip and its budgets.

    Attributes:
        chip: The chip.
        budget: Upper bounds by name of the objective.
        target: What is sought, None where the chip has no value for one of the budgets.
    """

    chip: Chip
    budget: Mapping[str, float]
    target: Target | None

    @property
    def why_not(self) -> str:
        """Why nothing can be sought; empty where it can."""
        return "; ".join(self.chip.missing[name] for name in self.budget if name in self.chip.missing)


@dataclass(frozen=True)
class ResolvedSweep:
    """Everything that a sweep needs.

    Attributes:
        run: What is searched; its own objectives are those that the archive stores values of.
        chips: In the order of the command.
        budgets: Upper bounds by name of the objective.
        cells: Every chip with every combination of budgets.
    """

    run: ResolvedRun
    chips: tuple[Chip, ...]
    budgets: Mapping[str, tuple[float, ...]]
    cells: tuple[Cell, ...]

    @property
    def settings(self) -> dict[str, Any]:
        """What must not change when a sweep is resumed, beside the settings of the run."""
        bounds = {f"sweep.budget.{name}": list(values) for name, values in self.budgets.items()}
        return {"sweep.profiles": [chip.name for chip in self.chips], **bounds}

    @cached_property
    def strategy(self) -> Targets:
        """The strategy of the run, on behalf of all cells."""
        return Targets([cell.target for cell in self.cells if cell.target], self.run.strategy)

    def search(self, archive: Memory, *, workers: Workers, on_row: Callable[[Row], None] | None = None) -> Ending:
        """Return why the search ended; its rows lie in `archive`."""
        run = self.run
        return search(
            run.space,
            archive,
            strategy=self.strategy,
            workers=workers,
            budget=run.budget,
            parallel=run.file.search.parallel,
            ladder=SharedLadder(run.ladder, self.strategy),
            predict=run.predict(),
            refuse=self.refuse,
            on_row=on_row,
        )

    @property
    def refuse(self) -> Refuse | None:
        """Says which networks are not trained, None where the run file does not ask for that in `[hardware]`."""
        hardware = self.run.hardware
        if hardware is None or not hardware.section.fit:
            return None
        return refused_by_all([cell.chip for cell in self.cells if cell.target], plan=hardware.plan)


def refused_by_all(chips: Sequence[Chip], *, plan: Callable[[Genotype], Any]) -> Refuse:
    """Return what refuses the networks that fit on none of the chips, for the reasons of the chip they miss least.

    Args:
        chips: Those that networks are sought for.
        plan: Returns what the network of a genotype consists of.
    """
    checks = {chip.name: chip.check for chip in chips}

    def refuse(genotype: Genotype) -> Refusal | None:
        try:
            planned = plan(genotype)
        except Exception:
            return None  # what cannot be planned cannot be built either: its evaluation records the error
        fits = {name: check(planned) for name, check in checks.items()}
        if not all(fit.violations for fit in fits.values()):
            return None
        name, nearest = min(fits.items(), key=lambda pair: pair[1].degree)
        return Refusal(tuple(f"{violation}, on {name}" for violation in nearest.violations), nearest.degree)

    return refuse


def resolve_sweep(path: Path, *, profiles: str, budgets: Sequence[str], overrides: Sequence[str] = ()) -> ResolvedSweep:
    """Return the sweep of a run file over chips and budgets.

    Args:
        path: The run file.
        profiles: Names or files of profiles, separated by commas.
        budgets: `objective=value,value…`, each objective once; every combination of budgets is a cell of each chip.
        overrides: `section.key=value` over the run file.

    Raises:
        RunFileError: With every fault of the run file and of the arguments.
    """
    faults: list[str] = []
    run: ResolvedRun | None = None
    try:
        run = resolve(path, overrides=tuple(overrides))
    except RunFileError as error:
        faults += error.faults
    bounds, budget_faults = _bounds(budgets)
    sections = run.file.objectives if run else ()
    chips, chip_faults = _chips(profiles, bounds, sections, hardware=run.file.hardware if run else None)
    faults += [*budget_faults, *chip_faults]
    if run is not None and MERIT not in [section.name for section in sections]:
        faults.append(f"objectives: a sweep ranks networks by {MERIT}, which is missing; add a section with that name")
    for index, section in enumerate(sections):
        is_bound = section.at_most is not None or section.at_least is not None
        if is_bound and "profile" in section.options and section.name not in bounds and section.name != "fit":
            faults.append(
                f"objectives.{index}: its bound is meant for one chip; give it as --budget {section.name}=… instead"
            )
    if bounds and chips and not chip_faults and not any(set(bounds) <= set(chip.priced) for chip in chips):
        said = [f"{chip.name}: {'; '.join(chip.missing[name] for name in chip.missing)}" for chip in chips]
        faults.append(f"--profiles: none of the chips has a value for every budget ({' '.join(said)})")
    if faults or run is None:
        raise RunFileError(faults)
    combined = [dict(zip(bounds, values, strict=True)) for values in itertools.product(*bounds.values())]
    cells = [Cell(chip, budget, _target(run, chip, budget)) for chip in chips for budget in combined]
    return ResolvedSweep(run, chips, bounds, tuple(cells))


def _target(run: ResolvedRun, chip: Chip, budget: Mapping[str, float]) -> Target | None:
    """Return what the run file trades, with what it prices on a chip priced on this one, within the budget."""
    if not set(budget) <= set(chip.priced):
        return None
    pairs = list(zip(run.file.objectives, run.objectives, strict=True))
    plain = [objective for section, objective in pairs if "profile" not in section.options]
    merit = next(objective for section, objective in pairs if section.name == MERIT)
    on_chip = dict.fromkeys([*(section.name for section, _ in pairs if "profile" in section.options), *budget])
    traded = [replace(chip.priced[name], at_most=budget.get(name)) for name in on_chip if name in chip.priced]
    objectives = (merit, *(objective for objective in plain if objective is not merit), *traded)
    bounds = " ".join(f"{name}<={bound:g}" for name, bound in budget.items())
    return Target(f"{chip.name} {bounds}", objectives, limits=(chip.fit,))


def _bounds(budgets: Sequence[str]) -> tuple[dict[str, tuple[float, ...]], list[str]]:
    """Return upper bounds by name of the objective, and a sentence for each fault of `--budget`."""
    bounds: dict[str, tuple[float, ...]] = {}
    faults = [] if budgets else ["--budget: missing; give one such as energy=1e-6,5e-6"]
    for text in budgets:
        name, _, listed = text.partition("=")
        if name in bounds:
            faults.append(f"--budget {text}: a second budget of {name}; give its values in one, separated by commas")
        values = []
        for word in listed.split(","):
            value = _number(word)
            if value is None:
                faults.append(f"--budget {text}: got {word!r}, expected numbers above 0 such as energy=1e-6,5e-6")
            elif value in values:
                faults.append(f"--budget {text}: {word} stands there twice")
            else:
                values.append(value)
        try:
            takes = inspect.signature(look_up(name, folder="objectives", attribute="objective")).parameters
        except LookupFault as fault:
            faults.append(f"--budget {text}: {fault}, got {name!r}")
            continue
        if "profile" not in takes:
            faults.append(
                f"--budget {text}: {name} takes no profile, so it is the same on every chip; bound it in the run "
                "file, with at_most or at_least"
            )
            continue
        bounds[name] = tuple(sorted(values))
    return bounds, faults


def _number(word: str) -> float | None:
    try:
        value = float(word)
    except ValueError:
        return None
    return value if 0 < value < math.inf else None


def _chips(
    profiles: str, bounds: Mapping[str, Any], sections: Sequence[ObjectiveSection], *, hardware: HardwareSection | None
) -> tuple[tuple[Chip, ...], list[str]]:
    chips: list[Chip] = []
    faults: list[str] = []
    names = [name.strip() for name in profiles.split(",")]
    for name in sorted(set(names), key=names.index):
        if names.count(name) > 1:
            faults.append(f"--profiles: {name} stands there {names.count(name)} times")
        try:
            chips.append(_chip(name, bounds, sections, hardware=hardware))
        except ProfileError as error:
            faults.append(f"--profiles: {error}")
        except RunFileError as error:
            faults += [f"objectives on {name}: {fault}" for fault in error.faults]
        except (LookupFault, EvonasError, TypeError, ValueError) as error:
            faults.append(f"objectives on {name}: {error}")
    return tuple(chips), faults


def _chip(
    name: str, bounds: Mapping[str, Any], sections: Sequence[ObjectiveSection], *, hardware: HardwareSection | None
) -> Chip:
    """Return what can be said on a chip: the budgets, what else the run file prices on one, its latency and its fit."""
    profile = look_up("profile", folder="objectives", attribute="load")(name)
    options: dict[str, dict[str, Any]] = {"energy": {}, "latency": {}, **{key: {} for key in bounds}}
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
    fit, checker = (look_up("fit", folder="objectives", attribute=made) for made in ("objective", "checker"))
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
