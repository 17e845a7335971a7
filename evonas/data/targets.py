"""What the labels of a data set mean: classes, or the targets of a task as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np

from evonas.data.class_labels import LISTED, Label, coded, counts, labels_in, listed, small_classes
from evonas.errors import DataError
from evonas.options import shown
from evonas.task import Task
from evonas.tasks.classification import Classification


class Targets(Protocol):
    """What labels mean to a task, and to a fair split."""

    @property
    def task(self) -> Task:
        """What is learnt."""
        ...

    def of(self, labels: np.ndarray, *, what: str) -> np.ndarray:
        """Return the `(samples, ...)` targets that the labels stand for.

        Raises:
            DataError: If a label stands for none; `what` says what they are labels of.
        """
        ...

    def strata(self, targets: np.ndarray) -> np.ndarray:
        """Return the `(samples,)` int64 groups, each of which gives its share to every part of a split."""
        ...

    def remarks(self, targets: np.ndarray, train: np.ndarray, validation: np.ndarray) -> Iterator[str]:
        """Yield sentences about all targets and those of both parts that are allowed but perhaps not intended."""
        ...


@dataclass(frozen=True)
class ClassTargets:
    """Labels that stand for the classes 0 to n - 1, each of which gives its share to every part.

    Attributes:
        labels: The label of each class, ascending.
    """

    labels: tuple[Label, ...]

    @property
    def task(self) -> Task:
        """Classification."""
        return Classification(len(self.labels), self.labels)

    def of(self, labels: np.ndarray, *, what: str) -> np.ndarray:
        """Return the `(samples,)` int64 classes; raise `DataError` where a label is none of them."""
        return coded(labels, self.labels, what=what)

    def strata(self, targets: np.ndarray) -> np.ndarray:
        """Return the classes."""
        return targets

    def remarks(self, targets: np.ndarray, train: np.ndarray, validation: np.ndarray) -> Iterator[str]:
        """Yield a sentence for each kind of class with too few samples."""
        by_class, trained, measured = (counts(one, classes=len(self.labels)) for one in (targets, train, validation))
        rows = list(zip(self.labels, by_class, trained, measured, strict=True))
        if untrained := [label for label, _, count, _ in rows if not count]:
            yield f"Classes without training samples, which no network can learn: {listed(untrained)}."
        if small := [f"{shown(rows[index][0])} ({rows[index][1]:,})" for index in small_classes(by_class)]:
            yield (
                f"Classes with far fewer samples than the others: {', '.join(small[:LISTED])}. Each is an output of "
                "every network; if it is a wrong label, mend or leave out its samples."
            )
        if unseen := [label for label, count, _, others in rows if count and not others]:
            yield f"Classes with too few samples to have any for validation, which nothing measures: {listed(unseen)}."


@dataclass(frozen=True)
class TaskTargets:
    """Labels that are the targets of a task, whatever their shape; samples are split without regard to them.

    Attributes:
        task: What is learnt.
    """

    task: Task

    def of(self, labels: np.ndarray, *, what: str) -> np.ndarray:
        """Return the labels; raise `DataError` where they are no numbers."""
        if labels.dtype.kind not in "biuf":
            raise DataError(f"{what} have targets of {labels.dtype}; expected numbers, which {self.task.summary} are.")
        return labels

    def strata(self, targets: np.ndarray) -> np.ndarray:
        """Return one group."""
        return np.zeros(len(targets), np.int64)

    def remarks(self, targets: np.ndarray, train: np.ndarray, validation: np.ndarray) -> Iterator[str]:
        """Yield nothing: what targets are worth a remark the task alone knows."""
        return iter(())


def class_targets(occurring: np.ndarray, *, known: Sequence[Label]) -> ClassTargets:
    """Return the classes of the labels that occur, or those that are known.

    Raises:
        DataError: If one class alone occurs, or labels are neither whole numbers nor texts.
    """
    labels = labels_in(occurring)
    if len(labels) < 2:
        raise DataError(
            f"All {len(occurring):,} labels are {listed(labels)}, so that there is nothing to tell apart; "
            "expected two classes or more."
        )
    return ClassTargets(tuple(known) or labels)


def announced_notes(announced: int, labels: Sequence[Label]) -> Iterator[str]:
    """Yield a sentence if more classes are announced than there are labels; 0 announces nothing.

    Raises:
        DataError: If fewer are announced.
    """
    if not isinstance(announced, int) or isinstance(announced, bool) or (announced != 0 and announced < len(labels)):
        raise DataError(
            f"classes = {shown(announced)}, but the labels {listed(labels)} are {len(labels)} classes; give the right "
            "number or leave it out."
        )
    if announced > len(labels):
        known = set(labels)
        first = list(islice((number for number in range(announced) if number not in known), LISTED))
        yield (
            f"{announced:,} classes are announced, but {len(labels)} labels occur, each of which is an output of every "
            f"network; nothing is labelled {listed(first)}{' and so on' if len(first) == LISTED else ''}."
        )
