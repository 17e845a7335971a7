"""The AEDAT formats 2.0 and 3.1 of jAER and cAER: files of one recording of an event camera."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import numpy as np

from evonas.data.files import quoted
from evonas.data.recordings import Events
from evonas.errors import DataError

_VERSION = re.compile(rb"#!AER-DAT(\d\.\d)")
_POLARITY = 1
"""Type of the packets of polarity events."""

_PACKET = struct.Struct("<hhiiiiii")
"""Type, source, bytes of an event, offset of the time in it, overflow of the time, and numbers of events."""


def version_of(data: bytes, file: Path) -> tuple[str, int]:
    """Return the version of an AEDAT file and the byte at which its events begin.

    Raises:
        DataError: If it does not begin as such files do.
    """
    found = _VERSION.match(data)
    if found is None:
        raise DataError(
            f"{quoted(file)} is no AEDAT file: it begins with {data[:12]!r}, expected #!AER-DAT and a version, such as "
            "#!AER-DAT2.0."
        )
    begin = 0
    while data[begin : begin + 1] == b"#":
        end = data.find(b"\n", begin)
        if end < 0:
            raise DataError(f"{quoted(file)} is cut short: its header, lines that begin with #, does not end.")
        begin = end + 1
        if data[begin - 2 : begin] == b"\r\n" and b"END-HEADER" in data[begin - 16 : begin]:
            break
    return found[1].decode(), begin


def parse_dvs128(data: bytes, file: Path) -> Events:
    """Return the events of an AEDAT 2.0 file of a DVS128: 32 bits of address and of microseconds each, big-endian.

    As in jAER, an address is the column from the right in bits 1 to 7, the row from below in bits 8 to 14, and 0 for ON
    in bit 0. Here columns count from the left and rows from above. Special events, bit 15, are left out.

    Raises:
        DataError: If it is of another version, or does not end with a whole event.
    """
    version, begin = version_of(data, file)
    if not version.startswith("2."):
        raise DataError(f"{quoted(file)} is an AEDAT {version} file, expected AEDAT 2.0.")
    if (len(data) - begin) % 8:
        raise DataError(
            f"{quoted(file)} is cut short: {len(data) - begin:,} bytes follow its header, expected a multiple of 8, so "
            f"that the event at byte {len(data) - (len(data) - begin) % 8:,} is whole."
        )
    raw = np.frombuffer(data, ">u4", offset=begin).reshape(-1, 2)
    address = raw[:, 0].astype(np.int64)
    if (other := (address >> 16) != 0).any():
        first = int(other.argmax())
        raise DataError(
            f"{quoted(file)}: event {first} at byte {begin + 8 * first:,} has the address {address[first]:#x}, "
            "expected one of a DVS128, below 0x10000. It is damaged, or of another camera."
        )
    kept = address >> 15 == 0
    address, t = address[kept], raw[kept, 1].astype(np.int64)
    return Events(t, 127 - (address >> 1 & 127), 127 - (address >> 8 & 127), 1 - (address & 1), quoted(file))


def parse_packets(data: bytes, file: Path) -> Events:
    """Return the polarity events of an AEDAT 3.1 file.

    Its packets have a head of 28 bytes and events of 8: validity in bit 0, ON in bit 1, the row in bits 2 to 16, the
    column in bits 17 to 31, then microseconds in 31 bits, little-endian. Other kinds of events, and events that are
    marked as invalid, are left out.

    Raises:
        DataError: If it is of another version, or a packet is not what its head says.
    """
    version, begin = version_of(data, file)
    if not version.startswith("3."):
        raise DataError(f"{quoted(file)} is an AEDAT {version} file, expected AEDAT 3.1.")
    found = [np.empty((0, 2), np.int64)]
    while begin < len(data):
        if len(data) - begin < _PACKET.size:
            raise DataError(
                f"{quoted(file)} is cut short: {len(data) - begin} bytes at byte {begin:,}, expected the "
                f"{_PACKET.size} of the head of a packet."
            )
        kind, _, size, _, overflow, capacity, number, _ = _PACKET.unpack_from(data, begin)
        first, begin = begin + _PACKET.size, begin + _PACKET.size + size * capacity
        is_polarity = kind == _POLARITY
        if size < 1 or not 0 <= number <= capacity or begin > len(data) or (is_polarity and size != 8) or overflow < 0:
            raise DataError(
                f"{quoted(file)} is damaged or cut short: the packet at byte {first - _PACKET.size:,} announces "
                f"{number} of {capacity} events of {size} bytes, and {len(data) - first:,} bytes follow; expected as "
                "many, of 8 bytes each where they are events of pixels."
            )
        if is_polarity:
            raw = np.frombuffer(data, "<u4", count=2 * number, offset=first).reshape(-1, 2).astype(np.int64)
            raw[:, 1] += overflow << 31
            found.append(raw[raw[:, 0] & 1 == 1])
    words, t = np.concatenate(found).T
    return Events(t, words >> 17, words >> 2 & 0x7FFF, words >> 1 & 1, quoted(file))
