"""What must always hold, each law a named sentence and a predicate.

Laws of a state are asked of a `Book` at mark prices; laws of an event are asked of the book before and after it. The
`Watchman` reads every event and asks them all; tests, parity walks, scenarios and replays use it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from perpkit.model import events as ev
from perpkit.model import perp_math
from perpkit.model.book import Book, SequenceGap
from perpkit.model.fixed_math import product_greater
from perpkit.model.types import Position

Marks = Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Moment:
    """When a state law is asked: the book, the mark prices, the time {s}, and the clearinghouse's token balance."""

    book: Book
    marks: Marks
    timestamp: int
    token_balance: int


def booked_money_adds_up(now: Moment) -> bool:
    """All booked money is somebody's, and the tokens are there."""
    book, vault = now.book, now.book.vault
    collateral = sum(account.collateral for account in book.accounts.values())
    fees = sum(market.state.protocol_fees for market in book.markets.values())
    owned = collateral + vault.pool + vault.insurance + vault.treasury + fees
    return owned == vault.booked <= now.token_balance


def sides_match_positions(now: Moment) -> bool:
    """Each side's open interest and basis are the sums over its positions."""
    book = now.book
    for id, market in book.markets.items():
        positions = [a.positions[id] for a in book.accounts.values() if id in a.positions]
        state = market.state
        if (state.long_oi, state.long_basis) != _side([p for p in positions if p.size > 0]):
            return False
        if (state.short_oi, state.short_basis) != _side([p for p in positions if p.size < 0]):
            return False
    return True


def _side(positions: list[Position]) -> tuple[int, int]:
    basis = sum(perp_math.basis_of(p.size, p.cost, p.funding_index) for p in positions)
    return sum(abs(p.size) for p in positions), basis


def equity_adds_up(now: Moment) -> bool:
    """The equity of all traders, the pool and the funds is the booked money, exactly, in raw units."""
    book, vault, quantum = now.book, now.book.vault, now.book.quantum
    traders = sum(book.margin(id, now.marks, now.timestamp)[0] for id in book.accounts)
    pool = vault.pool * quantum
    marks = book.marks(now.marks)
    for id, market in book.markets.items():
        if id not in marks:
            continue
        mark = marks[id]
        index = market.funding_index(mark, now.timestamp)
        pool -= market.side_pnl(long=True, mark=mark, funding_index=index)
        pool -= market.side_pnl(long=False, mark=mark, funding_index=index)
    fees = sum(market.state.protocol_fees for market in book.markets.values())
    return traders + pool + (vault.insurance + vault.treasury + fees) * quantum == vault.booked * quantum


def funds_are_never_negative(now: Moment) -> bool:
    """Insurance, treasury, fees and recorded deficits are not negative."""
    vault = now.book.vault
    states = [market.state for market in now.book.markets.values()]
    owed = [value for s in states for value in (s.protocol_fees, s.long_deficit, s.short_deficit)]
    return min([vault.insurance, vault.treasury, *owed]) >= 0


def nobody_owes_without_a_position(now: Moment) -> bool:
    """Traders are non-recourse: an account without positions is never in debt."""
    return all(account.positions or account.collateral >= 0 for account in now.book.accounts.values())


STATE_LAWS: tuple[Callable[[Moment], bool], ...] = (
    booked_money_adds_up,
    sides_match_positions,
    equity_adds_up,
    funds_are_never_negative,
    nobody_owes_without_a_position,
)

# Laws that are asked of events as they come.
EVENT_LAWS = (
    "no_event_is_missing",
    "funding_accrues_once_a_second",
    "only_unhealthy_accounts_are_liquidated",
    "nobody_is_liquidated_in_grace",
    "partial_liquidation_restores_initial_margin",
    "withdrawals_leave_the_pool_solvent",
    "deleveraging_follows_the_ranking",
    "deleveraging_takes_no_more_than_profit",
)


class Watchman:
    """Reads every event, keeps the book, and remembers each law's first breach."""

    def __init__(self, *, quantum: int) -> None:
        self.book = Book(quantum=quantum)
        self.breaches: dict[str, str] = {}
        self._accrued: dict[int, tuple[int, int, int]] = {}

    @property
    def laws(self) -> dict[str, bool]:
        """Every law by name, and whether it has held so far."""
        names = [law.__name__ for law in STATE_LAWS] + list(EVENT_LAWS)
        return {name: name not in self.breaches for name in names}

    def observe(self, event: ev.Event, timestamp: int, marks: Marks) -> None:
        """Takes one event in, and asks the laws of events. `marks` are the prices of the other markets then."""
        match event:
            case ev.Liquidated():
                self._before_liquidation(event, timestamp, marks)
            case ev.Deleveraged():
                self._before_deleveraging(event, timestamp, marks)
        try:
            self.book.apply(event, timestamp)
        except SequenceGap as gap:
            self._breach("no_event_is_missing", str(gap))
            return
        match event:
            case ev.Traded() | ev.Settled() | ev.Deleveraged():
                self._funding(event.market, event.result.mark, event.funding_index, timestamp)
            case ev.Liquidated():
                self._funding(event.market, event.result.mark, event.funding_index, timestamp)
                self._after_liquidation(event, timestamp, marks)
            case ev.Withdrawn() | ev.PoolWithdrawn() if self.book.vault.pool < 0:
                self._breach("withdrawals_leave_the_pool_solvent", repr(event))

    def check(self, now: Moment) -> None:
        """Asks the laws of states."""
        for law in STATE_LAWS:
            if law.__name__ not in self.breaches and not law(now):
                self._breach(law.__name__, f"at time {now.timestamp}")

    def _breach(self, law: str, what: str) -> None:
        self.breaches.setdefault(law, what)

    def _funding(self, market: int, mark: int, index: int, timestamp: int) -> None:
        """The same market at the same second and mark price has one funding index."""
        if self._accrued.get(market, (0, 0, 0))[:2] == (timestamp, mark) and self._accrued[market][2] != index:
            self._breach("funding_accrues_once_a_second", f"market {market} at time {timestamp}")
        self._accrued[market] = (timestamp, mark, index)

    def _before_liquidation(self, event: ev.Liquidated, timestamp: int, marks: Marks) -> None:
        at = {**marks, event.market: event.result.mark}
        equity, _, maintenance = self.book.margin(event.account, at, timestamp)
        if perp_math.is_covered(equity, maintenance):
            self._breach("only_unhealthy_accounts_are_liquidated", repr(event))
        held = self.book.accounts[event.account].positions
        if any(timestamp < self.book.markets[market].state.grace_until for market in held):
            self._breach("nobody_is_liquidated_in_grace", repr(event))

    def _after_liquidation(self, event: ev.Liquidated, timestamp: int, marks: Marks) -> None:
        if event.position.size == 0:
            return
        at = {**marks, event.market: event.result.mark}
        equity, initial, _ = self.book.margin(event.account, at, timestamp)
        if not perp_math.is_covered(equity, initial):
            self._breach("partial_liquidation_restores_initial_margin", repr(event))

    def _before_deleveraging(self, event: ev.Deleveraged, timestamp: int, marks: Marks) -> None:
        if event.result.haircut > max(event.result.realized, 0):
            self._breach("deleveraging_takes_no_more_than_profit", repr(event))
        at = {**marks, event.market: event.result.mark}
        long = self.book.accounts[event.account].positions[event.market].size > 0
        chosen = self._score(event.account, event.market, event.funding_index, at, timestamp)
        for rival in self.book.holders(event.market, long=long):
            score = self._score(rival, event.market, event.funding_index, at, timestamp)
            if product_greater(score[0], chosen[1], chosen[0], score[1]) and not self._was_deleveraged(rival, event):
                self._breach("deleveraging_follows_the_ranking", repr(event))

    def _was_deleveraged(self, rival: int, event: ev.Deleveraged) -> bool:
        """Whether a rival already had its turn in this very action: it was touched at this funding index, and what is
        left of it is judged no more."""
        position = self.book.accounts[rival].positions[event.market]
        return position.funding_index == event.funding_index and rival != event.account

    def _score(self, id: int, market: int, index: int, marks: Marks, timestamp: int) -> tuple[int, int]:
        position, quantum = self.book.accounts[id].positions[market], self.book.quantum
        index_delta = index - position.funding_index
        payment = perp_math.funding_payment(position.size, index_delta, quantum)
        cost = perp_math.cost_after_funding(position.size, position.cost, index_delta, payment, quantum)
        return perp_math.deleverage_score(
            perp_math.unrealized_pnl(position.size, cost, marks[market], 0),
            cost,
            perp_math.notional(position.size, marks[market]),
            self.book.margin(id, marks, timestamp)[0],
            quantum,
        )
