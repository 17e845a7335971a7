"""Front: the best networks of a run, for any chip and budget. `python -m evonas.front DIR`, also during the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from evonas.archive.atomic_file import write_text
from evonas.archive.pareto_front import Front
from evonas.cli.door import console, exit_codes
from evonas.engine.view import Row
from evonas.errors import RunFileError
from evonas.report import comparison_sheets, tables
from evonas.report.answer import Answer, Command, answered
from evonas.report.comparison import compared, labels_of
from evonas.report.comparison_page import comparison_page
from evonas.report.cost_breakdown import CostBreakdown
from evonas.report.escaping import visible
from evonas.report.figures import Draw, check_drawable, figures_of_comparison, figures_of_run, write_figures
from evonas.report.page.written import write_page
from evonas.report.pick import usual
from evonas.runfile.modules import forget_working_directory
from evonas.runfile.sweep_chip import listed_chips

COMPARISON = Path("comparison.html")
"""The page of several runs, in the working directory."""


class Format(StrEnum):
    """How to print."""

    table = "table"
    json = "json"
    csv = "csv"


def front(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="DIR…", help="Folder of a run's results, or an archive; several are compared."),
    ],
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
        list[str] | None,
        typer.Option(
            "--pick",
            metavar="cheapest|knee|budget|KEY|best:NAME",
            help="One network, in full; may be repeated. `cheapest`: within one sampling error of the best accuracy.",
        ),
    ] = None,
    html: Annotated[
        bool, typer.Option("--html", help="Write report.html into DIR; of several runs comparison.html here.")
    ] = False,
    profiles: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="With --html: further chips for the menu of the page, separated by commas."),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write figures for papers there, as PDF, PNG and SVG; energy of the pick."),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Run code of its own that DIR names; without, nothing of it is executed.")
    ] = False,
) -> None:
    """Print the Pareto front of a run, also for another chip or another budget: nothing is trained again.

    An empty front is an answer: the exit code is 0 also where nothing was measured. Several runs are compared: their
    hypervolumes between common corners, what their fronts attain, and whether they differ by more than seeds do.
    """
    command = Command(profile, tuple(budget or ()), tuple(wanted or ()), trust)
    folder, *others = folders
    if others:
        with exit_codes(" and ".join(map(str, folders)), cannot="be compared"):
            _check_compared(command, everything=all_, format_=format_, profiles=profiles)
            _compare(folders, command, format_=format_, figures=figures, html=html)
        return
    with exit_codes(folder, cannot="be shown"):
        chips = _named_chips(profiles, html=html)
        if figures is not None:
            check_drawable("--figures")
        answer = answered(folder, command)
        _show(answer, everything=all_, format_=format_)
        for note in answer.notes(is_for_people=format_ is Format.table):
            typer.echo(visible(note), err=True)
        if html:
            typer.echo(visible(f"Written: {write_page(folder, answer, command, profiles=chips)}"), err=True)
        if figures is not None:
            drawn, missing = figures_of_run(answer, answer.picks[0] if answer.picks else usual(answer.results))
            _write_figures(figures, drawn, missing)


def _check_compared(command: Command, *, everything: bool, format_: Format, profiles: str | None) -> None:
    """Check that no option is given that is about one run; raise otherwise.

    Raises:
        RunFileError: With each such option.
    """
    given = {
        "--all": everything,
        "--pick": bool(command.wanted),
        "--format csv": format_ is Format.csv,
        "--profiles": profiles is not None,
    }
    if faults := [f"{option} is about one run; expected one DIR" for option, is_given in given.items() if is_given]:
        raise RunFileError(faults)


def _compare(folders: Sequence[Path], command: Command, *, format_: Format, figures: Path | None, html: bool) -> None:
    if figures is not None or html:
        check_drawable("--html of several runs" if html else "--figures")
    answers = [answered(folder, command) for folder in folders]
    labels = labels_of(folders)
    comparison = compared([(label, answer.results) for label, answer in zip(labels, answers, strict=True)])
    if format_ is Format.json:
        typer.echo(comparison_sheets.to_json(comparison))
    else:
        sheets = [comparison_sheets.runs_sheet(comparison), comparison_sheets.attainment_sheet(comparison)]
        for found in filter(None, sheets):
            console(piped_width=200).print(found)
        lines = [*comparison.verdicts(), *comparison.remarks(), *comparison_sheets.setting_lines(comparison)]
        typer.echo(visible("\n".join(lines)))
    for label, answer in zip(labels, answers, strict=True):
        for note in answer.remarks:
            typer.echo(visible(f"{label}: {note}"), err=True)
    if figures is not None:
        _write_figures(figures, figures_of_comparison(comparison))
    if html:
        write_text(COMPARISON, comparison_page(comparison))
        typer.echo(f"Written: {COMPARISON}", err=True)


def _write_figures(folder: Path, drawn: Mapping[str, Draw], missing: Sequence[str] = ()) -> None:
    written = [f"Written: {file}" for file in write_figures(folder, drawn)]
    typer.echo(visible("\n".join([*missing, *written])), err=True)


def _show(answer: Answer, *, everything: bool, format_: Format) -> None:
    found, picks = answer.results.front(), answer.picks
    rows = answer.results.rows if everything else None
    if format_ is Format.json:
        typer.echo(found.to_json(rows=rows, picks=[_whole(row, found, answer) for row in picks]))
    elif format_ is Format.csv:
        typer.echo(tables.to_csv(found, rows=picks or rows), nl=False)
    elif not picks:
        console(piped_width=200).print(tables.table(found, rows=rows))
    else:
        texts = ["\n".join(_network_lines(row, found, answer.breakdown_of(row))) for row in picks]
        typer.echo(visible("\n\n".join(texts)))


def _whole(row: Row, found: Front, answer: Answer) -> dict[str, Any]:
    """Return the JSON object about one network."""
    cost = answer.breakdown_of(row)
    return {**found.network(row), "breakdown": None if cost is None else cost.to_json()}


def _network_lines(row: Row, found: Front, cost: CostBreakdown | None) -> list[str]:
    """Return the lines about one network, for people."""
    whole: dict[str, Any] = found.network(row)
    lines = [f"Network {whole['key']}: slot {whole['slot']}, {whole['strategy']}, {whole['epochs']} epochs"]
    for objective in found.objectives:
        value = whole["objectives"][objective.name]
        lines.append(f"  {objective.name}: {'no value' if value is None else f'{value:.4g} {objective.unit}'.rstrip()}")
    if row.score is not None and row.score.reason:
        lines.append(f"  infeasible: {row.score.reason}")
    lines += ["Genotype", *(f"  {name} = {value}" for name, value in whole["genotype"].items())]
    return lines if cost is None else [*lines, *tables.breakdown_lines(cost)]


def _named_chips(profiles: str | None, *, html: bool) -> list[str]:
    """Return the chips that `--profiles` names.

    Raises:
        RunFileError: If there is none, or no page to show them.
    """
    if profiles is None:
        return []
    if not html:
        raise RunFileError(
            ["--profiles: it names the chips of the page; give --html as well, or one chip as --profile"]
        )
    names, faults = listed_chips(profiles)
    if faults:
        raise RunFileError(faults)
    return names


if __name__ == "__main__":
    forget_working_directory()
    typer.run(front)
