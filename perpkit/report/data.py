"""What a report is made of."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from perpkit.picture import Picture
from perpkit.report.style import SIDE_COLOURS


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


@dataclass(frozen=True)
class LedgerStep:
    """A step of a story in words: what happened, when, at which prices, and the rows of its table."""

    words: str
    moment: str
    prices: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    totals: tuple[tuple[str, str], ...]
    liquidated: tuple[str, ...]


@dataclass(frozen=True)
class StoryPage:
    """Everything the page of a story shows; `promises` and `laws` map each sentence to whether it held."""

    title: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    pictures: tuple[Picture, ...]
    columns: tuple[str, ...]
    steps: tuple[LedgerStep, ...]
    promises: Mapping[str, bool]
    laws: Mapping[str, bool]
    digest: str


@dataclass(frozen=True)
class StoryEntry:
    """A line of the contents: a page, and how many of its promises and laws held."""

    file: str
    title: str
    subtitle: str
    held: int
    promised: int


@dataclass(frozen=True)
class StoryContents:
    """The page that leads to all."""

    title: str
    subtitle: str
    entries: tuple[StoryEntry, ...]


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
