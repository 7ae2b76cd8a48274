"""The twin of `MarketRegistry.sol`: which markets there are, and what governs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from perpkit.model.contract import external
from perpkit.model.errors import Delisted, InvalidParameter, NotAnnounced, NothingToRecord, OracleError, ZeroAmount
from perpkit.model.events import (
    MarketListed,
    MarketParamsAnnounced,
    MarketParamsSet,
    MarketPaused,
    OrdersSet,
    OutageRecorded,
    ProtocolFeesCollected,
)
from perpkit.model.fixed_math import UNIT, to_amount
from perpkit.model.market_ledger import (
    DELEVERAGE,
    DELISTED,
    GRACE_PERIOD,
    INCREASE,
    LIQUIDATE,
    MAX_MARKETS,
    MAX_TIERS,
    NOTICE,
    OUTAGE,
    SETTLE,
    TRADE,
    Announcement,
    Market,
    MarketLedger,
    Outage,
)
from perpkit.model.types import NO_STATE, ZERO_ADDRESS, Address, MarketParams, RiskTier, SignedReport

HOUR = 3600
DAY = 24 * HOUR


class MarketRegistry(MarketLedger):
    @external
    def list_market(self, symbol: bytes, params: MarketParams, tiers: Sequence[RiskTier], *, sender: Address) -> int:
        # AUTHORIZE
        self.only_owner(sender)
        market = self.market_count
        if market == MAX_MARKETS:
            raise InvalidParameter("marketCount")
        if not any(symbol):
            raise InvalidParameter("symbol")
        self._require_valid(params)
        self._require_valid_tiers(params, tiers)

        # APPLY
        self.market_count = market + 1
        state = replace(NO_STATE, accrued_at=self.world.timestamp)
        m = Market(params, state, symbol.ljust(32, b"\0"), ())
        self._markets[market] = m
        self._set_tiers(m, tiers)

        # EMIT
        self.emit(MarketListed(market, self._next_market_sequence(m), m.symbol, params, m.tiers))
        return market

    @external
    def set_market_params(
        self, market: int, params: MarketParams, tiers: Sequence[RiskTier], *, sender: Address
    ) -> None:
        # AUTHORIZE
        self.only_owner(sender)
        m = self._listed_market(market)
        self._require_valid(params)
        self._require_valid_tiers(params, tiers)
        if self._needs_notice(m, params, tiers):
            self._use_announcement(market, (params, tuple(tiers)))

        # ACCRUE
        mark = self._mark({}, market)
        funding_index = self._accrue(m, mark)

        # APPLY
        self._set_params(m, params)
        self._set_tiers(m, tiers)

        # EMIT
        self.emit(MarketParamsSet(market, self._next_market_sequence(m), mark, funding_index, params, m.tiers))

    @external
    def announce_market_params(
        self, market: int, params: MarketParams, tiers: Sequence[RiskTier], *, sender: Address
    ) -> None:
        # AUTHORIZE
        self.only_owner(sender)
        m = self._listed_market(market)
        self._require_valid(params)
        self._require_valid_tiers(params, tiers)

        # APPLY
        effective_at = self.world.timestamp + NOTICE
        self._announcements[market] = Announcement((params, tuple(tiers)), effective_at)

        # EMIT
        self.emit(MarketParamsAnnounced(market, self._next_market_sequence(m), effective_at, params, tuple(tiers)))

    @external
    def set_market_paused(self, market: int, bits: int, *, sender: Address) -> None:
        # AUTHORIZE
        self.only_owner(sender)
        m = self._listed_market(market)
        if bits & ~(TRADE | SETTLE | LIQUIDATE | DELEVERAGE | INCREASE) != 0:
            raise InvalidParameter("bits")

        # APPLY
        if m.state.paused & ~bits & LIQUIDATE != 0:
            grace_until = self.world.timestamp + GRACE_PERIOD
            if m.state.grace_until == OUTAGE:
                self._outages[market] = replace(self._outages[market], grace_until=grace_until)
            else:
                self._update_market(m, grace_until=grace_until)
        self._update_market(m, paused=bits)

        # EMIT
        self.emit(MarketPaused(market, self._next_market_sequence(m), bits, m.state.grace_until))

    @external
    def set_orders(self, orders: Address, *, sender: Address) -> None:
        self.only_owner(sender)
        if self.orders != ZERO_ADDRESS:
            raise InvalidParameter("orders")
        self.orders = orders
        self.emit(OrdersSet(orders))

    @external
    def record_outage(self, market: int, *, sender: Address) -> bool:
        # AUTHORIZE
        m = self._listed_market(market)

        # COMPUTE
        priced = True
        try:
            self.oracle.price(market)
        except OracleError:
            priced = False
        if priced != (m.state.grace_until == OUTAGE):
            raise NothingToRecord(market, priced)

        # APPLY
        if not priced:
            self._outages[market] = Outage(self.world.timestamp, m.state.grace_until)
            self._update_market(m, grace_until=OUTAGE)
        else:
            # A short one takes nobody by surprise, and must not put off liquidations again and again; the grace that a
            # pause gave is no less for it.
            outage = self._outages[market]
            long = self.world.timestamp - outage.began >= GRACE_PERIOD
            self._update_market(m, grace_until=self.world.timestamp + GRACE_PERIOD if long else outage.grace_until)

        # EMIT
        self.emit(OutageRecorded(market, self._next_market_sequence(m), m.state.grace_until))
        return priced

    @external
    def collect_fees(self, market: int, *, sender: Address) -> int:
        # AUTHORIZE
        m = self._active_market(market, 0)
        amount = m.state.protocol_fees
        if amount == 0:
            raise ZeroAmount()

        # APPLY
        self._update_market(m, protocol_fees=0)
        self._update_vault(treasury=self._vault.treasury + amount)

        # EMIT
        sequence = self._next_market_sequence(m)
        self.emit(ProtocolFeesCollected(market, sequence, amount, self._vault.treasury))
        return amount

    @external
    def deliver_reports(self, market: int, reports: Sequence[SignedReport], *, sender: Address) -> None:
        self.oracle.deliver(market, reports, sender=self.address)

    def _listed_market(self, market: int) -> Market:
        """A market that was listed, and not delisted since."""
        m = self._active_market(market, 0)
        if m.state.paused & DELISTED != 0:
            raise Delisted(market, True)
        return m

    def _set_tiers(self, m: Market, tiers: Sequence[RiskTier]) -> None:
        self._update_market(m, tiers=len(tiers))
        previous = m.tiers
        self.world.journal(lambda: setattr(m, "tiers", previous))
        m.tiers = tuple(tiers)

    def _needs_notice(self, m: Market, params: MarketParams, tiers: Sequence[RiskTier]) -> bool:
        """Whether new parameters could make a healthy account liquidatable, or lock a trader in. Ratios rise with size,
        so a raised one shows where a new tier begins."""
        if params.mmr > m.params.mmr or params.min_delay > m.params.min_delay:
            return True
        for tier in tiers:
            _, mmr = self._ratios(m, tier.min_size)
            if tier.mmr > mmr:
                return True
        return False

    def _use_announcement(self, market: int, terms: tuple[MarketParams, tuple[RiskTier, ...]]) -> None:
        announced = self._announcements[market]
        if announced is None or announced.terms != terms:
            raise NotAnnounced(market, 0)
        effective_at = announced.effective_at
        if self.world.timestamp < effective_at or self.world.timestamp > effective_at + NOTICE:
            raise NotAnnounced(market, effective_at)
        del self._announcements[market]

    def _require_valid(self, params: MarketParams) -> None:
        if params.min_delay != 0 and self.orders == ZERO_ADDRESS:
            raise InvalidParameter("minDelay")
        if params.imr > UNIT or params.imr <= params.mmr:
            raise InvalidParameter("imr")
        if params.mmr < params.penalty_rate or params.mmr == 0:
            raise InvalidParameter("mmr")
        if params.taker_fee * 10 > UNIT:
            raise InvalidParameter("takerFee")
        if params.maker_fee * 10 > UNIT:
            raise InvalidParameter("makerFee")
        if params.insurance_share + params.protocol_share > UNIT:
            raise InvalidParameter("insuranceShare")
        if params.max_funding_rate * 10 > UNIT:
            raise InvalidParameter("maxFundingRate")
        if params.pool_reserve_factor > UNIT:
            raise InvalidParameter("poolReserveFactor")
        if params.skew_scale == 0:
            raise InvalidParameter("skewScale")
        if params.max_open_interest > params.skew_scale:
            raise InvalidParameter("maxOpenInterest")
        if params.funding_interval < HOUR or params.funding_interval > 30 * DAY:
            raise InvalidParameter("fundingInterval")
        to_amount(params.min_notional)
        if params.min_notional * params.mmr < params.min_keeper_reward * UNIT:
            raise InvalidParameter("minKeeperReward")
        if params.keeper_share > UNIT:
            raise InvalidParameter("keeperShare")
        if params.adl_pnl_factor >= UNIT:
            raise InvalidParameter("adlPnlFactor")

    def _require_valid_tiers(self, params: MarketParams, tiers: Sequence[RiskTier]) -> None:
        """Larger positions need more: each tier begins above the one before it and asks for at least its ratios."""
        if len(tiers) > MAX_TIERS:
            raise InvalidParameter("tiers")
        previous = RiskTier(0, params.imr, params.mmr)
        for tier in tiers:
            if tier.min_size <= previous.min_size:
                raise InvalidParameter("tiers.minSize")
            if tier.imr > UNIT or tier.imr < previous.imr or tier.imr <= tier.mmr:
                raise InvalidParameter("tiers.imr")
            if tier.mmr < previous.mmr:
                raise InvalidParameter("tiers.mmr")
            previous = tier
