"""AEDAT 4, the format of DV: a file a recording, in packets of flatbuffers that may be compressed."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from evonas.data.dataset import DataSet
from evonas.data.event_folder import FileKind, folder_data
from evonas.data.event_options import CameraOptions
from evonas.data.files import quoted
from evonas.data.recordings import Events
from evonas.errors import DataError

_MAGIC = b"#!AER-DAT4.0\r\n"
_NONE, _LZ4, _ZSTD = (0,), (1, 2), (3, 4)
_EVENT = np.dtype([("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "u1"), ("_", "V3")])
_LARGEST = 2**30
"""Most bytes of all packets of a file when they are unpacked."""

_LARGEST_HEAD = 2**20
_NODE = re.compile(r'<node name="([0-9]{1,9})" path="[^"<>]*outInfo/[0-9]+/?">')
_ATTRIBUTE = re.compile(r'<attr key="(typeIdentifier|sizeX|sizeY)"[^<>]*>([^<>]*)<')


def read(*, path: str, sensor: list[int] | None = None, **options: Unpack[CameraOptions]) -> DataSet:
    """Return recordings in AEDAT 4 files: two polarities, as many pixels as they say or use.

    Args:
        path: The folder with a folder of `.aedat4` files for each class; or with such folders in `train`, `val` and
            `test`.
        sensor: `[height, width]` of the sensor; by default what the files say, or as much as the coordinates of the
            training recordings need.

    Raises:
        DataError: If a file or a folder is missing or not what it should be, or is compressed and `lz4` is missing.
        OptionError: If an option has no such value.
    """
    return folder_data(AEDAT4, options, path=path, example="data/recordings", sensor=sensor)


def parse(data: bytes, file: Path) -> Events:
    """Return the events of an AEDAT 4 file: those of its first stream of events.

    After 14 bytes `#!AER-DAT4.0` comes the length of a head, a flatbuffer: compression, where the table of packets
    begins, and an XML text that names the streams. Each packet has the number of its stream and its length, both in 32
    bits, and a flatbuffer `EVTS`, which is a list of events of 16 bytes.

    Raises:
        DataError: If it is another file, cut short or damaged, or its compression cannot be undone here.
    """
    if not data.startswith(_MAGIC):
        raise DataError(f"{quoted(file)} is no AEDAT 4 file: it begins with {data[:14]!r}, expected {_MAGIC!r}.")
    try:
        return _events(data, file)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise DataError(
            f"{quoted(file)} is damaged or cut short: an offset in it leads to where nothing is."
        ) from error


def _events(data: bytes, file: Path) -> Events:
    begin = len(_MAGIC)
    size = struct.unpack_from("<I", data, begin)[0]
    if size > _LARGEST_HEAD:
        raise DataError(f"{quoted(file)} has a head of {size:,} bytes, expected {_LARGEST_HEAD:,} at most.")
    head, begin = data[begin + 4 : begin + 4 + size], begin + 4 + size
    if len(head) < size or head[4:8] != b"IOHE":
        raise DataError(f"{quoted(file)} is damaged or cut short: no head of {size:,} bytes at byte {len(_MAGIC)}.")
    table = _Table(head, 0)
    compression = table.scalar(0, "<i", 0)
    end = table.scalar(1, "<q", -1)
    end = end if begin <= end <= len(data) else len(data)
    number, sensor, streams = _streams(table.text(2), file)
    unpack = _unpacker(compression, file)
    found = [np.empty(0, _EVENT)]
    while begin < end:
        stream, size = struct.unpack_from("<iI", data, begin)
        packet, begin = data[begin + 8 : begin + 8 + size], begin + 8 + size
        if len(packet) < size:
            raise DataError(
                f"{quoted(file)} is cut short: the packet at byte {begin - size - 8:,} announces {size:,} bytes, and "
                f"{len(packet):,} follow."
            )
        if stream == number:
            found.append(_packet(unpack(packet, begin - size), file, begin - size))
    events = np.concatenate(found)
    return Events(events["t"], events["x"], events["y"], events["p"], quoted(file), sensor, streams)


def _streams(text: str, file: Path) -> tuple[int, tuple[int, int] | None, int]:
    """Return the number of the first stream of events, `(height, width)` where its node says them, and their count."""
    nodes = list(_NODE.finditer(text))
    ends = [*(after.start() for after in nodes), len(text)][1:]
    found: list[tuple[int, tuple[int, int] | None]] = []
    for node, end in zip(nodes, ends, strict=True):
        said = {key: value.strip() for key, value in _ATTRIBUTE.findall(text, node.end(), end)}
        if said.get("typeIdentifier") == "EVTS":
            sides = [said.get(side, "") for side in ("sizeY", "sizeX")]
            is_told = all(side.isascii() and side.isdigit() and len(side) <= 5 for side in sides)
            found.append((int(node[1]), (int(sides[0]), int(sides[1])) if is_told else None))
    if not found:
        raise DataError(f"{quoted(file)} has no stream of events; its head names none of the type EVTS.")
    return *found[0], len(found)


def _packet(content: bytes, file: Path, begin: int) -> np.ndarray:
    """Return the events of a packet, as they are there."""
    size = struct.unpack_from("<I", content)[0]
    if len(content) < size + 4 or content[8:12] != b"EVTS":
        raise DataError(
            f"{quoted(file)}: the packet at byte {begin:,} holds {len(content):,} bytes and begins with "
            f"{content[8:12]!r}, expected {size + 4:,} and EVTS."
        )
    return _Table(content, 4).structs(0, _EVENT)


def _unpacker(compression: int, file: Path) -> Any:
    """Return what undoes the compression of a packet, given its bytes and where it begins."""
    if compression in _NONE:
        return lambda packet, begin: packet
    if compression not in _LZ4:
        method = "Zstandard" if compression in _ZSTD else f"method {compression}"
        raise DataError(
            f"{quoted(file)} is compressed by {method}, which is not read here; expected LZ4 or none. Write it "
            "anew with DV, with compression = LZ4."
        )
    try:
        from lz4.frame import LZ4FrameDecompressor
    except ImportError as error:
        raise DataError(f"{quoted(file)} is compressed by LZ4; pip install evonas[aedat4] reads it.") from error

    room = _LARGEST

    def unpack(packet: bytes, begin: int) -> bytes:
        nonlocal room
        decompressor = LZ4FrameDecompressor()
        try:
            most = min(room, 256 * len(packet) + 2**16)  # LZ4 packs 255 bytes into one at most
            content: bytes = decompressor.decompress(packet, max_length=most + 1)
        except (RuntimeError, EOFError, MemoryError, ValueError) as error:
            raise DataError(f"{quoted(file)}: the packet at byte {begin:,} is no LZ4 frame.") from error
        room -= len(content)
        if room < 0:
            raise DataError(
                f"{quoted(file)} unpacks to more than {_LARGEST:,} bytes, with the packet at byte {begin:,}; cut the "
                "recording."
            )
        if not decompressor.eof:
            raise DataError(f"{quoted(file)}: the packet at byte {begin:,} is cut short.")
        return content

    return unpack


class _Table:
    """A table of a flatbuffer: offsets of 32 bits, and a table of offsets of 16 bits that says where its fields are."""

    def __init__(self, data: bytes, begin: int) -> None:
        self._data = data
        self._at = begin + self._number("<I", begin)
        self._fields = self._at - self._number("<i", self._at)
        self._size = self._number("<H", self._fields)

    def scalar(self, index: int, form: str, default: int) -> int:
        """Return a number."""
        at = self._where(index)
        return self._number(form, at) if at else default

    def text(self, index: int) -> str:
        """Return a text, empty where there is none."""
        begin, length = self._vector(index)
        return self._data[begin : begin + length].decode()

    def structs(self, index: int, dtype: np.dtype[Any]) -> np.ndarray:
        """Return a list of values of `dtype`."""
        begin, length = self._vector(index)
        if begin + length * dtype.itemsize > len(self._data):
            raise IndexError(index)
        return np.frombuffer(self._data, dtype, count=length, offset=begin)

    def _vector(self, index: int) -> tuple[int, int]:
        at = self._where(index)
        if not at:
            return 0, 0
        begin = at + self._number("<I", at)
        return begin + 4, self._number("<I", begin)

    def _where(self, index: int) -> int:
        """Return where a field is, 0 where it has its default."""
        entry = 4 + 2 * index
        offset = self._number("<H", self._fields + entry) if entry < self._size else 0
        return self._at + offset if offset else 0

    def _number(self, form: str, at: int) -> int:
        if at < 0:
            raise IndexError(at)
        number: int = struct.unpack_from(form, self._data, at)[0]
        return number


AEDAT4 = FileKind(".aedat4", "an AEDAT 4 file", parse)
