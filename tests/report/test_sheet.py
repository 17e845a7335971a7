"""Sheets: no number and no key is cut, at any width, and nothing in them is markup."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from evonas.report.sheet import Sheet, sheet

HEADER = ["key", "slot", "strategy", "accuracy [fraction]", "energy [J/sample]", "spikes [spikes/sample]",
          "latency [s/sample]", "synaptic_operations [operations/sample]", "parameters [parameters]"]  # fmt: skip
ROWS = [
    ["9f86d081884c7d65", "12", "evolution", "0.9254", "7.28e-07", "1.23e+03", "1.22e-03", "1.2e+04", "3.2e+04"],
    ["60303ae22b998861", "3", "differentiable", "0.8811", "-", "9.99e-12", "1.22e+00", "1.1e+04", "3.1e+04"],
]


def printed(table: Sheet, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("width", [20, 30, 40, 60, 80, 100, 120, 160, 200, 1000])
def test_no_number_and_no_key_is_cut_at_any_width(width: int) -> None:
    said = printed(sheet(HEADER, ROWS, title="Pareto front", right=HEADER[3:]), width)
    assert "…" not in said
    assert all(len(line) <= width for line in said.splitlines())
    for text in (text for row in ROWS for text in row):
        assert text in said


@given(st.lists(st.text("ab1 \x1b[]", max_size=12), min_size=3, max_size=3), st.integers(5, 90))
def test_every_character_is_printed_whatever_the_width(row: list[str], width: int) -> None:
    said = printed(sheet(["a", "b", "c"], [row]), width)
    assert "\x1b" not in said
    for word in (word for text in row for word in text.replace("\x1b", "\\x1b").split()):
        assert not set(word) - set(said)
    assert sum(said.count(digit) for digit in "1") >= sum(text.count("1") for text in row)


def test_a_wide_text_is_broken_between_words_before_the_table_is_given_up() -> None:
    said = printed(sheet(["key", "why"], [["9f86d081884c7d65", "many short words " * 8]]), 60)
    assert "┃" in said
    assert said.count("many") == 8


def test_texts_are_no_markup() -> None:
    said = printed(sheet(["x[/red]"], [["[bold]y"]], title="[/]"), 60)
    assert "x[/red]" in said
    assert "[bold]y" in said
    assert "[/]" in said
