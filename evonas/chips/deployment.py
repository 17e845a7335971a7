"""How a network is put on a chip: the choices that its profile leaves open and that estimates have to make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_type_hints

from evonas.errors import OptionError
from evonas.options import Number, OneOf, OptionRule, OrNone, Whole, faults_of, shown

StaticFirst = Literal["once", "every-step"]
Reset = Literal["not-counted", "per-sample"]
Host = Literal["not-counted", "active"]
Weights = Literal["unshared", "shared"]
Split = Literal["any", "channels"]
Pipeline = Literal["one-layer-per-step", "within-step"]


MOST_BITS = 64

WEIGHT_BITS = 8
"""Bits of a weight by default."""


@dataclass(frozen=True)
class Deployment:
    """The choices that a profile leaves open. The defaults are those of all objectives.

    Attributes:
        static_first: Whether the multiply-accumulates of a static input are done `"once"` or `"every-step"` (the
            convention of many papers).
        reset: Whether the reset of the whole chip before a sample is counted: `"not-counted"` or `"per-sample"`.
        host: Whether the power of the host counts among the static power: `"not-counted"` or `"active"`.
        weights: Whether a convolution's weights are stored once for each synapse (`"unshared"`, at the price of any
            synapse) or once for each kernel (`"shared"`, at the price of a convolution where the chip has one).
        weight_bits: Bits of a weight.
        split: Layers too large for a core are split along channels and then, where a core would get more inputs than
            it has axons, along rows (`"any"`), or along channels only (`"channels"`).
        pipeline: Whether a spike is seen by the next layer in the next time step (`"one-layer-per-step"`, so that
            depth - 1 steps are added) or in the same one (`"within-step"`).
        hops: Hops of a message, or None for 2 on small and a third of width plus height on large placements.
        clock_mhz: Clock, or None for that of the profile.
        cores: Cores by layer, where they are known; the others are computed.

    Raises:
        OptionError: If an option has a value that it cannot have; the message lists all of them.
    """

    static_first: StaticFirst = "once"
    reset: Reset = "not-counted"
    host: Host = "not-counted"
    weights: Weights = "unshared"
    weight_bits: int = WEIGHT_BITS
    split: Split = "any"
    pipeline: Pipeline = "one-layer-per-step"
    hops: float | None = None
    clock_mhz: float | None = None
    cores: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        faults = faults_of(vars(self), _RULES)
        if not isinstance(self.cores, Mapping):
            faults.append(f"cores: got {shown(self.cores)}, expected whole numbers by layer")
        else:
            faults += faults_of({f"cores.{name}": cores for name, cores in self.cores.items()},
                                {f"cores.{name}": Whole(1, 10**9) for name in self.cores})  # fmt: skip
        if faults:
            raise OptionError([f"{fault}." for fault in faults])


_HINTS: dict[str, Any] = get_type_hints(Deployment)

_RULES: dict[str, OptionRule] = {
    **{name: OneOf(get_args(_HINTS[name]))
       for name in ("static_first", "reset", "host", "weights", "split", "pipeline")},
    "weight_bits": Whole(1, MOST_BITS),
    "hops": OrNone(Number(0, 1e6, is_open=True)),
    "clock_mhz": OrNone(Number(1e-6, 1e6)),
}  # fmt: skip

ASSUMED = Deployment()
"""The defaults."""
