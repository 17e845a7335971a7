"""Run files that are resolved: searched in this process, or only checked."""

from __future__ import annotations

from pathlib import Path

from commands import evonas
from documents import ROOT

from evonas.archive.archive import Archive
from evonas.engine.workers import InlineWorkers, LazyEvaluate
from evonas.runfile.resolve import ResolvedRun


def searched(run: ResolvedRun, path: Path) -> Archive:
    archive = Archive(path, run.space, run.objectives, seed=0)
    with archive:
        run.search(archive, workers=InlineWorkers(LazyEvaluate(run.make_evaluate())))
    return archive


def assert_right(name: str, *, data: Path) -> None:
    """Assert that a dry run of `runs/NAME.toml` with these data finds no fault."""
    done = evonas("run", ROOT / f"runs/{name}.toml", "--dry-run", "--set", f"data.path={data}")
    assert done.exit_code == 0, done.output
    assert "The run file is right" in " ".join(done.output.split())
