"""Training cost: what a job is predicted to cost, in multiply-accumulates and in sample-steps."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from evonas.data.dataset import SearchData
from evonas.engine.job import Cost
from evonas.engine.search_job import search_settings
from evonas.engine.view import Proposal
from evonas.errors import SpaceError
from evonas.genotype import Genotype
from evonas.space import Space
from evonas.variables import Scalar

DRAWN = 16
"""Networks whose mean cost stands for that of the networks that a search draws."""


class TrainingCost:
    """Predicts costs: `predict(proposal, epochs)` returns a `Cost`.

    A sample-step is one time step of one sample that goes through a training step, forward and backward. A network
    costs `training samples x epochs x time steps` of them, and its dense multiply-accumulates for each sample. A search
    job costs what its `Effort` costs networks of its sizes that are drawn at random.

    Args:
        space: What is searched.
        data: Training samples.
    """

    def __init__(self, space: Space, data: SearchData) -> None:
        self._space = space
        self._samples = len(data.train)
        self._shape, self._outputs = data.input_shape, data.task.outputs
        self._frames = data.frames

    def __call__(self, proposal: Proposal, epochs: int) -> Cost:
        """Return the predicted cost of a job; `epochs` are those of an `evaluate` job.

        Raises:
            EvonasError: If a search job follows a method that there is not.
        """
        if proposal.kind == "evaluate":
            return self._of_network(proposal.genotype, samples=self._samples * epochs)
        effort = search_settings(proposal.settings).effort(self._samples)
        drawn = [self._of_network(one, samples=effort.samples) for one in self._networks(effort.sizes)]
        return Cost(
            sum(cost.operations for cost in drawn) / len(drawn), sum(cost.sample_steps for cost in drawn) / len(drawn)
        )

    def _of_network(self, genotype: Genotype, *, samples: float) -> Cost:
        sample_steps = samples * int(genotype.get("time_steps", self._frames or 1))
        if self._space.operations is None:
            return Cost(sample_steps, sample_steps)
        return Cost(self._space.operations(genotype, self._shape, self._outputs) * samples, sample_steps)

    def _networks(self, sizes: Mapping[str, Scalar]) -> list[Genotype]:
        """Return random networks of these sizes, always the same."""
        rng = np.random.default_rng(0)
        given = {**sizes, **steps_of_frames(self._space, self._frames)}
        return [self._space.sample(rng, given=given) for _ in range(DRAWN)]


def steps_of_frames(space: Space, frames: int | None) -> dict[str, Scalar]:
    """Return the number of time steps that networks have to have: one for each frame of the data."""
    variable = space.variables.get("time_steps")
    if frames is None or variable is None:
        return {}
    try:
        return {"time_steps": variable.canonical(frames)}
    except SpaceError:  # there is no such network, so whatever is proposed ends at once
        return {}
