from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest

from evonas.data import images
from evonas.errors import DataError

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def write(folder: Path, **arrays: np.ndarray) -> Path:
    """Write a folder of four idx files: 60 and 20 images of 4 x 4 pixels in 10 classes, or the arrays that are given."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    whole = {
        "train": rng.integers(0, 256, (60, 4, 4)),
        "train_labels": np.arange(60) % 10,
        "test": rng.integers(0, 256, (20, 4, 4)),
        "test_labels": np.arange(20) % 10,
        **arrays,
    }
    for name, array in zip(NAMES, whole.values(), strict=True):
        head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
        (folder / name).write_bytes(head + array.astype(np.uint8).tobytes())
    return folder


def told(folder: Path | str, **options: object) -> str:
    """Return the sentence by which a folder is refused."""
    with pytest.raises(DataError) as caught:
        images.read(**{"path": str(folder), **options})  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [(np.arange(60) % 26 + 1, 26), (np.arange(60) % 10 * 25, 10), (np.r_[np.arange(59) % 10, 255], 11)],
)
def test_labels_with_gaps_make_as_many_classes_as_occur(tmp_path: Path, labels: np.ndarray, expected: int) -> None:
    data = images.read(path=str(write(tmp_path, train_labels=labels, test_labels=labels[:20]))).for_search()
    assert data.task.outputs == expected
    assert data.task.labels == tuple(np.unique(labels))
    assert set(np.concatenate([data.train.labels, data.validation.labels])) == set(range(expected))


def test_a_folder_with_one_class_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, train_labels=np.full(60, 3), test_labels=np.full(20, 3))
    assert "All 60 labels are 3" in told(folder)
    by_class = write(tmp_path, train_labels=np.sort(np.arange(60) % 2), test_labels=np.arange(20) % 2)
    assert "All 20 labels are 0" in told(by_class, limit=20)
    assert "data.limit = 20" in told(by_class, limit=20)


def test_test_files_that_do_not_fit_the_training_files_are_told_by_name(tmp_path: Path) -> None:
    said = told(write(tmp_path, test=np.zeros((20, 4, 5))))
    assert f"{tmp_path / NAMES[2]} holds images of 4 x 5 pixels, {tmp_path / NAMES[0]} of 4 x 4" in said
    said = told(write(tmp_path, test_labels=np.arange(20) % 12))
    assert "The test samples have the labels 10, 11, which are none of the 10 classes of training" in said
    assert str(tmp_path) in said
    said = told(write(tmp_path, test_labels=np.arange(19)))
    assert str(tmp_path / NAMES[2]) in said
    assert NAMES[3] in said
    assert "expected (n, height, width) and (n,)" in told(write(tmp_path, train=np.zeros((60, 4, 4, 3))))


def test_a_limit_keeps_the_classes_of_the_whole_file_and_names_those_without_samples(tmp_path: Path) -> None:
    folder = write(tmp_path, train_labels=np.sort(np.arange(60) % 10))
    data = images.read(path=str(folder), limit=30).for_search()
    assert data.task.outputs == 10
    assert any("without training samples" in note and "5, 6, 7, 8, 9" in note for note in data.notes)


@pytest.mark.parametrize("value", [1e2, 16.0, True, "4", [4], float("nan"), -1, 0, 61, 10**400, 10**5000, "²"],
                         ids=lambda value: str(value)[:9] if not isinstance(value, int) or value < 99 else "huge")  # fmt: skip
@pytest.mark.parametrize("option", ["limit", "side", "validation_part"])
def test_an_option_that_is_no_right_number_is_told_with_key_value_and_what_is_right(
    tmp_path: Path, option: str, value: object
) -> None:
    said = told(write(tmp_path), **{option: value})
    assert said.startswith(f"data.{option} = ")
    assert {"limit": "1 to 60", "side": "4 x 4 pixels", "validation_part": "above 0 and below 1"}[option] in said
    assert len(said) < 300


@pytest.mark.parametrize("path", [3, True, "", " ", ["x"], None])
def test_a_path_that_is_none_is_told(path: object) -> None:
    with pytest.raises(DataError, match=r"^data.path = .*expected the path of a folder"):
        images.read(path=path)  # type: ignore[arg-type]


def test_paths_are_those_of_the_working_directory_and_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "digits")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(images.read(path="digits").samples) == len(images.read(path="~/digits").samples) == 60
    assert f"data.path = ~/other (looked at {tmp_path / 'other'}) has neither" in told("~/other")
    assert f"data.path = other (looked at {tmp_path / 'other'}) has neither" in told("other")
    assert "does not exist" in told("other")
    assert "is no folder" in told("digits/train-images-idx3-ubyte")
    assert "home folder" in told("~nobody_of_this_name/x")
    assert "\0" not in told("a\0b")
    assert "\x1b" not in told("\x1b[2J")
    assert "File name too long" in told("a" * 5000)


def test_a_folder_that_may_not_be_entered_is_told(tmp_path: Path) -> None:
    folder = write(tmp_path / "locked")
    folder.chmod(0)
    try:
        if os.access(folder, os.X_OK):
            pytest.skip("this user may enter everything")
        assert "Permission denied" in told(folder)
    finally:
        folder.chmod(0o700)


def test_a_folder_with_the_name_of_a_file_is_told(tmp_path: Path) -> None:
    folder = write(tmp_path)
    (folder / NAMES[1]).unlink()
    (folder / NAMES[1]).mkdir()
    assert f"{folder / NAMES[1]} is no file but a folder" in told(folder) or "Is a directory" in told(folder)


def test_averages_are_those_of_whole_numbers_to_the_last_bit(tmp_path: Path) -> None:
    full = np.random.default_rng(3).integers(0, 256, (60, 12, 12))
    folder = write(tmp_path, train=full, test=full[:20])
    small = images.read(path=str(folder), side=4).samples.inputs.values
    for image, row, column in ((0, 0, 0), (7, 3, 1), (59, 2, 2)):
        total = int(full[image, 3 * row : 3 * row + 3, 3 * column : 3 * column + 3].sum())
        assert small[image, 0, 0, row, column] == np.float32(total / (255 * 9))
