"""Images as arrays in one file, `.npz` or HDF5, with labels and, where there is one, the publisher's split."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Unpack

import numpy as np

from evonas.data.array_parts import classes_of, read_parts
from evonas.data.arrays import Arrays
from evonas.data.class_labels import first_of_each
from evonas.data.dataset import DataSet
from evonas.data.files import path_of, quoted
from evonas.data.image_options import ImageOptions, ImageSettings
from evonas.data.publisher_parts import data_of_parts
from evonas.data.reader_options import check_test_part, check_validation_part, checked_limit, said_of
from evonas.data.samples import Samples
from evonas.errors import DataError
from evonas.options import shown

_MOST_CHANNELS = 4


def read(
    *,
    path: str,
    layout: Literal["NHWC", "NCHW"] | None = None,
    limit: int | None = None,
    validation_part: float = 0.2,
    test_part: float = 0.2,
    **options: Unpack[ImageOptions],
) -> DataSet:
    """Return the images of one `.npz` or HDF5 file; bytes become values in [0, 1], floats stay what they are.

    The file holds `images` and `labels`, and perhaps `split` with a `"train"`, `"val"` or `"test"` for each image; or
    `train_images`, `train_labels` and perhaps the same with `val_` and `test_`. Images are `(n, height, width)`, or
    have 1 to 4 channels before or after height and width.

    Args:
        path: The file.
        layout: `"NHWC"` or `"NCHW"`, where channels lie; needed only where the shape does not tell.
        limit: Use only this many training images: the first of each class, the second of each, and so on. The
            classes are still those of all.
        validation_part: Fraction of the images for validation where the file sets none apart.
        test_part: Fraction of the images for the test where the file sets none apart.

    Raises:
        DataError: If the file is missing, damaged, or holds other arrays, or an option does not fit.
    """
    settings = ImageSettings(**options)
    file = path_of(path, what="file", example="data/images.npz")
    check_validation_part(validation_part)
    check_test_part(test_part)
    parts, others = read_parts(file, noun="images", check=_check_images)
    images, labels = parts["train"]
    classes = classes_of(file, parts, noun="images")
    chosen = first_of_each(labels, checked_limit(limit, most=len(images)))
    axis = _channel_axis(file, images, layout)
    samples = {name: Samples(_inputs(part, axis), own) for name, (part, own) in parts.items()}
    samples["train"] = samples["train"] if limit is None else samples["train"].take(chosen)
    given = {"limit": limit, "validation_part": validation_part, "test_part": test_part}
    with said_of(file, given):
        return settings.applied(
            data_of_parts(
                samples,
                validation_part=validation_part,
                test_part=test_part,
                class_labels=classes,
                notes=(*others, *_notes(file, images)),
            )
        )


def _check_images(file: Path, images: np.ndarray, labels: np.ndarray, name: str) -> None:
    """Check that there are images and a label for each.

    Raises:
        DataError: If there are not.
    """
    if images.ndim not in (3, 4) or labels.shape not in ((len(images),), (len(images), 1)):
        raise DataError(
            f"{quoted(file)} holds {name} of shape {images.shape} and labels of shape {labels.shape}; expected "
            "(n, height, width), (n, height, width, channels) or (n, channels, height, width), and (n,)."
        )
    kind = images.dtype
    if kind.kind not in "bfu" or (kind.kind == "u" and kind.itemsize > 2):
        raise DataError(
            f"{quoted(file)} holds {name} of {kind}; expected uint8, uint16, bool or floats. If they are whole "
            "numbers from 0 to 255, write images.astype(numpy.uint8)."
        )


def _channel_axis(file: Path, images: np.ndarray, layout: Literal["NHWC", "NCHW"] | None) -> int | None:
    """Return the axis of the channels, None where images are grey and have none.

    Raises:
        DataError: If the shape does not tell where channels lie, and `layout` is not given.
    """
    if layout not in (None, "NHWC", "NCHW"):
        raise DataError(f'data.layout = {shown(layout)}, expected "NHWC" or "NCHW".')
    if images.ndim == 3:
        return None
    if layout is None:
        before, after = images.shape[1] <= _MOST_CHANNELS, images.shape[3] <= _MOST_CHANNELS
        if before == after:
            raise DataError(
                f"{quoted(file)} holds images of shape {images.shape}, which does not tell where the channels lie; "
                'give data.layout = "NHWC" (channels last) or "NCHW" (channels first).'
            )
        layout = "NCHW" if before else "NHWC"
    return 1 if layout == "NCHW" else 3


def _inputs(images: np.ndarray, channel_axis: int | None) -> Arrays:
    """Return images as inputs of shape `(n, 1, channels, height, width)`."""
    images = images[:, None] if channel_axis is None else np.moveaxis(images, channel_axis, 1)
    values = images.astype(images.dtype.newbyteorder("="), copy=False)
    return Arrays(values[:, None], full_scale=np.iinfo(values.dtype).max if values.dtype.kind == "u" else 1.0)


def _notes(file: Path, images: np.ndarray) -> Iterator[str]:
    if images.dtype.kind == "f":
        least, most = float(images.min()), float(images.max())
        if least < -10 or most > 10:
            yield (
                f"The values of the images of {quoted(file)} run from {least:g} to {most:g}; networks train best on "
                "values of about 0 to 1."
            )
