"""The schema of profile files: their sections and keys, what values may be, and what keys require of each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from evonas.chips import units
from evonas.chips.profile_reader import (
    COUNT,
    COUNTS,
    FACTOR,
    FLAG,
    NUMBER,
    NUMBERS_BY_NAME,
    POSITIVE,
    RANGE,
    SOURCED_STEPS,
    STEPS,
    TEXT,
    TEXTS,
    TEXTS_BY_NAME,
    WHOLE,
    WHOLE_RANGE,
    Read,
    checked,
    coefficient,
    coefficients,
    every,
    is_whole,
    maybe_bare,
    one_of,
    table,
    uncertainty,
)

SCHEMA = 1

_ENERGY = coefficients("pJ", units.ENERGY)
_UNIT_OF_TIME = "the unit of its name, else ns"
_OF_NOTHING = ("upd_neuron", "spike_out", "msg_out", "msg_in", "hop", "step_overhead", "sync_multichip_ns",
               "pipeline_ticks_per_layer", "cycles_per_spike", "cycles_per_tick_leak", "launch_us")  # fmt: skip
"""Times that may be 0; all others decide the time of a sample."""


def _times(names: Iterable[str], *, positive: bool) -> dict[str, Read]:
    return {
        name: maybe_bare(
            coefficient(_UNIT_OF_TIME, per=(units.TIME[name],), sourced=False, positive=positive), positive=positive
        )
        for name in names
    }


_SECTIONS: dict[str, Read] = {
    "profile": table(
        {
            **every(TEXT, "id", "name", "class"),
            "composition": one_of("additive", "power-time"),
            "scope": one_of("arithmetic-only", "arithmetic+memory", "core-dynamic", "chip", "all-in"),
            **every(POSITIVE, "node_nm", "vdd_v"),
            "uncertainty": uncertainty,
            "refs": TEXTS_BY_NAME,
        },
        required={
            "id": "the name of the file",
            "name": "a name for people",
            "class": "the kind of machine",
            "composition": "additive or power-time",
            "scope": "what the coefficients include",
            "refs": "a table of citations",
        },
    ),
    "energy": _ENERGY,
    "energy_alternative": _ENERGY,
    "all_in": _ENERGY,
    "power": coefficients("mW", {name: (per,) for name, per in units.POWER.items()}),
    "memory": table(
        {
            **every(COUNT, "weight_bits", "state_bits", "event_bits", "dram_above_bytes"),
            "sram_pj_per_64b": SOURCED_STEPS,
            "dram_pj_per_64b": coefficient("pJ"),
            "ann_reuse": FACTOR,
        }
    ),
    "time": table(
        {
            "model": one_of("async-barrier", "tick", "tick+cycles", "cycles", "event", "roofline"),
            **_times([name for name in units.TIME if name not in _OF_NOTHING], positive=True),
            **_times(_OF_NOTHING, positive=False),
            "cyc": table(
                every(NUMBER, *units.CYCLES), required={name: f"cycles per {per}" for name, per in units.CYCLES.items()}
            ),
            "sync_by_tiles": STEPS,
            "step_range_us": RANGE,
        },
        required={"model": "what decides the time of a sample"},
    ),
    "fit": table(
        {
            **every(COUNT, "chips", "cores", "cores_per_tile", "cores_per_chip", "layers_max"),
            **every(COUNT, "neurons_per_core", "neurons_total", "inputs", "hidden", "outputs"),
            **every(COUNT, "syn_bits_per_core", "syn_per_core", "syn_total", "crossbar_bits", "weight_table"),
            **every(COUNT, "in_axons_per_core", "out_axons_per_core", "fanin_max", "fanout_cores"),
            **every(COUNT, "out_targets_per_neuron", "router_entries", "state_bits"),
            **every(COUNT, "time_constants_per_core", "thresholds_per_core"),
            **every(COUNT, "input_hw_max", "output_hw_max", "channels_max", "kernel_max"),
            **every(COUNT, "dtcm_bytes", "sdram_bytes_per_chip"),
            **every(WHOLE, "bias_entries", "delay_max", "padding_max"),
            "syn_overhead": FACTOR,
            "weight_bits": WHOLE_RANGE,
            **every(FLAG, "bias", "recurrence", "graded_spikes", "timesteps"),
            **every(COUNTS, "stride", "pool", "kernel_kib", "neuron_kib"),
            **every(TEXTS, "neuron_models", "pooling", "reset"),
            "input": TEXT,
            "layers": one_of("input-hidden-readout"),
            "constants": one_of("neuron", "layer"),
        }
    ),
    "rules": table(
        {
            "counts": one_of("exact", "dense", "dense-rate", "crossbar-full"),
            "neuron_update_ops": one_of("ignored", "counted"),
        },
        required={"counts": "how operations are counted"},
    ),
}
_GOLDEN = table(
    {
        "name": TEXT,
        **every(NUMBER, "T", "S", "Sg", "M", "NT", "U", "K", "F", "H", "t_s", "clock_mhz", "tol"),
        "expect_mj": NUMBERS_BY_NAME,
    },
    required={"name": "what it is", "expect_mj": "a table of energies in mJ", "tol": "the relative error allowed"},
)


def _goldens(where: str, value: Any, faults: list[str]) -> tuple[Any, ...]:
    if not isinstance(value, list):
        faults.append(f"{where}: got {value!r}, expected [[golden]] blocks.")
        return ()
    return tuple(_GOLDEN(f"{where}[{index}]", block, faults) for index, block in enumerate(value))


_DOCUMENT = table(
    {
        "schema": checked(f"{SCHEMA}, the schema of this version", lambda value: value == SCHEMA and is_whole(value)),
        **_SECTIONS,
        "golden": _goldens,
    },
    required={
        "schema": str(SCHEMA),
        "profile": "a section that says what the chip is",
        "energy": "a section with pJ per operation, empty where nothing is published",
        "rules": "a section that says how operations are counted",
    },
)


def read_document(document: Mapping[str, Any], faults: list[str]) -> dict[str, Any]:
    """Return the sections of a profile by name, empty where they are left out, and append its faults to `faults`."""
    sections = _DOCUMENT("", document, faults)
    complete = {
        **{name: {} for name in _SECTIONS},
        "golden": (),
        **{name: sections[name] for name in sections if name != "schema"},
    }
    faults += missing_faults(document)
    if not faults:
        faults += contradictions(complete)
    return complete


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
"""Keys, and the other keys that are needed to compute anything from them."""

_OF_MEMORY = ("weight_bits", "state_bits", "event_bits", "sram_pj_per_64b")


def missing_faults(document: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each key of a document that is missing although another one needs it."""
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
        sections: The sections of a profile by name; each key by itself has been checked.
    """
    return [*_of_counts(sections), *_of_cores(sections["fit"]), *_of_golden(sections)]


def _has(document: Mapping[str, Any], key: str) -> bool:
    section, _, name = key.partition(".")
    table = document.get(section)
    return isinstance(table, dict) and name in table


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
