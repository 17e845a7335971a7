"""A population of neurons as a torch module; its constants are parameters, time constants in ms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

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

_Read: TypeAlias = tuple[NeuronParameters, tuple[StepRule, Constants] | None]
"""Norse's parameters and what `read` makes of them."""


class Neuron(nn.Module):
    """Neurons with the same dynamics: `(time, batch, ...)` currents to `(time, batch, ...)` outputs.

    The constants that the kind depends on (such as `tau_mem_ms` and `v_th`) are parameters of the module, so they
    move, save and load with it. They are trained only after `make_trainable`.

    Args:
        dynamics: Dynamics of the neurons.
        time_steps: Time steps for which a static current (time 1) is held.
        channels: If given, each channel has all constants of its own; otherwise those of which the dynamics have one
            for each channel.
        has_positions: Whether currents are `(time, batch, channels, height, width)`, and constants of channels
            `(channels, 1, 1)`; otherwise `(time, batch, channels)`, and `(channels,)`.
    """

    def __init__(
        self, dynamics: Dynamics, *, time_steps: int, channels: int | None = None, has_positions: bool = True
    ) -> None:
        super().__init__()
        self.dynamics = dynamics
        self.time_steps = time_steps
        self._last: dict[float | None, tuple[tuple[object, ...], _Read]] = {}
        for name in PARAMETERS[dynamics.kind]:
            value = torch.tensor(getattr(dynamics, name), dtype=torch.get_default_dtype())
            if channels is not None:
                value = value.expand(channels).clone()
            if value.ndim and has_positions:
                value = value[:, None, None]
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
        self._last = {}

    def forward(self, current: Tensor, *, updates: Tensor | None = None, temperature: float | None = None) -> Tensor:
        """Return `(time, batch, ...)` spikes in {0, 1}, potentials (readout), rates (analog) or the currents (relay).

        Args:
            current: `(time, batch, ...)`; time 1 is a static current. Analog neurons and relays keep it static.
            updates: `(time,)` int64 counts, to which the number of neurons with non-zero current or state before each
                step is added. Static neurons add the same to each.
            temperature: Of Dspike, in place of that of the neurons.

        Raises:
            ValueError: If the current has another number of time steps.
        """
        if not self.dynamics.has_memory:
            if updates is not None:
                updates += torch.count_nonzero(current.flatten(1), dim=1)
            return torch.relu(current) if self.dynamics.kind == "analog" else current
        return self._scan(current, self._parameters_and_rule(temperature), updates=updates)

    def _scan(self, current: Tensor, given: _Read, *, updates: Tensor | None) -> Tensor:
        parameters, known = given
        return scan(current, parameters, time_steps=self.time_steps, updates=updates, known=known)

    def fire(self, currents: Mapping[float | None, Tensor], *, updates: Tensor | None = None) -> Tensor:
        """Return the `(time, batch, ...)` outputs on a sum of currents whose gradients have temperatures of their own.

        The outputs are those of `forward` on the sum. The gradient of each current is the one that it would get if the
        surrogate of these neurons had its temperature, at all time steps and also where it passes the reset. That of
        trained constants has the first temperature.

        Args:
            currents: Temperature of Dspike, None for that of the neurons, to `(time, batch, ...)` currents.
            updates: As for `forward`.
        """
        total, first = summed(currents.values()), next(iter(currents))
        if len(currents) == 1 or not (torch.is_grad_enabled() and total.requires_grad):
            fired: Tensor = self(total, updates=updates, temperature=first)
            return fired
        apart = []
        for temperature, current in currents.items():
            seen = total.detach() + (current - current.detach())  # the sum, with the gradient of this part
            given = self._parameters_and_rule(temperature, is_fixed=temperature != first)
            apart.append(self._scan(seen, given, updates=updates if temperature == first else None))
        return summed([apart[0], *(sent - sent.detach() for sent in apart[1:])])

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

    def _parameters_and_rule(self, temperature: float | None = None, *, is_fixed: bool = False) -> _Read:
        """Return Norse's parameters and what `read` makes of them, cached while the constants stay the same.

        With a temperature, Dspike has it; if `is_fixed`, no gradient reaches the constants. Without the cache, reading
        them would take as long as all time steps of a small population.
        """
        constants = list(self.parameters())
        if is_traced() or any(
            constant.requires_grad or constant.numel() > 1 or constant.device.type != "cpu" for constant in constants
        ):
            return self._with(temperature, is_fixed=is_fixed), None
        values = (constants[0].dtype, *(constant.item() for constant in constants))
        last = self._last.get(temperature)
        if last is None or last[0] != values:
            parameters = self._with(temperature)
            last = self._last[temperature] = values, (parameters, read(parameters))
        return last[1]

    def _with(self, temperature: float | None, *, is_fixed: bool = False) -> NeuronParameters:
        dynamics = self.dynamics
        if temperature is not None:
            dynamics = replace(dynamics, surrogate=replace(dynamics.surrogate, temperature=temperature))
        constants = dict(self.named_parameters())
        return norse_parameters(
            dynamics, {name: value.detach() for name, value in constants.items()} if is_fixed else constants
        )

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to save or copy, without the cache: Norse's parameters cannot be pickled."""
        return {**self.__dict__, "_last": {}}

    def norse_parameters(self) -> NeuronParameters:
        """Return Norse's parameter tuple: rates in 1/s, and our `Surrogate` as the method.

        Raises:
            SpaceError: If they are analog or relays, which Norse does not step.
        """
        return self._with(None)

    def extra_repr(self) -> str:
        """Return kind and time steps, for people."""
        return f"{self.dynamics.kind}, time_steps={self.time_steps}"


def summed(currents: Iterable[Tensor]) -> Tensor:
    """Return the sum of `(time, batch, ...)` currents; those of time 1 are the same at each time step."""
    first, *others = currents
    for other in others:
        first = first + other
    return first


def by_temperature(currents: Iterable[tuple[float | None, Tensor]]) -> dict[float | None, Tensor]:
    """Return temperature to the sum of its currents, in the order in which temperatures come first."""
    alike: dict[float | None, list[Tensor]] = {}
    for temperature, current in currents:
        alike.setdefault(temperature, []).append(current)
    return {temperature: summed(parts) for temperature, parts in alike.items()}


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
