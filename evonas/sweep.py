"""Sweep: one search for many chips and budgets, every network trained once. `python -m evonas.sweep RUN_FILE …`."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from evonas.archive.archive import Archive
from evonas.archive.atomic_file import write_text
from evonas.cli.door import command_line, console, exit_codes, resumable
from evonas.cli.dry_run import try_out
from evonas.cli.session import run_or_resume, writable
from evonas.engine.budget import Ending
from evonas.errors import EvonasError
from evonas.report.escaping import plain
from evonas.report.page.written import write_own_page
from evonas.report.sweep_sheets import best_networks, budget_text, correlation_sheet, reasons
from evonas.report.sweep_table import SweepTable, tabulated
from evonas.runfile.sweep import ResolvedSweep, resolve_sweep


class Format(StrEnum):
    """How to print."""

    table = "table"
    json = "json"


def sweep(
    run_file: Annotated[Path, typer.Argument(help="The run file, such as runs/digits.toml.")],
    profiles: Annotated[str, typer.Option(help="The chips: names or files of profiles, separated by commas.")],
    budget: Annotated[
        list[str], typer.Option(help="objective=value,value… such as energy=1e-6,5e-6; may be repeated.")
    ],
    output: Annotated[Path | None, typer.Option(help="Folder; by default results/<run name>-sweep.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="section.key=value over the run file; may be repeated.")
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="For people, or for programs.")] = Format.table,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything and build one network.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="First evaluate again what has failed; other rows are kept.")
    ] = False,
) -> None:
    """Search for many chips and budgets at once, or go on with it: the same command resumes."""
    command = command_line("sweep", sys.argv)
    with exit_codes(run_file, cannot="be swept"), resumable(command):
        screen = console(piped_width=160, on_stderr=format_ is Format.json)
        folder = output or Path("results") / f"{run_file.stem}-sweep"
        with writable(folder):
            resolved = resolve_sweep(run_file, profiles=profiles, budgets=budget, overrides=set_ or ())
        if dry_run:
            try_out(resolved.run, checks=[chip.check for chip in resolved.chips], console=screen)
        for line in _sought(resolved, verb="would seek" if dry_run else "seek"):
            screen.print(plain(line))
        if dry_run:
            return
        table = _searched(resolved, folder, console=screen, retry=retry_failed)
        if format_ is Format.json:
            typer.echo(table.to_json())
        else:
            _show(table, screen)
        screen.print(plain(f"Results: {folder}   Resume or extend: {command}"), soft_wrap=True)
        if table.evaluations == table.failed:
            raise typer.Exit(1)  # nothing was measured


def _sought(resolved: ResolvedSweep, *, verb: str) -> list[str]:
    """Return how the command was understood, for people."""
    sought = [
        f"- {cell.chip.name} at most {budget_text(cell.budget)}"
        if cell.target is not None
        else f"- none on {cell.chip.name}: {cell.why_not.rstrip('.')}."
        for cell in resolved.cells
    ]
    count = resolved.run.budget.evaluations
    # the reason for no network is the same for each budget of a chip
    return [f"{count} evaluations {verb} the best network of each cell:", *dict.fromkeys(sought)]


def _searched(resolved: ResolvedSweep, folder: Path, *, console: Console, retry: bool) -> SweepTable:
    """Search, store what was found, and return the table."""
    archive, ending = run_or_resume(resolved.run, folder, summary=_FilledCells(resolved), console=console, retry=retry)
    table = tabulated(resolved, archive.rows)
    if ending is Ending.ONLY_REJECTED and not table.evaluations:
        raise EvonasError(f"Nothing fits on any of the chips: {table.cells[0].reason}")
    write_text(folder / "sweep.csv", table.to_csv())
    write_own_page(folder, archive.results())
    return table


class _FilledCells:
    """Counts the cells that have a network. Each call looks at new rows only, so that a display can call it often."""

    def __init__(self, sweep: ResolvedSweep) -> None:
        self._sweep = sweep
        self._seen: set[int] = set()  # slots
        self._filled: set[int] = set()  # positions in `cells`

    def __call__(self, archive: Archive) -> str:
        cells, top = self._sweep.cells, self._sweep.run.top_rung
        for row in archive.rows:
            if row.job.slot not in self._seen and row.job.rung == top:
                self._filled |= {i for i, cell in enumerate(cells) if i not in self._filled and cell.target
                                 and cell.target.row(row).is_feasible}  # fmt: skip
            self._seen.add(row.job.slot)
        return f"{len(self._filled)} of {len(cells)} cells have a network"


def _show(table: SweepTable, console: Console) -> None:
    console.print(best_networks(table))
    for line in reasons(table):
        console.print(plain(line))
    for quantity in dict.fromkeys(correlation.quantity for correlation in table.rank_correlations):
        console.print(correlation_sheet(table, quantity=quantity))
    for note in table.notes():
        console.print(plain(note))


if __name__ == "__main__":
    typer.run(sweep)
