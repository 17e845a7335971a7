"""Batches: what a training sees of samples, the same whether arrays become float here or on a GPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from evonas.data.arrays import Arrays
from evonas.data.samples import Samples
from evonas.training.batches import Batches, _as_float

VALUES = np.random.default_rng(0).integers(0, 256, (12, 3, 2, 4, 5)).astype(np.uint8)


@pytest.mark.parametrize(
    "inputs",
    [
        Arrays(VALUES),
        Arrays(VALUES, full_scale=255),
        Arrays(VALUES, full_scale=255, mean=(0.5, 0.25), std=(0.3, 2.0)),
        Arrays(VALUES[:, :1].astype(np.float32)),
    ],
)
def test_values_become_the_same_floats_on_a_device_as_in_memory(inputs: Arrays) -> None:
    index = torch.tensor([5, 0, 11])
    expected = inputs.batch(index.numpy(), time_steps=3, rng=np.random.default_rng(0))
    found = _as_float(torch.from_numpy(inputs.values)[index], inputs)
    assert found.is_contiguous()
    assert np.array_equal(found.numpy(), expected)
    batches = Batches(Samples(inputs, np.arange(12)), torch.device("cpu"))
    assert np.array_equal(batches.inputs(index, time_steps=3, seed=(1,)).numpy(), expected)
    assert batches.labels.tolist() == list(range(12))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("values", [VALUES, VALUES.astype(np.uint16), VALUES.astype(np.float32)])
def test_arrays_on_a_gpu_give_the_batches_of_this_process(values: np.ndarray) -> None:
    inputs, index, gpu = Arrays(values, full_scale=255), torch.tensor([5, 0, 11]), torch.device("cuda")
    batch = Batches(Samples(inputs, np.arange(12)), gpu).inputs(index.to(gpu), time_steps=3, seed=(1,))
    expected = inputs.batch(index.numpy(), time_steps=3, rng=np.random.default_rng(0))
    assert batch.device.type == "cuda"
    assert np.array_equal(batch.cpu().numpy(), expected)
