"""Comparison: runs beside each other, between common corners and after as many evaluations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from evonas.archive.results import Results
from evonas.engine import pareto
from evonas.engine.description import described_objective
from evonas.engine.pareto import Reference
from evonas.engine.view import Row
from evonas.errors import RunFileError
from evonas.objective import Objective
from evonas.report.attainment import Surface, surfaces
from evonas.report.growth import evaluated, growth
from evonas.report.seed_group import ComparedRun, SeedGroup, differing_settings, grouped
from evonas.report.spread import Difference, differences
from evonas.report.ties import merit_and_cost

HINTS = {"profile": "--profile NAME scores all for one chip", "bound": "--budget NAME=VALUE gives all one bound"}
"""What to do where objectives differ in this."""


@dataclass(frozen=True)
class Comparison:
    """Runs beside each other.

    Attributes:
        objectives: What all of them trade.
        reference: The corners between which all hypervolumes are: from the bounds, else from the first rows and the
            fronts of all runs, so that they move where a run is added.
        evaluations: After how many evaluations the fronts are compared: those of the shortest run.
        groups: Runs that differ only in their seed, in the order of their first runs.
        differences: The difference in hypervolume of each pair of groups, the largest first; empty for one group.
        settings: Keys of the run file in which the groups differ, to the value in each, None where it is absent.
    """

    objectives: tuple[Objective, ...]
    reference: Reference
    evaluations: int
    groups: tuple[SeedGroup, ...]
    differences: tuple[Difference, ...]
    settings: Mapping[str, tuple[Any, ...]]

    @property
    def runs(self) -> tuple[ComparedRun, ...]:
        """The runs of all groups."""
        return tuple(run for group in self.groups for run in group.runs)

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """The positions of each two objectives: first the merit and the cost, where there are both."""
        every = list(combinations(range(len(self.objectives)), 2))
        known = merit_and_cost(self.objectives)
        return tuple(sorted(every, key=lambda pair: set(pair) != {*known}))

    def attained(self, group: SeedGroup, pair: tuple[int, int]) -> tuple[Surface, ...]:
        """Return the attainment surfaces of a group in two objectives."""
        return surfaces([run.front for run in group.runs], objectives=self.objectives, pair=pair)

    def verdicts(self) -> tuple[str, ...]:
        """Return a sentence for each difference: whether it is more than the spread over seeds."""
        if not self.differences:
            group = self.groups[0]
            least, most = group.hypervolumes.min(), group.hypervolumes.max()
            return (
                f"All {len(group.runs)} runs differ only in their seed: their hypervolumes are from {least:.4g} to "
                f"{most:.4g}, {group.hypervolumes.mean():.4g} on average.",
            )
        return tuple(difference.sentence() for difference in self.differences)

    def remarks(self) -> Iterator[str]:
        """Yield sentences on what the fronts are of: evaluations that are left out, and data that are not the same."""
        lengths = {run.label: run.growth.evaluations[-1] for run in self.runs}
        if len({*lengths.values()}) > 1:
            listed = ", ".join(f"{label} {count}" for label, count in lengths.items())
            yield (
                f"Runs are compared after {self.evaluations} evaluations, as many as the shortest has (evaluations: "
                f"{listed})."
            )
        if any(key in self.settings for key in ("data.name", "data.fingerprint")):
            yield "The runs are not of the same data: their accuracies are of different tasks."


def compared(runs: Sequence[tuple[str, Results]]) -> Comparison:
    """Return runs beside each other.

    Args:
        runs: Two or more, each with what it is called.

    Raises:
        RunFileError: If they trade different objectives, one is another gone on with, or nothing was measured.
    """
    faults = [fault for label, results in runs[1:] for fault in _unlike(runs[0], (label, results))]
    faults += [
        f"{label} holds no evaluation yet; expected runs that have begun" for label, one in runs if not evaluated(one)
    ]
    if faults:
        raise RunFileError(faults)
    objectives = runs[0][1].objectives
    shortest = min(len(evaluated(results)) for _, results in runs)
    fronts = [_front_after(results, shortest) for _, results in runs]
    known = [row for _, results in runs for row in _first(results)] + [row for front in fronts for row in front]
    if not any(fronts):
        labels = " and ".join(label for label, _ in runs)
        raise RunFileError(
            [f"the fronts of {labels} are empty, so that nothing can be compared; --all of each says why"]
        )
    reference = pareto.reference(objectives, known)
    every = []
    for (label, results), front in zip(runs, fronts, strict=True):
        grown = growth(results, reference=reference, also=shortest)
        every.append(ComparedRun(label, results, tuple(front), grown, grown.at(shortest)))
    groups = grouped(every)
    found = differences(groups) if len(groups) > 1 else ()
    return Comparison(objectives, reference, shortest, groups, found, differing_settings(groups))


def labels_of(folders: Sequence[Path]) -> list[str]:
    """Return what each run is called: the name of its folder, or its path where another has the same name."""
    names = [folder.resolve().name for folder in folders]
    return [name if names.count(name) == 1 else str(folder) for name, folder in zip(names, folders, strict=True)]


def _front_after(results: Results, evaluations: int) -> list[Row]:
    rows = evaluated(results)[:evaluations]
    return pareto.front([row for row in rows if row.job.rung == results.header.top_rung])


def _first(results: Results) -> list[Row]:
    """Return the rows of which a run alone makes the corners of its hypervolume."""
    return [row for row in evaluated(results) if row.costs is not None][: results.header.reference_rows]


def _unlike(first: tuple[str, Results], other: tuple[str, Results]) -> Iterator[str]:
    """Yield a sentence for each way in which two runs trade different objectives."""
    (label, results), (name, others) = first, other
    ours, theirs = (", ".join(one.name for one in each.objectives) for each in (results, others))
    if ours != theirs:
        yield f"{label} trades {ours}, and {name} {theirs}; expected runs of the same objectives"
        return
    for one, another in zip(results.objectives, others.objectives, strict=True):
        known, found = described_objective(one), described_objective(another)
        for key in [key for key in known if known[key] != found[key]]:
            hint = HINTS.get("bound" if key in ("at_least", "at_most") else key, "expected one objective in all runs")
            yield f"{one.name}: its {key} is {known[key]} in {label} and {found[key]} in {name}; {hint}"
        if known == found and one.basis and another.basis and one.basis != another.basis:
            yield f"{one.name}: {label} and {name} compute it differently, as of other options; expected the same"
