"""Trader: opens, changes and closes positions for one address, on any backend."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, TypeVar

from perpkit.backend import Backend, Receipt
from perpkit.client import seam
from perpkit.client.errors import (
    AmbiguousPosition,
    AmountsConflict,
    BadChoice,
    LargerThanPosition,
    NoOpenPosition,
    NothingToMove,
    PositionExists,
    PreviewUnavailable,
)
from perpkit.client.leveraged import LeveragedDesk
from perpkit.client.reader import Reader, to_address
from perpkit.client.results import (
    LiquidatePreview,
    LiquidateResult,
    MoneyResult,
    OpenPreview,
    OpenResult,
    ReducePreview,
    ReduceResult,
    SettleResult,
    TradePreview,
)
from perpkit.client.seam import Call
from perpkit.client.sizing import (
    Side,
    check_implied_leverage,
    check_leverage,
    price_limit,
    reduction,
    size_and_margin,
)
from perpkit.client.units import Amount, to_decimal, to_units
from perpkit.client.views import CROSS_SUB, AccountInfo, MarketInfo, isolated_sub
from perpkit.model.errors import ERC20InsufficientBalance
from perpkit.model.events import Event, Liquidated, Settled, Traded
from perpkit.model.types import AccountView, Address, LiquidationResult, Position, TradeResult, account_id, sub_of

DEFAULT_SLIPPAGE = Decimal("0.005")

E = TypeVar("E", bound=Event)

WALLET, CROSS, NONE = "wallet", "cross", "none"


@dataclass(frozen=True, slots=True)
class _Plan:
    """A trade that is decided but not done: what it is, and the calls that do it."""

    market: MarketInfo
    account: int
    delta: int
    # {quanta} That moves to the account first, and from where.
    margin: int
    fund: str
    limit: int
    # What the wallet must still allow the market, or zero. {quanta}
    approve: int = 0

    def steps(self) -> list[Call]:
        trade = ("clearinghouse", "trade", self.account, self.market.id, self.delta, self.limit)
        if self.fund == WALLET:
            return [("clearinghouse", "deposit", self.account, self.margin), trade]
        if self.fund == CROSS:
            cross = account_id(f"0x{self.account >> 96:040x}", CROSS_SUB)
            return [("clearinghouse", "transfer", cross, self.account, self.margin), trade]
        return [trade]


class Trader(LeveragedDesk):
    """Acts for one address, whose key the backend has."""

    def __init__(self, backend: Backend, address: str, *, slippage: Amount = DEFAULT_SLIPPAGE) -> None:
        self.backend = backend
        self.address: Address = to_address("address", address)
        self.reader = Reader(backend)
        self.slippage = slippage

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
        return self._open(plan)

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
        return self._preview(plan)

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
        return self._open(self._plan_add(market, margin, size, leverage, isolated, fund, acceptable_price, slippage))

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
        return self._preview(self._plan_add(market, margin, size, leverage, isolated, fund, acceptable_price, slippage))

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
        return self._reduce(self._plan_reduce(market, size, fraction, isolated, acceptable_price, slippage), None)

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
        return self._preview_reduce(plan, None)

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
        return self._reduce(plan, return_margin)

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
        return self._preview_reduce(plan, return_margin)

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
        view = self.backend.call("lens", "preview_withdraw", account, money)
        return self.reader.account_infos([view])[0]

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
        raw = _only(receipt.events, Settled).result
        return SettleResult(
            market=info.symbol,
            mark_price=to_decimal(raw.mark),
            realized_pnl=self._money(raw.realized),
            funding=self._money(raw.funding),
            account=self.reader.account_by_id(account, block=receipt.block),
            raw=raw,
            receipt=receipt,
        )

    def liquidate(self, *, owner: str, market: str, isolated: bool | None = None) -> LiquidateResult:
        """Liquidates somebody's position; the reward goes to one's own cross account."""
        info, account, _ = self._find(market, isolated, to_address("owner", owner))
        receipt = self._transact("liquidate", account, info.id)
        raw = _only(receipt.events, Liquidated).result
        after = self.reader.account_by_id(account, block=receipt.block)
        return LiquidateResult(**self._liquidation(info, raw, after), receipt=receipt)

    def preview_liquidate(self, *, owner: str, market: str, isolated: bool | None = None) -> LiquidatePreview:
        """What a liquidation would do, or the very error that it would raise."""
        info, account, _ = self._find(market, isolated, to_address("owner", owner))
        raw, view = self.backend.call("lens", "preview_liquidation", account, info.id)
        return LiquidatePreview(**self._liquidation(info, raw, self.reader.account_infos([view])[0]))

    # PLANNING

    def _plan_open(
        self,
        market: str,
        side: Side | str,
        margin: Amount | None,
        size: Amount | None,
        leverage: Amount | None,
        isolated: bool,
        fund: str | None,
        acceptable_price: Amount | None,
        slippage: Amount | None,
    ) -> _Plan:
        chosen = Side.of(side)
        source = _fund(fund, default=WALLET if isolated else NONE, isolated=isolated)
        info, account, position, wallet = self._look(market, isolated)
        if position.size != 0:
            raise PositionExists(info.symbol, Side.of_size(position.size).value, _where(isolated))
        check_leverage(info.symbol, info.raw.params, leverage=leverage)
        delta, money = self._sized(info, margin, size, leverage, size_alone=not isolated and source == NONE)
        if isolated and money is not None and leverage is None:
            params, mark = info.raw.params, info.raw.mark
            check_implied_leverage(
                info.symbol, params, size=delta, margin=money, mark=mark, decimals=self.reader.decimals
            )
        return self._plan(info, account, delta * chosen.sign, money or 0, source, wallet, acceptable_price, slippage)

    def _plan_add(
        self,
        market: str,
        margin: Amount | None,
        size: Amount | None,
        leverage: Amount | None,
        isolated: bool | None,
        fund: str | None,
        acceptable_price: Amount | None,
        slippage: Amount | None,
    ) -> _Plan:
        info, account, position = self._find(market, isolated, self.address)
        is_isolated = sub_of(account) != CROSS_SUB
        brings_margin = is_isolated and (margin is not None or leverage is not None)
        source = _fund(fund, default=WALLET if brings_margin else NONE, isolated=is_isolated)
        check_leverage(info.symbol, info.raw.params, leverage=leverage)
        delta, money = self._sized(info, margin, size, leverage, size_alone=source == NONE)
        wallet = seam.call_many(self.backend, self._wallet_calls()) if source == WALLET else [0, 0]
        sign = Side.of_size(position.size).sign
        return self._plan(info, account, delta * sign, money or 0, source, wallet, acceptable_price, slippage)

    def _plan_reduce(
        self,
        market: str,
        size: Amount | None,
        fraction: Amount | None,
        isolated: bool | None,
        acceptable_price: Amount | None,
        slippage: Amount | None,
    ) -> _Plan:
        info, account, position = self._find(market, isolated, self.address)
        closed = reduction(position=position.size, size=size, fraction=fraction)
        if closed > abs(position.size):
            raise LargerThanPosition(info.symbol, to_decimal(closed), to_decimal(abs(position.size)))
        delta = -closed if position.size > 0 else closed
        return self._plan(info, account, delta, 0, NONE, [0, 0], acceptable_price, slippage)

    def _plan_close(
        self,
        market: str,
        isolated: bool | None,
        return_margin: str | None,
        acceptable_price: Amount | None,
        slippage: Amount | None,
    ) -> _Plan:
        if return_margin not in (None, CROSS, WALLET):
            raise BadChoice("return_margin", return_margin, [CROSS, WALLET])
        plan = self._plan_reduce(market, None, 1, isolated, acceptable_price, slippage)
        if return_margin is not None and sub_of(plan.account) == CROSS_SUB:
            raise AmountsConflict(
                "a cross position and return_margin", "its money stays in the cross account; use withdraw for it"
            )
        return plan

    def _plan(
        self,
        info: MarketInfo,
        account: int,
        delta: int,
        margin: int,
        fund: str,
        wallet: list[int],
        acceptable_price: Amount | None,
        slippage: Amount | None,
    ) -> _Plan:
        limit = price_limit(
            mark=info.raw.mark,
            buys=delta > 0,
            acceptable_price=acceptable_price,
            slippage=self.slippage if slippage is None else slippage,
        )
        approve = self._missing_approval(margin, *wallet) if fund == WALLET else 0
        return _Plan(info, account, delta, margin, fund, limit, approve)

    def _sized(
        self,
        info: MarketInfo,
        margin: Amount | None,
        size: Amount | None,
        leverage: Amount | None,
        *,
        size_alone: bool,
    ) -> tuple[int, int | None]:
        return size_and_margin(
            margin=margin,
            size=size,
            leverage=leverage,
            mark=info.raw.mark,
            decimals=self.reader.decimals,
            size_alone=size_alone,
        )

    # LOOKING

    def _look(self, symbol: str, isolated: bool) -> tuple[MarketInfo, int, Position, list[int]]:
        """The market with its price, the account for a position in it, and what the wallet has and allows."""
        market = self.reader.market_id(symbol)
        account = account_id(self.address, isolated_sub(market) if isolated else CROSS_SUB)
        position_call = ("clearinghouse", "position_of", account, market)
        markets, [position, *wallet] = self.reader.together(position_call, *self._wallet_calls())
        return self._priced(self.reader.pick(markets, symbol)), account, position, wallet

    def _find(self, symbol: str, isolated: bool | None, owner: Address) -> tuple[MarketInfo, int, Position]:
        """The market with its price, and the owner's position in it."""
        market = self.reader.market_id(symbol)
        accounts = {
            False: account_id(owner, CROSS_SUB),
            True: account_id(owner, isolated_sub(market)),
        }
        calls = [("clearinghouse", "position_of", account, market) for account in accounts.values()]
        markets, positions = self.reader.together(*calls)
        held = [
            (where, account, position)
            for (where, account), position in zip(accounts.items(), positions, strict=True)
            if position.size != 0 and isolated in (None, where)
        ]
        if not held:
            raise NoOpenPosition(symbol, owner, "" if isolated is None else _where(isolated))
        if len(held) > 1:
            raise AmbiguousPosition(symbol, owner)
        [(_, account, position)] = held
        return self._priced(self.reader.pick(markets, symbol)), account, position

    def _priced(self, info: MarketInfo) -> MarketInfo:
        """The market, when it has a price; else the oracle's own error."""
        if not info.raw.priced:
            self.reader.price(info.symbol)
        return info

    def _account(self, name: str | int, argument: str) -> int:
        """The account that "cross", a market's symbol or a number names."""
        if isinstance(name, bool) or not isinstance(name, (str, int)):
            raise BadChoice(argument, name, [CROSS, *self.reader.symbols(), "a number"])
        if isinstance(name, int):
            return account_id(self.address, name)
        return account_id(self.address, CROSS_SUB if name == CROSS else isolated_sub(self.reader.market_id(name)))

    def _wallet_calls(self) -> list[Call]:
        house = self.backend.deployed["clearinghouse"].address
        return [("token", "balance_of", self.address), ("token", "allowance", self.address, house)]

    def _missing_approval(self, money: int, balance: int, allowance: int) -> int:
        """What must be approved before `money` can be taken. A wallet without it is refused before anything is sent."""
        if balance < money:
            raise ERC20InsufficientBalance(self.address, balance, money)
        return money if allowance < money else 0

    def _amount_or_all(self, amount: Amount | None, account: int) -> int:
        if amount is not None:
            return to_units("amount", amount, self.reader.decimals)
        view: AccountView = self.backend.call("lens", "account", account)
        if view.withdrawable <= 0:
            raise NothingToMove(self._name(account), self._money(view.collateral))
        return view.withdrawable

    # DOING

    def _open(self, plan: _Plan) -> OpenResult:
        if plan.approve:
            self._try_out(plan)
        approval = self._approve(plan.approve)
        receipt = seam.send(self.backend, plan.steps(), sender=self.address)
        raw = _only(receipt.events, Traded).result
        after = self.reader.account_by_id(plan.account, block=receipt.block)
        return OpenResult(
            **self._trade(plan, raw, after), margin=self._money(plan.margin), receipt=receipt, approval=approval
        )

    def _try_out(self, plan: _Plan) -> None:
        """Raises what the trade would, before an approval is sent for it; where that cannot be tried, does nothing."""
        with suppress(PreviewUnavailable):
            self._preview(plan)

    def _reduce(self, plan: _Plan, return_margin: str | None) -> ReduceResult:
        receipt = seam.send(self.backend, plan.steps(), sender=self.address)
        event = _only(receipt.events, Traded)
        left = event.balances.collateral if return_margin else 0
        return_receipt = self._bring_back(plan.account, left, return_margin)
        block = (return_receipt or receipt).block
        after = self.reader.account_by_id(plan.account, block=block)
        return ReduceResult(
            **self._trade(plan, event.result, after),
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

    def _preview(self, plan: _Plan) -> OpenPreview:
        raw, after = self._tried(plan)
        return OpenPreview(**self._trade(plan, raw, after), margin=self._money(plan.margin))

    def _preview_reduce(self, plan: _Plan, return_margin: str | None) -> ReducePreview:
        raw, after = self._tried(plan)
        returned = after.collateral if return_margin and after.collateral > 0 else Decimal(0)
        return ReducePreview(**self._trade(plan, raw, after), returned=returned)

    def _tried(self, plan: _Plan) -> tuple[TradeResult, AccountInfo]:
        if plan.fund == NONE:
            raw, view = self.backend.call("lens", "preview_trade", plan.account, plan.market.id, plan.delta, plan.limit)
            return raw, self.reader.account_infos([view])[0]
        steps: list[Call] = self._approval(plan.approve) + plan.steps()
        then = [("lens", "account", plan.account)]
        events, [view] = seam.simulate(self.backend, steps, then=then, sender=self.address)
        return _only(events, Traded).result, self.reader.account_infos([view])[0]

    def _approval(self, money: int) -> list[Call]:
        return [("token", "approve", self.backend.deployed["clearinghouse"].address, money)] if money else []

    def _approve(self, money: int) -> Receipt | None:
        """Lets the market take exactly `money` from the wallet."""
        for label, function, *args in self._approval(money):
            return self.backend.transact(label, function, *args, sender=self.address)
        return None

    def _transact(self, function: str, *args: Any) -> Receipt:
        return self.backend.transact("clearinghouse", function, *args, sender=self.address)

    # TELLING

    def _trade(self, plan: _Plan, raw: TradeResult, after: AccountInfo) -> dict[str, Any]:
        position = after.position(plan.market.symbol)
        # What a position is closed with is its opposite.
        side = position.side if position else Side.of_size(-plan.delta)
        return _fields(
            TradePreview,
            market=plan.market.symbol,
            isolated=sub_of(plan.account) != CROSS_SUB,
            side=side,
            size=to_decimal(abs(raw.delta)),
            fill_price=to_decimal(raw.fill),
            mark_price=to_decimal(raw.mark),
            fee=self._money(raw.fee),
            funding=self._money(raw.funding),
            realized_pnl=self._money(raw.realized),
            account=after,
            position=position,
            raw=raw,
        )

    def _liquidation(self, info: MarketInfo, raw: LiquidationResult, after: AccountInfo) -> dict[str, Any]:
        return _fields(
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
        after = self.reader.account_by_id(account, block=receipt.block)
        return MoneyResult(amount=self._money(money), account=after, receipt=receipt, approval=approval)

    def _money(self, quanta: int) -> Decimal:
        return to_decimal(quanta, self.reader.decimals)

    def _name(self, account: int) -> str:
        return CROSS if sub_of(account) == CROSS_SUB else f"number {sub_of(account)}"


def _fund(value: str | None, *, default: str, isolated: bool) -> str:
    choices = [WALLET, CROSS, NONE] if isolated else [WALLET, NONE]
    if value is None:
        return default
    if value not in choices:
        raise BadChoice("fund", value, choices)
    return value


def _where(isolated: bool) -> str:
    return "isolated" if isolated else "cross"


def _only(events: Iterable[Event], kind: type[E]) -> E:
    """The event of a kind that every success emits exactly once."""
    [event] = [event for event in events if isinstance(event, kind)]
    return event


def _fields(kind: type, **values: Any) -> dict[str, Any]:
    """The values of a dataclass, all of them and no others."""
    assert values.keys() == {field.name for field in fields(kind)}
    return values
