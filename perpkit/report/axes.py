"""Axes and labels for people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from perpkit.report.layout import NARROW, Layout, Span
from perpkit.report.style import DAY, HOUR, INK, MINUTE, MONTHS, TICK_STEPS
from perpkit.report.text import moment_of, scale_of

if TYPE_CHECKING:  # both are slow to import and needed only when a report is drawn
    from matplotlib.axes import Axes


def panel_title(axes: Axes, title: str, sides: Sequence[tuple[str, str]] = (), rise: float = 6) -> None:
    """A title above the panel, with the sides named in their colours beside it: no legend needed."""
    at = axes.annotate(
        title, (0, 1), (0, rise), xycoords="axes fraction", textcoords="offset points",
        color=INK, weight="bold",
    )  # fmt: skip
    for name, colour in sides:
        at = axes.annotate(name, (1, 0), (7, 0), xycoords=at, textcoords="offset points", color=colour, va="bottom")


def end_label(axes: Axes, layout: Layout, y: float, text: str, colour: str) -> None:
    """The last value, beside the end of its line; a narrow picture has no room and leaves it out."""
    if layout.name == NARROW.name:
        return
    axes.annotate(
        text, (1, y), (6, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
        color=colour, va="center",
    )  # fmt: skip


def value_axis(axes: Axes, low: float, high: float, unit: str, ticks: int = 5, mirrored: bool = False) -> None:
    at, labels = value_ticks(low, high, unit, ticks, mirrored)
    axes.set_yticks(at, labels)
    axes.grid(axis="y")


def value_ticks(
    low: float, high: float, unit: str, count: int, mirrored: bool = False
) -> tuple[list[float], list[str]]:
    from matplotlib.ticker import MaxNLocator

    found = MaxNLocator(nbins=count, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    ticks = [float(tick) for tick in found if low <= tick <= high]
    step = float(found[1] - found[0]) if len(found) > 1 else 1.0
    scale, suffix = scale_of(max((abs(tick) for tick in ticks), default=0.0))
    decimals = _decimals(step / scale)
    labels = []
    for tick in ticks:
        value = abs(tick) / scale
        minus = "−" if tick < 0 and not mirrored else ""
        labels.append(f"{minus}{unit}{value:,.{decimals}f}{suffix}" if value else f"{unit}0")
    return ticks, labels


def _decimals(step: float) -> int:
    """As many as tell two neighbouring ticks apart; 2.5 needs one more than 2."""
    for decimals in range(12):
        if math.isclose(round(step, decimals), step, rel_tol=1e-6):
            return decimals
    return 12


def padded(low: float, high: float, share: float = 0.06) -> tuple[float, float]:
    room = (high - low) * share or abs(high) * 0.01 or 1.0
    # Prices are positive: room below them must not draw an axis under zero.
    return (max(low - room, 0.0) if low >= 0 else low - room), high + room


def time_axis(panels: Sequence[Axes], span: Span, layout: Layout) -> None:
    first, last = span if span[1] > span[0] else (span[0] - HOUR, span[1] + HOUR)
    ticks, labels = _time_ticks(first, last, layout.time_ticks)
    for axes in panels:
        axes.set_xlim(first, last)
        axes.set_xticks(ticks, [] if axes is not panels[-1] else labels)


def _time_ticks(first: int, last: int, count: int) -> tuple[list[int], list[str]]:
    step = next((step for step in TICK_STEPS if (last - first) // step <= count), TICK_STEPS[-1])
    ticks = list(range(-(-first // step) * step, last + 1, step))
    labels, day = [], None
    for tick in ticks:
        moment = moment_of(tick)
        date = f"{moment.day} {MONTHS[moment.month - 1]}"
        if step >= 30 * DAY:
            date += f" {moment.year}"
        clock = f"{moment:%H:%M:%S}" if step < MINUTE else f"{moment:%H:%M}"
        # The date once a day, the clock in between.
        labels.append(date if step >= DAY or (moment.date() != day and tick % DAY == 0) else clock)
        day = moment.date()
    return ticks, labels
