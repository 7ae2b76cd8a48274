"""What a reader says: the market in `Decimal`s, each with the exact integers behind it in `raw`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from perpkit.client.names import isolated_sub, symbol_text
from perpkit.client.order_views import OrderInfo, exits_of
from perpkit.client.sizing import Side
from perpkit.client.units import UNIT, ratio_down, to_decimal
from perpkit.model.fixed_math import INT256_MAX
from perpkit.model.market_ledger import DELEVERAGE, DELISTED, INCREASE, LIQUIDATE, OUTAGE, SETTLE, TRADE
from perpkit.model.types import (
    AccountView,
    Address,
    Delisting,
    MarketView,
    PositionView,
    RiskTier,
    Vault,
    owner_of,
    sub_of,
)

# What the pause bits of a market stop, in words.
PAUSES = {
    TRADE: "trading",
    INCREASE: "opening",
    SETTLE: "settling",
    LIQUIDATE: "liquidation",
    DELEVERAGE: "deleveraging",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TierInfo:
    """What positions of at least `min_size` need."""

    min_size: Decimal
    max_leverage: Decimal
    initial_margin_ratio: Decimal
    maintenance_margin_ratio: Decimal
    raw: RiskTier


def tier_infos(view: MarketView) -> tuple[TierInfo, ...]:
    """Every tier of a market, its own ratios first."""
    first = RiskTier(0, view.params.imr, view.params.mmr)
    return tuple(
        TierInfo(
            min_size=to_decimal(tier.min_size),
            max_leverage=ratio_down(UNIT, tier.imr),
            initial_margin_ratio=to_decimal(tier.imr),
            maintenance_margin_ratio=to_decimal(tier.mmr),
            raw=tier,
        )
        for tier in (first, *view.tiers)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DelistingInfo:
    """The end of a market, which was announced."""

    # {s} From when on the market may be delisted.
    effective_at: int
    # At which everything is settled; None before that.
    price: Decimal | None
    # Whether winners are paid already.
    paying: bool
    raw: Delisting


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketInfo:
    """A market now; what needs a fresh price is None when there is none."""

    id: int
    symbol: str
    price: Decimal | None
    # {s}
    updated_at: int
    premium: Decimal
    # Per funding interval {s}; positive when longs pay shorts.
    funding_rate: Decimal
    funding_interval: int
    skew: Decimal
    long_open_interest: Decimal
    short_open_interest: Decimal
    max_open_interest: Decimal
    max_leverage: Decimal
    initial_margin_ratio: Decimal
    maintenance_margin_ratio: Decimal
    taker_fee: Decimal
    maker_fee: Decimal
    min_notional: Decimal
    # By size, the market's own ratios first.
    tiers: tuple[TierInfo, ...]
    # {s} How much newer than an order the price is at which it fills; above zero only orders trade.
    min_delay: int
    # What is paused, in words.
    paused: tuple[str, ...]
    # Whether liquidations wait for a price that was missing.
    outage: bool
    # {s} Before this time nobody is liquidated, if it is not past; None while an outage lasts, or when there was none.
    grace_until: int | None
    delisting: DelistingInfo | None
    raw: MarketView

    def tier_of(self, size: Decimal) -> TierInfo:
        """What a position of that size, without sign, needs."""
        return [tier for tier in self.tiers if tier.min_size <= abs(size)][-1]


def market_info(view: MarketView, *, decimals: int) -> MarketInfo:
    params, state = view.params, view.state
    return MarketInfo(
        id=view.market,
        symbol=symbol_text(view.symbol),
        price=to_decimal(view.mark) if view.priced else None,
        updated_at=view.updated_at,
        premium=to_decimal(view.premium),
        funding_rate=to_decimal(view.funding_rate),
        funding_interval=params.funding_interval,
        skew=to_decimal(view.skew),
        long_open_interest=to_decimal(state.long_oi),
        short_open_interest=to_decimal(state.short_oi),
        max_open_interest=to_decimal(params.max_open_interest),
        max_leverage=ratio_down(UNIT, params.imr),
        initial_margin_ratio=to_decimal(params.imr),
        maintenance_margin_ratio=to_decimal(params.mmr),
        taker_fee=to_decimal(params.taker_fee),
        maker_fee=to_decimal(params.maker_fee),
        min_notional=to_decimal(params.min_notional, decimals),
        tiers=tier_infos(view),
        min_delay=params.min_delay,
        # A delisted market has ended; that its actions are paused is the way in which it did.
        paused=() if state.paused & DELISTED else tuple(word for bit, word in PAUSES.items() if state.paused & bit),
        outage=state.grace_until == OUTAGE,
        grace_until=state.grace_until if 0 < state.grace_until < OUTAGE else None,
        delisting=_delisting_info(view.delisting),
        raw=view,
    )


def _delisting_info(delisting: Delisting) -> DelistingInfo | None:
    if delisting.effective_at == 0:
        return None
    return DelistingInfo(
        effective_at=delisting.effective_at,
        price=to_decimal(delisting.price) if delisting.price else None,
        paying=delisting.paying,
        raw=delisting,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionInfo:
    """A position now. `size` is without sign; prices that do not exist are None."""

    account: int
    owner: Address
    market: str
    market_id: int
    isolated: bool
    side: Side
    size: Decimal
    entry_price: Decimal
    mark_price: Decimal
    notional: Decimal
    unrealized_pnl: Decimal
    # Accrued and not yet settled; negative when it is to be paid.
    funding: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    liquidation_price: Decimal | None
    bankruptcy_price: Decimal | None
    # Notional over the account's equity; None when there is no equity.
    leverage: Decimal | None
    # Of its risk tier.
    max_leverage: Decimal
    initial_margin_ratio: Decimal
    maintenance_margin_ratio: Decimal
    # The orders that wait to make it smaller.
    exits: tuple[OrderInfo, ...]
    raw: PositionView


def position_info(
    view: PositionView, account: AccountView, orders: Sequence[OrderInfo], *, symbol: str, decimals: int
) -> PositionInfo:
    return PositionInfo(
        account=account.account,
        owner=owner_of(account.account),
        market=symbol,
        market_id=view.market,
        isolated=sub_of(account.account) == isolated_sub(view.market),
        side=Side.of_size(view.size),
        size=to_decimal(abs(view.size)),
        entry_price=to_decimal(view.entry_price),
        mark_price=to_decimal(view.mark),
        notional=to_decimal(view.notional, decimals),
        unrealized_pnl=to_decimal(view.unrealized_pnl, decimals),
        funding=to_decimal(view.funding, decimals),
        initial_margin=to_decimal(view.initial_margin, decimals),
        maintenance_margin=to_decimal(view.maintenance_margin, decimals),
        liquidation_price=to_decimal(view.liquidation_price) if view.liquidation_price else None,
        bankruptcy_price=to_decimal(view.bankruptcy_price) if view.bankruptcy_price else None,
        leverage=ratio_down(view.notional, account.equity) if account.equity > 0 else None,
        max_leverage=ratio_down(UNIT, view.imr),
        initial_margin_ratio=to_decimal(view.imr),
        maintenance_margin_ratio=to_decimal(view.mmr),
        exits=exits_of(view, orders),
        raw=view,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountInfo:
    """An account now: one bucket of margin, its positions and its open orders."""

    id: int
    owner: Address
    sub: int
    collateral: Decimal
    equity: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    # Equity over maintenance margin; below 1 means liquidatable; None when nothing is required.
    health: Decimal | None
    withdrawable: Decimal
    liquidatable: bool
    positions: tuple[PositionInfo, ...]
    orders: tuple[OrderInfo, ...]
    raw: AccountView

    def position(self, market: str) -> PositionInfo | None:
        """The position in a market, if there is one."""
        return next((position for position in self.positions if position.market == market), None)


def account_info(
    view: AccountView, orders: tuple[OrderInfo, ...], *, symbols: Sequence[str], decimals: int
) -> AccountInfo:
    positions = (position_info(p, view, orders, symbol=symbols[p.market], decimals=decimals) for p in view.positions)
    return AccountInfo(
        id=view.account,
        owner=owner_of(view.account),
        sub=sub_of(view.account),
        collateral=to_decimal(view.collateral, decimals),
        equity=to_decimal(view.equity, decimals),
        initial_margin=to_decimal(view.initial_margin, decimals),
        maintenance_margin=to_decimal(view.maintenance_margin, decimals),
        health=None if view.health == INT256_MAX else to_decimal(view.health),
        withdrawable=to_decimal(view.withdrawable, decimals),
        liquidatable=view.liquidatable,
        positions=tuple(positions),
        orders=orders,
        raw=view,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultInfo:
    """The house's own money."""

    # The pool's settled cash; negative while winners were paid faster than losers.
    pool: Decimal
    insurance: Decimal
    treasury: Decimal
    # All money on the books, the traders' included.
    booked: Decimal
    raw: Vault


def vault_info(vault: Vault, *, decimals: int) -> VaultInfo:
    return VaultInfo(
        pool=to_decimal(vault.pool, decimals),
        insurance=to_decimal(vault.insurance, decimals),
        treasury=to_decimal(vault.treasury, decimals),
        booked=to_decimal(vault.booked, decimals),
        raw=vault,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything at one block; `block` is None where there are no blocks."""

    block: int | None
    timestamp: int
    markets: tuple[MarketInfo, ...]
    vault: VaultInfo
    accounts: tuple[AccountInfo, ...]

    @property
    def positions(self) -> tuple[PositionInfo, ...]:
        return tuple(position for account in self.accounts for position in account.positions)

    @property
    def orders(self) -> tuple[OrderInfo, ...]:
        return tuple(order for account in self.accounts for order in account.orders)
