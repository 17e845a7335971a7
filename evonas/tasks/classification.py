"""Classification: one of several classes for each sample, by the cross entropy of as many logits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evonas.options import shown
from evonas.task import Constant, Metric, binomial_error
from evonas.tasks.reliability import Reliability

if TYPE_CHECKING:
    from torch import Tensor

ACCURACY = Metric("accuracy", "max", unit="fraction", low=0.0, high=1.0, sampling_error=binomial_error)
"""Fraction of samples classified correctly."""

LOSS = Metric("loss", "min", unit="nat", low=0.0)
"""Mean cross entropy."""

BALANCED_ACCURACY = Metric("balanced_accuracy", "max", unit="fraction", low=0.0, high=1.0)
"""Mean over classes of the fraction of their samples classified correctly; classes without samples are left out."""


@dataclass(frozen=True)
class Classification:
    """Which class a sample belongs to; targets are `(samples,)` int64 classes.

    Attributes:
        outputs: Number of classes.
        labels: The label of each class in the data; empty where unknown.

    Example:
        >>> Classification(3).answer_shape, [metric.name for metric in Classification(3).metrics]
        ((3,), ['accuracy', 'loss', 'balanced_accuracy'])
    """

    outputs: int
    labels: tuple[int | str, ...] = ()

    @property
    def answer_shape(self) -> tuple[int, ...]:
        """`(classes,)` logits."""
        return (self.outputs,)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Accuracy, loss and balanced accuracy."""
        return ACCURACY, LOSS, BALANCED_ACCURACY

    @property
    def smooths_labels(self) -> bool:
        """Labels can be smoothed."""
        return True

    @property
    def summary(self) -> str:
        """Number of classes."""
        return f"{self.outputs} classes"

    @property
    def about(self) -> Mapping[str, Any]:
        """The labels."""
        return {"class_labels": list(self.labels)}

    def loss(self, answers: Tensor, targets: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
        """Return the mean cross entropy of `(batch, classes)` logits in nats.

        Args:
            answers: The logits.
            targets: `(batch,)` classes.
            label_smoothing: Part of a label that is spread evenly over all classes.
        """
        from torch.nn.functional import cross_entropy

        return cross_entropy(answers, targets, label_smoothing=label_smoothing)

    def squared_error(self, answers: Tensor, targets: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
        """Return the mean squared error of `(batch, classes)` rates against 1 for the class and 0 for the others.

        Args:
            answers: The rates.
            targets: `(batch,)` classes.
            label_smoothing: Part of a label that is spread evenly over all classes.
        """
        from torch.nn.functional import mse_loss, one_hot

        wanted = one_hot(targets, self.outputs).to(answers.dtype)
        return mse_loss(answers, (1 - label_smoothing) * wanted + label_smoothing / self.outputs)

    def losses(self, answers: Tensor, targets: Tensor) -> Tensor:
        """Return the `(batch,)` cross entropies of `(batch, classes)` logits in nats."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(answers, targets, reduction="none")

    def tally(self) -> ClassTally:
        """Return a tally of nothing yet."""
        return ClassTally(self.outputs)

    def details(self) -> Reliability:
        """Return a tally of which classes are taken for which, and of how sure the answers are."""
        return Reliability(self.outputs)

    def constant(self, targets: np.ndarray) -> Constant:
        """Return the answer of the commonest of `(samples,)` classes."""
        by_class = np.bincount(targets, minlength=self.outputs)
        commonest = int(by_class.argmax())
        return Constant(
            shown(self.labels[commonest] if self.labels else commonest),
            {
                ACCURACY.name: float(by_class.max() / by_class.sum()),
                BALANCED_ACCURACY.name: 1 / int(np.count_nonzero(by_class)),
            },
            {ACCURACY.name: ", or trade balanced_accuracy, in which every class counts the same"},
        )


class ClassTally:
    """Hits and samples of each class, and the sum of cross entropies.

    Args:
        classes: Number of classes.
    """

    def __init__(self, classes: int) -> None:
        self._hits, self._samples = np.zeros(classes, np.int64), np.zeros(classes, np.int64)
        self._loss = 0.0

    def add(self, answers: Tensor, targets: Tensor) -> None:
        """Add a batch of `(batch, classes)` logits and its `(batch,)` classes."""
        from torch.nn.functional import cross_entropy

        self._loss += cross_entropy(answers, targets, reduction="sum").item()
        right = targets[answers.argmax(dim=1) == targets]
        self._hits += right.bincount(minlength=len(self._hits)).cpu().numpy()
        self._samples += targets.bincount(minlength=len(self._samples)).cpu().numpy()

    def metrics(self) -> dict[str, float]:
        """Return accuracy, mean loss and balanced accuracy."""
        samples = int(self._samples.sum())
        recalls = [recall for recall, _ in recalls_of(self._hits.tolist(), self._samples.tolist())]
        return {
            ACCURACY.name: int(self._hits.sum()) / samples,
            LOSS.name: self._loss / samples,
            BALANCED_ACCURACY.name: math.fsum(recalls) / len(recalls),
        }

    def counts(self) -> dict[str, tuple[int, ...]]:
        """Return the samples and the hits of each class."""
        return {"class_samples": tuple(self._samples.tolist()), "class_hits": tuple(self._hits.tolist())}


def recalls_of(hits: Sequence[int], samples: Sequence[int]) -> list[tuple[float, int]]:
    """Return, of each class with samples, the fraction of them that are hits, and their number.

    Example:
        >>> recalls_of([1, 0, 3], [2, 0, 4])
        [(0.5, 2), (0.75, 4)]
    """
    return [(hit / count, count) for hit, count in zip(hits, samples, strict=True) if count]
