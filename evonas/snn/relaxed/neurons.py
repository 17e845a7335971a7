"""Neurons of several kinds on the same currents: each kind runs on its own, and their outputs are mixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from evonas.architecture.constant import SCOPES
from evonas.architecture.draft import POOL_GAIN, SKIP_GAIN
from evonas.architecture.neuron import DT_MS, RESETS, Dynamics, Surrogate
from evonas.snn.kernels.scan import scan
from evonas.snn.neurons import norse_parameters
from evonas.snn.relaxed.mixture import CONSTANTS, KINDS, NetworkMixture

GAINS = {"pool": POOL_GAIN, "skip": SKIP_GAIN}
"""Operation to its gain, in threshold currents of the target neuron; others have none."""


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
    """The output of the neurons of one kind.

    Attributes:
        value: `(time, batch, ...)` spikes, or real numbers (analog).
        probability: Probability of this kind; None where it is certain.
        is_spiking: Whether the values are spikes.
    """

    value: Tensor
    probability: Tensor | None
    is_spiking: bool

    @property
    def share(self) -> Tensor:
        """`(time, batch, ...)` part of the mixed output: the values times the probability."""
        return self.value if self.probability is None else self.probability * self.value

    @property
    def rates(self) -> Tensor:
        """`(time, ...)` expected spikes of a sample; for analog neurons expected non-zero outputs, without gradient."""
        rates = self.value.mean(1) if self.is_spiking else (self.value.detach() != 0).float().mean(1)
        return rates if self.probability is None else self.probability * rates


@dataclass(frozen=True)
class _Kind:
    dynamics: Dynamics
    probability: Tensor
    is_certain: bool


class MixedNeurons:
    """The neurons of a stage; kinds and resets with probability 0 are not computed.

    All kinds get the same currents and share their constants. Where one kind is certain, its outputs are those of
    `Neuron` to the last bit.

    Args:
        mixture: The probabilities and constants.
        stage: Index of the stage.
        channels: Channels of its populations.
        surrogate: The surrogate gradient of the spikes.
        time_steps: Time steps that a static current is held for.
        device: Device of the currents.
    """

    def __init__(
        self,
        mixture: NetworkMixture,
        stage: int,
        *,
        channels: int,
        surrogate: Surrogate,
        time_steps: int,
        device: torch.device,
    ) -> None:
        self.time_steps = time_steps
        of_name = constants_of(mixture, stage, channels=channels)
        self._constants = {name: value.to(device, torch.float32) for name, value in of_name.items()}
        tau_mem_ms, v_th = of_name["tau_mem_ms"], of_name["v_th"]
        self._threshold_currents = {
            "lif": v_th * tau_mem_ms / DT_MS,
            "lif_box": v_th * tau_mem_ms / DT_MS,
            "alif": v_th * tau_mem_ms / DT_MS,
            "integrate_and_fire": v_th,
            "analog": torch.ones_like(v_th),
        }
        self._device = device
        self._kinds = [kind for kind in _kinds(mixture, stage, surrogate, device) if kind.probability.item() > 0]
        self.probability_of_state = sum(kind.probability for kind in self._kinds if kind.dynamics.kind != "analog")
        self.probability_of_adaptation = sum(kind.probability for kind in self._kinds if kind.dynamics.kind == "alif")

    def send(self, currents: list[Current]) -> list[Output]:
        """Return the outputs of each kind in a population that is driven by the sum of `currents`."""
        sums: dict[str, Tensor] = {}
        outputs = []
        for kind in self._kinds:
            name = kind.dynamics.kind
            gain_kind = "lif" if name in ("lif_box", "alif") else name  # of the same threshold current
            if gain_kind not in sums:
                sums[gain_kind] = self._total(currents, name)
            value = self._fire(sums[gain_kind], kind.dynamics)
            probability = None if kind.is_certain else kind.probability
            outputs.append(Output(value, probability, is_spiking=kind.dynamics.is_spiking))
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


def constants_of(mixture: NetworkMixture, stage: int, *, channels: int) -> dict[str, Tensor]:
    """Return each of `CONSTANTS` in a stage: `()` where all channels share it for certain, else `(channels, 1, 1)`.

    Between both, the constant of a group is the mean of its own and that of all groups, weighted by probability.
    """
    groups = mixture.constants[stage]
    shared = groups.mean(0)
    of_stage, of_channels = (mixture.scopes[stage, SCOPES.index(scope)] for scope in ("stage", "channels"))
    if of_channels.item() == 0:
        return dict(zip(CONSTANTS, shared.unbind(), strict=True))
    each = (of_channels * groups + of_stage * shared).repeat_interleave(channels // len(groups), 0)
    return {name: value[:, None, None] for name, value in zip(CONSTANTS, each.unbind(1), strict=True)}


def mixed(outputs: list[Output]) -> Tensor:
    """Return the `(time, batch, ...)` mixed output of all kinds."""
    total = outputs[0].share
    for output in outputs[1:]:
        total = total + output.share
    return total


def _kinds(mixture: NetworkMixture, stage: int, surrogate: Surrogate, device: torch.device) -> list[_Kind]:
    kinds = []
    for kind, probability in zip(KINDS, mixture.kinds[stage].unbind(), strict=True):
        resets: Mapping[str, Tensor] = {"value": torch.ones_like(probability)}
        if kind == "lif_box":
            resets = dict(zip(RESETS, mixture.resets[stage].unbind(), strict=True))
        for reset, share in resets.items():
            dynamics = Dynamics(kind, reset=reset, surrogate=surrogate)  # type: ignore[arg-type]
            product = (probability * share).to(device, torch.float32)
            kinds.append(_Kind(dynamics, product, is_certain=not product.requires_grad and product.item() == 1.0))
    return kinds
