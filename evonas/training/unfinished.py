"""Unfinished trainings: what a rung of the ladder leaves, so that the next one goes on from there."""

from __future__ import annotations

import hashlib
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from evonas.archive.atomic_file import write_bytes
from evonas.engine.job import Job
from evonas.engine.unfinished_folder import STATE
from evonas.training.fit import state_bytes, state_from

MOST_BYTES = 2**30
"""Bytes of a folder of states at most; the oldest make room for new ones."""

MOST_OF_FREE = 1 / 4
"""Part of the free space of its disk that they take at most, so that a full disk is not their doing."""

_DIGEST = hashlib.sha256().digest_size


class Unfinished:
    """States of trainings that may go on at a higher rung, one for each network, in a folder.

    A training that goes on from its state has the same result, to the bit, as one from the beginning, so that no row
    depends on what is kept: where the folder is missing, such as on a machine that does not see it, nothing is kept,
    and a state that is damaged or gone is trained again. All processes of a run may use the folder at once.

    Args:
        folder: Where they are; it is not created.
        kind: The kind of device and the threads of those that train: results on others differ in the last bits.
    """

    def __init__(self, folder: Path, *, kind: str) -> None:
        self._folder = folder
        self._kind = kind
        self._is_told = False

    def state(self, job: Job) -> dict[str, Any] | None:
        """Return the state of the training of the network of `job` as it was left at a lower rung; None if unknown."""
        try:
            content = self._path(job).read_bytes()
        except OSError:
            return None
        digest, state = content[:_DIGEST], content[_DIGEST:]
        if hashlib.sha256(state).digest() != digest:
            return None
        return state_from(state)

    def keep(self, job: Job, state: dict[str, Any]) -> None:
        """Keep the state of the training of the network of `job`, if there is a folder with room for it."""
        if not self._folder.is_dir():
            return
        content = state_bytes(state)
        try:
            if self._make_room(len(content) + _DIGEST):
                write_bytes(self._path(job), hashlib.sha256(content).digest(), content)
        except OSError as error:
            if not self._is_told:
                warnings.warn(
                    f"Trainings cannot be kept in {self._folder}: {error.strerror or error}. Networks that climb to "
                    "the next rung are trained from the beginning, which takes longer.",
                    RuntimeWarning,
                    stacklevel=2,
                )
            self._is_told = True

    def drop(self, job: Job) -> None:
        """Forget the training of the network of `job`, which has come to its end."""
        with suppress(OSError):
            self._path(job).unlink(missing_ok=True)

    def _path(self, job: Job) -> Path:
        name = hashlib.sha256(f"{job.genotype.key} {job.seed} {self._kind}".encode()).hexdigest()[:32]
        return self._folder / f"{name}.state"

    def _make_room(self, size: int) -> bool:
        """Delete the oldest states until there is room for one of `size` bytes; return whether there is.

        Raises:
            OSError: If the folder cannot be read.
        """
        kept = sorted(self._kept())
        total = sum(size for _, size, _ in kept)
        most = min(MOST_BYTES, int(MOST_OF_FREE * (shutil.disk_usage(self._folder).free + total)))
        if size > most:
            return False
        for _, freed, path in kept:
            if total + size <= most:
                break
            path.unlink(missing_ok=True)
            total -= freed
        return True

    def _kept(self) -> Iterator[tuple[float, int, Path]]:
        """Yield when each state was written, its bytes, and its file."""
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # another process has just used it up
                    if STATE.fullmatch(entry.name):
                        about = entry.stat(follow_symlinks=False)
                        yield about.st_mtime, about.st_size, Path(entry.path)
