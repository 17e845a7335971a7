from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import h5py
import numpy as np
import pytest
from event_files import recording
from event_files import shd as shd_file

from evonas.data import shd, tonic
from evonas.errors import DataError

KIND = np.dtype([("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")])


class Dots:
    """What a data set of Tonic looks like: events as record arrays, and `targets`."""

    sensor_size = (6, 4, 2)

    def __init__(self, save_to: str, train: bool = True) -> None:
        rng = np.random.default_rng(int(train))
        self.targets = [0, 1, 2] * (8 if train else 2)
        self.data = []
        for _ in self.targets:
            t, x, y, p = recording(rng, events=30, width=6, height=4)
            one = np.empty(30, KIND)
            one["t"], one["x"], one["y"], one["p"] = t, x, y, p
            self.data.append(one)

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return self.data[index], self.targets[index]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    library, datasets = ModuleType("tonic"), ModuleType("tonic.datasets")
    datasets.Dots = Dots  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tonic", library)
    monkeypatch.setitem(sys.modules, "tonic.datasets", datasets)


def test_a_data_set_of_tonic_is_read(installed: None, tmp_path: Path) -> None:
    data = tonic.read(dataset="Dots", path=str(tmp_path))
    assert (data.classes, len(data.samples), len(data.test())) == (3, 24, 6)
    assert data.samples.inputs.shape == (None, 2, 4, 6)
    frames = data.samples.inputs.batch(np.arange(1), time_steps=1, rng=np.random.default_rng(0))[0, 0]
    one = Dots("").data[0]
    assert all(
        frames[int(p), y, x] == ((one["x"] == x) & (one["y"] == y) & (one["p"] == p)).sum()
        for x, y, _, p in one.tolist()
    )


def test_another_name_is_told_what_there_is(installed: None, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Tonic has no data set 'Dot'; it has Dots"):
        tonic.read(dataset="Dot", path=str(tmp_path))


def test_what_to_install_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "tonic", None)
    monkeypatch.setitem(sys.modules, "tonic.datasets", None)
    with pytest.raises(DataError, match=r"pip install evonas\[tonic\] \(its licence is GPL-3\)"):
        tonic.read(dataset="NMNIST", path=str(tmp_path))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::Warning")  # those of Tonic's own imports
def test_recordings_of_tonic_itself_are_those_of_the_reader_of_their_files(tmp_path: Path) -> None:
    pytest.importorskip("tonic", reason="Tonic is not installed; pip install evonas[tonic]")
    folder = tmp_path / "SHD"
    folder.mkdir()
    for name, recordings in (("shd_train.h5", 12), ("shd_test.h5", 6)):
        shd_file(folder / name, recordings=recordings, classes=3)
        with h5py.File(folder / name, "a") as opened:
            opened["extra/keys"] = np.array([b"zero", b"one", b"two"])
        (folder / f"{name}.zip").touch()  # Tonic takes this for its download
    theirs, ours = tonic.read(dataset="SHD", path=str(tmp_path)), shd.read(path=str(folder))
    index = np.arange(12)
    for one, other in ((theirs.samples, ours.samples), (theirs.official_test, ours.official_test)):
        assert one is not None
        assert other is not None
        labels = [sorted(set(part.labels.tolist())) for part in (one, other)]
        assert [labels[0].index(label) for label in one.labels] == [labels[1].index(label) for label in other.labels]
        frames = [
            part.inputs.batch(index[: len(part)], time_steps=5, rng=np.random.default_rng(0)) for part in (one, other)
        ]
        assert frames[0].sum() > 0
        np.testing.assert_array_equal(frames[0], frames[1])
