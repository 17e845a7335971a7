"""Augmentation: mirrored, moved and cut, in training alone, drawn by sample."""

from __future__ import annotations

import numpy as np
import pytest

from evonas.data import digits
from evonas.data.arrays import Arrays
from evonas.data.augmentation import Augmentation
from evonas.errors import OptionError

VALUES = np.random.default_rng(0).integers(1, 256, (400, 3, 2, 6, 5)).astype(np.uint8)
INDEX = np.arange(400)


def test_half_of_all_samples_are_mirrored_with_all_of_their_frames() -> None:
    found = Augmentation(flip=True).applied(VALUES, index=INDEX, seed=3)
    mirrored = [np.array_equal(one, before[..., ::-1]) for one, before in zip(found, VALUES, strict=True)]
    kept = [np.array_equal(one, before) for one, before in zip(found, VALUES, strict=True)]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert 150 < sum(mirrored) < 250


def test_a_crop_is_a_part_of_the_padded_sample_and_every_part_is_drawn() -> None:
    found = Augmentation(crop=2).applied(VALUES, index=INDEX, seed=3)
    padded = np.pad(VALUES, ((0, 0), (0, 0), (0, 0), (2, 2), (2, 2)))
    drawn = set()
    for one, whole in zip(found, padded, strict=True):
        parts = [
            (down, right)
            for down in range(5)
            for right in range(5)
            if np.array_equal(one, whole[..., down : down + 6, right : right + 5])
        ]
        assert len(parts) == 1
        drawn.add(parts[0])
    assert len(drawn) == 25


def test_a_cutout_is_a_square_of_zeros_somewhere() -> None:
    found = Augmentation(cutout=3).applied(VALUES, index=INDEX, seed=3)
    places = set()
    for one, before in zip(found, VALUES, strict=True):
        is_cut = one != before
        assert not one[is_cut].any()
        assert (is_cut == is_cut[:1, :1]).all()
        rows, columns = is_cut[0, 0].any(1), is_cut[0, 0].any(0)
        assert np.array_equal(is_cut[0, 0], np.outer(rows, columns))
        assert 2 <= rows.sum() <= 3
        assert 2 <= columns.sum() <= 3
        places.add((rows.argmax(), columns.argmax()))
    assert len(places) > 12


def test_what_a_sample_gets_depends_on_the_seed_and_its_position_alone() -> None:
    every = Augmentation(flip=True, crop=1, cutout=2)
    whole = every.applied(VALUES, index=INDEX, seed=3)
    assert np.array_equal(every.applied(VALUES[[9, 2]], index=np.array([9, 2]), seed=3), whole[[9, 2]])
    assert not np.array_equal(every.applied(VALUES, index=INDEX, seed=4), whole)


@pytest.mark.parametrize("crop", [6, 50])
def test_a_crop_beyond_the_sample_leaves_zeros(crop: int) -> None:
    found = Augmentation(crop=crop).applied(VALUES, index=INDEX, seed=0)
    assert found.shape == VALUES.shape
    assert any(not one.any() for one in found)


def test_training_alone_is_varied_and_the_seed_of_the_batch_decides() -> None:
    data = digits.read(flip=True, crop=1, cutout=3).for_search()
    train, validation = data.train.inputs, data.validation.inputs
    assert isinstance(train, Arrays)
    assert isinstance(validation, Arrays)
    assert validation.variation is None
    batches = [
        train.batch(np.arange(20), time_steps=1, rng=np.random.default_rng(seed)).tobytes() for seed in (0, 0, 1)
    ]
    assert batches[0] == batches[1] != batches[2]
    plain = digits.read().for_search()
    assert plain.train.inputs.variation is None  # type: ignore[attr-defined]
    assert plain.fingerprint != data.fingerprint


def test_options_of_images_are_checked() -> None:
    with pytest.raises(OptionError, match="leave one of them out"):
        digits.read(encoding="rate", normalise=True)
    with pytest.raises(OptionError, match="crop"):
        digits.read(crop=-1)
    normalised = digits.read(normalise=True, flip=True).for_search().train.inputs
    assert isinstance(normalised, Arrays)
    assert len(normalised.mean) == 1
    assert normalised.variation == Augmentation(flip=True)
