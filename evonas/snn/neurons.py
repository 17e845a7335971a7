"""A population of neurons as a module, its constants as real parameters in ms."""

from __future__ import annotations

import torch
from norse.torch.functional.iaf import IAFParameters
from norse.torch.functional.leaky_integrator_box import LIBoxParameters
from norse.torch.functional.lif import LIFParameters
from norse.torch.functional.lif_box import LIFBoxParameters
from norse.torch.functional.reset import reset_subtract, reset_value
from torch import Tensor, nn

from evonas.errors import SpaceError
from evonas.snn.dynamics import DT_MS, PARAMETERS, Dynamics
from evonas.snn.neuron_law import NeuronParameters
from evonas.snn.scan import Watch, scan


class Neuron(nn.Module):
    """Neurons with the same dynamics: `(time, batch, ...)` currents to `(time, batch, ...)` outputs.

    The constants that the kind depends on (`tau_mem_ms`, `tau_syn_ms`, `v_th`) are parameters of the module, so they
    move, save and load with it. They are trained only after `make_trainable`.

    Args:
        dynamics: What a neuron does.
        time_steps: Number of time steps that a static current, which has one, is held for.
        channels: Where given, each channel has constants of its own (shape `(channels, 1, 1)`), else all share them.
    """

    def __init__(self, dynamics: Dynamics, *, time_steps: int, channels: int | None = None) -> None:
        super().__init__()
        self.dynamics = dynamics
        self.time_steps = time_steps
        shape = () if channels is None else (channels, 1, 1)
        for name in PARAMETERS[dynamics.kind]:
            value = torch.full(shape, float(getattr(dynamics, name)))
            self.register_parameter(name, nn.Parameter(value, requires_grad=False))

    def make_trainable(self, *names: str) -> None:
        """Let the constants `names` be trained. A time constant acts as 1 ms, the time step, when it falls below.

        Raises:
            SpaceError: If this kind of neuron does not depend on one of them.
        """
        for name in names:
            if name not in PARAMETERS[self.dynamics.kind]:
                known = ", ".join(PARAMETERS[self.dynamics.kind]) or "nothing"
                raise SpaceError(f"A neuron of kind {self.dynamics.kind} cannot train {name!r}, it depends on {known}.")
            self.get_parameter(name).requires_grad_(True)

    def forward(self, current: Tensor, *, watch: Watch | None = None) -> Tensor:
        """Return `(time, batch, ...)` spikes in {0, 1}, potentials (readout) or rates (analog).

        Args:
            current: `(time, batch, ...)`; time 1 is a static current. Analog neurons keep it static.
            watch: Sees current and states before each step.

        Raises:
            ValueError: If the current has another number of time steps.
        """
        if self.dynamics.kind == "analog":
            if watch is not None:
                for current_now in current:
                    watch(current_now, ())
            return torch.relu(current)
        return scan(current, self.norse_parameters(), time_steps=self.time_steps, watch=watch)

    def norse_parameters(self) -> NeuronParameters:
        """Return Norse's parameter tuple: rates in 1/s, and our `Surrogate` as the method.

        Raises:
            SpaceError: If the neurons are analog, which Norse does not step.
        """
        kind, surrogate = self.dynamics.kind, self.dynamics.surrogate
        if kind == "analog":
            raise SpaceError("Analog neurons have no state and no parameters.")
        zero = torch.zeros((), device=next(self.parameters()).device, dtype=next(self.parameters()).dtype)
        if kind == "readout":
            return LIBoxParameters(tau_mem_inv=self._rate("tau_mem_ms"), v_leak=zero)
        if kind == "integrate_and_fire":
            return IAFParameters(v_th=self.v_th, v_reset=zero, method=surrogate, alpha=1.0)
        if kind == "lif_box":
            return LIFBoxParameters(
                tau_mem_inv=self._rate("tau_mem_ms"),
                v_leak=zero,
                v_th=self.v_th,
                v_reset=zero,
                method=surrogate,
                alpha=1.0,
                reset_method=reset_subtract if self.dynamics.reset == "subtract" else reset_value,
            )
        return LIFParameters(
            tau_syn_inv=self._rate("tau_syn_ms"),
            tau_mem_inv=self._rate("tau_mem_ms"),
            v_leak=zero,
            v_th=self.v_th,
            v_reset=zero,
            method=surrogate,
            alpha=1.0,
        )

    def _rate(self, name: str) -> Tensor:
        return 1000.0 / self.get_parameter(name).clamp(min=DT_MS)

    def extra_repr(self) -> str:
        """Return kind and time steps, for people."""
        return f"{self.dynamics.kind}, time_steps={self.time_steps}"
