"""What a network costs on a chip, as the page shows it: energy, what it leaves out, time, and fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evonas.chips import latency
from evonas.chips.deployment import Deployment
from evonas.chips.profile import load
from evonas.engine.view import Row
from evonas.errors import ProfileError, UnpriceableError
from evonas.report.answer import Answer
from evonas.report.page.amounts import prefixed
from evonas.report.page.drawing import COLUMNS


def cost(row: Row, answer: Answer) -> dict[str, Any] | None:
    """Return the cost of a network on the chip of an answer as a JSON object, None where either is missing."""
    found = answer.breakdown_of(row)
    if found is None:
        return None
    return {
        "why": found.unpriced,
        "energy": None if found.energy is None else _energy_sentence(found.energy, found.parts, found.part),
        "scope": found.scope,
        "joules": {
            layer: {term: _short(joules) for term, joules in terms.items()} for layer, terms in found.joules.items()
        },
        "leftOut": left_out(found.uncounted),
        "latency": _latency(row, answer),
        "fit": {**found.fit, "profile": found.profile},
    }


def left_out(texts: Iterable[str]) -> str:
    """Return what an estimate leaves out as a sentence, without the numbers of one network; empty for nothing.

    Example:
        >>> left_out(("spikes sent (the profile has no energy.spike_out): 6,373", "static power, in the total: 1 J"))
        'Not counted: spikes sent; static power, in the total.'
    """
    words = [text.partition(" (")[0].partition(":")[0] for text in texts]
    return f"Not counted: {'; '.join(dict.fromkeys(words))}." if words else ""


def _energy_sentence(band: Mapping[str, float], parts: Mapping[str, float | None], part: str) -> str:
    others = [
        f"the {name} energy is {prefixed(value, 'J')}"
        for name, value in parts.items()
        if name != part and value is not None
    ]
    beside = f"; {others[0]}" if others else ""
    return f"{_band('J', **band)} of {part} energy a sample{beside}."


def _latency(row: Row, answer: Answer) -> dict[str, Any]:
    """Return the time of a sample: its sentence and its parts, or why there is none."""
    assert answer.rescoring.profile is not None
    options = {name: value for name, value in answer.rescoring.energy.items() if name != "part"}
    measurement: Any = row.evaluation.measurement
    try:
        found = latency.estimate(measurement.activity, load(answer.rescoring.profile), assumed=Deployment(**options))
    except (UnpriceableError, ProfileError) as error:
        return {"sentence": str(error), "parts": [], "of": "", "leftOut": ""}
    sentence = f"{_band('s', **vars(found.seconds))} from the input to the answer, by the model “{found.model}”."
    of = "layer" if found.model == "roofline" else "time step of the chip"
    return {"sentence": sentence, "parts": _columns(found.parts), "of": of, "leftOut": left_out(found.uncounted)}


def _band(unit: str, *, low: float, nominal: float, high: float) -> str:
    ends = f" (between {prefixed(low, unit)} and {prefixed(high, unit)})" if low < high else ""
    return prefixed(nominal, unit) + ends


def _columns(parts: Sequence[float]) -> list[float]:
    """Return seconds added up so that there are at most `COLUMNS` parts."""
    width = max(1, -(-len(parts) // COLUMNS))
    return [_short(sum(parts[start : start + width])) for start in range(0, len(parts), width)]


def _short(value: float) -> float:
    """Return a value to five digits: more are neither known nor seen, and pages hold thousands of them."""
    return float(f"{value:.5g}")
