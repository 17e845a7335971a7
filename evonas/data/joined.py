"""Joined inputs: those of two parts of a data set, one behind the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from evonas.data.inputs import Inputs
from evonas.input_shape import Element


@dataclass(frozen=True, eq=False)
class Joined:
    """Inputs of the same shape and kind, those of `second` behind those of `first`.

    Attributes:
        first: Their positions stay what they are.
        second: Their positions come behind.

    Example:
        >>> from evonas.data.arrays import Arrays
        >>> both = Joined(Arrays(np.zeros((2, 1, 1, 1, 1))), Arrays(np.ones((3, 1, 1, 1, 1))))
        >>> both.batch(np.array([4, 0]), time_steps=1, rng=np.random.default_rng(0)).ravel()
        array([1., 0.], dtype=float32)
    """

    first: Inputs
    second: Inputs

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    @property
    def shape(self) -> tuple[int | None, int, int, int]:
        """`(time, channels, height, width)` of a sample."""
        return self.first.shape

    @property
    def element(self) -> Element:
        """What the first layer of a network reads."""
        return self.first.element

    @property
    def seconds(self) -> float | None:
        """How long a sample lasts on average; None where it has no duration."""
        parts = [(part.seconds, len(part)) for part in (self.first, self.second)]
        if any(seconds is None for seconds, _ in parts):
            return None
        return sum(float(seconds or 0) * samples for seconds, samples in parts) / len(self)

    def take(self, index: np.ndarray) -> Joined:
        """Return the samples at `index`, those of the first part before those of the second."""
        of_first, of_second = self._parts(index)
        return Joined(self.first.take(of_first), self.second.take(of_second))

    def measured(self) -> Joined:
        """Return the samples without what training does to vary them."""
        return Joined(self.first.measured(), self.second.measured())

    def digest(self, into: Any) -> None:
        """Give both parts to a hash of `hashlib`."""
        self.first.digest(into)
        self.second.digest(into)

    def batch(self, index: np.ndarray, *, time_steps: int, rng: np.random.Generator) -> np.ndarray:
        """Return the `(time, batch, channels, height, width)` float32 values of the samples at `index`.

        Args:
            index: `(batch,)` positions.
            time_steps: Time steps of the network.
            rng: Gives each part the seed of its own draws.
        """
        is_first = index < len(self.first)
        generators = [np.random.default_rng(int(seed)) for seed in rng.integers(2**63, size=2)]
        batch: np.ndarray | None = None
        for part, where, own, draws in zip(
            (self.first, self.second), (is_first, ~is_first), self._parts(index), generators, strict=True
        ):
            if len(own):
                values = part.batch(own, time_steps=time_steps, rng=draws)
                if batch is None:
                    batch = np.empty((values.shape[0], len(index), *values.shape[2:]), values.dtype)
                batch[:, where] = values
        if batch is None:
            return self.first.batch(index, time_steps=time_steps, rng=rng)  # of no samples
        return batch

    def _parts(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return index[index < len(self.first)], index[index >= len(self.first)] - len(self.first)
