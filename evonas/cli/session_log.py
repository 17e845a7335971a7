"""The log of a session: lines with the time, in `log.txt` and, where nobody looks at a terminal, on the console."""

from __future__ import annotations

import logging
from pathlib import Path
from types import TracebackType

from rich.console import Console

from evonas.cli.log_file import LogFile
from evonas.report.escaping import visible

log = logging.getLogger("evonas")

_FORM = ("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S")


class SessionLog:
    """Sends what evonas logs to a file and a console while it lasts, and leaves the logger as it was.

    Args:
        file: Where lines are added.
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

    def keep(self, line: str) -> None:
        """Write a line to the file, and to the console."""
        log.info("%s", line)

    def tell(self, line: str) -> None:
        """Write a line to the file, and show it to people in any case."""
        log.info("%s", line, extra={"is_for_file": True})
        self.show(line)

    def show(self, line: str) -> None:
        """Show a line to people alone, on a terminal as well."""
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
    """Writes messages, which may hold texts from anywhere, without anything that steers a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a line of the log."""
        return visible(super().format(record))
