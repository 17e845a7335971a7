"""The folder of results: whether it can be written to, told before anything is searched."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from evonas.cli.exit_codes import sentence_of
from evonas.errors import RunFileError


def output_faults(folder: Path) -> list[str]:
    """Return a sentence where results cannot be written to a folder, as far as that can be seen without writing."""
    try:
        for place in (folder, *folder.parents):
            if place.is_dir():
                return [] if os.access(place, os.W_OK | os.X_OK) else [f"--output: {place} cannot be written to"]
            if os.path.lexists(place):
                what = "is a file" if place == folder else f"lies below {place}, which is a file"
                return [f"--output: {folder} {what}; expected a folder, or the name of a new one"]
    except OSError as error:
        return [f"--output: {sentence_of(error)}"]
    return []


def make_output(folder: Path) -> None:
    """Check that results can be written to a folder, which is made where it is missing.

    Raises:
        RunFileError: If they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise RunFileError(
            output_faults(folder) or [f"--output: {folder} cannot be written to: {error.strerror or error}"]
        ) from None
