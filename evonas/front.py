"""Front: what a run has found, for any chip and budget. `python -m evonas.front DIR`, also while the search runs."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from evonas.archive.archive import Archive
from evonas.archive.atomic_file import write_text
from evonas.archive.pareto_front import Front
from evonas.archive.results import Results
from evonas.cli.exit_codes import exit_codes
from evonas.engine.view import Row
from evonas.errors import RunFileError
from evonas.measurement import Measurement
from evonas.report import tables
from evonas.report.cost_breakdown import Bill, bill
from evonas.report.pick import pick
from evonas.report.rescoring import Question, ask
from evonas.runfile.schema import RunFile, parse, read


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
    profile: Annotated[
        str | None, typer.Option(help="Another chip: scored again for it, networks that do not fit left out.")
    ] = None,
    budget: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Hard bound of an objective; may be repeated.")
    ] = None,
    wanted: Annotated[
        str | None, typer.Option("--pick", metavar="knee|KEY|best:NAME", help="One network, in full.")
    ] = None,
    html: Annotated[
        bool, typer.Option("--html", help="Write report.html into DIR; draws the pick, or the knee.")
    ] = False,
) -> None:
    """Print the Pareto front of a run, also for another chip or another budget: nothing is trained again."""
    with exit_codes(folder, cannot="be shown"):
        file = read_run_file(folder)
        question, results, picked = _answer(folder, file, profile=profile, budgets=budget or [], wanted=wanted)
    found, rows = results.front(), results.rows if all_ else None
    cost = None if picked is None else _bill(picked, question)
    if format_ is Format.json:
        whole = None if picked is None else {**found.network(picked), "bill": None if cost is None else cost.to_json()}
        typer.echo(found.to_json(rows=rows, picked=whole))
    elif format_ is Format.csv:
        typer.echo(tables.to_csv(found, rows=rows if picked is None else [picked]), nl=False)
    else:
        console = Console(width=None if sys.stdout.isatty() else 200)
        if picked is None:
            console.print(tables.table(found, rows=rows))
        else:
            console.print("\n".join(_told(picked, found, cost)), markup=False, highlight=False)
    left_out = question.left_out(results)
    if left_out:
        typer.echo(left_out, err=True)
    if html:
        _write_page(folder, question, results=results, picked=picked)


def open_results(folder: Path) -> Results:
    """Return what a results folder holds now, scored as its run file says.

    Raises:
        RunFileError: If the folder holds no results, or what its run file names is no longer there.
        ArchiveError: If the archive cannot be read.
    """
    return Archive.read(folder / "archive.h5", ask(read_run_file(folder)).objectives)


def read_run_file(folder: Path) -> RunFile:
    """Return the run file that a results folder holds.

    Raises:
        RunFileError: If there is none, or it is wrong.
    """
    if not (folder / "run.toml").is_file():
        raise RunFileError([f"DIR: {folder} holds no run.toml, expected the results folder of a run"])
    file, faults = parse(read(folder / "run.toml"))
    if file is None:
        raise RunFileError(faults)
    return file


def _answer(
    folder: Path, file: RunFile, *, profile: str | None, budgets: list[str], wanted: str | None
) -> tuple[Question, Results, Row | None]:
    """Return the question, the results under it and the network that is picked.

    Raises:
        RunFileError: With everything that is wrong with the command.
        ArchiveError: If the archive cannot be read.
    """
    faults: list[str] = []
    picked = None
    try:
        question = ask(file, profile=profile, budgets=budgets)
    except RunFileError as error:
        faults += error.faults
        question = ask(file)
    results = Archive.read(folder / "archive.h5", question.objectives)
    if wanted is not None:
        try:
            picked = pick(results, wanted)
        except RunFileError as error:
            faults += [*error.faults, *filter(None, [question.left_out(results)])]  # why there may be nothing to pick
    if faults:
        raise RunFileError(faults)
    return question, results, picked


def _bill(row: Row, question: Question) -> Bill | None:
    measurement = row.evaluation.measurement
    return bill(measurement.activity, question) if isinstance(measurement, Measurement) else None


def _told(row: Row, found: Front, cost: Bill | None) -> list[str]:
    """Return the lines that people read of one network."""
    whole: dict[str, Any] = found.network(row)
    lines = [f"Network {whole['key']}: slot {whole['slot']}, {whole['strategy']}, {whole['epochs']} epochs"]
    for objective in found.objectives:
        value = whole["objectives"][objective.name]
        lines.append(f"  {objective.name}: {'no value' if value is None else f'{value:.4g} {objective.unit}'.rstrip()}")
    if row.score is not None and row.score.reason:
        lines.append(f"  infeasible: {row.score.reason}")
    lines += ["Genotype", *(f"  {name} = {value}" for name, value in whole["genotype"].items())]
    return lines if cost is None else [*lines, *tables.bill_lines(cost)]


def _write_page(folder: Path, question: Question, *, results: Results, picked: Row | None) -> None:
    from evonas.report.html import page  # plotly, which no other output needs

    drawn = picked or (pick(results, "knee") if results.front().rows else None)
    cost = None if drawn is None else _bill(drawn, question)
    write_text(folder / "report.html", page(results, title=folder.resolve().name, picked=drawn, bill=cost))
    typer.echo(f"Written: {folder / 'report.html'}", err=True)


if __name__ == "__main__":
    typer.run(front)
