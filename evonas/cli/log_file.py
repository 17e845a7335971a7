"""The log of a run as a file: lines are added, links are not followed, and a full disk costs lines and nothing else."""

from __future__ import annotations

import errno
import logging
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from evonas.errors import ArchiveError


class LogFile(logging.StreamHandler[TextIO]):
    """Adds lines to the file at `path`, which is made where there is none.

    Raises:
        ArchiveError: If it is a link, no file, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(_opened(path))
        self._path = path
        self._is_broken = False

    def handleError(self, record: logging.LogRecord) -> None:
        """Tell once that lines are lost; the search goes on, for its rows are elsewhere."""
        if not self._is_broken:
            print(f"{self._path} takes no more lines: {sys.exc_info()[1]}. The search goes on.", file=sys.stderr)
        self._is_broken = True

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):  # the last lines do not fit on the disk, which has been told
            self.stream.close()
        super().close()


def _opened(path: Path) -> TextIO:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        cause = "a symbolic link lies there" if error.errno == errno.ELOOP else error.strerror or str(error)
        raise ArchiveError(
            f"The log {path} cannot be written: {cause}. Nothing was changed. Move it away, or give another output "
            "folder."
        ) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ArchiveError(f"The log {path} is no file. Move it away, or give another output folder.")
    return open(descriptor, "a", encoding="utf-8", errors="backslashreplace")
