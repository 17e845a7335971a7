from __future__ import annotations

import pickle
from statistics import NormalDist

import numpy as np
import pytest

from evonas.data.class_labels import first_of_each
from evonas.data.draws import keys
from evonas.data.event_frames import EventFrames
from evonas.data.framing import Framing, Variation
from evonas.data.jitter import Jitter
from evonas.data.recordings import (
    Events,
    Recordings,
    downscaled,
    joined,
    merged,
    without_hot_pixels,
)
from evonas.errors import DataError

SHAPE = (2, 5, 7)
RNG = np.random.default_rng(0)


def random_events(rng: np.random.Generator, *, count: int, length: int = 5000) -> Events:
    t = np.sort(rng.integers(0, length, count)) + 10**9
    return Events(t, rng.integers(0, 7, count), rng.integers(0, 5, count), rng.integers(0, 2, count), "here")


@pytest.fixture
def events() -> list[Events]:
    rng = np.random.default_rng(1)
    return [random_events(rng, count=count) for count in (200, 1, 0, 37, 500)]


def packed(events: list[Events]) -> Recordings:
    return joined([one.packed(SHAPE) for one in events], shape=SHAPE)


def slow_frames(one: Events, framing: Framing, *, frames: int, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """The obvious twin: a loop over events."""
    found = np.zeros((frames, *shape))
    times = [int(t) - int(one.t[0]) for t in one.t]
    window = times[-1] + 1 if times and framing.milliseconds is None else round(1000 * (framing.milliseconds or 0))
    within = [k for k, t in enumerate(times) if t < window]
    for k in within:
        frame = k * frames // len(within) if framing.by_count else times[k] * frames // window
        found[frame, one.p[k], one.y[k], one.x[k]] += 1
    return np.minimum(found, 1) if framing.is_binary else found


@pytest.mark.parametrize("frames", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("by_count", [False, True])
@pytest.mark.parametrize("is_binary", [False, True])
@pytest.mark.parametrize("milliseconds", [None, 0.5, 2.0, 9.0])
def test_frames_are_those_of_a_loop_over_events(
    events: list[Events], frames: int, by_count: bool, is_binary: bool, milliseconds: float | None
) -> None:
    framing = Framing(None, by_count, milliseconds, is_binary)
    inputs = EventFrames(packed(events), framing)
    index = np.array([4, 0, 1, 2, 3, 0])
    batch = inputs.batch(index, time_steps=frames, rng=RNG)
    assert batch.shape == (frames, 6, *SHAPE)
    assert batch.dtype == np.float32
    for position, sample in enumerate(index):
        assert np.array_equal(batch[:, position], slow_frames(events[sample], framing, frames=frames))


def test_fixed_frames_do_not_follow_the_network(events: list[Events]) -> None:
    inputs = EventFrames(packed(events), Framing(frames=3))
    assert inputs.shape == (3, *SHAPE)
    assert inputs.batch(np.array([0]), time_steps=8, rng=RNG).shape == (3, 1, *SHAPE)


def test_without_fixed_frames_the_time_is_open_and_elements_are_told(events: list[Events]) -> None:
    assert EventFrames(packed(events)).shape == (None, *SHAPE)
    assert EventFrames(packed(events)).element == "graded"
    assert EventFrames(packed(events), Framing(is_binary=True)).element == "binary"


def test_a_step_lasts_as_long_as_its_bin(events: list[Events]) -> None:
    recordings = packed(events[:1])
    assert recordings.durations[0] == events[0].t[-1] - events[0].t[0] + 1
    assert EventFrames(recordings).seconds == pytest.approx(recordings.durations[0] / 1e6)
    assert EventFrames(recordings, Framing(milliseconds=20)).seconds == pytest.approx(0.02)


def test_taken_recordings_are_those_at_the_index(events: list[Events]) -> None:
    inputs = EventFrames(packed(events))
    index = np.array([3, 3, 0, 2])
    expected = inputs.batch(index, time_steps=4, rng=RNG)
    assert np.array_equal(inputs.take(index).batch(np.arange(4), time_steps=4, rng=RNG), expected)


def test_events_out_of_order_are_sorted_and_told() -> None:
    one = Events(np.array([30, 10, 20]), np.array([1, 2, 3]), np.zeros(3, int), np.zeros(3, int), "here").packed(SHAPE)
    assert (one.t.tolist(), one.place.tolist(), one.is_unordered) == ([0, 10, 20], [2, 3, 1], True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (([0, 1], [0, 7], [0, 0], [0, 0]), "here: event 1 of 2 has x = 7, expected 0 to 6"),
        (([0, 1], [0, 0], [5, 0], [0, 0]), "here: event 0 of 2 has y = 5, expected 0 to 4"),
        (([0, 1], [0, 0], [0, 0], [0, -1]), "here: event 1 of 2 has polarity = -1, expected 0 to 1"),
        (([0, 2**31], [0, 0], [0, 0], [0, 0]), "here: its times go from 0 to 2147483648 microseconds"),
        (([-(2**62), 2**62], [0, 0], [0, 0], [0, 0]), "here: its times go from -4611686018427387904"),
    ],
)
def test_events_elsewhere_are_refused(values: tuple[list[int], ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Events(*(np.array(column) for column in values), "here").packed(SHAPE)


@pytest.mark.parametrize("by", [1, 2, 3, 7, 9])
def test_blocks_of_pixels_add_up_their_events(events: list[Events], by: int) -> None:
    whole = EventFrames(packed(events)).batch(np.arange(5), time_steps=3, rng=RNG)
    small = EventFrames(downscaled(packed(events), by=by)).batch(np.arange(5), time_steps=3, rng=RNG)
    expected = np.zeros((3, 5, 2, -(-5 // by), -(-7 // by)))
    for y in range(5):
        for x in range(7):
            expected[..., y // by, x // by] += whole[..., y, x]
    assert np.array_equal(small, expected)


def test_merged_polarities_add_up_their_events(events: list[Events]) -> None:
    whole = EventFrames(packed(events)).batch(np.arange(5), time_steps=3, rng=RNG)
    one = EventFrames(merged(packed(events))).batch(np.arange(5), time_steps=3, rng=RNG)
    assert np.array_equal(one, whole.sum(axis=2, keepdims=True))


@pytest.mark.parametrize("hertz", [0, 1000, 2500, 1e6])
def test_hot_pixels_lose_their_events_in_the_recordings_in_which_they_are_hot(
    events: list[Events], hertz: float
) -> None:
    before = packed(events)
    after = without_hot_pixels(before, hertz=hertz)
    assert np.array_equal(after.durations, before.durations)
    for index, one in enumerate(events):
        pixels = list(zip(one.y.tolist(), one.x.tolist(), strict=True))
        seconds = int(before.durations[index]) / 1e6
        kept = [pixels.count(pixel) < 2 or pixels.count(pixel) <= hertz * seconds for pixel in pixels]
        begin, end = after.offsets[index : index + 2]
        assert np.array_equal(after.t[begin:end], (one.t - one.t[:1])[kept])
        assert np.array_equal(after.place[begin:end], before.place[slice(*before.offsets[index : index + 2])][kept])


def test_variation_flips_and_shifts_whole_recordings(events: list[Events]) -> None:
    recordings = packed(events)
    plain = EventFrames(recordings).batch(np.array([0]), time_steps=3, rng=RNG)[:, 0]
    inputs = EventFrames(recordings, variation=Variation(flip=True, shift=2))
    seen = set()
    for seed in range(200):
        came = inputs.batch(np.array([0]), time_steps=3, rng=np.random.default_rng(seed))[:, 0]
        ways = {
            (is_flipped, down, right)
            for is_flipped in (False, True)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if np.array_equal(came, slow_shift(plain[..., ::-1] if is_flipped else plain, down, right))
        }
        assert len(ways) == 1
        seen |= ways
    assert len(seen) == 50


def slow_shift(frames: np.ndarray, down: int, right: int) -> np.ndarray:
    found = np.zeros_like(frames)
    for y in range(5):
        for x in range(7):
            if 0 <= y + down < 5 and 0 <= x + right < 7:
                found[..., y + down, x + right] = frames[..., y, x]
    return found


@pytest.mark.parametrize("jitter_ms", [0.02, 0.5, 40.0])
@pytest.mark.parametrize("by_count", [False, True])
@pytest.mark.parametrize("milliseconds", [None, 2.0])
def test_jitter_moves_events_in_time_alone(
    events: list[Events], jitter_ms: float, by_count: bool, milliseconds: float | None
) -> None:
    recordings, framing = packed(events), Framing(None, by_count, milliseconds)
    variation = Variation(jitter_ms=jitter_ms)
    plain = EventFrames(recordings, framing).batch(np.arange(5), time_steps=4, rng=RNG)
    came = EventFrames(recordings, framing, variation).batch(np.arange(5), time_steps=4, rng=np.random.default_rng(7))
    assert not np.array_equal(came, plain)
    if milliseconds is None:
        assert np.array_equal(came.sum(axis=0), plain.sum(axis=0))
    jitter = Jitter(jitter_ms)
    sample_keys = keys(np.random.default_rng(7).integers(2**63, size=2)[1], np.arange(5))
    for sample, one in enumerate(events):
        t, duration = (one.t - one.t[:1]).astype(np.int32), int(recordings.durations[sample])
        near = slow_near(framing, t, duration=duration, within=jitter.farthest)
        moved = t.astype(np.int64)
        if near:
            moves = jitter.moves(sample_keys[sample : sample + 1], np.array([len(near)]))
            moved[near] = (t[near] + moves).clip(0, int(t[-1]))
        order = np.argsort(moved, kind="stable")
        again = Events(moved[order], one.x[order], one.y[order], one.p[order], "moved")
        window = framing.window(duration)
        within = [k for k, time in enumerate(again.t) if time < window]
        expected = np.zeros((4, *SHAPE))
        for k in within:
            frame = k * 4 // len(within) if by_count else int(again.t[k]) * 4 // window
            expected[frame, again.p[k], again.y[k], again.x[k]] += 1
        assert np.array_equal(came[:, sample], expected)


def slow_near(framing: Framing, t: np.ndarray, *, duration: int, within: int) -> list[int]:
    """Return the events that may change their frame if none moves by more than `within` microseconds."""
    window = framing.window(duration)
    borders = [-(-n * window // 4) for n in range(1, 5)]
    times = t.tolist()
    return [
        k
        for k, time in enumerate(times)
        if framing.by_count
        or any(border - within <= time < border + within for border in borders if border <= times[-1])
    ]


def test_jitter_is_normal_and_each_recording_draws_its_own() -> None:
    jitter, numbers = Jitter(0.5), np.array([99_999, 0, 5])
    moved = jitter.moves(np.array([3, 4, 5], np.uint64), numbers)
    first = moved[:99_999]
    assert abs(first.mean()) < 10
    assert first.std() == pytest.approx(500, rel=0.02)
    assert (np.abs(first) < 500).mean() == pytest.approx(0.6827, abs=0.01)
    assert (np.abs(first) < 1000).mean() == pytest.approx(0.9545, abs=0.005)
    assert np.abs(first).max() <= jitter.farthest == 2162
    assert np.array_equal(moved[99_999:], jitter.moves(np.array([5], np.uint64), np.array([5])))
    assert not np.array_equal(jitter.moves(np.array([4], np.uint64), numbers[:1]), first)
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.01


@pytest.mark.parametrize("since_border", [-700, -1, 0, 300])
def test_events_cross_a_border_as_often_as_a_normal_distribution_says(since_border: int) -> None:
    count, duration = 20_000, 40_000
    t = np.array([0, *[duration // 2 + since_border] * count, duration - 1])
    zero = np.zeros(len(t), np.int64)
    inputs = EventFrames(packed([Events(t, zero, zero, zero, "one")]), variation=Variation(jitter_ms=0.5))
    late = inputs.batch(np.array([0]), time_steps=2, rng=np.random.default_rng(0))[1].sum() - 1
    assert late / count == pytest.approx(1 - NormalDist(since_border, 500).cdf(-0.5), abs=0.015)  # rounded


def test_no_event_moves_beyond_the_first_or_the_last_of_its_recording() -> None:
    t = np.array([0, *[5] * 1000, *[94] * 1000, 99])
    zero = np.zeros(len(t), np.int64)
    one = Events(t, zero, zero, zero, "one")
    for milliseconds, kept in ((None, 2002), (0.1, 2002)):
        inputs = EventFrames(packed([one]), Framing(None, False, milliseconds), Variation(jitter_ms=3.0))
        assert inputs.batch(np.array([0]), time_steps=2, rng=RNG).sum() == kept


@pytest.mark.parametrize("by_count", [False, True])
@pytest.mark.parametrize("milliseconds", [None, 2.0])
def test_events_in_any_order_lie_in_the_frames_of_those_in_order(
    events: list[Events], by_count: bool, milliseconds: float | None
) -> None:
    framing = Framing(None, by_count, milliseconds)
    for one in events:
        t = np.unique(one.t - one.t[:1])
        order = np.random.default_rng(0).permutation(len(t))
        duration = int(t[-1]) + 1 if len(t) else 0
        edges = framing.edges(t, duration=duration, frames=4)
        expected = np.searchsorted(edges, np.arange(len(t)), side="right") - 1
        assert np.array_equal(framing.frame_of(t[order], duration=duration, frames=4), expected[order])


@pytest.mark.parametrize("variation", [Variation(flip=True), Variation(shift=3), Variation(jitter_ms=1.0)])
def test_what_a_recording_gets_does_not_depend_on_the_others(events: list[Events], variation: Variation) -> None:
    inputs = EventFrames(packed(events), variation=variation)
    one, two = (
        inputs.batch(np.array(index), time_steps=4, rng=np.random.default_rng(5)) for index in ([0, 4, 3], [4, 0])
    )
    assert np.array_equal(one[:, :2], two[:, ::-1])
    other = inputs.batch(np.array([0, 4, 3]), time_steps=4, rng=np.random.default_rng(6))
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("variation", [None, Variation(flip=True, shift=1), Variation(jitter_ms=1.0)])
@pytest.mark.parametrize("is_binary", [False, True])
def test_frames_that_were_counted_before_are_the_same(variation: Variation | None, is_binary: bool) -> None:
    rng = np.random.default_rng(2)
    recordings = packed([random_events(rng, count=20_000) for _ in range(3)])
    inputs = EventFrames(recordings, Framing(is_binary=is_binary), variation)
    for frames in (3, 3, 5, 3):
        for seed in range(2):
            index = np.array([2, 0, 2])
            fresh = EventFrames(recordings, Framing(is_binary=is_binary), variation)
            known, expected = (
                one.batch(index, time_steps=frames, rng=np.random.default_rng(seed)) for one in (inputs, fresh)
            )
            assert np.array_equal(known, expected)
    assert inputs._cache.counts(0, frames=3, count=pytest.fail).shape == (3, 70)
    assert len(pickle.dumps(inputs)) < 1.01 * len(pickle.dumps(EventFrames(recordings)))


def test_the_first_of_each_class_come_first() -> None:
    labels = np.array(["b", "a", "b", "b", "c", "a"])
    assert first_of_each(labels, None).tolist() == [1, 0, 4, 5, 2, 3]
    assert first_of_each(labels, 4).tolist() == [1, 0, 4, 5]


def test_small_sensors_take_two_bytes_a_place_and_large_ones_four() -> None:
    one = Events(np.array([0]), np.array([639]), np.array([479]), np.array([1]), "here")
    assert one.packed((2, 480, 640)).place.dtype == np.uint32
    assert one.packed((2, 480, 640)).place[0] == 2 * 480 * 640 - 1
    assert packed([random_events(RNG, count=3)]).place.dtype == np.uint16
