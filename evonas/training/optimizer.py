"""The optimiser of a network: which parameters decay, and all of them as a few long vectors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from evonas.errors import EvonasError
from evonas.training.training_settings import Training


def optimizer_of(groups: Sequence[Sequence[nn.Parameter]], settings: Training) -> torch.optim.Optimizer:
    """Return AdamW on what `parameter_groups` returned."""
    decays = zip(groups, (settings.weight_decay, 0.0), strict=True)
    return torch.optim.AdamW(
        [{"params": list(group), "weight_decay": decay} for group, decay in decays],
        lr=settings.learning_rate,
        fused=True,
    )


def parameter_groups(network: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return the weights of synapses, which decay, apart from all else, which does not.

    A layer or operation has its weights in `weight`, more than one dimension of them; those of a norm have one.

    Raises:
        EvonasError: If nothing in the network can be trained.
    """
    held = (getattr(module, "weight", None) for module in network.modules())
    weights = {id(weight) for weight in held if isinstance(weight, nn.Parameter) and weight.ndim > 1}
    parameters = [p for p in network.parameters() if p.requires_grad]
    if not parameters:
        raise EvonasError(
            "The network has no parameters that can be trained, neither weights nor constants of neurons."
        )
    return [p for p in parameters if id(p) in weights], [p for p in parameters if id(p) not in weights]


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
