"""Images in the idx format, gzipped or not, as MNIST and Fashion-MNIST come."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Unpack

import numpy as np

from evonas.data.arrays import Arrays
from evonas.data.class_labels import labels_in
from evonas.data.dataset import DataSet
from evonas.data.files import path_of, quoted
from evonas.data.formats.idx import read_idx
from evonas.data.image_options import ImageOptions, ImageSettings
from evonas.data.reader_options import check_validation_part, checked_limit, is_whole, said_of
from evonas.data.samples import Samples
from evonas.errors import DataError
from evonas.options import shown

_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def read(
    *,
    path: str,
    limit: int | None = None,
    side: int | None = None,
    validation_part: float = 0.2,
    **options: Unpack[ImageOptions],
) -> DataSet:
    """Return the data set in the four files of a folder, with its official test set; values in [0, 1].

    Args:
        path: The folder. `~` is the home folder; a relative path is relative to the working directory.
        limit: Use only this many training samples, the first ones, which publishers of idx sets shuffle; the classes
            are still those of all.
        side: Height and width to which images are reduced, by averaging square blocks of pixels.
        validation_part: Fraction of the training samples that is for validation.

    Raises:
        DataError: If a file is missing, broken or of other contents than its name says, or an option does not fit.
    """
    settings = ImageSettings(**options)
    folder = path_of(path)
    found = [_find(folder, name, path=path) for name in _FILES]
    images, labels, test_images, test_labels = (read_idx(file) for file in found)
    _check_pair(found[0], images, found[1], labels)
    _check_pair(found[2], test_images, found[3], test_labels)
    if images.shape[1:] != test_images.shape[1:]:
        raise DataError(
            f"{found[2]} holds images of {_size(test_images)} pixels, {found[0]} of {_size(images)}; expected one size."
        )
    classes = labels_in(labels)
    count = checked_limit(limit, most=len(images))
    check_validation_part(validation_part)
    _check_side(side, images)
    with said_of(folder, {"limit": limit, "side": side, "validation_part": validation_part}):
        return settings.applied(
            DataSet(
                Samples(_pixels(images[:count], side), labels[:count]),
                official_test=Samples(_pixels(test_images, side), test_labels),
                validation_part=validation_part,
                class_labels=classes,
            )
        )


def _find(folder: Path, name: str, *, path: Any) -> Path:
    try:
        for candidate in (folder / name, folder / f"{name}.gz"):
            if candidate.exists():
                return candidate
        if not folder.is_dir():
            what = "is no folder" if folder.exists() else "does not exist"
            raise DataError(f"{_missing(folder, name, path=path)} {quoted(folder)} {what}.")
    except OSError as error:
        raise DataError(f"{quoted(folder / name)} cannot be read: {error.strerror or error}.") from error
    raise DataError(_missing(folder, name, path=path))


def _missing(folder: Path, name: str, *, path: Any) -> str:
    looked_at = "" if str(path) == str(folder) else f" (looked at {quoted(folder)})"
    return (
        f"data.path = {quoted(path)}{looked_at} has neither {name} nor {name}.gz; expected the four files of "
        "an idx set."
    )


def _check_pair(file: Path, images: np.ndarray, labels_file: Path, labels: np.ndarray) -> None:
    """Check that images and their labels belong together.

    Raises:
        DataError: If they do not.
    """
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
        raise DataError(
            f"{file} has the shape {images.shape} and its labels in {labels_file.name} {labels.shape}; expected "
            "(n, height, width) and (n,)."
        )


def _check_side(side: Any, images: np.ndarray) -> None:
    if side is None:
        return
    height, width = images.shape[1:]
    if not is_whole(side):
        raise DataError(
            f"data.side = {shown(side)} is no whole number; expected one that divides {_size(images)} pixels."
        )
    if not 1 <= side <= height or height % side or height != width:
        raise DataError(f"data.side = {shown(side)} does not divide the {_size(images)} pixels of the images.")


def _pixels(images: np.ndarray, side: int | None) -> Arrays:
    """Return images whose values become [0, 1], as bytes, or averaged down to `side` where it is given."""
    if side is None:
        return Arrays(images[:, None, None], full_scale=255)
    block = images.shape[1] // side
    sums = images.reshape(-1, side, block, side, block).sum(axis=(2, 4), dtype=np.uint32)
    # sums of whole numbers are exact, so that the bits and the fingerprint are the same on every machine
    return Arrays((sums / (255 * block**2)).astype(np.float32)[:, None, None])


def _size(images: np.ndarray) -> str:
    return f"{images.shape[1]} x {images.shape[2]}"
