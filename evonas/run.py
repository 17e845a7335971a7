"""Run: from a run file to a Pareto front. `python -m evonas.run RUN_FILE`, and again to resume."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from evonas.archive.archive import Archive
from evonas.archive.atomic_file import write_text
from evonas.archive.pareto_front import Front
from evonas.cli.consoles import console
from evonas.cli.dry_run import try_out
from evonas.cli.exit_codes import exit_codes
from evonas.cli.output_folder import make_output, output_faults
from evonas.cli.session import carried_out, command, resumable
from evonas.cli.standing import standing
from evonas.engine.rejection import most_common_reason
from evonas.engine.search import REJECTED_IN_A_ROW, Ending
from evonas.errors import RunFileError
from evonas.report import tables
from evonas.report.escaping import plain
from evonas.report.kept_off import kept_off, nearest
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
    with exit_codes(run_file, cannot="be run"), resumable("run"):
        screen = console(piped_width=120)
        folder = output or Path("results") / run_file.stem
        resolved = _resolved(run_file, set_ or [], folder=folder)
        if dry_run:
            hardware = resolved.hardware
            try_out(resolved, checks=[] if hardware is None else [hardware.check], console=screen)
        else:
            make_output(folder)
            _search(resolved, folder=folder, console=screen, retry=retry_failed)


def _resolved(run_file: Path, overrides: list[str], *, folder: Path) -> ResolvedRun:
    """Return the run of a run file.

    Raises:
        RunFileError: With every fault of the run file, and of the folder of its results.
    """
    faults = output_faults(folder)
    try:
        resolved = resolve(run_file, overrides=tuple(overrides))
    except RunFileError as error:
        raise RunFileError([*error.faults, *faults]) from None
    if faults:
        raise RunFileError(faults)
    return resolved


def _search(resolved: ResolvedRun, *, folder: Path, console: Console, retry: bool) -> None:
    archive, ending = carried_out(
        resolved,
        search=resolved.search,
        standing=partial(standing, top_rung=resolved.ladder.top),
        folder=folder,
        console=console,
        retry=retry,
    )
    if ending is Ending.ONLY_REJECTED and resolved.reject is not None:
        rejected = [row.job.genotype for row in archive.rows if row.is_rejected][-REJECTED_IN_A_ROW:]
        console.print(plain(f"Most often it was: {most_common_reason(resolved.reject, rejected)}."))
    front = archive.front()
    write_text(folder / "front.csv", tables.to_csv(front))
    console.print(tables.table(front))
    for line in _told(archive, front, resolved):
        console.print(plain(line))
    console.print(plain(f"Results: {folder}   Resume or extend: {command('run')}"), soft_wrap=True)
    if front.evaluations == front.failed:
        raise typer.Exit(1)  # nothing was measured


def _told(archive: Archive, front: Front, resolved: ResolvedRun) -> list[str]:
    """Return what people have to know to read the table."""
    objectives, top = archive.objectives, resolved.ladder.top
    reasons = kept_off(archive.rows, objectives=objectives, top=top)
    lines = [reasons] if reasons else []
    lines += [] if front.rows else nearest(archive.rows, objectives=objectives, top=top)
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
