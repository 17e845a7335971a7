"""Run: from a run file to a Pareto front. `python -m evonas.run RUN_FILE`, and again to resume."""

from __future__ import annotations

import logging
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Annotated

import numpy as np
import tomli_w
import typer
from rich.console import Console

from evonas import report
from evonas.archive import Archive
from evonas.durable import write_text
from evonas.errors import ChangedRunError, EvonasError, RunFileError
from evonas.progress import SearchProgress
from evonas.resolved_run import ResolvedRun, resolve
from evonas.runfile import FREE_SETTINGS
from evonas.search import REFUSED_IN_A_ROW, Ending, Workers
from evonas.workers import InlineWorkers, LazyEvaluate

log = logging.getLogger("evonas")


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
    try:
        resolved = resolve(run_file, overrides=tuple(set_ or ()))
        folder = output or Path("results") / run_file.stem
        if dry_run:
            _try_out(resolved, console)
        else:
            _search(resolved, folder=folder, console=console)
    except (RunFileError, ChangedRunError) as error:
        typer.echo(f"{run_file} cannot be run:\n{error}", err=True)
        raise typer.Exit(2) from None
    except EvonasError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.echo(
            f"Stopped; every finished evaluation is kept. Go on with the same command:\n  {_command()}", err=True
        )
        raise typer.Exit(1) from None


def _try_out(resolved: ResolvedRun, console: Console) -> None:
    genotype = resolved.space.sample(np.random.default_rng([resolved.file.search.seed, 0]))
    network = resolved.build_one(genotype)
    data = resolved.search_data
    parameters = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    for note in resolved.notes:
        console.print(f"Note: {note}")
    console.print(
        f"The run file is right: {len(data.train)} training and {len(data.validation)} validation samples of shape "
        f"{data.input_shape}, {data.classes} classes; network {genotype.key} was built, {parameters:,} parameters."
    )
    if resolved.hardware is not None:
        console.print(f"Network {genotype.key} {resolved.hardware.fit(genotype)}.")


def _search(resolved: ResolvedRun, *, folder: Path, console: Console) -> None:
    signal.signal(signal.SIGTERM, _interrupt)  # `ray job stop` and batch systems: keep what there is, then end
    folder.mkdir(parents=True, exist_ok=True)
    archive = Archive(
        folder / "archive.h5",
        resolved.space,
        resolved.objectives,
        seed=resolved.file.search.seed,
        settings=resolved.file.settings(),
        free=FREE_SETTINGS,
        top_rung=resolved.ladder.top,
        reference_rows=resolved.pop_size,
    )
    with archive:
        _log_to(folder / "log.txt", console)
        for note in resolved.notes:
            log.info("Note: %s", note)
        write_text(folder / "run.toml", _resolved_text(resolved))
        stored = len(archive.rows)
        if stored:
            log.info("Found %d rows in %s; going on from there.", stored, folder / "archive.h5")
        workers = _workers(resolved)
        progress = SearchProgress(
            resolved.budget.evaluations,
            hypervolume=lambda: archive.front().hypervolume,
            log=log.info,
            console=console,
        )
        try:
            with progress:
                ending = resolved.search(archive, workers=workers, on_row=progress)
        finally:
            workers.close()
        log.info("%s %d new rows.", ending.value, len(archive.rows) - stored)
        if ending is Ending.ONLY_REFUSED and resolved.hardware is not None:
            refused = [row.job.genotype for row in archive.rows if row.is_refused][-REFUSED_IN_A_ROW:]
            log.info("Most often it was: %s.", resolved.hardware.most_common_reason(refused))
    front = archive.front()
    write_text(folder / "front.csv", report.to_csv(front))
    console.print(report.table(front))
    hypervolume = "not known" if front.hypervolume is None else f"{front.hypervolume:.4f}"
    refusals = f"; {front.refused} networks were refused before training" if front.refused else ""
    console.print(f"Hypervolume {hypervolume}; {front.failed} of {front.evaluations} evaluations failed{refusals}.")
    for objective in resolved.objectives:
        if objective.uncounted:
            console.print(f"{objective.name} is an estimate; not counted: {'; '.join(objective.uncounted)}.")
    console.print(f"Results: {folder}   Resume or extend: {_command()}", soft_wrap=True)
    if ending is Ending.ONLY_REFUSED and not front.evaluations:
        raise typer.Exit(1)


def _workers(resolved: ResolvedRun) -> Workers:
    settings = resolved.file.workers
    if settings.count == 0:
        return InlineWorkers(LazyEvaluate(resolved.make_evaluate()))
    from evonas.ray_workers import RayWorkers

    return RayWorkers(
        resolved.make_evaluate(),
        count=settings.count,
        num_cpus=settings.num_cpus,
        num_gpus=settings.num_gpus,
        seconds=settings.seconds,
        search_seconds=settings.search_seconds,
        retries=settings.retries,
        at_most=resolved.file.search.parallel,
    )


def _resolved_text(resolved: ResolvedRun) -> str:
    names = ("evonas", "torch", "norse", "pymoo", "ray", "numpy", "h5py")
    versions = "".join(f"# {name} {version(name)}\n" for name in names)
    head = f"# The run as it was resolved, defaults written out. Made with:\n{versions}\n"
    return head + tomli_w.dumps(resolved.file.to_dict())


def _log_to(file: Path, console: Console) -> None:
    log.setLevel(logging.INFO)
    log.propagate = False
    for old in list(log.handlers):
        log.removeHandler(old)
        old.close()
    form = logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S")
    handlers: list[logging.Handler] = [logging.FileHandler(file, encoding="utf-8")]
    if not console.is_terminal:
        handlers.append(logging.StreamHandler(sys.stdout))
    for handler in handlers:
        handler.setFormatter(form)
        log.addHandler(handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _command() -> str:
    program = "python -m evonas.run" if Path(sys.argv[0]).name == "run.py" else " ".join(["evonas", *sys.argv[1:2]])
    arguments = sys.argv[1:] if program.startswith("python") else sys.argv[2:]
    return " ".join([program, *arguments])


if __name__ == "__main__":
    typer.run(run)
