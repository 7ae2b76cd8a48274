"""What a reader says about orders, in `Decimal`s, each with the exact integers behind it in `raw`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from perpkit.client.errors import BadChoice
from perpkit.client.names import isolated_sub
from perpkit.client.sizing import Side
from perpkit.client.units import to_decimal
from perpkit.model.types import Address, OrderKind, OrderView, PositionView, owner_of, sub_of


class Kind(str, Enum):
    """What an order waits for, beside a newer price."""

    # Nothing.
    MARKET = "market"
    # A price at least as good as its own, which bounds the fill as well.
    LIMIT = "limit"
    # A price at least as bad.
    STOP = "stop"
    # A price at least as good.
    TAKE_PROFIT = "take_profit"
    # As a stop that follows the price and never loosens.
    TRAILING_STOP = "trailing_stop"

    @property
    def raw(self) -> OrderKind:
        """The ledger's number for it."""
        return OrderKind[self.name]

    @property
    def text(self) -> str:
        """As people write it: take-profit."""
        return self.value.replace("_", "-")

    @classmethod
    def of(cls, value: Kind | str) -> Kind:
        """A kind, or its name in any case, with a hyphen or an underscore."""
        try:
            return cls(value.lower().replace("-", "_") if isinstance(value, str) else value)
        except ValueError:
            raise BadChoice("kind", value, [kind.text for kind in cls]) from None

    @classmethod
    def of_raw(cls, kind: int) -> Kind:
        return cls[OrderKind(kind).name]


class OrderState(str, Enum):
    """What an open order is waiting for."""

    # Its entry is not executed yet.
    WAITING_FOR_ENTRY = "waiting for entry"
    # The mark price has not reached its trigger, or there is none.
    WAITING_FOR_PRICE = "waiting for price"
    # The mark price has, but was published too early for this order.
    TRIGGERED = "triggered"
    # Nothing: anybody may execute it.
    EXECUTABLE = "executable"
    # It never fills: anybody may cancel it.
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderInfo:
    """An open order now. `size` is without sign; prices that it does not have are None."""

    id: int
    account: int
    owner: Address
    market: str
    market_id: int
    isolated: bool
    kind: Kind
    # Of the position that it opens or, when it is reduce-only, makes smaller.
    side: Side
    size: Decimal
    reduce_only: bool
    # Of a trailing stop the present one; None while that waits for its entry.
    trigger: Decimal | None
    # The worst fill; None is any.
    acceptable_price: Decimal | None
    # How far a trailing stop keeps from the mark price: in dollars, or as a part of it.
    trail: Decimal | None
    trail_ratio: Decimal | None
    # {s} The last second in which it may fill.
    expiry: int | None
    # {s} The price must have been published then or later.
    not_before: int
    placed_at: int
    # In ether, for whoever executes it, and who is given it back.
    fee: Decimal
    payer: Address
    # The entry that must be executed first.
    parent: int | None
    # The open orders that its execution cancels.
    cancels: tuple[int, ...]
    state: OrderState
    # Why it is dead.
    reason: str | None
    raw: OrderView

    @property
    def relation(self) -> str:
        """What it has to do with other orders: "exit of 3, cancels 5"; empty when nothing."""
        words = [] if self.parent is None else [f"exit of {self.parent}"]
        if self.cancels:
            words.append(f"cancels {', '.join(map(str, self.cancels))}")
        return ", ".join(words)


def order_infos(views: Sequence[OrderView], *, symbols: Sequence[str], timestamp: int) -> tuple[OrderInfo, ...]:
    """All open orders of one account at a time {s}, which tells who is dead of age."""
    return tuple(_order_info(view, views, symbol=symbols[view.order.market], timestamp=timestamp) for view in views)


def exits_of(position: PositionView, orders: Sequence[OrderInfo]) -> tuple[OrderInfo, ...]:
    """The orders of its account that would make a position smaller as it stands now."""
    side = Side.of_size(position.size)
    return tuple(
        order
        for order in orders
        if order.reduce_only
        and (order.market_id, order.side) == (position.market, side)
        and order.state not in (OrderState.DEAD, OrderState.WAITING_FOR_ENTRY)
        # One with an entry belongs to the position that the entry made: else it would be dead.
        and (order.parent is not None or order.raw.order.opened == position.opened)
    )


def _order_info(view: OrderView, among: Sequence[OrderView], *, symbol: str, timestamp: int) -> OrderInfo:
    order = view.order
    state = _state(view, among)
    return OrderInfo(
        id=view.id,
        account=order.account,
        owner=owner_of(order.account),
        market=symbol,
        market_id=order.market,
        isolated=sub_of(order.account) == isolated_sub(order.market),
        kind=Kind.of_raw(order.kind),
        side=Side.of_size(-order.size if order.reduce_only else order.size),
        size=to_decimal(abs(order.size)),
        reduce_only=order.reduce_only,
        trigger=_price(order.trigger),
        acceptable_price=_price(order.acceptable_price),
        trail=None if order.trail_is_ratio else _price(order.trail),
        trail_ratio=_price(order.trail) if order.trail_is_ratio else None,
        expiry=order.expiry or None,
        not_before=view.not_before,
        placed_at=order.placed_at,
        fee=to_decimal(order.fee),
        payer=view.payer,
        parent=order.parent or None,
        cancels=tuple(other.id for other in among if _are_neighbours(view, other)),
        state=state,
        reason=_reason(view, among, timestamp) if state is OrderState.DEAD else None,
        raw=view,
    )


def _state(view: OrderView, among: Sequence[OrderView]) -> OrderState:
    if view.dead:
        return OrderState.DEAD
    if _entry(view, among) is not None:
        return OrderState.WAITING_FOR_ENTRY
    if view.executable:
        return OrderState.EXECUTABLE
    return OrderState.TRIGGERED if view.triggered else OrderState.WAITING_FOR_PRICE


def _reason(view: OrderView, among: Sequence[OrderView], timestamp: int) -> str:
    if 0 < view.order.expiry < timestamp:
        return f"expired at {view.order.expiry}"
    if (entry := _entry(view, among)) is not None:
        return f"its entry {entry.id} is dead"
    return "its position is gone"


def _entry(view: OrderView, among: Sequence[OrderView]) -> OrderView | None:
    """The entry that is still open: a cancelled one has taken its exits along."""
    return next((other for other in among if other.id == view.order.parent), None)


def _are_neighbours(view: OrderView, other: OrderView) -> bool:
    return view.order.group != 0 and view.order.group == other.order.group and view.id != other.id


def _price(value: int) -> Decimal | None:
    return to_decimal(value) if value else None
