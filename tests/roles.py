"""Who acts in the tests, and the house in which they act: one sentence per action, on any backend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from typing import Any

from perpkit.backend import Receipt, Sandbox
from perpkit.market_setup import (
    DEFAULT_MARKETS,
    DOLLAR,
    MIN_EXECUTION_FEE,
    ROLES,
    UNIT,
    MarketSpec,
    list_market,
    push_prices,
)
from perpkit.model.errors import NotAnnounced
from perpkit.model.events import Deposited, Liquidated, Settled, Traded, Transferred
from perpkit.model.test_usd import UINT256_MAX
from perpkit.model.types import (
    AccountView,
    Address,
    MarketParams,
    MarketState,
    OracleConfig,
    Order,
    OrderKind,
    OrderRequest,
    OrderView,
    Position,
    RiskTier,
    SignedOrder,
    Vault,
    account_id,
    owner_of,
    sub_of,
)

START = 1_750_000_000
ETH, BTC, SOL = 0, 1, 2
INT256_MIN, INT256_MAX = -(2**255), 2**255 - 1
CHAIN_ID = 31337

BASIS_POINT = UNIT // 10_000

# The default markets with room for large positions, so that literal numbers stay round.
ROOM = {"ETH-USD": 20_000, "BTC-USD": 1_000, "SOL-USD": 400_000}
MARKETS = tuple(
    replace(spec, params=replace(spec.params, max_open_interest=ROOM[spec.symbol] * UNIT)) for spec in DEFAULT_MARKETS
)
HOUR = 3600
DAY = 24 * HOUR

_ROLE_OF = {address: role for role, address in ROLES.items()}


def address(who: str) -> Address:
    """The address of a role; an address stands for itself."""
    return ROLES.get(who, who)


def role_of(owner: Address) -> str:
    """The role whose address that is."""
    return _ROLE_OF[owner]


def acc(name: str) -> int:
    """The account of a name: "trader" is the trader's account 0, "trader/3" the trader's account 3."""
    owner, _, sub = name.partition("/")
    return account_id(address(owner), int(sub or 0))


def name_of(account: int) -> str:
    """The name of an account, for messages."""
    owner = _ROLE_OF.get(owner_of(account), owner_of(account))
    return f"{owner}/{sub_of(account)}" if sub_of(account) else owner


def dollars(amount: int | str | Fraction) -> int:
    """Dollars as quanta of a six-digit token; what is no whole quantum is refused."""
    quanta = Fraction(amount) * DOLLAR
    assert quanta.denominator == 1, f"{amount} dollars are no whole number of quanta"
    return int(quanta)


def units(amount: int | str | Fraction) -> int:
    """A size, price or ratio as an integer with 18 digits."""
    value = Fraction(amount) * UNIT
    assert value.denominator == 1, f"{amount} has more than 18 digits"
    return int(value)


def order(
    name: str,
    size: int,
    kind: OrderKind = OrderKind.MARKET,
    *,
    market: int = ETH,
    trigger: int = 0,
    worst: int = 0,
    trail: int = 0,
    ratio: bool = False,
    expiry: int = 0,
) -> OrderRequest:
    """An order for the account of that name; `worst` is the acceptable price."""
    return OrderRequest(acc(name), market, kind, False, size, trigger, worst, trail, ratio, expiry)


def closing(request: OrderRequest) -> OrderRequest:
    """The same order, reduce-only."""
    return replace(request, reduce_only=True)


def stop(name: str, size: int, trigger: int | str | Fraction, *, market: int = ETH, worst: int = 0) -> OrderRequest:
    """Closes at a mark at least as bad as `trigger` dollars."""
    return closing(order(name, size, OrderKind.STOP, market=market, trigger=units(trigger), worst=worst))


def take_profit(name: str, size: int, trigger: int | str | Fraction, *, market: int = ETH) -> OrderRequest:
    """Closes at a mark at least as good as `trigger` dollars."""
    return closing(order(name, size, OrderKind.TAKE_PROFIT, market=market, trigger=units(trigger)))


def limit(name: str, size: int, trigger: int | str | Fraction, *, market: int = ETH) -> OrderRequest:
    """Trades at `trigger` dollars or better."""
    return order(name, size, OrderKind.LIMIT, market=market, trigger=units(trigger))


class House:
    """Everything on one sandbox, with roles for senders, names for accounts and whole events for answers."""

    def __init__(self, sandbox: Sandbox, *, specs: Sequence[MarketSpec] = MARKETS, dollar: int = DOLLAR) -> None:
        self.sandbox = sandbox
        self.specs = list(specs)
        self.dollar = dollar
        self.prices = {spec: spec.price for spec in specs}
        # Every account that any event has named, as an indexer would know them.
        self.accounts: set[int] = set()
        # Tokens that were sent past `deposit` and not skimmed yet.
        self.unbooked = 0

    # ANY CALL

    def do(self, function: str, *args: Any, by: str, label: str = "clearinghouse", value: int = 0) -> Receipt:
        """One transaction, with `value` wei."""
        receipt = self.sandbox.transact(label, function, *args, sender=address(by), value=value)
        for event in receipt.events:
            match event:
                case Deposited(account=account) | Traded(account=account) | Settled(account=account):
                    self.accounts.add(account)
                case Transferred(from_=source, to=target):
                    self.accounts |= {source, target}
                case Liquidated(account=account, keeper=keeper):
                    self.accounts |= {account, keeper}
        return receipt

    def ask(self, function: str, *args: Any, label: str = "clearinghouse", by: str | None = None) -> Any:
        """One call, after which everything is as before."""
        sender = None if by is None else address(by)
        with self.sandbox.rolled_back():
            return self.sandbox.call(label, function, *args, sender=sender)

    @contextmanager
    def rolled_back(self) -> Iterator[House]:
        """A copy of the house that may be ruined."""
        copy = House(self.sandbox, specs=self.specs, dollar=self.dollar)
        copy.prices, copy.accounts, copy.unbooked = dict(self.prices), set(self.accounts), self.unbooked
        with self.sandbox.rolled_back():
            yield copy

    # MONEY

    def mint(self, who: str, amount: int) -> None:
        self.do("mint", address(who), amount, by=who, label="token")

    def deposit(self, name: str, amount: int, *, by: str | None = None) -> Receipt:
        return self.do("deposit", acc(name), amount, by=by or name.partition("/")[0])

    def withdraw(self, name: str, amount: int, *, to: str | None = None, by: str | None = None) -> Receipt:
        owner = name.partition("/")[0]
        return self.do("withdraw", acc(name), amount, address(to or owner), by=by or owner)

    def transfer(self, source: str, target: str, amount: int, *, by: str | None = None) -> Receipt:
        return self.do("transfer", acc(source), acc(target), amount, by=by or source.partition("/")[0])

    def donate(self, amount: int, *, by: str = "whale") -> None:
        """Sends tokens past `deposit`."""
        self.do("transfer", self.at("clearinghouse"), amount, by=by, label="token")
        self.unbooked += amount

    def skim(self, *, by: str = "outsider") -> Receipt:
        receipt = self.do("skim", by=by)
        self.unbooked = 0
        return receipt

    def fund_insurance(self, amount: int, *, by: str = "whale") -> Receipt:
        return self.do("fund_insurance", amount, by=by)

    # MARKET

    def trade(self, name: str, market: int, delta: int, *, limit: int | None = None, by: str | None = None) -> Receipt:
        """Buys (sells when negative) at any price, or at none worse than `limit`."""
        if limit is None:
            limit = INT256_MAX if delta > 0 else 0
        return self.do("trade", acc(name), market, delta, limit, by=by or name.partition("/")[0])

    def close(self, name: str, market: int) -> Receipt:
        return self.trade(name, market, -self.position(name, market).size)

    def settle(self, name: str, market: int, *, by: str = "outsider") -> Receipt:
        return self.do("settle", acc(name), market, by=by)

    def liquidate(self, name: str, market: int, *, by: str = "keeper") -> Receipt:
        return self.do("liquidate", acc(name), market, by=by)

    def liquidate_many(self, market: int, names: Sequence[str], *, by: str = "keeper") -> Receipt:
        return self.do("liquidate_many", market, tuple(acc(name) for name in names), by=by)

    def deleverage(self, market: int, long: bool, names: Sequence[str], *, by: str = "keeper") -> Receipt:
        """The accounts of `names`, in ascending order."""
        return self.do("deleverage", market, long, tuple(sorted(acc(name) for name in names)), by=by)

    # ORDERS

    def use_orders(self, *owners: str) -> None:
        """Lets the orders contract act for these owners."""
        for owner in owners:
            self.do("set_operator", self.at("orders"), True, by=owner)

    def place(self, request: OrderRequest, *, by: str | None = None, fee: int = MIN_EXECUTION_FEE) -> int:
        """Places an order; its id."""
        by = by or owner_of(request.account)
        return int(self.do("place", request, by=by, label="orders", value=fee).value)

    def place_many(
        self, *requests: OrderRequest, oco: bool = False, by: str | None = None, fee: int = MIN_EXECUTION_FEE
    ) -> Receipt:
        """Places several orders for `fee` wei each; the receipt's value is the first id."""
        by, value = by or owner_of(requests[0].account), fee * len(requests)
        return self.do("place_many", requests, oco, by=by, label="orders", value=value)

    def place_bracket(
        self, entry: OrderRequest, *exits: OrderRequest, oco: bool = True, by: str | None = None
    ) -> Receipt:
        """Places an entry and its exits; the receipt's value is the entry's id."""
        by, value = by or owner_of(entry.account), MIN_EXECUTION_FEE * (1 + len(exits))
        return self.do("place_bracket", entry, exits, oco, by=by, label="orders", value=value)

    def trade_with_exits(
        self, name: str, delta: int, *exits: OrderRequest, market: int = ETH, oco: bool = True, by: str | None = None
    ) -> Receipt:
        """Trades now, and places exits; the receipt's value is the result and the first exit's id."""
        by, value = by or name.partition("/")[0], MIN_EXECUTION_FEE * len(exits)
        worst = INT256_MAX if delta > 0 else 0
        args = (acc(name), market, delta, worst, exits, oco)
        return self.do("trade_with_exits", *args, by=by, label="orders", value=value)

    def place_signed(
        self, signed: SignedOrder, signature: Any, *, by: str = "outsider", fee: int = MIN_EXECUTION_FEE
    ) -> int:
        return int(self.do("place_signed", signed, signature, by=by, label="orders", value=fee).value)

    def execute(self, id: int, *, by: str = "keeper") -> Receipt:
        return self.do("execute", id, by=by, label="orders")

    def ratchet(self, id: int, *, by: str = "keeper") -> Receipt:
        return self.do("ratchet", id, by=by, label="orders")

    def cancel(self, id: int, *, by: str = "trader") -> Receipt:
        return self.do("cancel", id, by=by, label="orders")

    def cancel_all(self, name: str, *, by: str | None = None) -> Receipt:
        return self.do("cancel_all", acc(name), by=by or name.partition("/")[0], label="orders")

    def cancel_signed(self, name: str, nonce: int, *, by: str | None = None) -> Receipt:
        return self.do("cancel_signed", acc(name), nonce, by=by or name.partition("/")[0], label="orders")

    def claim(self, who: str, *, by: str = "outsider") -> Receipt:
        return self.do("claim", address(who), by=by, label="orders")

    def order(self, id: int) -> Order:
        order: Order = self.sandbox.call("orders", "order_of", id)
        return order

    def orders_of(self, name: str) -> tuple[int, ...]:
        """The ids of an account's open orders."""
        ids: tuple[int, ...] = self.sandbox.call("orders", "orders_of", acc(name))
        return ids

    def order_views(self, name: str) -> tuple[OrderView, ...]:
        views: tuple[OrderView, ...] = self.sandbox.call("lens", "orders_of", acc(name))
        return views

    def is_dead(self, id: int) -> bool:
        return bool(self.sandbox.call("orders", "is_dead", id))

    def ether(self, who: str) -> int:
        """The wei of a role, an address or a contract's label."""
        return self.sandbox.ether_of(self.at(who) if who in self.sandbox.deployed else address(who))

    # PRICES AND TIME

    def set_price(self, market: int, price: int | str | Fraction) -> None:
        """Publishes a price in dollars on every feed of a market."""
        spec = self.specs[market]
        self.prices[spec] = units(price)
        push_prices(self.sandbox, {spec: self.prices[spec]})

    def refresh(self) -> None:
        """Publishes all prices again, as of now."""
        push_prices(self.sandbox, self.prices)

    def wait(self, seconds: int, *, refresh: bool = True) -> None:
        self.sandbox.set_time(self.sandbox.timestamp + seconds)
        if refresh:
            self.refresh()

    def exact_feed(self, market: int) -> None:
        """Gives a market one feed of 18 digits, for prices exact to the unit."""
        label = f"feed:exact:{market}"
        feed = self.sandbox.deploy(label, "PushFeed", address("governor"), 18, "exact", sender=address("governor"))
        self.do("set_feeds", market, OracleConfig(HOUR, UNIT // 50, 1, (feed,)), by="governor", label="oracle")

    def set_exact_price(self, market: int, price: int) -> None:
        """Publishes a price of 18 digits on the exact feed of a market."""
        self.prices[self.specs[market]] = price
        self.do("push", price, by="governor", label=f"feed:exact:{market}")

    # GOVERNING

    def set_params(self, market: int, **changes: int) -> MarketParams:
        """Changes some parameters of a market."""
        params = replace(self.params(market), **changes)
        self.govern(market, params, self.sandbox.call("clearinghouse", "risk_tiers_of", market))
        return params

    def set_tiers(self, market: int, *tiers: RiskTier) -> None:
        """Replaces the risk tiers above the first."""
        self.govern(market, self.params(market), tiers)

    def govern(self, market: int, params: MarketParams, tiers: tuple[RiskTier, ...]) -> None:
        """Sets parameters and tiers, announced before where they need it, at the time and the prices of now."""
        try:
            self.do("set_market_params", market, params, tiers, by="governor")
        except NotAnnounced:
            self.do("announce_market_params", market, params, tiers, by="governor")
            self.wait(DAY)
            self.do("set_market_params", market, params, tiers, by="governor")

    def pause(self, market: int, bits: int) -> Receipt:
        return self.do("set_market_paused", market, bits, by="governor")

    def record_outage(self, market: int, *, by: str = "outsider") -> Receipt:
        return self.do("record_outage", market, by=by)

    def delist(self, market: int, *, price: int | str | Fraction | None = None) -> Receipt:
        """Announces the end of a market, waits the day, and ends it at a price in dollars, or at the last one."""
        self.do("announce_delisting", market, by="governor")
        self.wait(DAY)
        if price is not None:
            self.set_price(market, price)
        return self.do("delist_market", market, by="governor")

    def close_out(self, market: int, names: Sequence[str], *, by: str = "outsider") -> Receipt:
        return self.do("close_out", market, tuple(acc(name) for name in names), by=by)

    def delay(self, market: int, seconds: int) -> None:
        """From now on only orders trade in a market, at prices that are `seconds` newer than they are."""
        self.set_params(market, min_delay=seconds)

    def make_free(self, market: int) -> None:
        """Takes all fees and all funding from a market, and nearly all of its premium."""
        self.set_params(market, taker_fee=0, maker_fee=0, max_funding_rate=0, skew_scale=2**96 - 1)

    def list_like(self, market: int, symbol: str) -> int:
        """Lists one more market with the parameters and the price of another; its id."""
        spec = replace(self.specs[market], symbol=symbol)
        list_market(self.sandbox, len(self.specs), spec)
        self.specs.append(spec)
        self.prices[spec] = spec.price
        return len(self.specs) - 1

    # READING

    def at(self, label: str) -> Address:
        return self.sandbox.deployed[label].address

    def vault(self) -> Vault:
        vault: Vault = self.sandbox.call("clearinghouse", "vault")
        return vault

    def collateral(self, name: str) -> int:
        collateral: int = self.sandbox.call("clearinghouse", "collateral_of", acc(name))
        return collateral

    def position(self, name: str, market: int) -> Position:
        position: Position = self.sandbox.call("clearinghouse", "position_of", acc(name), market)
        return position

    def params(self, market: int) -> MarketParams:
        params: MarketParams = self.sandbox.call("clearinghouse", "params_of", market)
        return params

    def state(self, market: int) -> MarketState:
        state: MarketState = self.sandbox.call("clearinghouse", "state_of", market)
        return state

    def margin(self, name: str) -> tuple[int, int, int]:
        """Raw equity, initial and maintenance margin."""
        equity, initial_margin, maintenance_margin = self.sandbox.call("clearinghouse", "margin_of", acc(name))
        return equity, initial_margin, maintenance_margin

    def view(self, name: str) -> AccountView:
        view: AccountView = self.sandbox.call("lens", "account", acc(name))
        return view

    def wallet(self, who: str) -> int:
        """The tokens of an address."""
        balance: int = self.sandbox.call("token", "balance_of", address(who))
        return balance

    def shares(self, who: str) -> int:
        """The pool shares of an address."""
        shares: int = self.sandbox.call("pool", "balance_of", address(who))
        return shares

    def mark(self, market: int) -> int:
        mark, _ = self.sandbox.call("oracle", "price", market)
        return int(mark)


def allow_everything(house: House, who: str) -> None:
    """Lets clearinghouse and pool take any tokens of an address."""
    for label in ("clearinghouse", "pool"):
        house.do("approve", house.at(label), UINT256_MAX, by=who, label="token")
