"""Profiles: the known chips, what an estimate counts on each, and sources. `python -m evonas.profiles`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from evonas.chips.coverage import coverage
from evonas.chips.profile import load, names
from evonas.cli.door import console, exit_codes
from evonas.errors import OptionError, ProfileError
from evonas.report.escaping import plain
from evonas.report.sheet import Sheet, sheet
from evonas.runfile.modules import forget_working_directory

NARROW = 100
"""Width in characters of the list of all chips where the output is not a terminal."""

_LONG = re.compile(r"[,:;(].*", re.DOTALL)
"""What follows the bare name of a chip."""


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
    with exit_codes("The profiles", cannot="be shown"):
        try:
            found = [described(name) for name in chosen or known()]
        except ProfileError as error:
            raise OptionError([str(error)]) from None
        if format_ is Format.json:
            typer.echo(json.dumps(found, indent=2))
            return
        screen = console(piped_width=NARROW if not chosen else 120)
        if not chosen:
            screen.print(overview(found))
            screen.print(plain("All that is not counted, every number and its source: evonas profiles NAME"))
        for chip in found if chosen else []:
            screen.print(detail(chip))
            for line in _detail_lines(chip):
                screen.print(plain(line))


def known() -> list[str]:
    """Return the names of the profiles, those of the working directory among them."""
    return list(names())


def described(name: str) -> dict[str, Any]:
    """Return what an estimate counts on a chip, and the source of each number: a JSON object.

    Raises:
        ProfileError: If there is no such profile, or it is wrong.
    """
    return coverage(load(name))


def overview(chips: list[dict[str, Any]]) -> Sheet:
    """Return a table with one row a chip."""
    rows = [
        [
            chip["id"],
            f"{_LONG.sub('', chip['name'])}\n{chip['scope']}",
            _counted(chip),
            _left_out(chip),
            "yes" if chip["latency"] else "-",
            "yes" if chip["fit"] else "-",
        ]
        for chip in chips
    ]
    header = ["profile", "chip, scope", "energy counted", "not counted", "latency", "fit"]
    return sheet(header, rows, title=f"{len(chips)} chips")


def detail(chip: Mapping[str, Any]) -> Sheet:
    """Return a table of all numbers of a chip, with kinds and sources."""
    rows = []
    for section, unit in (("energy", "pJ"), ("power", "mW")):
        for name, number in chip[section].items():
            band = f"{number['low']:g} to {number['high']:g}" if number["low"] < number["high"] else ""
            rows.append([f"{section}.{name}", f"{number['value']:g} {unit}", band, number["kind"], number["source"]])
    return sheet(["coefficient", "value", "band", "kind", "source"], rows, title=f"{chip['id']}: {chip['name']}")


def _counted(chip: Mapping[str, Any]) -> str:
    used = [name for name, number in chip["energy"].items() if number["counted"]]
    if chip["composition"] == "power-time":
        parts = ["power x time", *used]
    else:
        parts = [*used, *(["memory"] if chip["memory"] else [])]
    return ", ".join(parts) or "no energy is published"


def _left_out(chip: Mapping[str, Any]) -> str:
    """Return what an estimate leaves out, in few words: the largest terms by name, the rest as a number."""
    heaviest = [
        text for text in ("static power", "memory accesses") for one in chip["not_counted"] if one.startswith(text)
    ]
    rest = len(chip["not_counted"]) - len(heaviest)
    lines = [*heaviest, *([f"{rest} more" if heaviest else f"{rest} thing{'s' * (rest != 1)}"] if rest else [])]
    return "\n".join(lines) or "-"


def _detail_lines(chip: Mapping[str, Any]) -> list[str]:
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
    return lines


if __name__ == "__main__":
    forget_working_directory()
    typer.run(profiles)
