"""The shape of a sample, and the class of its elements: what a space has to know of the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

from evonas.errors import SpaceError

Element = Literal["binary", "graded", "real"]
"""What an element of the data is: 0 or 1, a whole number (of events), or any number."""


class InputShape(tuple[Any, ...]):
    """Shape of a sample: a tuple that equals the plain one, with the class of its elements.

    `(channels, height, width)` of static images, `(time, channels, height, width)` of frames, one a time step. A time
    of None stands for as many frames as the network has time steps.

    Args:
        shape: The numbers. An `InputShape` keeps its element.
        element: By default, images are real and frames graded.

    Raises:
        SpaceError: If the shape has neither 3 nor 4 numbers, or there is no such element.

    Example:
        >>> InputShape((1, 28, 28)).element
        'real'
        >>> frames = InputShape((None, 2, 34, 34), "binary")
        >>> frames.image, frames.is_static, frames.takes(7)
        ((2, 34, 34), False, True)
    """

    element: Element

    def __new__(cls, shape: Sequence[int | None], element: Element | None = None) -> InputShape:
        """Return the shape."""
        if len(shape) not in (3, 4):
            raise SpaceError(
                "The shape of the data must be (channels, height, width), or (time, channels, height, width) for event "
                f"frames, got {tuple(shape)}."
            )
        if element is not None and element not in get_args(Element):
            raise SpaceError(f"The elements of the data are {element!r}, expected {', '.join(get_args(Element))}.")
        made = super().__new__(cls, shape)
        made.element = element or getattr(shape, "element", None) or ("real" if len(shape) == 3 else "graded")
        return made

    def __getnewargs__(self) -> tuple[Any, ...]:
        """Return what makes the same shape again: pickle asks for it."""
        return tuple(self), self.element

    @property
    def is_static(self) -> bool:
        """Whether a sample is the same at each time step."""
        return len(self) == 3

    @property
    def frames(self) -> int | None:
        """Frames of each sample, None for static images and where there are as many as time steps."""
        return None if self.is_static else self[0]

    @property
    def image(self) -> tuple[int, int, int]:
        """`(channels, height, width)` of one time step."""
        channels, height, width = self[-3:]
        return channels, height, width

    def takes(self, time_steps: int) -> bool:
        """Return whether a network of so many time steps can see these data."""
        return self.frames in (None, time_steps)
