"""What networks see, in the type in which it came: it becomes float on the way into a batch."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np

from evonas.input_shape import Element


@runtime_checkable
class Inputs(Protocol):
    """Inputs of samples, without their labels. `evonas.data.arrays.Arrays` are the plain kind.

    They are picklable, and their arrays are only read: workers on one machine share them.
    """

    @property
    def shape(self) -> tuple[int | None, int, int, int]:
        """`(time, channels, height, width)` of a sample.

        Static images have time 1; a time of None stands for as many frames as a network has time steps.
        """

    @property
    def element(self) -> Element:
        """What the first layer of a network reads: `"real"` numbers, `"graded"` counts or `"binary"` spikes."""

    @property
    def seconds(self) -> float | None:
        """How long a sample lasts on average, in seconds; a network of n time steps sees 1/n of it in each.

        None where a sample has no duration, such as an image.
        """

    def __len__(self) -> int:
        """Return the number of samples."""

    def take(self, index: np.ndarray) -> Inputs:
        """Return the samples at `index`, and no way to the others."""

    def measured(self) -> Inputs:
        """Return the same samples as they are measured: without what training does to vary them."""

    def digest(self, into: Any) -> None:
        """Give everything that decides the batches to a hash of `hashlib`: the same on every machine."""

    def batch(self, index: np.ndarray, *, time_steps: int, rng: np.random.Generator) -> np.ndarray:
        """Return the `(time, batch, channels, height, width)` float32 values of the samples at `index`.

        Args:
            index: `(batch,)` positions.
            time_steps: Time steps of the network; the batch has as many, or time 1 where samples are static.
            rng: Of all draws, where there are any. Which values a sample gets may depend on the generator and the
                position of the sample, not on the others in the batch.
        """
