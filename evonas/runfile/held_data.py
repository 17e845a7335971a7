"""Held data: those of a run, which the process that leads the search lets go of once workers have theirs."""

from __future__ import annotations

from typing import Any

from evonas.data.dataset import SearchData
from evonas.runfile.data_section import known_data
from evonas.runfile.schema import DataSection
from evonas.training.process import give_back_freed_memory


class HeldData:
    """The training and validation samples of a run. Pickled, they are the samples themselves: no file is needed.

    Args:
        section: Names the data, for reading them again.
        data: What was read.
    """

    def __init__(self, section: DataSection, data: SearchData) -> None:
        self._section = section
        self._data: SearchData | None = data
        self._fingerprint = data.fingerprint

    def get(self) -> SearchData:
        """Return the data; read them again if they were let go of.

        Raises:
            RunFileError: If what the run file names is no longer there.
            DataError: If it is no longer the same.
        """
        if self._data is None:
            self._data = known_data(self._section, fingerprint=self._fingerprint)
        return self._data

    def let_go(self) -> None:
        """Give the memory back, because the data lie elsewhere; `get` would read them again."""
        self._data = None
        give_back_freed_memory()

    def __getstate__(self) -> dict[str, Any]:
        """Return the data as well, whether they are held or not: pickle asks for it."""
        return {**self.__dict__, "_data": self.get()}
