"""The basis of an objective's values: all that they depend on beside the measurement, as a hash.

An archive holds the values of its rows. They are as good as new ones as long as the objective, its options, its chip
and the code that computes them are the same, so that nobody waits for twenty thousand networks to be priced again.
"""

from __future__ import annotations

import hashlib
import json
import sys
from functools import cache
from pathlib import Path

from evonas.chips.profile import SHIPPED, load
from evonas.runfile.schema import ObjectiveSection

_HOUSE = SHIPPED.parents[1]
_SOURCES = ("objectives/*.py", "evonas/*.py", "evonas/chips/*.py", "evonas/architecture/*.py")


def basis_of(section: ObjectiveSection) -> str:
    """Return the basis of an objective that was made; empty where it is none of those that evonas ships.

    What code of a user's own depends on, nobody can say: its values are computed whenever they are asked for.
    """
    file = getattr(sys.modules.get(f"objectives.{section.name}"), "__file__", None)
    if file is None or Path(file).resolve().parent != SHIPPED.parent.resolve():
        return ""
    options = dict(section.options)
    chip = repr(load(options.pop("profile"))) if "profile" in options else ""
    told = json.dumps([section.name, options, chip, _code()], sort_keys=True, default=repr)
    return hashlib.sha256(told.encode()).hexdigest()


@cache
def _code() -> str:
    """Return the hash of all code that an objective may run."""
    digest = hashlib.sha256()
    for pattern in _SOURCES:
        for path in sorted(_HOUSE.glob(pattern)):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
