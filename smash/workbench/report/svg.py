"""Figures as SVG: for paper as they are, for a page in the reader's colours."""

import io
import re
from typing import TYPE_CHECKING

from matplotlib import rc_context
from matplotlib.colors import to_hex

from smash.plots.diagnostics import PALETTE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GREY = re.compile(r"(fill|stroke): #([0-9a-f]{2})\2\2(?=[;\"])")
BLUE = to_hex(PALETTE[0])
PIXELS = 4 / 3
"""Pixels of a page a point."""


def to_svg(figure: "Figure", key: str) -> str:
    """Returns a figure as an SVG document without a background, the same for equal figures."""
    out = io.StringIO()
    # letters are drawn, so that no font need be there
    with rc_context({"svg.fonttype": "path", "svg.hashsalt": key}):
        figure.savefig(
            out, format="svg", bbox_inches="tight", transparent=True, metadata={"Date": None}
        )
    return re.sub(r"\s*<metadata>.*?</metadata>", "", out.getvalue(), flags=re.DOTALL)


def inline(svg: str, key: str, label: str) -> str:
    """Returns an SVG document as an element for an HTML page that may hold others.

    Greys become shades between the page's ink and paper, ids are made the figure's own, and
    nothing names an address. `label` must have been escaped for an attribute.
    """
    opening = re.search(r"<svg[^>]*>", svg)
    assert opening
    box = re.search(r'viewBox="[\d. ]+ ([\d.]+) [\d.]+"', opening[0])
    assert box
    body = svg[opening.end() :].replace("xlink:href", "href")
    body = re.sub(r'(\bid="|href="#|url\(#)', rf"\1{key}-", body)
    body = body.replace(BLUE, "var(--blue)")  # too dark for a dark page
    width = float(box[1]) * PIXELS
    return (
        f'<svg {box[0]} role="img" aria-label="{label}" style="max-width: {width:.0f}px">'
        + GREY.sub(_shade, body)
    )


INK, PAPER, LIGHTER_BLUE = (228, 230, 234), (30, 33, 41), "#5db3e6"
"""Red, green and blue of a dark page's text and ground; and what its blue is."""
INVERTED = 'style="filter: invert(1) hue-rotate(180deg)"'
NOTHING, DARK_NOTHING = "#f7fbff", "#010509"
"""The pale end of maps' colours, and what `INVERTED` makes of it."""


def dark(svg: str) -> str:
    """Returns an SVG document for a dark page: its greys between that one's ink and paper.

    Maps, which are images in it, run from dark to light where they ran from light to dark.
    """
    svg = svg.replace("<image ", f"<image {INVERTED} ").replace(NOTHING, DARK_NOTHING)
    return GREY.sub(_dark_shade, svg.replace(BLUE, LIGHTER_BLUE))


def _dark_shade(found: re.Match[str]) -> str:
    share = int(found[2], 16) / 255
    mixed = (round(ink + share * (paper - ink)) for ink, paper in zip(INK, PAPER, strict=True))
    return f"{found[1]}: #" + "".join(f"{part:02x}" for part in mixed)


def _shade(found: re.Match[str]) -> str:
    """Returns the paint of a grey: 00 is the page's ink, ff its paper."""
    share = round(100 * (1 - int(found[2], 16) / 255))
    return f"{found[1]}: color-mix(in srgb, var(--ink) {share}%, var(--paper))"
