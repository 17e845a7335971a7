"""Readers of images on real ones: a part of CIFAR-10, kept as WebP without loss, in the forms that users bring."""

from __future__ import annotations

import io
import os
from functools import cache
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from evonas.data import array_file, cifar, image_folder, images
from evonas.data.dataset import DataSet

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CUTS = {"train": 400, "test": 100}


def folder_of_data() -> Path:
    if "EVONAS_DATA" not in os.environ:
        pytest.skip("EVONAS_DATA, the folder of real data, is not set")
    return Path(os.environ["EVONAS_DATA"])


@cache
def coded(file: Path, part: str) -> tuple[list[bytes], np.ndarray]:
    """Return the first images of a part, as WebP, with their labels."""
    with h5py.File(file) as opened:
        data, begins = opened[f"{part}_webp"][:], opened[f"{part}_off"][: CUTS[part] + 1]
        pieces = [data[begin:end].tobytes() for begin, end in pairwise(begins)]
        return pieces, opened[f"{part}_y"][: CUTS[part]]


def decoded(pieces: list[bytes]) -> np.ndarray:
    return np.stack([np.asarray(Image.open(io.BytesIO(piece)).convert("RGB")) for piece in pieces])


def seen(data: DataSet) -> np.ndarray:
    inputs = data.samples.inputs
    values = inputs.batch(np.arange(len(inputs)), time_steps=1, rng=np.random.default_rng(0))[0]
    return np.rint(values * 255).astype(np.uint8).transpose(0, 2, 3, 1)


@pytest.fixture
def file() -> Path:
    found = folder_of_data() / "cifar10-lossless-subset.h5"
    if not found.is_file():
        pytest.skip(f"EVONAS_DATA has no {found.name}")
    return found


def test_a_folder_of_images_per_class(tmp_path: Path, file: Path) -> None:
    for part in ("train", "test"):
        for number, (piece, label) in enumerate(zip(*coded(file, part), strict=True)):
            place = tmp_path / part / NAMES[label] / f"{number:04}.webp"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(piece)
    data = image_folder.read(path=str(tmp_path))
    pieces, labels = coded(file, "train")
    by_class = np.argsort(labels, kind="stable")
    assert np.array_equal(seen(data), decoded(pieces)[by_class])
    assert data.samples.labels.tolist() == [NAMES[label] for label in labels[by_class]]
    assert data.class_labels == NAMES
    assert len(data.test()) == CUTS["test"]


@pytest.mark.parametrize("ending", ["npz", "h5"])
def test_arrays_in_one_file(tmp_path: Path, file: Path, ending: str) -> None:
    arrays = {}
    for part in ("train", "test"):
        pieces, labels = coded(file, part)
        arrays |= {f"{part}_images": decoded(pieces), f"{part}_labels": labels}
    path = tmp_path / f"cifar.{ending}"
    if ending == "npz":
        np.savez_compressed(path, **arrays)
    else:
        with h5py.File(path, "w") as opened:
            for name, array in arrays.items():
                opened.create_dataset(name, data=array, compression="gzip")
    data = array_file.read(path=str(path))
    assert np.array_equal(seen(data), arrays["train_images"])
    assert data.samples.labels.tolist() == arrays["train_labels"].tolist()
    assert data.test().labels.tolist() == arrays["test_labels"].tolist()


def test_the_binary_version_of_cifar(tmp_path: Path, file: Path) -> None:
    pieces, labels = coded(file, "train")
    records = np.c_[labels, decoded(pieces).transpose(0, 3, 1, 2).reshape(len(labels), -1)].astype(np.uint8)
    for number, part in enumerate(np.array_split(records, 5), start=1):
        (tmp_path / f"data_batch_{number}.bin").write_bytes(part.tobytes())
    pieces, labels = coded(file, "test")
    records = np.c_[labels, decoded(pieces).transpose(0, 3, 1, 2).reshape(len(labels), -1)].astype(np.uint8)
    (tmp_path / "test_batch.bin").write_bytes(records.tobytes())
    data = cifar.read(path=str(tmp_path))
    assert np.array_equal(seen(data), decoded(coded(file, "train")[0]))
    assert data.samples.labels.tolist() == coded(file, "train")[1].tolist()


def test_fashion_mnist_is_whole() -> None:
    folder = folder_of_data() / "fashion-mnist"
    if not folder.is_dir():
        pytest.skip("EVONAS_DATA has no folder fashion-mnist")
    data = images.read(path=str(folder))
    assert np.bincount(data.samples.labels).tolist() == [6000] * 10
    assert np.bincount(data.test().labels).tolist() == [1000] * 10
    search = data.for_search()
    assert (len(search.train), len(search.validation)) == (48_000, 12_000)
