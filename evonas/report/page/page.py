"""The page: content, looks and behaviour put into one file that asks no other machine for anything."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files

from evonas.report.escaping import hypertext

ASSETS = files("evonas.report.page") / "assets"

SCRIPTS = (
    "dom.js",
    "scales.js",
    "plot.js",
    "scatter.js",
    "network.js",
    "details.js",
    "search.js",
    "parallel.js",
    "page.js",
)
"""The scripts, in the order in which they build on each other."""


def page(content: str, *, title: str) -> str:
    """Return the text of the HTML file.

    Its policy lets browsers run the script and use the style sheet written here, and fetch nothing: a name that was
    taken for code would be neither run nor sent anywhere.

    Args:
        content: JSON text, as `evonas.report.page.content` makes it.
        title: Name of the run.
    """
    style = _asset("page.css")
    script = f'(() => {{\n"use strict";\n{"".join(map(_asset, SCRIPTS))}}})();\n'
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}"
    # no tag ends or begins in JSON whose every `<` is written as an escape
    inserted = {
        "POLICY": policy,
        "TITLE": hypertext(title),
        "STYLE": style,
        "CONTENT": content.replace("<", "\\u003c"),
        "SCRIPT": script,
    }
    pieces = re.split(r"\[\[(\w+)\]\]", _asset("page.html"))  # every second one is a name; what is inserted stays whole
    return "".join(inserted[piece] if place % 2 else piece for place, piece in enumerate(pieces))


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
