"""Trader: opens, changes and closes positions for one address, on any backend."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

from perpkit.backend import Receipt
from perpkit.client import seam
from perpkit.client.desk import Plan, fields_of
from perpkit.client.errors import PreviewUnavailable
from perpkit.client.leveraged import LeveragedDesk
from perpkit.client.names import CROSS, CROSS_SUB, NONE, WALLET
from perpkit.client.orders import OrderDesk
from perpkit.client.reader import to_address
from perpkit.client.results import (
    LiquidatePreview,
    LiquidateResult,
    MoneyResult,
    OpenPreview,
    OpenResult,
    ReducePreview,
    ReduceResult,
    SettleResult,
    only,
)
from perpkit.client.seam import Call
from perpkit.client.sizing import Side
from perpkit.client.units import Amount, to_decimal, to_units
from perpkit.client.views import AccountInfo, MarketInfo
from perpkit.model.events import Liquidated, Settled, Traded
from perpkit.model.types import LiquidationResult, TradeResult, account_id


class Trader(OrderDesk, LeveragedDesk):
    """Acts for one address, whose key the backend has."""

    # OPENING AND ADDING

    def open(
        self,
        *,
        market: str,
        side: Side | str,
        margin: Amount | None = None,
        size: Amount | None = None,
        leverage: Amount | None = None,
        isolated: bool = False,
        fund: str | None = None,
        acceptable_price: Amount | None = None,
        slippage: Amount | None = None,
    ) -> OpenResult:
        """Opens a position. Two of margin, size and leverage determine the third: `size = margin * leverage / mark`;
        in cross margin the size alone will do."""
        plan = self._plan_open(market, side, margin, size, leverage, isolated, fund, acceptable_price, slippage)
        return self._open(self._direct(plan))

    def preview_open(
        self,
        *,
        market: str,
        side: Side | str,
        margin: Amount | None = None,
        size: Amount | None = None,
        leverage: Amount | None = None,
        isolated: bool = False,
        fund: str | None = None,
        acceptable_price: Amount | None = None,
        slippage: Amount | None = None,
    ) -> OpenPreview:
        """What `open` with the same arguments would do, or the very error that it would raise."""
        plan = self._plan_open(market, side, margin, size, leverage, isolated, fund, acceptable_price, slippage)
        return self._preview(self._direct(plan))

    def add(
        self,
        *,
        market: str,
        margin: Amount | None = None,
        size: Amount | None = None,
        leverage: Amount | None = None,
        isolated: bool | None = None,
        fund: str | None = None,
        acceptable_price: Amount | None = None,
        slippage: Amount | None = None,
    ) -> OpenResult:
        """Makes a position larger; margin and leverage are those of the addition, and the size alone will do."""
        plan = self._plan_add(market, margin, size, leverage, isolated, fund, acceptable_price, slippage)
        return self._open(self._direct(plan))

    def preview_add(
        self,
        *,
        market: str,
        margin: Amount | None = None,
        size: Amount | None = None,
        leverage: Amount | None = None,
        isolated: bool | None = None,
        fund: str | None = None,
        acceptable_price: Amount | None = None,
        slippage: Amount | None = None,
    ) -> OpenPreview:
        """What `add` with the same arguments would do, or the very error that it would raise."""
        plan = self._plan_add(market, margin, size, leverage, isolated, fund, acceptable_price, slippage)
        return self._preview(self._direct(plan))

    # REDUCING AND CLOSING

    def reduce(
        self,
        *,
        market: str,
        size: Amount | None = None,
        fraction: Amount | None = None,
        isolated: bool | None = None,
        acceptable_price: Amount | None = None,
        slippage: Amount | None = None,
    ) -> ReduceResult:
        """Makes a position smaller by a size or by a fraction of it."""
        plan = self._plan_reduce(market, size, fraction, isolated, acceptable_price, slippage)
        return self._reduce(self._direct(plan), None)

    def preview_reduce(
        self,
        *,
        market: str,
        size: Amount | None = None,
        fraction: Amount | None = None,
        isolated: bool | None = None,
        acceptable_price: Amount | None = None,
        slippage: Amount | None = None,
    ) -> ReducePreview:
        """What `reduce` with the same arguments would do, or the very error that it would raise."""
        plan = self._plan_reduce(market, size, fraction, isolated, acceptable_price, slippage)
        return self._preview_reduce(self._direct(plan), None)

    def close(
        self,
        *,
        market: str,
        isolated: bool | None = None,
        return_margin: str | None = None,
        acceptable_price: Amount | None = None,
        slippage: Amount | None = None,
    ) -> ReduceResult:
        """Ends a position. `return_margin` ("cross" or "wallet") brings what an isolated one leaves back, in a second
        transaction, since nobody knows before the fill how much that is."""
        plan = self._plan_close(market, isolated, return_margin, acceptable_price, slippage)
        return self._reduce(self._direct(plan), return_margin)

    def preview_close(
        self,
        *,
        market: str,
        isolated: bool | None = None,
        return_margin: str | None = None,
        acceptable_price: Amount | None = None,
        slippage: Amount | None = None,
    ) -> ReducePreview:
        """What `close` with the same arguments would do, or the very error that it would raise."""
        plan = self._plan_close(market, isolated, return_margin, acceptable_price, slippage)
        return self._preview_reduce(self._direct(plan), return_margin)

    # MONEY

    def deposit(self, amount: Amount, *, to: str | int = CROSS) -> MoneyResult:
        """Brings money from the wallet to an account, approving it first when it must."""
        money = to_units("amount", amount, self.reader.decimals)
        account = self._account(to, "to")
        balance, allowance = seam.call_many(self.backend, self._wallet_calls())
        approval = self._approve(self._missing_approval(money, balance, allowance))
        receipt = self._transact("deposit", account, money)
        return self._moved(money, account, receipt, approval)

    def withdraw(
        self, amount: Amount | None = None, *, source: str | int = CROSS, to: str | None = None
    ) -> MoneyResult:
        """Pays money out to a wallet, one's own when none is named; all that may leave when no amount is."""
        account = self._account(source, "source")
        receiver = self.address if to is None else to_address("to", to)
        money = self._amount_or_all(amount, account)
        receipt = self._transact("withdraw", account, money, receiver)
        return self._moved(money, account, receipt)

    def preview_withdraw(self, amount: Amount, *, source: str | int = CROSS) -> AccountInfo:
        """How a withdrawal would leave the account, or the very error that it would raise."""
        money = to_units("amount", amount, self.reader.decimals)
        account = self._account(source, "source")
        moment = seam.now(self.backend)
        calls: list[Call] = [("lens", "preview_withdraw", account, money), ("lens", "orders_of", account)]
        view, orders = seam.call_many(self.backend, calls, block=moment.block)
        return self.reader.account_infos([view], [orders], moment.timestamp)[0]

    def move_margin(self, amount: Amount | None = None, *, source: str | int, target: str | int) -> MoneyResult:
        """Moves money between two of one's accounts; all that may leave when no amount is named."""
        account, receiver = self._account(source, "source"), self._account(target, "target")
        money = self._amount_or_all(amount, account)
        receipt = self._transact("transfer", account, receiver, money)
        return self._moved(money, account, receipt)

    # FOR ANYBODY'S POSITIONS

    def settle(self, *, market: str, isolated: bool | None = None, owner: str | None = None) -> SettleResult:
        """Turns a position's profit or loss at the mark price into settled money."""
        holder = self.address if owner is None else to_address("owner", owner)
        info, account, _ = self._find(market, isolated, holder)
        receipt = self._transact("settle", account, info.id)
        raw = only(receipt.events, Settled).result
        return SettleResult(
            market=info.symbol,
            mark_price=to_decimal(raw.mark),
            realized_pnl=self._money(raw.realized),
            funding=self._money(raw.funding),
            account=self.reader.account_by_id(account, receipt=receipt),
            raw=raw,
            receipt=receipt,
        )

    def liquidate(self, *, owner: str, market: str, isolated: bool | None = None) -> LiquidateResult:
        """Liquidates somebody's position; the reward goes to one's own cross account."""
        info, account, _ = self._find(market, isolated, to_address("owner", owner))
        receipt = self._transact("liquidate", account, info.id)
        raw = only(receipt.events, Liquidated).result
        after = self.reader.account_by_id(account, receipt=receipt)
        return LiquidateResult(**self._liquidation(info, raw, after), receipt=receipt)

    def preview_liquidate(self, *, owner: str, market: str, isolated: bool | None = None) -> LiquidatePreview:
        """What a liquidation would do, or the very error that it would raise."""
        info, account, _ = self._find(market, isolated, to_address("owner", owner))
        raw, after = self._previewed(account, "preview_liquidation", account, info.id)
        return LiquidatePreview(**self._liquidation(info, raw, after))

    # DOING

    def _open(self, plan: Plan) -> OpenResult:
        if plan.approve:
            self._try_out(plan)
        approval = self._approve(plan.approve)
        receipt = seam.send(self.backend, plan.steps(), sender=self.address)
        raw = only(receipt.events, Traded).result
        after = self.reader.account_by_id(plan.account, receipt=receipt)
        return OpenResult(
            **self._trade(plan.market.symbol, raw, after),
            margin=self._money(plan.margin),
            receipt=receipt,
            approval=approval,
        )

    def _try_out(self, plan: Plan) -> None:
        """Raises what the trade would, before an approval is sent for it; where that cannot be tried, does nothing."""
        with suppress(PreviewUnavailable):
            self._preview(plan)

    def _reduce(self, plan: Plan, return_margin: str | None) -> ReduceResult:
        receipt = seam.send(self.backend, plan.steps(), sender=self.address)
        event = only(receipt.events, Traded)
        left = event.balances.collateral if return_margin else 0
        return_receipt = self._bring_back(plan.account, left, return_margin)
        after = self.reader.account_by_id(plan.account, receipt=return_receipt or receipt)
        return ReduceResult(
            **self._trade(plan.market.symbol, event.result, after),
            returned=self._money(left if return_receipt else 0),
            receipt=receipt,
            return_receipt=return_receipt,
        )

    def _bring_back(self, account: int, money: int, target: str | None) -> Receipt | None:
        if target is None or money <= 0:
            return None
        if target == WALLET:
            return self._transact("withdraw", account, money, self.address)
        return self._transact("transfer", account, account_id(self.address, CROSS_SUB), money)

    def _preview(self, plan: Plan) -> OpenPreview:
        raw, after = self._tried(plan)
        return OpenPreview(**self._trade(plan.market.symbol, raw, after), margin=self._money(plan.margin))

    def _preview_reduce(self, plan: Plan, return_margin: str | None) -> ReducePreview:
        raw, after = self._tried(plan)
        returned = after.collateral if return_margin and after.collateral > 0 else Decimal(0)
        return ReducePreview(**self._trade(plan.market.symbol, raw, after), returned=returned)

    def _tried(self, plan: Plan) -> tuple[TradeResult, AccountInfo]:
        if plan.fund == NONE:
            call = ("preview_trade", plan.account, plan.market.id, plan.delta, plan.limit)
            return self._previewed(plan.account, *call)
        events, after = self._simulated(plan.account, self._approval(plan.approve) + plan.steps())
        return only(events, Traded).result, after

    def _previewed(self, account: int, function: str, *args: Any) -> tuple[Any, AccountInfo]:
        """What a preview of the lens says, and the account after it."""
        moment = seam.now(self.backend)
        calls: list[Call] = [("lens", function, *args), ("lens", "orders_of", account)]
        (raw, view), orders = seam.call_many(self.backend, calls, block=moment.block)
        return raw, self.reader.account_infos([view], [orders], moment.timestamp)[0]

    # TELLING

    def _liquidation(self, info: MarketInfo, raw: LiquidationResult, after: AccountInfo) -> dict[str, Any]:
        return fields_of(
            LiquidatePreview,
            market=info.symbol,
            size=to_decimal(raw.closed),
            mark_price=to_decimal(raw.mark),
            realized_pnl=self._money(raw.realized),
            funding=self._money(raw.funding),
            penalty=self._money(raw.penalty),
            reward=self._money(raw.reward),
            bad_debt=self._money(raw.bad_debt),
            account=after,
            raw=raw,
        )

    def _moved(self, money: int, account: int, receipt: Receipt, approval: Receipt | None = None) -> MoneyResult:
        after = self.reader.account_by_id(account, receipt=receipt)
        return MoneyResult(amount=self._money(money), account=after, receipt=receipt, approval=approval)
