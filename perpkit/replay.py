"""Candles and a population through a backend: a crash replayed on the model, on bytecode, or on a chain.

Every candle is visited at its open, its extremes and its close. After every price the keeper acts; after every close
agents trade. Nothing here depends on the backend, so all of them end in the same state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from perpkit.backend import Receipt, Sandbox
from perpkit.candles import Candle, align_candles
from perpkit.keeper.keeper import Keeper
from perpkit.market_setup import (
    DEFAULT_MARKETS,
    DOLLAR,
    FEED_TICK,
    ROLES,
    UNIT,
    MarketSetup,
    MarketSpec,
    market_params,
    push_prices,
    set_up,
)
from perpkit.model import events as ev
from perpkit.model.errors import PerpError
from perpkit.model.fixed_math import SIZE_MAX
from perpkit.model.laws import Moment, Watchman
from perpkit.model.market_ledger import MAX_MARKETS
from perpkit.model.types import MarketParams, account_id
from perpkit.population import Act, Agent, Population, make_agents
from perpkit.state import book_agrees, digest, read_state

PHASES = 4
# The usual population; with n times as many, the laws of states are looked at every n candles.
USUAL_ACCOUNTS = 60

# {quanta} A fund that a common crash leaves standing and a gap of 30 % empties.
POOL_PER_ACCOUNT = 100_000 * DOLLAR
INSURANCE_PER_ACCOUNT = 500 * DOLLAR

Progress = Callable[[int, int], None]


class ReplayError(ValueError):
    """A replay that makes no sense."""


@dataclass(frozen=True, slots=True)
class ReplayConfig:
    """What is replayed: candles by symbol, how many accounts, and the seed of all chance."""

    candles: Mapping[str, Sequence[Candle]]
    accounts: int = 60
    seed: int = 7

    def __post_init__(self) -> None:
        if not self.candles:
            raise ReplayError("no candles were given; name at least one market, for example ETH-USD=eth.csv.")
        if len(self.candles) > MAX_MARKETS:
            raise ReplayError(f"{len(self.candles)} markets cannot be listed; choose at most {MAX_MARKETS}.")
        if not 1 <= self.accounts <= 10_000:
            raise ReplayError(f"{self.accounts} accounts cannot be replayed; choose between 1 and 10,000.")


@dataclass(slots=True)
class Tally:
    """What happened. Money in quanta, signed as the traders feel it."""

    trades: int = 0
    ticks: int = 0
    partial: int = 0
    full: int = 0
    penalties: int = 0
    rewards: int = 0
    bad_debt: int = 0
    covered: int = 0
    peak_deficit: int = 0
    deleveraged: int = 0
    haircut: int = 0
    funding_paid: int = 0
    funding_received: int = 0
    fees: int = 0
    transactions: int = 0
    refusals: Counter[str] = field(default_factory=Counter)

    def fund(self, payment: int) -> None:
        if payment < 0:
            self.funding_paid -= payment
        else:
            self.funding_received += payment


@dataclass(frozen=True, slots=True)
class LiquidationPoint:
    """A liquidation on the price line."""

    market: int
    time: int
    price: int
    long: bool
    partial: bool
    notional: int


@dataclass(frozen=True, slots=True)
class Frame:
    """What the pictures show of one candle's close."""

    time: int
    prices: Mapping[int, int]
    open_interest: Mapping[int, tuple[int, int]]
    insurance: int
    pool: int
    deficit: int


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a replay ended in."""

    backend: str
    config: ReplayConfig
    digest: str
    laws: Mapping[str, bool]
    tally: Tally
    insurance_path: tuple[int, int, int]
    deficit: int
    pool_result: int
    frames: tuple[Frame, ...]
    liquidation_points: tuple[LiquidationPoint, ...]
    liquidation_maps: Mapping[int, tuple[int, int, tuple[tuple[int, int, str], ...]]]
    symbols: tuple[str, ...]

    def summary(self) -> dict[str, Any]:
        """What machines read; money as decimal strings."""
        tally = self.tally
        start, low, end = self.insurance_path
        return {
            "backend": self.backend,
            "digest": self.digest,
            "laws": dict(self.laws),
            "accounts": self.config.accounts,
            "seed": self.config.seed,
            "markets": list(self.symbols),
            "ticks": tally.ticks,
            "trades": tally.trades,
            "transactions": tally.transactions,
            "refusals": dict(sorted(tally.refusals.items())),
            "liquidations": {"partial": tally.partial, "full": tally.full, "total": tally.partial + tally.full},
            "penalties": dollars(tally.penalties),
            "keeper_rewards": dollars(tally.rewards),
            "bad_debt": dollars(tally.bad_debt),
            "insurance": {
                "start": dollars(start),
                "low": dollars(low),
                "end": dollars(end),
                "covered": dollars(tally.covered),
            },
            "deficit": {"peak": dollars(tally.peak_deficit), "end": dollars(self.deficit)},
            "adl": {"deleveraged": tally.deleveraged, "haircut": dollars(tally.haircut)},
            "funding": {"paid": dollars(tally.funding_paid), "received": dollars(tally.funding_received)},
            "fees": dollars(tally.fees),
            "pool_result": dollars(self.pool_result),
        }


def dollars(quanta: int) -> str:
    """Money as a plain decimal string."""
    sign = "-" if quanta < 0 else ""
    whole, rest = divmod(abs(quanta), DOLLAR)
    return f"{sign}{whole}.{rest:06d}"


def specs_for(config: ReplayConfig) -> tuple[MarketSpec, ...]:
    """The markets to list: the known ones with their own parameters, others scaled to their first price, and all of
    them as deep as their population is large."""
    known = {spec.symbol: spec for spec in DEFAULT_MARKETS}
    specs = []
    for symbol, series in config.candles.items():
        price = on_feed(series[0].open)
        params = known[symbol].params if symbol in known else _params_at(price)
        specs.append(MarketSpec(symbol, _deepened(params, config.accounts), price))
    return tuple(specs)


def _deepened(params: MarketParams, accounts: int) -> MarketParams:
    """Room for more than the usual number of accounts, as far as the supported range of sizes goes."""
    times = max(1, accounts // USUAL_ACCOUNTS)
    return replace(
        params,
        skew_scale=min(params.skew_scale * times, SIZE_MAX),
        max_open_interest=min(params.max_open_interest * times, SIZE_MAX),
    )


def _params_at(price: int) -> MarketParams:
    """20x, with a skew scale of four billion dollars and open interest up to 6.4 million, like the known ones, as far
    as the supported range of sizes goes."""
    skew_scale = min(max(4_000_000_000 * UNIT // price, 1), 2**36)
    max_open_interest = min(max(6_400_000 * UNIT // price, 1), skew_scale)
    return market_params(imr=500, mmr=250, skew_scale=skew_scale, max_open_interest=max_open_interest)


def on_feed(price: int) -> int:
    """A price that the feeds can carry, at least their smallest step."""
    return max(price // FEED_TICK, 1) * FEED_TICK


def sandbox_start(config: ReplayConfig) -> int:
    """The time at which a sandbox for this replay begins. {s}"""
    return min(series[0].time for series in config.candles.values()) - 3600


class Replay:
    """One run. `run` does it all; the parts are here to be read in order."""

    def __init__(self, sandbox: Sandbox, config: ReplayConfig) -> None:
        self.sandbox = sandbox
        self.config = config
        self.rng = Random(config.seed)
        self.specs = specs_for(config)
        self.tally = Tally()
        self.frames: list[Frame] = []
        self.points: list[LiquidationPoint] = []
        self._cursor = 0
        self._lowest = 0
        self._prices = {market: spec.price for market, spec in enumerate(self.specs)}

    def run(self, progress: Progress | None = None) -> ReplayResult:
        self._prepare()
        timeline = align_candles(self.config.candles)
        every = max(1, self.config.accounts // USUAL_ACCOUNTS)
        for number, (time, candles) in enumerate(timeline):
            length = timeline[number + 1][0] - time if number + 1 < len(timeline) else PHASES
            self._visit(time, length, candles)
            self._agents_act()
            if number % every == 0:
                self._check_laws()
            self._remember(time)
            if progress:
                progress(number + 1, len(timeline))
        return self._finish()

    # BEFORE

    def _prepare(self) -> None:
        count = self.config.accounts
        pool, insurance = count * POOL_PER_ACCOUNT, count * INSURANCE_PER_ACCOUNT
        set_up(self.sandbox, MarketSetup(self.specs, pool=pool, insurance=insurance, role_balance=DOLLAR))
        limit = max(UNIT // spec.params.imr for spec in self.specs)
        agents = make_agents(count=count, rng=self.rng, max_leverage=limit)
        candles = max(len(series) for series in self.config.candles.values())
        self.population = Population(agents, self.rng, candles=candles)
        self.population.fund(self.sandbox)
        self.keeper = Keeper(self.sandbox, ROLES["keeper"])
        self.watchman = Watchman(quantum=self.keeper.book.quantum)
        self._observe()
        self._pool_before = self.sandbox.call("clearinghouse", "pool_equity")
        self._insurance_before = self._lowest = self.watchman.book.vault.insurance

    # A CANDLE

    def _visit(self, time: int, length: int, candles: Mapping[str, Candle | None]) -> None:
        """Brings the candle's prices one after the other, and lets the keeper answer each."""
        paths = {
            market: path_of(candle) for market, spec in enumerate(self.specs) if (candle := candles.get(spec.symbol))
        }
        for phase in range(PHASES):
            self._prices.update({market: on_feed(path[phase]) for market, path in paths.items()})
            self.sandbox.set_time(time + length * phase // PHASES)
            push_prices(self.sandbox, {spec: self._prices[m] for m, spec in enumerate(self.specs)})
            self.tally.ticks += 1
            self._step_keeper()

    def _step_keeper(self) -> None:
        report = self.keeper.step()
        self.tally.transactions += report.transactions
        for refusal in report.refusals:
            self.tally.refusals[f"keeper: {type(refusal).__name__}"] += 1
        self._observe()

    def _agents_act(self) -> None:
        for agent, acts in self.population.next_acts(self.watchman.book, self._prices):
            for act in acts:
                if not self._do(agent, act):
                    break
        self._step_keeper()

    def _do(self, agent: Agent, act: Act) -> bool:
        self.tally.transactions += 1
        try:
            self._transact(act, agent)
        except PerpError as refusal:
            self.tally.refusals[type(refusal).__name__] += 1
            return False
        self._observe()
        return True

    def _transact(self, act: Act, agent: Agent) -> Receipt:
        return self.sandbox.transact("clearinghouse", act.function, *act.args, sender=agent.owner)

    # WATCHING

    def _observe(self) -> None:
        """Takes in what was said since the last look: the laws, the tally and the pictures live on events alone."""
        events, self._cursor = self.sandbox.events_since(self._cursor)
        for timestamp, event in events:
            self._count(event, timestamp)
            self.watchman.observe(event, timestamp, self._prices)
            self._lowest = min(self._lowest, self.watchman.book.vault.insurance)
            self.tally.peak_deficit = max(self.tally.peak_deficit, self._deficit())

    def _count(self, event: ev.Event, timestamp: int) -> None:
        tally = self.tally
        match event:
            case ev.Traded(result=result):
                tally.trades += 1
                tally.fees += result.fee
                tally.fund(result.funding)
            case ev.Settled(result=settled):
                tally.fund(settled.funding)
            case ev.Liquidated():
                self._count_liquidation(event, timestamp)
            case ev.Deleveraged(result=deleveraged):
                tally.deleveraged += 1
                tally.haircut += deleveraged.haircut
                tally.bad_debt += deleveraged.bad_debt
                tally.covered += deleveraged.covered
                tally.fund(deleveraged.funding)

    def _count_liquidation(self, event: ev.Liquidated, timestamp: int) -> None:
        tally, result = self.tally, event.result
        partial = event.position.size != 0
        tally.partial += partial
        tally.full += not partial
        tally.penalties += result.penalty
        tally.rewards += result.reward
        tally.bad_debt += result.bad_debt
        tally.covered += result.covered
        tally.fund(result.funding)
        long = self.watchman.book.accounts[event.account].positions[event.market].size > 0
        value = result.closed * result.mark // self.keeper.book.quantum
        self.points.append(LiquidationPoint(event.market, timestamp, result.mark, long, partial, value))

    def _deficit(self) -> int:
        return sum(m.state.long_deficit + m.state.short_deficit for m in self.watchman.book.markets.values())

    def _check_laws(self) -> None:
        house = self.sandbox.deployed["clearinghouse"].address
        balance = self.sandbox.call("token", "balance_of", house)
        self.watchman.check(Moment(self.watchman.book, self._prices, self.sandbox.timestamp, balance))

    def _remember(self, time: int) -> None:
        book = self.watchman.book
        interest = {id: (m.state.long_oi, m.state.short_oi) for id, m in book.markets.items()}
        vault = book.vault
        self.frames.append(Frame(time, dict(self._prices), interest, vault.insurance, vault.pool, self._deficit()))

    # AFTER

    def _finish(self) -> ReplayResult:
        self._check_laws()
        book = self.watchman.book
        owners = [agent.owner for agent in self.population.agents] + list(ROLES.values())
        accounts = set(book.accounts) | {account_id(owner) for owner in owners}
        state = read_state(self.sandbox, accounts=accounts, owners=owners)
        laws = self.watchman.laws | {"events_tell_the_whole_state": book_agrees(book, state)}
        pool_after: int = self.sandbox.call("clearinghouse", "pool_equity")
        return ReplayResult(
            backend=self.sandbox.name,
            config=self.config,
            digest=digest(state),
            laws=laws,
            tally=self.tally,
            insurance_path=(self._insurance_before, self._lowest, book.vault.insurance),
            deficit=self._deficit(),
            pool_result=(pool_after - self._pool_before) // book.quantum,
            frames=tuple(self.frames),
            liquidation_points=tuple(self.points),
            liquidation_maps={market: self._map(market) for market in book.markets},
            symbols=tuple(spec.symbol for spec in self.specs),
        )

    def _map(self, market: int) -> tuple[int, int, tuple[tuple[int, int, str], ...]]:
        """Where the positions that are still open would be liquidated: time, price, and (price, notional, side)."""
        entries = []
        for id, account in sorted(self.watchman.book.accounts.items()):
            if market in account.positions:
                view = self.sandbox.call("lens", "account", id)
                position = next(p for p in view.positions if p.market == market)
                if position.liquidation_price > 0:
                    side = "long" if position.size > 0 else "short"
                    entries.append((position.liquidation_price, position.notional, side))
        return self.sandbox.timestamp, self._prices[market], tuple(entries)


def path_of(candle: Candle) -> tuple[int, int, int, int]:
    """Open, both extremes and close, the nearer extreme first: a rising candle dips before it rises."""
    if candle.close >= candle.open:
        return candle.open, candle.low, candle.high, candle.close
    return candle.open, candle.high, candle.low, candle.close
