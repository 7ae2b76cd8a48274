"""The twin of `PerpLens.sol`: everything a page, a bot or a test wants to know, in one call each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from perpkit.model import perp_math
from perpkit.model.clearinghouse import Clearinghouse
from perpkit.model.contract import Contract, World
from perpkit.model.errors import PerpError
from perpkit.model.fixed_math import UNIT, div_ceil, div_floor, ratio
from perpkit.model.orders import Orders
from perpkit.model.types import (
    AccountView,
    Address,
    LiquidationResult,
    MarketView,
    OrderStatus,
    OrderView,
    PositionView,
    TradeResult,
    account_id,
    owner_of,
)


class PerpLens(Contract):
    def __init__(
        self,
        world: World,
        address: Address,
        clearinghouse: Clearinghouse,
        contracts: Mapping[Address, Contract | None],
    ) -> None:
        super().__init__(world, address)
        self.clearinghouse = clearinghouse
        self._contracts = contracts
        self._quantum = clearinghouse.quantum

    # MARKETS

    def markets(self) -> tuple[MarketView, ...]:
        return tuple(self._market(market) for market in range(self.clearinghouse.market_count))

    def _market(self, market: int) -> MarketView:
        state = self.clearinghouse.state_of(market)
        params = self.clearinghouse.params_of(market)
        long_size = state.long_oi
        short_size = -state.short_oi
        skew = long_size + short_size
        mark = updated_at = funding_index = long_pnl = short_pnl = 0
        try:
            mark, updated_at = self.clearinghouse.price_of(market)
            priced = True
        except PerpError:
            priced = False
        if priced:
            funding_index = self.clearinghouse.funding_index_of(market, mark)
            long_pnl = div_floor(perp_math.side_pnl(long_size, state.long_basis, mark, funding_index), self._quantum)
            short_pnl = div_floor(perp_math.side_pnl(short_size, state.short_basis, mark, funding_index), self._quantum)
        return MarketView(
            market=market,
            symbol=self.clearinghouse.symbol_of(market),
            priced=priced,
            mark=mark,
            updated_at=updated_at,
            skew=skew,
            premium=perp_math.premium(skew, params.skew_scale),
            funding_rate=perp_math.funding_rate(skew, params.skew_scale, params.max_funding_rate),
            funding_index=funding_index,
            long_pnl=long_pnl,
            short_pnl=short_pnl,
            state=state,
            params=params,
            tiers=self.clearinghouse.risk_tiers_of(market),
            delisting=self.clearinghouse.delisting_of(market),
        )

    # ACCOUNTS

    def account(self, id: int) -> AccountView:
        equity, initial_margin, maintenance_margin = self.clearinghouse.margin_of(id)
        collateral = self.clearinghouse.collateral_of(id)
        return AccountView(
            account=id,
            collateral=collateral,
            equity=div_floor(equity, self._quantum),
            initial_margin=div_ceil(initial_margin, self._quantum * UNIT),
            maintenance_margin=div_ceil(maintenance_margin, self._quantum * UNIT),
            health=perp_math.health(equity, maintenance_margin),
            withdrawable=perp_math.withdrawable(
                collateral, equity, initial_margin, self.clearinghouse.vault().pool, self._quantum
            ),
            liquidatable=not perp_math.is_covered(equity, maintenance_margin),
            positions=tuple(
                self._position(id, market, equity, maintenance_margin) for market in self.clearinghouse.markets_of(id)
            ),
        )

    def _position(self, id: int, market: int, equity: int, maintenance_margin: int) -> PositionView:
        position = self.clearinghouse.position_of(id, market)
        mark, _ = self.clearinghouse.price_of(market)
        index_delta = self.clearinghouse.funding_index_of(market, mark) - position.funding_index
        size = position.size
        imr, mmr = self.clearinghouse.ratios_of(market, size)
        funding = perp_math.funding_payment(size, index_delta, self._quantum)
        cost = perp_math.cost_after_funding(size, position.cost, index_delta, funding, self._quantum)
        numerator, denominator = perp_math.deleverage_score(
            perp_math.unrealized_pnl(size, cost, mark, 0),
            cost,
            perp_math.notional(size, mark),
            equity,
            self._quantum,
        )
        return PositionView(
            market=market,
            size=size,
            opened=position.opened,
            imr=imr,
            mmr=mmr,
            cost=position.cost,
            entry_price=perp_math.entry_price(size, position.cost),
            mark=mark,
            notional=div_ceil(perp_math.notional(size, mark), self._quantum),
            unrealized_pnl=div_floor(perp_math.unrealized_pnl(size, position.cost, mark, index_delta), self._quantum),
            funding=funding,
            initial_margin=div_ceil(perp_math.margin_requirement(size, mark, imr), self._quantum * UNIT),
            maintenance_margin=div_ceil(perp_math.margin_requirement(size, mark, mmr), self._quantum * UNIT),
            liquidation_price=perp_math.liquidation_price(size, mark, equity, maintenance_margin, mmr),
            bankruptcy_price=perp_math.bankruptcy_price(size, mark, equity),
            adl_score=ratio(numerator, denominator),
        )

    def accounts(self, ids: Sequence[int]) -> tuple[AccountView, ...]:
        return tuple(self.account(id) for id in ids)

    def accounts_of(self, owner: Address, sub: int, count: int) -> tuple[AccountView, ...]:
        return tuple(self.account(account_id(owner, sub + i)) for i in range(count))

    # ORDERS

    def orders_of(self, id: int) -> tuple[OrderView, ...]:
        orders = self._contracts.get(self.clearinghouse.orders)
        if not isinstance(orders, Orders):
            return ()
        return tuple(self._order(orders, order) for order in orders.orders_of(id))

    def _order(self, orders: Orders, id: int) -> OrderView:
        order = orders.order_of(id)
        dead = orders.is_dead(id)
        not_before = order.placed_at + self.clearinghouse.params_of(order.market).min_delay
        triggered = executable = False
        try:
            mark, updated_at = self.clearinghouse.price_of(order.market)
        except PerpError:
            pass
        else:
            triggered = orders.is_triggered(id, mark)
            entered = order.parent == 0 or orders.order_of(order.parent).status == OrderStatus.EXECUTED
            executable = not dead and triggered and entered and updated_at >= not_before
        return OrderView(id, orders.payer_of(id), dead, triggered, executable, not_before, order)

    # PREVIEWS

    def preview_trade(self, id: int, market: int, delta: int, price_limit: int) -> tuple[TradeResult, AccountView]:
        house = self.clearinghouse
        return house.simulate(
            lambda: house.trade(id, market, delta, price_limit, sender=self.address),
            lambda: self.account(id),
        )

    def preview_withdraw(self, id: int, amount: int) -> AccountView:
        house = self.clearinghouse
        _, account = house.simulate(
            lambda: house.withdraw(id, amount, owner_of(id), sender=self.address), lambda: self.account(id)
        )
        return account

    def preview_liquidation(self, id: int, market: int) -> tuple[LiquidationResult, AccountView]:
        house = self.clearinghouse
        return house.simulate(lambda: house.liquidate(id, market, sender=self.address), lambda: self.account(id))
