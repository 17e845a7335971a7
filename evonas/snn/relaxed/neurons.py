"""Neurons of several kinds on the same currents: each kind fires for itself, and what they send is mixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from evonas.architecture.draft import POOL_GAIN, SKIP_GAIN
from evonas.architecture.neuron import DT_MS, RESETS, Dynamics, Surrogate
from evonas.snn.kernels.scan import scan
from evonas.snn.neurons import norse_parameters
from evonas.snn.relaxed.mixture import CONSTANTS, KINDS, NetworkMixture

GAINS = {"pool": POOL_GAIN, "skip": SKIP_GAIN}


@dataclass(frozen=True)
class Current:
    """The weighted current of one connection.

    Attributes:
        value: `(time, batch, ...)`, without gain.
        gain: In threshold currents of the neurons that it drives, or None where it has none.
    """

    value: Tensor
    gain: float | None


@dataclass(frozen=True)
class Output:
    """What neurons of one kind send.

    Attributes:
        value: `(time, batch, ...)` spikes, or numbers.
        chance: Probability of this kind; None where it is certain.
        is_spiking: Whether these are spikes.
    """

    value: Tensor
    chance: Tensor | None
    is_spiking: bool

    @property
    def share(self) -> Tensor:
        """`(time, batch, ...)`: its part of what the population sends."""
        return self.value if self.chance is None else self.chance * self.value

    @property
    def rates(self) -> Tensor:
        """`(time, ...)`: expected spikes of a sample, or numbers other than zero, which have no gradient."""
        rates = self.value.mean(1) if self.is_spiking else (self.value.detach() != 0).float().mean(1)
        return rates if self.chance is None else self.chance * rates


@dataclass(frozen=True)
class _Kind:
    dynamics: Dynamics
    chance: Tensor
    is_certain: bool


class MixedNeurons:
    """The neurons of a stage; kinds and resets with probability 0 are not computed.

    The networks of a mixture share currents and constants, so a population of each kind sees what it would see alone,
    up to what the layers before it mix. Where one kind is certain, its outputs are those of `Neuron` to the last bit.

    Args:
        mixture: The probabilities and constants.
        stage: Which stage.
        surrogate: The surrogate gradient of the spikes.
        time_steps: Time steps that a static current is held for.
        device: Where the currents are.
    """

    def __init__(
        self, mixture: NetworkMixture, stage: int, *, surrogate: Surrogate, time_steps: int, device: torch.device
    ) -> None:
        self.time_steps = time_steps
        constants = mixture.constants[stage]
        self._constants = dict(zip(CONSTANTS, constants.to(device, torch.float32).unbind(), strict=True))
        tau_mem_ms, _, v_th = constants.unbind()
        self._threshold_currents = {
            "lif": v_th * tau_mem_ms / DT_MS,
            "lif_box": v_th * tau_mem_ms / DT_MS,
            "integrate_and_fire": v_th,
            "analog": torch.ones_like(v_th),
        }
        self._device = device
        self._kinds = [kind for kind in _kinds(mixture, stage, surrogate, device) if kind.chance.item() > 0]
        self.chance_of_state = sum(kind.chance for kind in self._kinds if kind.dynamics.kind != "analog")

    def send(self, currents: list[Current]) -> list[Output]:
        """Return what a population sends that is driven by the sum of `currents`: the outputs of each kind."""
        sums: dict[str, Tensor] = {}
        outputs = []
        for kind in self._kinds:
            name = kind.dynamics.kind
            alike = "lif" if name == "lif_box" else name  # the same threshold current
            if alike not in sums:
                sums[alike] = self._total(currents, name)
            value = self._fire(sums[alike], kind.dynamics)
            chance = None if kind.is_certain else kind.chance
            outputs.append(Output(value, chance, is_spiking=kind.dynamics.is_spiking))
        return outputs

    def _total(self, currents: list[Current], kind: str) -> Tensor:
        total: Tensor | None = None
        for current in currents:
            part = current.value
            if current.gain is not None:
                gain = current.gain * self._threshold_currents[kind] if kind != "analog" else torch.ones(())
                part = gain.to(self._device, part.dtype) * part
            total = part if total is None else total + part
        assert total is not None
        return total

    def _fire(self, current: Tensor, dynamics: Dynamics) -> Tensor:
        if dynamics.kind == "analog":
            return torch.relu(current)
        return scan(current, norse_parameters(dynamics, self._constants), time_steps=self.time_steps)


def mixed(outputs: list[Output]) -> Tensor:
    """Return the `(time, batch, ...)` sum of the shares of all kinds."""
    total = outputs[0].share
    for output in outputs[1:]:
        total = total + output.share
    return total


def _kinds(mixture: NetworkMixture, stage: int, surrogate: Surrogate, device: torch.device) -> list[_Kind]:
    kinds = []
    for kind, chance in zip(KINDS, mixture.kinds[stage].unbind(), strict=True):
        resets: Mapping[str, Tensor] = {"value": torch.ones_like(chance)}
        if kind == "lif_box":
            resets = dict(zip(RESETS, mixture.resets[stage].unbind(), strict=True))
        for reset, share in resets.items():
            dynamics = Dynamics(kind, reset=reset, surrogate=surrogate)  # type: ignore[arg-type]
            product = (chance * share).to(device, torch.float32)
            kinds.append(_Kind(dynamics, product, is_certain=not product.requires_grad and product.item() == 1.0))
    return kinds
