"""Numbers and times as a reader says them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from perpkit.report.layout import Span
from perpkit.report.style import MONEY, MONTHS, WAD


def moment_of(time: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=time)


def moment_text(time: int) -> str:
    """A unix second as a reader says it: 9 Apr 2025, 23:55 UTC."""
    moment = moment_of(time)
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
    scale, suffix = scale_of(amount / WAD)
    scaled = amount // int(scale)
    return _fixed(scaled, max(0, 4 - len(str(scaled // WAD)))) + suffix


def _fixed(value: int, decimals: int) -> str:
    unit = 10 ** (18 - decimals)
    whole, rest = divmod((value + unit // 2) // unit, 10**decimals)
    return f"{whole:,}.{rest:0{decimals}d}" if decimals else f"{whole:,}"


def scale_of(largest: float) -> tuple[float, str]:
    for scale, suffix in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if largest >= scale:
            return scale, suffix
    return 1.0, ""
