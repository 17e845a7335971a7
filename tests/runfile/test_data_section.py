from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tomli_w

from evonas.data.dataset import DataSet, Samples
from evonas.errors import RunFileError
from evonas.runfile.resolve import ResolvedRun, resolve


def run_of(folder: Path, *, objectives: list[dict[str, object]] | None = None, **data: object) -> Path:
    path = folder / "run.toml"
    content = {
        "search": {"space": "spatial_temporal", "evaluations": 4},
        "data": data,
        "objectives": objectives or [{"name": "accuracy"}, {"name": "spikes"}],
        "strategies": [{"name": "random"}],
    }
    path.write_text(tomli_w.dumps(content))
    return path


def resolved(folder: Path, **options: object) -> ResolvedRun:
    return resolve(run_of(folder, **options))  # type: ignore[arg-type]


def faults(folder: Path, **data: object) -> tuple[str, ...]:
    with pytest.raises(RunFileError) as caught:
        resolved(folder, **data)
    return caught.value.faults


def nine_in_ten(*, kind: str = "uneven") -> DataSet:
    if kind == "text":
        return "no data set"  # type: ignore[return-value]
    if kind == "broken":
        raise KeyError("frames")
    labels = np.where(np.arange(1000) % 10, 7, 3)
    return DataSet(Samples(np.zeros((1000, 1, 1, 4, 4), np.float32), labels))


OWN = f"{__name__}:nine_in_ten"


def test_the_split_follows_the_seed_of_the_data_and_not_that_of_the_search(tmp_path: Path) -> None:
    path = run_of(tmp_path, name="digits")
    fingerprints = [
        resolve(path, overrides=overrides).search_data.fingerprint
        for overrides in ((), ("search.seed=5",), ("data.seed=0",), ("data.seed=1",))
    ]
    assert fingerprints[0] == fingerprints[1] == fingerprints[2] != fingerprints[3]
    with pytest.raises(RunFileError, match="data.seed"):
        resolve(path, overrides=("data.seed=-1",))


def test_the_labels_of_the_classes_are_settings_of_the_run(tmp_path: Path) -> None:
    assert resolved(tmp_path, name=OWN).settings["data.class_labels"] == [3, 7]


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        ({"name": "accuracy", "at_least": 0.2}, "answers 7 whatever it sees: that is worth 0.9 here"),
        ({"name": "accuracy", "at_least": 0.9, "as": "hits"}, "hits at_least = 0.9"),
        ({"name": "balanced_accuracy", "at_least": 0.5}, "that is worth 0.5 here"),
        ({"name": "accuracy", "at_least": 0.91}, ""),
        ({"name": "balanced_accuracy", "at_least": 0.51}, ""),
        ({"name": "accuracy"}, ""),
    ],
)
def test_a_bound_that_a_constant_answer_keeps_is_noted(
    tmp_path: Path, objective: dict[str, object], expected: str
) -> None:
    notes = resolved(tmp_path, name=OWN, objectives=[objective, {"name": "spikes"}]).notes
    told = [note for note in notes if "whatever it sees" in note]
    assert len(told) == bool(expected)
    assert all(expected in note for note in told)


def test_a_reader_of_ones_own_that_fails_or_returns_no_data_is_a_fault(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, name=OWN, kind="text")
    assert "DataSet" in fault
    assert OWN in fault
    (fault,) = faults(tmp_path, name=OWN, kind="broken")
    assert "failed with KeyError: 'frames'" in fault
