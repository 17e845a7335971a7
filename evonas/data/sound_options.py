"""Options of the reader of sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from evonas.data.mel import MelBank
from evonas.data.spectrograms import SoundCode
from evonas.errors import OptionError
from evonas.options import Number, OneOf, OptionRule, OrNone, Text, Whole, settle, shown


class SoundOptions(TypedDict, total=False):
    """Options of the reader of sound.

    Attributes:
        pattern: Name of the files, such as `"{label}_{speaker}_{index}.wav"`, which says the class and perhaps the
            speaker and a number; without it, each class is a folder.
        held_out_speakers: Speakers whose recordings are all for the test.
        test_below: Recordings with an index below this one are for the test; 0 for none.
        coding: Rises and falls of the loudness of each band as spikes (`"delta"`), spikes with a probability that grows
            with the loudness (`"rate"`), or the loudness itself (`"analog"`, which needs a chip that multiplies).
        threshold: Rise or fall that is a spike in `"delta"`, in standard deviations of the loudness of a recording.
        elements: Of `"delta"`: one spike a time step (`"binary"`), or the number of thresholds (`"graded"`).
        frames: Fixed number of time steps of a sample; without it as many as a network has.
        milliseconds: How much of a recording is used, from its beginning; without it all, so that a time step of a
            longer one lasts longer. A shorter one has silence at its end.
        bands: Bands of the mel filter bank.
        min_hz: Where the first band begins.
        max_hz: Where the last band ends; recordings have at least twice as many samples a second.
        window_ms: Milliseconds of sound whose spectrum is taken at once.
        hop_ms: Milliseconds from one such window to the next.
        limit: Use only this many recordings: the first of each class, the second of each, and so on. Those that are set
            apart for the test are used all.
        validation_part: Fraction of the recordings that is for validation.
        test_part: Fraction of the recordings that is for the test, where none are set apart.
    """

    pattern: str | None
    held_out_speakers: Sequence[str]
    test_below: int
    coding: Literal["delta", "rate", "analog"]
    threshold: float
    elements: Literal["binary", "graded"]
    frames: int | None
    milliseconds: float | None
    bands: int
    min_hz: float
    max_hz: float
    window_ms: float
    hop_ms: float
    limit: int | None
    validation_part: float
    test_part: float


@dataclass(frozen=True)
class SoundSettings:
    """The options that were given, and the defaults of the others; see `SoundOptions`.

    Raises:
        OptionError: If one has no such value, with a sentence for each.
    """

    pattern: str | None = None
    held_out_speakers: Sequence[str] = ()
    test_below: int = 0
    coding: str = "delta"
    threshold: float = 0.5
    elements: str = "binary"
    frames: int | None = None
    milliseconds: float | None = None
    bands: int = 40
    min_hz: float = 50.0
    max_hz: float = 4000.0
    window_ms: float = 25.0
    hop_ms: float = 10.0
    limit: int | None = None
    validation_part: float = 0.2
    test_part: float = 0.2

    def __post_init__(self) -> None:
        settle(self, _RULES)
        if self.min_hz >= self.max_hz:
            raise OptionError([f"min_hz: got {self.min_hz:g}, expected less than max_hz = {self.max_hz:g}"])
        if self.elements == "graded" and self.coding != "delta":
            raise OptionError([f'elements: got "graded" with coding {shown(self.coding)}, expected "delta" with it'])
        if self.held_out_speakers and self.test_below:
            raise OptionError(["test_below: expected 0 where held_out_speakers are given"])

    @property
    def bank(self) -> MelBank:
        """The filters."""
        return MelBank(self.bands, self.min_hz, self.max_hz, self.window_ms, self.hop_ms)

    @property
    def code(self) -> SoundCode:
        """What networks see."""
        return SoundCode(self.coding, self.threshold, self.elements == "graded")


@dataclass(frozen=True)
class Names:
    """A list of names."""

    def taken(self, value: Any) -> tuple[str, ...]:
        """Return `value` as a tuple of str."""
        if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
            return tuple(map(str, value))
        raise ValueError('expected a list of names, such as ["theo"]')


_RULES: Mapping[str, OptionRule] = {
    "pattern": OrNone(Text()),
    "held_out_speakers": Names(),
    "test_below": Whole(0, 2**31 - 1),
    "coding": OneOf(("delta", "rate", "analog")),
    "threshold": Number(0.01, 100),
    "elements": OneOf(("binary", "graded")),
    "frames": OrNone(Whole(1, 10_000)),
    "milliseconds": OrNone(Number(1, 1e6)),
    "bands": Whole(1, 512),
    "min_hz": Number(0, 1e5),
    "max_hz": Number(50, 2e5),
    "window_ms": Number(1, 1000),
    "hop_ms": Number(1, 1000),
    "limit": OrNone(Whole(1, 2**31 - 1)),
    "validation_part": Number(0, 1),
    "test_part": Number(0, 1),
}
