"""What came of one input."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from evonas.errors import EvonasError

Outcome = Literal["right", "told", "wrong", "traceback", "hang", "died"]

RAW = (
    "object has no attribute",
    "NoneType",
    "invalid literal for",
    "unhashable type",
    "not subscriptable",
    "positional argument",
    "unexpected keyword",
    "list index out of range",
    "could not convert string",
    "Exceeds the limit",
    "maximum recursion depth",
    "cannot unpack",
    "codec can't decode",
    "Traceback",
)
"""What Python says to programmers: no sentence for people holds it."""

LONGEST = 20_000


@dataclass(frozen=True)
class Verdict:
    """What came of one input.

    Attributes:
        outcome: `"right"`: taken, and what it gave is right; `"told"`: refused by a sentence; `"wrong"`: taken in
            silence although it is wrong, or refused by something that is no sentence; the others as they say.
        detail: What was said or seen.
        input: The input, or where it lies, as far as that helps.
    """

    outcome: Outcome
    detail: str = ""
    input: str = ""


RIGHT = Verdict("right")


def told(text: str) -> Verdict:
    """Return whether a message is one that people can be told."""
    faults = [f"raw text {phrase!r}" for phrase in RAW if phrase in text]
    if not text.strip():
        faults.append("nothing is said")
    if len(text) > LONGEST:
        faults.append(f"{len(text):,} characters are said")
    if control := re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text):
        faults.append(f"the control character {control.group()!r} is said")
    return Verdict("wrong", f"{'; '.join(faults)}: {text[:600]}") if faults else Verdict("told", text[:200])


def attempt(action: Callable[[], Any], *, check: Callable[[Any], str]) -> Verdict:
    """Return what came of `action`: an error that people are told, or a result in which `check` finds a fault or none.

    Anything else that is raised is not caught: it is a traceback.
    """
    try:
        result = action()
    except EvonasError as error:
        return told(str(error))
    fault = check(result)
    return Verdict("wrong", fault) if fault else RIGHT
