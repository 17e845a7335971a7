"""The log of a session: lines with the time, in `log.txt` and, unless it is a terminal, on the console."""

from __future__ import annotations

import errno
import logging
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TextIO

from rich.console import Console

from evonas.errors import ArchiveError
from evonas.report.escaping import visible

log = logging.getLogger("evonas")

_FORM = ("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S")


class SessionLog:
    """A context in which the log of evonas goes to a file and a console; afterwards the logger is as it was before.

    Args:
        file: The file that lines are added to.
        console: Where lines are shown as well, unless it is a terminal.

    Raises:
        ArchiveError: If the file cannot be written to.
    """

    def __init__(self, file: Path, console: Console) -> None:
        self._console = console
        self._handlers: list[logging.Handler] = [LogFile(file)]
        if not console.is_terminal:
            shown = logging.StreamHandler(console.file)
            shown.addFilter(lambda record: not getattr(record, "is_for_file", False))
            self._handlers.append(shown)
        for handler in self._handlers:
            handler.setFormatter(_Visible(*_FORM))
        self._handlers[0].addFilter(lambda record: not getattr(record, "is_for_people", False))

    def write(self, line: str) -> None:
        """Write a line to the file, and to the console unless that is a terminal."""
        log.info("%s", line)

    def tell(self, line: str) -> None:
        """Write a line to the file and show it on the console, terminal or not."""
        log.info("%s", line, extra={"is_for_file": True})
        self.show(line)

    def show(self, line: str) -> None:
        """Show a line on the console only, terminal or not."""
        if self._console.is_terminal:
            self._console.print(visible(line), markup=False, highlight=False)
        else:
            log.info("%s", line, extra={"is_for_people": True})

    def __enter__(self) -> SessionLog:
        self._former = (log.level, log.propagate)
        log.setLevel(logging.INFO)
        log.propagate = False
        for handler in self._handlers:
            log.addHandler(handler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handler in self._handlers:
            log.removeHandler(handler)
            handler.close()
        log.level, log.propagate = self._former


class _Visible(logging.Formatter):
    """Formats messages, which may quote any text, without the control characters of a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a line of the log."""
        return visible(super().format(record))


class LogFile(logging.StreamHandler[TextIO]):
    """Adds lines to the file at `path`, which is created if missing.

    Raises:
        ArchiveError: If it is a link, not a file, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(_opened(path))
        self._path = path
        self._is_broken = False

    def handleError(self, record: logging.LogRecord) -> None:
        """Say once that lines are lost; the search goes on, for its rows are in the archive."""
        if not self._is_broken:
            print(f"{self._path} takes no more lines: {sys.exc_info()[1]}. The search goes on.", file=sys.stderr)
        self._is_broken = True

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):  # the last lines do not fit on the disk, as `handleError` has reported
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
