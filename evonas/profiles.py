"""Profiles: the chips that are known, what each counts and does not, with sources. `python -m evonas.profiles`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from evonas.chips.coverage import coverage
from evonas.chips.profile import load, names
from evonas.errors import ProfileError


class Format(StrEnum):
    """How to print."""

    table = "table"
    json = "json"


def profiles(
    chosen: Annotated[
        list[str] | None, typer.Argument(metavar="[PROFILE]...", help="Names or .toml files; by default all, briefly.")
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="For people, or for programs.")] = Format.table,
) -> None:
    """Print the chips: what an estimate counts there, what it does not, and where the numbers come from."""
    try:
        found = [described(name) for name in chosen or known()]
    except ProfileError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    if format_ is Format.json:
        typer.echo(json.dumps(found, indent=2))
        return
    console = Console(width=None if sys.stdout.isatty() else 200)
    if not chosen:
        console.print(overview(found))
        return
    for chip in found:
        console.print(detail(chip))


def known() -> list[str]:
    """Return the names of the profiles, those of the working directory among them."""
    return list(names())


def described(name: str) -> dict[str, Any]:
    """Return what people want to know of a chip: a JSON object.

    Raises:
        ProfileError: If there is no such profile, or it is wrong.
    """
    return coverage(load(name))


def overview(chips: list[dict[str, Any]]) -> Table:
    """Return a table with one row a chip."""
    table = Table(title=f"{len(chips)} chips", show_lines=True)
    for column in ("profile", "chip", "scope", "energy counted", "not counted", "latency", "fit"):
        table.add_column(column, overflow="fold")
    for chip in chips:
        cells = [chip["id"], chip["name"], chip["scope"], _counted(chip), "\n".join(chip["not_counted"])]
        table.add_row(*map(escape, cells), chip["latency"] or "-", "checked" if chip["fit"] else "-")
    return table


def detail(chip: Mapping[str, Any]) -> Table:
    """Return a table of all numbers of a chip, with kinds and sources."""
    title, caption = escape(f"{chip['id']}: {chip['name']}"), escape(_caption(chip))
    table = Table(title=title, caption=caption, caption_justify="left")
    for column in ("coefficient", "value", "band", "kind", "source"):
        table.add_column(column, overflow="fold")
    for section, unit in (("energy", "pJ"), ("power", "mW")):
        for name, number in chip[section].items():
            band = f"{number['low']:g} to {number['high']:g}" if number["low"] < number["high"] else ""
            cells = [f"{section}.{name}", f"{number['value']:g} {unit}", band, number["kind"], number["source"]]
            table.add_row(*map(escape, cells))
    return table


def _counted(chip: Mapping[str, Any]) -> str:
    used = [name for name, number in chip["energy"].items() if number["counted"]]
    if chip["composition"] == "power-time":
        parts = ["power x time", *used]
    else:
        parts = [*used, *(["memory"] if chip["memory"] else [])]
    return ", ".join(parts) or "nothing: no energy is published"


def _caption(chip: Mapping[str, Any]) -> str:
    lines = [f"{chip['class']}, scope {chip['scope']}, {chip['composition']}, counts {chip['counts']}"]
    if chip["uncertainty"]:
        low, high = chip["uncertainty"]
        lines.append(f"uncertainty: {low:g} to {high:g} times the result")
    lines += [f"not counted: {text}" for text in chip["not_counted"]]
    lines += [f"never summed: {name}" for name in chip["never_summed"]]
    lines.append(f"latency: {chip['latency'] or 'cannot be told'}")
    lines += [f"not in the latency: {text}" for text in chip["latency_not_counted"]]
    lines.append(f"fit: {', '.join(chip['fit']) or 'cannot be checked'}")
    lines += [f"{short}: {citation}" for short, citation in chip["sources"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    typer.run(profiles)
