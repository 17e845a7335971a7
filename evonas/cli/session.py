"""A session: a search of a resolved run from its folder's archive to the end of its budget, with log and progress."""

from __future__ import annotations

import logging
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import tomli_w
import typer
from rich.console import Console

from evonas.archive.archive import Archive
from evonas.archive.atomic_file import write_text
from evonas.cli.log_file import LogFile
from evonas.cli.progress import SearchProgress
from evonas.engine.search import Ending, Memory, Workers
from evonas.engine.view import Row
from evonas.engine.workers import InlineWorkers, LazyEvaluate
from evonas.report.escaping import visible
from evonas.runfile.resolve import ResolvedRun
from evonas.runfile.schema import FREE_SETTINGS

log = logging.getLogger("evonas")


class Search(Protocol):
    """Whatever searches: fills an archive and returns why it ended."""

    def __call__(
        self, archive: Memory, *, workers: Workers, on_row: Callable[[Row], None] | None = None
    ) -> Ending:  # fmt: skip
        """Return why the search ended."""


def carried_out(
    run: ResolvedRun,
    *,
    search: Search,
    standing: Callable[[Archive], str],
    folder: Path,
    console: Console,
    settings: Mapping[str, Any] | None = None,
) -> tuple[Archive, Ending]:
    """Return the archive, closed, and why `search` ended after it was carried out, or gone on with, in `folder`.

    Args:
        run: What is searched.
        search: Searches.
        standing: Returns how far the search has come, for progress lines.
        folder: Where archive, log and the resolved run file lie; made where it is missing.
        console: Where progress is shown.
        settings: Settings of the search beside those of the run file; like them they never change.

    Raises:
        ChangedRunError: If the folder holds a run with other settings.
        ArchiveError: If the archive cannot be used.
    """
    signal.signal(signal.SIGTERM, _interrupt)  # `ray job stop` and batch systems: keep what there is, then end
    folder.mkdir(parents=True, exist_ok=True)
    archive = Archive(
        folder / "archive.h5",
        run.space,
        run.objectives,
        seed=run.file.search.seed,
        settings={**run.settings(), **(settings or {})},
        free=FREE_SETTINGS,
        top_rung=run.ladder.top,
        reference_rows=run.pop_size,
    )
    with archive:
        _log_to(folder / "log.txt", console)
        for note in (*run.notes, *archive.notes):
            log.info("Note: %s", note)
        write_text(folder / "run.toml", _resolved_text(run))
        stored = len(archive.rows)
        if stored:
            log.info("Found %d rows in %s; going on from there.", stored, folder / "archive.h5")
        workers = _workers(run)
        progress = SearchProgress(
            run.budget.evaluations, standing=lambda: standing(archive), log=log.info, console=console
        )
        try:
            with progress:
                ending = search(archive, workers=workers, on_row=progress)
        finally:
            workers.close()
        log.info("%s %d new rows.", ending.value, len(archive.rows) - stored)
    return archive, ending


@contextmanager
def resumable(door: str) -> Iterator[None]:
    """Tell whoever stops a session how to go on.

    Raises:
        typer.Exit: With code 1, if it was stopped.
    """
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(
            f"Stopped; every finished evaluation is kept. Go on with the same command:\n  {visible(command(door))}",
            err=True,
        )
        raise typer.Exit(1) from None


def command(door: str) -> str:
    """Return the command that was typed, `python -m evonas.DOOR …` or `evonas DOOR …`."""
    program = f"python -m evonas.{door}" if Path(sys.argv[0]).name == f"{door}.py" else f"evonas {door}"
    arguments = sys.argv[1:] if program.startswith("python") else sys.argv[2:]
    return f"{program} {shlex.join(arguments)}".rstrip()


def _workers(run: ResolvedRun) -> Workers:
    settings = run.file.workers
    if settings.count == 0:
        return InlineWorkers(LazyEvaluate(run.make_evaluate()))
    from evonas.engine.ray_workers import RayWorkers

    return RayWorkers(
        run.make_evaluate(),
        count=settings.count,
        num_cpus=settings.num_cpus,
        num_gpus=settings.num_gpus,
        seconds=settings.seconds,
        search_seconds=settings.search_seconds,
        retries=settings.retries,
        at_most=run.file.search.parallel,
    )


def _resolved_text(run: ResolvedRun) -> str:
    names = ("evonas", "torch", "norse", "pymoo", "ray", "numpy", "h5py")
    versions = "".join(f"# {name} {version(name)}\n" for name in names)
    head = f"# The run as it was resolved, defaults written out. Made with:\n{versions}\n"
    return head + tomli_w.dumps(run.file.to_dict())


class _Visible(logging.Formatter):
    """Writes messages, which may hold texts from anywhere, without anything that steers a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a line of the log."""
        return visible(super().format(record))


def _log_to(file: Path, console: Console) -> None:
    log.setLevel(logging.INFO)
    log.propagate = False
    for old in list(log.handlers):
        log.removeHandler(old)
        old.close()
    form = _Visible("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S")
    handlers: list[logging.Handler] = [LogFile(file)]
    if not console.is_terminal:
        handlers.append(logging.StreamHandler(console.file))
    for handler in handlers:
        handler.setFormatter(form)
        log.addHandler(handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
