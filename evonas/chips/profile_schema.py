"""The schema of profile files: which sections and keys there are, and what their values may be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from evonas.chips import units
from evonas.chips.profile_dependencies import contradictions, missing_faults
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
"""Times that may be 0: what takes none, while the work that decides the time of a sample takes some."""


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
    found = {
        **{name: {} for name in _SECTIONS},
        "golden": (),
        **{name: sections[name] for name in sections if name != "schema"},
    }
    faults += missing_faults(document)
    if not faults:
        faults += contradictions(found)
    return found
