"""A population of neurons as a torch module; its constants are parameters, time constants in ms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from norse.torch.functional.iaf import IAFParameters
from norse.torch.functional.leaky_integrator_box import LIBoxParameters
from norse.torch.functional.lif import LIFParameters
from norse.torch.functional.lif_box import LIFBoxParameters
from norse.torch.functional.reset import reset_subtract, reset_value
from torch import Tensor, nn

from evonas.architecture.neuron import DT_MS, PARAMETERS, Dynamics
from evonas.errors import SpaceError
from evonas.snn.kernels.adaptive_step import AdaptiveParameters
from evonas.snn.kernels.backend import is_traced
from evonas.snn.kernels.fused_scan import Constants, StepRule
from evonas.snn.kernels.scan import NeuronParameters, NeuronState, read, scan, scan_step


class Neuron(nn.Module):
    """Neurons with the same dynamics: `(time, batch, ...)` currents to `(time, batch, ...)` outputs.

    The constants that the kind depends on (such as `tau_mem_ms` and `v_th`) are parameters of the module, so they
    move, save and load with it. They are trained only after `make_trainable`.

    Args:
        dynamics: Dynamics of the neurons.
        time_steps: Time steps for which a static current (time 1) is held.
        channels: If given, each channel has its own constants, `(channels, 1, 1)`; otherwise all share them.
    """

    def __init__(self, dynamics: Dynamics, *, time_steps: int, channels: int | None = None) -> None:
        super().__init__()
        self.dynamics = dynamics
        self.time_steps = time_steps
        self._last: tuple[tuple[object, ...], tuple[NeuronParameters, tuple[StepRule, Constants] | None]] | None = None
        shape = () if channels is None else (channels, 1, 1)
        for name in PARAMETERS[dynamics.kind]:
            value = torch.full(shape, float(getattr(dynamics, name)))
            self.register_parameter(name, nn.Parameter(value, requires_grad=False))

    def make_trainable(self, *names: str) -> None:
        """Make the constants `names` trainable. A time constant below the time step acts as 1 ms.

        Raises:
            SpaceError: If this kind of neuron does not depend on one of them.
        """
        for name in names:
            if name not in PARAMETERS[self.dynamics.kind]:
                known = ", ".join(PARAMETERS[self.dynamics.kind]) or "nothing"
                raise SpaceError(f"A neuron of kind {self.dynamics.kind} cannot train {name!r}, it depends on {known}.")
            self.get_parameter(name).requires_grad_(True)

    def set_surrogate_width(self, width: float) -> None:
        """Set the width of the surrogate gradient.

        Raises:
            SpaceError: If it is not positive.
        """
        self.dynamics = replace(self.dynamics, surrogate=replace(self.dynamics.surrogate, width=width))
        self._last = None

    def forward(self, current: Tensor, *, updates: Tensor | None = None) -> Tensor:
        """Return `(time, batch, ...)` spikes in {0, 1}, potentials (readout), rates (analog) or the currents (relay).

        Args:
            current: `(time, batch, ...)`; time 1 is a static current. Analog neurons and relays keep it static.
            updates: `(time,)` int64 counts, to which the number of neurons with non-zero current or state before each
                step is added. Static neurons add the same to each.

        Raises:
            ValueError: If the current has another number of time steps.
        """
        if not self.dynamics.has_memory:
            if updates is not None:
                updates += torch.count_nonzero(current.flatten(1), dim=1)
            return torch.relu(current) if self.dynamics.kind == "analog" else current
        parameters, known = self._parameters_and_rule()
        return scan(current, parameters, time_steps=self.time_steps, updates=updates, known=known)

    def step(
        self, current: Tensor, *, state: NeuronState | None = None, updates: Tensor | None = None
    ) -> tuple[Tensor, NeuronState | None]:
        """Return `(batch, ...)` outputs of one time step, and the state behind it; analog neurons have none.

        Args:
            current: `(batch, ...)` input current of the step.
            state: State before the step; None is at rest.
            updates: `(1,)` int64 count, to which active updates are added as by `forward`.
        """
        if not self.dynamics.has_memory:
            return self(current[None], updates=updates)[0], None
        parameters, known = self._parameters_and_rule()
        return scan_step(current, parameters, state=state, updates=updates, known=known)

    def _parameters_and_rule(self) -> tuple[NeuronParameters, tuple[StepRule, Constants] | None]:
        """Return Norse's parameters and what `read` makes of them, cached while the constants stay the same.

        Without the cache, reading them would take as long as all time steps of a small population.
        """
        constants = list(self.parameters())
        if is_traced() or any(
            constant.requires_grad or constant.numel() > 1 or constant.device.type != "cpu" for constant in constants
        ):
            return self.norse_parameters(), None
        values = (constants[0].dtype, *(constant.item() for constant in constants))
        if self._last is None or self._last[0] != values:
            parameters = self.norse_parameters()
            self._last = values, (parameters, read(parameters))
        return self._last[1]

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to save or copy, without the cache: Norse's parameters cannot be pickled."""
        return {**self.__dict__, "_last": None}

    def norse_parameters(self) -> NeuronParameters:
        """Return Norse's parameter tuple: rates in 1/s, and our `Surrogate` as the method.

        Raises:
            SpaceError: If they are analog or relays, which Norse does not step.
        """
        return norse_parameters(self.dynamics, dict(self.named_parameters()))

    def extra_repr(self) -> str:
        """Return kind and time steps, for people."""
        return f"{self.dynamics.kind}, time_steps={self.time_steps}"


def norse_parameters(dynamics: Dynamics, constants: Mapping[str, Tensor]) -> NeuronParameters:
    """Return Norse's parameter tuple: rates in 1/s, and our `Surrogate` as the method.

    Args:
        dynamics: Kind, reset and surrogate; its constants are ignored.
        constants: The tensors of the names in `PARAMETERS[kind]`. A time constant below 1 ms acts as 1 ms.

    Raises:
        SpaceError: If they are analog or relays, which Norse does not step.
    """
    kind, surrogate = dynamics.kind, dynamics.surrogate
    if not dynamics.has_memory:
        raise SpaceError(f"Neurons of kind {kind!r} have no state and no parameters.")
    rates = {name: 1000.0 / constants[name].clamp(min=DT_MS) for name in PARAMETERS[kind] if name.startswith("tau")}
    like = constants[PARAMETERS[kind][0]]
    zero = like.new_zeros(())
    if kind == "readout":
        return LIBoxParameters(tau_mem_inv=rates["tau_mem_ms"], v_leak=zero)
    spiking: dict[str, Any] = {"v_th": constants["v_th"], "v_reset": zero, "method": surrogate, "alpha": 1.0}
    if kind == "integrate_and_fire":
        return IAFParameters(**spiking)
    if kind == "lif_box":
        reset = reset_subtract if dynamics.reset == "subtract" else reset_value
        return LIFBoxParameters(tau_mem_inv=rates["tau_mem_ms"], v_leak=zero, reset_method=reset, **spiking)
    if kind == "alif":
        return AdaptiveParameters(
            tau_mem_inv=rates["tau_mem_ms"],
            tau_adapt_inv=rates["tau_adapt_ms"],
            v_leak=zero,
            v_th=constants["v_th"],
            v_reset=zero,
            beta=constants["beta"],
            method=surrogate,
        )
    return LIFParameters(tau_syn_inv=rates["tau_syn_ms"], tau_mem_inv=rates["tau_mem_ms"], v_leak=zero, **spiking)
