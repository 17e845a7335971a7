"""Archives at rest: bytes that change on a disk, files that are cut, contents that somebody made up."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from toys import mixed_space

from evonas import Archive
from fuzz.damage import damaged
from fuzz.stored_runs import KINDS, at_rest, told_by
from fuzz.verdict import Verdict, attempt


class Archives:
    """Archives, read and gone on with, after a damage."""

    name = "archives"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "damaged.h5"
        self._data, self._right = {}, {}
        for kind in KINDS:
            path = at_rest(folder, kind)
            self._data[kind] = path.read_bytes()
            self._right[kind] = told_by(Archive.read(path, KINDS[kind][1]))

    def attempt(self, rng: np.random.Generator) -> Verdict:
        """Return what came of one file."""
        kind = sorted(KINDS)[int(rng.integers(len(KINDS)))]
        objectives = KINDS[kind][1]
        data = damaged(self._data[kind], rng)
        self._path.write_bytes(data)
        if rng.random() < 0.8:
            return attempt(
                lambda: Archive.read(self._path, objectives),
                check=lambda results: "" if told_by(results) == self._right[kind] else "the rows are others",
            )

        def open_and_close() -> str:
            with Archive(self._path, mixed_space(), objectives, seed=3):
                pass
            return told_by(Archive.read(self._path, objectives))

        verdict = attempt(open_and_close, check=lambda seen: "" if seen == self._right[kind] else "the rows are others")
        if verdict.outcome == "told" and self._path.read_bytes() != data:
            return Verdict("wrong", f"a file that was refused was written: {verdict.detail}")
        left = [path.name for path in self._path.parent.glob("damaged.h5?*")]
        if left:
            for name in left:
                (self._path.parent / name).unlink()
            return Verdict("wrong", f"left behind: {left}")
        return verdict


class Copies:
    """The whole files, to be sure that what is refused elsewhere is refused for its damage."""

    name = "undamaged archives"

    def __init__(self, folder: Path) -> None:
        self._files = {kind: at_rest(folder, kind) for kind in KINDS}
        self._copy = folder / "copy.h5"

    def attempt(self, rng: np.random.Generator) -> Verdict:
        """Return what came of a copy: nothing but right is right."""
        kind = sorted(KINDS)[int(rng.integers(len(KINDS)))]
        shutil.copy(self._files[kind], self._copy)
        seen = told_by(Archive.read(self._copy, KINDS[kind][1]))
        return (
            Verdict("right") if seen == told_by(Archive.read(self._files[kind], KINDS[kind][1])) else Verdict("wrong")
        )
