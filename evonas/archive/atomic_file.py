"""Durable files: a file is replaced whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from evonas.errors import ArchiveError


def sync_folder(folder: Path) -> None:
    """Make the names of new, replaced and removed files in `folder` survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Replace the content of `path` by `text` at once; an error leaves the old file as it was.

    Raises:
        ArchiveError: If it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ArchiveError(f"{path} cannot be written: {error}. What was there before is unchanged.") from error
