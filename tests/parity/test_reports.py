"""Random reports on the bytecode and on the model: signed for real on the one, said on the other, equal after each."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from parity.keys import key_of
from parity.seeds import seeded
from perpkit.backend import Receipt, Sandbox
from perpkit.chain.signing import sign_price_report
from perpkit.local import LocalBackend
from perpkit.market_setup import (
    DEFAULT_MARKETS,
    ROLES,
    UNIT,
    MarketSetup,
    feed_answer,
    feed_labels,
    set_up,
    sign_in_model,
    signed_reports,
)
from perpkit.model.contract import external
from perpkit.model.errors import PerpError, TakesNoReports, UnknownFeed
from perpkit.model.price_oracle import PriceOracle
from perpkit.model.push_feed import PushFeed
from perpkit.model.signed_price_feed import SignedPriceFeed
from perpkit.model.types import ZERO_ADDRESS, Address, Signature, SignedReport, account_id
from perpkit.revm import CHAIN_ID, RevmBackend

START = 1_800_000_000
STEPS = 2_000
HEARTBEAT = 60
PULLED, PUSHED = 0, 1
SPEC = replace(DEFAULT_MARKETS[0], pull=True, heartbeat=HEARTBEAT)
SETUP = MarketSetup((SPEC, DEFAULT_MARKETS[1]))
TRADER = ROLES["trader"]

# What a walk must have met, so that it does not agree on nothing.
MET = {
    *("done", "InvalidAnswer", "ReportNotNewer", "ReportFromFuture", "UnknownReporter", "InvalidReportSignature"),
    *("UnknownFeed", "TakesNoReports", "PriceHalted", "StalePrice", "QuorumNotMet", "OwnableUnauthorizedAccount"),
}


def sign(feed: Address, answer: int, timestamp: int) -> bytes:
    return sign_price_report(
        key_of(ROLES["publisher"]), feed=feed, price=answer, timestamp=timestamp, chain_id=CHAIN_ID
    )


@dataclass(frozen=True)
class Report:
    """A report to be."""

    feed: int
    answer: int
    age: int
    signer: Address
    torn: bool

    def on(self, sandbox: Sandbox) -> SignedReport:
        """For the model who and what, for the bytecode 65 bytes, or 40 when torn."""
        labels = feed_labels(SPEC)
        at = sandbox.deployed[labels[self.feed % len(labels)]].address
        timestamp = sandbox.timestamp - self.age
        signature: Any
        if sandbox.name == "model":
            message = ("PriceReport", at, self.answer, timestamp)
            signature = Signature(ZERO_ADDRESS if self.torn else self.signer, message)
        else:
            signature = sign_price_report(
                key_of(self.signer), feed=at, price=self.answer, timestamp=timestamp, chain_id=CHAIN_ID
            )
            signature = signature[:40] if self.torn else signature
        return SignedReport(self.feed, self.answer, timestamp, signature)


def random_report(rng: random.Random) -> Report:
    """Good ones mostly."""
    price = 4_000 * UNIT + rng.choice((1, 1, 1, 20)) * rng.randint(-10, 10) * UNIT
    answer = feed_answer(price) if rng.random() < 0.95 else rng.choice((0, -1, 2**88, 2**127 - 1))
    return Report(
        feed=rng.choice((0, 1, 2, 0, 1, 2, 0, 1, 2, 3)) if rng.random() < 0.5 else rng.randrange(3),
        answer=answer,
        age=rng.choice((0, 0, 0, 0, 0, 1, 2, 50, -1 if rng.random() < 0.3 else 0)),
        signer=ROLES["publisher"] if rng.random() < 0.95 else ROLES["outsider"],
        torn=rng.random() < 0.03,
    )


def random_step(rng: random.Random) -> tuple[Any, ...]:
    reports = tuple(random_report(rng) for _ in range(rng.choice((1, 2, 3, 3, 3))))
    pick = rng.random()
    if pick < 0.2:
        return "wait", rng.choice((1, 1, 5, HEARTBEAT, HEARTBEAT + 1))
    if pick < 0.27:
        return "halt", rng.choice(("governor", "governor", "outsider")), rng.random() < 0.4
    if pick < 0.32:
        return "reporter", rng.choice(("governor", "governor", "outsider")), rng.random() < 0.8
    if pick < 0.4:
        return "direct", reports[0]
    if pick < 0.44:
        return "deliver", PUSHED, reports
    if pick < 0.6:
        return "deliver", PULLED, reports
    return "bundle", reports, rng.choice((-1, 1)) * rng.randint(1, 5) * UNIT


def do(sandbox: Sandbox, step: tuple[Any, ...]) -> Receipt:
    """One step on one backend."""
    kind, *args = step
    if kind == "halt":
        return sandbox.transact("oracle", "set_halted", PULLED, args[1], sender=ROLES[args[0]])
    if kind == "reporter":
        label = feed_labels(SPEC)[0]
        return sandbox.transact(label, "set_reporter", ROLES["publisher"], args[1], sender=ROLES[args[0]])
    if kind == "direct":
        label, report = feed_labels(SPEC)[args[0].feed % 3], args[0].on(sandbox)
        return sandbox.transact(
            label, "deliver", report.price, report.timestamp, report.signature, sender=ROLES["outsider"]
        )
    if kind == "deliver":
        market, reports = args
        rendered = tuple(report.on(sandbox) for report in reports)
        return sandbox.transact("oracle", "deliver", market, rendered, sender=ROLES["outsider"])
    reports, size = args
    actions = (
        sandbox.action("clearinghouse", "deliver_reports", PULLED, tuple(report.on(sandbox) for report in reports)),
        sandbox.action("clearinghouse", "trade", account_id(TRADER), PULLED, size, 2**255 - 1 if size > 0 else 0),
    )
    return sandbox.transact("clearinghouse", "multicall", actions, sender=TRADER)


def outcome(sandbox: Sandbox, step: tuple[Any, ...]) -> Any:
    """The events of a step, or the error that refused it."""
    try:
        return do(sandbox, step).events
    except PerpError as error:
        return error


def state(sandbox: Sandbox) -> list[Any]:
    """What feeds, oracle and ledger say afterwards."""
    found: list[Any] = [sandbox.call(label, "latest_round_data") for label in feed_labels(SPEC)]
    found.append(sandbox.call("oracle", "is_halted", PULLED))
    found.append(sandbox.call("clearinghouse", "position_of", account_id(TRADER), PULLED))
    try:
        found.append(sandbox.call("oracle", "price", PULLED))
    except PerpError as error:
        found.append(error)
    return found


@pytest.fixture(scope="module")
def pair() -> tuple[LocalBackend, RevmBackend]:
    """The same market on both, at the same addresses, with a trader who has money."""
    revm = RevmBackend(timestamp=START)
    set_up(revm, SETUP, sign=sign)
    addresses = {label: deployed.address for label, deployed in revm.deployed.items()}
    model = LocalBackend(timestamp=START, addresses=addresses)
    set_up(model, SETUP, sign=sign_in_model)
    for sandbox in (model, revm):
        sandbox.transact("clearinghouse", "deposit", account_id(TRADER), 10**12, sender=TRADER)
    return model, revm


def test_a_market_that_pulls_is_set_up_with_its_first_price(pair: tuple[LocalBackend, RevmBackend]) -> None:
    """The publisher's reports carry it, and the other market's prices are pushed as ever."""
    for sandbox in pair:
        assert sandbox.call("oracle", "price", PULLED) == (4_000 * UNIT, START)
        assert sandbox.call("oracle", "price", PUSHED) == (100_000 * UNIT, START)
        assert {sandbox.deployed[label].contract for label in feed_labels(SPEC)} == {"SignedPriceFeed"}


def test_reports_come_with_a_trade_on_both(pair: tuple[LocalBackend, RevmBackend]) -> None:
    """Signed by what `market_setup` is given."""
    for sandbox, way in zip(pair, (sign_in_model, sign), strict=True):
        with sandbox.rolled_back():
            sandbox.set_time(START + HEARTBEAT + 1)
            reports = signed_reports(sandbox, SPEC, 4_001 * UNIT, sign=way)
            actions = (
                sandbox.action("clearinghouse", "deliver_reports", PULLED, reports),
                sandbox.action("clearinghouse", "trade", account_id(TRADER), PULLED, UNIT, 2**255 - 1),
            )
            sandbox.transact("clearinghouse", "multicall", actions, sender=TRADER)
            assert sandbox.call("oracle", "price", PULLED) == (4_001 * UNIT, START + HEARTBEAT + 1)
            assert sandbox.call("clearinghouse", "position_of", account_id(TRADER), PULLED).size == UNIT


def walk(pair: tuple[LocalBackend, RevmBackend], rng: random.Random) -> Counter[str]:
    """Random steps on both, compared after each; what was met."""
    model, revm = pair
    met: Counter[str] = Counter()
    for number in range(STEPS):
        step = random_step(rng)
        if step[0] == "wait":
            for sandbox in pair:
                sandbox.set_time(sandbox.timestamp + step[1])
            continue
        expected, found = outcome(model, step), outcome(revm, step)
        assert found == expected, f"step {number}: {step}"
        assert state(revm) == state(model), f"step {number}: {step}"
        met[type(expected).__name__ if isinstance(expected, PerpError) else "done"] += 1
    return met


def test_random_reports_agree(pair: tuple[LocalBackend, RevmBackend]) -> None:
    """Events, errors with their values, feeds, price and position, after every step."""
    with pair[0].rolled_back(), pair[1].rolled_back():
        met = walk(pair, seeded("reports"))
    print(met)
    assert set(met) >= MET


def deliver_all(self: PriceOracle, market: int, reports: Sequence[SignedReport], *, sender: Address) -> None:
    """A wrong oracle, which hands over also what its feeds have already."""
    feeds = self.config_of(market).feeds
    for report in reports:
        if report.feed >= len(feeds):
            raise UnknownFeed(market, report.feed)
        feed = self._feeds[feeds[report.feed]]
        if isinstance(feed, PushFeed):
            raise TakesNoReports(market, report.feed)
        feed.deliver(report.price, report.timestamp, report.signature, sender=self.address)


@pytest.mark.parametrize(
    ("where", "function", "wrong"),
    [
        (PriceOracle, "deliver", external(deliver_all)),
        (SignedPriceFeed, "_recover", lambda self, price, timestamp, signature: signature.signer),
        (PriceOracle, "is_halted", lambda self, market: False),
    ],
    ids=["nothing is skipped", "torn signatures count", "no halt is told"],
)
def test_a_mutant_is_found(
    pair: tuple[LocalBackend, RevmBackend],
    monkeypatch: pytest.MonkeyPatch,
    where: type,
    function: str,
    wrong: Callable[..., Any],
) -> None:
    """Must-fail twins: the same walk does not survive a model that is wrong."""
    monkeypatch.setattr(where, function, wrong)
    with pair[0].rolled_back(), pair[1].rolled_back(), pytest.raises(AssertionError, match="step"):
        walk(pair, seeded("reports"))
