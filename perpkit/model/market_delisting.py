"""The twin of `MarketDelisting.sol`: the end of a market, where everybody gets out at one price, in proportion if there
is not enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from perpkit.model import perp_math
from perpkit.model.contract import external
from perpkit.model.errors import Delisted, GracePeriod, NotAnnounced
from perpkit.model.events import ClaimRegistered, ClosedOut, DelistingAnnounced, MarketDelisted, PayoutFixed
from perpkit.model.fixed_math import clamp, div_floor, to_money
from perpkit.model.market_ledger import DELEVERAGE, DELISTED, LIQUIDATE, NOTICE, SETTLE, TRADE, Market
from perpkit.model.market_registry import MarketRegistry
from perpkit.model.types import NO_POSITION, Address, CloseOutResult, Position


class MarketDelisting(MarketRegistry):
    @external
    def announce_delisting(self, market: int, *, sender: Address) -> None:
        # AUTHORIZE
        self.only_owner(sender)
        m = self._listed_market(market)

        # APPLY
        effective_at = self.world.timestamp + NOTICE
        self._update_delisting(m, effective_at=effective_at)

        # EMIT
        self.emit(DelistingAnnounced(market, self._next_market_sequence(m), effective_at))

    @external
    def delist_market(self, market: int, *, sender: Address) -> None:
        # AUTHORIZE
        self.only_owner(sender)
        m = self._listed_market(market)
        effective_at = m.delisting.effective_at
        if effective_at == 0 or self.world.timestamp < effective_at:
            raise NotAnnounced(market, effective_at)
        if self.world.timestamp < m.state.grace_until:
            raise GracePeriod(market, m.state.grace_until)

        # ACCRUE
        mark = self._mark({}, market)
        funding_index = self._accrue(m, mark)

        # APPLY
        self._update_delisting(m, price=mark)
        self._set_params(m, replace(m.params, max_funding_rate=0))
        self._update_market(m, paused=TRADE | SETTLE | LIQUIDATE | DELEVERAGE | DELISTED)

        # EMIT
        self.emit(MarketDelisted(market, self._next_market_sequence(m), mark, funding_index, m.state.paused))

    @external
    def close_out(self, market: int, accounts: Sequence[int], *, sender: Address) -> None:
        # AUTHORIZE
        m = self._active_market(market, 0)
        if m.state.paused & DELISTED == 0:
            raise Delisted(market, False)

        for account in accounts:
            self._pay_or_register(m, account, market)
        self._fix_payout(m, market)
        if not m.delisting.paying:
            return
        for account in accounts:
            if not self._registered[account, market]:
                continue
            del self._registered[account, market]
            claim = self._claim_of(m, self._positions[account, market])
            payout = m.delisting.payout
            self._close(m, account, market, claim, perp_math.pro_rata(claim, payout, m.delisting.claims))

    def _pay_or_register(self, m: Market, account: int, market: int) -> None:
        """Whoever owes pays now; a winner's claim is written down."""
        # COMPUTE
        position = self._positions[account, market]
        if position.size == 0 or self._registered[account, market]:
            return
        claim = self._claim_of(m, position)
        if claim <= 0:
            self._close(m, account, market, claim, claim)
            return

        # APPLY
        self._registered[account, market] = True
        self._update_delisting(
            m,
            registered=m.delisting.registered + abs(position.size),
            claims=to_money(m.delisting.claims + claim),
        )

        # EMIT
        self.emit(ClaimRegistered(market, account, self._next_market_sequence(m), claim, m.delisting))

    def _fix_payout(self, m: Market, market: int) -> None:
        """Once nobody but registered winners is left, what there is for them: the pool's cash, and the insurance fund
        where that is not enough."""
        # COMPUTE
        left = m.state.long_oi + m.state.short_oi
        if m.delisting.paying or left == 0 or m.delisting.registered != left:
            return
        claims = m.delisting.claims
        drawn = clamp(claims - self._vault.pool, 0, self._vault.insurance)

        # APPLY
        self._update_vault(insurance=to_money(self._vault.insurance - drawn), pool=to_money(self._vault.pool + drawn))
        self._update_delisting(m, payout=min(claims, max(self._vault.pool, 0)), paying=True)

        # EMIT
        sequence = self._next_market_sequence(m)
        self.emit(PayoutFixed(market, sequence, m.delisting, self._vault.pool, self._vault.insurance))

    def _close(self, m: Market, account: int, market: int, claim: int, paid: int) -> None:
        # COMPUTE
        previous = self._positions[account, market]
        bad_debt = covered = deficit = 0

        # APPLY
        self._replace_position(m, account, market, previous, NO_POSITION)
        self._credit(account, paid, 0)
        if self._is_bankrupt(account):
            bad_debt, covered, deficit = self._cover_bankruptcy(m, account, previous.size > 0)

        # EMIT
        result = CloseOutResult(m.delisting.price, claim, paid, bad_debt, covered, deficit)
        self.emit(ClosedOut(market, account, self._next_market_sequence(m), result, self._balances(m, account)))

    def _claim_of(self, m: Market, position: Position) -> int:
        """What a position is worth at the final price, its funding included; negative when it owes."""
        index_delta = m.state.funding_index - position.funding_index
        price = m.delisting.price
        return div_floor(perp_math.unrealized_pnl(position.size, position.cost, price, index_delta), self.quantum)
