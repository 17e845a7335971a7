"""A sheet: a table for people in which no number and no key is ever cut, however narrow the terminal is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from evonas.report.escaping import plain, visible

LONGEST_WORD = 32
"""Cells; a longer word, such as an address, may be folded."""


@dataclass(frozen=True)
class Sheet:
    """A table of texts, which may come from anywhere: they are escaped as they are printed.

    Where it is too wide to stand in columns without cutting a word, every row is printed as lines of its own.

    Attributes:
        header: Name of each column.
        rows: Texts, one for each column.
        title: What stands above it.
        right: Columns whose texts are aligned to the right: numbers.
        has_lines: Whether a line is drawn between rows.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    right: frozenset[str] = frozenset()
    has_lines: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        widths = self._widths(options.max_width)
        if widths is None:
            yield from self._records()
            return
        title = plain(self.title) if self.title else None
        table = Table(title=title, show_lines=self.has_lines)
        for name, width in zip(self.header, widths, strict=True):
            table.add_column(plain(name), justify="right" if name in self.right else "left", width=width)
        for row in self.rows:
            table.add_row(*map(plain, row))
        yield table

    def _widths(self, most: int) -> list[int] | None:
        """Return the widths of the columns in `most` cells, None where no words can be broken to fit in there."""
        columns = [[name, *texts] for name, *texts in zip(self.header, *self.rows, strict=True)]
        widths = [max(_length(text) for text in texts) for texts in columns]
        least = [max(_longest_word(text) for text in texts) for texts in columns]
        room = most - 3 * len(columns) - 1  # a border and two spaces each
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
    has_lines: bool = False,
) -> Sheet:
    """Return a sheet; arguments as its attributes."""
    return Sheet(tuple(header), tuple(map(tuple, rows)), title, frozenset(right), has_lines)


def _length(text: str) -> int:
    return max((cell_len(line) for line in visible(text).split("\n")), default=0)


def _longest_word(text: str) -> int:
    return min(max((cell_len(word) for word in visible(text).split()), default=0), LONGEST_WORD)
