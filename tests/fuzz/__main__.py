"""Fuzzers at all doors: two processes try inputs of every kind, this one watches over them.

An input may be taken, and then what it gives is checked against a slow and obvious twin, or refused by a sentence. All
else is told at the end: tracebacks, inputs that hang or end the process, and what is taken in silence although it is
wrong. Each input follows from its kind and number alone: `--kind profiles --first 4711 --inputs 1` tries one again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from fuzz.watch import kinds, watch

SHOWN = 12
"""Faults of each kind that are told in full."""


def main() -> int:
    """Return 0 where something was tried and nothing was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default 10)")
    parser.add_argument("--inputs", type=int, default=None, help="stop after so many inputs")
    parser.add_argument("--first", type=int, default=None, help="number of the first input (default: by the clock)")
    parser.add_argument("--kind", action="append", default=[], help="only this kind; may be repeated")
    parser.add_argument("--readers", action="store_true", help="only what readers of data read, besides each --kind")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    first = int(time.time()) * 1000 if options.first is None else options.first
    every = kinds()
    if unknown := [name for name in options.kind if name not in every]:
        parser.error(f"there is no kind {', '.join(unknown)}; there are {', '.join(every)}")
    known = {
        name: kind.weight
        for name, kind in every.items()
        if name in options.kind or (kind.is_reader if options.readers else not options.kind)
    }
    print(f"Fuzzing for {options.minutes:g} minutes, from input {first}", flush=True)
    counts, faults, memory = watch(known, first=first, seconds=60 * options.minutes, inputs=options.inputs)
    wrong = tell(counts, faults)
    print(f"{memory:.0f} MiB of memory at most, above that before the first input or in a process of its own")
    if options.json:
        options.json.write_text(
            json.dumps(
                {"counts": {"/".join(key): n for key, n in counts.items()}, "faults": faults, "memory_mib": memory}
            )
        )
    return 1 if wrong or not counts else 0


def tell(counts: Counter[tuple[str, str]], faults: list[dict[str, Any]]) -> int:
    """Print the figures and the first faults of each kind; return how many there are."""
    names = sorted({name for name, _ in counts})
    ways = ("right", "told", "wrong", "traceback", "hang", "died")
    for name in names:
        for fault in [fault for fault in faults if fault["kind"] == name][:SHOWN]:
            print(f"\n{fault['outcome']}: {name} {fault['number']}\n{fault['detail']}\n{fault['input']}")
    print(f"\n{'':20}" + "".join(f"{way:>11}" for way in ways))
    for name in names:
        print(f"{name:20}" + "".join(f"{counts[name, way]:11,}" for way in ways))
    print(f"{sum(counts.values()):,} inputs, {len(faults)} faults")
    return len(faults)


if __name__ == "__main__":
    sys.exit(main())
