"""Flat parameters are the same memory as the parameters that they are made of."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from evonas.training.optimizer import flattened

LAYOUTS = {
    "plain": torch.randn(3, 4, 2, 2),
    "channels last": torch.randn(3, 4, 2, 2).contiguous(memory_format=torch.channels_last),
    "transposed": torch.randn(4, 3).t(),
    "every second": torch.randn(5, 8)[:, ::2],
    "part of another": torch.randn(9, 4)[3:6],
    "expanded": torch.randn(1, 4).expand(3, 4),
    "one number": torch.tensor(2.0),
    "empty": torch.zeros(0, 3),
    "double": torch.randn(3, 2, dtype=torch.float64),
}


@pytest.mark.parametrize("names", [("plain",), ("every second", "plain", "channels last"), tuple(LAYOUTS)])
def test_parameters_of_any_layout_and_type_keep_their_values_and_follow_steps_of_the_flat_ones(
    names: tuple[str, ...],
) -> None:
    parameters = [nn.Parameter(LAYOUTS[name].detach()) for name in names]
    before = [parameter.detach().clone() for parameter in parameters]
    flat = flattened(parameters)
    assert sum(vector.numel() for vector in flat) == sum(parameter.numel() for parameter in parameters)
    assert all(torch.equal(one, other) for one, other in zip(parameters, before, strict=True))
    optimizer = torch.optim.SGD(flat, lr=0.5)
    loss: Tensor = sum((parameter.double() ** 2).sum() for parameter in parameters)  # type: ignore[assignment]
    loss.backward()
    optimizer.step()  # by half of the derivative 2 p
    assert all(not parameter.any() for parameter in parameters)


def test_there_is_one_vector_for_each_type_and_none_of_nothing() -> None:
    parameters = [nn.Parameter(LAYOUTS[name].detach()) for name in ("plain", "double", "transposed")]
    assert [vector.dtype for vector in flattened(parameters)] == [torch.float32, torch.float64]
    assert flattened([]) == []
