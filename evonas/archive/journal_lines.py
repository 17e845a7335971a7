"""The lines of a journal: a checksum, a length and a record each.

One line a record: a checksum in eight hexadecimal digits, the length of the text in bytes, the text. The text is one
JSON text or several, separated by tabs; large ones that are rarely needed come last and are parsed on demand. The
checksum is the CRC-32 of all texts from the first to this one, so that a missing line is noticed at the next.
Only the last line can be torn, because a record is on disk before the next one begins: it is shorter than it says and
has no newline. Everything else that is wrong is damage.
"""

from __future__ import annotations

import json
import re
import shlex
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evonas.errors import ArchiveError

FIRST = b'{"header"'
"""How the first record of a journal begins."""

_LINE = re.compile(rb"[0-9a-f]{8} \d{1,12} ")
_TORN = re.compile(rb"[0-9a-f]{0,8}|[0-9a-f]{8} \d{0,12}|[0-9a-f]{8} (\d{1,12}) ([\t -~]*)")


@dataclass(frozen=True)
class Contents:
    """What a journal holds.

    Attributes:
        records: Its records, each one JSON text or several, separated by tabs.
        size: Bytes that they take.
        checksum: That of the last record; 0 if there is none.
        notes: What was lost or repaired, for people.
        is_ended: Whether the last record has its newline.
    """

    records: tuple[memoryview, ...]
    size: int
    checksum: int
    notes: tuple[str, ...] = ()
    is_ended: bool = True


def encode(*parts: Mapping[str, Any], after: int = 0) -> tuple[bytes, int]:
    """Return the line of a record and its checksum, with which that of the next line begins.

    Args:
        parts: What to write; each part can be read without those behind it.
        after: Checksum of the line before; 0 if there is none.
    """
    text = b"\t".join(json.dumps(part, separators=(",", ":")).encode() for part in parts)
    checksum = zlib.crc32(text, after)
    return b"%08x %d %b\n" % (checksum, len(text), text), checksum


def encode_all(records: Iterable[Sequence[Mapping[str, Any]]]) -> bytes:
    """Return the bytes of a whole journal of these records, each a sequence of its parts."""
    lines, checksum = [], 0
    for parts in records:
        line, checksum = encode(*parts, after=checksum)
        lines.append(line)
    return b"".join(lines)


def parts_of_line(record: bytes | memoryview) -> list[bytes]:
    """Return the JSON texts of a record."""
    return bytes(record).split(b"\t")


def parse(data: bytes, path: Path) -> Contents:
    """Return what the bytes of a journal hold.

    Raises:
        ArchiveError: If they are damaged.
    """
    view = memoryview(data)
    records: list[memoryview] = []
    good, checksum = 0, 0
    while good < len(data):
        found = data.find(b"\n", good)
        end = len(data) if found < 0 else found
        text = _decode(view[good:end], checksum)
        if text is None and found < 0:
            end -= 1
            text = _decode(view[good:end], checksum)  # a whole record, the newline of which has become another byte
        if text is None:
            return _torn(data, Contents(tuple(records), good, checksum), path)
        records.append(text)
        checksum = zlib.crc32(text, checksum)
        good = end + 1
        if found < 0:
            note = f"The last line of the journal {path} had lost its end; its record is whole and was kept."
            return Contents(tuple(records), good, checksum, (note,), is_ended=False)
    return Contents(tuple(records), good, checksum)


def _torn(data: bytes, whole: Contents, path: Path) -> Contents:
    """Return the records of `whole`, with a note about the torn line behind them.

    Raises:
        ArchiveError: Unless only the beginning of a line follows: a write that was cut short.
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
    return form is not None and (form[1] is None or FIRST.startswith(form[2][: len(FIRST)]))


def _decode(line: memoryview, checksum: int) -> memoryview | None:
    """Return the text of a line, None if it is wrong or does not follow one of this checksum."""
    form = _LINE.match(line)
    text = line if form is None else line[form.end() :]
    is_right = form is not None and form[0] == b"%08x %d " % (zlib.crc32(text, checksum), len(text))
    return text if is_right else None
