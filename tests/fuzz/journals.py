"""Journals: bytes that change, records that are lost, and records that somebody made up with a right checksum."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from toys import mixed_space

from evonas import Archive
from evonas.archive.results import Results
from fuzz.damage import changed, damaged
from fuzz.stored_runs import KINDS, journal_of, told_by, while_running
from fuzz.verdict import Verdict, attempt


class Journals:
    """Journals as a killed process leaves them, damaged, then read or gone on with."""

    name = "journals"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "damaged.h5"
        self._data, self._right = {}, {}
        for kind in KINDS:
            path = while_running(folder, kind)
            self._data[kind] = journal_of(path).read_bytes()
            self._right[kind] = Archive.read(path, KINDS[kind][1])

    def attempt(self, rng: np.random.Generator) -> Verdict:
        """Return what came of one journal."""
        kind = sorted(KINDS)[int(rng.integers(len(KINDS)))]
        objectives, right = KINDS[kind][1], self._right[kind]
        data = damaged(self._data[kind], rng)
        self._path.unlink(missing_ok=True)
        journal_of(self._path).write_bytes(data)
        notes: list[str] = []

        def check(results: Results) -> str:
            if told_by(results) == told_by(right):
                return ""
            rows, whole = [repr(row.evaluation) for row in results.rows], [repr(row.evaluation) for row in right.rows]
            if rows != whole[: len(rows)]:
                return "the rows are others"
            is_said = bool(notes) or bool(results.notes)
            if len(rows) < len(whole) and not (is_said or (self._data[kind].startswith(data) and data.endswith(b"\n"))):
                return f"{len(whole) - len(rows)} rows were lost in silence"
            return ""

        def read() -> Results:
            return Archive.read(self._path, objectives)

        def open_and_close() -> Results:
            with Archive(self._path, mixed_space(), objectives, seed=3) as archive:
                notes.extend(archive.notes)
            return read()

        is_reading = rng.random() < 0.7
        verdict = attempt(read if is_reading else open_and_close, check=check)
        journal = journal_of(self._path)  # one that was cut to nothing is taken for a new one, and removed
        if verdict.outcome == "told" and journal.exists() and journal.read_bytes() != data:
            return Verdict("wrong", f"a journal that was refused was written: {verdict.detail}")
        return verdict


class ForgedJournals:
    """Journals whose checksums are right and whose contents are not."""

    name = "forged journals"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "forged.h5"
        self._lines = {}
        for kind in KINDS:
            lines = journal_of(while_running(folder, kind)).read_bytes().splitlines()
            self._lines[kind] = [list(map(json.loads, line[line.index(b"{") :].split(b"\t"))) for line in lines]

    def attempt(self, rng: np.random.Generator) -> Verdict:
        """Return what came of one journal."""
        kind = sorted(KINDS)[int(rng.integers(len(KINDS)))]
        records = list(self._lines[kind])
        index = 0 if rng.random() < 0.3 else int(rng.integers(len(records)))
        records[index], how = changed(records[index], rng)
        journal_of(self._path).write_bytes(sealed(records))
        self._path.unlink(missing_ok=True)
        verdict = attempt(
            lambda: told_by(Archive.read(self._path, KINDS[kind][1])), check=lambda text: "" if text else "?"
        )
        return Verdict(verdict.outcome, verdict.detail, f"{how}: {records[index]!r:.1500}")


def sealed(records: list[object]) -> bytes:
    """Return the journal of these records, its checksums right."""
    from evonas.archive.journal_lines import encode_all

    return encode_all([parts if isinstance(parts, list) else [parts] for parts in records])
