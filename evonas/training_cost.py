"""Training cost: what a job is predicted to cost, in multiply-accumulates and in sample-steps."""

from __future__ import annotations

from evonas.data.dataset import SearchData
from evonas.measurement import Cost
from evonas.space import Genotype, Space
from evonas.view import Proposal


class TrainingCost:
    """Predicts costs: `predict(proposal, epochs)` returns a `Cost`.

    A sample-step is one time step of one sample that goes through a training step, forward and backward. A network
    costs `training samples x epochs x time steps` of them, and its dense multiply-accumulates for each sample.

    Args:
        space: What is searched.
        data: Training samples.
    """

    def __init__(self, space: Space, data: SearchData) -> None:
        self._space = space
        self._samples = len(data.train)
        self._shape, self._classes = data.input_shape, data.classes
        self._time_steps = data.train.inputs.shape[1]

    def __call__(self, proposal: Proposal, epochs: int) -> Cost:
        """Return the predicted cost of a job with so many epochs of training."""
        return self._of_network(proposal.genotype, self._samples * epochs)

    def _of_network(self, genotype: Genotype, samples: int) -> Cost:
        sample_steps = samples * int(genotype.get("time_steps", self._time_steps))
        if self._space.operations is None:
            return Cost(sample_steps, sample_steps)
        return Cost(self._space.operations(genotype, self._shape, self._classes) * samples, sample_steps)
