"""Samples: inputs and the label of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from evonas.data.arrays import Arrays
from evonas.data.inputs import Inputs
from evonas.errors import DataError


@dataclass(frozen=True, init=False, eq=False)
class Samples:
    """Images or recordings with their labels.

    Args:
        inputs: `Inputs`, or an array of `(samples, time, channels, height, width)` numbers; static images have time 1.
        labels: `(samples,)`: in a `SearchData` int64 class indices, in a `DataSet` whole numbers or texts as they come.

    Raises:
        DataError: If there are inputs of different shapes.
    """

    inputs: Inputs
    labels: np.ndarray

    def __init__(self, inputs: Inputs | Any, labels: np.ndarray) -> None:
        if not isinstance(inputs, Inputs):
            try:
                inputs = Arrays(np.asarray(inputs))
            except (TypeError, ValueError) as error:  # lists of different lengths, values that are no numbers
                raise DataError(
                    f"The samples are no arrays of one shape ({error}); expected as many values for each."
                ) from error
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "labels", labels)

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: np.ndarray) -> Samples:
        """Return the samples at `index`."""
        return Samples(self.inputs.take(index), self.labels[index])

    def measured(self) -> Samples:
        """Return the samples as they are measured: without what training does to vary them."""
        return Samples(self.inputs.measured(), self.labels)
