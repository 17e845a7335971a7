"""What a search sees of a data set: training and validation samples, and what is learnt."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evonas.data.samples import Samples
from evonas.input_shape import InputShape
from evonas.task import Task


@dataclass(frozen=True)
class SearchData:
    """What a search may see: it holds no test samples, and no way to them.

    Attributes:
        train: Samples that networks are trained on.
        validation: Samples that they are measured on.
        task: What is learnt.
        notes: Sentences for people about what is allowed but perhaps not intended.
    """

    train: Samples
    validation: Samples
    task: Task
    notes: tuple[str, ...] = ()

    @property
    def frames(self) -> int | None:
        """Frames of a sample, one a time step; None where networks of any number of time steps can see the data."""
        return self.input_shape.frames

    @property
    def input_shape(self) -> InputShape:
        """`(channels, height, width)` of static images, `(time, channels, height, width)` of frames, with the element.

        A time of None stands for as many frames as a network has time steps.
        """
        inputs = self.train.inputs
        return InputShape(inputs.shape[1:] if inputs.shape[0] == 1 else inputs.shape, inputs.element)

    @property
    def seconds(self) -> float | None:
        """How long a sample lasts on average, in seconds; None where it has no duration, such as an image."""
        return self.train.inputs.seconds

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, of everything a search sees: the same for the same data on every machine."""
        digest = hashlib.sha256(self.task.summary.encode())
        for part in (self.train, self.validation):
            part.inputs.digest(digest)
            digest.update(f" {part.labels.dtype.str} {part.labels.shape} ".encode())
            digest.update(np.ascontiguousarray(part.labels).data)
        return digest.hexdigest()
