"""An answer: the rows of a results folder, scored as a command asks, and the networks that it picks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from evonas.archive.archive import Archive
from evonas.archive.results import Results
from evonas.engine.view import Row
from evonas.errors import ArchiveError, RunFileError
from evonas.measurement import Measurement
from evonas.report.cost_breakdown import CostBreakdown, cost_breakdown
from evonas.report.kept_off import nearest, unreached
from evonas.report.pick import pick, usual_form
from evonas.report.rescoring import Rescoring, bounds_of, rescored, within
from evonas.report.results_folder import (
    archive_of,
    differences,
    hidden_code,
    named_code,
    run_file_of,
    with_shipped_profiles,
)
from evonas.report.ties import ties
from evonas.runfile.schema import RunFile


@dataclass(frozen=True)
class Command:
    """What a command asks of a results folder.

    Attributes:
        profile: Another chip, or None for the chips of the run.
        budgets: Hard bounds, each as `NAME=VALUE`.
        wanted: The networks to pick, each in the form that `pick` takes.
        trust: Whether code of the user's own that the folder names may be imported.
        usual: Whether the usual network is picked (`evonas.report.pick.usual_form`) where none is wanted.
    """

    profile: str | None = None
    budgets: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()
    trust: bool = False
    usual: bool = False


@dataclass(frozen=True)
class Answer:
    """The rows of a results folder, scored as a command asks.

    Attributes:
        results: The rows under the objectives of `rescoring`.
        rescoring: The objectives and the chip.
        picks: The networks to show in full, in the order of the command.
        remarks: How the folder was read, as sentences for people.
        wanted: How each of the picks was named.
    """

    results: Results
    rescoring: Rescoring
    picks: tuple[Row, ...] = ()
    remarks: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()

    def breakdown_of(self, row: Row | None) -> CostBreakdown | None:
        """Return the cost of a network on the chip of the rescoring, None where either is missing."""
        measurement = None if row is None else row.evaluation.measurement
        return cost_breakdown(measurement.activity, self.rescoring) if isinstance(measurement, Measurement) else None

    def notes(self, *, is_for_people: bool) -> Iterator[str]:
        """Yield sentences beside the answer: how the folder was read, and why networks are not on the front.

        Args:
            is_for_people: Whether people read the answer. Programs get the reasons only where the front is empty.
        """
        yield from self.remarks
        front = self.results.front()
        is_empty = not front.rows
        if is_for_people and self.picks and (tied := ties(front)) and (sentence := tied.sentence(front)):
            yield sentence
        if (is_empty or is_for_people) and (reasons := self.rescoring.kept_off(self.results)):
            yield reasons
        if is_empty:
            rows, top = self.results.rows, self.results.header.top_rung
            yield from nearest(rows, objectives=self.results.objectives, top=top)
            yield from unreached(rows, top=top)


def answered(folder: Path, command: Command, *, known: Results | None = None) -> Answer:
    """Return the rows of a results folder, or of an archive, scored as a command asks.

    Code that the folder names is imported only if the command trusts it.

    Args:
        folder: The folder of a run, or an archive.
        command: The command.
        known: The rows, where they are in memory; otherwise they are read.

    Raises:
        RunFileError: With everything that is wrong with the command or the folder.
        ArchiveError: If the archive cannot be read.
    """
    file = run_file_of(folder)
    if file is not None and not command.trust:
        untrusted = named_code(file, folder=folder)
        if untrusted:
            return _of_stored_values(folder, command, remarks=tuple(untrusted), file=file)
    return _of_stored_values(folder, command) if file is None else _of_run_file(folder, command, file, known=known)


def _of_run_file(folder: Path, command: Command, file: RunFile, *, known: Results | None) -> Answer:
    """Return the answer with every objective computed from the measurements."""
    remarks = () if command.trust else tuple(hidden_code(file))
    file_used = file if command.trust else with_shipped_profiles(file)
    faults: list[str] = []
    try:
        rescoring = rescored(file_used, profile=command.profile, budgets=command.budgets, trusted=command.trust)
    except RunFileError as error:
        faults += error.faults
        rescoring = rescored(file_used, trusted=command.trust)
    objectives = rescoring.objectives
    results = Archive.read(archive_of(folder), objectives) if known is None else known.under(objectives)
    faults += differences(file, results.header, folder=folder)
    return _picked(results, rescoring, command, faults=faults, remarks=remarks)


def _of_stored_values(
    folder: Path, command: Command, *, remarks: tuple[str, ...] = (), file: RunFile | None = None
) -> Answer:
    """Return the answer with the values that the archive holds; no objective is computed."""
    try:
        results = Archive.read(archive_of(folder))
    except ArchiveError as error:
        if not remarks:
            raise
        raise RunFileError([*remarks, str(error)]) from None
    faults = [] if file is None else differences(file, results.header, folder=folder)
    if not results.objectives:
        none = [] if remarks else [f"DIR: {archive_of(folder)} holds no objectives, expected those of its run"]
        raise RunFileError([*remarks, *none, *faults])
    known = ", ".join(objective.name for objective in results.objectives)
    if command.profile is not None:
        faults.append(
            f"--profile: only the stored values of {known} are known, so that none can be computed for another chip"
        )
    bounds, wrong = bounds_of(command.budgets)
    faults += wrong
    faults += [
        f"--budget {name}: there is no such objective; there are {known}"
        for name in bounds
        if name not in [objective.name for objective in results.objectives]
    ]
    if bounds and not faults:
        results = _bounded(results, bounds)
    remarks += (f"The values of {known} are those that the archive holds; none is computed again.",)
    rescoring = Rescoring(results.objectives, None, False, {}, None)
    return _picked(results, rescoring, command, faults=[*remarks[:-1], *faults] if faults else [], remarks=remarks)


def _bounded(results: Results, bounds: Mapping[str, float]) -> Results:
    """Return the rows with their stored values within other bounds."""
    stored = results.stored()
    objectives = [within(objective, bounds.get(objective.name)) for objective in results.objectives]
    described = tuple(
        {**known, "at_least": one.at_least, "at_most": one.at_most}
        for known, one in zip(stored.header.objectives, objectives, strict=True)
    )
    stored = replace(stored, header=replace(stored.header, objectives=described))
    return Results(stored, is_at_rest=results.is_at_rest)


def _picked(
    results: Results, rescoring: Rescoring, command: Command, *, faults: list[str], remarks: tuple[str, ...]
) -> Answer:
    """Return the answer with the networks that the command picks.

    Raises:
        RunFileError: If there is no such network, or with the other faults.
    """
    picks: list[Row] = []
    missing: list[str] = []
    named = command.wanted or ((usual_form(results.front()),) if command.usual else ())
    for wanted in named:
        try:
            picks.append(pick(results, wanted))
        except RunFileError as error:
            missing += error.faults
    faults = [
        *faults,
        *missing,
        *filter(None, [rescoring.kept_off(results) if missing else ""]),
    ]  # why there may be none
    if faults:
        raise RunFileError(faults)
    return Answer(results, rescoring, tuple(picks), (*remarks, *results.notes), named)
