"""Front: what a run has found. `python -m evonas.front DIR`, while the search runs or after."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from evonas import report
from evonas.archive import Archive
from evonas.errors import EvonasError, RunFileError
from evonas.resolved_run import objectives_of
from evonas.results import Results
from evonas.runfile import parse, read


class Format(StrEnum):
    """How to print."""

    table = "table"
    json = "json"
    csv = "csv"


def front(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run's results.")],
    all_: Annotated[
        bool, typer.Option("--all", help="Every evaluation in slot order, with its outcome and message.")
    ] = False,
    format_: Annotated[Format, typer.Option("--format", help="For people, or for programs.")] = Format.table,
) -> None:
    """Print the Pareto front of a run."""
    try:
        results = open_results(folder)
    except RunFileError as error:
        typer.echo(f"{folder} cannot be read:\n{error}", err=True)
        raise typer.Exit(2) from None
    except EvonasError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    found = results.front()
    rows = results.rows if all_ else None
    if format_ is Format.json:
        typer.echo(found.to_json(rows=rows))
    elif format_ is Format.csv:
        typer.echo(report.to_csv(found, rows=rows), nl=False)
    else:
        Console(width=None if sys.stdout.isatty() else 200).print(report.table(found, rows=rows))


def open_results(folder: Path) -> Results:
    """Return what a results folder holds now, scored as its run file says.

    Raises:
        RunFileError: If the folder holds no results, or what its run file names is no longer there.
        ArchiveError: If the archive cannot be read.
    """
    if not (folder / "run.toml").is_file():
        raise RunFileError([f"DIR: {folder} holds no run.toml, expected the results folder of a run"])
    file, faults = parse(read(folder / "run.toml"))
    if file is None:
        raise RunFileError(faults)
    objectives, faults = objectives_of(file.objectives)
    if faults:
        raise RunFileError(faults)
    return Archive.read(folder / "archive.h5", objectives)


if __name__ == "__main__":
    typer.run(front)
