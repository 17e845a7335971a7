"""Gates of attention as plain numbers: what is summed up, which small layer scores it, and how much arithmetic that is.

A gate multiplies what neurons send by a value for each channel, position or time step. Its own arithmetic is counted
like that of any connection: each element is added to the summaries and compared with the largest so far, small layers
score the summaries, and each element is multiplied.

Source: Wang et al., ECA-Net (CVPR 2020), equations 4 to 6, for `"eca"`; Woo et al., CBAM (ECCV 2018), equations 2 and
3, for `"channel"` and `"spatial"`; `"temporal"` is the first of these over time steps in the place of channels, as in
Yao et al. (ICCV 2021). Binary gates are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from evonas.errors import SpaceError
from evonas.measurement import Shape

KINDS = ("eca", "channel", "spatial", "temporal")
"""What a gate has a value for: each channel (two ways to score them), each position, or each time step."""

ELEMENTS = ("real", "binary")
"""The values of a gate: between 0 and 1 (sigmoid), or 0 and 1 alone."""

GATES = {f"{element}_{kind}": (kind, element) for element in ELEMENTS for kind in KINDS}
"""The operations that are gates: kind and values."""

KERNELS = {"eca": 3, "spatial": 7}
"""Kernels of the papers."""

KEEPING = tuple(name for name, (_, element) in GATES.items() if element == "binary")
"""The gates that let elements through or not, and leave them what they are."""


def is_gate(operation: str) -> bool:
    """Return whether a connection multiplies its input by a gate.

    Example:
        >>> is_gate("binary_eca"), is_gate("conv")
        (True, False)
    """
    return operation in GATES


def is_temporal(operation: str) -> bool:
    """Return whether a connection is a gate over time steps, which waits for the last one: it is not causal."""
    return is_gate(operation) and GATES[operation][0] == "temporal"


@dataclass(frozen=True)
class Gate:
    """A gate.

    Attributes:
        kind: One of `KINDS`: `"eca"` convolves the means of neighbouring channels; `"channel"` and `"temporal"` have a
            perceptron of two layers, the same for means and maxima, over channels or time steps; `"spatial"` convolves
            the maps of means and maxima over channels.
        element: One of `ELEMENTS`.
        length: Channels or time steps that a perceptron reads; 0 for the others.
        kernel: Side of the kernel of `"eca"` and `"spatial"`, odd; 1 for the others.
        hidden: Hidden units of the perceptron; 0 for the others.

    Raises:
        SpaceError: If there is no such gate, or its kernel has no centre.

    Example:
        >>> Gate("eca", "real", kernel=3).dense((4, 2, 2))  # 16 are added, 10 meet the kernel, 16 are multiplied
        42
    """

    kind: str
    element: str
    length: int = 0
    kernel: int = 1
    hidden: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.element not in ELEMENTS:
            raise SpaceError(
                f"A gate is one of {', '.join(KINDS)} with values that are {' or '.join(ELEMENTS)}, got {self.kind!r} "
                f"and {self.element!r}."
            )
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise SpaceError(f"The kernel of a gate must be odd, so that it has a centre, got {self.kernel}.")

    @property
    def summaries(self) -> int:
        """Numbers that each element goes into: a mean, and but for `"eca"` a maximum."""
        return _summaries(self.kind)

    @property
    def weights(self) -> int:
        """Stored weights of its small layers; the published ones have no biases."""
        if self.hidden:
            return 2 * self.length * self.hidden
        return self.kernel if self.kind == "eca" else 2 * self.kernel**2

    def dense(self, shape: Shape) -> int:
        """Return its operations of a time step where nothing is zero.

        Args:
            shape: `(channels, height, width)` of what is multiplied.
        """
        channels, height, width = shape
        return (self.summaries + 1) * channels * height * width + self._scoring(channels, height, width)

    def fan_in(self, shape: Shape) -> int:
        """Return how many elements decide on one output at most; arguments as for `dense`."""
        channels, height, width = shape
        if self.kind == "eca":
            return max(taps(channels, self.kernel)) * height * width
        if self.kind == "spatial":
            return channels * max(taps(height, self.kernel)) * max(taps(width, self.kernel))
        return channels * height * width * (self.length if self.kind == "temporal" else 1)

    def _scoring(self, channels: int, height: int, width: int) -> int:
        if self.kind == "eca":
            return sum(taps(channels, self.kernel))
        if self.kind == "spatial":
            return 2 * sum(taps(height, self.kernel)) * sum(taps(width, self.kernel))
        whole = 4 * self.length * self.hidden  # two layers, each for means and for maxima
        return whole // self.length if self.kind == "temporal" else whole


def planned_gate(operation: str, *, shape: Shape, time_steps: int, kernel: int, reduction: int) -> Gate:
    """Return the gate that an operation stands for.

    Args:
        operation: One of `GATES`.
        shape: `(channels, height, width)` of what is multiplied.
        time_steps: Time steps of each sample.
        kernel: Of the convolution; 1 is that of the papers, 3 for `"eca"` and 7 for `"spatial"`.
        reduction: Channels or time steps for each hidden unit of the perceptron; there is one unit at least.

    Raises:
        SpaceError: If the kernel has no centre, or there is less than one channel for a hidden unit.
    """
    kind, element = GATES[operation]
    if kind in KERNELS:
        return Gate(kind, element, kernel=KERNELS[kind] if kernel == 1 else kernel)
    if reduction < 1:
        raise SpaceError(f"The reduction of a gate must be 1 or more, got {reduction}.")
    length = shape[0] if kind == "channel" else time_steps
    return Gate(kind, element, length=length, hidden=max(1, length // reduction))


def passes(operation: str) -> int:
    """Return how often a gate does something with an element other than zero: for its summaries, and to multiply it.

    All other operations of a gate are those of its small layers, and read a weight.
    """
    return _summaries(GATES[operation][0]) + 1


def summary_values(operation: str, *, shape: Shape, time_steps: int) -> int:
    """Return the numbers that the summaries of a gate are made of; arguments as for `planned_gate`."""
    kind, _ = GATES[operation]
    each = {"eca": shape[0], "channel": shape[0], "spatial": shape[1] * shape[2], "temporal": time_steps}
    return _summaries(kind) * each[kind]


def _summaries(kind: str) -> int:
    return 1 if kind == "eca" else 2


def taps(size: int, kernel: int) -> list[int]:
    """Return, for each position along an axis, how many elements of a centred kernel fall on the axis.

    Example:
        >>> taps(4, 3)
        [2, 3, 3, 2]
    """
    reach = kernel // 2
    return [min(position + reach, size - 1) - max(position - reach, 0) + 1 for position in range(size)]
