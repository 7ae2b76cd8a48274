"""The ledger as its events tell it: who reads every event knows the full state without ever reading back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from perpkit.model import events as ev
from perpkit.model import perp_math
from perpkit.model.market_ledger import DELISTED
from perpkit.model.types import (
    NO_DELISTING,
    NO_POSITION,
    NO_STATE,
    Balances,
    Delisting,
    MarketParams,
    MarketState,
    Position,
    RiskTier,
    Vault,
)


@dataclass(slots=True)
class AccountBook:
    """An account: its settled collateral and its positions by market."""

    collateral: int = 0
    positions: dict[int, Position] = field(default_factory=dict)


@dataclass(slots=True)
class MarketBook:
    """A market: its symbol, its parameters and its state as last accrued."""

    symbol: str
    params: MarketParams
    state: MarketState
    # Above the first.
    tiers: tuple[RiskTier, ...] = ()
    delisting: Delisting = NO_DELISTING

    def ratios(self, size: int) -> tuple[int, int]:
        """Initial and maintenance margin ratio of a position of `size`."""
        for tier in reversed(self.tiers):
            if abs(size) >= tier.min_size:
                return tier.imr, tier.mmr
        return self.params.imr, self.params.mmr

    @property
    def skew(self) -> int:
        return self.state.long_oi - self.state.short_oi

    def funding_index(self, mark: int, timestamp: int) -> int:
        """The funding index as of `timestamp`. {usd/base}"""
        params, state = self.params, self.state
        rate = perp_math.funding_rate(self.skew, params.skew_scale, params.max_funding_rate)
        elapsed = timestamp - state.accrued_at
        return state.funding_index + perp_math.funding_index_delta(mark, rate, elapsed, params.funding_interval)

    def side_pnl(self, *, long: bool, mark: int, funding_index: int) -> int:
        """The raw unrealised profit of one side."""
        state = self.state
        if long:
            return perp_math.side_pnl(state.long_oi, state.long_basis, mark, funding_index)
        return perp_math.side_pnl(-state.short_oi, state.short_basis, mark, funding_index)


class SequenceGap(Exception):
    """An event of a market was missed: the next should have had number `expected`, and had `found`."""

    def __init__(self, source: str, expected: int, found: int) -> None:
        super().__init__(source, expected, found)
        self.source, self.expected, self.found = source, expected, found

    def __str__(self) -> str:
        return f"an event of {self.source} is missing: expected number {self.expected}, found {self.found}."


class Book:
    """Accounts, markets and vault, kept up to date by `apply`."""

    def __init__(self, *, quantum: int) -> None:
        self.quantum = quantum
        self.vault = Vault(0, 0, 0, 0, 0, 0)
        self.markets: dict[int, MarketBook] = {}
        self.accounts: dict[int, AccountBook] = {}

    def account(self, id: int) -> AccountBook:
        return self.accounts.setdefault(id, AccountBook())

    def apply(self, event: ev.Event, timestamp: int) -> tuple[int, ...]:
        """Takes one event in and returns the accounts that it changed. Raises `SequenceGap` when one before it is
        missing, and then takes nothing in."""
        handler = _HANDLERS.get(type(event))
        return handler(self, event, timestamp) if handler else ()

    def holders(self, market: int, *, long: bool) -> tuple[int, ...]:
        """All accounts that hold one side of a market, in ascending order."""
        return tuple(
            id
            for id in sorted(self.accounts)
            if (position := self.accounts[id].positions.get(market)) and (position.size > 0) == long
        )

    def mmr(self, id: int) -> int:
        """The highest maintenance margin ratio of an account's positions; zero when it has none."""
        held = self.account(id).positions.items()
        return max((self.markets[market].ratios(position.size)[1] for market, position in held), default=0)

    def marks(self, given: Mapping[int, int]) -> dict[int, int]:
        """Mark prices as given, and of delisted markets the final ones."""
        ended = {id: m.delisting.price for id, m in self.markets.items() if m.state.paused & DELISTED}
        return {**given, **ended}

    def margin(self, id: int, marks: Mapping[int, int], timestamp: int) -> tuple[int, int, int]:
        """An account's raw equity, and its initial and maintenance margin {raw * 1e18}."""
        account = self.account(id)
        equity = account.collateral * self.quantum
        initial = maintenance = 0
        for market, position in account.positions.items():
            m = self.markets[market]
            mark = m.delisting.price if m.state.paused & DELISTED else marks[market]
            index_delta = m.funding_index(mark, timestamp) - position.funding_index
            equity += perp_math.unrealized_pnl(position.size, position.cost, mark, index_delta)
            imr, mmr = m.ratios(position.size)
            initial += perp_math.margin_requirement(position.size, mark, imr)
            maintenance += perp_math.margin_requirement(position.size, mark, mmr)
        return equity, initial, maintenance

    # VAULT

    def _next(self, sequence: int, **changes: int) -> None:
        if sequence != self.vault.sequence + 1:
            raise SequenceGap("the vault", self.vault.sequence + 1, sequence)
        self.vault = replace(self.vault, sequence=sequence, **changes)

    def _deposited(self, event: ev.Deposited, _: int) -> tuple[int, ...]:
        self._next(event.sequence, booked=self.vault.booked + event.amount)
        self.account(event.account).collateral = event.collateral
        return (event.account,)

    def _withdrawn(self, event: ev.Withdrawn, _: int) -> tuple[int, ...]:
        self._next(event.sequence, booked=self.vault.booked - event.amount)
        self.account(event.account).collateral = event.collateral
        return (event.account,)

    def _transferred(self, event: ev.Transferred, _: int) -> tuple[int, ...]:
        self._next(event.sequence)
        self.account(event.from_).collateral = event.from_collateral
        self.account(event.to).collateral = event.to_collateral
        return event.from_, event.to

    def _insured(self, event: ev.InsuranceFunded | ev.Skimmed, _: int) -> tuple[int, ...]:
        self._next(event.sequence, insurance=event.insurance, booked=self.vault.booked + event.amount)
        return ()

    def _treasury_withdrawn(self, event: ev.TreasuryWithdrawn, _: int) -> tuple[int, ...]:
        self._next(event.sequence, treasury=event.treasury, booked=self.vault.booked - event.amount)
        return ()

    def _pool_deposited(self, event: ev.PoolDeposited, _: int) -> tuple[int, ...]:
        self._next(event.sequence, pool=event.pool, booked=self.vault.booked + event.amount)
        return ()

    def _pool_withdrawn(self, event: ev.PoolWithdrawn, _: int) -> tuple[int, ...]:
        self._next(event.sequence, pool=event.pool, booked=self.vault.booked - event.amount)
        return ()

    def _vault_paused(self, event: ev.VaultPaused, _: int) -> tuple[int, ...]:
        self.vault = replace(self.vault, paused=event.bits)
        return ()

    # MARKETS

    def _listed(self, event: ev.MarketListed, timestamp: int) -> tuple[int, ...]:
        symbol = event.symbol.rstrip(b"\0").decode()
        state = replace(NO_STATE, accrued_at=timestamp, sequence=event.sequence, tiers=len(event.tiers))
        self.markets[event.market] = MarketBook(symbol, event.params, state, event.tiers)
        return ()

    def _advance(self, market: int, sequence: int, **changes: int) -> MarketBook:
        m = self.markets[market]
        if sequence != m.state.sequence + 1:
            raise SequenceGap(m.symbol, m.state.sequence + 1, sequence)
        m.state = replace(m.state, sequence=sequence, **changes)
        return m

    def _params_set(self, event: ev.MarketParamsSet, timestamp: int) -> tuple[int, ...]:
        m = self._advance(event.market, event.sequence, funding_index=event.funding_index, accrued_at=timestamp)
        m.params, m.tiers = event.params, event.tiers
        m.state = replace(m.state, tiers=len(event.tiers))
        return tuple(id for id, account in self.accounts.items() if event.market in account.positions)

    def _market_paused(self, event: ev.MarketPaused, _: int) -> tuple[int, ...]:
        self._advance(event.market, event.sequence, paused=event.bits, grace_until=event.grace_until)
        return ()

    def _outage_recorded(self, event: ev.OutageRecorded, _: int) -> tuple[int, ...]:
        self._advance(event.market, event.sequence, grace_until=event.grace_until)
        return ()

    def _announced(self, event: ev.MarketParamsAnnounced, _: int) -> tuple[int, ...]:
        self._advance(event.market, event.sequence)
        return ()

    # DELISTING

    def _delisting_announced(self, event: ev.DelistingAnnounced, _: int) -> tuple[int, ...]:
        m = self._advance(event.market, event.sequence)
        m.delisting = replace(m.delisting, effective_at=event.effective_at)
        return ()

    def _delisted(self, event: ev.MarketDelisted, timestamp: int) -> tuple[int, ...]:
        changes = {"funding_index": event.funding_index, "accrued_at": timestamp, "paused": event.bits}
        m = self._advance(event.market, event.sequence, **changes)
        m.delisting = replace(m.delisting, price=event.price)
        m.params = replace(m.params, max_funding_rate=0)
        return tuple(id for id, account in self.accounts.items() if event.market in account.positions)

    def _claim_registered(self, event: ev.ClaimRegistered, _: int) -> tuple[int, ...]:
        self._advance(event.market, event.sequence).delisting = event.delisting
        return ()

    def _payout_fixed(self, event: ev.PayoutFixed, _: int) -> tuple[int, ...]:
        self._advance(event.market, event.sequence).delisting = event.delisting
        self.vault = replace(self.vault, pool=event.pool, insurance=event.insurance)
        return ()

    def _closed_out(self, event: ev.ClosedOut, _: int) -> tuple[int, ...]:
        long = self.account(event.account).positions[event.market].size > 0
        m = self._advance(event.market, event.sequence)
        self._move(m, event.market, event.account, NO_POSITION, event.balances)
        self._add_deficit(m, long, event.result.deficit)
        return (event.account,)

    # ACTIONS

    def _fees_collected(self, event: ev.ProtocolFeesCollected, _: int) -> tuple[int, ...]:
        self._advance(event.market, event.sequence, protocol_fees=0)
        self.vault = replace(self.vault, treasury=event.treasury)
        return ()

    def _touched(self, event: ev.Traded | ev.Settled, timestamp: int) -> tuple[int, ...]:
        m = self._advance(event.market, event.sequence, funding_index=event.funding_index, accrued_at=timestamp)
        self._move(m, event.market, event.account, event.position, event.balances)
        return (event.account,)

    def _liquidated(self, event: ev.Liquidated, timestamp: int) -> tuple[int, ...]:
        long = self.account(event.account).positions[event.market].size > 0
        m = self._advance(event.market, event.sequence, funding_index=event.funding_index, accrued_at=timestamp)
        self._move(m, event.market, event.account, event.position, event.balances)
        self._add_deficit(m, long, event.result.deficit)
        self.account(event.keeper).collateral = event.keeper_collateral
        return event.account, event.keeper

    def _deleveraged(self, event: ev.Deleveraged, timestamp: int) -> tuple[int, ...]:
        long = self.account(event.account).positions[event.market].size > 0
        m = self._advance(event.market, event.sequence, funding_index=event.funding_index, accrued_at=timestamp)
        self._move(m, event.market, event.account, event.position, event.balances)
        opposite = "short_deficit" if long else "long_deficit"
        m.state = replace(m.state, **{opposite: event.result.deficit})
        self._add_deficit(m, long, event.result.bad_debt - event.result.covered)
        return (event.account,)

    def _add_deficit(self, m: MarketBook, long: bool, deficit: int) -> None:
        if long:
            m.state = replace(m.state, long_deficit=m.state.long_deficit + deficit)
        else:
            m.state = replace(m.state, short_deficit=m.state.short_deficit + deficit)

    def _move(self, m: MarketBook, market: int, id: int, position: Position, balances: Balances) -> None:
        account = self.account(id)
        self._add_to_side(m, account.positions.get(market, NO_POSITION), -1)
        self._add_to_side(m, position, 1)
        if position.size == 0:
            account.positions.pop(market, None)
        else:
            account.positions[market] = position
        account.collateral = balances.collateral
        m.state = replace(m.state, protocol_fees=balances.protocol_fees)
        self.vault = replace(self.vault, pool=balances.pool, insurance=balances.insurance)

    def _add_to_side(self, m: MarketBook, position: Position, sign: int) -> None:
        size = abs(position.size) * sign
        basis = perp_math.basis_of(position.size, position.cost, position.funding_index) * sign
        state = m.state
        if position.size > 0:
            m.state = replace(state, long_oi=state.long_oi + size, long_basis=state.long_basis + basis)
        elif position.size < 0:
            m.state = replace(state, short_oi=state.short_oi + size, short_basis=state.short_basis + basis)


_HANDLERS: dict[type[ev.Event], Callable[[Book, Any, int], tuple[int, ...]]] = {
    ev.Deposited: Book._deposited,
    ev.Withdrawn: Book._withdrawn,
    ev.Transferred: Book._transferred,
    ev.InsuranceFunded: Book._insured,
    ev.Skimmed: Book._insured,
    ev.TreasuryWithdrawn: Book._treasury_withdrawn,
    ev.PoolDeposited: Book._pool_deposited,
    ev.PoolWithdrawn: Book._pool_withdrawn,
    ev.VaultPaused: Book._vault_paused,
    ev.MarketListed: Book._listed,
    ev.MarketParamsSet: Book._params_set,
    ev.MarketPaused: Book._market_paused,
    ev.MarketParamsAnnounced: Book._announced,
    ev.OutageRecorded: Book._outage_recorded,
    ev.DelistingAnnounced: Book._delisting_announced,
    ev.MarketDelisted: Book._delisted,
    ev.ClaimRegistered: Book._claim_registered,
    ev.PayoutFixed: Book._payout_fixed,
    ev.ClosedOut: Book._closed_out,
    ev.ProtocolFeesCollected: Book._fees_collected,
    ev.Traded: Book._touched,
    ev.Settled: Book._touched,
    ev.Liquidated: Book._liquidated,
    ev.Deleveraged: Book._deleveraged,
}
