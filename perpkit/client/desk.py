"""What all actions of a trader have in common: looking, planning, telling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

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
)
from perpkit.client.names import CROSS, CROSS_SUB, NONE, WALLET, isolated_sub
from perpkit.client.reader import Reader, to_address
from perpkit.client.results import TradePreview
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
from perpkit.client.views import AccountInfo, MarketInfo
from perpkit.model.errors import ERC20InsufficientBalance, OnlyOrders
from perpkit.model.events import Event
from perpkit.model.types import AccountView, Address, Position, TradeResult, account_id, owner_of, sub_of

DEFAULT_SLIPPAGE = Decimal("0.005")


@dataclass(frozen=True, slots=True)
class Plan:
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
        return [*self.funding(), ("clearinghouse", "trade", self.account, self.market.id, self.delta, self.limit)]

    def funding(self) -> list[Call]:
        """What brings the margin."""
        if self.fund == WALLET:
            return [("clearinghouse", "deposit", self.account, self.margin)]
        if self.fund == CROSS:
            cross = account_id(owner_of(self.account), CROSS_SUB)
            return [("clearinghouse", "transfer", cross, self.account, self.margin)]
        return []


class Desk:
    """Looks and plans for one address, whose key the backend has."""

    def __init__(self, backend: Backend, address: str, *, slippage: Amount = DEFAULT_SLIPPAGE) -> None:
        self.backend = backend
        self.address: Address = to_address("address", address)
        self.reader = Reader(backend)
        self.slippage = slippage

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
        price: int | None = None,
    ) -> Plan:
        """`price` {usd/base, 1e18} is that at which it opens, when that is not the mark price."""
        chosen = Side.of(side)
        source = fund_of(fund, default=WALLET if isolated else NONE, isolated=isolated)
        info, account, position, wallet = self._look(market, isolated)
        if position.size != 0:
            raise PositionExists(info.symbol, Side.of_size(position.size).value, where_text(isolated))
        at = info.raw.mark if price is None else price
        delta, money = self._sized(at, margin, size, leverage, size_alone=not isolated and source == NONE)
        check_leverage(info.symbol, info.raw, leverage=leverage, size=delta)
        if isolated and money is not None and leverage is None:
            decimals = self.reader.decimals
            check_implied_leverage(info.symbol, info.raw, size=delta, margin=money, mark=at, decimals=decimals)
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
    ) -> Plan:
        info, account, position = self._find(market, isolated, self.address)
        is_isolated = sub_of(account) != CROSS_SUB
        brings_margin = is_isolated and (margin is not None or leverage is not None)
        source = fund_of(fund, default=WALLET if brings_margin else NONE, isolated=is_isolated)
        delta, money = self._sized(info.raw.mark, margin, size, leverage, size_alone=source == NONE)
        check_leverage(info.symbol, info.raw, leverage=leverage, size=abs(position.size) + delta)
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
    ) -> Plan:
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
    ) -> Plan:
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
    ) -> Plan:
        limit = price_limit(
            mark=info.raw.mark,
            buys=delta > 0,
            acceptable_price=acceptable_price,
            slippage=self.slippage if slippage is None else slippage,
        )
        approve = self._missing_approval(margin, *wallet) if fund == WALLET else 0
        return Plan(info, account, delta, margin, fund, limit, approve)

    def _direct(self, plan: Plan) -> Plan:
        """A plan for a market in which one may trade without an order; previews would not notice."""
        if plan.market.min_delay:
            raise OnlyOrders(plan.market.id, plan.market.min_delay)
        return plan

    def _sized(
        self,
        price: int,
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
            mark=price,
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
            raise NoOpenPosition(symbol, owner, "" if isolated is None else where_text(isolated))
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

    def _simulated(
        self, account: int, steps: list[Call], *, values: Sequence[int] = ()
    ) -> tuple[tuple[Event, ...], AccountInfo]:
        """The events of steps that are only tried out, and an account after them."""
        then: list[Call] = [("lens", "account", account), ("lens", "orders_of", account)]
        timestamp = seam.now(self.backend).timestamp
        events, [view, orders] = seam.simulate(self.backend, steps, then=then, sender=self.address, values=values)
        return events, self.reader.account_infos([view], [orders], timestamp)[0]

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

    def _trade(self, symbol: str, raw: TradeResult, after: AccountInfo) -> dict[str, Any]:
        position = after.position(symbol)
        # What a position is closed with is its opposite.
        side = position.side if position else Side.of_size(-raw.delta)
        return fields_of(
            TradePreview,
            market=symbol,
            isolated=after.sub != CROSS_SUB,
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

    def _money(self, quanta: int) -> Decimal:
        return to_decimal(quanta, self.reader.decimals)

    def _name(self, account: int) -> str:
        return CROSS if sub_of(account) == CROSS_SUB else f"number {sub_of(account)}"


def fund_of(value: str | None, *, default: str, isolated: bool) -> str:
    choices = [WALLET, CROSS, NONE] if isolated else [WALLET, NONE]
    if value is None:
        return default
    if value not in choices:
        raise BadChoice("fund", value, choices)
    return value


def where_text(isolated: bool) -> str:
    return "isolated" if isolated else "cross"


def fields_of(kind: type, **values: Any) -> dict[str, Any]:
    """The values of a dataclass, all of them and no others."""
    assert values.keys() == {field.name for field in fields(kind)}
    return values
