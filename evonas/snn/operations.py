"""The torch modules of connections: they turn outputs of populations into currents of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, linear, max_pool2d, pad

from evonas.architecture.constant import Constant
from evonas.architecture.gate import GATES
from evonas.architecture.plan import PlannedConnection, unknown_operation
from evonas.errors import SpaceError
from evonas.snn.gates import Gating
from evonas.snn.kernels.event_convolution import convolve

FEW_CHANNELS = 8
"""Below this, torch's batch norm on a CPU takes three times as long where channels come last."""


class Operation(Protocol):
    """Module of a connection: maps images to currents, `(image, c, h, w)` or `(image, classes)`.

    The images are the `(time x batch, c, h, w)` outputs of a population, `(batch, c, h, w)` where it is static. Time is
    folded into the batch, so the statistics of a batch norm are over time as well.
    """

    @property
    def weight(self) -> Tensor | None:
        """Weights of the synapses in the shape of `conv2d` or `linear`; None where all are one constant.

        A synapse whose weight is zero delivers nothing, and is not counted.
        """

    def __call__(self, images: Tensor) -> Tensor:
        """Return the current."""


class ConvNorm(nn.Module):
    """Convolution without bias, normalised over the batch."""

    def __init__(self, planned: PlannedConnection) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            planned.in_shape[0],
            planned.out_shape[0],
            planned.kernel,
            stride=planned.stride,
            padding=planned.padding,
            groups=planned.groups,
            bias=False,
        )
        # outputs and all that follows are channels last then, which is faster
        self.conv.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.norm = nn.BatchNorm2d(planned.out_shape[0])
        _begin_at(self.norm.weight, planned.gain)
        self._of_spikes = planned.element == "binary" and planned.groups == 1

    @property
    def weight(self) -> Tensor:
        """Weights of the convolution."""
        return self.conv.weight

    def forward(self, images: Tensor) -> Tensor:
        """Return the `(image, c, h, w)` convolution, normalised."""
        if not self._of_spikes:
            return self._normalised(self.conv(images))
        stride, padding = self.conv.stride[0], int(self.conv.padding[0])
        return self._normalised(convolve(images, self.conv.weight, stride=stride, padding=padding))

    def _normalised(self, sums: Tensor) -> Tensor:
        if self.conv.out_channels >= FEW_CHANNELS or not sums.is_cpu:
            return self.norm(sums)  # type: ignore[no-any-return]
        return self.norm(sums.contiguous()).contiguous(memory_format=torch.channels_last)  # type: ignore[no-any-return]


class Norm(nn.Module):
    """Batch norm of each channel by itself, `(image, c, h, w)`: in front of neurons, of a current or of spikes."""

    def __init__(self, planned: PlannedConnection) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(planned.out_shape[0])
        _begin_at(self.norm.weight, planned.gain)

    @property
    def weight(self) -> Tensor:
        """The trained factors of the channels, as a depthwise convolution of `(channels, 1, 1, 1)` weights."""
        return self.norm.weight[:, None, None, None]

    def forward(self, images: Tensor) -> Tensor:
        """Return the images, normalised."""
        return self.norm(images)  # type: ignore[no-any-return]


@torch.no_grad()
def _begin_at(factors: Tensor, gain: Constant) -> None:
    """Let the `(c,)` factors of a norm begin at a gain."""
    factors.copy_(torch.tensor(gain))


def _set_gain(operation: nn.Module, gain: Constant) -> None:
    """Give an operation its attribute `gain`: a number, or the `(c, 1, 1)` numbers of channels, which move with it."""
    if isinstance(gain, tuple):
        operation.register_buffer("gain", torch.tensor(gain)[:, None, None], persistent=False)
    else:
        operation.gain = gain  # type: ignore[assignment]


class AveragePool(nn.Module):
    """Mean over a square window, times the gain; zeros beyond the border count, so each spike has the same weight."""

    weight = None
    gain: float | Tensor

    def __init__(self, planned: PlannedConnection) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = planned.kernel, planned.stride, planned.padding
        sides = zip(planned.out_shape[1:], planned.in_shape[1:], strict=True)
        missing = [(out - 1) * self.stride + self.kernel - 2 * self.padding - side for out, side in sides]
        self.beyond = [max(pixels, 0) for pixels in missing]  # rows and columns of windows that the border cuts off
        window = torch.full((planned.out_shape[0], 1, self.kernel, self.kernel), 1 / self.kernel**2)
        self.window: Tensor
        self.register_buffer("window", window.to(memory_format=torch.channels_last), persistent=False)
        _set_gain(self, planned.gain)

    def forward(self, images: Tensor) -> Tensor:
        """Return the `(image, c, h, w)` means."""
        if any(self.beyond):
            images = pad(images, (0, self.beyond[1], 0, self.beyond[0]))
        if not images.is_cpu:
            return self.gain * avg_pool2d(images, self.kernel, self.stride, self.padding, count_include_pad=True)
        # on a CPU a convolution takes a third of the time
        groups = self.window.shape[0]
        return self.gain * conv2d(images, self.window, stride=self.stride, padding=self.padding, groups=groups)


class MaxPool(nn.Module):
    """Largest element of a square window: of spikes, whether there is one. What lies beyond the border never wins.

    The gradient goes to the largest element, the first of equal ones.
    """

    weight = None

    def __init__(self, planned: PlannedConnection) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = planned.kernel, planned.stride, planned.padding

    def forward(self, images: Tensor) -> Tensor:
        """Return the `(image, c, h, w)` largest elements."""
        # ceil_mode keeps windows that the border cuts off; those of odd kernels with padding never are
        return max_pool2d(images, self.kernel, self.stride, self.padding, ceil_mode=not self.padding)


class Resize(nn.Module):
    """Nearest elements: one of so many rows and columns, from the first on, or each of them several times.

    Where the stride divides height and width, it is nearest interpolation. The gradient of an element is the sum of
    those of its copies, and 0 where it was not picked.
    """

    weight = None

    def __init__(self, planned: PlannedConnection) -> None:
        super().__init__()
        self.stride, self.repeats = planned.stride, planned.repeats

    def forward(self, images: Tensor) -> Tensor:
        """Return the `(image, c, h, w)` elements."""
        if self.repeats == 1:
            return images[..., :: self.stride, :: self.stride]
        return images.repeat_interleave(self.repeats, -2).repeat_interleave(self.repeats, -1)


class Skip(nn.Module):
    """The images themselves, times the gain."""

    weight = None
    gain: float | Tensor

    def __init__(self, planned: PlannedConnection) -> None:
        super().__init__()
        _set_gain(self, planned.gain)

    def forward(self, images: Tensor) -> Tensor:
        """Return the images, times the gain."""
        return self.gain * images


class SpatialMeanLinear(nn.Module):
    """Linear layer without bias on the mean over space: `(image, c, h, w)` to `(image, classes)`.

    Equals a linear layer on all positions, in which the weight of a channel, times the gain over the number of
    positions, is shared by its positions: each spike reaches each class.
    """

    def __init__(self, planned: PlannedConnection) -> None:
        super().__init__()
        self.linear = nn.Linear(planned.in_shape[0], planned.out_shape[0] * planned.votes, bias=False)
        self.gain, self.votes = planned.one_gain, planned.votes

    @property
    def weight(self) -> Tensor:
        """Weights of the linear layer, `(classes, c)`, the mean of all votes."""
        return elected(self.linear.weight, self.votes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the `(image, classes)` products."""
        means = images.sum((-2, -1)) / (images.shape[-2] * images.shape[-1])
        return self.gain * linear(means, self.weight)


class DenseNorm(nn.Module):
    """Linear layer without bias on all positions, normalised: `(image, c, h, w)` to `(image, c, 1, 1)`."""

    def __init__(self, planned: PlannedConnection) -> None:
        super().__init__()
        self.linear = nn.Linear(planned.fan_in, planned.out_shape[0], bias=False)
        self.norm = nn.BatchNorm2d(planned.out_shape[0])
        _begin_at(self.norm.weight, planned.gain)

    @property
    def weight(self) -> Tensor:
        """Weights of the linear layer, `(channels, c * h * w)`, the positions of a channel side by side."""
        return self.linear.weight

    def forward(self, images: Tensor) -> Tensor:
        """Return the `(image, c, 1, 1)` products, normalised."""
        return self.norm(self.linear(images.flatten(1))[..., None, None])  # type: ignore[no-any-return]


class FlatLinear(nn.Module):
    """Linear layer without bias on all positions: `(image, c, h, w)` to `(image, classes)`, times the gain."""

    def __init__(self, planned: PlannedConnection) -> None:
        super().__init__()
        self.linear = nn.Linear(planned.fan_in, planned.out_shape[0] * planned.votes, bias=False)
        self.gain, self.votes = planned.one_gain, planned.votes

    @property
    def weight(self) -> Tensor:
        """Weights, `(classes, c * h * w)`, the positions of a channel side by side: the mean of all votes."""
        return elected(self.linear.weight, self.votes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the `(image, classes)` products."""
        return self.gain * linear(images.flatten(1), self.weight)


def elected(weight: Tensor, votes: int) -> Tensor:
    """Return `(classes, inputs)`, the mean of the `votes` rows side by side of each class.

    The mean of linear outputs is the output of their mean weights, so that a vote without neurons costs nothing once
    the network is trained.
    """
    return weight if votes == 1 else weight.unflatten(0, (-1, votes)).mean(1)


class Vote(nn.Module):
    """Mean of each group of channels side by side: `(image, c, 1, 1)` to `(image, classes)`, times the gain.

    Source: the voting layer of Fang et al., Incorporating learnable membrane time constant to enhance learning of
    spiking neural networks, ICCV 2021.
    """

    weight = None

    def __init__(self, planned: PlannedConnection) -> None:
        super().__init__()
        self.classes, self.gain = planned.out_shape[0], planned.one_gain

    def forward(self, images: Tensor) -> Tensor:
        """Return the `(image, classes)` means."""
        means: Tensor = images.flatten(1).unflatten(1, (self.classes, -1)).mean(2)
        return self.gain * means


def has_positions(planned: PlannedConnection) -> bool:
    """Return whether the currents of a connection are `(image, c, h, w)`, and not `(image, classes)`."""
    return planned.operation not in ("linear", "flat_linear", "vote")


def make_operation(planned: PlannedConnection) -> nn.Module:
    """Return the module of a connection, an `Operation`; its weights are drawn from torch's global generator.

    Raises:
        SpaceError: If the operation is unknown.
    """
    made = _MODULES.get(planned.operation)
    if made is None:
        raise SpaceError(unknown_operation(planned.operation, name=planned.name))
    return made(planned)


_MODULES: dict[str, Callable[[PlannedConnection], nn.Module]] = {
    "conv": ConvNorm,
    "dense": DenseNorm,
    "norm": Norm,
    "linear": SpatialMeanLinear,
    "flat_linear": FlatLinear,
    "vote": Vote,
    "pool": AveragePool,
    "max_pool": MaxPool,
    "resize": Resize,
    "skip": Skip,
    **dict.fromkeys(GATES, Gating),
}
