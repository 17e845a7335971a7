"""Gates of attention in torch: what neurons send, times a value for each channel, position or time step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, conv2d

from evonas.architecture.gate import Gate
from evonas.architecture.plan import PlannedConnection
from evonas.errors import SpaceError

OPEN = -1.0
"""Where the threshold of binary gates begins: scores are near zero at first, so that all are open."""


class _Scorer(Protocol):
    """The small layers of a gate."""

    def __call__(self, images: Tensor) -> Tensor:
        """Return the scores of `(image, c, h, w)` images, of a shape that is repeated to theirs."""

    def macs(self, images: Tensor) -> Tensor:
        """Return the `(image,)` multiply-accumulates with inputs and weights other than zero, in float64."""


class Gating(nn.Module):
    """Elements times the gate's values: the sigmoid of scores, or for a binary gate whether they are above a threshold.

    The threshold of a binary gate is trained, as its weights are: the gradient of the step is that of the sigmoid
    (straight-through, Bengio et al., arXiv 1308.3432). Binary gates begin open. Weights are drawn from torch's global
    generator, as those of its layers are by default.

    Args:
        planned: The connection, with its gate.
    """

    weight = None  # it has no synapses: `counts` tells what it does

    def __init__(self, planned: PlannedConnection) -> None:
        super().__init__()
        if planned.gate is None:
            raise SpaceError(f"The connection {planned.name!r} has no gate.")
        self.gate = planned.gate
        self.scorer = _SCORERS[self.gate.kind](self.gate)
        if self.gate.element == "binary":
            self.threshold = nn.Parameter(torch.tensor(OPEN))

    def forward(self, images: Tensor) -> Tensor:
        """Return the `(image, c, h, w)` products."""
        return images * self.values(images)

    def values(self, images: Tensor) -> Tensor:
        """Return the gate, of a shape that is repeated to that of the images."""
        scores: Tensor = self.scorer(images)
        if self.gate.element == "real":
            return scores.sigmoid()
        soft = (scores - self.threshold).sigmoid()
        return (scores > self.threshold).to(soft.dtype) + (soft - soft.detach())  # exactly 0 or 1

    @torch.no_grad()
    def counts(self, images: Tensor, *, element: str) -> tuple[Tensor, Tensor]:
        """Return the `(image,)` synaptic events and multiply-accumulates that images cause.

        Each element other than zero goes into the summaries and through the gate: of spikes, both add up or hand on,
        which are events; a real gate multiplies, and all of real or graded elements is arithmetic.

        Args:
            images: `(image, c, h, w)`.
            element: Their class.
        """
        sent, scoring = torch.count_nonzero(images.flatten(1), dim=1), self.scoring(images).long()
        if element != "binary":
            return torch.zeros_like(sent), (self.gate.summaries + 1) * sent + scoring
        if self.gate.element == "binary":
            return (self.gate.summaries + 1) * sent, scoring
        return self.gate.summaries * sent, sent + scoring

    @torch.no_grad()
    def scoring(self, images: Tensor) -> Tensor:
        """Return the `(image,)` multiply-accumulates of the small layers, in float64."""
        return cast(_Scorer, self.scorer).macs(images)


class _NeighbouringChannels(nn.Module):
    """The means of channels, convolved along them."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, gate.kernel, padding=gate.kernel // 2, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        means = images.mean((-2, -1))
        return cast(Tensor, self.conv(means[:, None]))[:, 0, :, None, None]

    def macs(self, images: Tensor) -> Tensor:
        means = images.mean((-2, -1))[:, None]
        met = conv1d(_nonzero(means), _nonzero(self.conv.weight), padding=self.conv.kernel_size[0] // 2)
        return met.sum((1, 2)).round()


class _Maps(nn.Module):
    """The maps of means and maxima over channels, convolved."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, gate.kernel, padding=gate.kernel // 2, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        return cast(Tensor, self.conv(_mean_and_maximum(images)))

    def macs(self, images: Tensor) -> Tensor:
        maps = _mean_and_maximum(images)
        met = conv2d(_nonzero(maps), _nonzero(self.conv.weight), padding=self.conv.kernel_size[0] // 2)
        return met.sum((1, 2, 3)).round()


class _Perceptron(nn.Module):
    """Two layers without biases, the same for the means and the maxima of what they read; the scores are the sums."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.first = nn.Linear(gate.length, gate.hidden, bias=False)
        self.second = nn.Linear(gate.hidden, gate.length, bias=False)

    def scores(self, means: Tensor, maxima: Tensor) -> Tensor:
        """Return the `(row, length)` scores of means and maxima of this shape."""
        return cast(Tensor, self.second(self._hidden(means)) + self.second(self._hidden(maxima)))

    def work(self, means: Tensor, maxima: Tensor) -> Tensor:
        """Return `(row, length)` multiply-accumulates: those that read an input, and those that lead to a score."""
        read, led = _nonzero(self.first.weight).sum(0), _nonzero(self.second.weight)
        sums = [_nonzero(given) * read + _nonzero(self._hidden(given)) @ led.T for given in (means, maxima)]
        return (sums[0] + sums[1]).round()

    def _hidden(self, given: Tensor) -> Tensor:
        return cast(Tensor, self.first(given)).relu()


class _Channels(_Perceptron):
    """A perceptron that reads the channels of an image."""

    def forward(self, images: Tensor) -> Tensor:
        return self.scores(images.mean((-2, -1)), images.amax((-2, -1)))[..., None, None]

    def macs(self, images: Tensor) -> Tensor:
        return self.work(images.mean((-2, -1)), images.amax((-2, -1))).sum(1)


class _TimeSteps(_Perceptron):
    """A perceptron that reads the time steps of a sample."""

    def forward(self, images: Tensor) -> Tensor:
        return self.scores(*self._by_sample(images)).T.flatten()[:, None, None, None]

    def macs(self, images: Tensor) -> Tensor:
        return self.work(*self._by_sample(images)).T.flatten()

    def _by_sample(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the `(batch, time)` means and maxima of `(time x batch, ...)` images."""
        samples = images.flatten(1).unflatten(0, (self.first.in_features, -1)).transpose(0, 1)
        return samples.mean(2), samples.amax(2)


def _mean_and_maximum(images: Tensor) -> Tensor:
    """Return `(image, 2, h, w)` means and maxima over channels."""
    return torch.cat([images.mean(1, keepdim=True), images.amax(1, keepdim=True)], dim=1)


def _nonzero(values: Tensor) -> Tensor:
    return (values != 0).double()


_SCORERS: dict[str, Callable[[Gate], nn.Module]] = {
    "eca": _NeighbouringChannels,
    "channel": _Channels,
    "spatial": _Maps,
    "temporal": _TimeSteps,
}
