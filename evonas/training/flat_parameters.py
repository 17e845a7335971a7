"""Parameters and gradients of a network as a few long vectors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


def flattened(parameters: Sequence[nn.Parameter]) -> list[nn.Parameter]:
    """Return flat parameters whose elements, and those of their gradients, are the given ones'; one for each type.

    The optimiser then takes a few steps over long vectors and not one for each of many tiny tensors. Of no parameters
    there are no vectors.
    """
    by_type: dict[tuple[torch.dtype, torch.device], list[nn.Parameter]] = {}
    for parameter in parameters:
        by_type.setdefault((parameter.dtype, parameter.device), []).append(parameter)
    return [_side_by_side(alike) for alike in by_type.values()]


def _side_by_side(parameters: Sequence[nn.Parameter]) -> nn.Parameter:
    dense = [p.detach().clone() for p in parameters]  # elements side by side, in the order of memory where they were so
    values = torch.cat([tensor.as_strided((tensor.numel(),), (1,)) for tensor in dense])
    flat = nn.Parameter(values)
    flat.grad = torch.zeros_like(values)
    offset = 0
    for parameter, tensor in zip(parameters, dense, strict=True):
        parameter.data = values.as_strided(tensor.shape, tensor.stride(), offset)
        parameter.grad = flat.grad.as_strided(tensor.shape, tensor.stride(), offset)
        offset += tensor.numel()
    return flat
