"""The pictures of a report: prices, open interest, vault."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from perpkit.report.axes import end_label, padded, panel_title, time_axis, value_axis
from perpkit.report.canvas import new_figure
from perpkit.report.data import LiquidationMark, MarketSeries, Report, VaultSeries
from perpkit.report.layout import NARROW, WIDE, Draw, Layout, Span
from perpkit.report.liquidation_map import beyond, draw_map
from perpkit.report.style import (
    INK,
    LONG,
    LONG_COLOUR,
    MONEY,
    MUTED,
    POOL_COLOUR,
    SHORT,
    SHORT_COLOUR,
    SIDE_COLOURS,
    WAD,
)
from perpkit.report.svg import to_svg
from perpkit.report.text import amount_text, dollars_text, moment_text, price_text
from perpkit.report.thinning import thinned, thinned_marks

if TYPE_CHECKING:  # both are slow to import and needed only when a report is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def pictures_of(report: Report) -> dict[str, object]:
    span, layouts = span_of(report), _layouts(len(report.markets))
    draw_vault = partial(_vault, report.vault, span)
    return {
        "markets": [
            _market_pictures(f"{number}", market, span, layouts) for number, market in enumerate(report.markets)
        ],
        "vault": _each("vault", draw_vault, layouts) if report.vault.times else None,
    }


def _layouts(markets: int) -> tuple[Layout, ...]:
    """From four markets on each is drawn with less detail, so that a page of many stays small."""
    share = min(1.0, 3 / max(markets, 1))
    return tuple(
        replace(layout, points=max(60, int(layout.points * share)), marks=max(24, int(layout.marks * share)))
        for layout in (WIDE, NARROW)
    )


def _market_pictures(name: str, market: MarketSeries, span: Span, layouts: Sequence[Layout]) -> dict[str, object]:
    history, levels = partial(_history, market, span), partial(draw_map, market)
    return {
        "symbol": market.symbol,
        "counts": _counts(market),
        "history": _each(f"history-{name}", history, layouts) if market.times else None,
        "map": _each(f"map-{name}", levels, layouts) if market.liquidation_map else None,
        "map_time": moment_text(market.map_time),
        "map_price": price_text(market.map_price),
        "map_totals": _map_totals(market),
        "map_beyond": beyond(market),
    }


def _each(name: str, draw: Draw, layouts: Sequence[Layout]) -> object:
    from markupsafe import Markup

    # Safe as markup: every text in a picture went through matplotlib's own XML escaping.
    return Markup("\n".join(to_svg(draw(layout), f"{name}-{layout.name}", layout) for layout in layouts))


def span_of(report: Report) -> Span:
    """First and last time of the whole report: every picture over time shares one axis."""
    series = [report.vault.times, *(market.times for market in report.markets)]
    marks = [tuple(mark.time for mark in market.liquidations) for market in report.markets]
    times = [time for part in (*series, *marks) if part for time in (min(part), max(part))]
    return (min(times), max(times)) if times else (0, 0)


def _base(symbol: str) -> str:
    return re.split(r"[-/_ ]", symbol.strip(), maxsplit=1)[0] or symbol


def _counts(market: MarketSeries) -> dict[str, tuple[int, int, str]]:
    """For each side: liquidations, how many of them partial, and their notional in words."""
    counts = {}
    for side in (LONG, SHORT):
        marks = [mark for mark in market.liquidations if mark.side == side]
        total = sum(mark.notional for mark in marks)
        counts[side] = (len(marks), sum(mark.partial for mark in marks), dollars_text(total))
    return counts


def _map_totals(market: MarketSeries) -> dict[str, str]:
    return {side: dollars_text(sum(n for _, n, of in market.liquidation_map if of == side)) for side in (LONG, SHORT)}


def _history(market: MarketSeries, span: Span, layout: Layout) -> Figure:
    figure, (price, interest) = new_figure(layout, (2.55, 1.25))
    _draw_price(price, market, layout)
    _draw_interest(interest, market, layout)
    time_axis((price, interest), span, layout)
    return figure


def _draw_price(axes: Axes, market: MarketSeries, layout: Layout) -> None:
    keep = thinned(market.times, (market.prices,), layout.points)
    axes.plot([market.times[i] for i in keep], [market.prices[i] / WAD for i in keep], color=INK, lw=0.9)
    seen = [price / WAD for price in (*market.prices, *(mark.price for mark in market.liquidations))]
    low, high = padded(min(seen), max(seen))
    axes.set_ylim(low, high)
    value_axis(axes, low, high, "$")
    for side, shape in ((LONG, "v"), (SHORT, "^")):
        for hollow in (True, False):
            kind = [m for m in market.liquidations if m.side == side and m.partial == hollow]
            _draw_marks(axes, thinned_marks(kind, layout.marks), shape, SIDE_COLOURS[side], hollow)
    panel_title(axes, "Price")
    end_label(axes, layout, market.prices[-1] / WAD, price_text(market.prices[-1]), INK)


def _draw_marks(axes: Axes, marks: Sequence[LiquidationMark], shape: str, colour: str, hollow: bool) -> None:
    axes.plot(
        [mark.time for mark in marks],
        [mark.price / WAD for mark in marks],
        linestyle="none",
        marker=shape,
        markersize=5,
        markeredgewidth=0.9 if hollow else 0.4,
        markeredgecolor=colour,
        markerfacecolor="none" if hollow else colour,
        zorder=3,
    )


def _draw_interest(axes: Axes, market: MarketSeries, layout: Layout) -> None:
    longs, shorts = market.long_open_interest, market.short_open_interest
    keep = thinned(market.times, (longs, shorts), layout.points // 2)  # a step is drawn as two points
    times = [market.times[i] for i in keep]
    for values, sign, colour in ((longs, 1, LONG_COLOUR), (shorts, -1, SHORT_COLOUR)):
        drawn = [sign * values[i] / WAD for i in keep]
        axes.fill_between(times, drawn, step="post", color=colour, alpha=0.3, lw=0)
        axes.plot(times, drawn, drawstyle="steps-post", color=colour, lw=0.9)
    most = max(max(longs), max(shorts)) / WAD * 1.12 or 1.0
    axes.axhline(0, color=MUTED, lw=0.6)
    axes.set_ylim(-most, most)
    value_axis(axes, -most, most, "", ticks=4, mirrored=True)
    panel_title(axes, f"Open interest, {_base(market.symbol)}", (("longs", LONG_COLOUR), ("shorts", SHORT_COLOUR)))
    end_label(axes, layout, most * 0.5, amount_text(longs[-1]), LONG_COLOUR)
    end_label(axes, layout, -most * 0.5, amount_text(shorts[-1]), SHORT_COLOUR)


def _vault(vault: VaultSeries, span: Span, layout: Layout) -> Figure:
    figure, panels = new_figure(layout, (1.05, 1.05, 1.05))
    parts = (
        ("Insurance", vault.insurance, LONG_COLOUR),
        ("Pool", vault.pool, POOL_COLOUR),
        ("Deficit", vault.deficit, SHORT_COLOUR),
    )
    for axes, (name, values, colour) in zip(panels, parts, strict=True):
        keep = thinned(vault.times, (values,), layout.points // 2)
        times, drawn = [vault.times[i] for i in keep], [values[i] / MONEY for i in keep]
        # From zero on, as an area promises: what is left of a fund is its height.
        low, high = min(0.0, min(drawn) * 1.12), max(max(drawn) * 1.12, 0.0) or 1.0
        axes.fill_between(times, drawn, step="post", color=colour, alpha=0.16, lw=0)
        axes.plot(times, drawn, drawstyle="steps-post", color=colour, lw=1.1)
        axes.set_ylim(low, high)
        value_axis(axes, low, high, "$", ticks=3)
        panel_title(axes, name)
        end_label(axes, layout, drawn[-1], dollars_text(values[-1]), colour)
    time_axis(panels, span, layout)
    return figure
