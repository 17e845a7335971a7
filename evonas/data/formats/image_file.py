"""Images in files, as PNG, JPEG, BMP, WebP or TIFF: what their headers say, and their pixels."""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from evonas.data.files import opened, quoted, said
from evonas.errors import DataError

FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF")

MOST_PIXELS = 2**26
"""Pixels of one image that are decoded at most, whatever its file says: 67 million."""

_ORIENTATION = 0x0112  # the tag of EXIF
_TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What sets an image upright, by its orientation."""

_GREY = {"1", "L", "LA", "La", "I;16", "I;16L", "I;16B"}
_COLOUR = {"RGB", "RGBA", "RGBa", "RGBX", "P", "PA", "CMYK", "YCbCr"}


@dataclass(frozen=True)
class Picture:
    """One image, before its pixels are read.

    Attributes:
        file: Where it lies.
        label: Its class: the name of the folder.
        size: Height and width, as it is looked at.
        is_grey: Whether it has no colours.
        is_deep: Whether its grey values have 16 bits.
        orientation: How it lies, 1 to 8 as EXIF counts; 1 is upright.
        has_alpha: Whether some of it may be transparent.
        loses_bits: Whether it has colours of 16 bits, of which 8 are read.
    """

    file: Path
    label: str
    size: tuple[int, int]
    is_grey: bool
    is_deep: bool
    orientation: int
    has_alpha: bool
    loses_bits: bool


def picture_of(file: Path, label: str) -> Picture:
    """Return what the header of an image says.

    Raises:
        DataError: If it is none of `FORMATS`, has too many pixels, several frames, or values of another kind.
    """
    with open_image(file) as image:
        width, height = image.size
        if width * height > MOST_PIXELS:
            raise DataError(
                f"{quoted(file)} announces {height:,} x {width:,} pixels; expected {MOST_PIXELS:,} at most in one "
                "image."
            )
        if (frames := getattr(image, "n_frames", 1)) != 1:
            raise DataError(f"{quoted(file)} holds {frames} images; expected one a file.")
        if image.mode not in _GREY | _COLOUR:
            raise DataError(
                f"{quoted(file)} has values of the kind {image.mode!r}; expected grey of 1, 8 or 16 bits, a "
                "palette, or colours."
            )
        orientation = _orientation(image)
        return Picture(
            file,
            label,
            size=(width, height) if orientation in (5, 6, 7, 8) else (height, width),
            is_grey=image.mode in _GREY,
            is_deep=image.mode.startswith("I;16"),
            orientation=orientation,
            has_alpha=image.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in image.info,
            loses_bits=image.mode in _COLOUR and "16" in _raw_mode(image),
        )


@contextmanager
def open_image(file: Path) -> Iterator[Image.Image]:
    """Open an image; whatever Pillow says of it, also while it is open, is a sentence.

    Raises:
        DataError: If it is none, or is damaged.
    """
    expected = "an image: PNG, JPEG, BMP, WebP or TIFF"
    with opened(file, expected=expected) as (stream, length), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of bombs, which are refused by their size, and of odd tags
        if not length:
            raise DataError(f"{quoted(file)} is empty; expected {expected}.")
        try:
            image = Image.open(stream, formats=FORMATS)
        except Image.UnidentifiedImageError as error:
            stream.seek(0)
            begin = stream.read(8).hex()
            raise DataError(f"{quoted(file)} is no image that can be read: it begins with {begin}; expected {expected}."
                            ) from error  # fmt: skip
        except Image.DecompressionBombError as error:
            raise DataError(
                f"{quoted(file)} announces too many pixels; expected {MOST_PIXELS:,} at most in one image."
            ) from error
        except _damage() as error:
            raise DataError(f"{quoted(file)} is damaged: {said(error)}; expected {expected}.") from error
        try:
            yield image
        except DataError:
            raise
        except _damage() as error:
            raise DataError(f"{quoted(file)} is damaged: {said(error)}; expected {expected}.") from error


def _damage() -> tuple[type[Exception], ...]:
    """Return what decoders of Pillow raise where a file is damaged: it documents none, and they raise all of these."""
    return (
        OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, EOFError,
        ZeroDivisionError, RuntimeError, MemoryError, AssertionError, struct.error, Image.DecompressionBombError,
    )  # fmt: skip


def _orientation(image: Image.Image) -> int:
    """Return how an image lies, 1 to 8 as EXIF counts; 1 is upright."""
    if image.format == "TIFF":  # Pillow turns these by itself
        return 1
    try:
        exif = image.getexif() if _has_late_exif(image) else Image.Image.getexif(image)  # the former decodes a PNG
        found = exif.get(_ORIENTATION, 1)
    except _damage():  # what shows images passes over a note that cannot be read, too
        return 1
    return found if found in _TURNS else 1


def _has_late_exif(image: Image.Image) -> bool:
    """Return whether a PNG has a camera's note after its pixels, which Pillow knows when they are decoded."""
    stream: Any = getattr(image, "fp", None)
    if image.format != "PNG" or stream is None or "exif" in image.info:
        return False
    at = stream.tell()
    stream.seek(8)
    kind = b""
    while kind not in (b"eXIf", b"IEND") and len(head := stream.read(8)) == 8:
        kind = head[4:]
        stream.seek(int.from_bytes(head[:4], "big") + 4, os.SEEK_CUR)
    stream.seek(at)
    return kind == b"eXIf"


def _raw_mode(image: Image.Image) -> str:
    """Return how the values lie in the file, such as `"RGB;16B"`."""
    tiles = getattr(image, "tile", ())
    return str(tiles[0][3]) if tiles else ""


def decoded(image: Image.Image, picture: Picture, size: tuple[int, int], *, colours: int, is_deep: bool) -> np.ndarray:
    """Return the `(colours, height, width)` pixels of an image, of 16 bits where `is_deep`, otherwise of 8."""
    image.load()
    if (turn := _TURNS[picture.orientation]) is not None:
        image = image.transpose(turn)
    if picture.has_alpha and picture.is_deep:
        grey = np.array(image, np.uint16)
        grey[grey == image.info["transparency"]] = 0
        image = Image.fromarray(grey)
    elif picture.has_alpha:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    if (image.height, image.width) != picture.size:
        raise ValueError(f"its pixels are {image.height} x {image.width}, its header says {picture.size}")
    if picture.is_deep and is_deep:
        return _resized(np.asarray(image, np.uint16), size)[None]
    if picture.is_deep:
        image = Image.fromarray((np.asarray(image, np.uint16) >> 8).astype(np.uint8))
    image = image.convert("L" if colours == 1 else "RGB")
    if picture.size != size:
        image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    values: np.ndarray = np.asarray(image).reshape(*size, colours).transpose(2, 0, 1)
    return (values.astype(np.uint16) * 257).astype(np.uint16) if is_deep else values


def _resized(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return `(height, width)` values of 16 bits at another size."""
    if values.shape == size:
        return values
    image = Image.fromarray(values.astype(np.float32)).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    found: np.ndarray = np.clip(np.rint(np.asarray(image)), 0, 2**16 - 1).astype(np.uint16)
    return found
