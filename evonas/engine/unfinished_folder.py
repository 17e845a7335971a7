"""The folder of unfinished trainings: there while a search runs, and emptied of what is ours alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

STATE = re.compile(r"[0-9a-f]{32}\.state")
"""Names of the files of trainings."""

_UNWRITTEN = re.compile(rf"\.{STATE.pattern}\.[0-9a-f]{{16}}\.tmp")
"""Names of those that a killed process did not finish."""


@contextmanager
def emptied(folder: Path) -> Iterator[Path | None]:
    """Return a context with a folder for trainings, without those of an earlier run; at its end they and it are gone.

    Files of others stay where they are. Where a folder cannot be made, or a link is in its place, there is None.
    """
    _clear(folder)
    with suppress(OSError):
        folder.mkdir(exist_ok=True)
    try:
        yield folder.absolute() if folder.is_dir() and not folder.is_symlink() else None
    finally:
        _clear(folder)
        with suppress(OSError):  # others have files there
            folder.rmdir()


def _clear(folder: Path) -> None:
    if folder.is_symlink():
        return
    with suppress(OSError):
        for path in folder.iterdir():
            if STATE.fullmatch(path.name) or _UNWRITTEN.fullmatch(path.name):
                path.unlink(missing_ok=True)
