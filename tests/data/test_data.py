from __future__ import annotations

import gzip
import os
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evonas.data import digits, images
from evonas.data.dataset import DataSet, Samples, SearchData
from evonas.errors import DataError
from evonas.tasks.classification import Classification


def write_idx(path: Path, array: np.ndarray) -> None:
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    data = header + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.fixture(params=["", ".gz"])
def idx_folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for part, count in (("train", 50), ("t10k", 20)):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte{request.param}", rng.integers(0, 256, (count, 4, 4)))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte{request.param}", np.arange(count) % 10)
    return tmp_path


def everything(samples: Samples) -> np.ndarray:
    """Return `(samples, time, channels, height, width)` inputs as a network sees them."""
    rng = np.random.default_rng(0)
    return samples.inputs.batch(np.arange(len(samples)), time_steps=1, rng=rng).swapaxes(0, 1)


def test_digits_are_split_without_overlap_and_the_seed_draws_training_and_validation() -> None:
    dataset = digits.read()
    data, same, other = (dataset.for_search(seed=seed) for seed in (3, 3, 4))
    parts = [data.train, data.validation, dataset.test()]
    assert [len(part) for part in parts] == [1079, 359, 359]
    whole = np.sort(np.concatenate([part.inputs.values.reshape(len(part), -1) for part in parts]), axis=0)
    assert np.array_equal(whole, np.sort(dataset.samples.inputs.values.reshape(1797, -1), axis=0))
    assert np.array_equal(data.train.inputs.values, same.train.inputs.values)
    assert not np.array_equal(data.validation.labels, other.validation.labels)
    assert data.input_shape == (1, 8, 8)
    assert (data.train.inputs.values.min(), data.train.inputs.values.max()) == (0.0, 1.0)


def test_what_a_search_gets_has_no_test_samples() -> None:
    fields = {"train", "validation", "task", "notes"}
    assert set(SearchData.__dataclass_fields__) == fields


def test_the_fingerprint_is_that_of_the_content_wherever_it_lies_and_changes_with_any_of_it(idx_folder: Path) -> None:
    def data(**options: object) -> SearchData:
        return images.read(path=str(idx_folder), **options).for_search(seed=0)  # type: ignore[arg-type]

    kept = data()
    assert data().fingerprint == kept.fingerprint
    assert len(kept.fingerprint) == 64
    train = kept.train
    brighter, renamed = train.inputs.values.copy(), train.labels.copy()
    brighter[3, 0, 0, 1, 1] ^= 1
    renamed[0] = (renamed[0] + 1) % 10
    others = [
        replace(kept, train=Samples(replace(train.inputs, values=brighter), train.labels)),
        replace(kept, train=Samples(train.inputs, renamed)),
        replace(
            kept, train=Samples(replace(train.inputs, values=train.inputs.values.reshape(40, 1, 1, 2, 8)), train.labels)
        ),
        replace(kept, train=Samples(replace(train.inputs, values=train.inputs.values.view(np.int8)), train.labels)),
        replace(kept, train=kept.validation, validation=train),
        replace(kept, task=Classification(11)),
    ]
    assert len({kept.fingerprint, *(other.fingerprint for other in others)}) == 1 + len(others)


def test_idx_files_are_read_gzipped_or_not(idx_folder: Path) -> None:
    dataset = images.read(path=str(idx_folder))
    data = dataset.for_search(seed=0)
    assert (len(data.train), len(data.validation), len(dataset.test())) == (40, 10, 20)
    assert data.input_shape == (1, 4, 4)
    assert data.task.outputs == 10
    expected = np.random.default_rng(0).integers(0, 256, (50, 4, 4))[0] / 255
    assert np.allclose(everything(dataset.samples)[0, 0, 0], expected)


def test_images_are_averaged_down_and_limited(idx_folder: Path) -> None:
    full = everything(images.read(path=str(idx_folder)).samples)
    small = everything(images.read(path=str(idx_folder), side=2, limit=7).samples)
    assert small.shape == (7, 1, 1, 2, 2)
    assert np.isclose(small[3, 0, 0, 1, 0], full[3, 0, 0, 2:, :2].mean())


@pytest.mark.parametrize(
    ("options", "expected"),
    [({"limit": 51}, "expected 1 to 50"), ({"side": 3}, "does not divide"), ({"validation_part": 1.0}, "leave no")],
)
def test_an_option_that_does_not_fit_the_files_is_refused(
    idx_folder: Path, options: dict[str, object], expected: str
) -> None:
    with pytest.raises(DataError, match=expected):
        images.read(path=str(idx_folder), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\x00\x00\x0d\x03", "begins with 00000d03"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x05abc", "cut short"),
        (b"\x00\x00\x08\x03\x00", "cut short"),
        (b"", "begins with"),
    ],
)
def test_a_broken_idx_file_is_told(tmp_path: Path, content: bytes, expected: str) -> None:
    file = tmp_path / "broken"
    file.write_bytes(content)
    with pytest.raises(DataError, match=expected):
        images.read_idx(file)


def test_a_broken_gzip_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "broken.gz"
    file.write_bytes(gzip.compress(b"\x00" * 1000)[:20])
    with pytest.raises(DataError, match="cannot be read"):
        images.read_idx(file)


def test_labels_that_are_not_of_the_images_are_told(idx_folder: Path) -> None:
    for file in idx_folder.glob("train-labels*"):
        write_idx(file, np.arange(49))
    with pytest.raises(DataError, match="labels"):
        images.read(path=str(idx_folder))


def test_too_few_samples_to_split_are_told() -> None:
    one = Samples(np.zeros((1, 1, 1, 2, 2), np.float32), np.zeros(1, np.int64))
    with pytest.raises(DataError, match="too few"):
        DataSet(one, classes=1).for_search(seed=0)


def test_fashion_mnist_is_read_whole() -> None:
    folder = Path(os.environ.get("EVONAS_DATA", "/nonexistent")) / "fashion-mnist"
    if not folder.is_dir():
        pytest.skip("EVONAS_DATA is not set, or has no folder fashion-mnist")
    dataset = images.read(path=str(folder))
    assert dataset.samples.inputs.values.shape == (60000, 1, 1, 28, 28)
    assert np.array_equal(np.bincount(dataset.test().labels), [1000] * 10)
