"""The commands, called in this process, and a small run file to call them with."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tomli_w
from typer.testing import CliRunner, Result

from evonas.__main__ import app
from evonas.archive.archive import Archive


def write_run_file(folder: Path, *, evaluations: int = 6, count: int = 0) -> Path:
    path = folder / "tiny.toml"
    path.write_text(
        tomli_w.dumps(
            {
                "search": {"space": "spatial_temporal", "evaluations": evaluations, "seed": 3, "parallel": 3},
                "data": {"name": "few_digits:read"},
                "objectives": [
                    {"name": "accuracy", "at_least": 0.05},
                    {"name": "spikes"},
                    {"name": "energy", "profile": "arith45_fp32"},
                ],
                "strategies": [{"name": "evolution", "pop_size": 4}],
                "ladder": {"epochs": [1, 2], "keep": 0.5},
                "workers": {"count": count},
            }
        )
    )
    write_few_digits(folder)
    return path


def write_few_digits(folder: Path) -> None:
    (folder / "few_digits.py").write_text(
        "import numpy as np\n"
        "from evonas.data import digits\n"
        "from evonas.data.dataset import DataSet\n\n\n"
        "def read():\n"
        "    whole = digits.read()\n"
        "    return DataSet(whole.samples.take(np.arange(120)), classes=10)\n"
    )


@contextmanager
def importable(folder: Path) -> Iterator[None]:
    """Return a context in which modules of a folder can be imported; later tests have others of the same names."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for file in folder.glob("*.py"):
            sys.modules.pop(file.stem, None)


def search_sayable_networks(place: Path) -> None:
    """Search six networks that NIR can say into `results`; to be called in the folder `place`."""
    sayable = ('space.only={"stage*.kind"=["lif", "lif_box", "integrate_and_fire"]}',
               'space.without=["adaptive", "feedback", "attention"]')  # fmt: skip
    options = ("--set", "ladder.epochs=[1]", "--set", sayable[0], "--set", sayable[1])
    done = evonas("run", write_run_file(place, evaluations=6), "--output", place / "results", *options)
    assert done.exit_code == 0, done.output


def evonas(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def contents(output: Path) -> list[tuple[object, ...]]:
    rows = Archive.read(output / "archive.h5").rows
    return [
        (row.job, row.evaluation.outcome, row.evaluation.message, row.evaluation.degree, row.evaluation.measurement)
        for row in rows
    ]
