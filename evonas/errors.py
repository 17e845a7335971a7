"""The errors of evonas. All are sentences: what is wrong, what came, what was expected, what to do.

    EvonasError
    ├── SpaceError            a space, a genotype or a value of one is wrong
    │   └── OutsideError      a genotype lies outside a narrowed space
    ├── OptionError           options are wrong; carries every fault at once
    │   └── RunFileError      the run file, or the command, is wrong
    ├── ArchiveError          the archive cannot be opened, read or written
    │   └── ChangedRunError   the archive belongs to a run with other settings
    ├── ProfileError          a hardware profile is wrong
    ├── DataError             a data set is missing or not what it should be
    └── WorkersError          the workers cannot be started or cannot go on
        └── LostWorkersError  what they ran on is dead

Raised inside an evaluation, and turned into an outcome of a row:

    TrainingDivergedError     the loss is no longer a finite number
    UnpriceableError          an objective has no value for this network (the row is infeasible)
    NotFiniteError            the value of an objective is not a finite number (the row has failed)
"""

from __future__ import annotations

from collections.abc import Sequence

MOST_LINES = 50
"""Faults or differences that one message lists at most."""


def one_a_line(sentences: Sequence[str]) -> str:
    """Return a list with one sentence a line; beyond `MOST_LINES`, only how many more there are."""
    more = len(sentences) - MOST_LINES
    shown = [*sentences[:MOST_LINES], *[f"… and {more:,} more"] * (more > 0)]
    return "\n".join(f"- {sentence}" for sentence in shown)


class EvonasError(Exception):
    """Any error that evonas raises on purpose."""


class SpaceError(EvonasError):
    """A space, a genotype or a value of one is wrong."""


class OutsideError(SpaceError):
    """A genotype lies outside a narrowed space."""


class OptionError(EvonasError):
    """Options are wrong.

    Args:
        faults: One sentence a fault, each with the name of the option, what came and what would be right.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__(one_a_line(self.faults))

    def __reduce__(self) -> tuple[type[OptionError], tuple[tuple[str, ...]]]:
        return type(self), (self.faults,)


class RunFileError(OptionError):
    """The run file is wrong, or the command; each fault begins with its key."""


class ArchiveError(EvonasError):
    """The archive cannot be opened, read or written."""


class ChangedRunError(ArchiveError):
    """The archive belongs to a run with other settings."""


class ProfileError(EvonasError):
    """A hardware profile is wrong."""


class DataError(EvonasError):
    """A data set is missing or not what it should be."""


class WorkersError(EvonasError):
    """The workers cannot be started or cannot go on."""


class LostWorkersError(WorkersError):
    """What the workers ran on is dead; what they have finished is kept."""


class TrainingDivergedError(EvonasError):
    """The loss is no longer a finite number."""


class UnpriceableError(EvonasError):
    """An objective has no value for this network, which is therefore infeasible."""


class NotFiniteError(EvonasError, ValueError):
    """The value of an objective is not a finite number, so that the row has failed."""
