"""Atomic files: a file is replaced whole or not at all, and nothing is ever written through a link."""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

from evonas.errors import ArchiveError


def sync_folder(folder: Path) -> None:
    """Write the directory entries of `folder` to disk, so that new, replaced and removed files survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, *parts: bytes | memoryview) -> None:
    """Replace the content of `path` by `parts` atomically; an error leaves the old file unchanged.

    They are written into a new file in the same folder, with a name that cannot be guessed, which is renamed at the
    end. A link at `path` is replaced; what it points to stays unchanged.

    Raises:
        OSError: If it cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        with open(descriptor, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Replace the content of `path` by `text` as `write_whole` does."""
    write_whole(path, text.encode("utf-8", "backslashreplace"))


def write_whole(path: Path, content: bytes) -> None:
    """Replace the content of `path` by `content` atomically; an error leaves the old file unchanged, and is told.

    Raises:
        ArchiveError: If it cannot be written.
    """
    try:
        write_bytes(path, content)
    except OSError as error:
        raise ArchiveError(f"{path} cannot be written: {error}. What was there before is unchanged.") from error


def remove_unfinished(path: Path) -> None:
    """Delete the unfinished files that killed processes left beside `path`, which no other process may be writing."""
    name = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{16}}\.tmp")
    for left in os.listdir(path.parent):
        if name.fullmatch(left):
            path.with_name(left).unlink(missing_ok=True)
