"""Write what the pages say of keys, options and chips from the code itself: `python docs/generate.py`, `make docs`.

A page holds its generated part between two comments, `<!-- generated: NAME -->` and `<!-- end -->`; all else in it is
written by hand.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evonas.chips import deployment
from evonas.chips.deployment import Deployment
from evonas.data.event_options import CameraOptions, EventOptions, FrameOptions
from evonas.data.image_options import ImageOptions, ImageSettings
from evonas.data.sound_options import Names, SoundOptions, SoundSettings
from evonas.options import LARGEST_SEED, Flag, Number, OneOf, OptionRule, OrNone, Whole
from evonas.profiles import described, known
from evonas.runfile.schema import FREE_SETTINGS, RunFile

DOCS = Path(__file__).parent
ROOT = DOCS.parent

OPTIONS = {"data": ("evonas.data", "read"), "objectives": ("objectives", "objective"),
           "strategies": ("evonas.strategies", "strategy")}  # fmt: skip
"""Section of the run file to the folder and the attribute that define what it names."""

GROUPS: dict[type, type] = {FrameOptions: EventOptions, CameraOptions: EventOptions, ImageOptions: ImageSettings,
                            SoundOptions: SoundSettings}  # fmt: skip
"""Group of options that readers share to the class that has their defaults."""

TYPES = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false"}


def run_file() -> str:
    """Return the tables of all sections of a run file, in its order, each with the options of what it can name."""
    schema = RunFile.model_json_schema(by_alias=True)
    parts = []
    for name, found in schema["properties"].items():
        section = _section(found, schema["$defs"])
        is_several = found.get("type") == "array"
        heading = f"[[{name}]]" if is_several else f"[{name}]"
        needed = " Needed." if name in schema["required"] else ""
        several = " One section each; at least one." if is_several else ""
        parts += [f"## `{heading}`", f"{_one_line(section['description'])}{several or needed}", _keys(name, section)]
        if name in OPTIONS:
            parts += _options_of(name)
        elif name == "hardware":
            shared = [name for name in ("weights", "split") if name in _attributes(Deployment)]
            rows = [(key, *_attributes(Deployment)[key]) for key in shared]
            parts += ["Further keys say how a network is put on the chip:", _table(rows)]
    return "\n\n".join(parts)


def chips() -> str:
    """Return a section for each chip: what its energy counts, what it leaves out, and where each number comes from."""
    return "\n\n".join(
        _chip(described(name)) for name in known() if (ROOT / f"objectives/profiles/{name}.toml").exists()
    )


PAGES: Mapping[str, tuple[str, Callable[[], str]]] = {
    "run-file.md": ("run file", run_file),
    "counting-and-energy.md": ("chips", chips),
}
"""Page to the name of its generated part and to what makes that."""


def generated(page: str, text: str) -> str:
    """Return the text of a page with its generated part made anew."""
    name, make = PAGES[page]
    begin, end = f"<!-- generated: {name} -->", "<!-- end -->"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    assert rest, f"{page} has no line {begin}"
    return f"{before}{begin}\n\n{make()}\n\n{end}{after}"


def _section(found: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema of the section that a key of the run file holds: as it is, optional, or one of several."""
    choices = [found, found.get("items", {}), *found.get("anyOf", [])]
    reference = next(choice["$ref"] for choice in choices if "$ref" in choice)
    section: Mapping[str, Any] = definitions[reference.rsplit("/", 1)[-1]]
    return section


def _keys(name: str, section: Mapping[str, Any]) -> str:
    rows = []
    for key, found in section["properties"].items():
        default = "needed" if key in section.get("required", []) else _shown(found.get("default"))
        meaning = _one_line(found["description"])
        if f"{name}.{key}" in FREE_SETTINGS:
            meaning += " May change on resuming."
        rows.append((key, _type(found), default, meaning))
    return _table(rows)


def _type(found: Mapping[str, Any]) -> str:
    """Return type and range of a value, in words."""
    kinds = [kind for kind in found.get("anyOf", [found]) if kind.get("type") != "null"]
    return " or ".join(_kind(kind) for kind in kinds)


def _kind(kind: Mapping[str, Any]) -> str:
    if "enum" in kind:
        return " or ".join(f'`"{value}"`' for value in kind["enum"])
    if kind.get("type") == "array":
        return f"list of {_several(_kind(kind['items']))}" if kind.get("items") else "list"
    if kind.get("type") == "object":
        return f"table of {_several(_type(kind['additionalProperties']))}"
    least, open_least = kind.get("minimum"), kind.get("exclusiveMinimum")
    most, open_most = kind.get("maximum"), kind.get("exclusiveMaximum")
    words = [TYPES[kind["type"]]]
    words += [f"above {_number(open_least)}"] if open_least is not None and not least else []
    words += [f"from {_number(least)}"] if least is not None else []
    words += [f"{'to' if least is not None else 'and at most'} {_number(most)}"] if most is not None else []
    words += [f"below {_number(open_most)}"] if open_most is not None else []
    return " ".join(words)


def _several(noun: str) -> str:
    """Return the plural of a kind of value."""
    return re.sub(r"^(whole number|number|list|text)", r"\1s", noun)


def _rule(rule: OptionRule) -> str:
    """Return in words what an option may be."""
    match rule:
        case OrNone():
            return _rule(rule.rule)
        case OneOf():
            return " or ".join(f'`"{word}"`' for word in rule.words)
        case Whole():
            return f"whole number from {_number(rule.low)} to {_number(rule.high)}"
        case Number():
            low, high = _number(rule.low), _number(rule.high)
            return f"number above {low} and at most {high}" if rule.is_open else f"number from {low} to {high}"
        case Names():
            return "list of names"
        case _:
            return "true or false" if isinstance(rule, Flag) else "text"


def _number(value: float) -> str:
    """Return a bound as people read it: with commas where it is a whole number of some length, short elsewhere."""
    if value == LARGEST_SEED:
        return "2^63 - 1"
    is_long = abs(value) >= 1e7 or 0 < abs(value) < 1e-3
    return f"{value:g}".replace("e+0", "e").replace("e+", "e").replace("e-0", "e-") if is_long else f"{value:,.12g}"


def _options_of(section: str) -> Iterator[str]:
    """Yield a paragraph and a table for each thing of ours that a section can name."""
    folder, attribute = OPTIONS[section]
    groups: dict[type, None] = {}
    for path in sorted((ROOT / folder.replace(".", "/")).glob("*.py")):
        member = getattr(importlib.import_module(f"{folder}.{path.stem}"), attribute, None)
        if member is None:
            continue
        summary = _one_line((inspect.getdoc(member) or "").partition("\n\n")[0])
        summary = summary.removeprefix("Return the objective: ").removeprefix("Return ")
        yield f'### `name = "{path.stem}"`'
        yield summary[0].upper() + summary[1:]
        told = _attributes(member)
        rows = [(name, *told[name]) for name in inspect.signature(member).parameters if name in told]
        if rows:
            yield _table(rows)
        if shared := _shared(member):
            yield f"Further keys: {' and '.join(f'[{text}](#{_anchor(text)})' for text in map(_summary, shared))}."
            groups.update(dict.fromkeys(shared))
    for group in groups:
        yield f"### {_summary(group)}"
        yield _table(_group_rows(group))


def _shared(member: Any) -> list[type]:
    """Return the groups of options that a function takes as `**options: Unpack[...]`, the most special one first."""
    hints = typing.get_type_hints(member).values() if inspect.isfunction(member) else ()
    taken = [typing.get_args(hint)[0] for hint in hints if typing.get_origin(hint) is typing.Unpack]
    return [CameraOptions, FrameOptions] if CameraOptions in taken else taken


def _summary(group: type) -> str:
    """Return what a group of options is called."""
    return _one_line((inspect.getdoc(group) or "").partition("\n\n")[0]).partition(", and those")[0].rstrip(".")


def _anchor(text: str) -> str:
    return text.lower().replace(" ", "-")


def _group_rows(group: type) -> list[tuple[str, str, str, str]]:
    """Return the row of each option of a group that its bases have not."""
    told = _documented(group)
    settings = GROUPS[group]
    rules, defaults = vars(sys.modules[settings.__module__])["_RULES"], inspect.signature(settings).parameters
    return [(name, _rule(rules[name]), _shown(defaults[name].default), meaning) for name, meaning in told.items()]


def _attributes(member: Any) -> dict[str, tuple[str, str, str]]:
    """Return type, default and meaning of each argument of a function or attribute of a dataclass, as documented."""
    told = _documented(member)
    found = {}
    rules = {**vars(deployment)["_RULES"], **getattr(sys.modules[member.__module__], "_RULES", {})}
    for name, parameter in inspect.signature(member).parameters.items():
        meaning = told.get(name, "")
        if (not meaning or meaning.startswith("As in `Deployment`")) and member is not Deployment:
            meaning = _attributes(Deployment).get(name, ("", "", meaning))[2]
        if name != "name" and not name.startswith("_") and meaning:
            is_needed = parameter.default is inspect.Parameter.empty
            kind = _rule(rules[name]) if name in rules else _annotation(parameter)
            found[name] = (kind, "needed" if is_needed else _shown(parameter.default), meaning)
    return found


def _documented(member: Any) -> dict[str, str]:
    """Return what a docstring says of each argument or attribute."""
    doc = inspect.getdoc(member) or ""
    listed = re.search(r"^(?:Args|Attributes):\n((?: {4}.*\n?|\n)+)", doc, re.MULTILINE)
    entries = re.findall(r"^ {4}(\w+): ((?:.*\n?)(?: {8}.*\n?)*)", listed[1] if listed else "", re.MULTILINE)
    return {name: _one_line(text) for name, text in entries}


def _annotation(parameter: inspect.Parameter) -> str:
    """Return the type of an option in words, from how it is annotated."""
    text = str(parameter.annotation)
    text = text.removesuffix(" | None")
    words = {"int": "whole number", "float": "number", "str": "text", "bool": "true or false"}
    if text in words:
        return words[text]
    if text.startswith("Sequence[float]"):
        return "list of numbers"
    if text.startswith("Mapping"):
        return "table of lists"
    if text == "list[int]":
        return "list of whole numbers"
    if text.startswith("Literal["):
        return " or ".join(f'`"{choice}"`' for choice in re.findall(r"'(\w+)'", text))
    modules = map(importlib.import_module, ("evonas.chips.deployment", "evonas.chips.energy", "evonas.objective"))
    choices = next((getattr(module, text) for module in modules if hasattr(module, text)), None)
    assert choices is not None, f"no words for the type {text}"
    return " or ".join(f'`"{choice}"`' for choice in choices.__args__)


def _chip(chip: Mapping[str, Any]) -> str:
    """Return the section of one chip: its coefficients as a table, and what they leave out as a list."""
    lines = [
        ("scope", f"{chip['scope']}, {chip['composition']}; operations are counted {chip['counts']}"),
        ("its energy is", f"the {chip['part']} one where `part` is left out" if chip["part"] else "not published"),
        ("also counted", "memory accesses" if chip["memory"] else ""),
        ("not counted", "; ".join(chip["not_counted"])),
        ("known, never summed", ", ".join(f"`{name}`" for name in chip["never_summed"])),
        ("latency", f"`{chip['latency']}`" if chip["latency"] else "unknown"),
        ("not in the latency", "; ".join(chip["latency_not_counted"])),
        ("fit", ", ".join(f"`{name}`" for name in chip["fit"]) or "cannot be checked"),
        ("uncertainty", "{:g} to {:g} times the result".format(*chip["uncertainty"]) if chip["uncertainty"] else ""),
        ("sources", "; ".join(f"{short}: {citation}" for short, citation in chip["sources"].items())),
    ]
    told = "\n".join(f"- {name}: {text}" for name, text in lines if text)
    return "\n\n".join([f"### `{chip['id']}`", f"{chip['name']}.", *_coefficients(chip), told])


def _coefficients(chip: Mapping[str, Any]) -> list[str]:
    """Return the table of what the energy of a chip is made of, nothing where it has none."""
    rows = [
        (
            f"{section}.{name}",
            f"{_band(number)} {unit}",
            chip["paid_per"].get(name, "") if section == "energy" else "time",
            number,
        )
        for section, unit in (("energy", "pJ"), ("power", "mW"))
        for name, number in chip[section].items()
        if number.get("counted", True)
    ]
    if not rows:
        return []
    head = ["| coefficient | value | paid for each | kind | source |", "|---|---|---|---|---|"]
    cells = [f"| `{key}` | {value} | {per} | {found['kind']} | {found['source']} |" for key, value, per, found in rows]
    return ["\n".join([*head, *cells])]


def _band(number: Mapping[str, Any]) -> str:
    band = f" ({number['low']:g} to {number['high']:g})" if number["low"] < number["high"] else ""
    return f"{number['value']:g}{band}"


def _table(rows: Sequence[tuple[str, str, str, str]]) -> str:
    head = ["| key | type and range | default | meaning |", "|---|---|---|---|"]
    cell = [(f"`{key}`", kind, default, meaning.replace("|", "\\|")) for key, kind, default, meaning in rows]
    return "\n".join([*head, *(f"| {' | '.join(cells)} |" for cells in cell)])


def _shown(value: Any) -> str:
    """Return a default as a run file would say it, a dash where there is none."""
    is_plain = isinstance(value, bool | int | float | str | list | tuple)
    return f"`{json.dumps(value)}`" if is_plain else "-"


def _one_line(text: str) -> str:
    return " ".join(text.replace("``", "`").split())


def main() -> None:
    """Write every page anew."""
    for page in PAGES:
        path = DOCS / page
        path.write_text(generated(page, path.read_text(encoding="utf-8")), encoding="utf-8")
        print(f"written: {path}", file=sys.stderr)


if __name__ == "__main__":
    main()
