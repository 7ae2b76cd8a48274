"""A crowd on bytecode: many accounts near their margin, random prices, and every unhealthy one liquidated and undone.

What fails names adversity, round, account and market, and `replay` brings just that state about again.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from expect import laws_hold
from roles import MARKETS, START, House, acc, address

from perpkit.abi.codec import encode_call
from perpkit.backend import Sandbox
from perpkit.market_setup import (
    FEED_TICK,
    MIN_EXECUTION_FEE,
    UNIT,
    MarketSetup,
    MarketSpec,
    deploy_contracts,
    list_market,
    seed,
)
from perpkit.model.errors import PerpError
from perpkit.model.fixed_math import PRICE_MAX
from perpkit.model.types import LiquidationResult, OrderKind, OrderRequest, owner_of
from perpkit.revm import GAS_LIMIT, RevmBackend

SEED = 20250405
ACCOUNTS = 96
OWNER, KEEPER = "trader", "keeper"
# How many accounts `liquidateMany` is given at once, and how often the laws are checked {rounds}.
LIST, AUDIT = 24, 10

Prices = Callable[[random.Random, int], int]


@dataclass(frozen=True)
class State:
    """Where to find an unhealthy account again."""

    adversity: str
    round: int
    account: str
    market: int


class Stuck(AssertionError):
    """An unhealthy account that could not be liquidated, and all that it takes to see it again."""

    def __init__(self, state: State, error: Exception, situation: str) -> None:
        self.state, self.error = state, error
        super().__init__(f"{error!r} at {state!r}; `replay(state)` shows it again. {situation}")


@dataclass(frozen=True)
class Adversity:
    """What goes wrong, and how many unhealthy states it is tried on."""

    states: int
    decimals: int = 6
    markets: int = 3
    # How many positions an account has, from and to.
    positions: tuple[int, int] = (1, 3)
    # In dollars, from and to.
    value: tuple[int, int] = (110, 40_000)
    # Each position has its opposite in an account that can lose much, so that the pool bears nothing.
    balanced: bool = False
    # Each account alone in a market of its own.
    lonely: bool = False
    # Each account's owner is its keeper, and is paid into the very account.
    selfish: bool = False
    # The victim acts first.
    victim: bool = False
    prices: Prices = lambda draw, price: _moved(draw, price)
    # Before anybody trades, after all have, and in every round once prices have moved.
    before: tuple[Callable[[Crowd], None], ...] = ()
    after: tuple[Callable[[Crowd], None], ...] = ()
    each_round: tuple[Callable[[Crowd], None], ...] = ()
    # Whether the token answers, without which not all laws can be checked.
    audited: bool = True


class Crowd:
    """The house on bytecode, full of accounts near their margin."""

    def __init__(self, name: str, adversity: Adversity) -> None:
        self.name, self.adversity = name, adversity
        self.sandbox = RevmBackend(timestamp=START)
        self.house = furnish(self.sandbox, decimals=adversity.decimals, markets=adversity.markets)
        self.specs, self.dollar = self.house.specs, self.house.dollar
        self.house.do("set_operator", self.house.at("orders"), True, by=OWNER)
        # Which feeds still speak; the others are as old as the market.
        self.speaking = 3
        self.holdings: dict[str, tuple[int, ...]] = {}
        for prepare in adversity.before:
            prepare(self)
        self._populate()
        for prepare in adversity.after:
            prepare(self)

    def _populate(self) -> None:
        draw = random.Random(f"{SEED}:{self.name}:crowd")
        first, last = self.adversity.positions
        for i in range(len(self.specs) if self.adversity.lonely else ACCOUNTS):
            name = f"0x{i + 1:040x}" if self.adversity.selfish else f"{OWNER}/{i + 1}"
            markets = [i] if self.adversity.lonely else draw.sample(range(len(self.specs)), draw.randint(first, last))
            low, high = self.adversity.value
            # As many small ones as large ones.
            values = [round(low * (high / low) ** draw.random()) for _ in markets]
            sizes = [
                value * UNIT * UNIT // self.specs[market].price for value, market in zip(values, markets, strict=True)
            ]
            margin = 0
            for value, market, size in zip(values, markets, sizes, strict=True):
                imr, _ = self.sandbox.call("clearinghouse", "ratios_of", market, size)
                margin += value * imr * self.dollar // UNIT
            spare = sum(values) * self.dollar // 500 + draw.randrange(margin // 4)
            self.house.deposit(name, margin + spare, by=OWNER)
            for value, market, size in zip(values, markets, sizes, strict=True):
                delta = draw.choice((size, -size))
                self.house.trade(name, market, delta)
                if self.adversity.balanced:
                    opposite = f"whale/{i + 1}"
                    self.house.deposit(opposite, value * self.dollar)
                    self.house.trade(opposite, market, -delta)
            self.holdings[name] = tuple(markets)

    @contextmanager
    def round(self, number: int) -> Iterator[random.Random]:
        """Time passes, prices move, and it was all a dream."""
        draw = random.Random(f"{SEED}:{self.name}:{number}")
        with self.sandbox.rolled_back():
            self.sandbox.set_time(self.sandbox.timestamp + draw.choice((1, 60, 3_599, 86_400)))
            feeds, answers = [], []
            for spec in self.specs:
                answer = self.adversity.prices(draw, spec.price) // FEED_TICK
                feeds += [self.house.at(f"feed:{spec.symbol}:{i}") for i in range(self.speaking)]
                answers += [min(max(answer, 1), PRICE_MAX // FEED_TICK)] * self.speaking
                self.house.prices[spec] = answers[-1] * FEED_TICK
            self.house.do("push", tuple(feeds), tuple(answers), by="publisher", label="board")
            for happens in self.adversity.each_round:
                happens(self)
            yield draw

    def is_unhealthy(self, name: str) -> bool:
        """The definition, from the clearinghouse's own equity."""
        answer = self._ask("margin_of", acc(name))
        equity, _, required = (int.from_bytes(answer[i : i + 32], "big", signed=True) for i in (0, 32, 64))
        return equity * UNIT < required

    def liquidate(self, name: str, market: int) -> LiquidationResult:
        """Liquidates and undoes it. Past the decoder, which would take longer than the liquidation."""
        keeper = owner_of(acc(name)) if self.adversity.selfish else address(KEEPER)
        answer = self._ask("liquidate", acc(name), market, sender=keeper)
        words = (int.from_bytes(answer[i : i + 32], "big", signed=True) for i in range(0, 9 * 32, 32))
        return LiquidationResult(*words)

    def _ask(self, function: str, *args: int, sender: str = address(KEEPER)) -> bytes:
        evm: Any = self.sandbox._evm
        checkpoint = evm.snapshot()
        evm.reset_transient_storage()
        data = encode_call("Clearinghouse", function, args)
        try:
            output = self.sandbox._checked(
                lambda: evm.message_call(sender, self.house.at("clearinghouse"), calldata=data, gas=GAS_LIMIT)
            )
        finally:
            evm.revert(checkpoint)
        return bytes(output)

    def situation(self, name: str) -> str:
        """All that one wants to know of an account that is stuck."""
        house = self.house
        prices = {spec.symbol: price for spec, price in house.prices.items()}
        positions = {market: house.position(name, market) for market in self.holdings[name]}
        return f"vault {house.vault()}, collateral {house.collateral(name)}, positions {positions}, prices {prices}"


def try_states(crowd: Crowd) -> Counter[str]:
    """Liquidates unhealthy accounts one by one, and in lists, until enough were tried; how they ended."""
    endings: Counter[str] = Counter()
    number = 0
    while endings["states"] < crowd.adversity.states:
        assert number < 1_000, f"too few are unhealthy: {endings}"
        with crowd.round(number) as draw:
            unhealthy = [name for name in crowd.holdings if crowd.is_unhealthy(name)]
            if crowd.house.vault().pool < 0:
                endings["states with the pool in the red"] += len(unhealthy)
            if crowd.house.vault().insurance == 0:
                endings["states with the fund empty"] += len(unhealthy)
            for name in unhealthy:
                _try_one(crowd, number, name, draw, endings)
            _try_lists(crowd, number, unhealthy, endings)
            if number % AUDIT == 0 and crowd.adversity.audited:
                laws_hold(crowd.house)
        number += 1
    return endings


def replay(crowd: Crowd, state: State) -> Counter[str]:
    """One state again, as it was tried in `try_states`."""
    endings: Counter[str] = Counter()
    with crowd.round(state.round) as draw:
        for name in crowd.holdings:
            if crowd.is_unhealthy(name):
                _try_one(crowd, state.round, name, draw, endings)
    return endings


def _try_one(crowd: Crowd, number: int, name: str, draw: random.Random, endings: Counter[str]) -> None:
    market = draw.choice(crowd.holdings[name])
    with crowd.house.rolled_back() as copy:
        if crowd.adversity.victim:
            _move_first(copy, name, market, draw, endings)
            if copy.position(name, market).size == 0 or not crowd.is_unhealthy(name):
                endings["escaped"] += 1
                return
        size = abs(copy.position(name, market).size)
        try:
            result = crowd.liquidate(name, market)
        except PerpError as error:
            raise Stuck(State(crowd.name, number, name, market), error, crowd.situation(name)) from None
    assert 0 < result.closed <= size
    endings["states"] += 1
    endings["bankrupt" if result.bad_debt else "full" if result.closed == size else "partial"] += 1


def _move_first(house: House, name: str, market: int, draw: random.Random, endings: Counter[str]) -> None:
    move = draw.choice(tuple(VICTIMS_MOVES))
    try:
        VICTIMS_MOVES[move](house, name, market, draw)
    except PerpError:
        endings[f"refused: {move}"] += 1
    else:
        endings[f"first: {move}"] += 1


def _try_lists(crowd: Crowd, number: int, unhealthy: Sequence[str], endings: Counter[str]) -> None:
    """Everybody in the first of their markets, many at once; whoever is not closed is stuck."""
    for market in range(len(crowd.specs)):
        names = [name for name in unhealthy if market == crowd.holdings[name][0]]
        for i in range(0, len(names), LIST):
            listed = names[i : i + LIST]
            with crowd.house.rolled_back() as copy:
                try:
                    results = copy.liquidate_many(market, listed).value
                except PerpError as error:
                    raise Stuck(State(crowd.name, number, listed[0], market), error, f"in a list: {listed}") from None
            assert all(result.closed > 0 for result in results)
            endings["listed"] += len(listed)


# --- what the victim does first

VictimsMove = Callable[[House, str, int, random.Random], object]


def _place(house: House, name: str, market: int) -> None:
    size = house.position(name, market).size
    request = OrderRequest(acc(name), market, OrderKind.MARKET, True, -size, 0, 0, 0, False, 0)
    house.sandbox.transact("orders", "place", request, sender=address(OWNER), value=MIN_EXECUTION_FEE)


def _trade_part(house: House, name: str, market: int, part: float) -> None:
    house.trade(name, market, int(house.position(name, market).size * part))


VICTIMS_MOVES: dict[str, VictimsMove] = {
    "deposits a quantum": lambda h, name, market, draw: h.deposit(name, 1),
    "deposits a little": lambda h, name, market, draw: h.deposit(name, draw.randrange(1, 50 * h.dollar)),
    "reduces by a part": lambda h, name, market, draw: _trade_part(h, name, market, -draw.random()),
    "reduces by a unit": lambda h, name, market, draw: h.trade(name, market, -1),
    "adds a part": lambda h, name, market, draw: _trade_part(h, name, market, draw.random()),
    "turns round": lambda h, name, market, draw: _trade_part(h, name, market, -1 - draw.random()),
    "settles": lambda h, name, market, draw: h.settle(name, market, by=OWNER),
    "withdraws": lambda h, name, market, draw: h.withdraw(name, draw.randrange(1, 50 * h.dollar)),
    "transfers out": lambda h, name, market, draw: h.transfer(name, OWNER, draw.randrange(1, 50 * h.dollar)),
    "changes its operators": lambda h, name, market, draw: h.do(
        "set_operator", address("operator"), draw.random() < 0.5, by=OWNER
    ),
    "places an order": lambda h, name, market, draw: _place(h, name, market),
    "records an outage": lambda h, name, market, draw: h.do("record_outage", market, by=OWNER),
    "is liquidated by itself": lambda h, name, market, draw: h.liquidate(name, market, by=OWNER),
    "donates": lambda h, name, market, draw: h.donate(1, by=OWNER),
}


# --- prices


def _moved(draw: random.Random, price: int) -> int:
    """Mostly by a little, as partial liquidations want it: within 1 to 4 %; a few lose or gain nearly everything."""
    width = draw.choice((10, 12, 14, 16, 20, 40, 250, 900))
    return price * (1_000 + draw.randint(-width, width)) // 1_000


def moved_to_the_edge(draw: random.Random, price: int) -> int:
    """From the least that a feed of eight digits can say to the most that the house takes."""
    edges = (FEED_TICK, 2 * FEED_TICK, price // 10**6, price * 1_000, PRICE_MAX // 2, PRICE_MAX)
    return draw.choice((*edges, _moved(draw, price)))


# --- the house


def furnish(sandbox: Sandbox, *, decimals: int = 6, markets: int = 3) -> House:
    """The default house with a token of other decimals, or with more markets like the default ones."""
    dollar = 10**decimals
    specs = [
        _scaled(replace(MARKETS[i % 3], symbol=f"X{i}-USD") if i > 2 else MARKETS[i], dollar) for i in range(markets)
    ]
    deploy_contracts(sandbox, decimals=decimals)
    for market, spec in enumerate(specs):
        list_market(sandbox, market, spec)
    million = 1_000_000 * dollar
    seed(sandbox, MarketSetup((), pool=20 * million, insurance=million // 2, role_balance=10 * million))
    return House(sandbox, specs=specs, dollar=dollar)


def _scaled(spec: MarketSpec, dollar: int) -> MarketSpec:
    """A market whose money is in a token's own decimals."""
    params = replace(spec.params, min_notional=100 * dollar, min_keeper_reward=dollar // 2)
    return replace(spec, params=params)
