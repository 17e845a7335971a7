"""Data sets of recordings: what every reader of events makes of what it read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from evonas.data.dataset import DataSet, Samples
from evonas.data.event_frames import EventFrames
from evonas.data.event_options import EventOptions
from evonas.data.publisher_parts import data_of_parts
from evonas.data.reader_options import said_of
from evonas.data.recordings import Part, Recordings, downscaled, merged, without_hot_pixels


def event_data(
    train: Part,
    test: Part | None,
    options: EventOptions,
    *,
    path: Path,
    validation: Part | None = None,
    notes: Sequence[str] = (),
) -> DataSet:
    """Return the data set of recordings whose events become frames on their way into a batch.

    Args:
        train: Recordings for training and validation; without `test`, for the test as well.
        test: Recordings that the publisher sets apart.
        options: What the run file says.
        path: Where they come from, for messages.
        validation: Recordings that the publisher sets apart for validation.
        notes: What the reader has to say.

    Raises:
        DataError: If the recordings cannot be split, or labels of the test are unknown.
    """
    parts = {"train": train, "val": validation, "test": test}
    found = {name: part for name, part in parts.items() if part is not None}
    samples = {name: Samples(_inputs(part.recordings, options), part.labels) for name, part in found.items()}
    given = {name: value for name, value in vars(options).items() if name in ("limit", "validation_part")}
    with said_of(path, given, what="recordings"):
        return data_of_parts(
            samples,
            validation_part=options.validation_part,
            test_part=options.test_part,
            class_labels=train.classes,
            notes=(*notes, *_notes(list(found.values()), list(map(_recordings, samples.values())), options)),
        )


def _recordings(samples: Samples) -> Recordings:
    assert isinstance(samples.inputs, EventFrames)
    return samples.inputs.recordings


def _inputs(recordings: Recordings, options: EventOptions) -> EventFrames:
    if options.hot_pixel_hz is not None:
        recordings = without_hot_pixels(recordings, hertz=options.hot_pixel_hz)
    if options.merge_polarities:
        recordings = merged(recordings)
    if options.downscale > 1:
        recordings = downscaled(recordings, by=options.downscale)
    return EventFrames(recordings, options.framing, options.variation)


def _notes(parts: Sequence[Part], made: Sequence[Recordings], options: EventOptions) -> Iterator[str]:
    """Yield a sentence for each thing that was done to the recordings and was perhaps not intended."""
    if unordered := sum(part.unordered for part in parts):
        yield f"{unordered:,} recordings have events out of order; they are sorted by time."
    before, after = (sum(len(one.t) for one in every) for every in ([part.recordings for part in parts], made))
    if before > after:
        yield (
            f"{before - after:,} of {before:,} events ({(before - after) / before:.1%}) are those of pixels with more "
            f"than {options.hot_pixel_hz:g} events a second, and are left out."
        )
    if empty := sum(int((one.offsets[1:] == one.offsets[:-1]).sum()) for one in made):
        yield f"{empty:,} recordings have no events, so that networks see nothing of them."
    if options.milliseconds is not None:
        window = options.framing.window(0)
        late = sum(int((one.t >= window).sum()) for one in made)
        if late:
            yield (
                f"{late:,} of {after:,} events ({late / after:.1%}) come after the first {options.milliseconds:g} ms "
                "of their recordings and are not seen."
            )
