"""Event frames: a network takes one a time step, so it has as many time steps as the samples have frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evonas.data.dataset import SearchData
from evonas.engine.rejection import Rejection
from evonas.errors import SpaceError
from evonas.options import shown
from evonas.space import Genotype, Space
from evonas.variables import Choice

TIME_STEPS = "time_steps"
"""The variable of a space that is the number of time steps, where it has one."""

DRAWN = 64
"""Networks that are looked at where the number of time steps is no variable."""


@dataclass(frozen=True)
class Frames:
    """The frames of the data of a run.

    Attributes:
        number: Of each sample.
        space: What is searched.
        data: What networks are built for.
    """

    number: int
    space: Space
    data: SearchData

    def reject(self, genotype: Genotype) -> Rejection | None:
        """Return why the network of a genotype cannot take the data, None where it can or nobody can tell."""
        steps = self._steps(genotype)
        if steps is None or steps == self.number:
            return None
        reason = f"time steps: {steps}, while the samples have {self.number} frames"
        return Rejection((reason,), abs(steps - self.number) / self.number)

    def faults(self) -> list[str]:
        """Return a sentence if no network of the space can take the data."""
        variable, why = self.space.variables.get(TIME_STEPS), ""
        if variable is None:
            rng = np.random.default_rng(0)
            rejections = [self.reject(self.space.sample(rng)) for _ in range(DRAWN)]
            if all(rejections):
                why = str(rejections[0] and rejections[0].reasons[0])
        else:
            try:
                variable.canonical(self.number)
            except SpaceError as error:
                why = f"{TIME_STEPS}: {error}"
        if not why:
            return []
        return [
            f"data: the samples have {self.number} frames, one for each time step, and no network of the space has as "
            f"many time steps ({why}). Make other frames of the events, or search another space"
        ]

    def notes(self) -> list[str]:
        """Return a sentence if the space has networks of other numbers of time steps, and how to leave them out."""
        variable = self.space.variables.get(TIME_STEPS)
        if variable is None or variable.size == 1:
            return []
        only = [self.number] if isinstance(variable, Choice) else [self.number, self.number]
        return [
            f"The samples have {self.number} frames, one for each time step: networks of another number of time steps "
            f"are rejected before training. With only = {{ {TIME_STEPS} = {shown(only)} }} in [space] none is proposed."
        ]

    def _steps(self, genotype: Genotype) -> int | None:
        steps = genotype.get(TIME_STEPS)
        if isinstance(steps, int):
            return steps
        if self.space.plan is None:
            return None
        try:
            planned = self.space.plan(genotype, self.data.input_shape, self.data.classes)
        except Exception:
            return None  # what cannot be planned cannot be built either: its evaluation records the error
        return int(planned.time_steps)


def frames_of(space: Space | None, data: SearchData | None) -> Frames | None:
    """Return the frames of the data, None where samples are static images or space or data are wrong."""
    if space is None or data is None or data.frames is None:
        return None
    return Frames(data.frames, space, data)
