"""What a profile's keys demand of each other: each rule yields a sentence a key that is missing or contradicts one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Sections = Mapping[str, Any]

_NEEDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("fit.crossbar_bits", ("fit.cores", "fit.in_axons_per_core", "fit.neurons_per_core")),
    ("fit.kernel_kib", ("fit.neuron_kib",)),
    ("fit.neuron_kib", ("fit.kernel_kib",)),
    ("fit.layers", ("fit.inputs", "fit.hidden", "fit.outputs")),
    ("fit.sdram_bytes_per_chip", ("fit.cores",)),
    ("fit.cores_per_tile", ("fit.cores",)),
    ("fit.cores_per_chip", ("fit.cores",)),
    ("power.board_idle", ("fit.chips", "power.static_chip")),
    ("power.clk_mw_per_mhz", ("time.clock_mhz",)),
    ("memory.dram_above_bytes", ("memory.dram_pj_per_64b",)),
    ("memory.dram_pj_per_64b", ("memory.dram_above_bytes",)),
)
"""Keys, and the keys without which nothing could be computed from them."""

_OF_MEMORY = ("weight_bits", "state_bits", "event_bits", "sram_pj_per_64b")


def missing_faults(document: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each key of a document that another one needs and that is not there, right or wrong."""
    faults = [
        f"{needed} is missing, which {key} needs."
        for key, all_needed in _NEEDS
        if _has(document, key)
        for needed in all_needed
        if not _has(document, needed)
    ]
    if document.get("memory"):
        faults += [
            f"memory.{name} is missing, which the energy of accesses to memory needs."
            for name in _OF_MEMORY
            if not _has(document, f"memory.{name}")
        ]
    return faults


def contradictions(sections: Sections) -> list[str]:
    """Return a sentence for each key that contradicts another one.

    Args:
        sections: The sections of a profile by name, of which each key by itself is right.
    """
    return [*_of_counts(sections), *_of_cores(sections["fit"]), *_of_golden(sections)]


def _has(document: Mapping[str, Any], key: str) -> bool:
    section, _, name = key.partition(".")
    held = document.get(section)
    return isinstance(held, dict) and name in held


def _of_counts(sections: Sections) -> Iterator[str]:
    counts, energy = sections["rules"]["counts"], sections["energy"]
    if counts == "crossbar-full" and "neurons_per_core" not in sections["fit"]:
        yield 'fit.neurons_per_core is missing, the length of the row that rules.counts = "crossbar-full" reads.'
    if counts == "dense" and energy and "mac" not in energy:
        yield 'energy.mac is missing, with which rules.counts = "dense" prices every synapse.'
    for name in ("synop", "synop_conv", "synop_graded", "mac"):
        if name in energy and energy[name].inside is not None:
            yield (
                f"energy.{name}.in: got {energy[name].inside!r}, expected none: others may be held by the price of a "
                "synaptic operation, which is held by none."
            )


def _of_cores(fit: Mapping[str, Any]) -> Iterator[str]:
    chips, cores, per_chip = fit.get("chips", 1), fit.get("cores"), fit.get("cores_per_chip")
    if chips > 1 and cores is not None and per_chip is None:
        yield f"fit.cores_per_chip is missing, which says how the {cores} fit.cores lie on the {chips} fit.chips."
    if per_chip is not None and cores is not None and cores > chips * per_chip:
        yield f"fit.cores: got {cores}, expected at most {chips * per_chip}: fit.chips x fit.cores_per_chip."
    if "kernel_kib" in fit and "neuron_kib" in fit:
        kernels, neurons = len(fit["kernel_kib"]), len(fit["neuron_kib"])
        if kernels != neurons:
            yield f"fit.neuron_kib: got {neurons} cores, expected {kernels}, as many as in fit.kernel_kib."
        if cores is not None and cores != kernels:
            yield f"fit.cores: got {cores}, expected {kernels}, as many as in fit.kernel_kib."


def _of_golden(sections: Sections) -> Iterator[str]:
    groups = ("synapse", "soma", "network", "total")
    for index, block in enumerate(sections["golden"]):
        for name in block["expect_mj"]:
            if name not in groups:
                yield f"golden[{index}].expect_mj.{name}: there is no such key; known are: {', '.join(groups)}."
