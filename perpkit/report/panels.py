"""Draws any `perpkit.picture`: lines on one scale, a lane for each series, or columns side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from perpkit.picture import BARS, LANES, PRICE, SECONDS, SIZE, STEP, Panel, Picture, Series
from perpkit.report.axes import padded, panel_title, value_axis, value_ticks
from perpkit.report.canvas import new_figure
from perpkit.report.layout import NAMED_NARROW, NAMED_WIDE, NARROW, Layout
from perpkit.report.style import (
    DAY,
    HOUR,
    INK,
    LONG_COLOUR,
    MINUTE,
    MONEY,
    MUTED,
    OTHER_COLOUR,
    POOL_COLOUR,
    RULE,
    SHORT_COLOUR,
    WAD,
)
from perpkit.report.svg import to_svg
from perpkit.report.text import amount_text, dollars_text, price_text

if TYPE_CHECKING:  # both are slow to import and needed only when a report is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LANE, LINES_HEIGHT, BARS_HEIGHT = 0.4, 1.75, 1.9  # inches
LABEL = 0.155  # inches between two labels that stand above each other
LETTER = 0.066  # inches that a letter takes
COLOURS = (LONG_COLOUR, SHORT_COLOUR, OTHER_COLOUR, INK)
TIME_UNITS = ((2 * DAY, DAY, "days"), (2 * HOUR, HOUR, "hours"), (2 * MINUTE, MINUTE, "minutes"), (0, 1, "seconds"))

# What stands at the right edge: height in the data, text, colour.
Label = tuple[float, str, str]


def drawn(name: str, picture: Picture) -> object:
    """The picture as SVG, once wide and once narrow."""
    from markupsafe import Markup

    # Safe as markup: every text in a picture went through matplotlib's own XML escaping.
    return Markup(
        "\n".join(
            to_svg(_figure(picture, layout), f"{name}-{layout.name}", layout) for layout in (NAMED_WIDE, NAMED_NARROW)
        )
    )


def _figure(picture: Picture, layout: Layout) -> Figure:
    figure, panels = new_figure(layout, [_height(panel) for panel in picture.panels])
    for axes, panel in zip(panels, picture.panels, strict=True):
        draw = {LANES: _draw_lanes, BARS: _draw_bars}.get(panel.shown, _draw_lines)
        draw(axes, panel, picture, layout)
        _draw_stretches(axes, picture)
    _place_axis(panels, picture, layout)
    return figure


def _height(panel: Panel) -> float:
    if panel.shown == LANES:
        return LANE * len(panel.series)
    return BARS_HEIGHT if panel.shown == BARS else LINES_HEIGHT


def _draw_lines(axes: Axes, panel: Panel, picture: Picture, layout: Layout) -> None:
    scale, title = _scale(panel)
    colours = dict(zip([s.name for s in panel.series], COLOURS if len(panel.series) > 1 else (INK,), strict=False))
    labels: list[Label] = []
    # The last comes on top, and the first is drawn broader so that it shows below one that is the same.
    for number, series in enumerate(panel.series):
        colour = colours.get(series.name, POOL_COLOUR)
        known = [float("nan") if value is None else value / scale for value in series.values]
        broad = 1.2 + 0.9 * (len(panel.series) - 1 - number)
        dots = 3.0 if len(known) <= 40 else 0.0
        axes.plot(picture.places, known, color=colour, lw=broad, marker="o", markersize=dots + broad / 2, clip_on=False)
        _draw_hits(axes, series, picture, known)
        if series.values[-1] is not None:
            labels.append((known[-1], _said(series.values[-1], panel.unit), colour))
    for level in panel.levels:
        axes.axhline(level.value / scale, color=MUTED, lw=0.8, linestyle=(0, (5, 3)))
        value = "" if layout.name == NARROW.name else f" {_said(level.value, panel.unit)}"
        labels.append((level.value / scale, level.name + value, MUTED))
    low, high = _view(panel, scale)
    axes.set_ylim(low, high)
    value_axis(axes, low, high, "$" if panel.unit not in (SIZE, SECONDS) else "")
    panel_title(axes, title, tuple(colours.items()) if len(colours) > 1 else ())
    _right_labels(axes, labels, LINES_HEIGHT)


def _view(panel: Panel, scale: float) -> tuple[float, float]:
    """The values shown. Money starts from zero unless all of it is far from there: what is left is a height."""
    values = [value / scale for series in panel.series for value in series.values if value is not None]
    values += [level.value / scale for level in panel.levels]
    low, high = min(values), max(values)
    if panel.unit != PRICE and low > 0 and low < 0.8 * high:
        low = 0.0
    return padded(low, high, 0.08)


def _draw_hits(axes: Axes, series: Series, picture: Picture, heights: Sequence[float]) -> None:
    at = [i for i, place in enumerate(picture.places) if place in series.hits]
    axes.plot(
        [picture.places[i] for i in at],
        [heights[i] for i in at],
        linestyle="none",
        marker="v",
        markersize=6.5,
        color=SHORT_COLOUR,
        clip_on=False,
        zorder=4,
    )


def _draw_lanes(axes: Axes, panel: Panel, picture: Picture, layout: Layout) -> None:
    scale, title = _scale(panel)
    count, labels = len(panel.series), []
    for number, series in enumerate(panel.series):
        floor = count - 1 - number
        known = [0.0 if value is None else value / scale for value in series.values]
        if panel.unit == SIZE:  # a short is as high as a long, in its own colour
            colours = [SHORT_COLOUR if value < 0 else LONG_COLOUR for value in known]
            known = [abs(value) for value in known]
        else:
            colours = [SHORT_COLOUR if value < 0 else POOL_COLOUR for value in known]
        low, high = min(0.0, *known), max(0.0, *known)
        height = 0.78 / ((high - low) or 1.0)
        zero = floor - low * height
        axes.bar(picture.places, [v * height for v in known], 0.86, bottom=zero, color=colours, alpha=0.65, lw=0)
        axes.axhline(zero, color=RULE, lw=0.7)
        _draw_hits(axes, series, picture, [zero + max(value, 0.0) * height for value in known])
        last = next((value for value in reversed(series.values) if value is not None), None)
        labels.append((floor + 0.35, "" if last is None else _said(last, panel.unit), INK))
    axes.set_ylim(0, count)
    axes.set_yticks([count - 1 - i + 0.35 for i in range(count)], [series.name for series in panel.series])
    panel_title(axes, f"{title}, each on its own scale" if count > 1 else title)
    _right_labels(axes, labels, LANE * count)


def _draw_bars(axes: Axes, panel: Panel, picture: Picture, layout: Layout) -> None:
    scale, title = _scale(panel)
    count = len(panel.series)
    width = 0.8 / count
    colours = (POOL_COLOUR, SHORT_COLOUR) if count == 2 else (POOL_COLOUR, LONG_COLOUR, SHORT_COLOUR, OTHER_COLOUR)
    for number, series in enumerate(panel.series):
        lefts = [place - 0.4 + width * number for place in picture.places]
        heights = [0.0 if value is None else value / scale for value in series.values]
        axes.bar(lefts, heights, width * 0.92, align="edge", color=colours[number], alpha=0.8, lw=0)
    values = [value / scale for series in panel.series for value in series.values if value is not None]
    low, high = min(0.0, *values), max(0.0, *values) * 1.08 or 1.0
    axes.axhline(0, color=RULE, lw=0.7)
    axes.set_ylim(low, high)
    value_axis(axes, low, high, "$" if panel.unit != SIZE else "")
    panel_title(axes, title, tuple(zip([series.name for series in panel.series], colours, strict=False)))


def _draw_stretches(axes: Axes, picture: Picture) -> None:
    """Shaded only: a name within a panel would stand on its lines, so the page says it below."""
    for stretch in picture.stretches:
        axes.axvspan(stretch.first - 0.5, stretch.last + 0.5, color=MUTED, alpha=0.13, lw=0)


def _right_labels(axes: Axes, labels: Sequence[Label], height: float) -> None:
    """Labels beside the right edge at their heights, pushed apart as far as letters need."""
    low, high = axes.get_ylim()
    gap = LABEL / height
    placed: list[float] = []
    ordered = sorted(labels, key=lambda label: label[0])
    for value, _, _ in ordered:
        at = (value - low) / (high - low)
        placed.append(max(at, placed[-1] + gap) if placed else at)
    top = max(1.0, gap * (len(placed) - 1))
    for number in range(len(placed) - 1, -1, -1):
        placed[number] = min(placed[number], top)
        top = placed[number] - gap
    for at, (_, text, colour) in zip(placed, ordered, strict=True):
        axes.annotate(
            text, (1, at), (6, 0), xycoords="axes fraction", textcoords="offset points", color=colour, va="center"
        )


def _place_axis(panels: Sequence[Axes], picture: Picture, layout: Layout) -> None:
    """One axis of places for all panels, labelled below the last."""
    first, last = picture.places[0], picture.places[-1]
    if picture.along == SECONDS:
        every, word = _time_unit(last - first)
        room = (last - first) * 0.02 or 1
        span = first - room, last + room
        ticks, labels = value_ticks(first / every, last / every, "", layout.time_ticks)
        at = [tick * every for tick in ticks]
    else:
        word = "step" if picture.along == STEP else ""
        span = first - 0.6, last + 0.6
        names = [f"{place}" for place in picture.places] if picture.along == STEP else list(picture.names)
        slot = (layout.width - layout.left - layout.right) / len(names)
        at, labels = list(map(float, picture.places)), _fitting([name.replace(", ", "\n") for name in names], slot)
    for axes in panels:
        axes.set_xlim(*span)
        axes.set_xticks(at, labels if axes is panels[-1] else [])
    panels[-1].annotate(
        word, (0, 0), (-8, -7), xycoords="axes fraction", textcoords="offset points", color=MUTED, ha="right", va="top"
    )


def _fitting(names: Sequence[str], slot: float) -> list[str]:
    """The names, without those that would touch the one before."""
    fitting, free = [], 0.0
    for number, name in enumerate(names):
        middle, half = (number + 0.5) * slot, max(map(len, name.split("\n"))) * LETTER / 2
        fits = number == 0 or middle - half >= free
        fitting.append(name if fits else "")
        free = middle + half + LETTER if fits else free
    return fitting


def _time_unit(seconds: int) -> tuple[int, str]:
    return next((every, word) for least, every, word in TIME_UNITS if seconds >= least)


def _scale(panel: Panel) -> tuple[float, str]:
    """By how much to divide, and the title with the unit where the ticks do not say it."""
    if panel.unit == SECONDS:
        every, word = _time_unit(max(value or 0 for series in panel.series for value in series.values))
        return every, f"{panel.title}, {word}"
    return (WAD if panel.unit in (PRICE, SIZE) else MONEY), panel.title


def _said(value: int | None, unit: str) -> str:
    assert value is not None
    if unit == SECONDS:
        return f"{value:,} s"
    if unit == SIZE:
        return f"{'−' if value < 0 else ''}{amount_text(abs(value))}"
    return price_text(value) if unit == PRICE else dollars_text(value)
