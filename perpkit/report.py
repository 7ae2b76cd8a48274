"""The report of a run: one self-contained HTML file with its pictures inside, the same bytes every time.

Figures arrive as exact integers and turn into floats only here, where they become pictures.
"""

import bisect
import itertools
import math
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import partial
from importlib import resources
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # both are slow to import and needed only when a report is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WAD = 10**18  # prices and open interest
MONEY = 10**6  # insurance, pool, deficit, notional
LONG, SHORT = "long", "short"

# Drawn in these colours, then handed to the page as CSS variables with these as fallback, so that one picture
# serves light and dark. Blue and orange stay apart for every kind of colour blindness.
COLOURS = {
    "ink": "#3c4149",
    "muted": "#7c838c",
    "rule": "#c3c8ce",
    "long": "#2f78ba",
    "short": "#cd6a1a",
    "pool": "#6d7f92",
}
INK, MUTED, RULE, LONG_COLOUR, SHORT_COLOUR, POOL_COLOUR = COLOURS.values()
SIDE_COLOURS = {LONG: LONG_COLOUR, SHORT: SHORT_COLOUR}

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MINUTE, HOUR, DAY = 60, 3600, 86_400
TICK_STEPS = (
    *(1, 5, 15, 30, MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE),
    *(HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR),
    *(DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 91 * DAY, 182 * DAY, 365 * DAY, 1825 * DAY),
)


# --- what a report is made of -------------------------------------------------------------------------


@dataclass(frozen=True)
class LiquidationMark:
    """One liquidation; `notional` counts millionths of a dollar, `partial` means a part of the position."""

    time: int
    price: int
    side: str
    partial: bool
    notional: int

    def __post_init__(self) -> None:
        _check_side(self.side)


@dataclass(frozen=True)
class MarketSeries:
    """A market over time; `liquidation_map` holds (price, notional, side) as it stood at `map_time`."""

    symbol: str
    times: tuple[int, ...]
    prices: tuple[int, ...]
    long_open_interest: tuple[int, ...]
    short_open_interest: tuple[int, ...]
    liquidations: tuple[LiquidationMark, ...]
    liquidation_map: tuple[tuple[int, int, str], ...]
    map_time: int
    map_price: int

    def __post_init__(self) -> None:
        _check_lengths(
            self.symbol,
            self.times,
            prices=self.prices,
            long_open_interest=self.long_open_interest,
            short_open_interest=self.short_open_interest,
        )
        for _, _, side in self.liquidation_map:
            _check_side(side)


@dataclass(frozen=True)
class VaultSeries:
    """The vault over time, in millionths of a dollar."""

    times: tuple[int, ...]
    insurance: tuple[int, ...]
    pool: tuple[int, ...]
    deficit: tuple[int, ...]

    def __post_init__(self) -> None:
        _check_lengths("vault", self.times, insurance=self.insurance, pool=self.pool, deficit=self.deficit)


@dataclass(frozen=True)
class Report:
    """Everything a report shows; `laws` maps each law's name to whether it held throughout."""

    title: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    laws: Mapping[str, bool]
    digest: str
    markets: tuple[MarketSeries, ...]
    vault: VaultSeries


def _check_side(side: str) -> None:
    if side not in SIDE_COLOURS:
        raise ValueError(f"side: found {side!r}, expected 'long' or 'short'.")


def _check_lengths(name: str, times: tuple[int, ...], **series: tuple[int, ...]) -> None:
    for column, values in series.items():
        if len(values) != len(times):
            raise ValueError(
                f"{name}, {column}: found {len(values)} values, expected one for each of {len(times)} times."
            )
    if any(later < earlier for earlier, later in itertools.pairwise(times)):
        raise ValueError(f"{name}, times: found a time before the one ahead of it, expected ascending times.")


# --- rendering and writing ----------------------------------------------------------------------------


def render_report(report: Report) -> str:
    """The report as one HTML page, without a reference to anything outside it."""
    from jinja2 import Environment, StrictUndefined

    template = (resources.files("perpkit") / "templates" / "report.html.j2").read_text("utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    with _plain_style():
        pictures = _pictures(report)
    return environment.from_string(template).render(
        report=report,
        span=span_text(_span(report)) if any(_span(report)) else "",
        laws=[(name.replace("_", " "), held) for name, held in report.laws.items()],
        broken=sum(not held for held in report.laws.values()),
        **pictures,
    )


def write_report(report: Report, directory: Path) -> Path:
    """Writes `index.html` in the directory, whole or not at all, and returns its path."""
    page = render_report(report)  # before anything on disk changes
    made = _make_directories(directory)
    target = directory / "index.html"
    temporary = directory / f".index.html.{secrets.token_hex(8)}.tmp"
    try:
        with temporary.open("x", encoding="utf-8", newline="\n") as file:
            file.write(page)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        _remove_empty(made)
        raise
    return target


def _make_directories(directory: Path) -> list[Path]:
    """Makes the directory and its parents; returns those that were not there, deepest first."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    return missing


def _remove_empty(directories: Iterable[Path]) -> None:
    for directory in directories:
        try:
            directory.rmdir()
        except OSError:  # someone else put something there meanwhile
            return


# --- the pictures of a report -------------------------------------------------------------------------


@dataclass(frozen=True)
class _Layout:
    """A picture is drawn twice, as shrinking a wide one would make its text unreadable on a phone."""

    name: str
    width: float  # inches
    left: float
    right: float
    points: int  # drawn along the time axis at most
    time_ticks: int
    price_ticks: int
    bins: int  # of the liquidation map
    marks: int  # liquidations drawn at most, for each kind


WIDE = _Layout("wide", 10.4, 0.78, 0.92, points=900, time_ticks=9, price_ticks=9, bins=84, marks=240)
NARROW = _Layout("narrow", 4.3, 0.66, 0.12, points=320, time_ticks=4, price_ticks=4, bins=42, marks=120)

Span = tuple[int, int]
Draw = Callable[[_Layout], "Figure"]


def _pictures(report: Report) -> dict[str, object]:
    span, layouts = _span(report), _layouts(len(report.markets))
    draw_vault = partial(_vault, report.vault, span)
    return {
        "markets": [
            _market_pictures(f"{number}", market, span, layouts) for number, market in enumerate(report.markets)
        ],
        "vault": _each("vault", draw_vault, layouts) if report.vault.times else None,
    }


def _layouts(markets: int) -> tuple[_Layout, ...]:
    """From four markets on each is drawn with less detail, so that a page of many stays small."""
    share = min(1.0, 3 / max(markets, 1))
    return tuple(
        replace(layout, points=max(60, int(layout.points * share)), marks=max(24, int(layout.marks * share)))
        for layout in (WIDE, NARROW)
    )


def _market_pictures(name: str, market: MarketSeries, span: Span, layouts: Sequence[_Layout]) -> dict[str, object]:
    history, levels = partial(_history, market, span), partial(_map, market)
    return {
        "symbol": market.symbol,
        "counts": _counts(market),
        "history": _each(f"history-{name}", history, layouts) if market.times else None,
        "map": _each(f"map-{name}", levels, layouts) if market.liquidation_map else None,
        "map_time": moment_text(market.map_time),
        "map_price": price_text(market.map_price),
        "map_totals": _map_totals(market),
        "map_beyond": _beyond(market),
    }


def _each(name: str, draw: Draw, layouts: Sequence[_Layout]) -> object:
    from markupsafe import Markup

    # Safe as markup: every text in a picture went through matplotlib's own XML escaping.
    return Markup("\n".join(_svg(draw(layout), f"{name}-{layout.name}", layout) for layout in layouts))


def _span(report: Report) -> Span:
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


# --- drawing ------------------------------------------------------------------------------------------


@contextmanager
def _plain_style() -> Iterator[None]:
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


def _figure(layout: _Layout, heights: Sequence[float], top: float = 0.3) -> "tuple[Figure, list[Axes]]":
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


def _history(market: MarketSeries, span: Span, layout: _Layout) -> "Figure":
    figure, (price, interest) = _figure(layout, (2.55, 1.25))
    _draw_price(price, market, layout)
    _draw_interest(interest, market, layout)
    _time_axis((price, interest), span, layout)
    return figure


def _draw_price(axes: "Axes", market: MarketSeries, layout: _Layout) -> None:
    keep = _thinned(market.times, (market.prices,), layout.points)
    axes.plot([market.times[i] for i in keep], [market.prices[i] / WAD for i in keep], color=INK, lw=0.9)
    seen = [price / WAD for price in (*market.prices, *(mark.price for mark in market.liquidations))]
    low, high = _padded(min(seen), max(seen))
    axes.set_ylim(low, high)
    _value_axis(axes, low, high, "$")
    for side, shape in ((LONG, "v"), (SHORT, "^")):
        for hollow in (True, False):
            kind = [m for m in market.liquidations if m.side == side and m.partial == hollow]
            _draw_marks(axes, _thinned_marks(kind, layout.marks), shape, SIDE_COLOURS[side], hollow)
    _panel_title(axes, "Price")
    _end_label(axes, layout, market.prices[-1] / WAD, price_text(market.prices[-1]), INK)


def _draw_marks(axes: "Axes", marks: Sequence[LiquidationMark], shape: str, colour: str, hollow: bool) -> None:
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


def _draw_interest(axes: "Axes", market: MarketSeries, layout: _Layout) -> None:
    longs, shorts = market.long_open_interest, market.short_open_interest
    keep = _thinned(market.times, (longs, shorts), layout.points // 2)  # a step is drawn as two points
    times = [market.times[i] for i in keep]
    for values, sign, colour in ((longs, 1, LONG_COLOUR), (shorts, -1, SHORT_COLOUR)):
        drawn = [sign * values[i] / WAD for i in keep]
        axes.fill_between(times, drawn, step="post", color=colour, alpha=0.3, lw=0)
        axes.plot(times, drawn, drawstyle="steps-post", color=colour, lw=0.9)
    most = max(max(longs), max(shorts)) / WAD * 1.12 or 1.0
    axes.axhline(0, color=MUTED, lw=0.6)
    axes.set_ylim(-most, most)
    _value_axis(axes, -most, most, "", ticks=4, mirrored=True)
    _panel_title(axes, f"Open interest, {_base(market.symbol)}", (("longs", LONG_COLOUR), ("shorts", SHORT_COLOUR)))
    _end_label(axes, layout, most * 0.5, amount_text(longs[-1]), LONG_COLOUR)
    _end_label(axes, layout, -most * 0.5, amount_text(shorts[-1]), SHORT_COLOUR)


def _vault(vault: VaultSeries, span: Span, layout: _Layout) -> "Figure":
    figure, panels = _figure(layout, (1.05, 1.05, 1.05))
    parts = (
        ("Insurance", vault.insurance, LONG_COLOUR),
        ("Pool", vault.pool, POOL_COLOUR),
        ("Deficit", vault.deficit, SHORT_COLOUR),
    )
    for axes, (name, values, colour) in zip(panels, parts, strict=True):
        keep = _thinned(vault.times, (values,), layout.points // 2)
        times, drawn = [vault.times[i] for i in keep], [values[i] / MONEY for i in keep]
        # From zero on, as an area promises: what is left of a fund is its height.
        low, high = min(0.0, min(drawn) * 1.12), max(max(drawn) * 1.12, 0.0) or 1.0
        axes.fill_between(times, drawn, step="post", color=colour, alpha=0.16, lw=0)
        axes.plot(times, drawn, drawstyle="steps-post", color=colour, lw=1.1)
        axes.set_ylim(low, high)
        _value_axis(axes, low, high, "$", ticks=3)
        _panel_title(axes, name)
        _end_label(axes, layout, drawn[-1], dollars_text(values[-1]), colour)
    _time_axis(panels, span, layout)
    return figure


# --- the liquidation map ------------------------------------------------------------------------------


def _map(market: MarketSeries, layout: _Layout) -> "Figure":
    figure, (axes,) = _figure(layout, (1.7,), top=0.5)
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
    _value_axis(axes, 0, top, "$", ticks=4)
    ticks, labels = _value_ticks(low, high, "$", layout.price_ticks)
    axes.set_xticks(ticks, labels)
    _draw_current_price(axes, market)
    _panel_title(axes, "To be liquidated at", (("longs", LONG_COLOUR), ("shorts", SHORT_COLOUR)), rise=21)
    return figure


def _draw_current_price(axes: "Axes", market: MarketSeries) -> None:
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
    return _padded(min([*prices, now]), max([*prices, now]), 0.03)


def _in_view(price: int, market: MarketSeries) -> bool:
    return market.map_price == 0 or price <= market.map_price * 5 // 2


def _beyond(market: MarketSeries) -> str:
    total = sum(notional for price, notional, _ in market.liquidation_map if not _in_view(price, market))
    return dollars_text(total) if total else ""


def _binned(market: MarketSeries, side: str, low: float, width: float, bins: int) -> list[float]:
    heights = [0] * bins
    for price, notional, of in market.liquidation_map:
        if of == side and _in_view(price, market):
            heights[min(max(int((price / WAD - low) / width), 0), bins - 1)] += notional
    return [height / MONEY for height in heights]


# --- axes and labels ----------------------------------------------------------------------------------


def _panel_title(axes: "Axes", title: str, sides: Sequence[tuple[str, str]] = (), rise: float = 6) -> None:
    """A title above the panel, with the sides named in their colours beside it: no legend needed."""
    at = axes.annotate(
        title, (0, 1), (0, rise), xycoords="axes fraction", textcoords="offset points",
        color=INK, weight="bold",
    )  # fmt: skip
    for name, colour in sides:
        at = axes.annotate(name, (1, 0), (7, 0), xycoords=at, textcoords="offset points", color=colour, va="bottom")


def _end_label(axes: "Axes", layout: _Layout, y: float, text: str, colour: str) -> None:
    """The last value, beside the end of its line; a narrow picture has no room and leaves it out."""
    if layout.name == NARROW.name:
        return
    axes.annotate(
        text, (1, y), (6, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
        color=colour, va="center",
    )  # fmt: skip


def _value_axis(axes: "Axes", low: float, high: float, unit: str, ticks: int = 5, mirrored: bool = False) -> None:
    at, labels = _value_ticks(low, high, unit, ticks, mirrored)
    axes.set_yticks(at, labels)
    axes.grid(axis="y")


def _value_ticks(
    low: float, high: float, unit: str, count: int, mirrored: bool = False
) -> tuple[list[float], list[str]]:
    from matplotlib.ticker import MaxNLocator

    found = MaxNLocator(nbins=count, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    ticks = [float(tick) for tick in found if low <= tick <= high]
    step = float(found[1] - found[0]) if len(found) > 1 else 1.0
    scale, suffix = _suffix(max((abs(tick) for tick in ticks), default=0.0))
    decimals = _decimals(step / scale)
    labels = []
    for tick in ticks:
        value = abs(tick) / scale
        minus = "−" if tick < 0 and not mirrored else ""
        labels.append(f"{minus}{unit}{value:,.{decimals}f}{suffix}" if value else f"{unit}0")
    return ticks, labels


def _suffix(largest: float) -> tuple[float, str]:
    for scale, suffix in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if largest >= scale:
            return scale, suffix
    return 1.0, ""


def _decimals(step: float) -> int:
    """As many as tell two neighbouring ticks apart; 2.5 needs one more than 2."""
    for decimals in range(12):
        if math.isclose(round(step, decimals), step, rel_tol=1e-6):
            return decimals
    return 12


def _padded(low: float, high: float, share: float = 0.06) -> tuple[float, float]:
    room = (high - low) * share or abs(high) * 0.01 or 1.0
    # Prices are positive: room below them must not draw an axis under zero.
    return (max(low - room, 0.0) if low >= 0 else low - room), high + room


def _time_axis(panels: "Sequence[Axes]", span: Span, layout: _Layout) -> None:
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
        moment = _moment(tick)
        date = f"{moment.day} {MONTHS[moment.month - 1]}"
        if step >= 30 * DAY:
            date += f" {moment.year}"
        clock = f"{moment:%H:%M:%S}" if step < MINUTE else f"{moment:%H:%M}"
        # The date once a day, the clock in between.
        labels.append(date if step >= DAY or (moment.date() != day and tick % DAY == 0) else clock)
        day = moment.date()
    return ticks, labels


# --- drawing less than everything ---------------------------------------------------------------------


def _thinned(times: Sequence[int], series: Sequence[Sequence[int]], points: int) -> list[int]:
    """Indexes to draw: all, or for each stretch of time the extremes of every series, so no spike is lost."""
    if len(times) <= points:
        return list(range(len(times)))
    stretches = max(1, points // (2 * len(series)))
    first, width = times[0], times[-1] - times[0] + 1
    keep = {0, len(times) - 1}
    start = 0
    for stretch in range(1, stretches + 1):
        end = bisect.bisect_left(times, first + -(-width * stretch // stretches), start)
        for values in series if end > start else ():
            keep.add(min(range(start, end), key=values.__getitem__))
            keep.add(max(range(start, end), key=values.__getitem__))
        start = end
    return sorted(keep)


def _thinned_marks(marks: Sequence[LiquidationMark], most: int) -> list[LiquidationMark]:
    """All marks, or where they would cover each other only the largest of each cell of a grid."""
    if len(marks) <= most:
        return list(marks)
    column = _cells([mark.time for mark in marks], most // 4)
    row = _cells([mark.price for mark in marks], 40)
    cells: dict[tuple[int, int], LiquidationMark] = {}
    for mark in marks:
        cell = column(mark.time), row(mark.price)
        if cell not in cells or mark.notional > cells[cell].notional:
            cells[cell] = mark
    largest = sorted(cells.values(), key=lambda mark: -mark.notional)[:most]
    return sorted(largest, key=lambda mark: mark.time)


def _cells(values: Sequence[int], count: int) -> Callable[[int], int]:
    """Which of `count` equal cells between the least and the largest value holds a value."""
    least, width = min(values), max(values) - min(values) + 1
    return lambda value: (value - least) * count // width


# --- text ---------------------------------------------------------------------------------------------


def _moment(time: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=time)


def moment_text(time: int) -> str:
    """A unix second as a reader says it: 9 Apr 2025, 23:55 UTC."""
    moment = _moment(time)
    return f"{moment.day} {MONTHS[moment.month - 1]} {moment.year}, {moment:%H:%M} UTC"


def span_text(span: Span) -> str:
    return f"{moment_text(span[0])} to {moment_text(span[1])}"


def dollars_text(quanta: int) -> str:
    """Money as a reader says it: $1,234,567 from a hundred dollars on, $12.34 below."""
    sign, amount = ("−" if quanta < 0 else ""), abs(quanta)
    if amount >= 100 * MONEY or amount % MONEY == 0:
        return f"{sign}${(amount + MONEY // 2) // MONEY:,}"
    cents = (amount + MONEY // 200) // (MONEY // 100)
    return f"{sign}${cents // 100}.{cents % 100:02d}"


def price_text(price: int) -> str:
    """A price with two decimals, or from below a dollar with four digits that tell."""
    decimals = 2 if price >= WAD else min(18, 22 - len(str(price)))
    return "$" + _fixed(price, decimals)


def amount_text(amount: int) -> str:
    """An amount of base with about four digits that tell: 21.93, 7,380, 22.05M."""
    if amount < WAD:
        return _fixed(amount, min(18, 22 - len(str(amount)))) if amount else "0"
    scale, suffix = _suffix(amount / WAD)
    scaled = amount // int(scale)
    return _fixed(scaled, max(0, 4 - len(str(scaled // WAD)))) + suffix


def _fixed(value: int, decimals: int) -> str:
    unit = 10 ** (18 - decimals)
    whole, rest = divmod((value + unit // 2) // unit, 10**decimals)
    return f"{whole:,}.{rest:0{decimals}d}" if decimals else f"{whole:,}"


# --- from a figure to the page ------------------------------------------------------------------------


def _svg(figure: "Figure", name: str, layout: _Layout) -> str:
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
