"""Events: the values of each epoch for TensorBoard, where it is installed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any


class Events:
    """A context in which values are added to the events of a training; without TensorBoard nothing is written.

    Args:
        folder: Where they are kept; TensorBoard shows all that lies below.
        after: Epochs done: events of later ones, of a process that was killed, are no longer shown.
    """

    def __init__(self, folder: Path, *, after: int = 0) -> None:
        self._folder, self._after = folder, after
        self._writer: Any = None

    def __enter__(self) -> Events:
        if find_spec("tensorboard") is not None and find_spec("tensorboardX") is not None:
            from tensorboardX import SummaryWriter

            self._writer = SummaryWriter(str(self._folder), purge_step=self._after + 1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def add(self, epoch: int, values: Mapping[str, float]) -> None:
        """Add the values of an epoch by their names."""
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name.replace(" ", "/"), value, epoch)
            self._writer.flush()
