"""The archive of a resolved run in a temporary folder, and the rows of a search that ends in one."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TypeVar

from evonas import Archive
from evonas.engine.ray_workers import RayWorkers
from evonas.engine.view import Row
from evonas.runfile.resolve import ResolvedRun

Kind = TypeVar("Kind", bound=Archive)


def archive_of(run: ResolvedRun, folder: Path, kind: type[Kind]) -> Kind:
    """Return a new archive of the run in a folder, of the class `kind`."""
    return kind(folder / "archive.h5", run.space, run.objectives, seed=run.file.search.seed, top_rung=run.top_rung)


def rows_of(run: ResolvedRun, workers: RayWorkers) -> tuple[Row, ...]:
    """Return all rows of a search from nothing; its workers are closed."""
    with tempfile.TemporaryDirectory() as folder, archive_of(run, Path(folder), Archive) as archive:
        run.search(archive, workers=workers)
        rows = archive.rows
    workers.close()
    return rows
