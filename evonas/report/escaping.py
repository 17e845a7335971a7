"""Escaping: texts that come from files, made safe for a terminal, a CSV file or HTML."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import TypeVar

from rich.text import Text

Cell = TypeVar("Cell")

_FORMULA = ("=", "+", "-", "@")
"""What a spreadsheet takes for the beginning of a formula, in any width of these characters."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)")

_STEERING = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Categories of characters that steer a display (escapes, marks of direction, line breaks) or have no picture."""


def visible(text: object, *, keep: str = "\n") -> str:
    r"""Return a text in which every character that steers a terminal is written as a visible escape such as `\x1b`.

    Args:
        text: Any text, such as a name in a run file.
        keep: Characters that stay as they are.
    """
    return "".join(char if char in keep or char.isprintable() else _escaped(char) for char in str(text))


def plain(text: object) -> Text:
    """Return a text for rich's consoles and tables: nothing in it is markup, nothing steers the terminal."""
    return Text(visible(text), overflow="fold")


def csv_cell(value: Cell) -> Cell | str:
    """Return a cell of a CSV file: a text that a spreadsheet would take for a formula begins with an apostrophe."""
    if not isinstance(value, str):
        return value
    text = visible(value)
    begins = unicodedata.normalize("NFKC", text).lstrip().startswith(_FORMULA)
    return f"'{text}" if begins and not _NUMBER.fullmatch(text) else text


def hypertext(text: object) -> str:
    """Return a text for HTML."""
    return html.escape(visible(text))


def _escaped(char: str) -> str:
    if unicodedata.category(char) not in _STEERING:
        return char  # other spaces than " " are not printable by Python's rule, and harmless
    return char.encode("unicode_escape").decode("ascii")
