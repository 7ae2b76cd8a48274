"""An empty figure in our style."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from perpkit.report.layout import Layout
from perpkit.report.style import INK, MUTED, RULE

if TYPE_CHECKING:  # both are slow to import and needed only when a report is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@contextmanager
def plain_style() -> Iterator[None]:
    """Matplotlib's own defaults and ours, whatever the user's matplotlibrc says; restored afterwards."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "svg.fonttype": "none",  # text stays text: the page sets its font, readers can copy it
                "text.parse_math": False,  # two dollar signs are not a formula
                "font.size": 8.5,
                "text.color": INK,
                "axes.edgecolor": RULE,
                "axes.facecolor": "none",
                "figure.facecolor": "none",
                "axes.linewidth": 0.7,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.spines.left": False,
                "axes.axisbelow": True,
                "grid.color": RULE,
                "grid.linewidth": 0.5,
                "grid.alpha": 0.6,
                "xtick.color": RULE,
                "ytick.color": RULE,
                "xtick.labelcolor": MUTED,
                "ytick.labelcolor": MUTED,
                "xtick.major.size": 3,
                "ytick.major.size": 0,
                "xtick.major.width": 0.7,
                "path.simplify": False,
            }
        )
        yield


def new_figure(layout: Layout, heights: Sequence[float], top: float = 0.3) -> tuple[Figure, list[Axes]]:
    """Panels under each other, all with the same margins in inches so that pictures line up on time."""
    from matplotlib.figure import Figure

    bottom, gap = 0.32, 0.34
    height = top + bottom + sum(heights) + gap * (len(heights) - 1)
    figure = Figure(figsize=(layout.width, height))
    inner = (layout.width - layout.left - layout.right) / layout.width
    axes, y = [], height - top
    for part in heights:
        y -= part
        axes.append(figure.add_axes((layout.left / layout.width, y / height, inner, part / height)))
        y -= gap
    return figure, axes
