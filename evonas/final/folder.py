"""The folder of what is trained: weights, checkpoints, results, and how often the test samples were read."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evonas.archive.atomic_file import remove_unfinished, write_text
from evonas.errors import ArchiveError, RunFileError
from evonas.final.recipe import Recipe
from evonas.final.trial import Trial


@dataclass(frozen=True)
class TrainedFolder:
    """Where trained networks are: `trained` in the folder of a run.

    Attributes:
        run: The folder of the run.
    """

    run: Path

    @property
    def path(self) -> Path:
        """The folder itself."""
        return self.run / "trained"

    @property
    def readings_file(self) -> Path:
        """The journal of each reading of the test samples, one JSON object a line; it outlives what is trained."""
        return self.run / "test-readings.jsonl"

    def weights(self, trial: Trial) -> Path:
        """The file of trained weights."""
        return self.path / f"{trial.name}.safetensors"

    def result(self, trial: Trial) -> Path:
        """The file of what was found with the test samples."""
        return self.path / f"{trial.name}.json"

    def checkpoint(self, trial: Trial) -> Path:
        """The file of the state after the last epoch, as long as a training is not done."""
        return self.path / "checkpoints" / f"{trial.name}.pt"

    def events(self, trial: Trial) -> Path:
        """The folder of what TensorBoard shows."""
        return self.path / "events" / trial.name

    def missing(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return the trials whose weights are not there."""
        return [trial for trial in trials if not self.weights(trial).is_file()]

    @contextmanager
    def held(self, recipe: Recipe, *, fingerprint: str | None) -> Iterator[None]:
        """Return a context in which no other command trains here; all that lies here is of this recipe and these data.

        Raises:
            RunFileError: If it cannot be written to, another command is at work, or what is trained here was trained
                otherwise.
        """
        named = {**recipe.to_json(), "fingerprint": fingerprint}
        self._check_recipe(named)
        try:
            (self.path / "checkpoints").mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise RunFileError([f"DIR: {self.path} cannot be written to: {error.strerror or error}"]) from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunFileError(
                    [f"DIR: another command trains in {self.path}; wait until it has ended, or end it"]
                ) from None
            self._check_recipe(named)
            write_text(self.path / "recipe.json", json.dumps(named, indent=1))
            self._tidy()
            yield
            with suppress(OSError):
                (self.path / "checkpoints").rmdir()  # unless a training is left in it
        finally:
            os.close(descriptor)

    def _check_recipe(self, named: Mapping[str, Any]) -> None:
        """Raise if what lies here was trained otherwise."""
        path = self.path / "recipe.json"
        if not path.is_file():
            return
        try:
            known = _flat(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, AttributeError) as error:
            raise RunFileError([f"DIR: {path} cannot be read: {error}; move {self.path} away"]) from error
        now = _flat(json.loads(json.dumps(named)))
        faults = [
            f"DIR: {self.path} holds networks that were trained with {name} = {_shown(known.get(name))}, "
            f"now {_shown(now.get(name))}"
            for name in {**known, **now}
            if known.get(name) != now.get(name)
        ]
        if faults:
            raise RunFileError([*faults, f"DIR: give the same settings, or move {self.path} elsewhere to begin anew"])

    def _tidy(self) -> None:
        """Remove what killed processes left: unfinished files, and states of trainings that are done."""
        for path in self.path.glob("*.safetensors"):
            (self.path / "checkpoints" / f"{path.stem}.pt").unlink(missing_ok=True)
            remove_unfinished(path)
        for path in (self.path / "checkpoints").glob("*.pt"):
            remove_unfinished(path)
        shutil.rmtree(self.path / "tune", ignore_errors=True)

    def readings(self) -> list[dict[str, Any]]:
        """Return each reading of the test samples, from the first on.

        Raises:
            ArchiveError: If the journal is damaged.
        """
        try:
            lines = self.readings_file.read_text(encoding="utf-8").splitlines()
            return [dict(json.loads(line)) for line in lines]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError) as error:
            raise ArchiveError(
                f"{self.readings_file}, which counts how often the test samples were read, cannot be read: {error}. "
                "Put it right, or remove it."
            ) from error

    def note_reading(self, trials: Sequence[Trial], *, why: str) -> int:
        """Note in the journal that the test samples are about to be read, and return for the how manieth time.

        Raises:
            ArchiveError: If that cannot be noted; they are not to be read then.
        """
        former = self.readings()
        at = datetime.now(UTC).isoformat(timespec="seconds")
        entry = {"reading": len(former) + 1, "at": at, "why": why, "trained": [trial.name for trial in trials]}
        text = "".join(f"{json.dumps(one)}\n" for one in [*former, entry])
        write_text(self.readings_file, text)
        return len(former) + 1

    def keep_result(self, trial: Trial, result: Mapping[str, Any]) -> None:
        """Write what was found with the test samples."""
        write_text(self.result(trial), json.dumps(result))

    def results(self) -> dict[str, dict[str, Any]]:
        """Return name of a trial to what was found with the test samples, of all that were tested here.

        Raises:
            ArchiveError: If one cannot be read.
        """
        found = {}
        for path in sorted(self.path.glob("*-*.json")):
            try:
                found[path.stem] = dict(json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError) as error:
                raise ArchiveError(f"{path} cannot be read: {error}. Remove it, and it is tested again.") from error
        return found

    def write_text(self, name: str, text: str) -> None:
        """Write a file of this folder."""
        write_text(self.path / name, text)


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix.rstrip("."): value}
    return {key: one for name, item in value.items() for key, one in _flat(item, f"{prefix}{name}.").items()}


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}…"
