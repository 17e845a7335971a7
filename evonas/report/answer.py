"""An answer: the rows of a results folder under the question that a command asks, and the network that it picks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from evonas.archive.archive import Archive
from evonas.archive.results import Results
from evonas.engine.view import Row
from evonas.errors import ArchiveError, RunFileError
from evonas.measurement import Measurement
from evonas.report.cost_breakdown import Bill, bill
from evonas.report.kept_off import nearest
from evonas.report.pick import pick
from evonas.report.rescoring import Question, ask, bounds_of, within
from evonas.report.results_folder import (
    archive_of,
    differences,
    hidden_code,
    named_code,
    run_file_of,
    with_shipped_profiles,
)
from evonas.runfile.schema import RunFile


@dataclass(frozen=True)
class Command:
    """What a reader asks for.

    Attributes:
        profile: Another chip, if any.
        budgets: `NAME=VALUE`: hard bounds.
        wanted: The network to pick, as `pick` takes it, if any.
        trust: Whether code of its own that the folder names may be imported.
    """

    profile: str | None = None
    budgets: tuple[str, ...] = ()
    wanted: str | None = None
    trust: bool = False


@dataclass(frozen=True)
class Answer:
    """What a results folder holds under a question.

    Attributes:
        results: The rows under the question.
        question: What was asked.
        picked: The network that was asked for, None where none was.
        remarks: What has to be known of how the folder was read.
    """

    results: Results
    question: Question
    picked: Row | None
    remarks: tuple[str, ...] = ()

    @property
    def bill(self) -> Bill | None:
        """What the network that was picked costs on the chip of the question, None where either is missing."""
        return self.bill_of(self.picked)

    def bill_of(self, row: Row | None) -> Bill | None:
        """Return what a network costs on the chip of the question, None where either is missing."""
        measurement = None if row is None else row.evaluation.measurement
        return bill(measurement.activity, self.question) if isinstance(measurement, Measurement) else None

    def notes(self, *, is_for_people: bool) -> Iterator[str]:
        """Yield what is told beside the answer: how the folder was read, and why networks are not on the front.

        Args:
            is_for_people: Whether people read the answer. Programs are told why only where the front is empty.
        """
        yield from self.remarks
        is_empty = not self.results.front().rows
        if (is_empty or is_for_people) and (told := self.question.kept_off(self.results)):
            yield told
        if is_empty:
            yield from nearest(self.results.rows, objectives=self.results.objectives, top=self.results.header.top_rung)


def answered(folder: Path, command: Command) -> Answer:
    """Return what a results folder, or an archive, holds under the question that a command asks.

    Nothing that the folder names is imported unless the command trusts it.

    Raises:
        RunFileError: With everything that is wrong with the command or the folder.
        ArchiveError: If the archive cannot be read.
    """
    file = run_file_of(folder)
    if file is not None and not command.trust:
        told = named_code(file, folder=folder)
        if told:
            return _of_stored_values(folder, command, remarks=tuple(told), file=file)
    return _of_stored_values(folder, command) if file is None else _of_run_file(folder, command, file)


def _of_run_file(folder: Path, command: Command, file: RunFile) -> Answer:
    """Return the answer with every objective computed from the measurements."""
    remarks = () if command.trust else tuple(hidden_code(file))
    asked = file if command.trust else with_shipped_profiles(file)
    faults: list[str] = []
    try:
        question = ask(asked, profile=command.profile, budgets=command.budgets, trusted=command.trust)
    except RunFileError as error:
        faults += error.faults
        question = ask(asked, trusted=command.trust)
    results = Archive.read(archive_of(folder), question.objectives)
    faults += differences(file, results.header, folder=folder)
    return _picked(results, question, command, faults=faults, remarks=remarks)


def _of_stored_values(
    folder: Path, command: Command, *, remarks: tuple[str, ...] = (), file: RunFile | None = None
) -> Answer:
    """Return the answer with the values that the archive holds of the objectives of its run, as far as it holds any."""
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
        faults.append(f"--profile: only the stored values of {known} are known, so they cannot be had for another chip")
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
    question = Question(results.objectives, None, False, {}, None)
    return _picked(results, question, command, faults=[*remarks[:-1], *faults] if faults else [], remarks=remarks)


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
    results: Results, question: Question, command: Command, *, faults: list[str], remarks: tuple[str, ...]
) -> Answer:
    """Return the answer with the network that is asked for.

    Raises:
        RunFileError: If there is none, or there are other faults.
    """
    answer = Answer(results, question, None, (*remarks, *results.notes))
    if command.wanted is not None:
        try:
            answer = replace(answer, picked=pick(results, command.wanted))
        except RunFileError as error:
            faults = [*faults, *error.faults, *filter(None, [question.kept_off(results)])]  # why there may be none
    if faults:
        raise RunFileError(faults)
    return answer
