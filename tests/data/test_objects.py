"""Data sets of objects with a length and items: lists, torch data sets, mappings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from evonas.data.arrays import Arrays
from evonas.data.dataset import DataSet
from evonas.errors import DataError

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (40, 6, 5, 3)).astype(np.uint8)


def seen(data: DataSet) -> np.ndarray:
    inputs = data.samples.inputs
    return inputs.batch(np.arange(len(inputs)), time_steps=4, rng=np.random.default_rng(0)).swapaxes(0, 1)


def test_pairs_of_bytes_are_images_from_0_to_1_with_channels_first() -> None:
    data = DataSet.of([(image, n % 4) for n, image in enumerate(COLOUR)])
    assert isinstance(data.samples.inputs, Arrays)
    assert data.samples.inputs.values.dtype == np.uint8
    assert np.allclose(seen(data)[:, 0], COLOUR.transpose(0, 3, 1, 2) / 255)
    assert data.for_search().input_shape == (3, 6, 5)


def test_a_torch_data_set_is_read_as_it_is() -> None:
    images, labels = torch.rand(40, 3, 6, 5), torch.arange(40) % 3 + 1
    data = DataSet.of(TensorDataset(images, labels), TensorDataset(images[:7], labels[:7]))
    assert np.array_equal(seen(data)[:, 0], images.numpy())
    assert data.class_labels == (1, 2, 3)
    assert len(data.test()) == 7


def test_mappings_have_keys_and_frames_an_axis_of_time() -> None:
    frames = RNG.poisson(1.0, (30, 5, 2, 4, 4)).astype(np.int16)
    rows = [{"events": one, "word": "abc"[n % 3]} for n, one in enumerate(frames)]
    data = DataSet.of(rows, validation=rows[:6], keys=("events", "word"), test_part=0.1)
    assert np.array_equal(seen(data), frames)
    search = data.for_search()
    assert (search.input_shape, search.input_shape.element) == ((5, 2, 4, 4), "graded")
    assert len(search.validation) == 6
    spikes = [{**row, "events": np.minimum(row["events"], 1)} for row in rows]  # type: ignore[call-overload]
    binary = DataSet.of(spikes, keys=("events", "word"), element="binary").for_search()
    assert binary.input_shape.element == "binary"


def test_pictures_are_arrays_unless_they_are_indices_of_a_palette() -> None:
    image = pytest.importorskip("PIL.Image")
    grey = [(image.fromarray(one[:, :, 0]), n % 2) for n, one in enumerate(COLOUR)]
    assert np.allclose(seen(DataSet.of(grey))[:, 0, 0], COLOUR[..., 0] / 255)
    with pytest.raises(DataError, match="palette"):
        DataSet.of([(one.convert("P"), label) for one, label in grey])


class Broken(list[Any]):
    def __getitem__(self, index: Any) -> Any:
        raise OSError("the disk is gone")


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([], "are none"),
        (Broken([1, 2]), "OSError, the disk is gone"),
        (5, "cannot be read item by item"),
        ([3, 4], "item 0 is a int, expected a pair"),
        ([(COLOUR[0], 1), (COLOUR[0][:3], 2)], r"item 1 is an array of uint8 of shape \(3, 5, 3\)"),
        ([(COLOUR[0], 1), (COLOUR[0].astype(float), 2)], "item 1 is an array of float64"),
        ([("a picture", 1)], "no array of numbers"),
        ([(np.zeros(3), 1)] * 4, "expected \\(height, width\\)"),
        ([{"image": COLOUR[0]}], "has no 'label'"),
        ([(np.zeros(3, [("t", int), ("x", int)]), 1)], "ToFrame"),
    ],
)
def test_items_that_are_no_samples_are_told(items: Any, expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        DataSet.of(items)
