"""The page of a comparison: verdict, tables and pictures in one file without scripts, which asks no other machine."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from xml.etree import ElementTree

from evonas.report.comparison import Comparison
from evonas.report.comparison_sheets import attainment_sheet, runs_sheet, setting_lines
from evonas.report.escaping import hypertext
from evonas.report.figures import drawn, figures_of_comparison
from evonas.report.sheet import to_html

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What browsers may do for the page: use the style sheet in it and show the pictures in it, and nothing else."""

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem }
.verdict { font-size: 1.1rem; border-left: 4px solid #0072b2; padding-left: 0.8rem }
.wide { overflow-x: auto; margin: 2rem 0 }
table { border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums }
caption { text-align: left; padding-bottom: 0.4rem }
th, td { padding: 0.2rem 0.7rem; border-bottom: 1px solid #ddd; text-align: right; vertical-align: bottom }
th:first-child, td:first-child { text-align: left; white-space: nowrap }
figure { margin: 2rem 0 }
figcaption, caption { color: #555 }
img { max-width: 100%; height: auto }
"""

CAPTIONS = {
    "fronts": "The fronts. Of runs that differ only in their seed the line is what half of them attain, and the dotted "
    "lines are what all of them and what one of them attain.",
    "hypervolumes": "The hypervolume over evaluations, between corners that all runs have; one line a run.",
}


def comparison_page(comparison: Comparison) -> str:
    """Return the text of the HTML file."""
    title = hypertext(", ".join(group.label for group in comparison.groups))
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title><style>{STYLE}</style>'
    )
    body = "\n".join(_body(comparison))
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def _body(comparison: Comparison) -> Iterator[str]:
    yield f"<h1>{' against '.join(hypertext(group.label) for group in comparison.groups)}</h1>"
    yield from (f'<p class="verdict">{hypertext(sentence)}</p>' for sentence in comparison.verdicts())
    yield from (f"<p>{hypertext(sentence)}</p>" for sentence in comparison.remarks())
    for sheet in filter(None, (runs_sheet(comparison), attainment_sheet(comparison))):
        yield f'<div class="wide">{to_html(sheet)}</div>'
    for name, draw in figures_of_comparison(comparison).items():
        picture = drawn(draw, "svg")
        source = f"data:image/svg+xml;base64,{base64.b64encode(picture).decode()}"
        caption = hypertext(CAPTIONS[name])
        image = f'<img alt="{caption}" width="{_width(picture):.0f}" src="{source}">'
        yield f"<figure><figcaption>{caption}</figcaption>{image}</figure>"
    if lines := list(setting_lines(comparison)):
        yield f"<h2>What the runs differ in</h2><ul>{''.join(f'<li>{hypertext(line)}</li>' for line in lines)}</ul>"


def _width(picture: bytes) -> float:
    """Return the pixels that a picture takes on the page: two for each point that it is wide in print."""
    return 2 * float(ElementTree.fromstring(picture).attrib["width"].removesuffix("pt"))
