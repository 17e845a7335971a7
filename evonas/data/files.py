"""Files of data: the path that `data.path` names, how a sentence quotes it, and how a file is opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from evonas.errors import DataError
from evonas.options import shown

LARGEST = 2**30
"""Most bytes of one array that are read into memory."""

MOST_PACKED = 1032
"""Bytes that one byte of deflate, as in gzip and zip, can stand for at most."""

_CHUNK = 2**20


def path_of(path: Any, *, what: str = "folder", example: str = "data/mnist") -> Path:
    """Return the absolute path that `data.path` names. `~` is the home folder.

    Args:
        path: A text, relative to the working directory.
        what: What is expected there, for messages.
        example: A path for messages.

    Raises:
        DataError: If it is no text, or its home folder is not known.
    """
    if not isinstance(path, str | Path) or not str(path).strip():
        raise DataError(f'data.path = {shown(path)}, expected the path of a {what} as text, such as "{example}".')
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError as error:
        raise DataError(f"data.path = {shown(path)}: the home folder that ~ stands for is not known here.") from error


def quoted(path: Any) -> str:
    """Return a path as it is, or as Python writes it if it is too long or does not print on one line."""
    text = str(path)
    return text if text.isprintable() and len(text) <= 300 else shown(text)


def said(error: Exception | str) -> str:
    """Return what another library says of an error: on one line, printable, of 300 characters at most, with no end.

    Examples:
        >>> said(ValueError("no  such frame."))
        'no such frame'
    """
    text = " ".join(str(error).split()) or type(error).__name__
    return (text if text.isprintable() else shown(text)).rstrip(".")[:300]


@contextmanager
def opened(file: Path, *, expected: str) -> Iterator[tuple[BinaryIO, int]]:
    """Open a file for reading; give it with its size in bytes.

    Args:
        file: The file. A folder, pipe, socket or device is refused.
        expected: What it should be, such as `"a file in the idx format"`, for messages.

    Raises:
        DataError: If it is no file or cannot be read, also while it is open.
    """
    try:
        raw = open(file, "rb", opener=_opener)  # noqa: SIM115 a ValueError while it is open is another
    except IsADirectoryError as error:
        raise DataError(f"{quoted(file)} is no file but a folder; expected {expected}.") from error
    except OSError as error:
        raise _unreadable(file, error) from error
    except ValueError as error:  # a name that no file can have
        raise DataError(f"{str(file)!r} cannot be read: {error}.") from error
    with raw:
        try:
            status = os.fstat(raw.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise DataError(f"{quoted(file)} is no file but a {_kind(status.st_mode)}; expected {expected}.")
            yield raw, status.st_size
        except OSError as error:
            raise _unreadable(file, error) from error


def read_at_most(stream: BinaryIO, number: int) -> bytearray:
    """Return `number` bytes, fewer if the stream ends; takes memory for what is there, not for what is asked for."""
    found = bytearray()
    while len(found) < number and (chunk := stream.read(min(_CHUNK, number - len(found)))):
        found += chunk
    return found


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return what lies in a folder, by name.

    Raises:
        DataError: If it is no folder or cannot be read.
    """
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError as error:
        raise DataError(f"{quoted(folder)} does not exist; expected a folder.") from error
    except NotADirectoryError as error:
        raise DataError(f"{quoted(folder)} is no folder; expected one.") from error
    except OSError as error:
        raise _unreadable(folder, error) from error
    except ValueError as error:
        raise DataError(f"{str(folder)!r} cannot be read: {error}.") from error


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{quoted(path)} cannot be read: {error.strerror or error}.")


def _opener(name: str, flags: int) -> int:
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))  # otherwise opening a pipe would block


def _kind(mode: int) -> str:
    kinds = {stat.S_ISDIR: "folder", stat.S_ISFIFO: "pipe", stat.S_ISSOCK: "socket"}
    return next((name for is_kind, name in kinds.items() if is_kind(mode)), "device")
