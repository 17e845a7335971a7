"""Run: from a run file to a Pareto front. `python -m evonas.run RUN_FILE`, and again to resume."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from evonas.archive.archive import Archive
from evonas.archive.atomic_file import write_text
from evonas.archive.pareto_front import Front
from evonas.cli.door import command_line, console, exit_codes, resumable
from evonas.cli.dry_run import try_out
from evonas.cli.progress import summary
from evonas.cli.session import run_or_resume, writable
from evonas.engine.budget import REJECTED_IN_A_ROW, Ending
from evonas.engine.rejection import most_common_reason
from evonas.report import tables
from evonas.report.escaping import plain
from evonas.report.kept_off import kept_off, nearest, unreached
from evonas.report.page.written import write_own_page
from evonas.runfile.resolve import ResolvedRun, resolve


def run(
    run_file: Annotated[Path, typer.Argument(help="The run file, such as runs/digits.toml.")],
    output: Annotated[Path | None, typer.Option(help="Folder of the results; by default results/<run name>.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="section.key=value over the run file; may be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything and build one network.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="First evaluate again what has failed; other rows are kept.")
    ] = False,
) -> None:
    """Search, or go on with a search: the same command resumes."""
    command = command_line("run", sys.argv)
    with exit_codes(run_file, cannot="be run"), resumable(command):
        screen = console(piped_width=120)
        folder = output or Path("results") / run_file.stem
        with writable(folder):
            resolved = resolve(run_file, overrides=set_ or ())
        if dry_run:
            chip = resolved.chip_constraint
            try_out(resolved, checks=[] if chip is None else [chip.check], console=screen)
            return
        front = _searched(resolved, folder, console=screen, retry=retry_failed)
        screen.print(plain(f"Results: {folder}   Resume or extend: {command}"), soft_wrap=True)
        if front.evaluations == front.failed:
            raise typer.Exit(1)  # nothing was measured


def _searched(resolved: ResolvedRun, folder: Path, *, console: Console, retry: bool) -> Front:
    """Search, show and store the front, and return it."""
    archive, ending = run_or_resume(
        resolved, folder, summary=partial(summary, top_rung=resolved.top_rung), console=console, retry=retry
    )
    if ending is Ending.ONLY_REJECTED and resolved.reject is not None:
        rejected = [row.job.genotype for row in archive.rows if row.is_rejected][-REJECTED_IN_A_ROW:]
        console.print(plain(f"Most often it was: {most_common_reason(resolved.reject, rejected)}."))
    front = archive.front()
    write_text(folder / "front.csv", tables.to_csv(front))
    write_own_page(folder, archive.results())
    console.print(tables.table(front))
    for line in _remarks(archive, front, resolved):
        console.print(plain(line))
    return front


def _remarks(archive: Archive, front: Front, resolved: ResolvedRun) -> list[str]:
    """Return the lines that explain the table, for people."""
    objectives, top = archive.objectives, resolved.top_rung
    reasons = kept_off(archive.rows, objectives=objectives, top=top)
    lines = [reasons] if reasons else []
    if not front.rows:
        lines += [*nearest(archive.rows, objectives=objectives, top=top), *unreached(archive.rows, top=top)]
    hypervolume = "not known" if front.hypervolume is None else f"{front.hypervolume:.4f}"
    rejections = f"; {front.rejected} networks were rejected before training" if front.rejected else ""
    lines.append(f"Hypervolume {hypervolume}; {front.failed} of {front.evaluations} evaluations failed{rejections}.")
    for objective in resolved.objectives:
        part = f", {objective.part}," if objective.part else ""
        if objective.uncounted:
            lines.append(f"{objective.name}{part} is an estimate; not counted: {'; '.join(objective.uncounted)}.")
    return lines


if __name__ == "__main__":
    typer.run(run)
