"""Reader: the market for people, without a key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any

from perpkit.backend import Backend, Receipt
from perpkit.client.errors import BadAddress, NoOrders, NoSuchMarket
from perpkit.client.leveraged import LeveragedTokenInfo, check_token, read_tokens, token_symbols
from perpkit.client.names import symbol_text
from perpkit.client.order_views import OrderInfo, order_infos
from perpkit.client.seam import Call, Moment, call_many, now
from perpkit.client.units import to_decimal
from perpkit.client.views import (
    AccountInfo,
    MarketInfo,
    PositionInfo,
    Snapshot,
    VaultInfo,
    account_info,
    market_info,
    vault_info,
)
from perpkit.model.errors import OrderAlreadyCancelled, OrderAlreadyExecuted, UnknownOrder
from perpkit.model.types import AccountView, Address, MarketView, Order, OrderStatus, OrderView, account_id

# Why an order of this status is not open.
_CLOSED = {
    OrderStatus.NONE: UnknownOrder,
    OrderStatus.EXECUTED: OrderAlreadyExecuted,
    OrderStatus.CANCELLED: OrderAlreadyCancelled,
}

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


def to_address(name: str, value: str) -> Address:
    """An address in the lowercase in which the ledger has it."""
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise BadAddress(name, value)
    return value.lower()


class Reader:
    """Reads the market on any backend."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        # Markets are only ever added, and never change their symbol.
        self._symbols: tuple[str, ...] = ()

    @cached_property
    def decimals(self) -> int:
        """Of the token."""
        return int(self.backend.call("token", "decimals"))

    # MARKETS

    def markets(self) -> tuple[MarketInfo, ...]:
        """Every market now."""
        return self._market_infos(self.backend.call("lens", "markets"))

    def market(self, symbol: str) -> MarketInfo:
        """One market now."""
        return self.pick(self.markets(), symbol)

    def price(self, symbol: str) -> Decimal:
        """The mark price; raises the oracle's own error when there is none."""
        return to_decimal(self.backend.call("oracle", "price", self.market_id(symbol))[0])

    def funding_rate(self, symbol: str) -> Decimal:
        """Per funding interval of the market; positive when longs pay shorts."""
        return self.market(symbol).funding_rate

    def market_id(self, symbol: str) -> int:
        """The id behind a symbol; asks the backend only about one that it has not seen yet."""
        if symbol not in self._symbols:
            self.pick(self.markets(), symbol)
        return self._symbols.index(symbol)

    def symbols(self) -> tuple[str, ...]:
        """The symbols of all markets, by id."""
        return tuple(market.symbol for market in self.markets())

    # ACCOUNTS

    def account(self, owner: str, sub: int = 0) -> AccountInfo:
        """One account now; number 0 is the cross account, number m + 1 the isolated one of market m."""
        return self.account_by_id(account_id(to_address("owner", owner), sub))

    def account_by_id(self, account: int, *, receipt: Receipt | None = None) -> AccountInfo:
        """One account now, or as a transaction left it."""
        moment = now(self.backend) if receipt is None else Moment(receipt.block, receipt.timestamp)
        calls: list[Call] = [("lens", "account", account), ("lens", "orders_of", account)]
        view, orders = call_many(self.backend, calls, block=moment.block)
        return self.account_infos([view], [orders], moment.timestamp)[0]

    def accounts(self, owner: str, count: int | None = None) -> tuple[AccountInfo, ...]:
        """The first `count` accounts of an owner: the cross account and one for each market when not said."""
        address = to_address("owner", owner)
        known = len(self._known_symbols())
        number = known + 1 if count is None else count
        moment = now(self.backend)
        calls: list[Call] = [("clearinghouse", "market_count"), ("lens", "accounts_of", address, 0, number)]
        calls += _orders_calls(address, number)
        markets, views, *orders = call_many(self.backend, calls, block=moment.block)
        if count is None and markets > known:
            self.markets()
            return self.accounts(owner)
        return self.account_infos(views, orders, moment.timestamp)

    def positions(self, owner: str) -> tuple[PositionInfo, ...]:
        """Every position of an owner, in cross and isolated margin, with the orders that wait to make it smaller."""
        return tuple(position for account in self.accounts(owner) for position in account.positions)

    # ORDERS

    def orders(self, owner: str, symbol: str | None = None, *, isolated: bool | None = None) -> tuple[OrderInfo, ...]:
        """The open orders of an owner by id; of one market, or of one kind of margin, when that is said. They read
        without a fresh price too."""
        address = to_address("owner", owner)
        if symbol is not None:
            self.market_id(symbol)
        known = len(self._known_symbols())
        moment = now(self.backend)
        calls: list[Call] = [("clearinghouse", "market_count"), *_orders_calls(address, known + 1)]
        markets, *views = call_many(self.backend, calls, block=moment.block)
        if markets > known:
            self.markets()
            return self.orders(owner, symbol, isolated=isolated)
        found = (order for each in views for order in self.order_infos(each, moment.timestamp))
        kept = (order for order in found if symbol in (None, order.market) and isolated in (None, order.isolated))
        return tuple(sorted(kept, key=lambda order: order.id))

    def order(self, id: int) -> OrderInfo:
        """One open order; raises what the contract says of one that is none, or is closed."""
        raw: Order = self.backend.call(self.orders_label(), "order_of", id)
        if raw.status != OrderStatus.OPEN:
            raise _CLOSED[OrderStatus(raw.status)](id)
        return next(order for order in self.orders_of_account(raw.account) if order.id == id)

    def orders_of_account(self, account: int, *, receipt: Receipt | None = None) -> tuple[OrderInfo, ...]:
        """The open orders of one account now, or as a transaction left them."""
        moment = now(self.backend) if receipt is None else Moment(receipt.block, receipt.timestamp)
        [views] = call_many(self.backend, [("lens", "orders_of", account)], block=moment.block)
        return self.order_infos(views, moment.timestamp)

    @cached_property
    def execution_fee(self) -> Decimal:
        """In ether: the least that an order puts aside for whoever executes it."""
        return to_decimal(self.backend.call(self.orders_label(), "MIN_EXECUTION_FEE"))

    def credit(self, owner: str) -> Decimal:
        """The ether that waits for an address at the orders contract, because it did not take it."""
        return to_decimal(self.backend.call(self.orders_label(), "credit_of", to_address("owner", owner)))

    def orders_label(self) -> str:
        """The label of the contract, when this market has one."""
        if "orders" not in self.backend.deployed:
            raise NoOrders(self.backend.name)
        return "orders"

    # MONEY

    def vault(self) -> VaultInfo:
        """The house's own money now."""
        return vault_info(self.backend.call("clearinghouse", "vault"), decimals=self.decimals)

    def balance(self, owner: str) -> Decimal:
        """The tokens in a wallet."""
        return to_decimal(self.backend.call("token", "balance_of", to_address("owner", owner)), self.decimals)

    def allowance(self, owner: str) -> Decimal:
        """The tokens of a wallet that the market may take."""
        house = self.backend.deployed["clearinghouse"].address
        return to_decimal(self.backend.call("token", "allowance", to_address("owner", owner), house), self.decimals)

    # LEVERAGED TOKENS

    def leveraged_tokens(self, *, owner: str | None = None) -> tuple[LeveragedTokenInfo, ...]:
        """Every leveraged token now, and what somebody holds of each."""
        holder = None if owner is None else to_address("owner", owner)
        return read_tokens(self, token_symbols(self.backend), holder)

    def leveraged_token(self, symbol: str, *, owner: str | None = None) -> LeveragedTokenInfo:
        """One leveraged token now, and what somebody holds of it."""
        check_token(self.backend, symbol)
        [info] = read_tokens(self, [symbol], None if owner is None else to_address("owner", owner))
        return info

    # EVERYTHING

    def snapshot(self, *owners: str) -> Snapshot:
        """Markets, vault and all accounts of some owners, at one block."""
        addresses = [to_address("owner", owner) for owner in owners]
        number = len(self._known_symbols()) + 1
        calls: list[Call] = [("lens", "markets"), ("clearinghouse", "vault")]
        calls += [("lens", "accounts_of", address, 0, number) for address in addresses]
        calls += [call for address in addresses for call in _orders_calls(address, number)]
        moment = now(self.backend)
        markets, vault, *read = call_many(self.backend, calls, block=moment.block)
        infos = self._market_infos(markets)
        if len(infos) >= number:
            return self.snapshot(*owners)
        accounts = [account for views in read[: len(addresses)] for account in views]
        return Snapshot(
            block=moment.block,
            timestamp=moment.timestamp,
            markets=infos,
            vault=vault_info(vault, decimals=self.decimals),
            accounts=self.account_infos(accounts, read[len(addresses) :], moment.timestamp),
        )

    # FOR TRADERS

    def together(self, *calls: Any) -> tuple[tuple[MarketInfo, ...], list[Any]]:
        """Every market, and the raw results of other calls, at one block."""
        views, *others = call_many(self.backend, [("lens", "markets"), *calls])
        return self._market_infos(views), others

    def pick(self, markets: Sequence[MarketInfo], symbol: str) -> MarketInfo:
        for market in markets:
            if market.symbol == symbol:
                return market
        raise NoSuchMarket(symbol, [market.symbol for market in markets])

    def account_infos(
        self, views: Sequence[AccountView], orders: Sequence[Sequence[OrderView]], timestamp: int
    ) -> tuple[AccountInfo, ...]:
        """Accounts with the open orders of each, as of a time {s}."""
        self._learn([p.market for view in views for p in view.positions])
        return tuple(
            account_info(view, self.order_infos(own, timestamp), symbols=self._symbols, decimals=self.decimals)
            for view, own in zip(views, orders, strict=True)
        )

    def order_infos(self, views: Sequence[OrderView], timestamp: int) -> tuple[OrderInfo, ...]:
        """All open orders of one account, as of a time {s}."""
        self._learn([view.order.market for view in views])
        return order_infos(views, symbols=self._symbols, timestamp=timestamp)

    def _market_infos(self, views: Sequence[MarketView]) -> tuple[MarketInfo, ...]:
        self._symbols = tuple(symbol_text(view.symbol) for view in views)
        return tuple(market_info(view, decimals=self.decimals) for view in views)

    def _known_symbols(self) -> tuple[str, ...]:
        if not self._symbols:
            self.markets()
        return self._symbols

    def _learn(self, markets: Sequence[int]) -> None:
        """Reads the markets again, when one of these was listed since."""
        if any(market >= len(self._symbols) for market in markets):
            self.markets()


def _orders_calls(owner: Address, number: int) -> list[Call]:
    return [("lens", "orders_of", account_id(owner, sub)) for sub in range(number)]
