"""Pages of runs for tests, and an archive whose names want to be code."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from evonas.__main__ import app
from evonas.archive.archive import Archive
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.objective import Objective
from evonas.space import Space
from evonas.variables import Choice

HOSTILE = '</script><script>alert(1)</script><b onload="x">'


def write_hostile(folder: Path) -> Path:
    """Write an archive whose names want to be tags or to steer a terminal, and return its folder."""
    space = Space({HOSTILE: Choice([HOSTILE, "\x1b[31m"])})
    objectives = [Objective("error", lambda found: found["error"]), Objective("size", lambda found: found["size"])]
    with Archive(folder / "archive.h5", space, objectives, reference_rows=2) as archive:
        for slot, value in enumerate(space.variables[HOSTILE].values):
            job = Job(slot, "evaluate", space.genotype({HOSTILE: value}), HOSTILE)
            archive.add(Evaluation(job, Outcome.MEASURED, measurement={"error": 1.0 + slot, "size": 2.0 - slot}))
        job = Job(2, "evaluate", space.genotype({HOSTILE: HOSTILE}), HOSTILE)
        archive.add(Evaluation(job, Outcome.CRASHED, HOSTILE))
    return folder


def written(folder: Path, *options: str) -> str:
    said = CliRunner().invoke(app, ["front", str(folder), "--html", *options])
    assert said.exit_code == 0, said.output
    return (folder / "report.html").read_text(encoding="utf-8")
