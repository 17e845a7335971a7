"""Files of sound in a folder: which recording is of which class, by whom, and for the test."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evonas.data.event_folder import folder_labels
from evonas.data.files import entries, quoted
from evonas.data.publisher_parts import PARTS, part_folders
from evonas.errors import DataError
from evonas.options import shown

FIELDS = ("label", "speaker", "index")
"""What the name of a file can say, in braces."""

_ENDING = ".wav"
_LEFT_OUT = 3


@dataclass(frozen=True)
class SoundFile:
    """A file of sound.

    Attributes:
        path: Where it lies.
        label: Its class.
        speaker: Who speaks; empty where the name of the file does not say.
        index: Its number; None where the name of the file does not say.
        part: What the publisher sets it apart for, one of `PARTS`.
    """

    path: Path
    label: Any
    speaker: str = ""
    index: int | None = None
    part: str = "train"


@dataclass(frozen=True)
class Found:
    """The files of sound of a folder, by name, and those left out."""

    files: tuple[SoundFile, ...]
    left_out: tuple[str, ...]

    def notes(self, folder: Path, *, expected: str) -> Iterator[str]:
        """Yield a sentence if files were left out."""
        if self.left_out:
            first = ", ".join(quoted(name) for name in self.left_out[:_LEFT_OUT])
            more = ", …" if len(self.left_out) > _LEFT_OUT else ""
            count = f"{len(self.left_out):,} files in {quoted(folder)}"
            yield f"{count} are left out, because they are not {expected}: {first}{more}."


def files_by_folder(folder: Path) -> Found:
    """Return the WAV files in the folders of the classes, or in those in `train`, `val` and `test`.

    Raises:
        DataError: If there are none, or a class has none.
    """
    files, left_out = [], []
    for name_of_part, part in part_folders(folder).items():
        classes = [entry.name for entry in entries(part) if entry.is_dir() and not entry.name.startswith(".")]
        if not classes:
            raise DataError(
                f"{quoted(part)} has no folders; expected one for each class, with a WAV file for each recording, or "
                'data.pattern, such as "{label}_{speaker}_{index}.wav".'
            )
        label = folder_labels(classes)
        for name in classes:
            names = [entry.name for entry in entries(part / name) if not entry.name.startswith(".")]
            sound = [one for one in names if one.lower().endswith(_ENDING)]
            if not sound:
                raise DataError(
                    f"{quoted(part / name)} holds no WAV file; expected one for each recording of the class."
                )
            files += [SoundFile(part / name / one, label[name], part=name_of_part) for one in sound]
            left_out += [f"{name}/{one}" for one in names if one not in sound]
        left_out += [entry.name for entry in entries(part) if not entry.is_dir() and not entry.name.startswith(".")]
    return Found(tuple(files), tuple(left_out))


def files_by_name(folder: Path, pattern: str) -> Found:
    """Return the WAV files of a folder whose names fit a pattern such as `"{label}_{speaker}_{index}.wav"`.

    Raises:
        DataError: If the pattern has no label or an unknown field, no file fits it, or an index is no number.
    """
    form, files, left_out = _form(pattern), [], []
    for entry in entries(folder):
        if entry.name.startswith("."):
            continue
        match = form.fullmatch(entry.name)
        if match is None or entry.is_dir():
            left_out.append(entry.name)
            continue
        fields = match.groupdict()
        index = fields.get("index")
        if index is not None and not (index.isascii() and index.isdigit() and len(index) < 10):
            raise DataError(f"{quoted(folder / entry.name)}: the index {shown(index)} is no whole number ({pattern}).")
        number = None if index is None else int(index)
        files.append(SoundFile(folder / entry.name, fields["label"], fields.get("speaker", ""), number))
    if not files:
        raise DataError(
            f"{quoted(folder)} holds no file whose name is {pattern}"
            f"{f', but {quoted(left_out[0])}' if left_out else ''}; expected one for each recording."
        )
    label = folder_labels(sorted({file.label for file in files}))
    named = [SoundFile(one.path, label[one.label], one.speaker, one.index) for one in files]
    return Found(tuple(named), tuple(left_out))


def _form(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w*)\}", pattern)
    fields = parts[1::2]
    if "label" not in fields or len(set(fields)) < len(fields) or not set(fields) <= set(FIELDS):
        raise DataError(
            f"data.pattern = {shown(pattern)}, expected the name of a file with {{label}} and, where it says them, "
            "{speaker} and {index}, each once."
        )
    if any(not literal for literal in parts[2:-1:2]):
        raise DataError(f"data.pattern = {shown(pattern)}: nothing stands between two fields, so they cannot be told.")
    form = re.escape(parts[0])
    for name, literal in zip(fields, parts[2::2], strict=True):
        form += f"(?P<{name}>{f'[^{re.escape(literal[0])}]+' if literal else '.+'}){re.escape(literal)}"
    return re.compile(form)


def apart(
    files: Sequence[SoundFile], *, held_out_speakers: Sequence[str], test_below: int
) -> dict[str, list[SoundFile]]:
    """Return the files of each of `PARTS`, of which those for training include validation where none are set apart.

    Args:
        files: All of them.
        held_out_speakers: Those whose recordings are for the test.
        test_below: Recordings whose index is below it are for the test; 0 for none.

    Raises:
        DataError: If the names of files do not say what is asked for, or nothing is left for training.
    """
    if held_out_speakers:
        known = sorted({file.speaker for file in files} - {""})
        if unknown := [name for name in held_out_speakers if name not in known]:
            there = f"there are {', '.join(map(quoted, known[:20]))}" if known else "data.pattern says none"
            raise DataError(f"data.held_out_speakers: there is no speaker {shown(unknown[0])}; {there}.")
    if test_below and any(file.index is None for file in files):
        raise DataError("data.test_below needs the index of each file; expected {index} in data.pattern.")

    found: dict[str, list[SoundFile]] = {part: [] for part in PARTS}
    for file in files:
        is_below = file.index is not None and file.index < test_below
        found["test" if is_below or file.speaker in held_out_speakers else file.part].append(file)
    if not found["train"]:
        raise DataError(f"All {len(files):,} recordings are set apart for the test; none are left to train.")
    return found
