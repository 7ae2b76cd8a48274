"""Where positions would be liquidated, over the price."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perpkit.report.axes import padded, panel_title, value_axis, value_ticks
from perpkit.report.canvas import new_figure
from perpkit.report.data import MarketSeries
from perpkit.report.layout import Layout
from perpkit.report.style import INK, LONG, LONG_COLOUR, MONEY, SHORT, SHORT_COLOUR, SIDE_COLOURS, WAD
from perpkit.report.text import dollars_text, price_text

if TYPE_CHECKING:  # both are slow to import and needed only when a report is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_map(market: MarketSeries, layout: Layout) -> Figure:
    figure, (axes,) = new_figure(layout, (1.7,), top=0.5)
    low, high = _map_view(market)
    width = (high - low) / layout.bins
    stacked = [0.0] * layout.bins
    for side in (LONG, SHORT):
        heights = _binned(market, side, low, width, layout.bins)
        lefts = [low + i * width for i in range(layout.bins)]
        drawn = [i for i, height in enumerate(heights) if height]
        axes.bar(
            [lefts[i] for i in drawn],
            [heights[i] for i in drawn],
            width * 0.86,
            bottom=[stacked[i] for i in drawn],
            align="edge",
            color=SIDE_COLOURS[side],
            lw=0,
        )
        stacked = [below + height for below, height in zip(stacked, heights, strict=True)]
    top = max(stacked) * 1.1 or 1.0
    axes.set_xlim(low, high)
    axes.set_ylim(0, top)
    value_axis(axes, 0, top, "$", ticks=4)
    ticks, labels = value_ticks(low, high, "$", layout.price_ticks)
    axes.set_xticks(ticks, labels)
    _draw_current_price(axes, market)
    panel_title(axes, "To be liquidated at", (("longs", LONG_COLOUR), ("shorts", SHORT_COLOUR)), rise=21)
    return figure


def _draw_current_price(axes: Axes, market: MarketSeries) -> None:
    at = market.map_price / WAD
    low, high = axes.get_xlim()
    along = (at - low) / (high - low)
    axes.axvline(at, color=INK, lw=0.9)
    axes.annotate(
        price_text(market.map_price),
        (at, 1),
        (0, 4),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="left" if along < 0.15 else "right" if along > 0.85 else "center",
        va="bottom",
        color=INK,
    )


def _map_view(market: MarketSeries) -> tuple[float, float]:
    """The prices shown: all of them, unless some lie so far above today's that they would squash the rest."""
    now = market.map_price / WAD
    prices = [price / WAD for price, _, _ in market.liquidation_map if _in_view(price, market)]
    return padded(min([*prices, now]), max([*prices, now]), 0.03)


def _in_view(price: int, market: MarketSeries) -> bool:
    return market.map_price == 0 or price <= market.map_price * 5 // 2


def beyond(market: MarketSeries) -> str:
    total = sum(notional for price, notional, _ in market.liquidation_map if not _in_view(price, market))
    return dollars_text(total) if total else ""


def _binned(market: MarketSeries, side: str, low: float, width: float, bins: int) -> list[float]:
    heights = [0] * bins
    for price, notional, of in market.liquidation_map:
        if of == side and _in_view(price, market):
            heights[min(max(int((price / WAD - low) / width), 0), bins - 1)] += notional
    return [height / MONEY for height in heights]
