"""Values made into spikes: by rate, latency and change; drawn by sample, whatever batch it comes in."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from evonas.data import digits
from evonas.data.arrays import Arrays
from evonas.data.dataset import DataSet, Samples
from evonas.data.encoding import Encoded
from evonas.data.inputs import Inputs
from evonas.errors import DataError

STEPS = 8


def spikes(inputs: Inputs, index: list[int], *, steps: int = STEPS, seed: int = 0) -> np.ndarray:
    return inputs.batch(np.array(index), time_steps=steps, rng=np.random.default_rng(seed))


@pytest.fixture(scope="module")
def images() -> Arrays:
    values = np.random.default_rng(0).integers(0, 256, (40, 1, 2, 5, 4)).astype(np.uint8)
    values[0] = np.array([0, 255, 128, 1] * 10).reshape(1, 2, 5, 4)
    return Arrays(values, full_scale=255)


@pytest.mark.parametrize("encoding", ["rate", "latency", "delta"])
def test_spikes_of_a_sample_depend_on_the_seed_and_its_position_alone(images: Arrays, encoding: str) -> None:
    inputs = Encoded(images, encoding)  # type: ignore[arg-type]
    assert (inputs.shape, inputs.element) == ((None, 2, 5, 4), "binary")
    alone, among = spikes(inputs, [7]), spikes(inputs, [3, 39, 7])
    assert alone.shape == (STEPS, 1, 2, 5, 4)
    assert alone.dtype == np.float32
    assert set(np.unique(among)) == {0, 1}
    assert np.array_equal(alone[:, 0], among[:, 2])
    assert np.array_equal(spikes(inputs, [7], seed=1), alone) == (encoding != "rate")


def test_a_rate_is_the_probability_of_a_spike_at_each_step(images: Arrays) -> None:
    found = spikes(Encoded(images, "rate"), list(range(40)), steps=4000)
    expected = images.batch(np.arange(40), time_steps=1, rng=np.random.default_rng(0))[0]
    error = np.sqrt(expected * (1 - expected) / 4000)
    assert (np.abs(found.mean(0) - expected) <= 5 * error + 1e-4).all()
    assert found[:, 0, 0, 0, 0].sum() == 0
    assert found[:, 0, 0, 0, 1].all()
    between = (found[:-1] * found[1:]).mean(0) - found.mean(0) ** 2
    assert np.abs(between).mean() < 0.01  # no step knows of the one before


def test_the_larger_a_value_the_earlier_its_one_spike(images: Arrays) -> None:
    found = spikes(Encoded(images, "latency"), list(range(40)))
    values = images.values[:, 0].astype(np.float64) / 255
    for place in np.ndindex(values.shape):
        value, steps = values[place], np.flatnonzero(found[(slice(None), *place)])
        if value == 0:
            assert not len(steps)
        else:
            expected = min(int(np.floor((1 - value) * STEPS)), STEPS - 1)
            assert steps.tolist() == [expected]


def test_changes_are_spikes_until_they_add_up_to_the_value() -> None:
    images = Arrays(np.array([0.0, 0.05, 0.35, 1.0], np.float32).reshape(1, 1, 1, 1, 4))
    found = spikes(Encoded(images, "delta", 0.1), [0]).reshape(STEPS, 4)
    assert found.sum(0).tolist() == [0, 0, 3, 8]
    assert found[:, 2].tolist() == [1, 1, 1, 0, 0, 0, 0, 0]


PIXELS = np.arange(256, dtype=np.uint8).reshape(1, 1, 1, 16, 16)
STORED = [
    Arrays(PIXELS, full_scale=255),
    Arrays((PIXELS / 255).astype(np.float32)),
    Arrays((PIXELS.astype(np.uint16) * 257), full_scale=65535),
]


@pytest.mark.parametrize("inputs", STORED, ids=["uint8", "float32", "uint16"])
@pytest.mark.parametrize("steps", [1, 4, 10, 15, 51, 255])
def test_the_time_of_a_spike_is_that_of_the_exact_fraction(inputs: Arrays, steps: int) -> None:
    found = spikes(Encoded(inputs, "latency"), [0], steps=steps).reshape(steps, 256)
    assert found.sum(0).tolist() == [0, *[1] * 255]
    exact = [min(int((1 - Fraction(pixel, 255)) * steps), steps - 1) for pixel in range(1, 256)]
    assert found.argmax(0)[1:].tolist() == exact


@pytest.mark.parametrize("inputs", STORED, ids=["uint8", "float32", "uint16"])
@pytest.mark.parametrize("threshold", ["0.1", "0.2", "0.05", "0.3", "0.004", "1"])
def test_changes_reach_the_levels_of_exact_fractions(inputs: Arrays, threshold: str) -> None:
    """Of an image, and of frames that fade in and out: after a step up there are as many spikes as levels reached."""
    exact = np.array([Fraction(pixel, 255) // Fraction(threshold) for pixel in range(256)], np.int64)
    found = spikes(Encoded(inputs, "delta", float(threshold)), [0], steps=300).reshape(300, 256)
    assert np.array_equal(found.sum(0), exact)
    frames = Arrays(np.repeat(inputs.values, 300, axis=1), full_scale=inputs.full_scale)
    found = spikes(Encoded(frames, "delta", float(threshold)), [0], steps=300).reshape(300, 2, 256)
    assert np.array_equal(found.sum(0), [exact, np.zeros(256)])
    falling = Arrays(np.concatenate([frames.values, 0 * frames.values], axis=1), full_scale=inputs.full_scale)
    found = spikes(Encoded(falling, "delta", float(threshold)), [0], steps=600).reshape(600, 2, 256)
    assert np.array_equal(found.sum(0), [exact, exact])


def test_values_that_are_no_numbers_cannot_be_encoded() -> None:
    with pytest.raises(DataError, match="these are nan"):
        Encoded(Arrays(np.full((2, 1, 1, 2, 2), np.nan, np.float32)), "rate")


def test_values_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = Encoded(Arrays(np.ones((4, 1, 1, 2, 2), np.float32)), "rate")
    monkeypatch.setattr("evonas.data.encoding._range", lambda arrays: pytest.fail("looked at again"))
    assert np.array_equal(spikes(inputs.take(np.array([2, 1])).measured(), [0]), np.ones((STEPS, 1, 1, 2, 2)))


def test_changes_of_frames_rise_and_fall_in_channels_of_their_own() -> None:
    values = np.array([0.0, 0.3, 0.3, 0.1, 0.0], np.float32).reshape(1, 5, 1, 1, 1)
    inputs = Encoded(Arrays(values), "delta", 0.25)
    assert inputs.shape == (5, 2, 1, 1)
    found = spikes(inputs, [0], steps=5).reshape(5, 2)
    assert found.tolist() == [[0, 0], [1, 0], [0, 0], [0, 0], [0, 1]]


def test_what_cannot_be_encoded_is_a_sentence(images: Arrays) -> None:
    with pytest.raises(DataError, match="these are 0 to 255"):
        Encoded(Arrays(images.values), "rate")
    with pytest.raises(DataError, match="have 3 frames"):
        Encoded(Arrays(np.zeros((4, 3, 1, 2, 2), np.uint8), full_scale=255), "latency")
    with pytest.raises(DataError, match="normalised"):
        Encoded(images.normalised_as(images), "rate")
    with pytest.raises(DataError, match="these are -1 to"):
        Encoded(Arrays(-np.eye(2, dtype=np.float32).reshape(2, 1, 1, 1, 2)), "delta")


def test_the_encoding_is_in_the_fingerprint_and_a_test_part_is_encoded_too() -> None:
    plain, rate = digits.read(), digits.read(encoding="rate")
    assert plain.for_search().fingerprint != rate.for_search().fingerprint
    data = rate.for_search()
    assert (data.input_shape, data.input_shape.element, data.frames) == ((None, 1, 8, 8), "binary", None)
    assert isinstance(rate.test().inputs, Encoded)
    assert np.array_equal(rate.test().labels, plain.test().labels)


def test_a_data_set_of_frames_keeps_their_number(images: Arrays) -> None:
    frames = Arrays(images.values.reshape(8, 5, 2, 5, 4), full_scale=255)
    data = DataSet(Samples(Encoded(frames, "rate"), np.arange(8) % 2), test_part=0.0, validation_part=0.5).for_search()
    assert data.input_shape == (5, 2, 5, 4)
    assert data.frames == 5
