"""A table for people in which no number and no key is ever cut, however narrow the terminal is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from evonas.report.escaping import hypertext, plain, visible

LONGEST_WORD = 32
"""Cells; a longer word, such as an address, may be folded."""


@dataclass(frozen=True)
class Sheet:
    """A table of texts, which are escaped when they are printed.

    If it is too wide it has no borders; if its longest words still do not fit, every row becomes several lines.

    Attributes:
        header: Name of each column.
        rows: Texts, one for each column.
        title: The line above it.
        right: Columns that are aligned to the right: numbers.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    right: frozenset[str] = frozenset()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = len(self.header)
        if widths := self._widths(options.max_width - 3 * columns - 1):  # a border and two spaces each
            yield self._table(widths, has_borders=True)
        elif widths := self._widths(options.max_width - 2 * (columns - 1)):  # two spaces between columns
            yield self._table(widths, has_borders=False)
        else:
            yield from self._records()

    def _table(self, widths: Sequence[int], *, has_borders: bool) -> Table:
        title = plain(self.title) if self.title else None
        if has_borders:
            table = Table(title=title)
        else:
            table = Table(title=title, box=None, padding=(0, 2, 0, 0), pad_edge=False)
        for name, width in zip(self.header, widths, strict=True):
            table.add_column(plain(name), justify="right" if name in self.right else "left", width=width)
        for row in self.rows:
            table.add_row(*map(plain, row))
        return table

    def _widths(self, room: int) -> list[int] | None:
        """Return the widths of the columns in `room` cells, None where the longest words do not fit."""
        columns = [[name, *texts] for name, *texts in zip(self.header, *self.rows, strict=True)]
        widths = [max(_length(text) for text in texts) for texts in columns]
        least = [max(_longest_word(text) for text in texts) for texts in columns]
        if sum(least) > room:
            return None
        while sum(widths) > room:
            widest = max((i for i in range(len(widths)) if widths[i] > least[i]), key=lambda i: widths[i])
            widths[widest] -= 1
        return widths

    def _records(self) -> Iterator[Text]:
        if self.title:
            yield plain(self.title)
        for row in self.rows:
            yield Text("")
            for name, text in zip(self.header, row, strict=True):
                yield plain(f"{name}: {text}")


def sheet(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    title: str = "",
    right: Sequence[str] = (),
) -> Sheet:
    """Return a sheet; the arguments are its attributes."""
    return Sheet(tuple(header), tuple(map(tuple, rows)), title, frozenset(right))


def to_html(sheet: Sheet) -> str:
    """Return a sheet as a table of HTML; its texts, which may come from files, are escaped."""
    header = "".join(f"<th>{hypertext(name)}</th>" for name in sheet.header)
    rows = ["".join(f"<td>{hypertext(cell)}</td>" for cell in row) for row in sheet.rows]
    caption = f"<caption>{hypertext(sheet.title)}</caption>" if sheet.title else ""
    return f"<table>{caption}<tr>{'</tr><tr>'.join([header, *rows])}</tr></table>"


def _length(text: str) -> int:
    return max((cell_len(line) for line in visible(text).split("\n")), default=0)


def _longest_word(text: str) -> int:
    return min(max((cell_len(word) for word in visible(text).split()), default=0), LONGEST_WORD)
