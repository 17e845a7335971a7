"""A session: a search of a resolved run from its folder's archive to the end of its budget, with log and progress."""

from __future__ import annotations

import re
import shlex
import signal
import sys
import threading
import warnings
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
from evonas.cli.progress import SearchProgress
from evonas.cli.session_log import SessionLog
from evonas.engine.retry import retry_failed
from evonas.engine.search import Ending, Memory, Workers
from evonas.engine.view import Row
from evonas.engine.workers import InlineWorkers, LazyEvaluate
from evonas.errors import LostWorkersError
from evonas.report.escaping import visible
from evonas.runfile.resolve import ResolvedRun
from evonas.runfile.schema import FREE_SETTINGS


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
    retry: bool = False,
) -> tuple[Archive, Ending]:
    """Return the archive, closed, and why `search` ended after it was carried out, or gone on with, in `folder`.

    Args:
        run: What is searched.
        search: Searches.
        standing: Returns how far the search has come, for progress lines.
        folder: Where archive, log and the resolved run file lie; made where it is missing.
        console: Where progress is shown.
        settings: Settings of the search beside those of the run file; like them they never change.
        retry: Whether the jobs of failed rows are done again first.

    Raises:
        ChangedRunError: If the folder holds a run with other settings.
        ArchiveError: If the archive cannot be used.
    """
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
    with archive, SessionLog(folder / "log.txt", console) as told:
        known = frozenset(row.job.slot for row in archive.rows)
        for note in run.notes:
            (told.show if known else told.tell)(f"Note: {note}")
        for note in archive.notes:
            told.tell(f"Note: {note}")
        write_text(folder / "run.toml", _resolved_text(run))
        if known:
            told.show(f"Found {len(known)} rows in {folder / 'archive.h5'}; going on from there.")
        workers = _workers(run)
        progress = SearchProgress(
            run.budget.evaluations,
            standing=lambda: standing(archive),
            log=told.keep,
            console=console,
            title=_title(run, folder),
            replayed=known.__contains__,
            seconds=run.budget.seconds,
        )
        try:
            if retry:
                tried, again = retry_failed(archive, workers=workers)
                told.tell(f"{tried} failed rows were evaluated again; {again} failed again.")
            with progress, warnings.catch_warnings():
                warnings.filterwarnings("ignore", re.escape(Ending.ONLY_FAILED.value))  # told below
                ending = search(archive, workers=workers, on_row=progress)
        finally:
            workers.close()
        told.tell(f"{ending.value} {len(archive.rows) - len(known)} new rows.")
        if ending is Ending.ONLY_FAILED:
            told.tell(f"The last said: {_last_failure(archive)}")
            told.tell("Remove the cause, and start the same command with --retry-failed.")
    return archive, ending


@contextmanager
def resumable(door: str) -> Iterator[None]:
    """Tell whoever stops a session how to go on; also where SIGTERM stops it, or what it runs on dies.

    Raises:
        typer.Exit: With code 1, if it was stopped.
        LostWorkersError: If what it runs on is dead, with how to go on.
    """
    try:
        with _stopped_by_sigterm():
            yield
    except KeyboardInterrupt:
        typer.echo(f"Stopped; {_how_to_go_on(door)}", err=True)
        raise typer.Exit(1) from None
    except LostWorkersError as error:
        raise LostWorkersError(f"{str(error).rstrip('.')}; {_how_to_go_on(door)}") from error


def _how_to_go_on(door: str) -> str:
    return f"every finished evaluation is kept. Go on with the same command:\n  {visible(command(door))}"


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Return a context in which SIGTERM interrupts: `ray job stop` and batch systems end programs so.

    Only once: what comes while results are being saved would interrupt that.
    """
    came: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        came.append(number)
        if len(came) == 1:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if former is None else former)


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


def _title(run: ResolvedRun, folder: Path) -> str:
    chips = dict.fromkeys(objective.profile for objective in run.objectives if objective.profile)
    return " ".join([str(folder), *(["on", ", ".join(chips)] if chips else [])])


def _last_failure(archive: Archive) -> str:
    failures = [row.evaluation for row in archive.rows if row.is_failure]
    return f"{failures[-1].outcome.value} {failures[-1].message}".rstrip()
