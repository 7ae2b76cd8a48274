"""From a figure to a piece of the page."""

from __future__ import annotations

import re
from io import StringIO
from typing import TYPE_CHECKING

from perpkit.report.layout import Layout
from perpkit.report.style import COLOURS

if TYPE_CHECKING:  # both are slow to import and needed only when a report is drawn
    from matplotlib.figure import Figure


def to_svg(figure: Figure, name: str, layout: Layout) -> str:
    """The figure as an SVG element to stand inside HTML, without dates, sizes or names of its own."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    matplotlib.rcParams["svg.hashsalt"] = name  # ids that differ between pictures, not between runs
    drawn = StringIO()
    FigureCanvasSVG(figure).print_svg(  # type: ignore[no-untyped-call]
        drawn, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
    )
    text = drawn.getvalue()
    text = text[text.index("<svg") :]
    view = re.search(r'viewBox="[^"]*"', text)
    assert view is not None
    body = text[text.index(">") + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)  # group ids repeat from picture to picture
    body = re.sub(r"font-family: [^;\"]*; ", "", body)  # the page's own font
    body = re.sub(r"<[^>]*>", _rounded, body)
    body = re.sub(r'(<use [^>]*); stroke[^"]*', r"\1", body)  # its outline stands in the marker
    body = re.sub(r"\s*\n\s*", " ", body).replace("> <", ">\n<")
    for variable, colour in COLOURS.items():
        body = body.replace(colour, f"var(--{variable}, {colour})")
    return f'<svg class="{layout.name}" {view[0]} aria-hidden="true">{body}'


def _rounded(tag: re.Match[str]) -> str:
    """The tag with its coordinates no finer than any screen; texts between tags keep their digits."""
    return re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", tag[0])
