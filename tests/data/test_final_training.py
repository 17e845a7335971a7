"""The data of the final training: training and validation samples together, and no others."""

from __future__ import annotations

import numpy as np
import pytest

from evonas.data import digits
from evonas.data.arrays import Arrays
from evonas.data.augmentation import Augmentation
from evonas.data.dataset import DataSet, Samples
from evonas.data.joined import Joined


def numbered(count: int, *, first: int = 0) -> Samples:
    """Return samples whose value says which they are."""
    values = np.arange(first, first + count, dtype=np.float32).reshape(count, 1, 1, 1, 1)
    return Samples(values, np.arange(count) % 3)


def seen(samples: Samples) -> list[float]:
    batch = samples.inputs.batch(np.arange(len(samples)), time_steps=2, rng=np.random.default_rng(0))
    return [float(value) for value in batch.ravel()]


@pytest.mark.parametrize("is_apart", [False, True])
def test_it_holds_each_training_and_validation_sample_once_and_no_test_sample(is_apart: bool) -> None:
    whole = DataSet(numbered(60), official_validation=numbered(12, first=100) if is_apart else None)
    searched, final, test = whole.for_search(seed=2), whole.for_final_training(seed=2), whole.test(seed=2)
    assert sorted(seen(final.train)) == sorted(seen(searched.train) + seen(searched.validation))
    assert not set(seen(final.train)) & set(seen(test))
    of = dict(zip(seen(searched.train) + seen(searched.validation),
                  [*searched.train.labels, *searched.validation.labels], strict=True))  # fmt: skip
    assert [of[value] for value in seen(final.train)] == list(final.train.labels)
    assert seen(final.validation) == seen(searched.validation)


def test_all_of_it_is_varied_and_normalised_as_the_search_saw_it() -> None:
    whole = digits.read(crop=2, normalise=True)
    searched, final = whole.for_search(), whole.for_final_training()
    inputs = final.train.inputs
    assert isinstance(inputs, Arrays)
    assert inputs.variation == Augmentation(crop=2)
    assert (inputs.mean, inputs.std) == (searched.train.inputs.mean, searched.train.inputs.std)  # type: ignore[attr-defined]


def test_joined_inputs_are_their_parts_whatever_the_order_of_a_batch() -> None:
    first, second = (Arrays(numbered(count, first=at).inputs.values) for count, at in ((4, 0), (3, 100)))  # type: ignore[attr-defined]
    both = Joined(first, second)
    assert len(both) == 7
    assert (both.shape, both.element, both.seconds) == (first.shape, first.element, None)
    rng = np.random.default_rng(0)
    for index in ([5, 0, 6, 3], [1, 2], [4], []):
        batch = both.batch(np.array(index, np.int64), time_steps=1, rng=rng)
        assert batch.shape == (1, len(index), 1, 1, 1)
        assert batch.ravel().tolist() == [float(i if i < 4 else 96 + i) for i in index]
    taken = both.take(np.array([6, 1]))
    assert taken.batch(np.arange(2), time_steps=1, rng=rng).ravel().tolist() == [1.0, 102.0]


def test_what_a_joined_sample_draws_depends_on_the_seed_and_its_position_alone() -> None:
    images = np.random.default_rng(0).random((6, 1, 1, 8, 8), np.float32)
    both = Joined(
        Arrays(images[:4], variation=Augmentation(crop=3)), Arrays(images[4:], variation=Augmentation(crop=3))
    )

    def at(index: list[int], seed: int = 1) -> np.ndarray:
        return both.batch(np.array(index), time_steps=1, rng=np.random.default_rng(seed))[0]

    np.testing.assert_array_equal(at([5, 0, 2])[[0, 1]], at([5, 0]))
    assert (at([5, 0]) != at([5, 0], seed=2)).any()
    assert (both.measured().batch(np.arange(6), time_steps=1, rng=np.random.default_rng(0))[0] == images[:, 0]).all()
