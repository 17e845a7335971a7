"""Options of the readers of images: how values become spikes, and how training varies images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal, TypedDict

from evonas.data.arrays import Arrays
from evonas.data.augmentation import Augmentation
from evonas.data.dataset import DataSet
from evonas.data.encoding import Encoded
from evonas.data.samples import Samples
from evonas.errors import DataError, OptionError
from evonas.options import Flag, Number, OneOf, OptionRule, Whole, settle

_MOST_PIXELS = 10_000


class ImageOptions(TypedDict, total=False):
    """Options of every reader of images.

    Attributes:
        encoding: What a network sees: the values at each step (`"direct"`); spikes drawn anew at each step, with the
            value as their probability (`"rate"`); one spike, the earlier the larger the value (`"latency"`); a spike
            wherever the value exceeds those so far by `delta_threshold` (`"delta"`).
        delta_threshold: What a spike of `"delta"` is worth.
        normalise: Whether each channel gets mean 0 and deviation 1, those of the training part; `"direct"` only.
        flip: Whether training mirrors every other image, left to right.
        crop: Training adds so many zeros at each border and cuts a part of the former size out at random.
        cutout: Side in pixels of a square at a random place of each image that training sets to 0; 0 for none.
    """

    encoding: Literal["direct", "rate", "latency", "delta"]
    delta_threshold: float
    normalise: bool
    flip: bool
    crop: int
    cutout: int


@dataclass(frozen=True)
class ImageSettings:
    """The options that were given, and the defaults of the others; see `ImageOptions`.

    Raises:
        OptionError: If one has no such value, or two do not go together, with a sentence for each.
    """

    encoding: str = "direct"
    delta_threshold: float = 0.1
    normalise: bool = False
    flip: bool = False
    crop: int = 0
    cutout: int = 0

    def __post_init__(self) -> None:
        settle(self, _RULES)
        if self.normalise and self.encoding != "direct":
            raise OptionError(
                [
                    f'normalise: got true with encoding = "{self.encoding}", which makes spikes of values from 0 to 1; '
                    "leave one of them out"
                ]
            )

    def applied(self, dataset: DataSet) -> DataSet:
        """Return the data set as these options want its images.

        Raises:
            DataError: If its values are not from 0 to 1 and are to become spikes.
        """
        if self == ImageSettings():
            return dataset
        parts = {
            field.name: Samples(self._inputs(part.inputs), part.labels)
            for field in fields(dataset)
            if isinstance(part := getattr(dataset, field.name), Samples)
        }
        return replace(dataset, **parts, normalise=self.normalise)  # type: ignore[arg-type]

    def _inputs(self, inputs: object) -> Arrays | Encoded:
        if not isinstance(inputs, Arrays):
            raise DataError(f"Options of images are for arrays, got {type(inputs).__name__}; give them once.")
        variation = Augmentation(self.flip, self.crop, self.cutout)
        varied = replace(inputs, variation=None if variation == Augmentation() else variation)
        if self.encoding == "direct":
            return varied
        return Encoded(varied, self.encoding, self.delta_threshold)  # type: ignore[arg-type]


_RULES: Mapping[str, OptionRule] = {
    "encoding": OneOf(("direct", "rate", "latency", "delta")),
    "delta_threshold": Number(0.001, 1),
    "normalise": Flag(),
    "flip": Flag(),
    "crop": Whole(0, _MOST_PIXELS),
    "cutout": Whole(0, _MOST_PIXELS),
}
