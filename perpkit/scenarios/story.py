"""What every story is made of: roles who act, prices that move, a keeper, a ledger that is written after each step.

A story is a module with NAME, IN_A_LINE and `play(sandbox, *, ...)`, which `catalogue` names. Its parameters have
words and bounds, `Annotated[int, "what it is", Between(1, 99)]`: they become help, check and JSON. One named `seed`
draws what may vary. It ends with `stage.end(NAME, *pictures)`: pictures are series of integers with their units
(`perpkit.picture`), most of them read off the ledger (`scenarios.pictures`), and `--report` draws them. A story that
gives none shows prices and everybody's equity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from perpkit.backend import Receipt, Sandbox
from perpkit.keeper.keeper import Keeper, KeeperReport
from perpkit.market_setup import (
    DEFAULT_SETUP,
    DOLLAR,
    FEED_TICK,
    MIN_EXECUTION_FEE,
    ROLES,
    UNIT,
    MarketSetup,
    push_prices,
    set_up,
)
from perpkit.model.errors import PerpError
from perpkit.model.events import Liquidated, OrderExecuted, OrderPlaced
from perpkit.model.laws import Moment, Watchman
from perpkit.model.types import AccountView, OrderKind, OrderRequest, OrderView, account_id
from perpkit.picture import Picture
from perpkit.scenarios.pictures import everybody
from perpkit.state import digest, read_state

STORY_START = 1_700_000_000
ANY_PRICE = 2**255 - 1
# What a story's orders pay their keeper. {wei}
EXECUTION_FEE = MIN_EXECUTION_FEE


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the ledger: what happened, and how everybody stands. Money in quanta, prices 1e18.

    `seconds` have passed since the story began; `liquidated` are those of the cast who were since the step before.
    """

    words: str
    seconds: int
    prices: Mapping[str, int]
    accounts: Mapping[str, Mapping[str, int]]
    insurance: int
    pool: int
    deficit: int
    liquidated: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoryResult:
    """What a story ended in."""

    name: str
    backend: str
    digest: str
    laws: Mapping[str, bool]
    expected: Mapping[str, bool]
    steps: tuple[Step, ...]
    pictures: tuple[Picture, ...]
    parameters: Mapping[str, object] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        return all(self.laws.values()) and all(self.expected.values())


class Stage:
    """A market on a sandbox, with roles by name. Everything that happens goes through here and is watched."""

    def __init__(self, sandbox: Sandbox, setup: MarketSetup = DEFAULT_SETUP) -> None:
        self.sandbox = sandbox
        self.setup = setup
        self.steps: list[Step] = []
        self.expected: dict[str, bool] = {}
        self._cursor = 0
        self._liquidated: set[int] = set()
        self._waiting = False
        self._fills: dict[int, OrderExecuted] = {}
        set_up(self.sandbox, self.setup)
        self.symbols = {spec.symbol: market for market, spec in enumerate(self.setup.markets)}
        self.prices = {market: spec.price for market, spec in enumerate(self.setup.markets)}
        self.keeper = Keeper(self.sandbox, ROLES["keeper"])
        self.watchman = Watchman(quantum=self.keeper.book.quantum)
        self.cast: dict[str, int] = {}
        self._start = self.sandbox.timestamp
        self.watch()

    def deposit(self, role: str, dollars: int, *, sub: int = 0) -> int:
        """Puts a role's money into one of its accounts, and returns the account."""
        account = account_id(ROLES[role], sub)
        self.act(role, "deposit", account, dollars * DOLLAR)
        self.cast.setdefault(role if sub == 0 else f"{role} {sub}", account)
        return account

    def trade(self, role: str, symbol: str, *, milli: int, sub: int = 0) -> Receipt:
        """Buys (or sells, when negative) thousandths of the base asset at any price."""
        account, delta = account_id(ROLES[role], sub), milli * UNIT // 1000
        limit = ANY_PRICE if delta > 0 else 0
        return self.act(role, "trade", account, self.symbols[symbol], delta, limit)

    def place(
        self,
        role: str,
        symbol: str,
        kind: OrderKind,
        *,
        milli: int,
        trigger: int = 0,
        worst: int = 0,
        trail_percent: int = 0,
    ) -> int:
        """Places a reduce-only order on thousandths of the base asset, in dollars, and returns its id."""
        orders = self.sandbox.deployed["orders"].address
        if not self.sandbox.call("clearinghouse", "is_operator", ROLES[role], orders):
            self.act(role, "set_operator", orders, True)
        request = OrderRequest(
            account=account_id(ROLES[role]),
            market=self.symbols[symbol],
            kind=kind,
            reduce_only=True,
            size=milli * UNIT // 1000,
            trigger=trigger * UNIT,
            acceptable_price=worst * UNIT,
            trail=trail_percent * UNIT // 100,
            trail_is_ratio=trail_percent != 0,
            expiry=0,
        )
        receipt = self.act(role, "place", request, label="orders", value=EXECUTION_FEE)
        self._waiting = True
        return next(event.id for event in receipt.events if isinstance(event, OrderPlaced))

    def act(self, role: str, function: str, *args: Any, label: str = "clearinghouse", value: int = 0) -> Receipt:
        receipt = self.sandbox.transact(label, function, *args, sender=ROLES[role], value=value)
        self.watch()
        return receipt

    def refused(self, role: str, function: str, *args: Any, label: str = "clearinghouse") -> PerpError | None:
        """The error with which an action is refused; None when it was done."""
        try:
            self.act(role, function, *args, label=label)
        except PerpError as error:
            return error
        return None

    def expect_refused(self, what: str, error: PerpError, role: str, function: str, *args: Any) -> None:
        """The story promises that `what` is refused with just this error."""
        raised = self.refused(role, function, *args)
        self.expect(f"{what} is refused: {error}", raised == error)

    def price(self, symbol: str, dollars: int, *, after: int = 60) -> KeeperReport:
        """Moves one price, `after` seconds from now, and lets the keeper answer."""
        return self.price_many({symbol: dollars}, after=after)

    def price_many(self, dollars: Mapping[str, int], *, after: int = 60) -> KeeperReport:
        """Moves several prices at once."""
        return self.price_exactly({symbol: price * UNIT for symbol, price in dollars.items()}, after=after)

    def advance(self, seconds: int) -> KeeperReport:
        """Lets time pass at the same prices, which are published again at its end."""
        return self.price_exactly({}, after=seconds)

    def price_exactly(self, prices: Mapping[str, int], *, after: int = 60) -> KeeperReport:
        """Moves prices {usd/base, 1e18}, which are cut to what a feed can say."""
        for symbol, price in prices.items():
            self.prices[self.symbols[symbol]] = price // FEED_TICK * FEED_TICK
        self.sandbox.set_time(self.sandbox.timestamp + after)
        push_prices(self.sandbox, {spec: self.prices[m] for m, spec in enumerate(self.setup.markets)})
        self.watch()
        self._execute_orders()
        report = self.keeper.step()
        self.watch()
        return report

    def _execute_orders(self) -> None:
        """What a keeper of orders does at a new price: trailing stops follow it, and what it has reached is filled."""
        if not self._waiting:
            return
        for account in self.cast.values():
            for view in self._orders(account):
                if view.order.kind == OrderKind.TRAILING_STOP and not view.dead:
                    self.refused("keeper", "ratchet", view.id, label="orders")
            for view in self._orders(account):
                if view.executable:
                    self.refused("keeper", "execute", view.id, label="orders")

    def _orders(self, account: int) -> tuple[OrderView, ...]:
        views: tuple[OrderView, ...] = self.sandbox.call("lens", "orders_of", account)
        return views

    def fills(self) -> Mapping[int, OrderExecuted]:
        """The executed orders by id."""
        return self._fills

    def view(self, role: str) -> AccountView:
        view: AccountView = self.sandbox.call("lens", "account", self.cast[role])
        return view

    def milli(self, name: str, symbol: str = "ETH-USD") -> int:
        """The thousandths of the base asset that somebody of the cast holds, negative when short, rounded down."""
        held = [p.size for p in self.view(name).positions if p.market == self.symbols[symbol]]
        return sum(held) * 1000 // UNIT

    @property
    def insurance(self) -> int:
        """The insurance fund, in quanta."""
        return self.watchman.book.vault.insurance

    @property
    def pool_cash(self) -> int:
        """The pool's settled cash, in quanta."""
        return self.watchman.book.vault.pool

    def tell(self, words: str) -> None:
        """Writes a line of the ledger, and asks the laws."""
        book = self.watchman.book
        house = self.sandbox.deployed["clearinghouse"].address
        balance = self.sandbox.call("token", "balance_of", house)
        self.watchman.check(Moment(book, self.prices, self.sandbox.timestamp, balance))
        deficit = sum(m.state.long_deficit + m.state.short_deficit for m in book.markets.values())
        prices = {symbol: self.prices[market] for symbol, market in self.symbols.items()}
        accounts = {name: self._line(name) for name in self.cast}
        liquidated = tuple(name for name, account in self.cast.items() if account in self._liquidated)
        self._liquidated.clear()
        vault, seconds = book.vault, self.sandbox.timestamp - self._start
        self.steps.append(Step(words, seconds, prices, accounts, vault.insurance, vault.pool, deficit, liquidated))

    def expect(self, sentence: str, holds: bool) -> None:
        """Something that the story promises."""
        self.expected[sentence] = holds

    def end(self, name: str, *pictures: Picture) -> StoryResult:
        """The whole story; without pictures of its own it gets the one of everybody."""
        owners = list(ROLES.values())
        accounts = set(self.watchman.book.accounts) | {account_id(owner) for owner in owners}
        state = read_state(self.sandbox, accounts=accounts, owners=owners)
        laws = self.watchman.laws
        shown = pictures or (everybody(self.steps),)
        return StoryResult(name, self.sandbox.name, digest(state), laws, self.expected, tuple(self.steps), shown)

    def watch(self) -> None:
        """Takes in what was said since the last look."""
        events, self._cursor = self.sandbox.events_since(self._cursor)
        for timestamp, event in events:
            self.watchman.observe(event, timestamp, self.prices)
            if isinstance(event, Liquidated):
                self._liquidated.add(event.account)
            elif isinstance(event, OrderExecuted):
                self._fills[event.id] = event

    def _line(self, name: str) -> Mapping[str, int]:
        view = self.view(name)
        position = view.positions[0] if view.positions else None
        return {
            "equity": view.equity,
            "maintenance_margin": view.maintenance_margin,
            "size": position.size if position else 0,
            "liquidation_price": position.liquidation_price if position else 0,
        }
