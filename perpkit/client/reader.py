"""Reader: the market for people, without a key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any

from perpkit.backend import Backend
from perpkit.client.errors import BadAddress, NoSuchMarket
from perpkit.client.leveraged import LeveragedTokenInfo, check_token, read_tokens, token_symbols
from perpkit.client.seam import Call, call_many, now
from perpkit.client.units import to_decimal
from perpkit.client.views import (
    AccountInfo,
    MarketInfo,
    PositionInfo,
    Snapshot,
    VaultInfo,
    account_info,
    market_info,
    symbol_text,
    vault_info,
)
from perpkit.model.types import AccountView, Address, MarketView, account_id

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

    def account_by_id(self, account: int, *, block: int | None = None) -> AccountInfo:
        """One account now, or at a block."""
        [view] = call_many(self.backend, [("lens", "account", account)], block=block)
        return self.account_infos([view])[0]

    def accounts(self, owner: str, count: int | None = None) -> tuple[AccountInfo, ...]:
        """The first `count` accounts of an owner: the cross account and one for each market when not said."""
        address = to_address("owner", owner)
        if count is not None:
            return self.account_infos(self.backend.call("lens", "accounts_of", address, 0, count))
        known = len(self._known_symbols())
        read = ("lens", "accounts_of", address, 0, known + 1)
        views, markets = call_many(self.backend, [read, ("clearinghouse", "market_count")])
        if markets > known:
            self.markets()
            return self.accounts(owner)
        return self.account_infos(views)

    def positions(self, owner: str) -> tuple[PositionInfo, ...]:
        """Every position of an owner, in cross and isolated margin."""
        return tuple(position for account in self.accounts(owner) for position in account.positions)

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
        moment = now(self.backend)
        markets, vault, *accounts = call_many(self.backend, calls, block=moment.block)
        infos = self._market_infos(markets)
        if len(infos) >= number:
            return self.snapshot(*owners)
        return Snapshot(
            block=moment.block,
            timestamp=moment.timestamp,
            markets=infos,
            vault=vault_info(vault, decimals=self.decimals),
            accounts=tuple(info for views in accounts for info in self.account_infos(views)),
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

    def account_infos(self, views: Sequence[AccountView]) -> tuple[AccountInfo, ...]:
        if self._are_new(views):
            self.markets()
        return tuple(account_info(view, symbols=self._symbols, decimals=self.decimals) for view in views)

    def _market_infos(self, views: Sequence[MarketView]) -> tuple[MarketInfo, ...]:
        self._symbols = tuple(symbol_text(view.symbol) for view in views)
        return tuple(market_info(view, decimals=self.decimals) for view in views)

    def _known_symbols(self) -> tuple[str, ...]:
        if not self._symbols:
            self.markets()
        return self._symbols

    def _are_new(self, views: Sequence[AccountView]) -> bool:
        """Whether a position stands in a market that was listed since the markets were read."""
        return any(p.market >= len(self._symbols) for view in views for p in view.positions)
