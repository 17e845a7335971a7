"""Neuron models of chips: which of them can implement which kind of spiking neuron."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MODELS: Mapping[str, tuple[str, ...]] = {
    "lif": ("cuba-lif", "cuba-lif-bitshift", "custom"),
    "lif_box": ("lif", "cuba-lif", "lif-bitshift", "cuba-lif-bitshift", "custom"),
    "relay": ("if", "lif", "cuba-lif", "lif-bitshift", "cuba-lif-bitshift", "lif-linear-leak", "custom"),
    "integrate_and_fire": ("if", "lif", "cuba-lif", "lif-linear-leak", "custom"),
    "alif": ("alif", "custom"),
}
"""For each kind of spiking neuron the models of chips that can implement it, more general ones included.

A relay of spikes fires at one spike and is then reset to zero, so that whatever leaks has nothing to leak.
"""


def models_for(kind: str, fit: Mapping[str, Any]) -> set[str] | None:
    """Return the neuron models of a chip that implement a kind; None where its profile does not tell its models."""
    models = fit.get("neuron_models")
    return None if models is None else set(MODELS.get(kind, ())) & set(models)
