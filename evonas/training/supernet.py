"""The supernet: one set of weights for all networks of a space, of which each network is a part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from evonas.errors import EvonasError
from evonas.genotype import Genotype
from evonas.snn.network import Network
from evonas.snn.neurons import Neuron
from evonas.space import Space

Key = tuple[str | int, ...]


class Supernet:
    """Weights that networks share: `supernet.network(genotype)` returns one whose tensors are those of all others.

    A weight comes into being with the first network that has it, drawn as that network draws it. What is shared with
    it are the running statistics of its norm; what is the same follows from the `share` of the space, see
    `evonas.weight_sharing`. No weight is in two places: a step on one network leaves the weights of others alone.

    Source: the single-path supernet of Guo et al., Single path one-shot neural architecture search with uniform
    sampling, ECCV 2020, as in AutoSNN (Na et al., ICML 2022).

    Args:
        space: A space with `build` and `share`.
        input_shape: As `build` takes it.
        outputs: Outputs of the networks.
        train_neurons: Whether time constants and thresholds are trained, and then shared, as well.
        device: Where the weights are.

    Raises:
        EvonasError: If the space cannot build or does not say what networks share.
    """

    def __init__(
        self, space: Space, input_shape: Sequence[int], outputs: int, *, train_neurons: bool, device: torch.device
    ) -> None:
        if space.build is None or space.share is None:
            raise EvonasError(
                "The space has no `build`, or no `share` that says which weights networks have in common. Give it "
                "both, or search it with another strategy."
            )
        self._build, self._share = space.build, space.share
        self._input_shape, self._outputs = input_shape, outputs
        self._train_neurons, self._device = train_neurons, device
        self._held: dict[Key, Tensor] = {}

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All weights so far, in the order in which they came into being."""
        return [tensor for tensor in self._held.values() if isinstance(tensor, nn.Parameter)]

    def network(self, genotype: Genotype) -> Network:
        """Return the network of a genotype, its weights those of the supernet."""
        network: Network = self._build(genotype, self._input_shape, self._outputs).to(self._device)
        if self._train_neurons:
            network.train_neurons()
        for kind, parts in (("operations", network.operations), ("neurons", network.neurons)):
            for name, part in parts.items():
                of = part.dynamics.kind if isinstance(part, Neuron) else ""
                key = (kind, self._share(genotype, name), of)
                for path, owner, attribute, tensor in _tensors(part):
                    place = (*key, path, type(owner).__name__, attribute, *tensor.shape)
                    held = self._held.setdefault(place, tensor)
                    if held is not tensor:
                        setattr(owner, attribute, held)
        return network


def _tensors(part: nn.Module) -> Iterator[tuple[str, nn.Module, str, Tensor]]:
    """Yield path, module and name of each trained parameter of a part, and of the buffers beside them."""
    for path, owner in part.named_modules():
        trained: Mapping[str, Tensor] = {n: p for n, p in owner.named_parameters(recurse=False) if p.requires_grad}
        if trained:
            for attribute, tensor in [*trained.items(), *owner.named_buffers(recurse=False)]:
                yield path, owner, attribute, tensor
