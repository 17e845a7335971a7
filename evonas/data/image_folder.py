"""A folder of images per class, as PNG, JPEG, BMP, WebP or TIFF."""

from __future__ import annotations

import math
import os
import struct
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from PIL import Image

from evonas.data.arrays import Arrays
from evonas.data.class_labels import LISTED, first_of_each, listed
from evonas.data.dataset import DataSet
from evonas.data.files import LARGEST, entries, opened, path_of, quoted, said
from evonas.data.image_options import ImageOptions, ImageSettings
from evonas.data.publisher_parts import data_of_parts, part_folders
from evonas.data.reader_options import check_test_part, check_validation_part, checked_limit, is_whole, said_of
from evonas.data.samples import Samples
from evonas.errors import DataError
from evonas.options import shown

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
_LONGEST_SIDE = 2**13
_HIDDEN = {"thumbs.db", "desktop.ini"}


@dataclass(frozen=True)
class _Picture:
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


def read(
    *,
    path: str,
    size: list[int] | None = None,
    channels: int | None = None,
    limit: int | None = None,
    validation_part: float = 0.2,
    test_part: float = 0.2,
    **options: Unpack[ImageOptions],
) -> DataSet:
    """Return the images of a folder of folders, one for each class, whose name is the label; values in [0, 1].

    Where there is a folder `train` of such folders, it is for training, and `val` (or `valid`, `validation`) and `test`
    beside it for validation and test; what is missing is split off. Size and colours
    are those of the training images: grey if all are, otherwise three colours. What is transparent is laid on black;
    orientations that a camera noted are followed.

    Args:
        path: The folder. `~` is the home folder; a relative path is relative to the working directory.
        size: `[height, width]` to which all images are resized, whatever their shape; needed where sizes differ.
        channels: 1 makes all images grey, 3 gives all three colours; by default what they are.
        limit: Use only this many training images, of each class as many as of the others as far as there are.
        validation_part: Fraction of the images for validation where there is no folder for it.
        test_part: Fraction of the images for the test where there is no folder for it.

    Raises:
        DataError: If a folder is missing or has no images, a file is no image or is damaged, sizes differ and no size
            is given, or an option does not fit.
    """
    settings = ImageSettings(**options)
    folder = path_of(path, example="data/birds")
    wanted = _checked_size(size)
    if channels is not None and (not is_whole(channels) or channels not in (1, 3)):
        raise DataError(f"data.channels = {shown(channels)}, expected 1 (grey) or 3 (colours).")
    check_validation_part(validation_part)
    check_test_part(test_part)
    hidden: list[Path] = []
    files = {part: _files_by_class(place, hidden) for part, place in _places(folder, hidden).items()}
    classes = sorted(files["train"])
    for part, found in files.items():
        if unknown := sorted(set(found) - set(classes)):
            raise DataError(
                f"{quoted(folder)} has the classes {listed(unknown)} in {part}, which it has not in train; it has "
                f"{listed(classes)}. Leave those folders out, or add training images of these classes."
            )
    count = checked_limit(limit, most=sum(map(len, files["train"].values())))
    files["train"] = _first_of_each(files["train"], count)
    pictures = {
        part: [_picture(file, label) for label in sorted(found) for file in found[label]]
        for part, found in files.items()
    }
    everything = [picture for some in pictures.values() for picture in some]
    target = wanted or _one_size(folder, pictures["train"])
    colours = channels or (1 if all(picture.is_grey for picture in pictures["train"]) else 3)
    is_deep = colours == 1 and any(picture.is_deep for picture in pictures["train"])
    _check_fit(pictures, size=None if wanted else target, is_grey=colours == 1 and channels is None)
    _check_room(folder, len(everything), target, colours * (2 if is_deep else 1))
    given = {"size": size, "channels": channels, "limit": limit, "validation_part": validation_part,
             "test_part": test_part}  # fmt: skip
    with said_of(folder, given):
        samples = {part: _samples(some, target, colours, is_deep) for part, some in pictures.items() if some}
        return settings.applied(
            data_of_parts(
                samples,
                validation_part=validation_part,
                test_part=test_part,
                class_labels=tuple(classes),
                notes=tuple(_notes(folder, everything, hidden, colours, is_deep)),
            )
        )


def _checked_size(size: Any) -> tuple[int, int] | None:
    if size is None:
        return None
    if (
        not isinstance(size, list | tuple)
        or len(size) != 2
        or not all(is_whole(side) and 1 <= side <= _LONGEST_SIDE for side in size)
    ):
        raise DataError(
            f"data.size = {shown(size)}, expected [height, width] in whole pixels from 1 to {_LONGEST_SIDE:,}, such as "
            "[32, 32]."
        )
    return int(size[0]), int(size[1])


def _places(folder: Path, hidden: list[Path]) -> dict[str, Path]:
    """Return the folder of each part; the whole folder is `train` where the publisher made no split."""
    places = part_folders(folder)
    if places["train"] != folder:
        _folders(folder, hidden)
    return places


def _folders(folder: Path, hidden: list[Path]) -> dict[str, Path]:
    """Return the folders in a folder by name, in which there are no other files than hidden ones."""
    found = {}
    for entry in entries(folder):
        place = folder / entry.name
        if _is_hidden(entry.name):
            hidden.append(place)
        elif entry.is_dir():
            if not entry.name.isprintable():
                raise DataError(f"{quoted(place)} has a name that does not print on one line; rename it.")
            found[entry.name] = place
        else:
            raise DataError(
                f"{quoted(place)} is no folder; expected one folder of images for each class in {quoted(folder)}, and "
                "nothing else."
            )
    return found


def _files_by_class(folder: Path, hidden: list[Path]) -> dict[str, list[Path]]:
    """Return the files of each class, by name."""
    found: dict[str, list[Path]] = {}
    for label, place in _folders(folder, hidden).items():
        files = []
        for entry in entries(place):
            file = place / entry.name
            if _is_hidden(entry.name):
                hidden.append(file)
            elif entry.is_dir():
                raise DataError(
                    f"{quoted(file)} is a folder in the folder of a class; expected images and nothing else."
                )
            else:
                files.append(file)
        if not files:
            raise DataError(f"{quoted(place)} has no images; add some of this class, or remove the folder.")
        found[label] = files
    if not found:
        raise DataError(f"{quoted(folder)} has no folders; expected one folder of images for each class.")
    return found


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _HIDDEN


def _first_of_each(files: dict[str, list[Path]], count: int) -> dict[str, list[Path]]:
    """Return `count` files, the first ones of the classes in turn."""
    labels = np.repeat(list(files), list(map(len, files.values())))
    taken = Counter(labels[first_of_each(labels, count)].tolist())
    return {label: some[: taken[label]] for label, some in files.items()}


def _picture(file: Path, label: str) -> _Picture:
    """Return what the header of an image says.

    Raises:
        DataError: If it is none of `FORMATS`, has too many pixels, several frames, or values of another kind.
    """
    with _image(file) as image:
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
        return _Picture(
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
def _image(file: Path) -> Iterator[Image.Image]:
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


def _one_size(folder: Path, pictures: Sequence[_Picture]) -> tuple[int, int]:
    """Return the size of all images.

    Raises:
        DataError: If they have several.
    """
    sizes = Counter(picture.size for picture in pictures)
    if len(sizes) == 1:
        return next(iter(sizes))
    examples = [
        f"{height} x {width} ({count:,}, such as {quoted(next(one.file for one in pictures if one.size == size))})"
        for size, count in sizes.most_common(3)
        for height, width in [size]
    ]
    more = f" and {len(sizes) - 3:,} more" if len(sizes) > 3 else ""
    height, width = sizes.most_common(1)[0][0]
    raise DataError(
        f"{quoted(folder)} holds images of {len(sizes):,} sizes: {', '.join(examples)}{more}; expected one. Have them "
        f"resized with data.size = [{height}, {width}], or another size."
    )


def _check_fit(pictures: Mapping[str, Sequence[_Picture]], *, size: tuple[int, int] | None, is_grey: bool) -> None:
    """Check that the images of the other parts are like those of training.

    Raises:
        DataError: If one has another size than `size`, or colours where `is_grey`.
    """
    for part in ("val", "test"):
        for one in pictures.get(part, ()):
            if size is not None and one.size != size:
                own, those = (f"{height} x {width} pixels" for height, width in (one.size, size))
                raise DataError(
                    f"{quoted(one.file)} has {own}, all training images have {those}; expected one size. Have all "
                    f"resized with data.size = [{size[0]}, {size[1]}], or another size."
                )
            if is_grey and not one.is_grey:
                raise DataError(
                    f"{quoted(one.file)} has colours, and all training images are grey; expected grey ones. Make all "
                    "grey with data.channels = 1, or give all three colours with data.channels = 3."
                )


def _check_room(folder: Path, count: int, size: tuple[int, int], values: int) -> None:
    if (total := count * math.prod(size) * values) > LARGEST:
        raise DataError(
            f"The {count:,} images of {quoted(folder)} would take {total:,} bytes at {size[0]} x {size[1]} pixels, and "
            f"{LARGEST:,} are read into memory at most; use fewer (data.limit) or smaller ones (data.size)."
        )


def _samples(pictures: Sequence[_Picture], size: tuple[int, int], colours: int, is_deep: bool) -> Samples:
    """Return the pixels of images as `(n, 1, colours, height, width)` values in [0, 1], with their labels."""
    pixels = np.empty((len(pictures), 1, colours, *size), np.uint16 if is_deep else np.uint8)
    for place, picture in zip(pixels, pictures, strict=True):
        with _image(picture.file) as image:
            place[0] = _decoded(image, picture, size, colours=colours, is_deep=is_deep)
    labels = np.array([picture.label for picture in pictures])
    return Samples(Arrays(pixels, full_scale=np.iinfo(pixels.dtype).max), labels)


def _decoded(
    image: Image.Image, picture: _Picture, size: tuple[int, int], *, colours: int, is_deep: bool
) -> np.ndarray:
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


def _notes(
    folder: Path, pictures: Sequence[_Picture], hidden: Sequence[Path], colours: int, is_deep: bool
) -> Iterator[str]:
    """Yield what is not read as it lies there."""
    of = f"of the {len(pictures):,} images of {quoted(folder)}"
    if hidden:
        named = ", ".join(quoted(os.path.relpath(file, folder)) for file in hidden[:LISTED])
        more = f" and {len(hidden) - LISTED:,} more" if len(hidden) > LISTED else ""
        yield f"Hidden files that are not read: {named}{more}."
    counts = {
        "are grey and get three equal colours": colours == 3 and sum(one.is_grey for one in pictures),
        "have colours and become grey": colours == 1 and sum(not one.is_grey for one in pictures),
        "have 16 bits, of which 8 are read": sum(one.loses_bits or (one.is_deep and not is_deep) for one in pictures),
        "have 8 bits and are read beside others of 16": is_deep and sum(not one.is_deep for one in pictures),
        "may be transparent and are laid on black": sum(one.has_alpha for one in pictures),
    }
    yield from (f"{count:,} {of} {what}." for what, count in counts.items() if count)
