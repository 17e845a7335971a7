"""The schema of profile files: which sections and keys there are, and what their values may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evonas.chips.profile_reader import (
    FLAG,
    NUMBER,
    NUMBERS_BY_NAME,
    RANGE,
    SOURCED_STEPS,
    STEPS,
    TEXT,
    TEXTS,
    TEXTS_BY_NAME,
    WHOLE,
    WHOLES,
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

_ENERGY = coefficients(
    "pJ",
    *("synop", "synop_sparse", "synop_conv", "synop_learn", "synop_graded"),  # a delivered event
    *("mac", "add", "mul", "addr"),  # arithmetic
    *("acc_neuron", "upd_neuron"),  # every neuron at every step; on top of it, a neuron that is active
    *("spike_out", "msg_out", "hop", "offchip_spike"),  # a spike; a message to one core; a hop of a message
    *("step", "reset"),  # a time step; a sample
)
_TIME = maybe_bare(coefficient("the unit of its name, else ns", sourced=False))
_SECTIONS: dict[str, Read] = {
    "profile": table(
        {
            **every(TEXT, "id", "name", "class"),
            "composition": one_of("additive", "power-time"),
            "scope": one_of("arithmetic-only", "arithmetic+memory", "core-dynamic", "chip", "all-in"),
            **every(NUMBER, "node_nm", "vdd_v"),
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
    "power": coefficients(
        "mW",
        *("static_chip", "active_core", "board_idle", "io_idle", "pixel_idle"),
        *("total_min", "host_active", "dynamic_run", "clk_mw_per_mhz"),
    ),
    "memory": table(
        {
            **every(WHOLE, "weight_bits", "state_bits", "event_bits", "dram_above_bytes"),
            "sram_pj_per_64b": SOURCED_STEPS,
            "dram_pj_per_64b": coefficient("pJ"),
            "ann_reuse": NUMBER,
        }
    ),
    "time": table(
        {
            "model": one_of("async-barrier", "tick", "tick+cycles", "cycles", "event", "roofline"),
            **every(_TIME, "synop", "acc_neuron", "upd_neuron", "spike_out", "msg_out", "msg_in", "hop"),
            **every(_TIME, "step_overhead", "sync_multichip_ns", "tick_us", "event_layer_us"),
            **every(_TIME, "clock_mhz", "clock_mhz_max", "clock_margin", "pipeline_ticks_per_layer"),
            **every(_TIME, "cycles_per_synop", "cycles_per_spike", "cycles_per_tick_leak"),
            **every(_TIME, "peak_ops_per_s", "bytes_per_s", "launch_us"),
            "cyc": NUMBERS_BY_NAME,
            "sync_by_tiles": STEPS,
            "step_range_us": RANGE,
        },
        required={"model": "what decides the time of a sample"},
    ),
    "fit": table(
        {
            **every(WHOLE, "chips", "cores", "cores_per_tile", "cores_per_chip", "layers_max"),
            **every(WHOLE, "neurons_per_core", "neurons_total", "inputs", "hidden", "outputs"),
            **every(
                WHOLE, "syn_bits_per_core", "syn_per_core", "syn_total", "crossbar_bits", "weight_table", "bias_entries"
            ),
            **every(WHOLE, "in_axons_per_core", "out_axons_per_core", "fanin_max", "fanout_cores"),
            **every(WHOLE, "out_targets_per_neuron", "router_entries", "state_bits", "delay_max"),
            **every(WHOLE, "input_hw_max", "output_hw_max", "channels_max", "kernel_max", "padding_max"),
            **every(WHOLE, "dtcm_bytes", "sdram_bytes_per_chip"),
            "syn_overhead": NUMBER,
            "weight_bits": RANGE,
            **every(FLAG, "bias", "recurrence", "graded_spikes", "timesteps"),
            **every(WHOLES, "stride", "pool", "kernel_kib", "neuron_kib"),
            **every(TEXTS, "neuron_models", "pooling", "reset"),
            **every(TEXT, "input", "layers"),
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
    return {
        **{name: {} for name in _SECTIONS},
        "golden": (),
        **{name: sections[name] for name in sections if name != "schema"},
    }
