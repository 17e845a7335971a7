"""Batches: samples as training reads them, float on its device, made from the type in which they lie in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from evonas.data.arrays import Arrays
from evonas.data.samples import Samples

_PART_OF_MEMORY = 0.25
"""Part of the free memory of a GPU that arrays may take there; larger ones go to it batch by batch."""


class Batches:
    """Makes batches of samples.

    Args:
        samples: Where they come from; they are only read.
        device: Where batches are needed. On a GPU, arrays lie there as a whole, in their own type, if there is room.

    Attributes:
        labels: `(samples,)` int64 classes, on the device.
    """

    def __init__(self, samples: Samples, device: torch.device) -> None:
        self._inputs = samples.inputs
        self._device = device
        self._resident = _resident(samples.inputs, device)
        self.labels = torch.tensor(samples.labels).to(device)

    def __len__(self) -> int:
        return len(self.labels)

    def inputs(self, index: Tensor, *, time_steps: int, seed: Sequence[int]) -> Tensor:
        """Return the `(time, batch, channels, height, width)` float32 values of the samples at `index`.

        Args:
            index: `(batch,)` positions.
            time_steps: Time steps of the network.
            seed: Of all draws, where inputs draw; whole numbers from 0 on.
        """
        if self._resident is not None and isinstance(self._inputs, Arrays):
            return _as_float(self._resident[index.to(self._device)], self._inputs)
        rng = np.random.default_rng(seed)
        batch = self._inputs.batch(index.cpu().numpy(), time_steps=time_steps, rng=rng)
        return torch.from_numpy(batch).to(self._device)


def _resident(inputs: object, device: torch.device) -> Tensor | None:
    """Return arrays on a GPU, None on other devices and where they are varied, too large or of an odd type."""
    if device.type != "cuda" or not isinstance(inputs, Arrays) or inputs.variation is not None:
        return None
    values = inputs.values
    free, _ = torch.cuda.mem_get_info(device)
    if values.nbytes > _PART_OF_MEMORY * free or (values.dtype.kind == "u" and values.dtype.itemsize > 1):
        return None
    return torch.tensor(values).to(device)


def _as_float(values: Tensor, inputs: Arrays) -> Tensor:
    """Return what `inputs` do to values, `(batch, time, ...)`, on their device and time first."""
    found = values.transpose(0, 1).float()
    if inputs.full_scale != 1:
        found = found / found.new_tensor(inputs.full_scale)
    if inputs.mean:
        found = found - found.new_tensor(inputs.mean)[:, None, None]
    if inputs.std:
        found = found / found.new_tensor(inputs.std)[:, None, None]
    return found.contiguous()
