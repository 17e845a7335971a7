"""A folder of images per class, as PNG, JPEG, BMP, WebP or TIFF."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from evonas.data.arrays import Arrays
from evonas.data.class_labels import LISTED, first_of_each, listed
from evonas.data.dataset import DataSet
from evonas.data.files import LARGEST, entries, path_of, quoted
from evonas.data.formats.image_file import Picture, decoded, open_image, picture_of
from evonas.data.image_options import ImageOptions, ImageSettings
from evonas.data.publisher_parts import data_of_parts, part_folders
from evonas.data.reader_options import check_test_part, check_validation_part, checked_limit, is_whole, said_of
from evonas.data.samples import Samples
from evonas.errors import DataError
from evonas.options import shown

_LONGEST_SIDE = 2**13
_HIDDEN = {"thumbs.db", "desktop.ini"}


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
        part: [picture_of(file, label) for label in sorted(found) for file in found[label]]
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


def _one_size(folder: Path, pictures: Sequence[Picture]) -> tuple[int, int]:
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


def _check_fit(pictures: Mapping[str, Sequence[Picture]], *, size: tuple[int, int] | None, is_grey: bool) -> None:
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


def _samples(pictures: Sequence[Picture], size: tuple[int, int], colours: int, is_deep: bool) -> Samples:
    """Return the pixels of images as `(n, 1, colours, height, width)` values in [0, 1], with their labels."""
    pixels = np.empty((len(pictures), 1, colours, *size), np.uint16 if is_deep else np.uint8)
    for place, picture in zip(pixels, pictures, strict=True):
        with open_image(picture.file) as image:
            place[0] = decoded(image, picture, size, colours=colours, is_deep=is_deep)
    labels = np.array([picture.label for picture in pictures])
    return Samples(Arrays(pixels, full_scale=np.iinfo(pixels.dtype).max), labels)


def _notes(
    folder: Path, pictures: Sequence[Picture], hidden: Sequence[Path], colours: int, is_deep: bool
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
