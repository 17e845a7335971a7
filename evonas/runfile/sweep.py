"""A resolved sweep: a resolved run, and what each chip and budget of the command asks of its networks."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evonas.errors import EvonasError, OptionError, ProfileError, RunFileError
from evonas.runfile.lookup import LookupFault, look_up
from evonas.runfile.metric_sections import named_by, trades
from evonas.runfile.rejections import rejected_by_run
from evonas.runfile.resolve import ResolvedRun, resolve
from evonas.runfile.schema import HardwareSection, ObjectiveSection
from evonas.runfile.sweep_chip import Chip, chip_of, listed_chips
from evonas.strategies.multi_target import Target, Targets
from evonas.task import Metric

MOST_DECADES = 4
"""Decades of a list of budgets above which a note is given: it may be a number with a decimal comma."""


@dataclass(frozen=True)
class Cell:
    """One cell of the table: a chip and its budgets.

    Attributes:
        chip: The chip.
        budget: Upper bounds by name of the objective.
        target: What is searched for, None where the chip has no value for one of the budgets.
    """

    chip: Chip
    budget: Mapping[str, float]
    target: Target | None

    @property
    def why_not(self) -> str:
        """Why nothing can be searched for; empty where it can."""
        return "; ".join(dict.fromkeys(self.chip.missing[name] for name in self.budget if name in self.chip.missing))


@dataclass(frozen=True)
class ResolvedSweep:
    """Everything that a sweep needs.

    Attributes:
        run: What is searched, on behalf of all cells; its objectives are those that the archive stores values of.
        chips: In the order of the command.
        budgets: Upper bounds by name of the objective.
        merit: The metric that says which network is best: the first one of the task.
        cells: Every chip with every combination of budgets.
    """

    run: ResolvedRun
    chips: tuple[Chip, ...]
    budgets: Mapping[str, tuple[float, ...]]
    merit: Metric
    cells: tuple[Cell, ...]


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
        run = resolve(path, overrides=overrides)
    except RunFileError as error:
        faults += error.faults
    bounds, budget_faults = _bounds(budgets)
    sections = run.file.objectives if run else ()
    chips, chip_faults = _chips(profiles, bounds, sections, hardware=run.file.hardware if run else None)
    faults += [*budget_faults, *chip_faults]
    merit = None if run is None else run.search_data.task.metrics[0]
    if merit is not None and not any(trades(section, merit) for section in sections):
        faults.append(
            f"objectives: a sweep ranks networks by {merit.name}, which is missing; add a section with "
            f"{named_by(merit)}"
        )
    for index, section in enumerate(sections):
        is_bound = section.at_most is not None or section.at_least is not None
        if is_bound and "profile" in section.options and section.name not in bounds and section.name != "fit":
            faults.append(
                f"objectives.{index}: its bound is meant for one chip; give it as --budget {section.name}=… instead"
            )
    if bounds and chips and not chip_faults and not any(set(bounds) <= set(chip.priced) for chip in chips):
        missing = [f"{chip.name}: {'; '.join(chip.missing.values())}" for chip in chips]
        faults.append(f"--profiles: none of the chips has a value for every budget ({' '.join(missing)})")
    if faults or run is None or merit is None:
        raise RunFileError(faults)
    combined = [dict(zip(bounds, values, strict=True)) for values in itertools.product(*bounds.values())]
    cells = tuple(Cell(chip, budget, _target(run, merit, chip, budget)) for chip in chips for budget in combined)
    return ResolvedSweep(_for_cells(run, cells, bounds), chips, bounds, merit, cells)


def _for_cells(run: ResolvedRun, cells: Sequence[Cell], bounds: Mapping[str, Sequence[float]]) -> ResolvedRun:
    """Return the run whose strategy proposes, and whose ladder promotes, on behalf of all cells of a sweep."""
    sought = [cell for cell in cells if cell.target]
    targets = Targets([cell.target for cell in sought if cell.target], run.strategy)
    notes, checks = list(run.notes), {}
    if run.chip_constraint is not None:
        section = run.chip_constraint.section
        notes.append(
            f"hardware.profile = {section.profile} is not used here: a sweep rejects what fits on none of its own "
            "chips."
        )
        checks = {f", on {cell.chip.name}": cell.chip.check for cell in sought} if section.fit else {}
    settings = {
        "sweep.profiles": list(dict.fromkeys(cell.chip.name for cell in cells)),
        **{f"sweep.budget.{name}": list(values) for name, values in bounds.items()},
    }
    return replace(
        run,
        strategy=targets,
        ladder=replace(run.ladder, candidates=targets.candidates),
        reject=rejected_by_run(
            run.frames, plan=run.plan, checks=checks, targets=[target.objectives for target in targets.targets]
        ),
        settings={**run.settings, **settings},
        notes=(*notes, *_wide_lists(bounds)),
    )


def _target(run: ResolvedRun, merit: Metric, chip: Chip, budget: Mapping[str, float]) -> Target | None:
    """Return the objectives of the run file, those that depend on a chip computed for this one, within the budget."""
    if not set(budget) <= set(chip.priced):
        return None
    pairs = list(zip(run.file.objectives, run.objectives, strict=True))
    plain = [objective for section, objective in pairs if "profile" not in section.options]
    first = next(objective for section, objective in pairs if trades(section, merit))
    on_chip = dict.fromkeys([*(section.name for section, _ in pairs if "profile" in section.options), *budget])
    traded = [replace(chip.priced[name], at_most=budget.get(name)) for name in on_chip if name in chip.priced]
    objectives = (first, *(objective for objective in plain if objective is not first), *traded)
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
        if name == "fit":
            faults.append(f"--budget {text}: what does not fit on a chip is left out in any case; leave this out")
            continue
        if "profile" not in takes:
            faults.append(
                f"--budget {text}: {name} takes no profile, so it is the same on every chip; bound it in the run "
                "file, with at_most or at_least"
            )
            continue
        bounds[name] = tuple(sorted(values))
    return bounds, faults


def _wide_lists(bounds: Mapping[str, Sequence[float]]) -> list[str]:
    """Return a note for each list of budgets that spans more than `MOST_DECADES`."""
    notes = []
    for name, values in bounds.items():
        decades = math.log10(max(values) / min(values))
        if decades > MOST_DECADES:
            listed = " and ".join(f"{value:g}" for value in values)
            notes.append(
                f"--budget {name} was understood as {listed}, which span {decades:.1f} decades. A comma separates "
                "numbers; within a number write a point, such as 1.5e-6."
            )
    return notes


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
    names, faults = listed_chips(profiles)
    for name in names:
        try:
            chips.append(chip_of(name, sections, budgets=bounds, hardware=hardware))
        except ProfileError as error:
            faults.append(f"--profiles: {error}")
        except OptionError as error:
            faults += [f"objectives on {name}: {fault}" for fault in error.faults]
        except (LookupFault, EvonasError, TypeError, ValueError) as error:
            faults.append(f"objectives on {name}: {error}")
    return tuple(chips), faults
