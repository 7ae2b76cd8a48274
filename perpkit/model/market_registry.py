"""The twin of `MarketRegistry.sol`: which markets there are, and what governs them."""

from __future__ import annotations

from collections.abc import Sequence

from perpkit.model.contract import external
from perpkit.model.errors import InvalidParameter, ZeroAmount
from perpkit.model.events import MarketListed, MarketParamsSet, MarketPaused, ProtocolFeesCollected
from perpkit.model.fixed_math import UNIT, to_amount
from perpkit.model.market_ledger import MAX_MARKETS, Market, MarketLedger
from perpkit.model.types import Address, MarketParams, MarketState, SignedReport

HOUR = 3600
DAY = 24 * HOUR


class MarketRegistry(MarketLedger):
    @external
    def list_market(self, symbol: bytes, params: MarketParams, *, sender: Address) -> int:
        # AUTHORIZE
        self.only_owner(sender)
        market = self.market_count
        if market == MAX_MARKETS:
            raise InvalidParameter("marketCount")
        if not any(symbol):
            raise InvalidParameter("symbol")
        self._require_valid(params)

        # APPLY
        self.market_count = market + 1
        state = MarketState(0, self.world.timestamp, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        m = Market(params, state, symbol.ljust(32, b"\0"))
        self._markets[market] = m

        # EMIT
        self.emit(MarketListed(market, self._next_market_sequence(m), m.symbol, params))
        return market

    @external
    def set_market_params(self, market: int, params: MarketParams, *, sender: Address) -> None:
        # AUTHORIZE
        self.only_owner(sender)
        m = self._active_market(market, 0)
        self._require_valid(params)

        # ACCRUE
        mark = self._mark({}, market)
        funding_index = self._accrue(m, mark)

        # APPLY
        self._set_params(m, params)

        # EMIT
        self.emit(MarketParamsSet(market, self._next_market_sequence(m), mark, funding_index, params))

    @external
    def set_market_paused(self, market: int, bits: int, *, sender: Address) -> None:
        self.only_owner(sender)
        m = self._active_market(market, 0)
        self._update_market(m, paused=bits)
        self.emit(MarketPaused(market, self._next_market_sequence(m), bits))

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

    def _require_valid(self, params: MarketParams) -> None:
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
