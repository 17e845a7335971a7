"""Inputs in one array: their own type in memory, float in a batch, normalised by the training part alone."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from evonas.data.arrays import Arrays
from evonas.data.dataset import DataSet, Samples
from evonas.data.inputs import Inputs
from evonas.errors import DataError, SpaceError
from evonas.input_shape import InputShape

RNG = np.random.default_rng(0)


def batch(inputs: Inputs, index: np.ndarray) -> np.ndarray:
    return inputs.batch(index, time_steps=4, rng=np.random.default_rng(0))


def test_bytes_become_the_same_floats_as_when_they_are_converted_at_once() -> None:
    values = RNG.integers(0, 256, (20, 1, 3, 4, 5)).astype(np.uint8)
    inputs, index = Arrays(values, full_scale=255), np.array([3, 0, 3])
    found = batch(inputs, index)
    assert found.shape == (1, 3, 3, 4, 5)
    assert found.flags.c_contiguous
    assert np.array_equal(found[0], values[index, 0].astype(np.float32) / np.float32(255))
    assert inputs.take(index).values.dtype == np.uint8
    assert (inputs.shape, inputs.element) == ((1, 3, 4, 5), "real")


def test_frames_come_time_first_and_are_graded_unless_said() -> None:
    values = RNG.poisson(1.0, (10, 6, 2, 3, 3)).astype(np.uint8)
    inputs = Arrays(values)
    assert np.array_equal(batch(inputs, np.arange(4)), values[:4].swapaxes(0, 1))
    assert inputs.element == "graded"
    assert replace(inputs, kind="binary").element == "binary"


def test_frames_that_are_scaled_or_normalised_are_real_whatever_they_were() -> None:
    values = RNG.poisson(1.0, (10, 6, 2, 3, 3)).astype(np.uint8)
    assert Arrays(values, full_scale=255).element == "real"
    assert Arrays(values, kind="binary", mean=(0.5, 0.5)).element == "real"
    dataset = DataSet(Samples(values, np.arange(10) % 2))
    assert dataset.for_search().input_shape.element == "graded"
    normalised = replace(dataset, normalise=True)
    assert normalised.for_search().input_shape.element == normalised.test().inputs.element == "real"


@pytest.mark.parametrize(
    ("value", "options", "expected"),
    [
        (2, {"kind": "binary"}, "hold 2 where elements are 'binary', which are 0 and 1"),
        (-1, {}, "hold -1 where elements are 'graded', which are whole numbers of at least 0"),
        (0.5, {}, "hold 0.5 where elements are 'graded'"),
        (51, {"kind": "graded", "full_scale": 255}, "hold 0.2 where elements are 'graded'"),
        (254, {"kind": "binary", "full_scale": 255}, "hold 0.996078 where elements are 'binary'"),
    ],
)
def test_values_of_another_kind_than_they_are_said_to_be_are_refused(
    value: float, options: dict[str, Any], expected: str
) -> None:
    values = np.zeros((1500, 2, 1, 1, 1), np.float32)
    labels = np.arange(1500) % 2
    Arrays(values, **options).check(what="The samples")
    values[1400] = value
    with pytest.raises(DataError, match=f"The samples {expected}"):
        DataSet(Samples(Arrays(values, **options), labels))
    DataSet(Samples(Arrays(values, kind="real"), labels))


def test_what_is_in_an_array_is_only_read() -> None:
    values = RNG.random((4, 1, 1, 2, 2)).astype(np.float32)
    kept = values.copy()
    values.setflags(write=False)
    inputs = Arrays(values, full_scale=2, mean=(0.5,), std=(3.0,))
    assert np.allclose(batch(inputs, np.arange(4))[0], (kept[:, 0] / 2 - 0.5) / 3)
    assert np.array_equal(values, kept)


def test_normalisation_is_that_of_the_training_part() -> None:
    values = RNG.integers(0, 256, (300, 1, 2, 3, 3)).astype(np.uint8)
    values[:, :, 1] //= 4
    whole = Samples(Arrays(values, full_scale=255), np.arange(300) % 3)
    dataset = DataSet(whole, normalise=True)
    data = dataset.for_search(seed=3)
    seen = batch(data.train.inputs, np.arange(len(data.train)))
    assert np.allclose(seen.mean(axis=(0, 1, 3, 4)), 0, atol=1e-5)
    assert np.allclose(seen.std(axis=(0, 1, 3, 4)), 1, atol=1e-5)
    parts = (data.train.inputs, data.validation.inputs, dataset.test(seed=3).inputs)
    assert len({(part.mean, part.std) for part in parts}) == 1
    plain = replace(dataset, normalise=False).for_search(seed=3)
    assert plain.fingerprint != data.fingerprint
    assert np.array_equal(plain.train.inputs.values, data.train.inputs.values)


def test_a_channel_that_is_constant_in_training_is_not_blown_up() -> None:
    inputs = Arrays(np.full((5, 1, 1, 2, 2), 7, np.uint8)).normalised_as(Arrays(np.full((9, 1, 1, 2, 2), 3, np.uint8)))
    assert np.array_equal(batch(inputs, np.arange(5)), np.full((1, 5, 1, 2, 2), 4, np.float32))


@pytest.mark.parametrize("change", [{"full_scale": 254.0}, {"kind": "graded"}, {"mean": (0.1,)}, {"std": (2.0,)}])
def test_everything_that_decides_a_batch_is_in_the_digest(change: dict[str, object]) -> None:
    inputs = Arrays(np.zeros((3, 1, 1, 2, 2), np.uint8), full_scale=255)
    digests = []
    for one in (inputs, replace(inputs, **change)):  # type: ignore[arg-type]
        into = hashlib.sha256()
        one.digest(into)
        digests.append(into.hexdigest())
    assert digests[0] != digests[1]


def test_a_full_scale_that_is_none_is_refused() -> None:
    with pytest.raises(DataError, match="full scale 0"):
        DataSet(Samples(Arrays(np.zeros((9, 1, 1, 2, 2)), full_scale=0), np.arange(9) % 2))


def test_a_shape_equals_the_plain_tuple_and_keeps_its_element() -> None:
    shape = InputShape((None, 2, 3, 3), "binary")
    assert shape == (None, 2, 3, 3)
    for same in (InputShape(shape), pickle.loads(pickle.dumps(shape))):
        assert (same, same.element) == (shape, "binary")
    assert [InputShape((5, 2, 3, 3)).takes(steps) for steps in (4, 5)] == [False, True]
    with pytest.raises(SpaceError, match="expected binary, graded, real"):
        InputShape((1, 2, 2), "complex")  # type: ignore[arg-type]
