"""OrderDesk: the part of a Trader that places, signs, executes and cancels orders."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from perpkit.backend import Receipt
from perpkit.client import seam
from perpkit.client.desk import fields_of
from perpkit.client.errors import (
    AmountsConflict,
    AmountsMissing,
    ForeignOrder,
    NothingToCancel,
    OrdersNotApproved,
)
from perpkit.client.names import NONE
from perpkit.client.order_planner import Before, OrderPlanner, exit_terms
from perpkit.client.order_plans import Expiry, Reference, Rung, Terms, rung_sizes, trigger_of
from perpkit.client.order_results import (
    BracketResult,
    CancelResult,
    ClaimResult,
    ExecutePreview,
    ExecuteResult,
    PlaceResult,
    RatchetResult,
    SignedTicket,
)
from perpkit.client.order_views import Kind, OrderInfo
from perpkit.client.results import OpenResult, only
from perpkit.client.seam import Call
from perpkit.client.sizing import Side
from perpkit.client.units import Amount, to_decimal
from perpkit.client.views import AccountInfo
from perpkit.model.events import (
    EtherClaimed,
    EtherCredited,
    Event,
    OrderCancelled,
    OrderExecuted,
    OrderExpiring,
    OrderPlaced,
    OrderRatcheted,
    Traded,
)
from perpkit.model.types import SignedOrder

# Below 2**53, so that every JSON carries it as it is; the contract takes any nonce once.
_NONCE_BITS = 53


class OrderDesk(OrderPlanner):
    """Orders of one address. With a side an order opens; without one it closes a position, all of it unless a size or
    a fraction is said, and never more than there is."""

    # PLACING

    def place_market(
        self,
        *,
        market: str,
        side: Side | str | None = None,
        size: Amount | None = None,
        fraction: Amount | None = None,
        margin: Amount | None = None,
        leverage: Amount | None = None,
        isolated: bool | None = None,
        fund: str | None = None,
        acceptable_price: Amount | None = None,
        slippage: Amount | None = None,
        expiry: Expiry | None = None,
        execution_fee: Amount | None = None,
    ) -> PlaceResult:
        """Trades at the next price, where a market has a delay, instead of at the present one."""
        terms = self._terms(Kind.MARKET, acceptable_price=acceptable_price, slippage=slippage, expiry=expiry)
        return self._place(terms, market, side, size, fraction, margin, leverage, isolated, fund, execution_fee)

    def place_limit(
        self,
        *,
        market: str,
        price: Amount,
        side: Side | str | None = None,
        size: Amount | None = None,
        fraction: Amount | None = None,
        margin: Amount | None = None,
        leverage: Amount | None = None,
        isolated: bool | None = None,
        fund: str | None = None,
        expiry: Expiry | None = None,
        execution_fee: Amount | None = None,
    ) -> PlaceResult:
        """Trades at `price` or better."""
        terms = self._terms(Kind.LIMIT, price=price, expiry=expiry)
        return self._place(terms, market, side, size, fraction, margin, leverage, isolated, fund, execution_fee)

    def place_stop(
        self,
        *,
        market: str,
        price: Amount,
        side: Side | str | None = None,
        size: Amount | None = None,
        fraction: Amount | None = None,
        margin: Amount | None = None,
        leverage: Amount | None = None,
        isolated: bool | None = None,
        fund: str | None = None,
        acceptable_price: Amount | None = None,
        slippage: Amount | None = None,
        expiry: Expiry | None = None,
        execution_fee: Amount | None = None,
    ) -> PlaceResult:
        """Closes a position once the mark price is at `price` or worse, at any price unless one is said; with a side,
        opens one there."""
        terms = self._terms(Kind.STOP, price=price, acceptable_price=acceptable_price, slippage=slippage, expiry=expiry)
        return self._place(terms, market, side, size, fraction, margin, leverage, isolated, fund, execution_fee)

    def place_take_profit(
        self,
        *,
        market: str,
        price: Amount,
        side: Side | str | None = None,
        size: Amount | None = None,
        fraction: Amount | None = None,
        margin: Amount | None = None,
        leverage: Amount | None = None,
        isolated: bool | None = None,
        fund: str | None = None,
        acceptable_price: Amount | None = None,
        slippage: Amount | None = None,
        expiry: Expiry | None = None,
        execution_fee: Amount | None = None,
    ) -> PlaceResult:
        """Closes a position once the mark price is at `price` or better; with a side, opens one there."""
        terms = self._terms(
            Kind.TAKE_PROFIT, price=price, acceptable_price=acceptable_price, slippage=slippage, expiry=expiry
        )
        return self._place(terms, market, side, size, fraction, margin, leverage, isolated, fund, execution_fee)

    def place_trailing_stop(
        self,
        *,
        market: str,
        trail: Amount | None = None,
        trail_ratio: Amount | None = None,
        side: Side | str | None = None,
        size: Amount | None = None,
        fraction: Amount | None = None,
        margin: Amount | None = None,
        leverage: Amount | None = None,
        isolated: bool | None = None,
        fund: str | None = None,
        acceptable_price: Amount | None = None,
        expiry: Expiry | None = None,
        execution_fee: Amount | None = None,
    ) -> PlaceResult:
        """A stop that keeps `trail` dollars, or that part of the mark price, from the best price that a `ratchet` has
        seen."""
        terms = self._terms(
            Kind.TRAILING_STOP, trail=trail, trail_ratio=trail_ratio, acceptable_price=acceptable_price, expiry=expiry
        )
        return self._place(terms, market, side, size, fraction, margin, leverage, isolated, fund, execution_fee)

    def place(
        self,
        *,
        kind: Kind | str,
        market: str,
        side: Side | str | None = None,
        size: Amount | None = None,
        fraction: Amount | None = None,
        margin: Amount | None = None,
        leverage: Amount | None = None,
        isolated: bool | None = None,
        fund: str | None = None,
        price: Amount | None = None,
        trail: Amount | None = None,
        trail_ratio: Amount | None = None,
        acceptable_price: Amount | None = None,
        slippage: Amount | None = None,
        expiry: Expiry | None = None,
        execution_fee: Amount | None = None,
    ) -> PlaceResult:
        """Places an order of any kind."""
        terms = self._terms(
            Kind.of(kind),
            price=price,
            trail=trail,
            trail_ratio=trail_ratio,
            acceptable_price=acceptable_price,
            slippage=slippage,
            expiry=expiry,
        )
        return self._place(terms, market, side, size, fraction, margin, leverage, isolated, fund, execution_fee)

    def bracket(
        self,
        *,
        market: str,
        side: Side | str,
        margin: Amount | None = None,
        size: Amount | None = None,
        leverage: Amount | None = None,
        isolated: bool = False,
        fund: str | None = None,
        limit: Amount | None = None,
        stop: Amount | None = None,
        take_profit: Amount | None = None,
        trail: Amount | None = None,
        trail_ratio: Amount | None = None,
        acceptable_price: Amount | None = None,
        slippage: Amount | None = None,
        expiry: Expiry | None = None,
        execution_fee: Amount | None = None,
    ) -> BracketResult:
        """Opens a position together with its exits, of which the first that is executed cancels the others.

        Without `limit` it opens at once, in the same transaction, or where the market has a delay at the next price;
        with `limit` the entry waits for that price, and until `expiry`. The exits wait for ever."""
        wanted = exit_terms(stop, take_profit, trail, trail_ratio)
        price = None if limit is None else trigger_of(Terms(kind=Kind.LIMIT, price=limit))
        plan = self._plan_open(
            market, side, margin, size, leverage, isolated, fund, acceptable_price, slippage, price=price
        )
        at = Reference(plan.market.raw.mark) if price is None else Reference(price, "the limit")
        exits = tuple(
            self._request(terms, plan.account, plan.market.id, -plan.delta, reduce_only=True, at=at) for terms in wanted
        )
        one_cancels_other = len(exits) > 1
        if limit is None and plan.market.min_delay == 0:
            if expiry is not None:
                raise AmountsConflict("expiry and no limit", "this entry fills at once, so leave expiry out")
            trade = (plan.account, plan.market.id, plan.delta, plan.limit)
            call: Call = ("trade_with_exits", *trade, exits, one_cancels_other)
            count = len(exits)
        else:
            entry = self._bracket_entry(plan, limit, acceptable_price, slippage, expiry)
            call, count = ("place_bracket", entry, exits, one_cancels_other), 1 + len(exits)
        before, receipt = self._send(call, count, execution_fee, plan)
        after = self.reader.account_by_id(plan.account, receipt=receipt)
        opened = None
        if call[0] == "trade_with_exits":
            told = self._trade(plan.market.symbol, only(receipt.events, Traded).result, after)
            opened = OpenResult(**told, margin=self._money(plan.margin), receipt=receipt, approval=before.approval)
        return BracketResult(**self._placed(before, receipt, after.orders), opened=opened)

    def ladder(
        self,
        *,
        market: str,
        rungs: Sequence[Rung],
        isolated: bool | None = None,
        acceptable_price: Amount | None = None,
        expiry: Expiry | None = None,
        execution_fee: Amount | None = None,
    ) -> PlaceResult:
        """Scales out of a position: a take-profit for each rung, which is a price and a share of the position."""
        info, account, position = self._find(market, isolated, self.address)
        sign = -1 if position.size > 0 else 1
        at = Reference(info.raw.mark)
        wanted = []
        for price, size in rung_sizes(rungs, position=position.size):
            terms = self._terms(Kind.TAKE_PROFIT, price=price, acceptable_price=acceptable_price, expiry=expiry)
            wanted.append(self._request(terms, account, info.id, sign * size, reduce_only=True, at=at))
        before, receipt = self._send(("place_many", tuple(wanted), False), len(wanted), execution_fee, None)
        return PlaceResult(**self._placed(before, receipt, self.reader.orders_of_account(account, receipt=receipt)))

    def approve_orders(self, approved: bool = True) -> Receipt | None:
        """Lets the orders contract trade for this address, or no longer; None when that is so already. It can move
        no money out of the market."""
        if self._is_approved() == approved:
            return None
        return self._transact("set_operator", self._orders_address(), approved)

    # SIGNING

    def sign_order(
        self,
        *,
        kind: Kind | str,
        market: str,
        side: Side | str | None = None,
        size: Amount | None = None,
        fraction: Amount | None = None,
        margin: Amount | None = None,
        leverage: Amount | None = None,
        isolated: bool | None = None,
        price: Amount | None = None,
        trail: Amount | None = None,
        trail_ratio: Amount | None = None,
        acceptable_price: Amount | None = None,
        slippage: Amount | None = None,
        expiry: Expiry | None = None,
        nonce: int | None = None,
    ) -> SignedTicket:
        """Signs what `place` would place, without sending anything: whoever holds the ticket may bring it, once. Of
        several tickets with one nonce one counts; `cancel_signed` and `cancel_all` end them. No margin is moved."""
        terms = self._terms(
            Kind.of(kind),
            price=price,
            trail=trail,
            trail_ratio=trail_ratio,
            acceptable_price=acceptable_price,
            slippage=slippage,
            expiry=expiry,
        )
        if not self._is_approved():
            raise OrdersNotApproved(self.address, self._orders_address())
        wanted, _ = self._planned(terms, market, side, size, fraction, margin, leverage, isolated, NONE)
        epoch = self.backend.call(self.reader.orders_label(), "epoch_of", wanted.account)
        chosen = secrets.randbits(_NONCE_BITS) if nonce is None else nonce
        order = SignedOrder(wanted, chosen, epoch, seam.chain_id(self.backend))
        signature = seam.sign_order(self.backend, order, sender=self.address)
        return SignedTicket(contract=self._orders_address(), order=order, signature=signature)

    def place_signed(self, ticket: SignedTicket, *, execution_fee: Amount | None = None) -> PlaceResult:
        """Brings an order that its owner signed. Its execution fee is paid here, and returned here when the order is
        cancelled."""
        if ticket.contract.lower() != self._orders_address():
            raise ForeignOrder(ticket.contract, self._orders_address())
        call = (self.reader.orders_label(), "place_signed", ticket.order, ticket.signature)
        receipt = self.backend.transact(*call, sender=self.address, value=self._fee(execution_fee))
        orders = self.reader.orders_of_account(ticket.order.request.account, receipt=receipt)
        return PlaceResult(**self._placed(Before(), receipt, orders))

    def cancel_signed(self, nonce: int, *, account: str | int = "cross") -> Receipt:
        """Makes the ticket with that nonce useless, which nobody has brought yet."""
        return self._transact_orders("cancel_signed", self._account(account, "account"), nonce)

    # FOR ANYBODY'S ORDERS

    def execute(self, id: int) -> ExecuteResult:
        """Fills an order, for its execution fee."""
        order = self.reader.order(id)
        receipt = self._transact_orders("execute", id)
        after = self.reader.account_by_id(order.account, receipt=receipt)
        return ExecuteResult(**self._executed(order, receipt.events, after), receipt=receipt)

    def preview_execute(self, id: int) -> ExecutePreview:
        """What executing an order would do, or the very error that it would raise."""
        order = self.reader.order(id)
        events, after = self._simulated(order.account, [(self.reader.orders_label(), "execute", id)])
        return ExecutePreview(**self._executed(order, events, after))

    def ratchet(self, id: int) -> RatchetResult:
        """Moves a trailing stop's trigger after the mark price."""
        receipt = self._transact_orders("ratchet", id)
        event = only(receipt.events, OrderRatcheted)
        mark, trigger = to_decimal(event.mark), to_decimal(event.trigger)
        return RatchetResult(order=id, mark_price=mark, trigger=trigger, receipt=receipt)

    # CANCELLING

    def cancel(self, *ids: int) -> CancelResult:
        """Cancels orders with the exits that wait for them; in a market with a delay they live on for that long.
        Anybody may cancel a dead one."""
        if not ids:
            raise AmountsMissing("one order or more")
        return self._cancelled([("cancel", id) for id in ids])

    def cancel_all(self, *, account: str | int | None = None) -> CancelResult:
        """Cancels every open order of an account, and ends whatever was signed for it; of all accounts with open
        orders when none is named."""
        if account is not None:
            return self._cancelled([("cancel_all", self._account(account, "account"))])
        accounts = sorted({order.account for order in self.reader.orders(self.address)})
        if not accounts:
            raise NothingToCancel(self.address)
        return self._cancelled([("cancel_all", one) for one in accounts])

    def claim(self) -> ClaimResult:
        """Pays out the ether of cancelled orders that this address did not take when it was returned."""
        receipt = self._transact_orders("claim", self.address)
        return ClaimResult(amount=to_decimal(only(receipt.events, EtherClaimed).amount), receipt=receipt)

    # DOING

    def _place(
        self,
        terms: Terms,
        market: str,
        side: Side | str | None,
        size: Amount | None,
        fraction: Amount | None,
        margin: Amount | None,
        leverage: Amount | None,
        isolated: bool | None,
        fund: str | None,
        execution_fee: Amount | None,
    ) -> PlaceResult:
        planned = self._planned(terms, market, side, size, fraction, margin, leverage, isolated, fund)
        wanted, funding = planned
        before, receipt = self._send(("place", wanted), 1, execution_fee, funding)
        orders = self.reader.orders_of_account(wanted.account, receipt=receipt)
        return PlaceResult(**self._placed(before, receipt, orders))

    def _cancelled(self, calls: list[Call]) -> CancelResult:
        label = self.reader.orders_label()
        if len(calls) == 1:
            receipt = self._transact_orders(*calls[0])
        else:
            receipt = self._transact_orders("multicall", tuple(self.backend.action(label, *call) for call in calls))
        cancelled = [event for event in receipt.events if isinstance(event, OrderCancelled)]
        credited = sum(event.amount for event in receipt.events if isinstance(event, EtherCredited))
        return CancelResult(
            cancelled=tuple(event.id for event in cancelled),
            ending=tuple(event.id for event in receipt.events if isinstance(event, OrderExpiring)),
            returned=to_decimal(sum(event.refund for event in cancelled) - credited),
            credited=to_decimal(credited),
            receipt=receipt,
        )

    # TELLING

    def _placed(self, before: Before, receipt: Receipt, orders: Sequence[OrderInfo]) -> dict[str, Any]:
        placed = {event.id: event for event in receipt.events if isinstance(event, OrderPlaced)}
        return fields_of(
            PlaceResult,
            orders=tuple(sorted((order for order in orders if order.id in placed), key=lambda order: order.id)),
            execution_fee=to_decimal(sum(event.order.fee for event in placed.values())),
            receipt=receipt,
            operator_approval=before.operator_approval,
            approval=before.approval,
            margin_receipt=before.margin_receipt,
        )

    def _executed(self, order: OrderInfo, events: Sequence[Event], after: AccountInfo) -> dict[str, Any]:
        event = only(events, OrderExecuted)
        return fields_of(
            ExecutePreview,
            **self._trade(order.market, event.result, after),
            order=order.id,
            execution_fee=to_decimal(event.fee),
            cancelled=tuple(other.id for other in events if isinstance(other, OrderCancelled)),
        )
