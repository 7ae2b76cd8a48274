"""The twin of `Clearinghouse.sol`: the ledger of the market and every action on it.

Every action beats the same six times: AUTHORIZE, ACCRUE, COMPUTE, APPLY, VERIFY, EMIT.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from perpkit.model import perp_math
from perpkit.model.contract import external
from perpkit.model.deleveraging import Deleveraging
from perpkit.model.errors import (
    GracePeriod,
    NoPosition,
    NotLiquidatable,
    OnlyOrders,
    PriceLimitCrossed,
    Simulated,
    ZeroAmount,
)
from perpkit.model.events import Liquidated, Settled, Traded
from perpkit.model.fixed_math import UNIT, div_ceil, div_floor, to_money, to_price, to_size
from perpkit.model.margin_vault import MarginVault
from perpkit.model.market_delisting import MarketDelisting
from perpkit.model.market_ledger import LIQUIDATE, SETTLE, TRADE, Margin, Market, Marks
from perpkit.model.types import (
    NO_DELISTING,
    NO_PARAMS,
    NO_STATE,
    Address,
    Delisting,
    LiquidationResult,
    MarketParams,
    MarketState,
    Position,
    RiskTier,
    SettleResult,
    TradeResult,
    account_id,
)

A = TypeVar("A")
B = TypeVar("B")

NOT_LIQUIDATED = LiquidationResult(0, 0, 0, 0, 0, 0, 0, 0, 0)


class Clearinghouse(Deleveraging, MarketDelisting, MarginVault):
    # TRADE

    @external
    def trade(self, account: int, market: int, delta: int, price_limit: int, *, sender: Address) -> TradeResult:
        # AUTHORIZE
        m = self._active_market(market, TRADE)
        self._authorize(account, sender)
        if m.params.min_delay != 0 and sender != self.orders and not self._simulating:
            raise OnlyOrders(market, m.params.min_delay)
        if delta == 0:
            raise ZeroAmount()
        to_size(delta)

        # ACCRUE
        marks: Marks = {}
        mark = self._mark(marks, market)
        funding_index = self._accrue(m, mark)

        # COMPUTE
        previous = self._positions[account, market]
        skew = self._skew(m)
        fill = to_price(perp_math.fill_price(mark, skew, delta, m.params.skew_scale))
        if fill > price_limit if delta > 0 else fill < price_limit:
            raise PriceLimitCrossed(fill, price_limit)
        fee = perp_math.trade_fee(skew, delta, fill, m.params.maker_fee, m.params.taker_fee, self.quantum)
        next, funding = self._fund(previous, funding_index)
        next, realized = self._fill(next, delta, fill)

        # APPLY
        next = self._replace_position(m, account, market, previous, next)
        self._credit(account, funding + realized, 0)
        self._charge_fee(m, account, fee)

        # VERIFY
        reduction = self._is_reduction(previous.size, next.size)
        if not reduction:
            self._verify_increase(m, market)
        self._verify_size(m, next.size, mark)
        self._verify_growth(m, market, previous.size, next.size, skew, mark)
        self._verify_margin(account, marks, reduction)

        # EMIT
        result = TradeResult(delta, fill, mark, fee, realized, funding)
        sequence = self._next_market_sequence(m)
        self.emit(Traded(market, account, sequence, funding_index, result, next, self._balances(m, account)))
        return result

    @external
    def settle(self, account: int, market: int, *, sender: Address) -> SettleResult:
        # AUTHORIZE
        m = self._active_market(market, SETTLE)
        previous = self._positions[account, market]
        if previous.size == 0:
            raise NoPosition(account, market)

        # ACCRUE
        marks: Marks = {}
        mark = self._mark(marks, market)
        funding_index = self._accrue(m, mark)

        # COMPUTE
        next, funding = self._fund(previous, funding_index)
        realized = div_floor(perp_math.unrealized_pnl(next.size, next.cost, mark, 0), self.quantum)
        next = replace(next, cost=next.cost + realized * self.quantum)

        # APPLY
        next = self._replace_position(m, account, market, previous, next)
        self._credit(account, funding + realized, 0)

        # EMIT
        result = SettleResult(mark, realized, funding)
        sequence = self._next_market_sequence(m)
        self.emit(Settled(market, account, sequence, funding_index, result, next, self._balances(m, account)))
        return result

    # LIQUIDATION

    @external
    def liquidate(self, account: int, market: int, *, sender: Address) -> LiquidationResult:
        # AUTHORIZE
        m = self._active_market(market, LIQUIDATE)
        previous = self._positions[account, market]
        if previous.size == 0:
            raise NoPosition(account, market)

        # ACCRUE
        marks: Marks = {}
        funding_index = self._accrue(m, self._mark(marks, market))

        # COMPUTE
        margin = self._margin(account, marks)
        if perp_math.is_covered(margin.equity, margin.maintenance_margin):
            raise NotLiquidatable(
                account,
                div_floor(margin.equity, self.quantum),
                div_ceil(margin.maintenance_margin, self.quantum * UNIT),
            )
        held, grace_until = self._grace_of(account)
        if grace_until != 0:
            raise GracePeriod(held, grace_until)
        return self._liquidate(m, account, market, previous, marks[market], funding_index, margin, sender)

    @external
    def liquidate_many(self, market: int, accounts: Sequence[int], *, sender: Address) -> tuple[LiquidationResult, ...]:
        # AUTHORIZE
        m = self._active_market(market, LIQUIDATE)
        results = [NOT_LIQUIDATED] * len(accounts)

        # ACCRUE
        marks: Marks = {}
        funding_index = self._accrue(m, self._mark(marks, market))

        for i, account in enumerate(accounts):
            previous = self._positions[account, market]
            if previous.size == 0:
                continue
            # COMPUTE
            margin = self._margin(account, marks)
            if perp_math.is_covered(margin.equity, margin.maintenance_margin):
                continue
            _, grace_until = self._grace_of(account)
            if grace_until != 0:
                continue
            results[i] = self._liquidate(m, account, market, previous, marks[market], funding_index, margin, sender)
        return tuple(results)

    def _liquidate(
        self,
        m: Market,
        account: int,
        market: int,
        previous: Position,
        mark: int,
        funding_index: int,
        margin: Margin,
        sender: Address,
    ) -> LiquidationResult:
        # COMPUTE
        keeper = account_id(sender)
        closed = self._liquidation_size(m, previous.size, mark, margin)
        penalty = perp_math.liquidation_penalty(closed, mark, m.params.penalty_rate, margin.equity, self.quantum)
        reward = perp_math.keeper_reward(penalty, m.params.keeper_share, m.params.min_keeper_reward)
        next, funding = self._fund(previous, funding_index)
        next, realized = self._fill(next, -closed if previous.size > 0 else closed, mark)
        bad_debt = covered = deficit = 0

        # APPLY
        next = self._replace_position(m, account, market, previous, next)
        self._credit(account, funding + realized, penalty)
        bankrupt = self._is_bankrupt(account)
        if bankrupt:
            reward = perp_math.bankruptcy_reward(
                closed,
                mark,
                m.params.penalty_rate,
                m.params.keeper_share,
                self._vault.insurance,
                self.quantum,
            )
        self._update_vault(insurance=to_money(self._vault.insurance - reward))
        if bankrupt:
            bad_debt, covered, deficit = self._cover_bankruptcy(m, account, previous.size > 0)
        keeper_collateral = self._accounts[keeper].collateral + reward
        self._set_collateral(keeper, keeper_collateral)

        # EMIT
        result = LiquidationResult(closed, mark, realized, funding, penalty, reward, bad_debt, covered, deficit)
        self.emit(
            Liquidated(
                market,
                account,
                keeper,
                self._next_market_sequence(m),
                funding_index,
                result,
                next,
                self._balances(m, account),
                keeper_collateral,
            )
        )
        return result

    def _liquidation_size(self, m: Market, size: int, mark: int, margin: Margin) -> int:
        """The least that restores initial margin. What is left may need less of it, when it falls into a lower tier:
        tried from the position's own tier downward, the first that fits is the least."""
        tier = self._tier_of(m, size)
        imr, _ = self._ratios_of(m, tier)
        initial_margin = margin.initial_margin
        least = 0
        while True:
            closed = perp_math.liquidation_size(
                size,
                mark,
                margin.equity,
                initial_margin,
                imr,
                m.params.penalty_rate,
                m.params.min_notional,
                least,
                self.quantum,
            )
            if tier == 0:
                return closed
            min_size = m.tiers[tier - 1].min_size
            if abs(size) - closed >= min_size:
                return closed
            least = abs(size) - min_size + 1
            tier -= 1
            lower, _ = self._ratios_of(m, tier)
            initial_margin -= perp_math.margin_requirement(size, mark, imr - lower)
            imr = lower

    # SIMULATION

    def simulate(self, action: Callable[[], A], report: Callable[[], B]) -> tuple[A, B]:
        """What `action` would do, and what `report` would read after it; both are undone. Raises the very error that
        `action` would raise. The one twin whose calls are Python's, as it takes any action."""

        def act() -> tuple[A, B]:
            self._simulating = True
            raise Simulated(action(), report())

        try:
            return self.world.atomically(act)
        except Simulated as done:
            return done.result, done.report

    # VIEWS

    def symbol_of(self, market: int) -> bytes:
        m = self._markets[market]
        return m.symbol if m else bytes(32)

    def params_of(self, market: int) -> MarketParams:
        m = self._markets[market]
        return m.params if m else NO_PARAMS

    def state_of(self, market: int) -> MarketState:
        m = self._markets[market]
        return m.state if m else NO_STATE

    def risk_tiers_of(self, market: int) -> tuple[RiskTier, ...]:
        m = self._markets[market]
        return m.tiers if m else ()

    def ratios_of(self, market: int, size: int) -> tuple[int, int]:
        m = self._markets[market]
        return self._ratios(m, size) if m else (0, 0)

    def delisting_of(self, market: int) -> Delisting:
        m = self._markets[market]
        return m.delisting if m else NO_DELISTING

    def price_of(self, market: int) -> tuple[int, int]:
        return self._price(market)

    def position_of(self, account: int, market: int) -> Position:
        return self._positions[account, market]

    def markets_of(self, account: int) -> tuple[int, ...]:
        return self._accounts[account].markets

    def funding_index_of(self, market: int, mark: int) -> int:
        return self._funding_index(self._active_market(market, 0), mark)

    def margin_of(self, account: int) -> tuple[int, int, int]:
        margin = self._margin(account, {})
        return margin.equity, margin.initial_margin, margin.maintenance_margin

    def pool_equity(self) -> int:
        equity = self._vault.pool * self.quantum
        for market in range(self.market_count):
            m = self._active_market(market, 0)
            if m.state.long_oi == 0 and m.state.short_oi == 0:
                continue
            mark, _ = self._price(market)
            funding_index = self._funding_index(m, mark)
            equity -= self._side_pnl(m.state, True, mark, funding_index)
            equity -= self._side_pnl(m.state, False, mark, funding_index)
        return equity
