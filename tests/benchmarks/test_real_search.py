"""The judge of searches that train for real: areas by hand, and operations of the user's script by brute force."""

from __future__ import annotations

import pytest
import torch
from real_search import Network, figures, hypervolume
from torch import nn
from user_script import operations

REFERENCE = (0.5, 7.5)


def test_the_area_is_that_of_the_steps_of_the_front_known_in_time() -> None:
    networks = [Network(10, 0.4, 5.5), Network(20, 0.2, 6.5), Network(30, 0.1, 6.5), Network(15, 0.45, 6.0)]
    assert hypervolume(networks, seconds=5, reference=REFERENCE) == 0
    assert hypervolume(networks, seconds=10, reference=REFERENCE) == pytest.approx(0.1 * 2.0)
    assert hypervolume(networks, seconds=20, reference=REFERENCE) == pytest.approx(0.1 * 2.0 + 0.2 * 1.0)
    assert hypervolume(networks, seconds=30, reference=REFERENCE) == pytest.approx(0.1 * 2.0 + 0.3 * 1.0)
    beyond = [Network(1, 0.6, 5.0), Network(1, 0.1, 7.6)]
    assert hypervolume(beyond, seconds=9, reference=REFERENCE) == 0
    assert hypervolume(beyond, seconds=9, reference=(0.8, 8.0)) == pytest.approx(0.2 * 3.0 + 0.5 * 0.4)


def test_what_a_convolution_and_a_layer_of_the_script_deliver_is_what_counting_one_by_one_gives() -> None:
    torch.manual_seed(0)
    conv, inputs = nn.Conv2d(2, 3, 3, padding=1), (torch.rand(4, 5, 2, 6, 6) > 0.7).float()
    delivered = 0
    for _, _, channel, y, x in inputs.nonzero().tolist():
        assert channel in (0, 1)
        rows = [row for row in (y - 1, y, y + 1) if 0 <= row < 6]
        columns = [column for column in (x - 1, x, x + 1) if 0 <= column < 6]
        delivered += 3 * len(rows) * len(columns)
    assert operations(conv, inputs) == delivered
    flat = (torch.rand(4, 5, 7) > 0.5).float()
    assert operations(nn.Linear(7, 11), flat) == 11 * flat.sum().item()


def test_what_is_known_after_the_time_counts_for_its_end_alone() -> None:
    found = {"script": [[Network(20, 0.3, 5.5), Network(45, 0.1, 5.5)]], "evonas": [[]]}
    values = {figure.measure: figure.value for figure in figures(found, seconds=30, reference=REFERENCE)}
    assert values["best_error_script"] == 0.3
    assert values["networks_script"] == 1
    assert values["hypervolume_script_30"] == pytest.approx(0.4)
    assert values["end_script"] == 1.5
    assert values["networks_evonas"] == 0
    assert values["best_error_evonas"] is None
