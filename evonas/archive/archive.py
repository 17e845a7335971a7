"""The archive: every evaluation of a run, on disk. The only memory of a search."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from evonas.archive.contents import Stored, bulk_reading, merge
from evonas.archive.hdf5_file import read_archive, remove_unfinished, write_archive
from evonas.archive.journal import Journal, read_journal
from evonas.archive.pareto_front import Front
from evonas.archive.record import plain, to_record
from evonas.archive.results import Results
from evonas.archive.run_header import Header, versions
from evonas.engine.evaluation import Evaluation
from evonas.engine.view import Row
from evonas.errors import ArchiveError
from evonas.objective import Objective
from evonas.space import Space


class Archive:
    """Every evaluation of a run, open for writing by this process alone. A context manager.

    While it is open, each row added goes to a journal beside the file and is safe, whatever happens to the process.
    Closing folds the journal into one HDF5 file. What a crash leaves behind is taken up by the next opening.

    Args:
        path: The HDF5 file. The journal is `<path>.journal`.
        space: What is searched.
        objectives: What is traded.
        seed: Seed of the run.
        settings: Settings of the run, dotted keys of its run file and their JSON values: an archive refuses rows made
            under others.
        free: Settings that may change between openings; `"workers"` frees `"workers.count"` and its like as well.
        top_rung: Rung of the ladder that fronts are made of.
        reference_rows: Number of rows at that rung from which the corners of the hypervolume are made.

    Raises:
        ChangedRunError: If the archive belongs to a run with another seed, space or settings.
        ArchiveError: If another process writes it, it is no archive, is broken or cannot be written to.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        space: Space,
        objectives: Sequence[Objective],
        *,
        seed: int = 0,
        settings: Mapping[str, Any] | None = None,
        free: Collection[str] = (),
        top_rung: int = 0,
        reference_rows: int = 16,
    ) -> None:
        self.path = Path(path)
        if not 0 <= seed < 2**63 or reference_rows < 1:
            raise ArchiveError(
                f"An archive needs 0 <= seed < 2**63 and reference_rows >= 1, got {seed} and {reference_rows}."
            )
        header = Header(
            seed,
            dict(settings or {}),
            variables=tuple(sorted(space.variables)),
            objectives=tuple(objective.name for objective in objectives),
            top_rung=top_rung,
            reference_rows=reference_rows,
            versions=(versions(),),
        )
        self._journal, records = Journal.open(_beside(self.path))
        self._is_closed = False
        try:
            self._results, self._has_news = self._open(header, objectives, records=records, free=free)
        except BaseException:
            if records:
                self._journal.close()
            else:
                self._journal.remove()
            raise

    @staticmethod
    def read(path: str | os.PathLike[str], objectives: Sequence[Objective] = ()) -> Results:
        """Return what an archive holds now, perhaps while a search writes it. Takes no lock and changes nothing.

        Args:
            path: The HDF5 file.
            objectives: What to score the rows under; need not be the objectives of the run.

        Raises:
            ArchiveError: If there is no archive, or it is broken.
        """
        path = Path(path)
        records: Sequence[bytes] | None
        try:
            # The journal first: it is deleted after its rows are in the HDF5 file, so nothing can fall between.
            records = read_journal(_beside(path))
        except FileNotFoundError:
            records = None
        _, stored = _load(path, records or ())
        if stored is None:
            raise ArchiveError(
                f"There is no archive at {path}, and no journal of one. Give the folder or file of a run that has "
                "evaluated something."
            )
        return Results(stored, objectives, is_at_rest=records is None)

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return self._results.seed

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What is traded."""
        return self._results.objectives

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every row, in slot order."""
        return self._results.rows

    def add(self, evaluation: Evaluation) -> None:
        """Keep a row; it is safe on disk when this returns. The cost does not grow with the number of rows.

        Raises:
            ArchiveError: If its slot is taken, it is no complete evaluation, or the disk does not take it.
        """
        evaluation = plain(evaluation)
        if self._results.get(evaluation.job.slot) is not None:
            raise ArchiveError(f"Slot {evaluation.job.slot} of {self.path} holds a row already, and rows never change.")
        self._journal.append({"evaluation": to_record(evaluation)})
        self._has_news = True
        self._results.add(evaluation)
        fixed = self._results.fix_reference()
        if fixed is not None:
            self._journal.append({"reference": fixed})

    def get(self, slot: int) -> Row | None:
        """Return the row of a slot, or None where there is none yet."""
        return self._results.get(slot)

    def front(self) -> Front:
        """Return the feasible networks at the top rung that no other betters in every objective."""
        return self._results.front()

    def close(self) -> None:
        """Fold the journal into the HDF5 file and let others write. Without new rows the file is not touched.

        Raises:
            ArchiveError: If the file cannot be written. The journal then stays, and no row is lost.
        """
        if self._is_closed:
            return
        try:
            if self._has_news:
                results = self._results
                stored = Stored(results.header, results.references, results.evaluations)
                write_archive(self.path, stored, values=results.values())
            self._journal.remove()
        finally:
            self._is_closed = self._results.is_at_rest = True
            self._journal.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.close()
        except Exception as failure:
            if error is None:
                raise
            error.add_note(f"The archive could not be closed either: {failure}")

    def _open(
        self, header: Header, objectives: Sequence[Objective], *, records: list[bytes], free: Collection[str]
    ) -> tuple[Results, bool]:
        """Return what is stored, and whether the journal holds anything that the HDF5 file does not."""
        at_rest, stored = _load(self.path, records)
        if stored is None:
            stored = Stored(header, (), ())
        else:
            header.check_same_run(stored.header, free=free, path=self.path)
            stored = Stored(header.continuing(stored.header), stored.references, stored.evaluations)
        results = Results(stored, objectives, is_at_rest=False)
        remove_unfinished(self.path)
        writer = f"process {os.getpid()} on {socket.gethostname()}"
        self._journal.append({"header": stored.header.to_json(), "writer": writer})
        for fixed in results.references[len(stored.references) :]:
            self._journal.append({"reference": fixed})
        known = (0, 0) if at_rest is None else (len(at_rest.evaluations), len(at_rest.references))
        return results, (len(stored.evaluations), len(results.references)) != known


def _load(path: Path, records: Sequence[bytes]) -> tuple[Stored | None, Stored | None]:
    """Return what the HDF5 file holds, and what it holds together with the records of the journal."""
    with bulk_reading():
        try:
            at_rest = read_archive(path)
        except FileNotFoundError:
            at_rest = None
        return at_rest, merge(at_rest, records, path=_beside(path))


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.journal")
