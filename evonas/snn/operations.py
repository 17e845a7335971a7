"""What happens to outputs on their way to a membrane: the modules behind the connections of a plan."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from evonas.snn.event_convolution import convolve
from evonas.snn.plan import PlannedConnection


class ConvNorm(nn.Module):
    """Convolution without bias and batch norm: `(time, batch, c, h, w)` outputs to currents.

    Time is folded into the batch, so the statistics of the batch norm are over time as well.
    """

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

    def forward(self, outputs: Tensor) -> Tensor:
        """Return `(time, batch, c, h, w)` currents."""
        return self.norm(self._convolved(outputs.flatten(0, 1))).unflatten(0, outputs.shape[:2])  # type: ignore[no-any-return]

    def _convolved(self, images: Tensor) -> Tensor:
        if self._of_spikes:
            return convolve(images, self.conv.weight, stride=self.conv.stride[0], padding=int(self.conv.padding[0]))
        return self.conv(images)  # type: ignore[no-any-return]


class AveragePool(nn.Module):
    """Gain times the mean over a square window, zeros beyond the border counted in: each spike counts alike."""

    def __init__(self, planned: PlannedConnection) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = planned.kernel, planned.stride, planned.padding
        self.gain = planned.gain

    def forward(self, outputs: Tensor) -> Tensor:
        """Return `(time, batch, c, h, w)` currents."""
        means = avg_pool2d(outputs.flatten(0, 1), self.kernel, self.stride, self.padding, count_include_pad=True)
        currents: Tensor = self.gain * means.unflatten(0, outputs.shape[:2])
        return currents


class Skip(nn.Module):
    """Gain times the outputs."""

    def __init__(self, planned: PlannedConnection) -> None:
        super().__init__()
        self.gain = planned.gain

    def forward(self, outputs: Tensor) -> Tensor:
        """Return `(time, batch, c, h, w)` currents."""
        return self.gain * outputs


class SpatialMeanLinear(nn.Module):
    """Linear layer without bias on the mean over space: `(time, batch, c, h, w)` outputs to `(time, batch, classes)`.

    That is one linear layer on all outputs, in which the weight of a channel is shared by its positions, times the
    gain and divided by their number: each spike reaches each class.
    """

    def __init__(self, planned: PlannedConnection) -> None:
        super().__init__()
        self.linear = nn.Linear(planned.in_shape[0], planned.out_shape[0], bias=False)
        self.gain = planned.gain

    def forward(self, outputs: Tensor) -> Tensor:
        """Return `(time, batch, classes)` currents."""
        return self.gain * self.linear(outputs.sum((-2, -1)) / (outputs.shape[-2] * outputs.shape[-1]))  # type: ignore[no-any-return]


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
