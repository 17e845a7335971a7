"""Options of the readers of events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypedDict

from evonas.data.framing import Framing, Variation
from evonas.options import Flag, Number, OneOf, OptionRule, OrNone, Whole, settle

MOST_FRAMES = 10_000


class FrameOptions(TypedDict, total=False):
    """Options of every reader of events.

    Attributes:
        frames: Fixed number of frames of a sample; without it as many as a network has time steps.
        bin_by: Frames that last equally long (`"time"`), or that hold equally many events (`"count"`).
        milliseconds: How much of a recording is used, from its first event on; without it all, however long it is. A
            shorter recording has empty frames at its end.
        elements: Numbers of events by channel, pixel and frame (`"graded"`), or 1 where there are some (`"binary"`).
        jitter_ms: Standard deviation in milliseconds by which training moves each event in time.
        limit: Use only this many recordings: the first of each class, the second of each, and so on. Test recordings
            that the publisher sets apart are used all.
        validation_part: Fraction of the recordings that is for validation.
        test_part: Fraction of the recordings that is for the test, where the publisher sets none apart.
    """

    frames: int | None
    bin_by: Literal["time", "count"]
    milliseconds: float | None
    elements: Literal["graded", "binary"]
    jitter_ms: float
    limit: int | None
    validation_part: float
    test_part: float


class CameraOptions(FrameOptions, total=False):
    """Options of every reader of event cameras, and those of `FrameOptions`.

    Attributes:
        downscale: Blocks of so many by so many pixels become one, whose events are added up.
        merge_polarities: Whether both polarities share one channel.
        hot_pixel_hz: Leave out pixels with more events than this in each second of a recording, in that recording.
        flip: Whether training mirrors recordings at random, left to right.
        shift: By how many pixels at most training moves recordings at random, up, down and to the sides.
    """

    downscale: int
    merge_polarities: bool
    hot_pixel_hz: float | None
    flip: bool
    shift: int


@dataclass(frozen=True)
class EventOptions:
    """The options that were given, and the defaults of the others; see `FrameOptions` and `CameraOptions`.

    Raises:
        OptionError: If one has no such value, with a sentence for each.
    """

    frames: int | None = None
    bin_by: str = "time"
    milliseconds: float | None = None
    elements: str = "graded"
    downscale: int = 1
    merge_polarities: bool = False
    hot_pixel_hz: float | None = None
    flip: bool = False
    shift: int = 0
    jitter_ms: float = 0.0
    limit: int | None = None
    validation_part: float = 0.2
    test_part: float = 0.2

    def __post_init__(self) -> None:
        settle(self, _RULES)

    @property
    def framing(self) -> Framing:
        """How recordings become frames."""
        return Framing(self.frames, self.bin_by == "count", self.milliseconds, self.elements == "binary")

    @property
    def variation(self) -> Variation | None:
        """How training varies recordings; None where it does not."""
        is_any = self.flip or self.shift or self.jitter_ms
        return Variation(self.flip, self.shift, self.jitter_ms) if is_any else None


_RULES: Mapping[str, OptionRule] = {
    "frames": OrNone(Whole(1, MOST_FRAMES)),
    "bin_by": OneOf(("time", "count")),
    "milliseconds": OrNone(Number(0.001, 2e6)),
    "elements": OneOf(("graded", "binary")),
    "downscale": Whole(1, 10_000),
    "merge_polarities": Flag(),
    "hot_pixel_hz": OrNone(Number(0, 1e6)),
    "flip": Flag(),
    "shift": Whole(0, 10_000),
    "jitter_ms": Number(0, 1e6),
    "limit": OrNone(Whole(1, 2**31 - 1)),
    "validation_part": Number(0, 1),
    "test_part": Number(0, 1),
}
