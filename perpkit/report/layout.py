"""How large a picture is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # both are slow to import and needed only when a report is drawn
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Layout:
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


WIDE = Layout("wide", 10.4, 0.78, 0.92, points=900, time_ticks=9, price_ticks=9, bins=84, marks=240)
NARROW = Layout("narrow", 4.3, 0.66, 0.12, points=320, time_ticks=4, price_ticks=4, bins=42, marks=120)
# Of pictures with names on both sides.
NAMED_WIDE = replace(WIDE, left=1.15, right=1.5)
NAMED_NARROW = replace(NARROW, left=0.95, right=0.85)

Span = tuple[int, int]
Draw = Callable[[Layout], "Figure"]
