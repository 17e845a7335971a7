"""The journal: records that are safe on disk when `append` returns, whatever happens to the process.

`journal_lines` describes how they are written.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evonas.archive.atomic_file import sync_folder
from evonas.archive.journal_lines import FIRST, Contents, encode, parse
from evonas.errors import ArchiveError

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


class Journal:
    """The journal of the one process that may write it.

    Attributes:
        path: Where it is.
    """

    def __init__(self, path: Path, file: int, *, contents: Contents) -> None:
        """Take over the locked descriptor `file`, which holds `contents` and nothing else. Call `open` instead."""
        self.path = path
        self._file = file
        self._size = contents.size
        self._checksum = contents.checksum
        self._is_usable = True

    @classmethod
    def open(cls, path: Path) -> tuple[Journal, Contents]:
        """Return the journal at `path`, created if missing, and what it holds.

        A torn last line is cut off, which the notes mention.

        Raises:
            ArchiveError: If another process writes it, it is damaged, or it cannot be read and written.
        """
        try:
            file = _open_locked(path)
        except OSError as error:
            raise _not_opened(path, error, purpose="for writing") from error
        try:
            data = _read_whole(file)
            contents = parse(data, path)
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

    def append(self, *record: Mapping[str, Any]) -> None:
        """Write a record of one or more parts; it is safe on disk when this returns.

        Raises:
            ArchiveError: If it cannot be written. Earlier records are safe, this one is lost.
        """
        if not self._is_usable:
            raise ArchiveError(f"The journal {self.path} is closed, or an earlier failure could not be undone.")
        if not self._is_there():
            raise ArchiveError(
                f"The journal {self.path} was deleted or replaced while this process was writing it. The row that was "
                "to be kept is lost and will be evaluated again; all others are still in memory, and are written into "
                "the archive as it closes. Leave the files of a folder alone as long as a search runs there."
            )
        line, checksum = encode(*record, after=self._checksum)
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
        """Check that no other file has replaced this journal; raise ArchiveError otherwise."""
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
            self._is_usable = False  # the torn line stays the last one, and is dropped when the journal is opened again


def read_journal(path: Path) -> Contents:
    """Return what the journal at `path` holds, without changing the file.

    A torn last line, which may be being written now, is left out, which the notes mention.

    Raises:
        FileNotFoundError: If there is no journal.
        ArchiveError: If it is damaged or cannot be read.
    """
    try:
        # without O_NONBLOCK, opening a named pipe in the place of the journal would block
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return parse(_read_whole(file), path)
        finally:
            os.close(file)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _not_opened(path, error, purpose="for reading") from error


def _read_whole(file: int) -> bytes:
    if not stat.S_ISREG(os.fstat(file).st_mode):
        raise OSError(errno.EINVAL, "it is no file")
    parts, at = [], 0
    while part := os.pread(file, 1 << 30, at):
        parts.append(part)
        at += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


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
        texts = map(bytes, read_journal(path).records)
        records = [json.loads(text) for text in texts if text.startswith(FIRST)]
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
