"""Run: from a run file to a Pareto front. `python -m evonas.run RUN_FILE`, and again to resume."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from evonas.archive.archive import Archive
from evonas.archive.atomic_file import write_text
from evonas.cli.dry_run import try_out
from evonas.cli.exit_codes import exit_codes
from evonas.cli.session import carried_out, command, log, resumable
from evonas.engine.search import REFUSED_IN_A_ROW, Ending
from evonas.report import tables
from evonas.runfile.resolve import ResolvedRun, resolve


def run(
    run_file: Annotated[Path, typer.Argument(help="The run file, such as runs/digits.toml.")],
    output: Annotated[Path | None, typer.Option(help="Folder of the results; by default results/<run name>.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="section.key=value over the run file; may be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything and build one network.")] = False,
) -> None:
    """Search, or go on with a search: the same command resumes."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    with exit_codes(run_file, cannot="be run"), resumable("run"):
        resolved = resolve(run_file, overrides=tuple(set_ or ()))
        folder = output or Path("results") / run_file.stem
        if dry_run:
            hardware = resolved.hardware
            try_out(resolved, checks=[] if hardware is None else [hardware.check], console=console)
        else:
            _search(resolved, folder=folder, console=console)


def _search(resolved: ResolvedRun, *, folder: Path, console: Console) -> None:
    archive, ending = carried_out(resolved, search=resolved.search, standing=_standing, folder=folder, console=console)
    if ending is Ending.ONLY_REFUSED and resolved.hardware is not None:
        refused = [row.job.genotype for row in archive.rows if row.is_refused][-REFUSED_IN_A_ROW:]
        log.info("Most often it was: %s.", resolved.hardware.most_common_reason(refused))
    front = archive.front()
    write_text(folder / "front.csv", tables.to_csv(front))
    console.print(tables.table(front))
    hypervolume = "not known" if front.hypervolume is None else f"{front.hypervolume:.4f}"
    refusals = f"; {front.refused} networks were refused before training" if front.refused else ""
    console.print(f"Hypervolume {hypervolume}; {front.failed} of {front.evaluations} evaluations failed{refusals}.")
    for objective in resolved.objectives:
        if objective.uncounted:
            console.print(f"{objective.name} is an estimate; not counted: {'; '.join(objective.uncounted)}.")
    console.print(f"Results: {folder}   Resume or extend: {command('run')}", soft_wrap=True)
    if ending is Ending.ONLY_REFUSED and not front.evaluations:
        raise typer.Exit(1)


def _standing(archive: Archive) -> str:
    hypervolume = archive.front().hypervolume
    return f"hypervolume {'not yet known' if hypervolume is None else f'{hypervolume:.4f}'}"


if __name__ == "__main__":
    typer.run(run)
