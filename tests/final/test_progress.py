"""Progress of the final training: a line for each training that ends, and one when nothing ended for a while."""

from __future__ import annotations

import time

from evonas.final.progress import TrainingProgress
from evonas.final.trial import Trial
from evonas.genotype import Genotype

TRIALS = [Trial(Genotype({"layers": 2}), seed) for seed in range(2)]


def test_each_training_that_ends_or_goes_on_is_a_line() -> None:
    lines: list[str] = []
    with TrainingProgress(TRIALS, epochs=3, tell=lines.append) as progress:
        progress(TRIALS[0], 1, {})
        for epoch in (2, 3):
            progress(TRIALS[0], epoch, {"loss": 1 / epoch})
    assert lines[0].endswith("goes on after epoch 1")
    assert f"{TRIALS[0].name} is trained, loss 0.3333; 3/6 epochs of 2 trainings" in lines[1]
    assert len(lines) == 2


def test_there_is_a_line_even_while_no_epoch_ends() -> None:
    lines: list[str] = []
    with TrainingProgress(TRIALS, epochs=3, tell=lines.append, every=0.05):
        while len(lines) < 3:  # what never comes is ended by the time limit of a test
            time.sleep(0.01)
    assert lines[0].startswith("0/6 epochs of 2 trainings")
