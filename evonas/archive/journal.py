"""The journal: records that are on disk as soon as they are appended, whatever happens to the process.

One line a record: the CRC-32 of the JSON text in eight hexadecimal digits, a blank, the JSON text. The last line
alone can be torn, because a record is on disk before the next one begins. Only what `append` has returned for counts.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evonas.archive.atomic_file import sync_folder
from evonas.errors import ArchiveError

_FIRST = b'{"header"'
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Journal:
    """The journal of the one process that may write it.

    Attributes:
        path: Where it is.
    """

    def __init__(self, path: Path, file: int, *, size: int) -> None:
        """Take over the locked descriptor `file`, of which `size` bytes are whole records. Use `open`."""
        self.path = path
        self._file = file
        self._size = size
        self._is_usable = True

    @classmethod
    def open(cls, path: Path) -> tuple[Journal, list[bytes]]:
        """Return the journal at `path`, made where there is none, and the JSON texts of its records.

        A torn last line is cut off.

        Raises:
            ArchiveError: If another process writes it, it is broken, or its folder cannot be written to.
        """
        try:
            file = _open_locked(path)
        except OSError as error:
            raise ArchiveError(
                f"The journal {path} cannot be opened for writing: {error.strerror or error}. "
                "Give an output folder that exists and can be written to."
            ) from error
        try:
            data = path.read_bytes()
            records, size = _parse(data, path)
            if size < len(data):
                os.ftruncate(file, size)
            sync_folder(path.parent)
        except BaseException:
            os.close(file)
            raise
        return cls(path, file, size=size), records

    def append(self, record: Mapping[str, Any]) -> None:
        """Write `record`; it is safe on disk when this returns. The cost does not grow with the journal.

        Raises:
            ArchiveError: If it cannot be written. What was appended before is safe, this record is not kept.
        """
        if not self._is_usable:
            raise ArchiveError(f"The journal {self.path} is closed, or an earlier failure could not be undone.")
        line = encode(record)
        try:
            written = 0
            while written < len(line):
                written += os.write(self._file, line[written:])
            os.fsync(self._file)
            self._size += len(line)
        except BaseException as error:
            self._take_back()
            if isinstance(error, OSError):
                raise _not_written(self.path, error) from error
            raise

    def remove(self) -> None:
        """Delete the journal, whose records must be safe elsewhere, and let others write."""
        self.path.unlink()
        sync_folder(self.path.parent)
        self.close()

    def close(self) -> None:
        """Let others write. The journal stays."""
        if self._file >= 0:
            os.close(self._file)
        self._file, self._is_usable = -1, False

    def _take_back(self) -> None:
        try:
            os.ftruncate(self._file, self._size)
        except OSError:
            self._is_usable = False  # a torn line is the last one: it is dropped when the journal is opened again


def read_journal(path: Path) -> list[bytes]:
    """Return the JSON texts of the records at `path` without touching the file.

    A torn last line, perhaps being written now, is left out.

    Raises:
        FileNotFoundError: If there is no journal.
        ArchiveError: If a record before the last is broken.
    """
    return _parse(path.read_bytes(), path)[0]


def encode(record: Mapping[str, Any]) -> bytes:
    """Return the line of `record`."""
    text = json.dumps(record, separators=(",", ":")).encode()
    return b"%08x %b\n" % (zlib.crc32(text), text)


def _parse(data: bytes, path: Path) -> tuple[list[bytes], int]:
    """Return the JSON texts of the records and the number of bytes that the records take."""
    records: list[bytes] = []
    good = 0
    while good < len(data):
        end = data.find(b"\n", good) + 1
        record = _decode(data[good : end - 1]) if end else None
        if record is None:
            if 0 < end < len(data):
                raise ArchiveError(
                    f"Line {len(records) + 1} of the journal {path} is damaged, and whole records follow it: this is "
                    "no torn last write but a damaged or edited file. Nothing was changed. Restore the file from a "
                    "copy, or move it away to go on without any of its rows."
                )
            break
        records.append(record)
        good = end
    if data and not good and not _may_be_torn_header(data.rstrip(b"\0")):
        raise ArchiveError(
            f"{path} is no journal of evonas, but lies where the journal of this archive would be. Nothing was "
            "changed. Move it away, or use another output folder."
        )
    return records, good


def _may_be_torn_header(data: bytes) -> bool:
    checksum, blank, text = data[:8], data[8:9], data[9 : 9 + len(_FIRST)]
    return set(checksum) <= set(b"0123456789abcdef") and b" ".startswith(blank) and _FIRST.startswith(text)


def _decode(line: bytes) -> bytes | None:
    """Return the JSON text of a line, None where it is damaged."""
    try:
        is_whole = line[8:9] == b" " and int(line[:8], 16) == zlib.crc32(line[9:])
    except ValueError:
        is_whole = False
    return line[9:] if is_whole else None


def _open_locked(path: Path) -> int:
    """Return a descriptor of the file at `path`, locked."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise ArchiveError(
                f"The journal {path} is being written by {_writer(path)}. Probably the same run goes on elsewhere, or "
                "a process of it was left over. Wait for it or end it, or use another output folder."
            ) from error
        except BaseException:
            os.close(descriptor)
            raise
        try:
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)  # the former writer deleted this file between our opening and our locking it


def _writer(path: Path) -> str:
    try:
        records = [json.loads(text) for text in _parse(path.read_bytes(), path)[0] if text.startswith(_FIRST)]
    except (OSError, ArchiveError):
        records = []
    return str(records[-1]["writer"]) if records else "another process"


def _not_written(path: Path, error: OSError) -> ArchiveError:
    cause = "the disk is full" if error.errno in _FULL else f"the disk reports: {error.strerror or error}"
    return ArchiveError(
        f"A record cannot be written to {path}: {cause}. Every row added before is safe on disk; only this one is "
        "lost, and will be evaluated again. Free some space and start the same command again: it resumes here."
    )
