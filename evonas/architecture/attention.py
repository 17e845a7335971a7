"""Attention: the gates behind a population, one after the other."""

from __future__ import annotations

from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.gate import KEEPING
from evonas.architecture.neuron import Dynamics
from evonas.errors import SpaceError

ATTENTION: dict[str, tuple[str, ...]] = {
    "none": (),
    "eca": ("real_eca",),
    "cbam": ("real_channel", "real_spatial"),
    "temporal": ("real_temporal",),
    "binary_eca": ("binary_eca",),
    "binary_cbam": ("binary_channel", "binary_spatial"),
    "binary_temporal": ("binary_temporal",),
}
"""Attention to its gates, in their order. What a binary one hands on of spikes are spikes."""

REAL = tuple(name for name, gates in ATTENTION.items() if any(gate not in KEEPING for gate in gates))
"""The attention that makes real numbers of spikes."""


def gates_of(source: str, attention: str) -> tuple[str, ...]:
    """Return the names of the relays that `add_attention` adds behind a population, in their order."""
    return tuple(f"{source}/{gate}" for gate in ATTENTION[attention])


def add_attention(draft: Draft, source: str, attention: str, *, reduction: int = 4) -> str:
    """Add relays of what a population sends, times its gates, and return the name of the last one.

    Source: ECA-Net (Wang et al., CVPR 2020) and CBAM (Woo et al., ECCV 2018), which has its gate over channels before
    that over space; here they multiply spikes, and have no batch norm.

    Args:
        draft: The draft of the plan.
        source: The population.
        attention: One of `ATTENTION`; with `"none"` nothing is added, and the source itself is returned.
        reduction: As of `Incoming`.

    Raises:
        SpaceError: If there is no such attention.
    """
    if attention not in ATTENTION:
        raise SpaceError(f"The attention must be one of {', '.join(ATTENTION)}, got {attention!r}.")
    last = source
    for name, gate in zip(gates_of(source, attention), ATTENTION[attention], strict=True):
        edge = Incoming(f"{name}/gate", (last,), gate, reduction=reduction)
        last = draft.add(name, Dynamics("relay"), incoming=[edge])
    return last
