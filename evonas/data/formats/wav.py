"""Sound in WAV files: uncompressed samples of 8 to 64 bits, read no further than the file goes."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evonas.data.files import opened, quoted, read_at_most
from evonas.errors import DataError

LARGEST_FILE = 2**26
"""Most bytes of one recording: six minutes of 16 bits at 44.1 kHz, stereo."""

HIGHEST_RATE = 400_000
"""Most samples a second: above those of ultrasound."""

LOUDEST = 1000.0
"""Largest floating-point sample: full scale is 1."""

_INTEGER, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_COMPRESSED = {2: "ADPCM", 6: "A-law", 7: "mu-law", 17: "IMA ADPCM", 49: "GSM", 80: "MPEG", 85: "MP3"}
_EXPECTED = "a WAV file (RIFF, WAVE, uncompressed)"


@dataclass(frozen=True)
class Sound:
    """A recording.

    Attributes:
        samples: `(samples,)` float32 in [-1, 1]; several channels are averaged.
        rate: Samples a second.
        channels: Channels that the file has.
    """

    samples: np.ndarray
    rate: int
    channels: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.rate


def read_wav(file: Path) -> Sound:
    """Return the recording in a WAV file.

    Raises:
        DataError: If it cannot be read or is no such file, is cut off, compressed, empty or too large, or holds numbers
            that are not finite; the message names the byte.
    """
    with opened(file, expected=_EXPECTED) as (stream, size):
        if size > LARGEST_FILE:
            raise DataError(f"{quoted(file)} has {size:,} bytes; expected at most {LARGEST_FILE:,}.")
        content = bytes(read_at_most(stream, size))
    return _parsed(content, file)


def _parsed(content: bytes, file: Path) -> Sound:
    if len(content) < 12 or content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise DataError(f"{quoted(file)} does not begin as {_EXPECTED} does, but with {content[:12]!r}.")
    layout, at = None, 12
    while at + 8 <= len(content):
        name, size = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        at += 8
        if at + size > len(content):
            raise DataError(
                f"{quoted(file)}, byte {at - 8:,}: {_shown(name)} has {size:,} bytes, of which {len(content) - at:,} "
                "are there; the file is cut off, or was not closed when it was written."
            )
        if name == b"fmt ":
            layout = _Layout.of(content[at : at + size], file=file, at=at)
        elif name == b"data":
            if layout is None:
                raise DataError(f"{quoted(file)}, byte {at - 8:,}: the samples come before their format (fmt).")
            return layout.sound(content[at : at + size], file=file, at=at)
        at += size + size % 2  # parts begin at even bytes
    missing = "fmt" if layout is None else "data"
    raise DataError(f"{quoted(file)} ends at byte {len(content):,} without the part {missing!r}; expected {_EXPECTED}.")


def _shown(name: bytes) -> str:
    return repr(name.decode("ascii", "replace").strip())


@dataclass(frozen=True)
class _Layout:
    tag: int
    channels: int
    rate: int
    bits: int

    @classmethod
    def of(cls, fmt: bytes, *, file: Path, at: int) -> _Layout:
        where = f"{quoted(file)}, byte {at:,}"
        if len(fmt) < 16:
            raise DataError(f"{where}: the format has {len(fmt)} bytes, expected 16 or more.")
        tag, channels, rate, _, block, bits = struct.unpack("<HHIIHH", fmt[:16])
        if tag == _EXTENSIBLE and len(fmt) >= 26:
            tag = int.from_bytes(fmt[24:26], "little")
        known = {_INTEGER: (8, 16, 24, 32), _FLOAT: (32, 64)}
        if tag not in known:
            kind = _COMPRESSED.get(tag, f"format {tag}")
            raise DataError(f"{where}: the samples are {kind}, expected uncompressed ones; convert the file.")
        if bits not in known[tag]:
            expected = ", ".join(map(str, known[tag]))
            raise DataError(f"{where}: samples of {bits} bits, expected {expected}.")
        if not channels or not 1 <= rate <= HIGHEST_RATE or block != channels * bits // 8:
            raise DataError(
                f"{where}: {channels} channels at {rate:,} Hz in blocks of {block} bytes; expected 1 or more channels, "
                f"1 to {HIGHEST_RATE:,} Hz and blocks of {channels * bits // 8}."
            )
        return cls(tag, channels, rate, bits)

    def sound(self, data: bytes, *, file: Path, at: int) -> Sound:
        block = self.channels * self.bits // 8
        if not data or len(data) % block:
            raise DataError(
                f"{quoted(file)}, byte {at:,}: {len(data):,} bytes of samples, expected some, in blocks of {block}."
            )
        values = self._values(data).reshape(-1, self.channels)
        if not np.isfinite(values).all():
            raise DataError(f"{quoted(file)}, byte {at:,}: some samples are no finite numbers (nan or inf).")
        if values.size and np.abs(values).max() > LOUDEST:
            raise DataError(
                f"{quoted(file)}, byte {at:,}: a sample is {np.abs(values).max():g} times full scale, expected numbers "
                "from -1 to 1."
            )
        mono = values[:, 0] if self.channels == 1 else values.mean(axis=1)
        return Sound(mono.astype(np.float32), self.rate, self.channels)

    def _values(self, data: bytes) -> np.ndarray:
        if self.tag == _FLOAT:
            with np.errstate(invalid="ignore", over="ignore"):
                return np.frombuffer(data, f"<f{self.bits // 8}").astype(np.float32)
        if self.bits == 8:  # these are unsigned
            return (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128
        if self.bits == 24:
            low, middle, high = np.frombuffer(data, np.uint8).reshape(-1, 3).astype(np.int32).T
            return (((high << 24) | (middle << 16) | (low << 8)) >> 8).astype(np.float32) / 2**23
        return np.frombuffer(data, f"<i{self.bits // 8}").astype(np.float32) / np.float32(2.0 ** (self.bits - 1))
