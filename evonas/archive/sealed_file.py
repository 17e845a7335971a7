"""A sealed file: HDF5 behind a first line of 512 bytes, the seal, with its length and SHA-256.

The seal is what HDF5 calls a user block, which every tool for HDF5 skips. The whole file is checked against it before
HDF5 reads any of it: HDF5 trusts what it reads, and a damaged file gives wrong numbers, or no answer at all.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from evonas.archive.atomic_file import write_bytes
from evonas.errors import ArchiveError

FORMAT_VERSION = 2
BLOCK = 512
_MAGIC = b"evonas archive"
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_FILTERS = (h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE)
_ROOM = 256 * 2**20  # bytes of memory that any archive may take
_PACKED = 200  # bytes of memory that each byte of the file may take beyond that
_WRONG = (
    OSError, KeyError, ValueError, TypeError, IndexError, RuntimeError, OverflowError, MemoryError, RecursionError,
)  # fmt: skip


def write_sealed(path: Path, content: bytes) -> None:
    """Replace the file at `path` by `content` behind its seal, atomically.

    Raises:
        OSError: If it cannot be written; the old file is then unchanged.
    """
    write_bytes(path, _seal(content), content)


def read_sealed(path: Path) -> bytes:
    """Return the content behind the seal of the file at `path`, read once and verified.

    Raises:
        FileNotFoundError: If there is no file.
        ArchiveError: If it cannot be read, is not an archive, is of another format, or is damaged.
    """
    data = _read_whole(path)
    block, content = data[:BLOCK], data[BLOCK:]
    if not block.startswith(_MAGIC):
        foreign = (
            "an HDF5 file without the first line of an archive of evonas" if data.startswith(_SIGNATURE)
            else "no archive of evonas: its first line is another"
        )  # fmt: skip
        raise ArchiveError(
            f"{path} is {foreign}. Nothing was changed. If it is a damaged archive, restore it from a copy; if it is "
            "another file, give another output folder."
        )
    version = re.match(rb"evonas archive, format (\d{1,9}), ", block)
    if version is not None and int(version[1]) != FORMAT_VERSION and _looks_whole(block):
        raise ArchiveError(
            f"{path} is written in archive format {int(version[1])}; this evonas reads format {FORMAT_VERSION} only. "
            "Use the version of evonas that wrote it, or another output folder. Nothing was changed."
        )
    length = re.match(rb"evonas archive, format \d+, (\d{1,15}) bytes", block)
    if length is not None and int(length[1]) != len(content) and _looks_whole(block):
        raise damaged(path, f"it holds {len(content)} bytes behind its first line, which says {int(length[1])}")
    if block != _seal(content):
        raise damaged(path, "its bytes do not have the SHA-256 that its first line says")
    return content


def open_sealed(path: Path) -> h5py.File:
    """Return the HDF5 file behind the seal, in memory, inspected before any of its data is read.

    Raises:
        FileNotFoundError: If there is no file.
        ArchiveError: If it cannot be read, is not an archive, is of another format, is damaged, or holds anything but
            groups of plain data sets.
    """
    content = read_sealed(path)
    with damage_named(path):
        file = h5py.File(h5py.h5f.open_file_image(content))
        _inspect(file, size=len(content))
        return file


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Turn any error that reading the file may raise into an ArchiveError that says what is wrong with it."""
    try:
        yield
    except ArchiveError:
        raise
    except _WRONG as error:
        what = str(error) if isinstance(error, ValueError | RuntimeError) else f"{type(error).__name__}: {error}"
        raise damaged(path, f"its first line is right, what it holds is not as evonas writes it ({what})") from error


def damaged(path: Path, what: str) -> ArchiveError:
    """Return the error that says what is wrong with the archive at `path`, and what to do."""
    return ArchiveError(
        f"{path} is damaged: {what}. Nothing was changed, and nothing of it is shown. Restore it from a copy; or move "
        f"it away and start the same command again, which then goes on with what {path.name}.journal holds, if there "
        "is one, and evaluates the rest again."
    )


def _inspect(file: h5py.File, *, size: int) -> None:
    """Check that the file holds groups of plain data sets and nothing else; raise ValueError otherwise."""
    taken = 0
    for name in file:
        group = _own(file, name, h5py.Group)
        for column in group:
            dataset = _own(group, column, h5py.Dataset)
            properties = dataset.id.get_create_plist()
            filters = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
            if properties.get_external_count() or properties.get_layout() == h5py.h5d.VIRTUAL:
                raise ValueError(f"{dataset.name} lies in another file")
            if dataset.dtype.kind not in "iufbS" or any(one not in _FILTERS for one in filters):
                raise ValueError(f"{dataset.name} is of type {dataset.dtype}, packed by {filters}")
            taken += math.prod(dataset.shape or ()) * dataset.dtype.itemsize
    if taken > _ROOM + _PACKED * size:
        raise ValueError(f"its data sets would take {taken} bytes in memory, far more than its {size} bytes can hold")


def _own(group: h5py.Group, name: str, kind: type) -> Any:
    """Return the member of a group of this name and kind; raise ValueError if it is another or a link to elsewhere."""
    if not isinstance(group.get(name, getlink=True), h5py.HardLink) or group.get(name, getclass=True) is not kind:
        raise ValueError(
            f"{group.name.rstrip('/')}/{name} is no {kind.__name__.lower()} of this file, but a link or else"
        )
    return group[name]


def _seal(content: bytes) -> bytes:
    """Return the one line that stands before `content`."""
    digest = hashlib.sha256(content).hexdigest().encode()
    line = b"%b, format %d, %d bytes of HDF5 behind this line, sha256 %b" % (
        _MAGIC, FORMAT_VERSION, len(content), digest,
    )  # fmt: skip
    return line.ljust(BLOCK - 1) + b"\n"


def _looks_whole(block: bytes) -> bool:
    form = rb"evonas archive, format \d+, \d+ bytes of HDF5 behind this line, sha256 [0-9a-f]{64} *\n"
    return len(block) == BLOCK and re.fullmatch(form, block) is not None


def _read_whole(path: Path) -> bytes:
    try:
        # without O_NONBLOCK, opening a named pipe in the place of the file would block
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ArchiveError(f"{path} is no file, expected an archive of evonas. Give another output folder.")
            return file.read()
    except FileNotFoundError:
        raise
    except IsADirectoryError as error:
        raise ArchiveError(f"{path} is a folder, expected an archive of evonas. Give another output folder.") from error
    except OSError as error:
        raise ArchiveError(
            f"{path} cannot be read: {error.strerror or error}. Nothing was changed. Put that right (permissions?), "
            "or give another output folder."
        ) from error
