"""What a position would be, asked of nobody: the market on the Python model, with nothing else in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from perpkit.client.errors import NoSuchMarket, WrongTrigger
from perpkit.client.order_views import Kind, OrderInfo
from perpkit.client.results import OpenPreview
from perpkit.client.sizing import Side
from perpkit.client.trader import Trader
from perpkit.client.units import Amount, positive, ratio_down, to_units
from perpkit.local import LocalBackend
from perpkit.market_setup import (
    DEFAULT_MARKETS,
    DEFAULT_SETUP,
    FEED_DECIMALS,
    FEED_TICK,
    ROLES,
    MarketSpec,
    push_price,
    set_up,
)

# No second passes in a quote, so any time does.
_NOON = 1_750_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotedExit:
    """What an exit would do, executed at its trigger before any funding is due."""

    kind: Kind
    trigger: Decimal
    fill_price: Decimal
    fee: Decimal
    realized_pnl: Decimal
    # What is left of the position's money less the margin: all fees are in it.
    result: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A position as it would be at once after it was opened."""

    market: str
    side: Side
    margin: Decimal
    size: Decimal
    entry_price: Decimal
    mark_price: Decimal
    liquidation_price: Decimal | None
    bankruptcy_price: Decimal | None
    fee: Decimal
    # What of the mark price lies between it and liquidation, rounded down; None when no price liquidates.
    distance_to_liquidation: Decimal | None
    initial_margin: Decimal
    maintenance_margin: Decimal
    notional: Decimal
    # Margin less fee and premium.
    equity: Decimal
    # Of the risk tier that the size reaches.
    max_leverage: Decimal
    initial_margin_ratio: Decimal
    maintenance_margin_ratio: Decimal
    # {s} Above zero the market takes only orders, which fill at a price that is that much newer: this is what one fills
    # at when the price has not moved.
    min_delay: int
    # A stop and a take-profit, as far as they were asked for.
    exits: tuple[QuotedExit, ...]
    # Everything behind it: `.raw` is the ledger's trade, `.account.raw` and `.position.raw` its views, all in integers.
    preview: OpenPreview


def quote(
    market: str | MarketSpec,
    *,
    side: Side | str,
    margin: Amount,
    leverage: Amount,
    price: Amount | None = None,
    stop: Amount | None = None,
    take_profit: Amount | None = None,
) -> Quote:
    """What opening an isolated position with `margin` at `leverage` gives on a market of the default devnet, or of a
    `MarketSpec`, in which nobody else is.

    `margin` is what is deposited, fee and premium come off it, and `leverage` is notional over margin at the mark
    price: `size = margin * leverage / price`, rounded down. So exactly the limit (50x where 2 % are required) is
    refused with `BelowInitialMargin`, as on the chain: the notional requires all of the margin, of which the fee has
    already taken a part. Up to about `1 / (imr + takerFee)` opens, 48.7x there; more than the limit is refused with
    `LeverageTooHigh`. The limit is that of the risk tier which the size reaches. A stop that liquidation would come
    before is refused with `WrongTrigger`.
    """
    spec = _spec(market)
    # A delay changes nothing but when it fills.
    quoted = replace(spec, params=replace(spec.params, min_delay=0))
    if price is not None:
        quoted = replace(quoted, price=to_units("price", price, FEED_DECIMALS) * FEED_TICK)
    # A market of the default devnet is quoted with its neighbours, so that its id is the same.
    markets = tuple(quoted if one is spec else one for one in DEFAULT_MARKETS) if spec in DEFAULT_MARKETS else (quoted,)
    backend = LocalBackend(timestamp=_NOON)
    owner = ROLES["trader"]
    set_up(backend, replace(DEFAULT_SETUP, markets=markets))
    backend.transact("token", "mint", owner, to_units("margin", margin, 6), sender=owner)
    trader = Trader(backend, owner, slippage=Decimal("0.999"))
    wish: dict[str, Any] = {"market": spec.symbol, "side": side, "margin": margin, "leverage": leverage}
    preview = trader.preview_open(**wish, isolated=True)
    exits: list[QuotedExit] = []
    if stop is not None or take_profit is not None:
        _check_stop(preview, stop)
        placed = trader.bracket(**wish, isolated=True, stop=stop, take_profit=take_profit)
        exits = [_quoted_exit(backend, trader, quoted, preview, order) for order in placed.orders]
    return _quoted(preview, min_delay=spec.params.min_delay, exits=tuple(exits))


def _check_stop(preview: OpenPreview, stop: Amount | None) -> None:
    """Refuses a stop that comes too late."""
    liquidation = preview.liquidation_price
    if stop is None or liquidation is None:
        return
    at = positive("stop", stop)
    is_long = preview.side is Side.LONG
    if at <= liquidation if is_long else at >= liquidation:
        name, expected = f"the stop of a {preview.side.value}", "above" if is_long else "below"
        raise WrongTrigger(name, at, expected, "the liquidation price", liquidation, "it would come too late")


def _quoted_exit(
    backend: LocalBackend, trader: Trader, spec: MarketSpec, preview: OpenPreview, order: OrderInfo
) -> QuotedExit:
    assert order.trigger is not None
    push_price(backend, spec, to_units(order.kind.text, order.trigger, FEED_DECIMALS) * FEED_TICK)
    found = trader.preview_execute(order.id)
    return QuotedExit(
        kind=order.kind,
        trigger=order.trigger,
        fill_price=found.fill_price,
        fee=found.fee,
        realized_pnl=found.realized_pnl,
        result=found.collateral - preview.margin,
    )


def _quoted(preview: OpenPreview, *, min_delay: int, exits: tuple[QuotedExit, ...]) -> Quote:
    position = preview.position
    assert position is not None
    liquidation, mark = position.raw.liquidation_price, position.raw.mark
    return Quote(
        market=preview.market,
        side=preview.side,
        margin=preview.margin,
        size=preview.size,
        entry_price=position.entry_price,
        mark_price=position.mark_price,
        liquidation_price=position.liquidation_price,
        bankruptcy_price=position.bankruptcy_price,
        fee=preview.fee,
        distance_to_liquidation=ratio_down(abs(mark - liquidation), mark) if liquidation else None,
        initial_margin=position.initial_margin,
        maintenance_margin=position.maintenance_margin,
        notional=position.notional,
        equity=preview.equity,
        max_leverage=position.max_leverage,
        initial_margin_ratio=position.initial_margin_ratio,
        maintenance_margin_ratio=position.maintenance_margin_ratio,
        min_delay=min_delay,
        exits=exits,
        preview=preview,
    )


def _spec(market: str | MarketSpec) -> MarketSpec:
    if isinstance(market, MarketSpec):
        return market
    for spec in DEFAULT_MARKETS:
        if spec.symbol == market:
            return spec
    raise NoSuchMarket(market, [spec.symbol for spec in DEFAULT_MARKETS])
