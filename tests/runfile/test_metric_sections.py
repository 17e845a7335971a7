"""Objectives that name a metric: a run file has its direction from the task, and its results need no data."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
import tomli_w
from commands import evonas, write_run_file

from evonas import load
from evonas.errors import OptionError, RunFileError
from evonas.runfile.metric_sections import takes_metric
from evonas.runfile.resolve import resolve
from objectives import metric

TASK = """
from dataclasses import dataclass
from typing import Any

import numpy as np

from evonas.data import digits
from evonas.data.dataset import DataSet, Samples
from evonas.task import Metric
from evonas.tasks.classification import Classification


@dataclass(frozen=True)
class Even:
    \"\"\"Whether a digit is even, told by the part that is wrong.\"\"\"

    outputs: int = 2
    answer_shape: tuple[int, ...] = (2,)
    metrics: tuple[Metric, ...] = (Metric("wrong", "min", unit="part", low=0.0), Metric("margin", "max"))
    smooths_labels: bool = False
    summary: str = "even or odd"

    @property
    def about(self):
        return {}

    def loss(self, answers: Any, targets: Any, *, label_smoothing: float = 0.0) -> Any:
        return Classification(2).loss(answers, targets)

    def losses(self, answers: Any, targets: Any) -> Any:
        return Classification(2).losses(answers, targets)

    def tally(self):
        return Mistakes()

    def constant(self, targets):
        return None


class Mistakes:
    def __init__(self):
        self.wrong, self.margin, self.samples = 0, 0.0, 0

    def add(self, answers, targets):
        self.wrong += int((answers.argmax(1) != targets).sum())
        self.margin += float((answers.max(1).values - answers.min(1).values).sum())
        self.samples += len(targets)

    def metrics(self):
        return {"wrong": self.wrong / self.samples, "margin": self.margin / self.samples}

    def counts(self):
        return {}


def read():
    whole = digits.read().samples.take(np.arange(120))
    return DataSet(Samples(whole.inputs, np.asarray(whole.labels) % 2), task=Even())
"""


def write(folder: Path, *objectives: dict[str, object], data: str = "few_digits:read") -> Path:
    path = write_run_file(folder, evaluations=2)
    content = tomllib.loads(path.read_text())
    content |= {"ladder": {"epochs": [1]}, "data": {"name": data}, "objectives": [*objectives, {"name": "spikes"}]}
    path.write_text(tomli_w.dumps(content))
    return path


def faults(path: Path) -> tuple[str, ...]:
    with pytest.raises(RunFileError) as caught:
        resolve(path)
    return caught.value.faults


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_metric_is_traded_in_the_direction_of_the_task(place: Path) -> None:
    one, other = {"name": "metric", "metric": "loss", "at_most": 9.0}, {"name": "metric", "metric": "balanced_accuracy"}
    run = resolve(write(place, one, other))
    loss, balanced, _ = run.objectives
    assert (loss.name, loss.direction, loss.unit, loss.best, loss.at_most) == ("loss", "min", "nat", 0.0, 9.0)
    assert (balanced.name, balanced.direction, balanced.unit, balanced.best) == (
        "balanced_accuracy", "max", "fraction", 1.0
    )  # fmt: skip
    assert run.file.objectives[0].options == {"metric": "loss", "direction": "min", "unit": "nat", "best": 0.0}


def test_results_are_read_without_the_data_and_the_resolved_run_file_can_be_run_again(place: Path) -> None:
    done = evonas("run", write(place, {"name": "metric", "metric": "loss", "as": "nats"}), "--output", "results")
    assert done.exit_code == 0, done.output
    measured = {row.key: row.measurement.loss for row in load(place / "results", trust=True).front()}
    again = evonas("run", place / "results" / "run.toml", "--output", "again")
    assert again.exit_code == 0, again.output
    (place / "few_digits.py").unlink()
    read = json.loads(evonas("front", place / "results", "--format", "json").stdout)
    assert (read["objectives"]["nats"]["direction"], read["objectives"]["nats"]["unit"]) == ("min", "nat")
    assert {one["key"]: one["objectives"]["nats"] for one in read["networks"]} == measured


def test_metrics_of_a_task_of_ones_own_are_known_by_name(place: Path) -> None:
    (place / "even_digits.py").write_text(TASK)
    wrong, margin = {"name": "metric", "metric": "wrong"}, {"name": "metric", "metric": "margin"}
    path = write(place, wrong, margin, data="even_digits:read")
    assert [(one.name, one.direction, one.best) for one in resolve(path).objectives[:2]] == [
        ("wrong", "min", 0.0), ("margin", "max", None)
    ]  # fmt: skip
    done = evonas("run", path, "--output", "results")
    assert done.exit_code == 0, done.output
    (told,) = faults(write(place, {"name": "metric", "metric": "accuracy"}, data="even_digits:read"))
    assert told == "objectives.0.metric: got 'accuracy', expected a metric of even or odd: wrong, margin"


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"metric": "f1"}, "objectives.0.metric: got 'f1', expected a metric of 10 classes: accuracy, loss, balanced_"),
        ({}, "objectives.0.metric: missing, expected a metric of 10 classes: accuracy"),
        ({"metric": 3}, "objectives.0.metric: got 3, expected a metric of 10 classes"),
        (
            {"metric": "loss", "direction": "max"},
            "objectives.0.direction: got 'max', while loss of 10 classes has 'min'; leave it out",
        ),
        ({"metric": "loss", "units": "nat"}, "objectives.0.units: unknown option; did you mean 'unit'?"),
    ],
)
def test_what_is_wrong_is_one_sentence(place: Path, section: dict[str, object], expected: str) -> None:
    (told,) = faults(write(place, {"name": "metric", **section}))
    assert told.startswith(expected)


def test_where_the_data_are_wrong_a_metric_is_not_judged(place: Path) -> None:
    (told,) = faults(write(place, {"name": "metric", "metric": "f1"}, data="nowhere"))
    assert told.startswith("data.name: there is no evonas/data/nowhere.py")


def test_a_bound_that_a_constant_answer_keeps_is_told_of_a_named_metric_too(place: Path) -> None:
    run = resolve(write(place, {"name": "metric", "metric": "accuracy", "at_least": 0.01}))
    assert [note for note in run.notes if note.startswith("accuracy at_least = 0.01 does not keep out")]


def test_without_a_task_the_direction_has_to_be_given() -> None:
    with pytest.raises(OptionError, match=r'direction: missing, expected "min" or "max"'):
        metric.objective(metric="loss")
    assert metric.objective(metric="loss", direction="min", best=0.0).best == 0.0
    assert takes_metric("metric")
    assert not takes_metric("accuracy")
    assert not takes_metric("nothing_of_this_name")
