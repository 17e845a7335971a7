"""Escaping: what comes from files steers no terminal, no spreadsheet and no page."""

from __future__ import annotations

import csv
import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from evonas.report.escaping import csv_cell, hypertext, plain, visible


@given(st.text() | st.text("\x1b[]0;m\x07\x9b\u202e\u200b\ud800/=red"))
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    shown = visible(text)
    assert all(unicodedata.category(char)[0] != "C" or char == "\n" for char in shown)
    assert {"\u2028", "\u2029", "\r"}.isdisjoint(shown)
    shown.encode("utf-8")


def test_what_can_be_read_stays_as_it_is() -> None:
    for text in ("accuracy [fraction]", "µJ/sample", "漢字 é 😀", "a\nb", "x[/red]", "C:\\runs", "a\u00a0b"):
        assert visible(text) == text
    assert visible("\x1b[2J\x1b]0;title\x07") == "\\x1b[2J\\x1b]0;title\\x07"


@given(st.text("ab[]/=red@link \\", max_size=30))
def test_nothing_is_markup(text: str) -> None:
    console = Console(file=io.StringIO(), width=200, force_terminal=True)
    console.print(plain(text), end="")
    assert console.file.getvalue().rstrip("\n") == text  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text", ["=cmd()", "@SUM(A1)", "+x", "-x", " =1+1", "\t=1", "\r=1", "\uff1d1+1", "-5x", "+1+2"]
)
def test_a_cell_that_a_spreadsheet_would_compute_begins_with_an_apostrophe_or_with_what_is_visible(text: str) -> None:
    assert str(csv_cell(text))[0] in "'\\"


@pytest.mark.parametrize("value", ["-5", "+1e-6", "-inf", "nan", "-.5", -5, 0.5, None, "", "a=b", "x-y"])
def test_numbers_and_other_texts_are_cells_as_they_are(value: object) -> None:
    assert csv_cell(value) == value


def test_a_cell_stays_one_cell() -> None:
    text = io.StringIO()
    csv.writer(text).writerow([csv_cell('a"b,c\nd'), csv_cell("\x1b[31m")])
    assert next(csv.reader(io.StringIO(text.getvalue()))) == ['a"b,c\nd', "\\x1b[31m"]


def test_a_text_of_a_page_holds_no_tags() -> None:
    assert hypertext("<script>'&\x1b") == "&lt;script&gt;&#x27;&amp;\\x1b"
