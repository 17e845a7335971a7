"""Expected joules of a network that is drawn from a mixture: the coefficients of a profile times expected counts.

A stand-in for `energy` where gradients are needed. What depends on where neurons are placed is simple here: each spike
makes one message. Memory accesses and power are left out. The networks found are priced exactly when they are measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evonas.errors import ProfileError, UnpriceableError
from objectives.deployment import ASSUMED
from objectives.energy_estimate import PICO, priced
from objectives.placement import Placement
from objectives.profile import load

if TYPE_CHECKING:
    from evonas.snn.expected_counts import ExpectedCounts, PriceFunction


def expected_energy(profile: str) -> PriceFunction:
    """Return the function of expected counts to joules per sample.

    It raises `UnpriceableError` for multiply-accumulates behind the data where the chip has none, from which the search
    learns to leave analog neurons out.

    Args:
        profile: Name of a profile, or the path of its file.

    Raises:
        ProfileError: If the energy of this chip is not a sum over operations that networks spare by spiking less.
    """
    chip = load(profile)
    prices = {name: price.value for name, price in priced(chip, ASSUMED).items()}
    if chip.composition != "additive" or chip.rules["counts"] == "dense" or "synop" not in prices:
        raise ProfileError(
            f"{chip.id} cannot price a differentiable search: it has no energy for single synaptic events, or counts "
            "without regard to spikes. Use another profile, or another strategy."
        )
    graded = prices.get("synop_graded", prices["synop"])
    hops = Placement({}, 1, 1, 1).hops(ASSUMED)
    of_spikes = sum(
        prices.get(name, 0.0) * factor for name, factor in (("spike_out", 1), ("msg_out", 1), ("hop", hops))
    )
    of_neurons = prices.get("acc_neuron", 0.0) + prices.get("upd_neuron", 0.0)
    addressing, multiplying = prices.get("addr", 0.0), prices.get("mac")

    def joules(counts: ExpectedCounts) -> Any:
        picojoules: Any = (prices["synop"] + addressing) * counts.events + (graded + addressing) * counts.graded
        picojoules = picojoules + of_spikes * counts.spikes + of_neurons * counts.neuron_steps
        picojoules = picojoules + prices.get("step", 0.0) * counts.time_steps
        if multiplying is not None:
            picojoules = picojoules + multiplying * (counts.macs + counts.input_macs)
        elif counts.macs.item() > 0:
            raise UnpriceableError(f"{chip.id} has no price for multiply-accumulates behind the data.")
        return PICO * picojoules

    return joules
