"""The walk of a leveraged token: random mints, redemptions, rebalances, gifts, prices and strangers' trades on the
bytecode and on the model, equal to the last digit after each, and fair after each."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from roles import MARKETS

from perpkit.backend import Sandbox
from perpkit.local import LocalBackend
from perpkit.market_setup import (
    ETH3L,
    ETH3S,
    ROLES,
    UNIT,
    MarketSetup,
    MarketSpec,
    deploy_contracts,
    deploy_leveraged_token,
    list_market,
    push_price,
    seed,
)
from perpkit.model import events as ev
from perpkit.model.errors import PerpError
from perpkit.model.test_usd import UINT256_MAX
from perpkit.model.types import Terms, account_id
from perpkit.revm import RevmBackend

Step = tuple[Any, ...]

START = 1_800_000_000
MILLION = 1_000_000
MINTERS = ("trader", "counterparty", "operator")
ATTACKER = "outsider"
TOKEN = "TOKEN"


class Divergence(AssertionError):
    """The twins differ, or what they agree on is unfair."""


@dataclass(frozen=True)
class Situation:
    """A token and the market that it trades in."""

    terms: Terms
    decimals: int = 6
    skew_scale: int = 1_000_000 * UNIT
    pool: int = 20 * MILLION  # {usd}

    @property
    def dollar(self) -> int:
        return int(10**self.decimals)

    def spec(self) -> MarketSpec:
        spec = MARKETS[0]
        params = replace(
            spec.params,
            skew_scale=self.skew_scale,
            min_notional=100 * self.dollar,
            min_keeper_reward=self.dollar // 2,
        )
        return replace(spec, params=params)


SITUATIONS = {
    "long": Situation(ETH3L),
    "short": Situation(ETH3S),
    # Steep premiums, no fee, a tight band and high leverage: whatever can be gained would be gained here.
    "steep": Situation(
        replace(
            ETH3L,
            target_leverage=10 * UNIT,
            min_leverage=9 * UNIT,
            max_leverage=12 * UNIT,
            rebalance_interval=3600,
            fee=0,
            max_premium=UNIT // 10,
            rebalance_reward=UNIT // 100,
        ),
        skew_scale=20_000 * UNIT,
    ),
    "fine": Situation(replace(ETH3S, fee=0, max_premium=UNIT // 20), decimals=18, skew_scale=100_000 * UNIT),
    # A pool that winners empty.
    "poor": Situation(replace(ETH3L, fee=UNIT // 100), pool=2 * MILLION),
}


def build(sandbox: Sandbox, situation: Situation) -> None:
    """The market, the token, and everybody's money."""
    dollar = situation.dollar
    deploy_contracts(sandbox, decimals=situation.decimals)
    list_market(sandbox, 0, situation.spec())
    setup = MarketSetup(
        (situation.spec(),),
        pool=situation.pool * dollar,
        insurance=10_000 * dollar,
        role_balance=MILLION * dollar,
    )
    seed(sandbox, setup)
    spender = deploy_leveraged_token(sandbox, name="Token", symbol=TOKEN, market=0, terms=situation.terms)
    for role in (*MINTERS, ATTACKER):
        sandbox.transact("token", "approve", spender, UINT256_MAX, sender=ROLES[role])
    for role, deposit in (("whale", MILLION), ("market_maker", MILLION), (ATTACKER, MILLION // 2)):
        sandbox.transact("clearinghouse", "deposit", account_id(ROLES[role]), deposit * dollar, sender=ROLES[role])


@cache
def bytecode(name: str) -> RevmBackend:
    """Built once; used rolled back only."""
    sandbox = RevmBackend(timestamp=START)
    build(sandbox, SITUATIONS[name])
    return sandbox


class Walk:
    """Both twins of one token, step by step."""

    def __init__(self, name: str) -> None:
        self.situation = SITUATIONS[name]
        self.contract = bytecode(name)
        addresses = {label: deployed.address for label, deployed in self.contract.deployed.items()}
        self.model = LocalBackend(timestamp=START, addresses=addresses)
        build(self.model, self.situation)
        self.account = account_id(addresses[TOKEN])
        self.price = MARKETS[0].price
        self.money_in = self.money_out = 0
        self.cash = 0  # {quanta} what the account should hold by what events said
        self.seen: Counter[str] = Counter()

    # STEPS

    def step(self, step: Step) -> Any:
        """One step on both twins; the value, or the error."""
        kind, *args = step
        return getattr(self, f"_{kind}")(*args)

    def _mint(self, who: str, amount: int, least: int = 0) -> Any:
        return self._do(TOKEN, "mint", amount, least, ROLES.get(who, who), by=who)

    def _redeem(self, who: str, permille: int, least: int = 0) -> Any:
        balance = self.ask(TOKEN, "balance_of", ROLES[who])
        return self._do(TOKEN, "redeem", balance * permille // 1000, least, ROLES[who], by=who)

    def _redeem_shares(self, who: str, shares: int) -> Any:
        return self._do(TOKEN, "redeem", shares, 0, ROLES[who], by=who)

    def _rebalance(self, who: str) -> Any:
        return self._do(TOKEN, "rebalance", by=who)

    def _give(self, amount: int) -> Any:
        return self._do("clearinghouse", "deposit", self.account, amount, by="outsider")

    def _trade(self, who: str, size: int) -> Any:
        limit = 2**255 - 1 if size > 0 else 0
        return self._do("clearinghouse", "trade", account_id(ROLES[who]), 0, size, limit, by=who)

    def _settle(self, who: str) -> Any:
        account = self.account if who == TOKEN else account_id(ROLES[who])
        return self._do("clearinghouse", "settle", account, 0, by="outsider")

    def _liquidate(self) -> Any:
        return self._do("clearinghouse", "liquidate", self.account, 0, by="keeper")

    def _move(self, basis_points: int) -> None:
        self.price = max(self.price * (10_000 + basis_points) // 10_000, UNIT)
        self._push()

    def _wait(self, seconds: int, fresh: bool) -> None:
        for twin in (self.contract, self.model):
            twin.set_time(twin.timestamp + seconds)
        if fresh:
            self._push()

    def _push(self) -> None:
        for twin in (self.contract, self.model):
            push_price(twin, self.situation.spec(), self.price)

    # THE TWINS

    def ask(self, label: str, function: str, *args: Any) -> Any:
        return self.contract.call(label, function, *args)

    def _do(self, label: str, function: str, *args: Any, by: str) -> Any:
        before = self._state(self.contract) if label == TOKEN else None
        found = [self._outcome(twin, label, function, args, by) for twin in (self.contract, self.model)]
        self._same(f"{function}{args} by {by}", *found)
        self._same(f"the state after {function}{args}", *map(self._state, (self.contract, self.model)))
        value, events = found[0]
        outcome = type(value).__name__
        self.seen[f"{function}: {outcome}"] += 1
        self._account(events)
        if before is not None and not isinstance(value, PerpError):
            self._fair(function, before, self._state(self.contract))
        return value

    @staticmethod
    def _outcome(twin: Sandbox, label: str, function: str, args: tuple[Any, ...], by: str) -> tuple[Any, Any]:
        try:
            receipt = twin.transact(label, function, *args, sender=ROLES[by])
        except PerpError as error:
            return error, ()
        return receipt.value, receipt.events

    def _same(self, what: str, contract: Any, model: Any) -> None:
        if contract != model:
            raise Divergence(f"{what}: contract {contract!r}, model {model!r}")

    def _state(self, twin: Sandbox) -> dict[str, Any]:
        """What there is to know; None for what needs a price that is not there."""
        found: dict[str, Any] = {}
        for name in ("total_supply", "next_rebalance", "net_asset_value", "leverage", "terms", "decimals", "name"):
            try:
                found[name] = twin.call(TOKEN, name)
            except PerpError as error:
                found[name] = error
        for who in (*MINTERS, "keeper"):
            found[who] = twin.call(TOKEN, "balance_of", ROLES[who]), twin.call("token", "balance_of", ROLES[who])
        try:
            found["equity"] = twin.call("clearinghouse", "margin_of", self.account)[0]
        except PerpError as error:
            found["equity"] = error
        found["collateral"] = twin.call("clearinghouse", "collateral_of", self.account)
        found["position"] = twin.call("clearinghouse", "position_of", self.account, 0)
        found["tokens"] = twin.call("token", "balance_of", twin.deployed[TOKEN].address)
        return found

    # FAIRNESS

    def _account(self, events: tuple[ev.Event, ...]) -> None:
        """What the account holds is what came in, less what went out, plus what trading earned: to the quantum."""
        for event in events:
            match event:
                case ev.Deposited(account=self.account, amount=amount):
                    self.cash += amount
                case ev.Withdrawn(account=self.account, amount=amount):
                    self.cash -= amount
                case ev.Traded(account=self.account, result=r):
                    self.cash += r.realized + r.funding - r.fee
                case ev.Settled(account=self.account, result=r):
                    self.cash += r.realized + r.funding
                case ev.Liquidated(account=self.account, result=r):
                    self.cash += r.realized + r.funding - r.penalty + r.bad_debt
                case ev.Minted(result=r):
                    self.money_in += r.assets
                case ev.Redeemed(result=r):
                    self.money_out += r.assets
        if self.cash != self.ask("clearinghouse", "collateral_of", self.account):
            raise Divergence("the account holds other money than was paid in and earned")

    def _fair(self, function: str, before: dict[str, Any], after: dict[str, Any]) -> None:
        """Minting and redeeming take nothing from who stays, and leave no tokens behind."""
        if after["tokens"]:
            raise Divergence(f"{function} left tokens in the contract")
        virtual = 10 ** (18 - self.situation.decimals)
        if function in ("mint", "redeem"):
            was = (before["net_asset_value"] + 1) * (after["total_supply"] + virtual)
            if (after["net_asset_value"] + 1) * (before["total_supply"] + virtual) < was:
                raise Divergence(f"{function} took from the others: {before} {after}")
        if function == "redeem" and abs(after["leverage"]) > abs(before["leverage"]):
            raise Divergence(f"redeeming raised leverage: {before} {after}")
        if function == "redeem" and not after["total_supply"] and after["position"].size:
            raise Divergence("the last holder left a position behind")
        if function == "rebalance" and after["position"].size:
            aim = self.situation.terms.target_leverage
            size, mark = after["position"].size, self.ask("oracle", "price", 0)[0]
            if not abs(size) * mark * UNIT <= abs(aim) * before["equity"] < (abs(size) + 1) * mark * UNIT:
                raise Divergence(f"rebalancing missed its target: {after}")
            if (size > 0) != (aim > 0):
                raise Divergence(f"rebalancing took the wrong side: {after}")

    def round_trip(self, who: str, amount: int) -> None:
        """Mints and redeems at once, and again with a rebalance in between: who does so never gains.

        A rebalance moves the price of the next trade. Where premiums are steep and no fee is taken, that can be earned
        here as it can by trading before and after it, so there the second half is not asked."""
        for between in ((), (("rebalance", "keeper"),)) if self.situation.terms.fee else ((),):
            with self.rolled_back():
                wallet = self.ask("token", "balance_of", ROLES[who])
                minted = self.step(("mint", who, amount))
                if isinstance(minted, PerpError):
                    continue
                for step in between:
                    self.step(step)
                redeemed = self.step(("redeem_shares", who, minted.shares))
                if isinstance(redeemed, PerpError):
                    continue
                self.seen["round trip"] += 1
                gained = self.ask("token", "balance_of", ROLES[who]) - wallet
                if gained > 0:
                    raise Divergence(f"a round trip of {amount} gained {gained}: {minted} {redeemed}")

    def one_block(self, rng: random.Random) -> None:
        """Somebody who has no shares trades, mints and redeems in any order, and closes everything: he never gains, as
        long as nobody else trades in between."""
        dollar, account = self.situation.dollar, account_id(ROLES[ATTACKER])
        with self.rolled_back():
            before = self._fortune(ATTACKER)
            for _ in range(rng.randint(1, 5)):
                amount = rng.choice((1, 20, 33, 50, 1000, 100_000)) * dollar
                size = rng.randint(-30_000, 30_000) * UNIT // 100
                steps: tuple[Step, ...] = (("trade", ATTACKER, size), ("mint", ATTACKER, amount))
                self.step(rng.choice((*steps, *steps, ("redeem", ATTACKER, rng.randint(0, 1000)), ("settle", TOKEN))))
            for last in rng.sample((0, 1), 2):
                if last:
                    self.step(("redeem", ATTACKER, 1000))
                elif size := self.ask("clearinghouse", "position_of", account, 0).size:
                    self.step(("trade", ATTACKER, -size))
            after = self._fortune(ATTACKER)
            if self.ask("clearinghouse", "position_of", account, 0).size or before is None or after is None:
                return
            self.seen["one block"] += 1
            if after > before:
                raise Divergence(f"an attacker gained {after - before} in a block")

    def _fortune(self, who: str) -> int | None:
        """Wallet and account. {raw}"""
        try:
            equity: int = self.ask("clearinghouse", "margin_of", account_id(ROLES[who]))[0]
        except PerpError:
            return None
        wallet: int = self.ask("token", "balance_of", ROLES[who])
        return equity + wallet * (10**36 // self.situation.dollar)

    def rolled_back(self) -> Any:
        return _RolledBack(self)


class _RolledBack:
    """Both twins, and the walk's own books, as they were."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.kept = [walk.contract.rolled_back(), walk.model.rolled_back()]
        self.books = (walk.cash, walk.money_in, walk.money_out, walk.price)

    def __enter__(self) -> None:
        for one in self.kept:
            one.__enter__()

    def __exit__(self, *error: Any) -> None:
        for one in reversed(self.kept):
            one.__exit__(*error)
        self.walk.cash, self.walk.money_in, self.walk.money_out, self.walk.price = self.books


def draw(rng: random.Random, dollar: int) -> Step:
    """Any step; sizes of every magnitude."""
    who = rng.choice(MINTERS)
    amount = rng.choice((0, 1, rng.randint(1, 100), 10 ** rng.randint(0, 6), rng.randint(1, 200_000))) * dollar
    if rng.random() < 0.3:
        amount += rng.randint(0, dollar)
    if rng.random() < 0.05:
        amount = rng.randint(0, 3)
    permille = rng.choice((1000, 1000, 500, 1, 999, rng.randint(0, 1000)))
    kinds: tuple[tuple[int, Step], ...] = (
        (24, ("mint", who, amount)),
        (16, ("redeem", who, permille)),
        (1, ("mint", who, 100 * dollar, 10**30)),
        (1, ("redeem", who, 500, 10**30)),
        (1, ("redeem_shares", who, rng.choice((1, 10**12, 10**24, 10**40)))),
        (14, ("rebalance", rng.choice(("keeper", who)))),
        (16, ("move", rng.choice((rng.randint(-50, 50), rng.randint(-600, 600), rng.randint(-3500, 4000))))),
        (8, ("wait", rng.choice((1, 60, 3600, 86_400, 86_400)), rng.random() < 0.95)),
        (8, ("trade", rng.choice(("whale", "market_maker")), rng.randint(-40_000, 40_000) * UNIT // 100)),
        (4, ("liquidate",)),
        (2, ("settle", rng.choice((TOKEN, "whale", "market_maker")))),
        (2, ("give", rng.choice((1, dollar, rng.randint(1, 20_000 * dollar))))),
    )
    return rng.choices([step for _, step in kinds], [weight for weight, _ in kinds])[0]


def wander(name: str, rng: random.Random, steps: int) -> Walk:
    """A walk of so many steps; raises a Divergence with what led to it."""
    walk, done = Walk(name), list[Step]()
    with walk.contract.rolled_back():
        for _ in range(steps):
            step = draw(rng, walk.situation.dollar)
            done.append(step)
            try:
                walk.step(step)
                if rng.random() < 0.1:
                    amount = rng.choice((1, 10, 1000, 100_000)) * walk.situation.dollar
                    walk.round_trip(rng.choice(MINTERS), amount)
                if rng.random() < 0.1 and walk.situation.terms.fee:
                    walk.one_block(rng)
            except Divergence as error:
                raise Divergence(f"{name}, step {len(done)} {step}: {error}; before it {done[-8:]}") from error
            # Now and then a price from which the market can go on.
            if walk.price < 20 * UNIT or walk.price > 200_000 * UNIT:
                walk.price = MARKETS[0].price
                walk._push()
    return walk


def to_the_edge() -> None:
    """What no random walk meets: exactly as many shares and dollars as demanded, the very second at which a rebalance
    is due and the one before it, and a last holder who leaves while the virtual shares own a fortune."""
    walk = Walk("long")
    dollar = walk.situation.dollar
    with walk.contract.rolled_back():
        walk.step(("give", 500_000 * dollar))
        for least in (0, 1):
            with walk.rolled_back():
                found = walk.step(("mint", "trader", 1_000 * dollar))
            walk.step(("mint", "trader", 1_000 * dollar, found.shares + least))
        with walk.rolled_back():
            found = walk.step(("redeem", "trader", 500))
        for least in (0, 1):
            with walk.rolled_back():
                walk.step(("redeem", "trader", 500, found.assets + least))
        walk.step(("rebalance", "keeper"))
        walk.step(("wait", walk.situation.terms.rebalance_interval - 1, True))
        walk.step(("rebalance", "keeper"))
        walk.step(("wait", 1, True))
        walk.step(("rebalance", "keeper"))
        for who in ("keeper", "trader"):
            walk.step(("redeem", who, 1000))
