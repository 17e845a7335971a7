"""A results folder, perhaps of another user: its run file, the code that this names, and whether its archive fits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evonas.archive.run_header import Header
from evonas.chips.profile import SHIPPED, names
from evonas.errors import RunFileError
from evonas.runfile.form import parse
from evonas.runfile.lookup import is_shipped
from evonas.runfile.schema import FREE_SETTINGS, RunFile
from evonas.runfile.toml_text import read_toml

SHOWN = 10
"""Most differences between a run file and an archive that are listed."""


def archive_of(folder: Path) -> Path:
    """Return the archive of a results folder, or the archive itself where that is given."""
    return folder if folder.is_file() else folder / "archive.h5"


def run_file_of(folder: Path) -> RunFile | None:
    """Return the run file that a results folder holds, None where it holds an archive alone.

    Raises:
        RunFileError: If the folder holds neither, or the run file is wrong.
    """
    if folder.is_file():
        return None
    if not folder.exists():
        raise RunFileError([f"DIR: there is no {folder}, expected the results folder of a run, or an archive"])
    if not (folder / "run.toml").is_file():
        archive = folder / "archive.h5"
        if archive.exists() or archive.with_name("archive.h5.journal").exists():
            return None
        raise RunFileError([f"DIR: {folder} holds no run.toml and no archive.h5, expected the results folder of a run"])
    file, faults = parse(read_toml(folder / "run.toml"))
    if file is None:
        raise RunFileError(faults)
    return file


def named_code(file: RunFile, *, folder: Path) -> list[str]:
    """Return a sentence for each objective and chip of a run file that evonas does not ship."""
    sentences = [
        f"{folder} asks for the objective {section.name}, which is code of its own; give --trust to run it"
        for section in file.objectives
        if not is_shipped(section.name, folder="objectives")
    ]
    sentences += [
        f"{folder} asks for the chip {profile}, which is a file of its own; give --trust to read it"
        for profile in dict.fromkeys(map(str, _profiles(file)))
        if profile not in names(folder=SHIPPED)
    ]
    return sentences


def hidden_code(file: RunFile) -> list[str]:
    """Return a sentence for each file of the working directory that is not used, as evonas ships one of that name."""
    paths = [Path("objectives", f"{section.name}.py") for section in file.objectives]
    paths += [Path("objectives", "profiles", f"{profile}.toml") for profile in _profiles(file)]
    return [
        f"{path} of the working directory is not used, but the one that evonas ships; give --trust to use it."
        for path in dict.fromkeys(paths)
        if _hides(path)
    ]


def with_shipped_profiles(file: RunFile) -> RunFile:
    """Return the run file with the path of the shipped file for each chip that the working directory has as well."""
    document = file.to_dict()
    sections = [*document["objectives"], *([document["hardware"]] if "hardware" in document else [])]
    for section in sections:
        name = section.get("profile")
        if isinstance(name, str) and _hides(Path("objectives", "profiles", f"{name}.toml")):
            section["profile"] = str(SHIPPED / f"{name}.toml")
    return RunFile.model_validate(document)


def differences(file: RunFile, header: Header, *, folder: Path) -> list[str]:
    """Return a sentence for each setting in which an archive and the run file beside it differ.

    An archive without settings, such as one that a user's program wrote, may belong to any run file.
    """
    if not header.settings:
        return []
    own: dict[str, Any] = json.loads(json.dumps(file.settings()))
    stored = dict(header.settings)
    gone = [key for key in stored if key not in own and key.split(".")[0] in ("objectives", "strategies", "hardware")]
    differing = [
        f"{folder / 'run.toml'} is of another run than the archive beside it: {key} is {_shown(own, key)}, "
        f"in the archive {_shown(stored, key)}"
        for key in [*own, *gone]
        if key not in FREE_SETTINGS and (key not in own or key not in stored or own[key] != stored[key])
    ]
    more = [f"and {len(differing) - SHOWN} keys more"] if len(differing) > SHOWN else []
    return [*differing[:SHOWN], *more]


def _hides(path: Path) -> bool:
    """Return whether a file of the working directory would be used instead of one that evonas ships."""
    return path.is_file() and not path.resolve().is_relative_to(SHIPPED.parent)


def _profiles(file: RunFile) -> Iterator[Any]:
    for section in file.objectives:
        if "profile" in section.options:
            yield section.options["profile"]
    if file.hardware is not None:
        yield file.hardware.profile


def _shown(settings: dict[str, Any], key: str) -> str:
    text = json.dumps(settings[key]) if key in settings else "absent"
    return text if len(text) <= 80 else f"{text[:77]}…"
