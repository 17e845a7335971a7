"""The folder of a run as its networks need it: its run file, its space, and whether code of its own may be imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from evonas.errors import RunFileError
from evonas.report.results_folder import run_file_of
from evonas.runfile.lookup import LookupFault, look_up
from evonas.runfile.schema import RunFile
from evonas.space import Space


@dataclass(frozen=True)
class RunFolder:
    """Where the results of a run are.

    Attributes:
        given: The folder, or the file of an archive.
        trust: Whether code of the user's own that the folder names may be imported.
        settings: Settings of the run: dotted keys of its run file and their values.
    """

    given: Path
    trust: bool
    settings: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def path(self) -> Path:
        """The folder."""
        return self.given if self.given.is_dir() else self.given.parent

    @cached_property
    def file(self) -> RunFile:
        """The run file.

        Raises:
            RunFileError: If there is none, so that nothing says what the networks consist of.
        """
        file = run_file_of(self.given)
        if file is None:
            raise RunFileError(
                [f"{self.given} has no run file, which names the space of its networks; expected the folder of a run"]
            )
        return file

    @cached_property
    def space(self) -> Space:
        """The space of the run.

        Raises:
            RunFileError: If it cannot be found, or is code of the user's own that is not trusted.
        """
        name = self.file.search.space
        try:
            space: Space = look_up(name, folder="spaces", attribute="space", trusted=self.trust)
        except LookupFault as fault:
            raise RunFileError([f"search.space: {fault}, got {name!r}"]) from None
        return space


@contextmanager
def said_in_python() -> Iterator[None]:
    """Return a context whose errors name arguments of functions in the place of options of a command."""
    try:
        yield
    except RunFileError as error:
        raise RunFileError([_in_python(fault) for fault in error.faults]) from None


def _in_python(fault: str) -> str:
    words = {"--trust": "trust=True", "--budget ": "budgets: ", "--profile": "profile", "DIR: ": "path: "}
    for option, argument in words.items():
        fault = fault.replace(option, argument)
    return fault.replace("--pick ", "pick ").replace("that --all shows", "of a measured network")
