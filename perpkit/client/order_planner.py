"""OrderPlanner: how what a person wants becomes a request to the orders contract, and how it is sent."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from perpkit.backend import Receipt
from perpkit.client import seam
from perpkit.client.desk import Desk, Plan, fund_of
from perpkit.client.errors import AmountsConflict, AmountsMissing, OrdersNotApproved, PreviewUnavailable
from perpkit.client.names import NONE, WALLET
from perpkit.client.order_plans import Expiry, Reference, Terms, expiry_of, request, trigger_of
from perpkit.client.order_views import Kind
from perpkit.client.seam import Call
from perpkit.client.sizing import Side, check_implied_leverage, check_leverage, reduction
from perpkit.client.units import Amount, to_units
from perpkit.model.types import OrderRequest


@dataclass(frozen=True, slots=True)
class Before:
    """The transactions that came before an order."""

    operator_approval: Receipt | None = None
    approval: Receipt | None = None
    margin_receipt: Receipt | None = None


class OrderPlanner(Desk):
    """Plans and sends orders for one address."""

    # PLANNING ORDERS

    def _terms(self, kind: Kind, *, expiry: Expiry | None, **words: Amount | None) -> Terms:
        last = 0 if expiry is None else expiry_of(expiry, now=seam.next_time(self.backend))
        return Terms(kind=kind, expiry=last, **words)

    def _planned(
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
    ) -> tuple[OrderRequest, Plan | None]:
        """The request, and what brings the margin of one that opens."""
        if side is None:
            if margin is not None or leverage is not None or fund not in (None, NONE):
                raise AmountsConflict(
                    "margin, leverage or fund without a side", "say long or short to open, or leave them out to close"
                )
            return self._exit(terms, market, size, fraction, isolated), None
        if fraction is not None:
            raise AmountsConflict("side and fraction", "a fraction is of a position, so leave the side out to close it")
        return self._entry(terms, market, Side.of(side), size, margin, leverage, bool(isolated), fund)

    def _exit(
        self, terms: Terms, market: str, size: Amount | None, fraction: Amount | None, isolated: bool | None
    ) -> OrderRequest:
        info, account, position = self._find(market, isolated, self.address)
        whole = 1 if size is None and fraction is None else fraction
        closed = reduction(position=position.size, size=size, fraction=whole)
        delta = -closed if position.size > 0 else closed
        return self._request(terms, account, info.id, delta, reduce_only=True, at=Reference(info.raw.mark))

    def _entry(
        self,
        terms: Terms,
        market: str,
        side: Side,
        size: Amount | None,
        margin: Amount | None,
        leverage: Amount | None,
        isolated: bool,
        fund: str | None,
    ) -> tuple[OrderRequest, Plan]:
        brings_margin = isolated and (margin is not None or leverage is not None)
        source = fund_of(fund, default=WALLET if brings_margin else NONE, isolated=isolated)
        info, account, position, wallet = self._look(market, isolated)
        at = trigger_of(terms) or info.raw.mark
        delta, money = self._sized(at, margin, size, leverage, size_alone=source == NONE)
        after = abs(position.size + delta * side.sign)
        check_leverage(info.symbol, info.raw, leverage=leverage, size=after)
        if isolated and money is not None and leverage is None and position.size == 0:
            decimals = self.reader.decimals
            check_implied_leverage(info.symbol, info.raw, size=delta, margin=money, mark=at, decimals=decimals)
        reference = Reference(info.raw.mark)
        wanted = self._request(terms, account, info.id, delta * side.sign, reduce_only=False, at=reference)
        approve = self._missing_approval(money or 0, *wallet) if source == WALLET else 0
        return wanted, Plan(info, account, wanted.size, money or 0, source, 0, approve)

    def _bracket_entry(
        self,
        plan: Plan,
        limit: Amount | None,
        acceptable_price: Amount | None,
        slippage: Amount | None,
        expiry: Expiry | None,
    ) -> OrderRequest:
        kind = Kind.MARKET if limit is None else Kind.LIMIT
        terms = self._terms(kind, price=limit, acceptable_price=acceptable_price, slippage=slippage, expiry=expiry)
        at = Reference(plan.market.raw.mark)
        return self._request(terms, plan.account, plan.market.id, plan.delta, reduce_only=False, at=at)

    def _request(
        self, terms: Terms, account: int, market: int, delta: int, *, reduce_only: bool, at: Reference
    ) -> OrderRequest:
        return request(
            terms,
            account=account,
            market=market,
            delta=delta,
            reduce_only=reduce_only,
            at=at,
            slippage=self.slippage,
        )

    # SENDING

    def _send(self, call: Call, count: int, execution_fee: Amount | None, plan: Plan | None) -> tuple[Before, Receipt]:
        """Sends what must come before, then the call to the orders contract with the fees of `count` orders. When there
        is more than that call, all of it is tried out first, so that no half of it is sent in vain."""
        value = self._fee(execution_fee) * count
        operator: list[Call] = []
        if not self._is_approved():
            if not seam.is_local(self.backend):
                raise OrdersNotApproved(self.address, self._orders_address())
            operator = [("clearinghouse", "set_operator", self._orders_address(), True)]
        approval = self._approval(plan.approve) if plan else []
        funding = plan.funding() if plan else []
        first = operator + approval + funding
        last: Call = (self.reader.orders_label(), *call)
        if first:
            with suppress(PreviewUnavailable):
                values = [0] * len(first) + [value]
                seam.simulate(self.backend, [*first, last], then=[], sender=self.address, values=values)
        sent = [self._sent(calls) for calls in (operator, approval, funding)]
        return Before(*sent), self.backend.transact(*last, sender=self.address, value=value)

    def _sent(self, calls: list[Call]) -> Receipt | None:
        return self.backend.transact(*calls[0], sender=self.address) if calls else None

    def _transact_orders(self, function: str, *args: Any) -> Receipt:
        return self.backend.transact(self.reader.orders_label(), function, *args, sender=self.address)

    def _fee(self, execution_fee: Amount | None) -> int:
        """What one order puts aside for whoever executes it {wei}."""
        return to_units("execution_fee", self.reader.execution_fee if execution_fee is None else execution_fee)

    def _is_approved(self) -> bool:
        return bool(self.backend.call("clearinghouse", "is_operator", self.address, self._orders_address()))

    def _orders_address(self) -> str:
        return self.backend.deployed[self.reader.orders_label()].address


def exit_terms(
    stop: Amount | None, take_profit: Amount | None, trail: Amount | None, trail_ratio: Amount | None
) -> list[Terms]:
    """The exits of a bracket: a stop or one that trails, or both, and a take-profit."""
    found = []
    if stop is not None:
        found.append(Terms(kind=Kind.STOP, price=stop))
    if take_profit is not None:
        found.append(Terms(kind=Kind.TAKE_PROFIT, price=take_profit))
    if trail is not None or trail_ratio is not None:
        found.append(Terms(kind=Kind.TRAILING_STOP, trail=trail, trail_ratio=trail_ratio))
    if not found:
        raise AmountsMissing("an exit or more: stop, take_profit, trail or trail_ratio")
    return found
