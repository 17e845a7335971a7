"""Sweep: one search for many chips and budgets, every network trained once. `python -m evonas.sweep RUN_FILE …`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from evonas.archive.archive import Archive
from evonas.archive.atomic_file import write_text
from evonas.cli.dry_run import try_out
from evonas.cli.exit_codes import exit_codes
from evonas.cli.session import carried_out, command, resumable
from evonas.engine.search import Ending
from evonas.errors import EvonasError
from evonas.report.sweep_table import Amount, SweepTable, tabulated
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
) -> None:
    """Search for many chips and budgets at once, or go on with it: the same command resumes."""
    console = Console(width=None if sys.stdout.isatty() else 160, stderr=format_ is Format.json)
    with exit_codes(run_file, cannot="be swept"), resumable("sweep"):
        resolved = resolve_sweep(run_file, profiles=profiles, budgets=budget, overrides=set_ or ())
        if dry_run:
            _try_out(resolved, console)
            return
        folder = output or Path("results") / f"{run_file.stem}-sweep"
        table = _searched(resolved, folder=folder, console=console)
    if format_ is Format.json:
        typer.echo(table.to_json())
    else:
        _show(table, console)
    console.print(f"Results: {folder}   Resume or extend: {command('sweep')}", soft_wrap=True)


def _try_out(resolved: ResolvedSweep, console: Console) -> None:
    try_out(resolved.run, checks=[chip.check for chip in resolved.chips], console=console)
    console.print(f"{resolved.run.budget.evaluations} evaluations would seek the best network of each cell:")
    sought = [
        f"- {cell.chip.name} at most {_budget(cell.budget)}"
        if cell.target is not None
        else f"- none on {cell.chip.name}: {cell.why_not.rstrip('.')}."
        for cell in resolved.cells
    ]
    for line in dict.fromkeys(sought):  # why there is none is the same for each budget
        console.print(line, markup=False, highlight=False)


def _searched(resolved: ResolvedSweep, *, folder: Path, console: Console) -> SweepTable:
    archive, ending = carried_out(
        resolved.run,
        search=resolved.search,
        standing=_Filled(resolved),
        folder=folder,
        console=console,
        settings=resolved.settings,
    )
    table = tabulated(resolved, archive.rows)
    if ending is Ending.ONLY_REFUSED and not table.evaluations:
        raise EvonasError(f"Nothing fits on any of the chips: {table.found[0].reason}")
    write_text(folder / "sweep.csv", table.to_csv())
    return table


class _Filled:
    """Tells how many cells have a network: a fold over the rows of an archive, so that a display can ask often."""

    def __init__(self, sweep: ResolvedSweep) -> None:
        self._sweep = sweep
        self._seen: set[int] = set()
        self._filled: set[int] = set()

    def __call__(self, archive: Archive) -> str:
        cells, top = self._sweep.cells, self._sweep.run.ladder.top
        for row in archive.rows:
            if row.job.slot not in self._seen and row.job.rung == top:
                self._filled |= {i for i, cell in enumerate(cells) if i not in self._filled and cell.target
                                 and cell.target.row(row).is_feasible}  # fmt: skip
            self._seen.add(row.job.slot)
        return f"{len(self._filled)} of {len(cells)} cells have a network"


def _show(table: SweepTable, console: Console) -> None:
    console.print(best_networks(table))
    for (profile, reason), budgets in _without(table).items():
        said = f" at most {' and '.join(budgets)}" if len(budgets) < _cells_of(table, profile) else ""
        console.print(escape(f"{profile}{said}: {reason.rstrip('.')}."), highlight=False)
    for quantity in dict.fromkeys(likeness.quantity for likeness in table.likenesses):
        console.print(rank_correlations(table, quantity=quantity))
    for note in table.notes():
        console.print(escape(note), highlight=False)


def _without(table: SweepTable) -> dict[tuple[str, str], list[str]]:
    """Return the budgets without a network, by chip and reason."""
    budgets: dict[tuple[str, str], list[str]] = {}
    for found in table.found:
        if found.reason:
            budgets.setdefault((found.profile, found.reason), []).append(_budget(found.budget))
    return budgets


def _cells_of(table: SweepTable, profile: str) -> int:
    return sum(found.profile == profile for found in table.found)


def best_networks(table: SweepTable) -> Table:
    """Return a table with the best network of each chip and budget."""
    refused = f", {table.refused} more refused" if table.refused else ""
    title = f"Best networks of {table.evaluations} evaluations, {table.failed} of them failed{refused}"
    result = Table(title=title)
    for name in ("chip", "at most"):
        result.add_column(name)
    for name in ("feasible", "key", "accuracy", *(f"{name} [{unit}]" for name, unit in table.units.items())):
        result.add_column(escape(name), justify="right")
    result.add_column("fit")
    for found in table.found:
        accuracy = "-" if found.accuracy is None else f"{found.accuracy:.3f} ± {found.accuracy_error:.3f}"
        amounts = [_amount((found.amounts or {}).get(name)) for name in table.units]
        cells = [found.profile, _budget(found.budget), str(found.feasible), found.key or "none", accuracy, *amounts]
        result.add_row(*map(escape, cells), found.fit or "-")
    return result


def rank_correlations(table: SweepTable, *, quantity: str) -> Table:
    """Return a table of Kendall's tau between the chips over all networks."""
    pairs = {likeness.profiles: likeness for likeness in table.likenesses if likeness.quantity == quantity}
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    result = Table(title=f"Rank correlation (Kendall's tau) of {quantity} over the networks")
    for name in ("", *names):
        result.add_column(name, justify="right")
    for row in names:
        cells = []
        for column in names:
            likeness = pairs.get((row, column)) or pairs.get((column, row))
            cells.append("" if likeness is None else "-" if likeness.tau is None else f"{likeness.tau:.2f}")
        result.add_row(escape(row), *cells)
    return result


def _budget(bounds: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {bound:g}" for name, bound in bounds.items())


def _amount(amount: Amount | None) -> str:
    if amount is None:
        return "-"
    if amount.low == amount.high:
        return f"{amount.value:.3g}"
    return f"{amount.value:.3g} ({amount.low:.3g} to {amount.high:.3g})"


if __name__ == "__main__":
    typer.run(sweep)
