"""TOML text: run files read from disk, and values of the command line."""

from __future__ import annotations

import codecs
import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from evonas.errors import RunFileError
from evonas.options import shown, shown_key

LARGEST_FILE = 1_000_000
"""Bytes of a run file."""

DEEPEST = 16
"""Levels of sections and lists in each other."""

LONGEST_LIST = 10_000

LARGEST_WHOLE = 2**63 - 1
"""Largest whole number of TOML and of the archive."""

_DIGITS = re.compile(r"\d[\d_]{4000,}")
"""Decimal numbers of more than 4,000 digits, which Python does not read."""

_UTF_16_AND_32 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file in UTF-8, with a byte order mark or without.

    Raises:
        RunFileError: If it cannot be read, is no UTF-8, no TOML, too large or nested too deep.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise RunFileError([f"{path}: there is no such run file"]) from None
    except (OSError, ValueError) as error:
        raise RunFileError([f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"]) from error
    if len(content) > LARGEST_FILE:
        raise RunFileError([f"{path}: larger than {LARGEST_FILE:,} bytes, which no run file is"])
    if content.startswith(_UTF_16_AND_32) or b"\0" in content:
        raise RunFileError([f"{path}: not a text in UTF-8; save it as UTF-8"])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise RunFileError(
            [f"{path}: not a text in UTF-8: byte {content[error.start]:#04x} in line {line}; save it as UTF-8"]
        ) from None
    try:
        return _parsed(text)
    except ValueError as error:
        raise RunFileError([f"{path}: not a TOML file: {error}"]) from error


def override(data: dict[str, Any], text: str) -> str | None:
    """Set one `key.of.section=value` in `data`; return a sentence if it has no form or no place."""
    key, equals, written = text.partition("=")
    parts = [part.strip() for part in key.split(".")]
    given = f"--set {shown_key(text)}"
    if not equals or not all(parts) or len(parts) > DEEPEST:
        return f"{given}: expected section.key=value, such as search.evaluations=200"
    try:
        value = _value(written.strip())
    except ValueError as error:
        return f"{given}: the value is not right: {error}"
    place: Any = data
    for index, part in enumerate(parts[:-1]):
        if isinstance(place, dict):
            place = place.setdefault(part, {})
        elif isinstance(place, list) and re.fullmatch("[0-9]{1,6}", part) and int(part) < len(place):
            place = place[int(part)]
        else:
            return f"{given}: there is no {key_of(parts[: index + 1])} in the run file"
    if not isinstance(place, dict):
        return f"{given}: {key_of(parts[:-1])} is no section; of several name one: objectives.0.at_least"
    place[parts[-1]] = value
    return None


def odd_values(data: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the place of each value that is wrong under any key, and the fault: `"got …, expected …"`."""
    stack: list[tuple[tuple[str | int, ...], Any]] = [((), data)]
    while stack:
        place, value = stack.pop()
        if isinstance(value, dict | list):
            if len(place) > DEEPEST:
                yield place, f"nested deeper than {DEEPEST} levels"
            elif len(value) > LONGEST_LIST:
                yield place, f"got {len(value):,} items, expected at most {LONGEST_LIST:,}"
            else:
                items = value.items() if isinstance(value, dict) else enumerate(value)
                stack += [((*place, key), item) for key, item in reversed(list(items))]
        elif isinstance(value, int) and abs(value) > LARGEST_WHOLE:
            yield place, f"got {shown(value)}, expected a whole number of at most {LARGEST_WHOLE}"


def key_of(place: Sequence[str | int]) -> str:
    """Return a dotted key; parts that are too long or cannot be printed are shortened."""
    parts = [str(part) for part in place]
    whole = ".".join(shown_key(part) for part in parts[:8])
    return whole if len(parts) <= 8 else f"{whole}.…"


def _value(text: str) -> Any:
    """Return a value of the command line; text that is not TOML is a string: `--set data.name=digits`."""
    try:
        read = _parsed(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return read["value"] if len(read) == 1 else text  # a line break in it begins another key


def _parsed(text: str) -> dict[str, Any]:
    """Return the content of a TOML text.

    Raises:
        ValueError: If it is none, or holds more brackets or digits than anybody means.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError(f"brackets are nested too deep, expected at most {DEEPEST} levels") from None
    except tomllib.TOMLDecodeError:
        raise
    except ValueError as error:
        found = _DIGITS.search(text)
        if found is None:
            raise
        line = text[: found.start()].count("\n") + 1
        raise ValueError(f"line {line} holds a number of {len(found.group()):,} digits") from error
