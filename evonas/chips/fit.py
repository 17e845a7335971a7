"""Fit: whether a network can run on a chip at all, from its shapes alone, and by how much it breaks the limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from evonas.chips.deployment import ASSUMED, WEIGHT_BITS, Deployment, Split, Weights
from evonas.chips.fit_rules import Findings, blocks, cores, everywhere, one_core, reservoir, software
from evonas.chips.fit_speck import convolution_cores
from evonas.chips.profile import Profile, load
from evonas.chips.topology import Network, Topology, topology

Verdict = Literal["fits", "does not fit", "unchecked"]


@dataclass(frozen=True)
class Fit:
    """Whether a network fits on a chip. It prints as a sentence.

    Attributes:
        profile: Id of the profile.
        violations: Each rule that is broken, with numbers, for people.
        degree: By how much rules are broken, relative to their limits and summed; 0 where none is.
        unchecked: Each rule that could not be checked.
        cores: Cores by layer, where the chip has cores that layers do not share.
        notes: What was assumed.
        kept: Each limit that is kept, with numbers, for people.
    """

    profile: str
    violations: tuple[str, ...]
    degree: float
    unchecked: tuple[str, ...]
    cores: Mapping[str, int]
    notes: tuple[str, ...]
    kept: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """`"fits"`, `"does not fit"`, or `"unchecked"` where no rule is broken but some could not be checked."""
        if self.violations:
            return "does not fit"
        return "unchecked" if self.unchecked else "fits"

    def __str__(self) -> str:
        """Return the verdict and why."""
        why = self.violations or self.unchecked
        return f"{self.verdict} on {self.profile}" + (f": {'; '.join(why)}" if why else "")


def checker(
    *, profile: str, weights: Weights = "unshared", weight_bits: int = WEIGHT_BITS, split: Split = "any"
) -> Callable[[Network], Fit]:
    """Return a function of a network to its fit on the chip `profile`; arguments as for the objective `fit`.

    Raises:
        ProfileError: If the profile is missing or wrong.
        OptionError: If an option has a value that it cannot have.
    """
    assumed = Deployment(weights=weights, weight_bits=weight_bits, split=split)
    chip = load(profile)
    return lambda network: check(network, chip, assumed=assumed)


def check(network: Network, profile: Profile, *, assumed: Deployment = ASSUMED) -> Fit:
    """Return whether a planned or a measured network fits on a chip.

    Args:
        network: The plan of a network, or its counts, of which only the shapes matter: those do not tell whether
            constants differ among channels, so that they are taken to be shared.
        profile: The chip.
        assumed: What the profile leaves open, the bits of a weight among it.
    """
    findings = Findings()
    if not profile.fit:
        findings.unchecked.append("everything (the profile has no [fit])")
    else:
        shapes = topology(network)
        everywhere(shapes, profile, assumed=assumed, findings=findings)
        _rule(profile.fit)(shapes, profile, assumed, findings)
    return Fit(
        profile.id,
        tuple(findings.violations),
        findings.degree,
        tuple(findings.unchecked),
        findings.cores,
        tuple(findings.notes),
        tuple(findings.kept),
    )


_Rule = Callable[[Topology[Any], Profile, Deployment, Findings], None]


def _rule(fit: Mapping[str, Any]) -> _Rule:
    """Return the rule of a kind of chip, which is recognised by resources that only this kind has."""
    if "kernel_kib" in fit:
        return convolution_cores
    if fit.get("layers") == "input-hidden-readout":
        return reservoir
    if "crossbar_bits" in fit:
        return blocks
    if fit.get("cores") == 1:
        return one_core
    if "sdram_bytes_per_chip" in fit:
        return software
    return cores
