from __future__ import annotations

import numpy as np
import pytest

from evonas.data.dataset import Samples, SearchData
from evonas.engine.gradient_search import WEIGHTS_PART
from evonas.engine.training_log import TWO_PATHS
from evonas.engine.view import Proposal
from evonas.genotype import Genotype
from evonas.space import Space
from evonas.tasks.classification import Classification
from evonas.training.cost_model import TrainingCost
from evonas.training.training_settings import Relaxation
from evonas.variables import Choice, Integer

DATA = SearchData(
    Samples(np.zeros((10, 3, 1, 2, 2), np.float32), np.zeros(10, np.int64)),
    Samples(np.zeros((4, 3, 1, 2, 2), np.float32), np.zeros(4, np.int64)),
    Classification(2),
)
VARIABLES = {"width": Choice((1, 2, 4)), "time_steps": Integer(2, 2)}
SPACE = Space(VARIABLES, operations=lambda genotype, shape, classes: 100 * int(genotype["width"]))
SEARCH = {"price": 1.0, "warm_up": 2, "epochs": 3, "proposals": 1, "seed": 0, "context.width": 4}


def proposal(**settings: object) -> Proposal:
    return Proposal(Genotype({}), "differentiable", kind="search", settings={**SEARCH, **settings})


def test_a_network_costs_samples_times_epochs_times_time_steps() -> None:
    cost = TrainingCost(SPACE, DATA)(Proposal(Genotype({"width": 2, "time_steps": 2}), "toy"), 3)
    assert (cost.operations, cost.sample_steps) == (200 * 10 * 3, 10 * 3 * 2)


def test_without_a_number_of_time_steps_those_of_the_data_count_and_without_operations_sample_steps() -> None:
    cost = TrainingCost(Space({"width": Choice((1, 2))}), DATA)(Proposal(Genotype({"width": 2}), "toy"), 2)
    assert (cost.operations, cost.sample_steps) == (60, 60)


def test_a_search_costs_what_drawn_networks_of_its_sizes_cost() -> None:
    predict = TrainingCost(SPACE, DATA)
    steps = 2 + 3 + TWO_PATHS * 3
    assert predict(proposal(), 1).operations == pytest.approx(400 * 10 * 0.5 * steps)
    assert predict(proposal(), 1).sample_steps == pytest.approx(2 * 10 * 0.5 * steps)
    assert predict(proposal(), 7) == predict(proposal(), 1), "the epochs of the ladder are not those of a search"
    small = predict(proposal(**{"context.width": 1}), 1)
    assert small.operations == pytest.approx(predict(proposal(), 1).operations / 4)
    free = {name: value for name, value in SEARCH.items() if name != "context.width"}
    mixed = predict(Proposal(Genotype({}), "differentiable", kind="search", settings=free), 1)
    assert small.operations < mixed.operations < predict(proposal(), 1).operations


def test_the_parts_of_the_data_are_those_of_the_search() -> None:
    assert Relaxation().weights_part == WEIGHTS_PART
