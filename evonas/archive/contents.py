"""What an archive holds on disk: the HDF5 file and the journal beside it, merged."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from evonas.archive.record import from_record
from evonas.archive.run_header import Header
from evonas.engine.evaluation import Evaluation
from evonas.errors import ArchiveError


@dataclass(frozen=True)
class Stored:
    """What an archive holds.

    Attributes:
        header: Which run it is.
        references: The corners of the hypervolume that are fixed: JSON objects, one for each set of objectives.
        evaluations: In slot order.
    """

    header: Header
    references: tuple[Mapping[str, Any], ...]
    evaluations: Sequence[Evaluation]


def merge(at_rest: Stored | None, texts: Sequence[bytes], *, path: object) -> Stored | None:
    """Return what `at_rest` and the records of a journal hold together, None where there is not even a header.

    A row may be in both, since the journal is deleted only after its rows are in the HDF5 file.

    Args:
        at_rest: What the HDF5 file holds, None where there is none.
        texts: The JSON texts of the journal's records, in the order of writing.
        path: The journal, for messages.

    Raises:
        ArchiveError: If both hold different rows for one slot, or the journal belongs to another run or format.
    """
    header = None if at_rest is None else at_rest.header
    references = [] if at_rest is None else list(at_rest.references)
    evaluations = {} if at_rest is None else {row.job.slot: row for row in at_rest.evaluations}
    for number, text in enumerate(texts, start=1):
        record = json.loads(text)
        if "header" in record:
            header = _next_header(header, record["header"], path)
        elif "reference" in record:
            if record["reference"] not in references:
                references.append(record["reference"])
        else:
            evaluation = _evaluation(record, number, path)
            known = evaluations.setdefault(evaluation.job.slot, evaluation)
            if not (known.same_result(evaluation) or repr(known) == repr(evaluation)):  # NaN equals nothing but in repr
                raise ArchiveError(
                    f"Line {number} of the journal {path} and an earlier row of the archive both hold slot "
                    f"{evaluation.job.slot}, with different results: the files come from different runs. Nothing was "
                    "changed. Move the file that does not belong here away."
                )
    if header is None:
        return None
    return Stored(header, tuple(references), [evaluations[slot] for slot in sorted(evaluations)])


@contextmanager
def bulk_reading() -> Iterator[None]:
    """Return a context in which millions of small values are made fast.

    The collector of cyclic garbage, of which there is none here, would walk over all of them again and again.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _next_header(header: Header | None, data: Mapping[str, Any], path: object) -> Header:
    following = Header.from_json(data, path=path)
    if header is not None:
        following.check_same_run(header, free={*header.settings, *following.settings}, path=path)
    return following


def _evaluation(record: Mapping[str, Any], number: int, path: object) -> Evaluation:
    try:
        return from_record(record["evaluation"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ArchiveError(
            f"Line {number} of the journal {path} is whole but holds no evaluation that this evonas knows ({error!r}). "
            "Nothing was changed. Use the version of evonas that wrote it."
        ) from error
