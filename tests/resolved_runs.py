"""Run files that are resolved: searched in this process, or only checked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from commands import contents, evonas, write_few_digits
from documents import ROOT

from evonas.archive.archive import Archive
from evonas.engine.view import Row
from evonas.engine.workers import InlineWorkers, LazyEvaluate
from evonas.runfile.resolve import ResolvedRun


def searched(run: ResolvedRun, path: Path) -> Archive:
    archive = Archive(path, run.space, run.objectives, seed=0)
    with archive:
        run.search(archive, workers=InlineWorkers(LazyEvaluate(run.make_evaluate())))
    return archive


def rows_of_whole_and_resumed(
    name: str, place: Path, *, evaluations: int, settings: Sequence[str] = ()
) -> Sequence[Row]:
    """Return the rows of `runs/NAME.toml`, a search by gradients made small, after asserting that it resumes to them.

    It is called in the folder `place`, runs once in one go and once stopped after the first evaluation.
    """
    write_few_digits(place)
    small = ["data.name=few_digits:read", "workers.count=0", "strategies.0.warm_up=0", "strategies.0.epochs=1",
             "strategies.0.first=1", "ladder.epochs=[1]", *settings]  # fmt: skip

    def run(folder: str, evaluations: int) -> list[tuple[object, ...]]:
        overrides = chain(*(("--set", one) for one in (*small, f"search.evaluations={evaluations}")))
        done = evonas("run", ROOT / f"runs/{name}.toml", "--output", place / folder, *overrides)
        assert done.exit_code == 0, done.output
        return contents(place / folder)

    whole = run("whole", evaluations)
    first = run("stopped", 1)
    assert first == whole[: len(first)]
    assert len(first) < len(whole)
    assert run("stopped", evaluations) == whole
    return Archive.read(place / "whole" / "archive.h5").rows


def assert_right(name: str, *options: object, data: Path | None = None) -> None:
    """Assert that a dry run of `runs/NAME.toml` with these options, and data if given, finds no fault."""
    path = () if data is None else ("--set", f"data.path={data}")
    done = evonas("run", ROOT / f"runs/{name}.toml", "--dry-run", *path, *options)
    assert done.exit_code == 0, done.output
    assert "The run file is right" in " ".join(done.output.split())
