"""The schema of profile files: which sections and keys there are, and what their values may be."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from typing import Any

SCHEMA = 1
KINDS = ("measured", "fitted", "simulated", "published", "derived", "estimated", "unverified")
_KIND = f"the kind of evidence: one of {', '.join(KINDS)}"


@dataclass(frozen=True)
class Coefficient:
    """A number of a profile, how sure it is, and where it comes from.

    Attributes:
        value: Nominal value, in the unit of its section.
        low: Lower end of its band; `value` where none is given.
        high: Upper end of its band; `value` where none is given.
        kind: One of `KINDS`.
        source: Citation; empty only where none is demanded (uncertainty and times).
        inside: Name of the coefficient that holds this one already, so that it is never added; else None.
        note: Anything else that a reader should know.
    """

    value: float
    low: float
    high: float
    kind: str
    source: str
    inside: str | None = None
    note: str = ""


# How a value is read: `read(where, value, faults)` returns what the profile stores and appends a sentence a fault.
_Read = Callable[[str, Any, list[str]], Any]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _is_whole(value: Any) -> bool:
    return _is_number(value) and isinstance(value, int)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))


def _is_steps(value: Any) -> bool:
    return _is_list_of(value, _is_pair) and all(before[0] < after[0] for before, after in pairwise(value))


def _is_list_of(value: Any, accepts: Callable[[Any], bool]) -> bool:
    return isinstance(value, list) and value != [] and all(map(accepts, value))


def _is_table_of(value: Any, accepts: Callable[[Any], bool]) -> bool:
    return isinstance(value, dict) and all(map(accepts, value.values()))


def _value(expected: str, accepts: Callable[[Any], bool]) -> _Read:
    def read(where: str, value: Any, faults: list[str]) -> Any:
        if not accepts(value):
            faults.append(f"{where}: got {value!r}, expected {expected}.")
        return value

    return read


def _one_of(*choices: str) -> _Read:
    return _value(f"one of {', '.join(choices)}", lambda value: value in choices)


_TEXT = _value("a text", _is_text)
_FLAG = _value("true or false", lambda value: isinstance(value, bool))
_WHOLE = _value("a whole number of at least 0", _is_whole)
_NUMBER = _value("a finite number of at least 0", _is_number)
_RANGE = _value("[lowest, highest]", lambda value: _is_pair(value) and value[0] <= value[1])
_STEPS = _value("a list of [from, value] pairs with rising from", _is_steps)
_TEXTS = _value("a list of texts", lambda value: _is_list_of(value, _is_text))
_WHOLES = _value("a list of whole numbers", lambda value: _is_list_of(value, _is_whole))
_TEXTS_BY_NAME = _value("a table of texts", lambda value: _is_table_of(value, _is_text))
_NUMBERS_BY_NAME = _value("a table of numbers", lambda value: _is_table_of(value, _is_number))


def _table(keys: Mapping[str, _Read], *, required: Mapping[str, str] | None = None) -> _Read:
    meanings = required or {}

    def read(where: str, value: Any, faults: list[str]) -> dict[str, Any]:
        if not isinstance(value, dict):
            faults.append(f"{where}: got {value!r}, expected a table with the keys {', '.join(keys)}.")
            return {}
        prefix = f"{where}." if where else ""
        for key in [key for key in value if key not in keys]:
            close = get_close_matches(key, keys, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known are: {', '.join(keys)}."
            faults.append(f"{prefix}{key}: there is no such key; {hint}")
        faults.extend(f"{prefix}{key} is missing, expected {meanings[key]}." for key in meanings if key not in value)
        return {key: read(f"{prefix}{key}", value[key], faults) for key, read in keys.items() if key in value}

    return read


def _coefficient(unit: str, *, sourced: bool = True) -> _Read:
    number = _value(f"a finite number of at least 0, in {unit} and without the unit", _is_number)
    keys = {"v": number, "lo": number, "hi": number, "k": _one_of(*KINDS), "r": _TEXT, "in": _TEXT, "note": _TEXT}
    meanings = {"v": f"the value in {unit}", "k": _KIND, **({"r": "the source of the value"} if sourced else {})}
    table = _table(keys, required=meanings)

    def read(where: str, value: Any, faults: list[str]) -> Coefficient | None:
        if not isinstance(value, dict):
            faults.append(f"{where}: got {value!r}, expected {{ v = number in {unit}, k = kind, r = source }}.")
            return None
        before = len(faults)
        parts = table(where, value, faults)
        return _with_band(where, parts, faults) if len(faults) == before else None

    return read


def _uncertainty(where: str, value: Any, faults: list[str]) -> Coefficient | None:
    before = len(faults)
    keys = {"lo": _NUMBER, "hi": _NUMBER, "k": _one_of(*KINDS), "r": _TEXT, "note": _TEXT}
    parts = _table(keys, required={"lo": "a factor", "hi": "a factor", "k": _KIND})(where, value, faults)
    return _with_band(where, {"v": 1.0, **parts}, faults) if len(faults) == before else None


def _with_band(where: str, parts: Mapping[str, Any], faults: list[str]) -> Coefficient:
    nominal = parts["v"]
    low, high = parts.get("lo", nominal), parts.get("hi", nominal)
    if not low <= nominal <= high:
        faults.append(f"{where}: got the band {low} to {high}, expected one that holds the value {nominal}.")
    return Coefficient(
        nominal, low, high, parts["k"], parts.get("r", ""), inside=parts.get("in"), note=parts.get("note", "")
    )


def _maybe_bare(read_table: _Read) -> _Read:
    return lambda where, value, faults: (read_table if isinstance(value, dict) else _NUMBER)(where, value, faults)


def _coefficients(unit: str, *operations: str) -> _Read:
    table = _table({name: _coefficient(unit) for name in operations})

    def read(where: str, value: Any, faults: list[str]) -> dict[str, Coefficient]:
        found = {name: item for name, item in table(where, value, faults).items() if item is not None}
        for name, item in found.items():
            if item.inside is None:
                continue
            holder = found.get(item.inside)
            if item.inside not in value or (holder is not None and holder.inside is not None):
                faults.append(
                    f"{where}.{name}.in: got {item.inside!r}, expected a key of [{where}] that has no `in` itself."
                )
        return found

    return read


def _every(reader: _Read, *keys: str) -> dict[str, _Read]:
    return dict.fromkeys(keys, reader)


_ENERGY = _coefficients(
    "pJ",
    *("synop", "synop_sparse", "synop_conv", "synop_learn", "synop_graded"),  # a delivered event
    *("mac", "add", "mul", "addr"),  # arithmetic
    *("acc_neuron", "upd_neuron"),  # every neuron at every step; on top of it, a neuron that is active
    *("spike_out", "msg_out", "hop", "offchip_spike"),  # a spike; a message to one core; a hop of a message
    *("step", "reset"),  # a time step; a sample
)
_TIME = _maybe_bare(_coefficient("the unit of its name, else ns", sourced=False))
_SECTIONS: dict[str, _Read] = {
    "profile": _table(
        {
            **_every(_TEXT, "id", "name", "class"),
            "composition": _one_of("additive", "power-time"),
            "scope": _one_of("arithmetic-only", "arithmetic+memory", "core-dynamic", "chip", "all-in"),
            **_every(_NUMBER, "node_nm", "vdd_v"),
            "uncertainty": _uncertainty,
            "refs": _TEXTS_BY_NAME,
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
    "power": _coefficients(
        "mW",
        *("static_chip", "active_core", "board_idle", "io_idle", "pixel_idle"),
        *("total_min", "host_active", "dynamic_run", "clk_mw_per_mhz"),
    ),
    "memory": _table(
        {
            **_every(_WHOLE, "weight_bits", "state_bits", "event_bits", "dram_above_bytes"),
            "sram_pj_per_64b": _STEPS,
            "dram_pj_per_64b": _coefficient("pJ"),
            "ann_reuse": _NUMBER,
        }
    ),
    "time": _table(
        {
            "model": _one_of("async-barrier", "tick", "tick+cycles", "cycles", "event", "roofline"),
            **_every(_TIME, "synop", "acc_neuron", "upd_neuron", "spike_out", "msg_out", "msg_in", "hop"),
            **_every(_TIME, "step_overhead", "sync_multichip_ns", "tick_us", "event_layer_us"),
            **_every(_TIME, "clock_mhz", "clock_mhz_max", "clock_margin", "pipeline_ticks_per_layer"),
            **_every(_TIME, "cycles_per_synop", "cycles_per_spike", "cycles_per_tick_leak"),
            "cyc": _NUMBERS_BY_NAME,
            "sync_by_tiles": _STEPS,
            "step_range_us": _RANGE,
        },
        required={"model": "what decides the time of a sample"},
    ),
    "fit": _table(
        {
            **_every(_WHOLE, "chips", "cores", "cores_per_tile", "cores_per_chip", "layers_max"),
            **_every(_WHOLE, "neurons_per_core", "neurons_total", "inputs", "hidden", "outputs"),
            **_every(_WHOLE, "syn_bits_per_core", "syn_per_core", "crossbar_bits", "weight_table", "bias_entries"),
            **_every(_WHOLE, "in_axons_per_core", "out_axons_per_core", "fanin_max", "fanout_cores"),
            **_every(_WHOLE, "out_targets_per_neuron", "router_entries", "state_bits", "delay_max"),
            **_every(_WHOLE, "input_hw_max", "output_hw_max", "channels_max", "kernel_max", "padding_max"),
            **_every(_WHOLE, "dtcm_bytes", "sdram_bytes_per_chip"),
            "syn_overhead": _NUMBER,
            "weight_bits": _RANGE,
            **_every(_FLAG, "bias", "recurrence", "graded_spikes", "timesteps"),
            **_every(_WHOLES, "stride", "pool", "kernel_kib", "neuron_kib"),
            **_every(_TEXTS, "neuron_models", "pooling", "reset"),
            **_every(_TEXT, "input", "layers"),
        }
    ),
    "rules": _table(
        {
            "counts": _one_of("exact", "dense", "dense-rate", "crossbar-full"),
            "neuron_update_ops": _one_of("ignored", "counted"),
        },
        required={"counts": "how operations are counted"},
    ),
}
_GOLDEN = _table(
    {
        "name": _TEXT,
        **_every(_NUMBER, "T", "S", "Sg", "M", "NT", "U", "K", "F", "H", "t_s", "clock_mhz", "tol"),
        "expect_mj": _NUMBERS_BY_NAME,
    },
    required={"name": "what it is", "expect_mj": "a table of energies in mJ", "tol": "the relative error allowed"},
)


def _goldens(where: str, value: Any, faults: list[str]) -> tuple[Any, ...]:
    if not isinstance(value, list):
        faults.append(f"{where}: got {value!r}, expected [[golden]] blocks.")
        return ()
    return tuple(_GOLDEN(f"{where}[{index}]", block, faults) for index, block in enumerate(value))


_DOCUMENT = _table(
    {
        "schema": _value(f"{SCHEMA}, the schema of this version", lambda value: value == SCHEMA and _is_whole(value)),
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
