"""Jitter: the events of a batch of recordings moved in time, of which only those near borders of frames are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np

from evonas.data.draws import keys, sixteen_bits_each
from evonas.data.framing import Framing, as_times
from evonas.data.recordings import Recordings


@dataclass(frozen=True)
class Jitter:
    """Moves each event of a recording in time, by a draw of its own, never beyond the first or the last.

    Example:
        >>> Jitter(0.5).farthest
        2162

    Attributes:
        milliseconds: Standard deviation of the normal distribution of the moves, which are whole microseconds.
    """

    milliseconds: float

    @property
    def farthest(self) -> int:
        """By how many microseconds an event moves at most, 4.3 standard deviations."""
        return int(_moves(1000 * self.milliseconds)[-1])

    def moves(self, keys: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Return moves in microseconds: `numbers[i]` of them drawn with `keys[i]`, one key after the other."""
        return _moves(1000 * self.milliseconds).take(sixteen_bits_each(keys, numbers))

    def apply(
        self, counts: np.ndarray, recordings: Recordings, framing: Framing, *, index: np.ndarray, seed: int
    ) -> None:
        """Move the events of a batch, and change the counts of its frames accordingly.

        Args:
            counts: `(frames, batch, places)` numbers of events where they are, contiguous; changed in place.
            recordings: What was counted.
            framing: How it was counted.
            index: `(batch,)` positions of the recordings.
            seed: Of all draws. What a recording gets depends on it and its position alone.
        """
        frames, batch, size = counts.shape
        moved = self._moved_by_count if framing.by_count else self._moved_by_time
        event, row, before, after = moved(recordings, framing, index, keys(seed, index), frames)
        place, flat = row * size + recordings.place[event], counts.reshape(-1)
        for frame, step in ((before, -1), (after, 1)):
            is_counted = frame < frames  # what comes too late lies behind all frames
            np.add.at(flat, (frame * (batch * size) + place)[is_counted], counts.dtype.type(step))

    def _moved_by_time(
        self, recordings: Recordings, framing: Framing, index: np.ndarray, keys: np.ndarray, frames: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return events that may change their frame: position, row in the batch, frame before and after."""
        durations = recordings.durations[index]
        borders = framing.borders(durations, frames)[:, 1:]
        begins, ends, is_crowded = _near(recordings, index, borders, within=self.farthest)
        lengths = ends - begins
        near = zip(begins.ravel().tolist(), ends.ravel().tolist(), strict=True)
        t = np.concatenate([recordings.t[begin:end] for begin, end in near])
        moves = self.moves(keys, lengths.sum(axis=1))
        behind, each = np.cumsum(lengths.ravel()), lengths.ravel()
        if is_crowded:
            border = np.repeat(np.arange(len(each)), each)
            row, event = border // frames, np.arange(len(t)) + (ends.ravel() - behind)[border]
            last = recordings.t[recordings.offsets[index + 1] - 1][row]
            after = np.clip(t + moves.astype(np.int64), 0, last)
            first, then = (framing.frame_of(one, duration=durations[row], frames=frames) for one in (t, after))
            return event, row, first, then
        since = t - np.repeat(as_times(borders, recordings.t).ravel(), each)
        crossing = np.flatnonzero((since ^ (since + moves)) < 0)  # their signs differ
        border = np.searchsorted(behind, crossing, side="right")
        row, earlier = np.divmod(border, frames)
        is_late = since[crossing] >= 0
        return crossing + (ends.ravel() - behind)[border], row, earlier + is_late, earlier + ~is_late

    def _moved_by_count(
        self, recordings: Recordings, framing: Framing, index: np.ndarray, keys: np.ndarray, frames: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return what `_moved_by_time` does, of all events: one that moves changes the turns of others."""
        begins, lengths = recordings.offsets[index], recordings.offsets[index + 1] - recordings.offsets[index]
        moves, behind = self.moves(keys, lengths), np.cumsum(lengths)
        found = []
        for begin, length, end, duration in zip(
            begins.tolist(), lengths.tolist(), behind.tolist(), recordings.durations[index].tolist(), strict=True
        ):
            t = recordings.t[begin : begin + length]
            after = np.clip(t + moves[end - length : end], 0, t[-1:])
            found.append([framing.frame_of(one, duration=duration, frames=frames) for one in (t, after)])
        event = np.arange(int(lengths.sum())) + np.repeat(begins - behind + lengths, lengths)
        before, after = (np.concatenate(one) for one in zip(*found, strict=True))
        return event, np.repeat(np.arange(len(index)), lengths), before, after


def _near(
    recordings: Recordings, index: np.ndarray, borders: np.ndarray, *, within: int
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return where the events near borders begin and end, and whether any is near several borders.

    Args:
        recordings: The recordings.
        index: `(batch,)` positions of those that are looked at.
        borders: `(batch, frames)` microseconds.
        within: Microseconds.

    Returns:
        Two arrays `(batch, frames)` of positions among all events; an event near two borders belongs to the first.
    """
    t, offsets = recordings.t, recordings.offsets
    last = t[np.maximum(offsets[index + 1] - 1, 0)] if len(t) else np.zeros(len(index))
    reach = np.where(borders > last[:, np.newaxis], 0, within)  # nothing gets behind the last event
    limits = as_times(np.stack([borders - reach, borders + reach], axis=1), t)
    bounds = zip(offsets[index].tolist(), offsets[index + 1].tolist(), limits, strict=True)
    found = offsets[index, np.newaxis, np.newaxis] + np.array(
        [t[begin:end].searchsorted(row) for begin, end, row in bounds]
    )
    begins, ends = found[:, 0], found[:, 1]
    is_crowded = bool((begins[:, 1:] < ends[:, :-1]).any())
    begins[:, 1:] = np.maximum(begins[:, 1:], ends[:, :-1])
    return begins, ends, is_crowded


@cache
def _moves(deviation: float) -> np.ndarray:
    """Return 65,536 moves, ascending and each as likely as any other, in 32 bits where two of them can be added.

    They are the medians of equally likely parts of a normal distribution of mean 0, rounded.
    """
    positive = [NormalDist().inv_cdf(0.5 + (index + 0.5) / 65536) for index in range(32768)]
    moves: np.ndarray = np.rint(deviation * np.array(positive)).astype(np.int64)
    moves = np.concatenate([-moves[::-1], moves])
    return moves.astype(np.int32) if moves[-1] < 2**30 else moves
