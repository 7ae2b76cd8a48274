"""What a keeper should do now, from what it knows. Pure: the same book, prices and time give the same answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from perpkit.keeper.liquidation_index import LiquidationIndex
from perpkit.model import perp_math
from perpkit.model.book import Book
from perpkit.model.fixed_math import UNIT
from perpkit.model.market_ledger import DELEVERAGE, DELISTED, INCREASE, LIQUIDATE, OUTAGE, TRADE
from perpkit.model.types import NO_POSITION, Terms

Marks = Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Liquidate:
    """Liquidate these accounts in a market, the worst first."""

    market: int
    accounts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Deleverage:
    """Deleverage a side of a market; `accounts` are all its holders."""

    market: int
    long: bool
    accounts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RecordOutage:
    """Record that a market's price is missing, or that it is back."""

    market: int


@dataclass(frozen=True, slots=True)
class Rebalance:
    """Rebalance the leveraged token of this symbol."""

    symbol: str


Action = RecordOutage | Liquidate | Deleverage | Rebalance


@dataclass(frozen=True, slots=True)
class Leveraged:
    """What a keeper has to know of a leveraged token beside the book."""

    symbol: str
    account: int
    terms: Terms
    supply: int
    # {s}
    next_rebalance: int


def decide(book: Book, index: LiquidationIndex, marks: Marks, timestamp: int, *, batch: int) -> list[Action]:
    """Outages first, as they decide who may be liquidated; then liquidations, at most `batch` accounts in one action;
    when there are none, deleveraging."""
    liquidations: list[Action] = list(_liquidations(book, index, marks, timestamp, batch))
    return [*_outages(book, marks), *(liquidations or _deleveragings(book, marks, timestamp))]


def rebalances(book: Book, tokens: Sequence[Leveraged], marks: Marks, timestamp: int) -> list[Rebalance]:
    """The leveraged tokens that are due or out of their band, and have something to trade that the market lets them."""
    return [Rebalance(token.symbol) for token in tokens if _must_rebalance(book, token, marks, timestamp)]


def shortfall(book: Book, account: int, marks: Marks, timestamp: int) -> int:
    """By how much an account's equity misses its maintenance margin {raw * 1e18}; zero or less when it does not."""
    equity, _, maintenance = book.margin(account, marks, timestamp)
    return maintenance - equity * UNIT


def _outages(book: Book, marks: Marks) -> Iterator[RecordOutage]:
    """The beginning where somebody has a position, and every end."""
    for market, m in book.markets.items():
        known, missing = m.state.grace_until == OUTAGE, market not in marks
        held = m.state.long_oi + m.state.short_oi > 0
        if missing != known and (known or held) and not m.state.paused & DELISTED:
            yield RecordOutage(market)


def _liquidations(book: Book, index: LiquidationIndex, marks: Marks, timestamp: int, batch: int) -> Iterator[Liquidate]:
    found: dict[int, list[tuple[int, int]]] = {}
    for account in _candidates(book, index, marks, timestamp):
        missing = shortfall(book, account, marks, timestamp)
        if missing > 0 and not _in_grace(book, account, timestamp):
            market = _heaviest(book, account, marks)
            if market is not None:
                found.setdefault(market, []).append((-missing, account))
    for market in sorted(found):
        accounts = [account for _, account in sorted(found[market])]
        for first in range(0, len(accounts), batch):
            yield Liquidate(market, tuple(accounts[first : first + batch]))


def _candidates(book: Book, index: LiquidationIndex, marks: Marks, timestamp: int) -> Iterator[int]:
    for market, mark in marks.items():
        m = book.markets[market]
        funding_index = m.funding_index(mark, timestamp)
        yield from index.candidates(market, mark=mark, funding_index=funding_index)
    for account in sorted(index.several):
        # Without every price nobody knows what such an account is worth, neither the contract.
        if all(market in marks for market in book.accounts[account].positions):
            yield account


def _in_grace(book: Book, account: int, timestamp: int) -> bool:
    """Whether a pause or an outage of one of its markets keeps an account out of the reach of liquidation."""
    positions = book.accounts[account].positions
    return any(timestamp < book.markets[market].state.grace_until for market in positions)


def _heaviest(book: Book, account: int, marks: Marks) -> int | None:
    """The market whose position requires most margin, among those where liquidation is not paused."""
    positions = book.accounts[account].positions
    weights = [
        (perp_math.margin_requirement(p.size, marks[market], book.markets[market].ratios(p.size)[1]), -market)
        for market, p in positions.items()
        if not book.markets[market].state.paused & LIQUIDATE
    ]
    return -max(weights)[1] if weights else None


def _must_rebalance(book: Book, token: Leveraged, marks: Marks, timestamp: int) -> bool:
    terms, mark = token.terms, marks.get(token.terms.market)
    if mark is None or not token.supply:
        return False
    m = book.markets[terms.market]
    position = book.account(token.account).positions.get(terms.market, NO_POSITION)
    equity, _, _ = book.margin(token.account, marks, timestamp)
    target = perp_math.target_size(terms.target_leverage, mark, equity, m.params.min_notional, book.quantum)
    if target == position.size or m.params.min_delay or m.state.paused & TRADE:
        return False
    grows = abs(target) > abs(position.size)
    if grows and (m.state.paused & INCREASE or timestamp < m.state.grace_until):
        return False
    leverage = abs(perp_math.leverage_of(position.size, mark, equity))
    return timestamp >= token.next_rebalance or not terms.min_leverage <= leverage <= terms.max_leverage


def _deleveragings(book: Book, marks: Marks, timestamp: int) -> Iterator[Deleverage]:
    for market, mark in marks.items():
        m = book.markets[market]
        if m.state.paused & DELEVERAGE:
            continue
        for long in (True, False):
            if _must_deleverage(book, market, long, mark, timestamp):
                holders = book.holders(market, long=long)
                if _any_winner(book, market, mark, timestamp, holders):
                    yield Deleverage(market, long, holders)


def _must_deleverage(book: Book, market: int, long: bool, mark: int, timestamp: int) -> bool:
    m = book.markets[market]
    deficit = m.state.short_deficit if long else m.state.long_deficit
    profit = m.side_pnl(long=long, mark=mark, funding_index=m.funding_index(mark, timestamp))
    factor = m.params.adl_pnl_factor
    return perp_math.deleverage_target(profit, book.vault.pool, deficit, factor, book.quantum) > 0


def _any_winner(book: Book, market: int, mark: int, timestamp: int, holders: tuple[int, ...]) -> bool:
    """Whether anyone on the side has a profit of at least one quantum once its funding is settled."""
    m, quantum = book.markets[market], book.quantum
    funding_index = m.funding_index(mark, timestamp)
    for account in holders:
        p = book.accounts[account].positions[market]
        index_delta = funding_index - p.funding_index
        payment = perp_math.funding_payment(p.size, index_delta, quantum)
        cost = perp_math.cost_after_funding(p.size, p.cost, index_delta, payment, quantum)
        if perp_math.unrealized_pnl(p.size, cost, mark, 0) >= quantum:
            return True
    return False
