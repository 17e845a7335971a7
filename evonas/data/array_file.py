"""Images as arrays in one file, `.npz` or HDF5, with labels and, where there is one, the publisher's split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, Unpack

import numpy as np

from evonas.data.arrays import Arrays
from evonas.data.class_labels import labels_in, listed
from evonas.data.dataset import DataSet
from evonas.data.files import opened, path_of, quoted
from evonas.data.hdf5_arrays import read_hdf5
from evonas.data.image_options import ImageOptions, ImageSettings
from evonas.data.npz import read_npz
from evonas.data.reader_options import check_test_part, check_validation_part, checked_limit, said_of
from evonas.data.samples import Samples
from evonas.errors import DataError
from evonas.options import shown

PARTS = ("train", "val", "test")
SPLIT = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
"""Words of a `split`, with the part that each stands for."""

_WHOLE = ("images", "labels", "split")
_BY_PART = tuple(f"{part}_{name}" for part in PARTS for name in ("images", "labels"))
_MOST_CHANNELS = 4
_LONGEST_LABEL = 200


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
        limit: Use only this many training images, the first ones; the classes are still those of all.
        validation_part: Fraction of the images for validation where the file sets none apart.
        test_part: Fraction of the images for the test where the file sets none apart.

    Raises:
        DataError: If the file is missing, damaged, or holds other arrays, or an option does not fit.
    """
    settings = ImageSettings(**options)
    file = path_of(path, what="file", example="data/images.npz")
    check_validation_part(validation_part)
    check_test_part(test_part)
    arrays, others = _arrays(file)
    parts = _parts(file, arrays)
    shapes = {name: images.shape[1:] for name, (images, _) in parts.items()}
    if len(set(shapes.values())) > 1:
        came = ", ".join(f"{shape} in {name}" for name, shape in shapes.items())
        raise DataError(f"{quoted(file)} holds images of several shapes: {came}; expected one shape.")
    images, labels = parts["train"]
    classes = labels_in(labels)
    for name in ("val", "test"):
        if name in parts and (unknown := sorted(set(labels_in(parts[name][1])) - set(classes), key=str)):
            raise DataError(
                f"{quoted(file)} has the labels {listed(unknown)} in {name}, which no training image has; it has "
                f"{listed(classes)}. Leave those images out, or add training images of these classes."
            )
    count = checked_limit(limit, most=len(images))
    axis = _channel_axis(file, images, layout)
    samples = {name: Samples(_inputs(part, axis), own) for name, (part, own) in parts.items()}
    given = {"limit": limit, "validation_part": validation_part, "test_part": test_part}
    with said_of(file, given):
        return settings.applied(
            DataSet(
                samples["train"].take(np.arange(count)) if count < len(images) else samples["train"],
                official_validation=samples.get("val"),
                official_test=samples.get("test"),
                validation_part=validation_part,
                test_part=test_part,
                class_labels=classes,
                notes=tuple(_notes(file, images, others)),
            )
        )


def _arrays(file: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the arrays that are read by name, and the names of the others."""
    with opened(file, expected="an .npz or HDF5 file") as (stream, size):
        begin = stream.read(8)
    if not size:
        raise DataError(f"{quoted(file)} is empty; expected an .npz or HDF5 file.")
    names = (*_WHOLE, *_BY_PART)
    if begin[:2] == b"PK":
        return read_npz(file, names)
    if begin == b"\x89HDF\r\n\x1a\n" or file.suffix.lower() in (".h5", ".hdf5", ".hdf"):  # HDF5 may begin later
        return read_hdf5(file, names)
    raise DataError(
        f"{quoted(file)} is neither an .npz nor an HDF5 file: it begins with {begin.hex()}, expected 504b or "
        "894844460d0a1a0a. Write it with numpy.savez_compressed or h5py."
    )


def _parts(file: Path, arrays: Mapping[str, np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return images and labels of each part that there is, of one that is not empty."""
    wanted = "expected images and labels, and perhaps split; or train_images, train_labels and perhaps val_…, test_…"
    is_whole = [name for name in _WHOLE if name in arrays]
    by_part = [name for name in _BY_PART if name in arrays]
    if bool(is_whole) == bool(by_part):
        came = ", ".join([*is_whole, *by_part]) or "none of them"
        raise DataError(f"{quoted(file)} holds {came}; {wanted}.")
    prefixes = [""] if is_whole else [f"{part}_" for part in PARTS if {f"{part}_images", f"{part}_labels"} & {*by_part}]
    if by_part and prefixes[0] != "train_":
        raise DataError(f"{quoted(file)} holds {', '.join(by_part)}; {wanted}.")
    for prefix in prefixes:
        _check_pair(file, arrays, prefix)
    found = {
        prefix.rstrip("_"): (arrays[f"{prefix}images"], _labels(file, arrays[f"{prefix}labels"], f"{prefix}labels"))
        for prefix in prefixes
    }
    if by_part:
        return {name: pair for name, pair in found.items() if len(pair[0])}
    images, labels = found[""]
    if "split" not in arrays:
        return {"train": (images, labels)}
    split = _split(file, arrays["split"], count=len(images))
    if "train" not in split:
        raise DataError(f"{quoted(file)} has no image for training in its split; expected some labelled 'train'.")
    return {name: (images[split == name], labels[split == name]) for name in PARTS if name in split}


def _check_pair(file: Path, arrays: Mapping[str, np.ndarray], prefix: str) -> None:
    """Check that there are images and a label for each.

    Raises:
        DataError: If there are not.
    """
    for name in (f"{prefix}images", f"{prefix}labels"):
        if name not in arrays:
            raise DataError(f"{quoted(file)} has no {name}; expected {prefix}images and {prefix}labels.")
    images, labels = arrays[f"{prefix}images"], arrays[f"{prefix}labels"]
    if images.ndim not in (3, 4) or labels.shape not in ((len(images),), (len(images), 1)):
        raise DataError(
            f"{quoted(file)} holds {prefix}images of shape {images.shape} and {prefix}labels of shape {labels.shape}; "
            "expected (n, height, width), (n, height, width, channels) or (n, channels, height, width), and (n,)."
        )
    if not images.size and prefix in ("", "train_"):
        raise DataError(f"{quoted(file)} holds {prefix}images of shape {images.shape}, which are none.")
    kind = images.dtype
    if kind.kind not in "bfu" or (kind.kind == "u" and kind.itemsize > 2):
        raise DataError(
            f"{quoted(file)} holds {prefix}images of {kind}; expected uint8, uint16, bool or floats. If they are whole "
            "numbers from 0 to 255, write images.astype(numpy.uint8)."
        )
    if kind.kind == "f" and len(wrong := np.flatnonzero(~np.isfinite(images).reshape(len(images), -1).all(axis=1))):
        raise DataError(
            f"{quoted(file)} holds values that are no finite numbers (nan or inf) in {len(wrong):,} of {prefix}images, "
            f"the first at index {wrong[0]:,}; mend those images."
        )


def _labels(file: Path, labels: np.ndarray, name: str) -> np.ndarray:
    labels = labels.reshape(-1)
    if labels.dtype.kind in "SU":
        return _texts(file, labels, name)
    if not labels.size:
        return labels.astype(np.int64)
    try:
        labels_in(labels)
    except DataError as error:
        raise DataError(f"{quoted(file)} holds {name} that are none. {error}") from error
    return labels


def _texts(file: Path, texts: np.ndarray, name: str) -> np.ndarray:
    """Return an array of texts that can be printed on one line.

    Raises:
        DataError: If one cannot, is empty, very long, or no UTF-8.
    """
    wrong = f"{quoted(file)} holds {name} of texts that are empty, longer than {_LONGEST_LABEL} characters or cannot be"
    if texts.dtype.itemsize > 4 * 10 * _LONGEST_LABEL:
        raise DataError(f"{wrong} printed; expected the name of a class for each image.")
    try:
        if texts.dtype.kind == "S":
            texts = np.char.decode(texts, "utf-8")
        different = np.unique(texts).tolist()
    except ValueError as error:  # no UTF-8, no code points
        raise DataError(f"{wrong} read as UTF-8; expected the name of a class for each image.") from error
    for text in different:
        if not text.strip() or not text.isprintable() or len(text) > _LONGEST_LABEL:
            raise DataError(f"{wrong} printed, such as {shown(text)}; expected the name of a class for each image.")
    return texts


def _split(file: Path, split: np.ndarray, *, count: int) -> np.ndarray:
    if split.shape not in ((count,), (count, 1)) or split.dtype.kind not in "SU":
        raise DataError(
            f"{quoted(file)} holds split as {split.dtype} of shape {split.shape}; expected {count:,} texts, each "
            "train, val or test."
        )
    texts = _texts(file, split.reshape(-1), "split")
    names, index = np.unique(texts, return_inverse=True)
    for position, name in enumerate(names.tolist()):
        if name not in SPLIT:
            at = int(np.flatnonzero(index.reshape(-1) == position)[0])
            raise DataError(f"{quoted(file)} has the split {shown(name)} at index {at:,}; expected train, val or test.")
    return np.array([SPLIT[name] for name in names.tolist()])[index.reshape(-1)]


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


def _notes(file: Path, images: np.ndarray, others: list[str]) -> Iterator[str]:
    if others:
        named = listed(others)
        yield f"{quoted(file)} also holds {named}, which {'is' if len(others) == 1 else 'are'} not read."
    if images.dtype.kind == "f":
        least, most = float(images.min()), float(images.max())
        if least < -10 or most > 10:
            yield (
                f"The values of the images of {quoted(file)} run from {least:g} to {most:g}; networks train best on "
                "values of about 0 to 1."
            )
