"""Images in the idx format, gzipped or not, as MNIST and Fashion-MNIST come."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

from evonas.data.dataset import DataSet, Samples
from evonas.errors import DataError

_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def read(*, path: str, limit: int | None = None, side: int | None = None, validation_part: float = 0.2) -> DataSet:
    """Return the four files of a folder as a data set with its official test set; values in [0, 1].

    Args:
        path: The folder.
        limit: Use the first so many training samples only.
        side: Average square blocks of pixels so that images have this side.
        validation_part: Part of the training samples that is for validation.

    Raises:
        DataError: If a file is missing, broken, or not what its name says, or an option does not fit the files.
    """
    found = [_find(Path(path), name) for name in _FILES]
    images, labels, test_images, test_labels = (read_idx(file) for file in found)
    for file, array, names in ((found[0], images, labels), (found[2], test_images, test_labels)):
        if array.ndim != 3 or names.ndim != 1 or len(array) != len(names):
            raise DataError(
                f"{file} has the shape {array.shape} and its labels {names.shape}; expected (n, height, width), (n,)."
            )
    if limit is not None:
        if not 1 <= limit <= len(images):
            raise DataError(f"data.limit = {limit}, expected 1 to {len(images)}, the number of training images.")
        images, labels = images[:limit], labels[:limit]
    classes = int(max(labels.max(), test_labels.max())) + 1
    return DataSet(
        _samples(images, labels, side),
        classes=classes,
        official_test=_samples(test_images, test_labels, side),
        validation_part=validation_part,
    )


def read_idx(file: Path) -> np.ndarray:
    """Return the array of an idx file of unsigned bytes.

    The format: two zero bytes, the type (8: unsigned byte), the number of dimensions, their sizes as big-endian
    32-bit numbers, then the values.

    Raises:
        DataError: If the file is broken or no such file.
    """
    try:
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file} cannot be read: {error}.") from error
    if len(data) < 4 or data[:3] != b"\x00\x00\x08":
        raise DataError(f"{file} is no idx file of unsigned bytes: it begins with {data[:4].hex()}, expected 000008.")
    dimensions = data[3]
    begin = 4 + 4 * dimensions
    shape = struct.unpack(f">{dimensions}I", data[4:begin]) if len(data) >= begin else ()
    if not shape or len(data) - begin != np.prod(shape, dtype=np.int64):
        raise DataError(f"{file} is cut short or too long: {len(data)} bytes do not hold an array of shape {shape}.")
    return np.frombuffer(data, dtype=np.uint8, offset=begin).reshape(shape)


def _find(folder: Path, name: str) -> Path:
    for candidate in (folder / name, folder / f"{name}.gz"):
        if candidate.is_file():
            return candidate
    raise DataError(f"data.path = {folder} has neither {name} nor {name}.gz; expected the four files of an idx set.")


def _samples(images: np.ndarray, labels: np.ndarray, side: int | None) -> Samples:
    values = images.astype(np.float32) / 255.0
    if side is not None:
        height, width = values.shape[1:]
        if not 1 <= side <= height or height % side or width % side or height != width:
            raise DataError(f"data.side = {side} does not divide the {height} x {width} pixels of the images.")
        block = height // side
        values = values.reshape(-1, side, block, side, block).mean(axis=(2, 4))
    return Samples(values[:, None, None], labels.astype(np.int64))
