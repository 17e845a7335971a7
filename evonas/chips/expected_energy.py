"""Expected joules of a network that is drawn from a mixture: the coefficients of a profile times expected counts.

It takes the place of `energy` where gradients are needed, and compares networks rather than telling their joules.
`ExpectedEnergy.uncounted` lists what it leaves out. Networks that a search proposes are priced in full once measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from evonas.chips.deployment import Deployment
from evonas.chips.energy_sum import joules_by_term, picojoules_at, priced
from evonas.chips.operation_counts import are_adaptations_priced
from evonas.chips.placement import ONE_CORE
from evonas.chips.profile import Coefficient, Profile, load
from evonas.errors import ProfileError, UnpriceableError
from evonas.expected_counts import ExpectedCounts

_RULES = {
    "crossbar-full": "that a spike reads a full row of synapses, zeros included",
    "dense-rate": "operations on padding",
}


@dataclass(frozen=True)
class ExpectedEnergy:
    """A function of expected counts to joules per sample: each spike makes one message, each neuron is always active.

    Attributes:
        chip: Name of the profile.
        prices: Its coefficients by name.
        assumed: What the profile leaves open.
        adapts: Whether neurons whose threshold adapts have a price.
        uncounted: What the energy of the run counts and this does not.
    """

    chip: str
    prices: Mapping[str, Coefficient]
    assumed: Deployment
    adapts: bool
    uncounted: tuple[str, ...]

    def __call__(self, counts: ExpectedCounts) -> Any:
        """Return joules.

        Raises:
            UnpriceableError: If there are multiply-accumulates behind the first layer, which the chip has no price for.
                The search then leaves analog neurons out. The same for thresholds that adapt.
        """
        if not self.adapts and counts.adaptive_steps.item() > 0:
            raise UnpriceableError(f"{self.chip} has no price for thresholds that adapt.")
        if "mac" not in self.prices and counts.macs.item() > 0:
            raise UnpriceableError(f"{self.chip} has no price for multiply-accumulates behind the data.")
        return sum(joules_by_term([self._operations(counts)], picojoules_at(self.prices)).values())

    def _operations(self, counts: ExpectedCounts) -> dict[str, Any]:
        """Return expected operations by the name of the coefficient."""
        has_graded = "synop_graded" in self.prices
        times = counts.time_steps if self.assumed.static_first == "every-step" else 1.0
        return {
            "synop": counts.events if has_graded else counts.events + counts.graded,
            "synop_graded": counts.graded,
            "addr": counts.events + counts.graded,
            "spike_out": counts.spikes,
            "msg_out": counts.spikes,
            "hop": ONE_CORE.hops(self.assumed) * counts.spikes,
            "acc_neuron": counts.neuron_steps,
            "upd_neuron": counts.neuron_steps,
            "mul": counts.adaptive_steps,
            "add": counts.adaptive_steps,
            "step": counts.time_steps,
            "mac": counts.macs + times * counts.input_macs,
        }


def expected_energy(profile: str, *, assumed: Deployment) -> ExpectedEnergy:
    """Return the function of expected counts to joules per sample.

    Args:
        profile: Name of a profile, or the path of its file.
        assumed: What the profile leaves open.

    Raises:
        ProfileError: If the energy of this chip is not a sum over operations that networks spare by spiking less.
    """
    chip = load(profile)
    prices = priced(chip, assumed)
    if chip.composition != "additive" or chip.rules["counts"] == "dense" or "synop" not in prices:
        raise ProfileError(
            f"{chip.id} cannot price a differentiable search: it has no energy for single synaptic events, or counts "
            "without regard to spikes. Use another profile, or another strategy."
        )
    return ExpectedEnergy(chip.id, prices, assumed, are_adaptations_priced(chip), tuple(_uncounted(chip)))


def _uncounted(chip: Profile) -> Iterator[str]:
    if chip.rules["counts"] in _RULES:
        yield _RULES[chip.rules["counts"]]
    if chip.memory:
        yield "accesses to memory"
