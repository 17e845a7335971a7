"""Dynamics of a neuron as plain numbers: kind, time constants, threshold, reset and surrogate gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from evonas.architecture.constant import Constant, each, values_of
from evonas.errors import SpaceError

DT_MS = 1.0
"""Length of a time step in ms."""

Kind = Literal["lif", "lif_box", "integrate_and_fire", "alif", "analog", "relay", "readout"]

PARAMETERS: dict[str, tuple[str, ...]] = {
    "lif": ("tau_mem_ms", "tau_syn_ms", "v_th"),
    "lif_box": ("tau_mem_ms", "v_th"),
    "integrate_and_fire": ("v_th",),
    "alif": ("tau_mem_ms", "v_th", "tau_adapt_ms", "beta"),
    "analog": (),
    "relay": (),
    "readout": ("tau_mem_ms",),
}
"""Kind of neuron to the constants that it depends on."""

STATE_VARIABLES: dict[str, int] = {
    "lif": 2, "lif_box": 1, "integrate_and_fire": 1, "alif": 2, "analog": 0, "relay": 0, "readout": 1
}  # fmt: skip
"""Kind of neuron to its state variables: membrane potential, for `lif` synaptic current, for `alif` adaptation."""

SPIKING = ("lif", "lif_box", "integrate_and_fire", "alif")
"""The kinds whose outputs are spikes."""

SEARCHED_SURROGATES = ("super", "triangle", "tanh", "circ", "heavi_erfc", "dspike")
"""The methods of surrogate gradients among which spaces with neurons of their own choose: Norse's, and Dspike."""

SURROGATES = (*SEARCHED_SURROGATES, "atan")
"""All methods: the arctangent's is that of published networks, with width 1 the one of slope 2 there."""

RESETS = ("value", "subtract")
"""The reset of the membrane after a spike: to zero, or by subtraction of the threshold."""


@dataclass(frozen=True)
class Surrogate:
    """The gradient that stands in for the derivative of the spike.

    Attributes:
        method: One of `SURROGATES`.
        width: Scale on the axis of the membrane potential: the gradient at `v` is that of width 1 at
            `v_th + (v - v_th) / width`, divided by `width`. Dspike is zero beyond `width / 2`, triangle beyond `width`.
        temperature: Of Dspike alone, b: from a rectangle (towards 0) to a peak at the threshold (large), in units of
            the width. The area stays 1.

    Raises:
        SpaceError: If the method is unknown, or the width or the temperature is not positive.
    """

    method: str = "super"
    width: float = 1.0
    temperature: float = 4.0

    def __post_init__(self) -> None:
        if self.method not in SURROGATES:
            raise SpaceError(f"The surrogate must be one of {', '.join(SURROGATES)}, got {self.method!r}.")
        if not 0 < self.width < float("inf"):
            raise SpaceError(f"The width of a surrogate must be a positive number, got {self.width}.")
        if not 0 < self.temperature < float("inf"):
            raise SpaceError(f"The temperature of a surrogate must be a positive number, got {self.temperature}.")


@dataclass(frozen=True)
class Dynamics:
    """Dynamics of a neuron. Constants that its kind does not depend on (`PARAMETERS`) are ignored.

    A constant is one number for all neurons of a population, or a tuple of one for each of its channels, which then are
    trained apart as well.

    Attributes:
        kind: `"lif"` (with synaptic current), `"lif_box"` (without), `"integrate_and_fire"`, `"alif"` (`lif_box` with a
            threshold that each spike raises), `"analog"` (rectified linear, no state), `"relay"` (no neuron: sends the
            current that it receives, in the same time step) or `"readout"` (leaky integrator whose output is its
            membrane potential).
        tau_mem_ms: Time constant of the membrane, at least the time step of 1 ms (explicit Euler).
        tau_syn_ms: Time constant of the synaptic current, at least the time step of 1 ms.
        v_th: Threshold: the neuron fires when its membrane potential is strictly above.
        tau_adapt_ms: Time constant with which the threshold of `alif` returns, at least the time step of 1 ms.
        beta: What a spike adds to the threshold of `alif`, in units of the membrane potential; 0 makes it `lif_box`.
        reset: `"value"` or, for `lif_box` only, `"subtract"`.
        surrogate: The gradient of the spike.

    Raises:
        SpaceError: If a number is out of its range, constants of channels are of several lengths or a readout's, or the
            kind cannot do the reset.
    """

    kind: Kind
    tau_mem_ms: Constant = 2.0
    tau_syn_ms: Constant = 2.0
    v_th: Constant = 1.0
    tau_adapt_ms: Constant = 2.0
    beta: Constant = 0.1
    reset: str = "value"
    surrogate: Surrogate = field(default_factory=Surrogate)

    def __post_init__(self) -> None:
        if self.kind not in PARAMETERS:
            raise SpaceError(f"The kind of a neuron must be one of {', '.join(PARAMETERS)}, got {self.kind!r}.")
        for name in ("tau_mem_ms", "tau_syn_ms", "tau_adapt_ms"):
            if not all(DT_MS <= value < math.inf for value in values_of(getattr(self, name))):
                raise SpaceError(
                    f"{name} must be at least the time step of {DT_MS:g} ms, got {getattr(self, name)}: "
                    "with a shorter one the explicit Euler step overshoots."
                )
        if not all(0 < value < math.inf for value in values_of(self.v_th)):
            raise SpaceError(f"v_th must be a positive number, got {self.v_th}.")
        if not all(0 <= value < math.inf for value in values_of(self.beta)):
            raise SpaceError(f"beta must be 0 or a positive number, got {self.beta}.")
        self._check_channels()
        if self.reset not in RESETS:
            raise SpaceError(f"The reset must be one of {', '.join(RESETS)}, got {self.reset!r}.")
        if self.reset == "subtract" and self.kind != "lif_box":
            raise SpaceError(f"Only lif_box can reset by subtraction, got kind {self.kind!r}. Use reset 'value'.")

    def _check_channels(self) -> None:
        lengths = {name: len(one) for name in PARAMETERS[self.kind] if isinstance(one := getattr(self, name), tuple)}
        if len(set(lengths.values())) > 1 or 0 in lengths.values():
            raise SpaceError(f"Constants of channels must be as many as there are channels, got {lengths}.")
        if self.kind == "readout" and lengths:
            raise SpaceError(
                f"The potentials of a readout are compared with each other, so that all have one time constant, got "
                f"{self.tau_mem_ms}."
            )

    @property
    def channels(self) -> int | None:
        """Channels that the constants are for; None where all neurons share them."""
        constants = (getattr(self, name) for name in PARAMETERS[self.kind])
        return next((len(one) for one in constants if isinstance(one, tuple)), None)

    @property
    def is_spiking(self) -> bool:
        """Whether the outputs are spikes."""
        return self.kind in SPIKING

    @property
    def has_memory(self) -> bool:
        """Whether the outputs depend on earlier time steps."""
        return self.state_variables > 0

    @property
    def state_variables(self) -> int:
        """State variables of each neuron."""
        return STATE_VARIABLES[self.kind]

    def deviation(self, time_steps: int) -> Constant:
        """Return the standard deviation of the potential after so many steps of white currents of deviation 1.

        Resets and adaptation, which follow spikes, are left out. Currents divided by it bring neurons of any kind and
        time constants near their thresholds about equally often. Analog neurons and relays have that of the current, 1.

        Example:
            >>> Dynamics("integrate_and_fire").deviation(16)
            4.0
            >>> round(Dynamics("lif_box", tau_mem_ms=20.0).deviation(100), 2)
            0.16
            >>> Dynamics("lif_box", tau_mem_ms=(1.0, 2.0)).deviation(1)
            (1.0, 0.5)
        """
        if not self.has_memory:
            return 1.0
        tau_mem_ms = math.inf if self.kind == "integrate_and_fire" else self.tau_mem_ms
        tau_syn_ms = self.tau_syn_ms if self.kind == "lif" else DT_MS
        return each(partial(_deviation, time_steps), tau_mem_ms, tau_syn_ms)

    @property
    def threshold_current(self) -> Constant:
        """The current that lifts a neuron at rest to its threshold within one time step; 1 where there is none."""
        if not self.is_spiking:
            return 1.0
        if self.kind == "integrate_and_fire":
            return self.v_th
        return each(lambda v_th, tau_mem_ms: v_th * tau_mem_ms / DT_MS, self.v_th, self.tau_mem_ms)


def _deviation(time_steps: int, tau_mem_ms: float, tau_syn_ms: float) -> float:
    leak = DT_MS / tau_mem_ms
    v, i, total = 0.0, 1.0, 0.0
    for _ in range(time_steps):  # the answer to a current of 1 at the first step
        v += (leak or 1.0) * i - leak * v
        i *= 1 - DT_MS / tau_syn_ms
        total += v**2
    return math.sqrt(total)
