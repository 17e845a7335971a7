"""What an archive holds on disk: the HDF5 file and the journal beside it, merged."""

from __future__ import annotations

import gc
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from evonas.archive.journal_lines import parts_of_line
from evonas.archive.record import activity_of, from_record
from evonas.archive.run_header import Header
from evonas.engine.evaluation import Evaluation
from evonas.errors import ArchiveError
from evonas.measurement import Activity

Values = tuple[float | str, ...]
"""Values of a row under the objectives of the run, in their order: a number, or the reason why there is none."""


@dataclass(frozen=True)
class Stored:
    """What an archive holds.

    Attributes:
        header: Which run it is.
        references: Fixed corners of the hypervolume: JSON objects, one for each set of objectives.
        evaluations: Every evaluation, in slot order.
        values: Slot to values; rows that failed have none.
        notes: What was lost or repaired when the archive was read, for people.
    """

    header: Header
    references: tuple[Mapping[str, Any], ...]
    evaluations: Sequence[Evaluation]
    values: Mapping[int, Values] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def merge(at_rest: Stored | None, records: Sequence[memoryview], *, path: object) -> Stored | None:
    """Return what `at_rest` and the records of a journal hold together, None if there is not even a header.

    A row may be in both, since the journal is deleted only after its rows are in the HDF5 file. A record that says
    that it replaces a row replaces any earlier one. The counts of a row are read when they are asked for.

    Args:
        at_rest: What the HDF5 file holds, None if there is none.
        records: The records of the journal, in the order in which they were written.
        path: The journal, for messages.

    Raises:
        ArchiveError: If they hold different rows for one slot, or the journal belongs to another run or format, or
            holds anything that evonas does not write.
    """
    merging = _Merging(at_rest, path)
    for number, record in enumerate(records, start=1):
        with _line_named(number, path):
            head = parts_of_line(record)[0]
            merging.take(json.loads(head), number, counts=record[len(head) + 1 :])
    return merging.result()


def check_counts(records: Sequence[memoryview], *, path: object) -> None:
    """Check the counts in all records of a journal, before more are appended; raise ArchiveError if any are wrong."""
    for number, record in enumerate(records, start=1):
        for counts in parts_of_line(record)[1:]:
            _activity(counts, number, path)


@contextmanager
def _line_named(number: int, path: object) -> Iterator[None]:
    """Turn any error that reading a record may raise into an ArchiveError that names its line of the journal."""
    try:
        yield
    except (ValueError, RecursionError, TypeError, LookupError, OverflowError) as error:
        what = f"{type(error).__name__}" if isinstance(error, RecursionError) else error
        raise ArchiveError(
            f"Line {number} of the journal {path} is whole but holds nothing that this evonas writes: {what}. "
            "Nothing was changed. Use the version of evonas that wrote it, or restore the file from a copy."
        ) from error


def _activity(counts: bytes | memoryview, number: int, path: object) -> Activity:
    with _line_named(number, path):
        return activity_of(json.loads(bytes(counts)))


class _Merging:
    """The contents of the HDF5 file and of the records of the journal so far."""

    def __init__(self, at_rest: Stored | None, path: object) -> None:
        self._path = path
        self._header = None if at_rest is None else at_rest.header
        self._references = [] if at_rest is None else list(at_rest.references)
        self._evaluations = {} if at_rest is None else {row.job.slot: row for row in at_rest.evaluations}
        self._values = {} if at_rest is None else dict(at_rest.values)
        self._rows_at_rest = len(self._evaluations)
        self._notes: list[str] = []
        self._disputed: dict[int, int] = {}  # slot to the line whose row differs from an earlier one

    def take(self, record: Any, number: int, *, counts: memoryview) -> None:
        """Add a record; raise ValueError if it is not one."""
        if not isinstance(record, dict):
            raise ValueError(f"it is {record!r:.60}, expected a JSON object")
        if "header" in record:
            self._take_header(record)
        elif self._header is None:
            raise ValueError("it comes before the header of the run")
        elif "reference" in record:
            check_reference(record["reference"])
            if record["reference"] not in self._references:
                self._references.append(record["reference"])
        elif "evaluation" in record:
            self._take_evaluation(record, number, counts)
        else:
            raise ValueError(f"it names {', '.join(map(repr, list(record)[:3])) or 'nothing'}")

    def result(self) -> Stored | None:
        """Return what all of them hold together.

        Raises:
            ArchiveError: If they hold different rows for one slot, and none says that it replaces the other.
        """
        for slot, number in self._disputed.items():
            raise ArchiveError(
                f"Line {number} of the journal {self._path} and an earlier row of the archive both hold slot {slot}, "
                "with different results: the files come from different runs. Nothing was changed. Move the file that "
                "does not belong here away."
            )
        if self._header is None:
            return None
        evaluations = [self._evaluations[slot] for slot in sorted(self._evaluations)]
        return Stored(self._header, tuple(self._references), evaluations, self._values, tuple(self._notes))

    def _take_header(self, record: Mapping[str, Any]) -> None:
        following = Header.from_json(record["header"], path=self._path)
        if self._header is not None:
            free = {*self._header.settings, *following.settings}
            following.check_same_run(self._header, free=free, path=self._path)
            following = replace(following, search=following.search or self._header.search)
        self._header = following
        rows = record.get("rows", 0)
        if type(rows) is not int:
            raise ValueError(f"rows is {rows!r:.60}, expected a number")
        if rows > self._rows_at_rest and not self._notes:
            self._notes.append(
                f"The journal {self._path} was begun beside an archive of {rows} rows, of which the one there now "
                f"holds {self._rows_at_rest}. The others are lost, and will be evaluated again; restore the archive "
                "from a copy to have them back."
            )

    def _take_evaluation(self, record: Mapping[str, Any], number: int, counts: memoryview) -> None:
        load = partial(_activity, counts, number, self._path)
        evaluation = from_record(record["evaluation"], load=load)
        slot = evaluation.job.slot
        if record.get("replaces") is True:
            self._evaluations[slot] = evaluation
            self._values.pop(slot, None)
            self._disputed.pop(slot, None)
        else:
            known = self._evaluations.setdefault(slot, evaluation)
            if not (known is evaluation or known.same_result(evaluation) or repr(known) == repr(evaluation)):
                # NaN equals nothing but in repr
                self._disputed[slot] = number
                return
        assert self._header is not None
        values = record.get("values")
        if values is not None:
            self._values[slot] = checked_values(values, count=len(self._header.objectives))


def check_reference(reference: Any) -> None:
    """Check that these are fixed corners of a hypervolume; raise ValueError otherwise."""
    is_right = isinstance(reference, dict) and {*reference} == {"objectives", "ideal", "ref_point"}
    if is_right:
        objectives, corners = reference["objectives"], (reference["ideal"], reference["ref_point"])
        is_right = isinstance(objectives, list) and all(isinstance(one, dict) for one in objectives)
        is_right = is_right and all(
            isinstance(corner, list) and len(corner) == len(objectives) and all(map(_is_finite, corner))
            for corner in corners
        )
    if not is_right:
        raise ValueError(f"the corners of the hypervolume are {reference!r:.60}, expected finite numbers of objectives")


def checked_values(values: Any, *, count: int) -> Values:
    """Return the values of a row; raise ValueError unless they are `count` finite numbers or reasons."""
    if not isinstance(values, list) or len(values) != count:
        raise ValueError(f"values are {values!r:.60}, expected {count} of them")
    if not all(isinstance(value, str) or _is_finite(value) for value in values):
        raise ValueError(f"values are {values!r:.60}, expected finite numbers, or why there is none")
    return tuple(value if isinstance(value, str) else float(value) for value in values)


@contextmanager
def bulk_reading() -> Iterator[None]:
    """Switch off cyclic garbage collection while many small objects are built.

    None of them forms a cycle, and each pass would scan them all.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf
