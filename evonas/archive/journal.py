"""The journal: records that are on disk as soon as they are appended, whatever happens to the process.

One line a record: a checksum in eight hexadecimal digits, the length of the JSON text in bytes, the JSON text. The
checksum is the CRC-32 of all JSON texts from the first to this one, so that a line which is missing is noticed at the
next. The last line alone can be torn, because a record is on disk before the next one begins; it is shorter than it
says and has no end. Everything else that is wrong is damage. Only what `append` has returned for counts.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shlex
import stat
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evonas.archive.atomic_file import sync_folder
from evonas.errors import ArchiveError

_FIRST = b'{"header"'
_LINE = re.compile(rb"([0-9a-f]{8}) (\d{1,12}) (.*)", re.DOTALL)
_TORN = re.compile(rb"[0-9a-f]{0,8}|[0-9a-f]{8} \d{0,12}|[0-9a-f]{8} (\d{1,12}) ([ -~]*)")
_CAUSES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "the disk is full"),
    errno.ELOOP: "a symbolic link lies there, and links are not followed",
    **dict.fromkeys(
        (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS),
        "its file system has no locks, which keep two searches from writing one archive",
    ),
}
_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "Free some space, or give another output folder."),
    errno.ELOOP: "Move the link away, or give another output folder.",
    **dict.fromkeys(
        (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS),
        "Give an output folder on a local disk, or have this one mounted with locks.",
    ),
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM, errno.EROFS),
        "Give yourself the permission, or give an output folder that you can write to.",
    ),
}


@dataclass(frozen=True)
class Contents:
    """What a journal holds.

    Attributes:
        records: The JSON texts of its records.
        size: Bytes that they take.
        checksum: That of the last record; 0 where there is none.
        notes: What was lost or put right, for people.
        is_ended: Whether the last record has its newline.
    """

    records: tuple[bytes, ...]
    size: int
    checksum: int
    notes: tuple[str, ...] = ()
    is_ended: bool = True


class Journal:
    """The journal of the one process that may write it.

    Attributes:
        path: Where it is.
    """

    def __init__(self, path: Path, file: int, *, contents: Contents) -> None:
        """Take over the locked descriptor `file`, which holds `contents` and nothing else. Use `open`."""
        self.path = path
        self._file = file
        self._size = contents.size
        self._checksum = contents.checksum
        self._is_usable = True

    @classmethod
    def open(cls, path: Path) -> tuple[Journal, Contents]:
        """Return the journal at `path`, made where there is none, and what it holds.

        A torn last line is cut off, which the notes say.

        Raises:
            ArchiveError: If another process writes it, it is damaged, or it cannot be read and written.
        """
        try:
            file = _open_locked(path)
        except OSError as error:
            raise _not_opened(path, error, purpose="for writing") from error
        try:
            data = _read_whole(file)
            contents = _parse(data, path)
            if contents.size < len(data):
                os.ftruncate(file, contents.size)
            if not contents.is_ended:
                os.ftruncate(file, contents.size - 1)
                os.write(file, b"\n")
            sync_folder(path.parent)
        except OSError as error:
            os.close(file)
            raise _not_opened(path, error, purpose="for writing") from error
        except BaseException:
            os.close(file)
            raise
        return cls(path, file, contents=contents), contents

    def append(self, record: Mapping[str, Any]) -> None:
        """Write `record`; it is safe on disk when this returns. The cost does not grow with the journal.

        Raises:
            ArchiveError: If it cannot be written. What was appended before is safe, this record is not kept.
        """
        if not self._is_usable:
            raise ArchiveError(f"The journal {self.path} is closed, or an earlier failure could not be undone.")
        if not self._is_there():
            raise ArchiveError(
                f"The journal {self.path} was deleted or replaced while this process was writing it. The row that was "
                "to be kept is lost and will be evaluated again; all others are still in memory, and are written into "
                "the archive as it closes. Leave the files of a folder alone as long as a search runs there."
            )
        line, checksum = encode(record, after=self._checksum)
        try:
            written = 0
            while written < len(line):
                written += os.write(self._file, line[written:])
            os.fsync(self._file)
            self._size += len(line)
            self._checksum = checksum
        except BaseException as error:
            self._take_back()
            if isinstance(error, OSError):
                raise _not_written(self.path, error) from error
            raise

    def remove(self) -> None:
        """Delete the journal, whose records must be safe elsewhere, and let others write."""
        if self._is_there():
            self.path.unlink()
            sync_folder(self.path.parent)
        self.close()

    def check_alone(self) -> None:
        """Check that nobody else writes a journal in the place of this one; raise ArchiveError otherwise."""
        if not self._is_there() and self.path.exists():
            raise ArchiveError(
                f"{self.path} is no longer the journal of this process: it was replaced while this process was writing "
                "it, perhaps by another search. The archive was left as it is. Look at both before you go on."
            )

    def close(self) -> None:
        """Let others write. The journal stays."""
        if self._file >= 0:
            os.close(self._file)
        self._file, self._is_usable = -1, False

    def _is_there(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._file), os.stat(self.path, follow_symlinks=False))
        except OSError:
            return False

    def _take_back(self) -> None:
        try:
            os.ftruncate(self._file, self._size)
        except OSError:
            self._is_usable = False  # a torn line is the last one: it is dropped when the journal is opened again


def read_journal(path: Path) -> Contents:
    """Return what the journal at `path` holds, without touching the file.

    A torn last line, perhaps being written now, is left out, which the notes say.

    Raises:
        FileNotFoundError: If there is no journal.
        ArchiveError: If it is damaged or cannot be read.
    """
    try:
        # without O_NONBLOCK a named pipe in the place of the journal would be waited for
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return _parse(_read_whole(file), path)
        finally:
            os.close(file)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _not_opened(path, error, purpose="for reading") from error


def encode(record: Mapping[str, Any], *, after: int = 0) -> tuple[bytes, int]:
    """Return the line of `record` and its checksum, which the next line goes on from.

    Args:
        record: What to write.
        after: Checksum of the line before; 0 where there is none.
    """
    text = json.dumps(record, separators=(",", ":")).encode()
    checksum = zlib.crc32(text, after)
    return b"%08x %d %b\n" % (checksum, len(text), text), checksum


def encode_all(records: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the bytes of a whole journal of these records."""
    lines, checksum = [], 0
    for record in records:
        line, checksum = encode(record, after=checksum)
        lines.append(line)
    return b"".join(lines)


def _parse(data: bytes, path: Path) -> Contents:
    """Return what the bytes of a journal hold."""
    records: list[bytes] = []
    good, checksum = 0, 0
    while good < len(data):
        end = data.find(b"\n", good)
        line = data[good : end if end >= 0 else len(data)]
        text = _decode(line, checksum)
        if text is None and end < 0:
            text = _decode(line[:-1], checksum)  # a whole record, whose newline is another byte now
            line = line if text is None else line[:-1]
        if text is None:
            return _torn(data, Contents(tuple(records), good, checksum), path)
        records.append(text)
        checksum = zlib.crc32(text, checksum)
        good += len(line) + 1
        if end < 0:
            note = f"The last line of the journal {path} had lost its end; its record is whole and was kept."
            return Contents(tuple(records), good, checksum, (note,), is_ended=False)
    return Contents(tuple(records), good, checksum)


def _torn(data: bytes, whole: Contents, path: Path) -> Contents:
    """Return what is whole, with a note of what is not.

    Raises:
        ArchiveError: Unless what follows is the beginning of a line and nothing else: a write that a crash cut short.
    """
    rest = data[whole.size :]
    form = _TORN.fullmatch(rest)
    if not whole.records and not _may_be_torn_header(rest):
        raise ArchiveError(
            f"{path} is no journal of evonas, or its first line is damaged. Nothing was changed. Restore it from a "
            "copy; or move it away, which gives up the rows that it may hold, or use another output folder."
        )
    if form is not None and (form[1] is None or len(form[2]) < int(form[1])):
        note = (
            f"The last {len(rest)} bytes of the journal {path} are a record that was not written to its end: they are "
            f"left out. The {len(whole.records)} records before them are whole."
        )
        return Contents(whole.records, whole.size, whole.checksum, (note,))
    raise ArchiveError(
        f"Line {len(whole.records) + 1} of the journal {path} is damaged: this is no torn last write but a changed or "
        f"edited file. Nothing was changed. Restore it from a copy; or give up that line and all that follows it, "
        f"{len(rest)} bytes, and keep the {len(whole.records)} records before it: truncate -s {whole.size} "
        f"{shlex.quote(str(path))}"
    )


def _may_be_torn_header(data: bytes) -> bool:
    form = _TORN.fullmatch(data)
    return form is not None and (form[1] is None or _FIRST.startswith(form[2][: len(_FIRST)]))


def _decode(line: bytes, checksum: int) -> bytes | None:
    """Return the JSON text of a line that follows one of this checksum, None where it does not."""
    form = _LINE.fullmatch(line)
    if form is None or int(form[2]) != len(form[3]) or form[1] != b"%08x" % zlib.crc32(form[3], checksum):
        return None
    return form[3] if form[2] == b"%d" % len(form[3]) else None


def _read_whole(file: int) -> bytes:
    if not stat.S_ISREG(os.fstat(file).st_mode):
        raise OSError(errno.EINVAL, "it is no file")
    parts, at = [], 0
    while part := os.pread(file, 1 << 24, at):
        parts.append(part)
        at += len(part)
    return b"".join(parts)


def _open_locked(path: Path) -> int:
    """Return a descriptor of the file at `path`, locked."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    while True:
        descriptor = os.open(path, flags, 0o644)
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
        records = [json.loads(text) for text in read_journal(path).records if text.startswith(_FIRST)]
        return str(records[-1]["writer"])
    except (OSError, ArchiveError, ValueError, LookupError, TypeError, RecursionError):
        return "another process"


def _not_opened(path: Path, error: OSError, *, purpose: str) -> ArchiveError:
    cause = _CAUSES.get(error.errno or 0, error.strerror or str(error))
    remedy = _REMEDIES.get(error.errno or 0, "Give an output folder that exists and can be written to.")
    return ArchiveError(f"The journal {path} cannot be opened {purpose}: {cause}. Nothing was changed. {remedy}")


def _not_written(path: Path, error: OSError) -> ArchiveError:
    cause = _CAUSES.get(error.errno or 0, f"the disk reports: {error.strerror or error}")
    return ArchiveError(
        f"A record cannot be written to {path}: {cause}. Every row added before is safe on disk; only this one is "
        "lost, and will be evaluated again. Free some space and start the same command again: it resumes here."
    )
