"""A session: one command that runs or resumes a search in its folder, with log and progress."""

from __future__ import annotations

import os
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import tomli_w
from rich.console import Console

from evonas.archive.archive import Archive
from evonas.archive.atomic_file import write_text
from evonas.cli.door import sentence_of
from evonas.cli.progress import SearchProgress
from evonas.cli.session_log import SessionLog
from evonas.engine.budget import Ending
from evonas.engine.retry import retry_failed
from evonas.engine.unfinished_folder import emptied
from evonas.errors import RunFileError
from evonas.runfile.resolve import ResolvedRun
from evonas.runfile.schema import FREE_SETTINGS


def run_or_resume(
    run: ResolvedRun, folder: Path, *, summary: Callable[[Archive], str], console: Console, retry: bool = False
) -> tuple[Archive, Ending]:
    """Run or resume a search in `folder`; return the closed archive and why the search ended.

    Args:
        run: What is searched.
        folder: Where archive, log and the resolved run file are; created if missing.
        summary: Returns how far the search is, in words, for progress lines.
        console: Where progress is shown.
        retry: Whether to retry failed rows first.

    Raises:
        RunFileError: If nothing can be written to the folder.
        ChangedRunError: If the folder holds a run with other settings.
        ArchiveError: If the archive cannot be used.
    """
    make_output(folder)
    archive = Archive(
        folder / "archive.h5",
        run.space,
        run.objectives,
        seed=run.file.search.seed,
        settings=run.settings,
        free=FREE_SETTINGS,
        top_rung=run.top_rung,
        reference_rows=run.reference_rows,
    )
    with archive, emptied(folder / "unfinished") as unfinished, SessionLog(folder / "log.txt", console) as log:
        known = frozenset(row.job.slot for row in archive.rows)
        for note in run.notes:
            (log.show if known else log.tell)(f"Note: {note}")
        for note in archive.notes:
            log.tell(f"Note: {note}")
        write_text(folder / "run.toml", _resolved_text(run))
        if known:
            log.show(f"Found {len(known)} rows in {folder / 'archive.h5'}; going on from there.")
        workers = run.workers(unfinished=unfinished)
        progress = SearchProgress(
            run.budget,
            summary=lambda: summary(archive),
            log=log.write,
            console=console,
            title=_title(run, folder),
            replayed=known.__contains__,
        )
        try:
            if retry:
                tried, again = retry_failed(archive, workers=workers)
                log.tell(f"{tried} failed rows were evaluated again; {again} failed again.")
            with progress, warnings.catch_warnings():
                warnings.filterwarnings("ignore", re.escape(Ending.ONLY_FAILED.value))  # shown below
                ending = run.search(archive, workers=workers, on_row=progress)
        finally:
            workers.close()
        log.tell(f"{ending.value} {len(archive.rows) - len(known)} new rows.")
        if ending is Ending.ONLY_FAILED:
            log.tell(f"The last said: {_last_failure(archive)}")
            log.tell("Remove the cause, and start the same command with --retry-failed.")
    return archive, ending


@contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Check that results can be written to a folder; its faults are raised together with those of the context's body.

    Raises:
        RunFileError: If they cannot, or the body, which reads the run file, raises one.
    """
    faults = output_faults(folder)
    try:
        yield
    except RunFileError as error:
        raise RunFileError([*error.faults, *faults]) from None
    if faults:
        raise RunFileError(faults)


def output_faults(folder: Path) -> list[str]:
    """Return a sentence if results cannot be written to a folder, as far as can be seen without writing."""
    try:
        for place in (folder, *folder.parents):
            if place.is_dir():
                return [] if os.access(place, os.W_OK | os.X_OK) else [f"--output: {place} cannot be written to"]
            if os.path.lexists(place):
                what = "is a file" if place == folder else f"lies below {place}, which is a file"
                return [f"--output: {folder} {what}; expected a folder, or the name of a new one"]
    except OSError as error:
        return [f"--output: {sentence_of(error)}"]
    return []


def make_output(folder: Path) -> None:
    """Create a folder if it is missing, and check that results can be written to it.

    Raises:
        RunFileError: If they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise RunFileError(
            output_faults(folder) or [f"--output: {folder} cannot be written to: {error.strerror or error}"]
        ) from None


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
