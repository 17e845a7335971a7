"""Samples out of objects in memory: anything with a length whose items are an input and its label."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import Any, Protocol

import numpy as np

from evonas.data.arrays import Arrays
from evonas.data.files import said
from evonas.data.samples import Samples
from evonas.errors import DataError
from evonas.input_shape import Element
from evonas.options import shown

_MOST_CHANNELS = 4
"""A last axis of no more than this, where the first is longer, is that of the channels."""


class Items(Sized, Protocol):
    """What is read item by item: data sets of torchvision, Hugging Face and Tonic, lists of pairs."""

    def __getitem__(self, index: int, /) -> Any:
        """Return `(input, label)`, or a mapping that holds both."""


def samples_of(items: Items, *, what: str, keys: tuple[str, str], element: Element | None) -> Samples:
    """Return the samples of an object, each item read once.

    Args:
        items: Its items are pairs, or mappings.
        what: What they are, for messages.
        keys: Of the input and of the label in items that are mappings.
        element: What the numbers are; by default those of images are real and those of frames graded.

    Raises:
        DataError: If there are none, one cannot be read, or their inputs differ in shape or type.
    """
    try:
        values, labels = _read(items, what=what, keys=keys)
    except DataError:
        raise
    except Exception as error:  # whatever an object of the user's own comes to
        raise DataError(f"{what} cannot be read item by item: {type(error).__name__}, {said(error)}.") from error
    values = _five_axes(values, what=what)
    is_image = values.dtype in (np.uint8, np.uint16) and values.shape[1] == 1
    full_scale = float(np.iinfo(values.dtype).max) if is_image else 1.0
    return Samples(Arrays(values, full_scale=full_scale, kind=element), np.asarray(labels))


def _read(items: Items, *, what: str, keys: tuple[str, str]) -> tuple[np.ndarray, list[Any]]:
    """Return the inputs in one array, and the labels."""
    count = len(items)
    if not count:
        raise DataError(f"{what} are none: the length is 0; expected one item or more.")
    first, label = _pair(items[0], keys, where=f"{what}, item 0")
    values, labels = np.empty((count, *first.shape), first.dtype), [label]
    values[0] = first
    for position in range(1, count):
        array, label = _pair(items[position], keys, where=f"{what}, item {position:,}")
        if (array.shape, array.dtype) != (first.shape, first.dtype):
            raise DataError(
                f"{what}, item {position:,} is an array of {array.dtype} of shape {array.shape}, item 0 one of "
                f"{first.dtype} of shape {first.shape}; expected one shape and type. Resize or convert them first."
            )
        values[position] = array
        labels.append(label)
    return values, labels


def _pair(item: Any, keys: tuple[str, str], *, where: str) -> tuple[np.ndarray, Any]:
    """Return the input of an item as an array of numbers, and its label as a plain value."""
    if isinstance(item, Mapping):
        if missing := [key for key in keys if key not in item]:
            raise DataError(f"{where} has no {shown(missing[0])}; it has {', '.join(map(shown, item))}. Name its keys.")
        item = tuple(item[key] for key in keys)
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise DataError(f"{where} is a {type(item).__name__}, expected a pair (input, label).")
    if getattr(item[0], "mode", None) == "P":
        raise DataError(
            f'{where} is an image of palette indices, whose numbers mean no brightness; hand over its .convert("RGB").'
        )
    array, label = np.asarray(item[0]), item[1]
    if array.dtype.names is not None:
        raise DataError(
            f"{where} holds events with the fields {', '.join(array.dtype.names)}, expected numbers in an array. Make "
            "frames of them first, such as with tonic.transforms.ToFrame."
        )
    if array.dtype.kind not in "biuf":
        raise DataError(f"{where} is a {type(item[0]).__name__}, which is no array of numbers.")
    return array, label.item() if hasattr(label, "item") else label


def _five_axes(values: np.ndarray, *, what: str) -> np.ndarray:
    """Return `(samples, time, channels, height, width)` values."""
    shape = values.shape[1:]
    if len(shape) == 2:
        return values[:, None, None]
    if len(shape) == 3:
        is_last = shape[2] <= _MOST_CHANNELS < shape[0]
        return (np.ascontiguousarray(np.moveaxis(values, 3, 1)) if is_last else values)[:, None]
    if len(shape) == 4:
        return values
    raise DataError(
        f"{what} have the shape {shape}, expected (height, width), (channels, height, width), (height, width, "
        "channels) or, of frames, (time, channels, height, width)."
    )
