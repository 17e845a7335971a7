"""CIFAR-10 and CIFAR-100, in the binary or in the Python version, as they are published."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Unpack

import numpy as np

from evonas.data.arrays import Arrays
from evonas.data.class_labels import labels_in
from evonas.data.dataset import DataSet
from evonas.data.files import LARGEST, opened, path_of, quoted, read_at_most
from evonas.data.formats.pickled import PickleFault, read_pickle
from evonas.data.image_options import ImageOptions, ImageSettings
from evonas.data.reader_options import check_validation_part, checked_limit, said_of
from evonas.data.samples import Samples
from evonas.errors import DataError
from evonas.options import shown

SIDE, CHANNELS = 32, 3
_VALUES = CHANNELS * SIDE * SIDE
_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))


@dataclass(frozen=True)
class _Version:
    """How one version lies in its folder.

    Attributes:
        name: Name for people.
        folder: Folder in the publisher's archive.
        train: Files of training images.
        test: File of test images.
        labels: Number of classes of each label byte that precedes an image; the name of the file of class names, and
            its key in a pickle, by kind of label.
        is_pickled: Whether files are pickles.
    """

    name: str
    folder: str
    train: tuple[str, ...]
    test: str
    labels: dict[str, tuple[int, str, str]]
    is_pickled: bool


_TEN = {"fine": (10, "batches.meta.txt", "")}
_TEN_PICKLED = {"fine": (10, "batches.meta", "label_names")}
_HUNDRED = {"coarse": (20, "coarse_label_names.txt", ""), "fine": (100, "fine_label_names.txt", "")}
_HUNDRED_PICKLED = {"coarse": (20, "meta", "coarse_label_names"), "fine": (100, "meta", "fine_label_names")}
_VERSIONS = (
    _Version("CIFAR-10 (binary)", "cifar-10-batches-bin", tuple(f"{name}.bin" for name in _BATCHES), "test_batch.bin",
             _TEN, is_pickled=False),
    _Version("CIFAR-10 (Python)", "cifar-10-batches-py", _BATCHES, "test_batch", _TEN_PICKLED, is_pickled=True),
    _Version("CIFAR-100 (binary)", "cifar-100-binary", ("train.bin",), "test.bin", _HUNDRED, is_pickled=False),
    _Version("CIFAR-100 (Python)", "cifar-100-python", ("train",), "test", _HUNDRED_PICKLED, is_pickled=True),
)  # fmt: skip


def read(
    *,
    path: str,
    labels: Literal["fine", "coarse"] = "fine",
    limit: int | None = None,
    validation_part: float = 0.2,
    **options: Unpack[ImageOptions],
) -> DataSet:
    """Return CIFAR-10 or CIFAR-100, whichever lies in a folder, with its official test set; values in [0, 1].

    Source: A. Krizhevsky, Learning multiple layers of features from tiny images, 2009.

    Args:
        path: The folder of the files of the binary or the Python version, or the one that holds the publisher's folder.
        labels: `"fine"`, or the 20 `"coarse"` classes of CIFAR-100.
        limit: Use only this many training images, the first ones, which the publisher shuffled; the classes are still
            those of all.
        validation_part: Fraction of the training images that is for validation.

    Raises:
        DataError: If a file is missing, broken or of other contents than its name says, or an option does not fit.
    """
    settings = ImageSettings(**options)
    folder, version = _found(path_of(path, example="data/cifar10"), path=path)
    if labels not in tuple(version.labels):
        raise DataError(
            f"data.labels = {shown(labels)}, but {version.name} has the labels {' and '.join(version.labels)}."
        )
    read_file = _read_pickled if version.is_pickled else _read_binary
    parts = [read_file(folder / name, version, labels) for name in version.train]
    images, numbers = np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    test_images, test_numbers = read_file(folder / version.test, version, labels)
    names = _names(folder, version, labels)
    classes = labels_in(names[numbers])
    count = checked_limit(limit, most=len(images))
    check_validation_part(validation_part)
    with said_of(folder, {"limit": limit, "validation_part": validation_part}):
        return settings.applied(
            DataSet(
                _samples(images[:count], names[numbers[:count]]),
                official_test=_samples(test_images, names[test_numbers]),
                validation_part=validation_part,
                class_labels=classes,
            )
        )


def _found(folder: Path, *, path: Any) -> tuple[Path, _Version]:
    """Return where a version of CIFAR lies: in the folder, or in the publisher's folder in it."""
    try:
        here = [(folder, version) for version in _VERSIONS if _holds(folder, version)]
        below = [
            (folder / version.folder, version) for version in _VERSIONS if _holds(folder / version.folder, version)
        ]
    except OSError as error:
        raise DataError(f"{quoted(folder)} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:  # a name that no folder can have
        raise DataError(f"{str(folder)!r} cannot be read: {error}.") from error
    found = here or below
    if not found:
        what = "" if folder.is_dir() else " is no folder," if folder.exists() else " does not exist,"
        wanted = "; ".join(f"{version.train[0]} … and {version.test}" for version in _VERSIONS)
        raise DataError(
            f"data.path = {quoted(path)} (looked at {quoted(folder)}){what} has no files of CIFAR-10 or CIFAR-100; "
            f"expected those of the binary or the Python version: {wanted}."
        )
    if len(found) > 1:
        several = ", ".join(version.name for _, version in found)
        raise DataError(f"data.path = {quoted(path)} holds {several}; give the path of the folder of one of them.")
    return found[0]


def _holds(folder: Path, version: _Version) -> bool:
    return any((folder / name).is_file() for name in (*version.train, version.test))


def _read_binary(file: Path, version: _Version, labels: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the `(n, 3, 32, 32)` uint8 images and the `(n,)` labels of a file of records: labels, then pixels."""
    length = len(version.labels) + _VALUES
    with opened(file, expected=f"a file of {version.name}") as (stream, size):
        if not size or size % length:
            raise DataError(
                f"{quoted(file)} is {'empty' if not size else 'cut short or too long'}: it has {size:,} bytes, "
                f"expected images of {length:,} bytes each"
                f"{f'; the one at byte {size - size % length:,} is not whole' if size else ''}."
            )
        if size > LARGEST:
            raise DataError(f"{quoted(file)} has {size:,} bytes, and {LARGEST:,} are read into memory at most.")
        data = read_at_most(stream, size)
    if len(data) != size:
        raise DataError(f"{quoted(file)} changed while it was read: {len(data):,} bytes came of {size:,}.")
    records = np.frombuffer(data, np.uint8).reshape(-1, length)
    for position, (kind, (most, *_)) in enumerate(version.labels.items()):
        if len(wrong := np.flatnonzero(records[:, position] >= most)):
            first = int(wrong[0])
            raise DataError(
                f"{quoted(file)} has the {kind} label {records[first, position]} at byte "
                f"{first * length + position:,}; expected 0 to {most - 1} in {version.name}."
            )
    images = records[:, len(version.labels) :].reshape(-1, CHANNELS, SIDE, SIDE)
    return images, records[:, list(version.labels).index(labels)].astype(np.int64)


def _read_pickled(file: Path, version: _Version, labels: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the `(n, 3, 32, 32)` uint8 images and the `(n,)` labels of a pickled batch."""
    batch = _unpickled(file, version)
    most = version.labels[labels][0]
    key = "labels" if len(version.labels) == 1 else f"{labels}_labels"
    images, numbers = batch.get("data"), batch.get(key)
    expected = f"expected `data`, an array of unsigned bytes of shape (n, {_VALUES:,}), and `{key}`, n whole numbers"
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape[1:] != (_VALUES,):
        came = f"{images.dtype} of shape {images.shape}" if isinstance(images, np.ndarray) else "none"
        raise DataError(f"{quoted(file)} has {came} as `data`; {expected}.")
    if isinstance(numbers, np.ndarray):
        numbers = numbers.tolist()
    if not isinstance(numbers, list) or len(numbers) != len(images) or not numbers:
        came = f"{len(numbers):,}" if isinstance(numbers, list) else "no"
        raise DataError(f"{quoted(file)} has {len(images):,} images and {came} labels; {expected}.")
    for index, number in enumerate(numbers):
        if type(number) is not int or not 0 <= number < most:
            raise DataError(
                f"{quoted(file)} has the label {shown(number)} for image {index:,}; expected 0 to {most - 1} in "
                f"{version.name}."
            )
    return images.reshape(-1, CHANNELS, SIDE, SIDE), np.array(numbers, np.int64)


def _unpickled(file: Path, version: _Version) -> dict[str, Any]:
    with opened(file, expected=f"a file of {version.name}") as (stream, size):
        if size > LARGEST:
            raise DataError(f"{quoted(file)} has {size:,} bytes, and {LARGEST:,} are read into memory at most.")
        data = bytes(read_at_most(stream, size))
    if not data:
        raise DataError(f"{quoted(file)} is empty; expected a pickle of {version.name}.")
    try:
        found = read_pickle(data)
    except PickleFault as fault:
        raise DataError(f"{quoted(file)} is not read as a pickle of {version.name}: {fault}.") from fault
    if not isinstance(found, dict):
        raise DataError(f"{quoted(file)} holds a {type(found).__name__}, expected a dict of {version.name}.")
    return {key.decode("latin-1") if isinstance(key, bytes) else str(key): value for key, value in found.items()}


def _names(folder: Path, version: _Version, labels: str) -> np.ndarray:
    """Return the name of each class from the file beside the images, or the numbers where there is no such file."""
    most, name, key = version.labels[labels]
    file = folder / name
    if not file.exists():
        return np.arange(most)
    names = list(_pickled_names(file, version, key) if version.is_pickled else _listed_names(file, version))
    if len(names) != most or len(set(names)) != most or not all(name.isprintable() for name in names):
        raise DataError(
            f"{quoted(file)} has {len(names)} class names, {len(set(names))} of them different; expected {most} "
            f"printable ones, all different, for {version.name}. Mend it, or remove it to have numbers."
        )
    return np.array(names)


def _listed_names(file: Path, version: _Version) -> Iterator[str]:
    with opened(file, expected="a list of class names") as (stream, _):
        text = bytes(read_at_most(stream, 2**16))
    yield from (line.strip() for line in text.decode("utf-8", "replace").splitlines() if line.strip())


def _pickled_names(file: Path, version: _Version, key: str) -> Sequence[str]:
    names = _unpickled(file, version).get(key)
    if not isinstance(names, list) or not all(isinstance(name, str | bytes) for name in names):
        raise DataError(f"{quoted(file)} has no list of class names `{key}`; expected one. Mend it, or remove it.")
    return [name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in names]


def _samples(images: np.ndarray, labels: np.ndarray) -> Samples:
    """Return samples of `(n, 3, 32, 32)` bytes, of which 255 stands for 1."""
    return Samples(Arrays(images[:, None], full_scale=255), labels)
