"""The archive: every evaluation of a run, on disk. The only memory of a search."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from evonas.archive.atomic_file import remove_unfinished
from evonas.archive.contents import Stored, bulk_reading, check_counts, merge
from evonas.archive.hdf5_file import read_archive, write_archive
from evonas.archive.journal import Journal, read_journal
from evonas.archive.pareto_front import Front
from evonas.archive.record import activity_record, as_read_back, to_record
from evonas.archive.results import Results
from evonas.archive.run_header import Header, versions
from evonas.engine.description import described_objective, described_space
from evonas.engine.evaluation import Evaluation
from evonas.engine.pareto import REFERENCE_ROWS
from evonas.engine.view import Row
from evonas.errors import ArchiveError, ChangedRunError, OptionError, one_a_line
from evonas.measurement import Measurement
from evonas.objective import Objective
from evonas.options import LARGEST_SEED, Whole, faults_of, shown
from evonas.space import Space

_NUMBERS = {"seed": Whole(0, LARGEST_SEED), "top_rung": Whole(0, 1000), "reference_rows": Whole(1, 10**9)}


class Archive:
    """Every evaluation of a run, open for writing by this process alone. A context manager.

    While it is open, each row that is added goes to a journal beside the file and is safe, whatever happens to the
    process. Closing merges the journal into the HDF5 file. After a crash, the next opening continues the journal.

    Args:
        path: The HDF5 file. The journal is `<path>.journal`.
        space: What is searched.
        objectives: What is traded.
        seed: Seed of the run.
        settings: Settings of the run, dotted keys of its run file and their JSON values. An archive that was begun with
            others is not opened.
        free: Settings that may change between openings; `"workers"` includes `"workers.count"` and the like.
        top_rung: Rung of the ladder that fronts are made of.
        reference_rows: Number of first rows with a value in every objective, at any rung, from which the corners of the
            hypervolume are made.

    Raises:
        ChangedRunError: If the archive belongs to a run with another seed, space, objectives or settings, or the
            objectives give its rows other values than before.
        OptionError: If a number is out of its range.
        ArchiveError: If another process writes it, it is not an archive, is damaged or cannot be written to, or `space`
            or `objectives` are of the wrong kind.

    Example:
        >>> from evonas import Archive, Budget, InlineWorkers, Integer, Objective, RandomSearch, Space, search
        >>> space, size = Space({"layers": Integer(1, 6)}), Objective("size", lambda found: found["size"])
        >>> workers = InlineWorkers(lambda job: {"size": job.genotype["layers"] ** 2})
        >>> with Archive("found.h5", space, [size]) as archive:
        ...     ending = search(space, archive, strategy=RandomSearch(), workers=workers, budget=Budget(evaluations=6))
        ...     best = archive.front().rows[0]
        >>> len(archive.rows), best.job.genotype
        (6, Genotype({'layers': 1}))
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
        reference_rows: int = REFERENCE_ROWS,
    ) -> None:
        self.path = Path(path)
        objectives = _checked(self.path, space, objectives)
        given = {"seed": seed, "top_rung": top_rung, "reference_rows": reference_rows}
        if faults := faults_of(given, _NUMBERS):
            raise OptionError(faults)
        header = Header(
            int(seed),
            dict(settings or {}),
            space=described_space(space),
            objectives=tuple({**described_objective(one), "basis": one.basis} for one in objectives),
            top_rung=int(top_rung),
            reference_rows=int(reference_rows),
            versions=(versions(),),
        )
        self._free = tuple(free)
        self._journal, contents = Journal.open(_beside(self.path))
        self._is_closed = False
        try:
            self._results, self._has_news = self._open(header, objectives, records=contents.records)
            self._results.notes = (*contents.notes, *self._results.notes)
        except BaseException:
            if contents.records:
                self._journal.close()
            else:
                self._journal.remove()
            raise

    @staticmethod
    def read(path: str | os.PathLike[str], objectives: Sequence[Objective] | None = None) -> Results:
        """Return what an archive holds now, perhaps while a search writes it. Takes no lock and changes nothing.

        Args:
            path: The HDF5 file.
            objectives: What to score the rows under, not necessarily the objectives of the run. By default those of the
                run, with the stored values.

        Raises:
            ArchiveError: If there is no archive, or it is damaged.
        """
        path = Path(path)
        try:
            # The journal first: it is deleted only once its rows are in the HDF5 file, so no row can be missed.
            contents = read_journal(_beside(path))
        except FileNotFoundError:
            contents = None
        _, stored = _load(path, () if contents is None else contents.records)
        if stored is None:
            raise ArchiveError(
                f"There is no archive at {path}, and no journal of one. Give the folder or file of a run that has "
                "evaluated something."
            )
        if contents is not None:
            stored = replace(stored, notes=(*contents.notes, *stored.notes))
        return Results(stored, objectives, is_at_rest=contents is None)

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return self._results.seed

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What is traded."""
        return self._results.objectives

    @property
    def notes(self) -> tuple[str, ...]:
        """What was lost or repaired when the archive was opened, for people."""
        return self._results.notes

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every row, in slot order."""
        return self._results.rows

    def begin(self, run: Mapping[str, Any]) -> None:
        """Store the settings of a search, or check that they are those that the rows so far were found with.

        Args:
            run: Its `"space"`, strategy, ladder and whatever else decides what it finds, as JSON objects.

        Raises:
            ChangedRunError: If anything differs; each difference is named with both values.
            ArchiveError: If they cannot be stored.
        """
        stored = self._results.header
        called = {name: value for name, value in run.items() if name != "space"}
        replace(stored, space=run["space"], search=called).check_same_run(stored, free=self._free, path=self.path)
        if not stored.search:
            self._results.header = replace(stored, search=called)
            self._journal.append(self._header_record())
            self._has_news = self._has_news or bool(self._results.rows)

    def add(self, evaluation: Evaluation) -> None:
        """Keep a row; it is safe on disk when this returns. The cost does not grow with the number of rows.

        Raises:
            ArchiveError: If its slot is taken, it is incomplete, or it cannot be written.
        """
        evaluation = as_read_back(evaluation)
        if self._results.get(evaluation.job.slot) is not None:
            raise ArchiveError(f"Slot {evaluation.job.slot} of {self.path} holds a row already, and rows never change.")
        self._keep(evaluation)

    def replace(self, evaluation: Evaluation) -> None:
        """Keep a row instead of the failed one of the same job; it is safe on disk when this returns.

        Raises:
            ArchiveError: If the row of its slot has not failed or is of another job, it is incomplete, or it cannot be
                written.
        """
        evaluation = as_read_back(evaluation)
        slot = evaluation.job.slot
        former = self._results.get(slot)
        if former is None or not former.is_failure or former.job != evaluation.job:
            raise ArchiveError(
                f"Slot {slot} of {self.path} holds no failed row of this job, and only such rows are ever replaced."
            )
        self._keep(evaluation, replaces=True)

    def get(self, slot: int) -> Row | None:
        """Return the row of a slot, or None where there is none yet."""
        return self._results.get(slot)

    def front(self) -> Front:
        """Return the front: the non-dominated feasible networks at the top rung."""
        return self._results.front()

    def results(self) -> Results:
        """Return what a closed archive holds, as `read` would from the file, under the objectives of the run."""
        return Results(replace(self._results.with_values(), notes=()), self._results.objectives)

    def close(self) -> None:
        """Merge the journal into the HDF5 file and let others write. Without new rows the file is not touched.

        Raises:
            ArchiveError: If the file cannot be written. The journal then stays, and no row is lost.
        """
        if self._is_closed:
            return
        try:
            if self._has_news:
                self._journal.check_alone()
                write_archive(self.path, self._results.with_values())
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

    def _keep(self, evaluation: Evaluation, *, replaces: bool = False) -> None:
        row = self._results.scored(evaluation)
        values = self._results.values_of(row)
        beside: dict[str, Any] = {} if values is None else {"values": values}
        beside |= {"replaces": True} if replaces else {}
        measured = evaluation.measurement
        counts = [activity_record(measured.activity)] if isinstance(measured, Measurement) else []
        self._journal.append({"evaluation": to_record(evaluation), **beside}, *counts)
        self._has_news = True
        self._results.add(evaluation, row, values=values, replaces=replaces)
        fixed = self._results.fix_reference()
        if fixed is not None:
            self._journal.append({"reference": fixed})

    def _open(
        self, header: Header, objectives: Sequence[Objective], *, records: Sequence[memoryview]
    ) -> tuple[Results, bool]:
        """Return the results so far, and whether the journal holds anything that the HDF5 file does not."""
        at_rest, stored = _load(self.path, records)
        check_counts(records, path=_beside(self.path))
        if stored is None:
            stored = Stored(header, (), ())
        else:
            header.check_same_run(stored.header, free=self._free, path=self.path)
            stored = replace(stored, header=header.continuing(stored.header))
        results = Results(stored, objectives, is_at_rest=False)
        changed = results.changed_values()
        if changed:
            raise ChangedRunError(
                f"{self.path} holds rows whose objectives had other values when they were evaluated:\n"
                + one_a_line(changed)
                + "\nTo resume the run, use the objectives, the profiles and the evonas that it was begun with; to go "
                "on with others, start anew in another output folder. Reading commands show its rows under any."
            )
        remove_unfinished(self.path)
        self._rows_at_rest = 0 if at_rest is None else len(at_rest.evaluations)
        self._results = results
        self._journal.append(self._header_record())
        for fixed in results.references[len(stored.references) :]:
            self._journal.append({"reference": fixed})
        known = (0, 0) if at_rest is None else (len(at_rest.evaluations), len(at_rest.references))
        return results, (len(stored.evaluations), len(results.references)) != known

    def _header_record(self) -> dict[str, Any]:
        writer = f"process {os.getpid()} on {socket.gethostname()}"
        return {"header": self._results.header.to_json(), "writer": writer, "rows": self._rows_at_rest}


def _checked(path: Path, space: Space, objectives: Any) -> tuple[Objective, ...]:
    """Return the objectives of an archive as a tuple.

    Raises:
        ArchiveError: If path, space or objectives are of the wrong kind.
    """
    if not path.name:
        raise ArchiveError(
            f"An archive is a file, got the path {str(path)!r}; expected one such as results/archive.h5."
        )
    if not isinstance(space, Space):
        raise ArchiveError(f"An archive needs a Space, got {shown(space)}.")
    are_several = isinstance(objectives, Iterable) and not isinstance(objectives, str | Mapping)
    given = tuple(objectives) if are_several else (objectives,)
    other = [one for one in given if not isinstance(one, Objective)]
    if other:
        raise ArchiveError(f"An archive needs Objectives, got {shown(other[0])} among them.")
    return given


def _load(path: Path, records: Sequence[memoryview]) -> tuple[Stored | None, Stored | None]:
    """Return what the HDF5 file holds, without and with the records of the journal."""
    with bulk_reading():
        try:
            at_rest = read_archive(path)
        except FileNotFoundError:
            at_rest = None
        return at_rest, merge(at_rest, records, path=_beside(path))


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.journal")
