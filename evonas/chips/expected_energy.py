"""Expected joules of a network that is drawn from a mixture: the coefficients of a profile times expected counts.

A stand-in for `energy` where gradients are needed: it says which networks are cheaper, not how many joules they take.
`ExpectedEnergy.uncounted` lists what it leaves out. The networks found are priced in full when they are measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from evonas.chips.deployment import Deployment
from evonas.chips.energy_estimate import PICO, priced
from evonas.chips.placement import Placement
from evonas.chips.profile import Profile, load
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
        picojoules: Coefficients by what they are multiplied with: a field of `ExpectedCounts`.
        steps_of_input: Whether multiply-accumulates of static data are done at every time step.
        uncounted: What the energy of the run counts and this does not.
    """

    chip: str
    picojoules: Mapping[str, float | None]
    steps_of_input: bool
    uncounted: tuple[str, ...]

    def __call__(self, counts: ExpectedCounts) -> Any:
        """Return joules.

        Raises:
            UnpriceableError: For multiply-accumulates behind the data where the chip has none, from which the search
                learns to leave analog neurons out.
        """
        multiplying = self.picojoules["macs"]
        if multiplying is None and counts.macs.item() > 0:
            raise UnpriceableError(f"{self.chip} has no price for multiply-accumulates behind the data.")
        picojoules: Any = 0.0
        for name in ("events", "graded", "spikes", "neuron_steps", "time_steps"):
            picojoules = picojoules + self.picojoules[name] * getattr(counts, name)
        if multiplying is not None:
            times = counts.time_steps if self.steps_of_input else 1.0
            picojoules = picojoules + multiplying * (counts.macs + times * counts.input_macs)
        return PICO * picojoules


def expected_energy(profile: str, *, assumed: Deployment) -> ExpectedEnergy:
    """Return the function of expected counts to joules per sample.

    Args:
        profile: Name of a profile, or the path of its file.
        assumed: What the profile leaves open.

    Raises:
        ProfileError: If the energy of this chip is not a sum over operations that networks spare by spiking less.
    """
    chip = load(profile)
    prices = {name: price.value for name, price in priced(chip, assumed).items()}
    if chip.composition != "additive" or chip.rules["counts"] == "dense" or "synop" not in prices:
        raise ProfileError(
            f"{chip.id} cannot price a differentiable search: it has no energy for single synaptic events, or counts "
            "without regard to spikes. Use another profile, or another strategy."
        )
    hops = Placement({}, 1, 1, 1).hops(assumed)
    of_messages = (("spike_out", 1), ("msg_out", 1), ("hop", hops))
    addressing = prices.get("addr", 0.0)
    return ExpectedEnergy(
        chip.id,
        {
            "events": prices["synop"] + addressing,
            "graded": prices.get("synop_graded", prices["synop"]) + addressing,
            "spikes": sum(prices.get(name, 0.0) * factor for name, factor in of_messages),
            "neuron_steps": prices.get("acc_neuron", 0.0) + prices.get("upd_neuron", 0.0),
            "time_steps": prices.get("step", 0.0),
            "macs": prices.get("mac"),
        },
        steps_of_input=assumed.static_first == "every-step",
        uncounted=tuple(_uncounted(chip)),
    )


def _uncounted(chip: Profile) -> Iterator[str]:
    if chip.rules["counts"] in _RULES:
        yield _RULES[chip.rules["counts"]]
    if chip.memory:
        yield "accesses to memory"
