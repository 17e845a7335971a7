"""The file of a page: `report.html` in the folder of a run, for the chips of the run, of a sweep or of a command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from evonas.archive.atomic_file import write_text
from evonas.archive.results import Results
from evonas.chips.profile import load
from evonas.errors import RunFileError
from evonas.report.answer import Answer, Command, answered
from evonas.report.page.content import NO_CHIP, content
from evonas.report.page.page import page
from evonas.report.run_folder import RunFolder

SWEPT = "sweep.profiles"
"""The setting under which a sweep stores its chips."""


def write_page(folder: Path, answer: Answer, command: Command, *, profiles: Sequence[str] = ()) -> Path:
    """Write the page of a results folder, and return its path.

    Args:
        folder: The folder of a run, or an archive, beside which the page is written.
        answer: What the command asks, for its own chip.
        command: The command.
        profiles: Further chips for the menu. Without any, those of a sweep are in it as far as they can be read.

    Raises:
        RunFileError: If there is no such chip, or nothing but stored values is known of the networks.
        ArchiveError: If the file cannot be written.
    """
    answers = {_name(answer): answer}
    notes: list[str] = []
    for profile in profiles or _swept(answer):
        try:
            found = answered(folder, replace(command, profile=profile), known=answer.results)
        except RunFileError as error:
            if profiles:
                raise
            notes += [f"{profile} is not in the menu of chips: {fault}" for fault in error.faults]
        else:
            answers.setdefault(_name(found), found)
    run = RunFolder(folder, command.trust, answer.results.settings)
    title = folder.resolve().name
    target = run.path / "report.html"
    write_text(target, page(content(answers, run, title=title, notes=notes), title=title))
    return target


def write_own_page(folder: Path, results: Results) -> Path:
    """Write the page of a run that has just ended here, whose code has run already, and return its path.

    Args:
        folder: The folder of the run.
        results: What it has found.

    Raises:
        ArchiveError: If the file cannot be written.
    """
    command = Command(trust=True)
    return write_page(folder, answered(folder, command, known=results), command)


def _name(answer: Answer) -> str:
    profile = answer.rescoring.profile
    return NO_CHIP if profile is None else load(profile).id


def _swept(answer: Answer) -> Sequence[str]:
    found = answer.results.settings.get(SWEPT, ())
    return found if isinstance(found, Sequence) and not isinstance(found, str) else ()
