"""What happens to outputs on their way to a membrane: the modules behind the connections of a plan."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d

from evonas.architecture.plan import PlannedConnection
from evonas.snn.kernels.event_convolution import convolve


class Scale(NamedTuple):
    """What makes a delivery a current: it is normalised by `norm`, or else multiplied by `gain`."""

    norm: nn.BatchNorm2d | None
    gain: float


class Operation(Protocol):
    """A connection: called with images, it returns its delivery, images too or `(image, classes)`.

    The images are the `(time x batch, c, h, w)` outputs of a population, `(batch, c, h, w)` where it is static.
    """

    @property
    def scale(self) -> Scale:
        """What makes the delivery a current."""

    def __call__(self, images: Tensor) -> Tensor:
        """Return the delivery."""


def scaled(delivered: Tensor, scale: Scale) -> Tensor:
    """Return the current of a delivery, shaped like it.

    Time is folded into the batch, so the statistics of a batch norm are over time as well.
    """
    current: Tensor = scale.gain * delivered if scale.norm is None else scale.norm(delivered)
    return current


class ConvNorm(nn.Module):
    """Convolution without bias, to be normalised over the batch."""

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
        # All that follows lies like this as well, which is faster.
        self.conv.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.norm = nn.BatchNorm2d(planned.out_shape[0])
        self._of_spikes = planned.element == "binary" and planned.groups == 1

    @property
    def scale(self) -> Scale:
        """The batch norm."""
        return Scale(self.norm, 1.0)

    def forward(self, images: Tensor) -> Tensor:
        """Return the `(image, c, h, w)` convolution."""
        if self._of_spikes:
            return convolve(images, self.conv.weight, stride=self.conv.stride[0], padding=int(self.conv.padding[0]))
        return self.conv(images)  # type: ignore[no-any-return]


class AveragePool(nn.Module):
    """The mean over a square window, zeros beyond the border counted in: each spike counts alike."""

    def __init__(self, planned: PlannedConnection) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = planned.kernel, planned.stride, planned.padding
        window = torch.full((planned.out_shape[0], 1, self.kernel, self.kernel), 1 / self.kernel**2)
        self.window: Tensor
        self.register_buffer("window", window.to(memory_format=torch.channels_last), persistent=False)
        self.scale = Scale(None, planned.gain)

    def forward(self, images: Tensor) -> Tensor:
        """Return the `(image, c, h, w)` means."""
        if not images.is_cpu:
            return avg_pool2d(images, self.kernel, self.stride, self.padding, count_include_pad=True)
        # as a convolution it takes a third of the time there
        return conv2d(images, self.window, stride=self.stride, padding=self.padding, groups=images.shape[1])


class Skip(nn.Module):
    """The images themselves."""

    def __init__(self, planned: PlannedConnection) -> None:
        super().__init__()
        self.scale = Scale(None, planned.gain)

    def forward(self, images: Tensor) -> Tensor:
        """Return the images."""
        return images


class SpatialMeanLinear(nn.Module):
    """Linear layer without bias on the mean over space: `(image, c, h, w)` to `(image, classes)`.

    That is one linear layer on all outputs, in which the weight of a channel is shared by its positions, times the
    gain and divided by their number: each spike reaches each class.
    """

    def __init__(self, planned: PlannedConnection) -> None:
        super().__init__()
        self.linear = nn.Linear(planned.in_shape[0], planned.out_shape[0], bias=False)
        self.scale = Scale(None, planned.gain)

    def forward(self, images: Tensor) -> Tensor:
        """Return the `(image, classes)` products."""
        return self.linear(images.sum((-2, -1)) / (images.shape[-2] * images.shape[-1]))  # type: ignore[no-any-return]


def make_operation(planned: PlannedConnection) -> nn.Module:
    """Return the module of a connection; its weights are drawn from torch's global generator."""
    match planned.operation:
        case "conv":
            return ConvNorm(planned)
        case "pool":
            return AveragePool(planned)
        case "linear":
            return SpatialMeanLinear(planned)
    return Skip(planned)
