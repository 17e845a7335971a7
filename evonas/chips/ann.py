"""The same network as an ordinary one, without spikes and time: what a sample would cost where it is computed once.

How often a weight or an activation that was read is used again decides such comparisons, so that it is a number of the
profile (`memory.ann_reuse`) or of the caller, and part of the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evonas.chips.band import NOTHING, Band, total
from evonas.chips.energy_estimate import PICO, spread
from evonas.chips.memory_access import access
from evonas.chips.profile import Profile
from evonas.chips.topology import Layer, Network, size, topology
from evonas.errors import ProfileError


@dataclass(frozen=True)
class AnnEstimate:
    """What a sample costs as an ordinary network of the same layers.

    Attributes:
        profile: Id of the profile.
        scope: What its coefficients include.
        reuse: How often each weight and activation that was read is used.
        macs: Multiply-accumulates.
        terms: Joules per sample: `mac`, `neurons`, and of memory accesses `weights`, `inputs` and `outputs`.
        uncounted: What is left out, for people.
    """

    profile: str
    scope: str
    reuse: float
    macs: int
    terms: Mapping[str, Band]
    uncounted: tuple[str, ...]

    @property
    def total(self) -> Band:
        """Sum of all terms."""
        return total(self.terms.values())


def ann(network: Network, profile: Profile, *, reuse: float | None = None) -> AnnEstimate:
    """Return what the network would cost with rectified linear units, each sample computed once.

    Args:
        network: A plan, or the counts of a network, of which only the shapes matter.
        profile: The chip.
        reuse: How often each weight and activation that was read is used; by default what the profile says, else 1.

    Raises:
        ProfileError: If the chip has no price for a multiply-accumulate, or the reuse is below 1.
    """
    if "mac" not in profile.energy:
        raise ProfileError(f"{profile.id} has no energy.mac: it cannot run ordinary networks. Choose another profile.")
    used = float(profile.memory.get("ann_reuse", 1)) if reuse is None else reuse
    if used < 1:
        raise ProfileError(f"The reuse of weights must be at least 1, got {used}.")
    price, per_neuron = profile.energy["mac"], profile.energy.get("acc_neuron")
    macs, terms = 0, dict.fromkeys(("mac",), NOTHING)
    for layer in topology(network).layers:
        products = sum(edge.dense for edge in layer.all_edges)
        macs += products
        parts = {"mac": Band(price.low, price.value, price.high).times(products * PICO)}
        if profile.memory:
            parts.update(_accesses(layer, profile.memory, reuse=used))
        elif per_neuron is not None:
            band = Band(per_neuron.low, per_neuron.value, per_neuron.high)
            parts["neurons"] = band.times(layer.neurons * PICO)
        for name, band in parts.items():
            terms[name] = terms.get(name, NOTHING) + spread(band, profile)
    missing = ["memory accesses"] if profile.scope == "arithmetic-only" else []
    missing += ["activation functions"] if profile.memory or per_neuron is None else []
    return AnnEstimate(profile.id, profile.scope, used, macs, terms, tuple(missing))


def _accesses(layer: Layer[Any], memory: Mapping[str, Any], *, reuse: float) -> dict[str, Band]:
    bits = memory["weight_bits"]
    weights, inputs = NOTHING, NOTHING
    for edge in layer.all_edges:
        if edge.weights:
            weights += access(memory, values=edge.weights, bits=bits).times(edge.dense / reuse)
        inputs += access(memory, values=size(edge.in_shape), bits=bits).times(edge.dense / reuse)
    outputs = access(memory, values=layer.neurons, bits=bits).times(layer.neurons)
    return {"weights": weights, "inputs": inputs, "outputs": outputs}
