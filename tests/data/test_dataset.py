from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evonas.data import digits
from evonas.data.dataset import DataSet, Samples
from evonas.errors import DataError
from evonas.tasks.classification import Classification


def samples(labels: object, *, shape: tuple[int, ...] = (1, 1, 2, 2)) -> Samples:
    """Return samples that differ from each other, with these labels."""
    array = np.asarray(labels)
    values = np.arange(len(array) * int(np.prod(shape)), dtype=np.float32)
    return Samples(values.reshape(len(array), *shape), array)


def by_class(labels: np.ndarray, *, classes: int) -> list[int]:
    counted: list[int] = np.bincount(labels, minlength=classes).tolist()
    return counted


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.arange(100) % 26 + 1, tuple(range(1, 27))),
        (np.arange(100) % 10 * 25, tuple(range(0, 250, 25))),
        (np.arange(100) % 3 - 1, (-1, 0, 1)),
        (np.array(["cat", "dog", "eel", "ant"])[np.arange(100) % 4], ("ant", "cat", "dog", "eel")),
        (np.array(["b", "a"], dtype=object)[np.arange(100) % 2], ("a", "b")),
        (np.arange(100) % 2 == 0, (0, 1)),
        (np.arange(100) % 2 * 7.0, (0, 7)),
        (np.uint8([3, 255] * 50), (3, 255)),
    ],
)
def test_the_labels_that_occur_are_the_classes_from_0_on(labels: np.ndarray, expected: tuple[object, ...]) -> None:
    data = DataSet(samples(labels)).for_search()
    assert data.task == Classification(len(expected), expected)
    assert (data.train.labels.dtype, data.train.labels.min(), data.train.labels.max()) == (
        np.int64,
        0,
        data.task.outputs - 1,
    )
    inputs = data.train.inputs.values[:, 0, 0, 0, 0] / 4
    assert [data.task.labels[index] for index in data.train.labels] == list(labels[inputs.astype(int)])


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.full(50, 3), "All 50 labels are 3"),
        (np.linspace(0, 1, 50), "expected one whole number or one text"),
        (np.eye(50), "labels have the shape"),
        (np.array([1, "a"] * 25, dtype=object), "expected one whole number or one text"),
        (np.array([None] * 50), "expected one whole number or one text"),
        (np.array([np.nan] * 50), "expected one whole number or one text"),
        (np.arange(2), "2 samples of 2 classes are too few"),
        (np.arange(0), "none"),
    ],
)
def test_labels_that_make_no_classes_are_refused(labels: np.ndarray, expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        DataSet(samples(labels))


def test_classes_that_were_announced_and_do_not_occur_are_named_and_cost_nothing() -> None:
    data = DataSet(samples(np.arange(60) % 3 + 1), classes=5).for_search()
    assert data.task.outputs == 3
    assert any("5 classes are announced, but 3 labels occur" in note and "0, 4." in note for note in data.notes)
    with pytest.raises(DataError, match="classes = 2, but the labels 1, 2, 3 are 3 classes"):
        DataSet(samples(np.arange(60) % 3 + 1), classes=2)


def test_a_single_odd_label_is_a_class_that_is_named() -> None:
    labels = np.arange(1000) % 10
    labels[17] = 255
    data = DataSet(samples(labels)).for_search()
    assert data.task.outputs == 11
    assert any("255 (1)" in note and "wrong label" in note for note in data.notes)
    assert any("too few samples" in note and "255" in note for note in data.notes)
    assert digits.read().for_search().notes == ()


def test_classes_of_a_larger_set_without_training_samples_are_named() -> None:
    data = DataSet(samples(np.arange(40) % 4), class_labels=(0, 1, 2, 3, 8)).for_search()
    assert data.task.outputs == 5
    assert any(note.startswith("Classes without training samples") and " 8." in note for note in data.notes)


def test_test_samples_of_another_shape_or_class_are_refused_when_the_data_are_read() -> None:
    train = samples(np.arange(40) % 4)
    with pytest.raises(DataError, match=r"test samples have the shape \(1, 1, 2, 3\), the training samples"):
        DataSet(train, official_test=samples(np.arange(8) % 4, shape=(1, 1, 2, 3)))
    with pytest.raises(DataError, match="test samples have the labels 4, 7"):
        DataSet(train, official_test=samples([0, 1, 4, 7]))
    with pytest.raises(DataError, match="test samples are none"):
        DataSet(train, official_test=samples(np.zeros(0, np.int64)))


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (np.zeros((40, 1, 2, 2), np.float32), "expected numbers of shape"),
        (np.zeros((40, 1, 1, 2, 0), np.float32), "expected numbers of shape"),
        (np.zeros((40, 1, 1, 2, 2), complex), "expected numbers of shape"),
        (np.full((40, 1, 1, 2, 2), np.nan, np.float32), "no finite numbers"),
        (np.zeros((39, 1, 1, 2, 2), np.float32), "expected one label a sample"),
    ],
)
def test_inputs_that_no_network_can_take_are_refused(inputs: np.ndarray, expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        DataSet(Samples(inputs, np.arange(40) % 4))


def test_samples_may_be_lists_and_what_is_none_is_told() -> None:
    listed = Samples([[[[[1, 2], [3, 4]]]]] * 40, [3, 5] * 20)  # type: ignore[arg-type]
    assert DataSet(listed).for_search().task.labels == (3, 5)
    with pytest.raises(DataError, match="no arrays of one shape"):
        DataSet(Samples([[1, 2], [3]], [0, 1]))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="are a tuple, expected Samples"):
        DataSet(([1], [2]))  # type: ignore[arg-type]


def test_inputs_of_other_numbers_stay_what_they_are_and_become_float32_in_a_batch() -> None:
    whole = Samples(np.arange(160, dtype=np.uint8).reshape(40, 1, 1, 2, 2), np.arange(40) % 4)
    data = DataSet(whole)
    for part in (data.for_search().train, data.for_search().validation, data.test()):
        assert part.inputs.values.dtype == np.uint8
        batch = part.inputs.batch(np.arange(len(part)), time_steps=3, rng=np.random.default_rng(0))
        assert batch.dtype == np.float32
        assert batch.max() > 100


def test_the_test_part_depends_on_the_data_alone_and_the_rest_on_the_seed() -> None:
    dataset = digits.read()
    apart = {image.tobytes() for image in dataset.test().inputs.values}
    parts = [dataset.for_search(seed=seed) for seed in range(4)]
    for data in parts:
        assert not apart & {image.tobytes() for image in (*data.train.inputs.values, *data.validation.inputs.values)}
    assert len({data.fingerprint for data in parts}) == 4
    assert dataset.for_search(seed=2).fingerprint == parts[2].fingerprint
    assert np.array_equal(replace(dataset, validation_part=0.4).test().inputs.values, dataset.test().inputs.values)


def test_a_set_of_single_samples_is_split_and_says_what_it_lacks() -> None:
    data = DataSet(samples(np.arange(20)), test_part=0.0).for_search()
    assert (len(data.train), len(data.validation)) == (16, 4)
    assert any(note.startswith("Classes without training samples") for note in data.notes)


@example(sizes=[10, 13], validation_part=0.5, test_part=0.45, seed=0)  # training is left its last sample of a class
@example(sizes=[21, 38], validation_part=0.5, test_part=0.45, seed=0)
@given(
    sizes=st.lists(st.integers(1, 60), min_size=2, max_size=12),
    validation_part=st.sampled_from([0.1, 0.2, 0.29, 0.5]),
    test_part=st.sampled_from([0.0, 0.1, 0.2, 0.45]),
    seed=st.integers(0, 3),
)
def test_every_class_has_its_share_of_every_part(
    sizes: list[int], validation_part: float, test_part: float, seed: int
) -> None:
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    if max(sizes) < 10:  # hardly anything to share out: refused, or right as below
        with suppress(DataError):
            DataSet(samples(labels), validation_part=validation_part, test_part=test_part)
        return
    dataset = DataSet(samples(labels), validation_part=validation_part, test_part=test_part)
    data = dataset.for_search(seed=seed)
    parts = [data.train, data.validation, dataset.test()]
    seen = np.sort(np.concatenate([part.inputs.values[:, 0, 0, 0, 0] for part in parts]))
    assert np.array_equal(seen, np.arange(len(labels)) * 4)
    counted = [by_class(part.labels, classes=len(sizes)) for part in parts]
    assert [sum(column) for column in zip(*counted, strict=True)] == sizes
    assert min(counted[0]) >= 1
    has_room = min(sizes) * (1 - validation_part - test_part) >= 2  # both parts rounded up leave training a sample
    for counts, share in ((counted[1], validation_part), (counted[2], test_part)):
        assert all(count <= share * size + 1 for count, size in zip(counts, sizes, strict=True))
        kept = zip(counts, counted[0], sizes, strict=True)
        assert all(count > share * size - 1 or left == 1 for count, left, size in kept)
        assert sum(counts) == round(share * sum(sizes)) or 1 in counted[0]
        if has_room:
            assert all(abs(count - share * size) < 1 for count, size in zip(counts, sizes, strict=True))
            assert sum(counts) == round(share * sum(sizes))
    unseen = {index for index, count in enumerate(counted[1]) if not count}
    assert bool(unseen) == any("too few samples to have any for validation" in note for note in data.notes)


def str_of(value: object) -> str:
    return "huge" if isinstance(value, int) and value > 10**400 else str(value)


@pytest.mark.parametrize("part", ["0.2", True, None, float("nan"), -0.1, 1.5, 10**400, 10**5000, 0], ids=str_of)
def test_a_part_that_is_no_number_between_0_and_1_is_told(part: object) -> None:
    with pytest.raises(DataError, match="validation_part = "):
        DataSet(samples(np.arange(40) % 4), validation_part=part)  # type: ignore[arg-type]


def test_a_validation_part_of_the_publisher_is_kept_for_every_seed() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 256, (50, 1, 1, 4, 4), dtype=np.uint8)
    labels = np.arange(50) % 5 + 1
    official = Samples(inputs[:15], labels[:15])
    data = DataSet(Samples(inputs[15:], labels[15:]), official_validation=official, validation_part=0.0)
    for seed in (0, 7):
        search = data.for_search(seed=seed)
        assert search.validation.labels.tolist() == (labels[:15] - 1).tolist()
        assert (len(search.train), len(data.test())) == (28, 7)
    with pytest.raises(DataError, match="validation samples have the shape"):
        DataSet(Samples(inputs, labels), official_validation=Samples(inputs[:, :, :, :2], labels))
    with pytest.raises(DataError, match="The validation samples have the labels 9"):
        DataSet(Samples(inputs, labels), official_validation=Samples(inputs[:2], np.array([1, 9])))
