"""Which accounts a price makes liquidatable, without asking each.

With `key = (cost - size * F0 - collateral * quantum) / size`, the bankruptcy price less funding, an account of one
position is liquidatable

    long:   key > mark * (1 - mmr) - F          short:   key < mark * (1 + mmr) - F

The key moves with neither price nor funding, only with trades and margin, so one sorted list per market, side and
maintenance margin ratio (a market has one per risk tier) answers every tick in O(log n + hits). Keys and thresholds
round outwards: candidates are a superset, and each is verified with the exact formula by whoever acts on it. Accounts
of several positions have no key; they are candidates always.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sortedcontainers import SortedList  # type: ignore[import-untyped]

from perpkit.model import perp_math
from perpkit.model.fixed_math import UNIT, div_ceil, div_floor
from perpkit.model.types import Position

# The side of a market, and a maintenance margin ratio.
Side = tuple[bool, int]


def liquidation_key(position: Position, *, collateral: int, quantum: int) -> int:
    """The key of an account of one position, rounded toward liquidation. {usd/base, 1e18}"""
    raw = perp_math.basis_of(position.size, position.cost, position.funding_index) - collateral * quantum
    if position.size > 0:
        return div_ceil(raw, position.size)
    return div_floor(-raw, -position.size)


def threshold(*, long: bool, mark: int, funding_index: int, mmr: int) -> int:
    """What keys are compared with at a price, rounded toward liquidation. {usd/base, 1e18}"""
    if long:
        return div_floor(mark * (UNIT - mmr), UNIT) - funding_index
    return div_ceil(mark * (UNIT + mmr), UNIT) - funding_index


class LiquidationIndex:
    """Accounts by key, per market, side and maintenance margin ratio."""

    def __init__(self, *, quantum: int) -> None:
        self._quantum = quantum
        # Any: sortedcontainers has no types.
        self._markets: dict[int, dict[Side, Any]] = {}
        self._entries: dict[int, tuple[Any, tuple[int, int]]] = {}
        self._several: set[int] = set()

    def __len__(self) -> int:
        return len(self._entries) + len(self._several)

    @property
    def several(self) -> frozenset[int]:
        """The accounts of several positions."""
        return frozenset(self._several)

    def update(self, account: int, *, collateral: int, positions: Mapping[int, Position], mmr: int) -> None:
        """Puts an account where it belongs now. `mmr` is that of its position when it has only one. O(log n)."""
        self._remove(account)
        if len(positions) > 1:
            self._several.add(account)
        elif positions:
            ((market, position),) = positions.items()
            entry = (liquidation_key(position, collateral=collateral, quantum=self._quantum), account)
            entries = self._markets.setdefault(market, {}).setdefault((position.size > 0, mmr), SortedList())
            entries.add(entry)
            self._entries[account] = (entries, entry)

    def candidates(self, market: int, *, mark: int, funding_index: int) -> Iterator[int]:
        """The accounts of one position that may be liquidatable at a price, the worst of each side first."""
        for (long, mmr), entries in self._markets.get(market, {}).items():
            limit = threshold(long=long, mark=mark, funding_index=funding_index, mmr=mmr)
            for key, account in reversed(entries) if long else entries:
                if key <= limit if long else key >= limit:
                    break
                yield account

    def _remove(self, account: int) -> None:
        self._several.discard(account)
        if account in self._entries:
            entries, entry = self._entries.pop(account)
            entries.remove(entry)
