"""A picture before it is drawn: series of integers with their units, which a story tells and a report draws.

Lives here: what is shown. Not here: how it looks, which is `perpkit.report`'s. May be imported by: everybody.
"""

from __future__ import annotations

from dataclasses import dataclass

# Units of values.
PRICE = "usd/base 1e18"
SIZE = "base 1e18"
MONEY = "usd 1e-6"
SECONDS = "s"
# Units of what runs along the bottom: a line of the ledger, seconds since the beginning, or names.
STEP = "step"
NAME = "name"

# How a panel shows its series: on one scale; each in a row of its own with a scale of its own; as columns side by side.
LINES, LANES, BARS = "lines", "lanes", "bars"


@dataclass(frozen=True, slots=True)
class Series:
    """One value for each place of the picture, None where there is none. `hits` are the places of liquidations."""

    name: str
    values: tuple[int | None, ...]
    hits: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Level:
    """A value that matters all along, such as a liquidation price."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class Panel:
    """Series of one unit."""

    title: str
    unit: str
    series: tuple[Series, ...]
    shown: str = LINES
    levels: tuple[Level, ...] = ()

    def __post_init__(self) -> None:
        if self.unit not in (PRICE, SIZE, MONEY, SECONDS):
            raise ValueError(f"unit of {self.title!r}: found {self.unit!r}, expected a unit of perpkit.picture.")
        if self.shown not in (LINES, LANES, BARS):
            raise ValueError(f"{self.title!r}: cannot be shown as {self.shown!r}, expected lines, lanes or bars.")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Places from `first` to `last` that have something in common, such as a halt."""

    name: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Picture:
    """Panels over the same places: numbers of steps, seconds, or numbers of `names`. `words` say what one sees."""

    title: str
    words: str
    places: tuple[int, ...]
    panels: tuple[Panel, ...]
    along: str = STEP
    names: tuple[str, ...] = ()
    stretches: tuple[Stretch, ...] = ()

    def __post_init__(self) -> None:
        for panel in self.panels:
            for series in panel.series:
                if len(series.values) != len(self.places):
                    raise ValueError(
                        f"{self.title}, {series.name}: found {len(series.values)} values, expected one for each of "
                        f"{len(self.places)} places."
                    )
        if self.along == NAME and len(self.names) != len(self.places):
            raise ValueError(f"{self.title}: found {len(self.names)} names, expected {len(self.places)}.")

    @property
    def has_hits(self) -> bool:
        return any(series.hits for panel in self.panels for series in panel.series)
