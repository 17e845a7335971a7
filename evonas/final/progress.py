"""Progress of the final training: a line for each training that ends, and at least one every ten seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

from evonas.final.trial import Trial

LINE_SECONDS = 10.0
"""Longest time between two lines."""


class TrainingProgress:
    """A context manager that is called with each epoch of each trial.

    Args:
        trials: All that are to be trained.
        epochs: Epochs of each.
        tell: Called with each line.
        every: Longest time between two lines, in seconds.
    """

    def __init__(
        self, trials: Sequence[Trial], *, epochs: int, tell: Callable[[str], None], every: float = LINE_SECONDS
    ) -> None:
        self._done = dict.fromkeys(trials, 0)
        self._epochs, self._tell, self._every = epochs, tell, every
        self._loss: float | None = None
        self._worked = 0
        self._began = self._line_at = time.monotonic()
        self._lock, self._is_over = threading.Lock(), threading.Event()

    def __enter__(self) -> TrainingProgress:
        self._began = self._line_at = time.monotonic()
        threading.Thread(target=self._keep_telling, daemon=True, name="evonas-progress").start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()

    def __call__(self, trial: Trial, epoch: int, values: Mapping[str, float]) -> None:
        """Note that a trial has done so many epochs; without values they were done by an earlier command."""
        with self._lock:
            if not values:
                self._done[trial] = epoch
                self._line(f"{trial.name} goes on after epoch {epoch}")
                return
            self._worked += max(0, epoch - self._done[trial])
            self._done[trial] = epoch
            self._loss = values.get("loss", self._loss)
            if epoch >= self._epochs:
                kept = "".join(f", {name} {value:.4g}" for name, value in values.items())
                self._line(f"{trial.name} is trained{kept}; {self._state()}")
            elif time.monotonic() - self._line_at >= self._every:
                self._line(self._state())

    def _state(self) -> str:
        done, total = sum(self._done.values()), self._epochs * len(self._done)
        elapsed = time.monotonic() - self._began
        loss = "" if self._loss is None else f", loss {self._loss:.4g}"
        left = f", about {elapsed / self._worked * (total - done):.0f} s left" if self._worked else ""
        return f"{done}/{total} epochs of {len(self._done)} trainings{loss}, {elapsed:.0f} s{left}"

    def _line(self, text: str) -> None:
        self._line_at = time.monotonic()
        self._tell(text)

    def _keep_telling(self) -> None:
        while not self._is_over.wait(min(1.0, self._every / 4)):
            with self._lock:
                if time.monotonic() - self._line_at >= self._every and not self._is_over.is_set():
                    self._line(self._state())
