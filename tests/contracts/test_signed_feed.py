"""Signed reports: whose count, in which order, and how they come with the action that needs them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from expect import balances, event_of, laws_hold, refuses
from hostile import deploy_code, feed_that_reenters
from pulled import PULLED, bundle, deliver, list_pulled, reports
from roles import BTC, ETH, HOUR, INT256_MAX, START, House, acc, address, dollars, units
from signing import price_report, torn

from perpkit.backend import Receipt
from perpkit.market_setup import DEFAULT_MARKETS, list_market
from perpkit.model.errors import (
    InvalidAnswer,
    InvalidReportSignature,
    OwnableUnauthorizedAccount,
    PriceHalted,
    PriceLimitCrossed,
    ReentrancyGuardReentrantCall,
    ReportFromFuture,
    ReportNotNewer,
    StalePrice,
    TakesNoReports,
    UnknownFeed,
    UnknownReporter,
    ZeroAmount,
)
from perpkit.model.events import AnswerUpdated, Liquidated, ReporterSet, Traded
from perpkit.model.fixed_math import PRICE_MAX
from perpkit.model.types import OracleConfig, SignedReport

FEED = "feed:alone"
DOLLAR_ANSWER = 10**8
MAX_ANSWER = PRICE_MAX // 10**10


@pytest.fixture
def alone(house: House) -> House:
    """A house with one signed feed that no market reads, of which the publisher is a reporter."""
    new_feed(house, FEED, 8)
    return house


@pytest.fixture
def pulled(house: House) -> House:
    """A house with a fourth market, whose prices come with signed reports."""
    list_pulled(house)
    return house


def new_feed(house: House, label: str, decimals: int) -> str:
    house.sandbox.deploy(label, "SignedPriceFeed", address("governor"), decimals, "alone", sender=address("governor"))
    house.do("set_reporter", address("publisher"), True, by="governor", label=label)
    return house.at(label)


def tell(
    house: House, answer: int, timestamp: int = START, *, signed: Any = None, signer: str = "publisher"
) -> Receipt:
    """Delivers one report to the lone feed, through the outsider."""
    if signed is None:
        signed = price_report(house, house.at(FEED), answer, timestamp, signer=signer)
    return house.do("deliver", answer, timestamp, signed, by="outsider", label=FEED)


def latest(house: House, label: str = FEED) -> tuple[int, int, int]:
    """Number, answer and time of the last report."""
    number, answer, _, updated_at, _ = house.ask("latest_round_data", label=label)
    return number, answer, updated_at


# --- refusals of a report


@pytest.mark.parametrize("role", ["outsider", "publisher", "trader"])
def test_reporters_are_the_governors(alone: House, role: str) -> None:
    """Not even a reporter allows another."""
    with refuses(alone, OwnableUnauthorizedAccount(address(role))):
        alone.do("set_reporter", address(role), True, by=role, label=FEED)


@pytest.mark.parametrize("answer", [0, -1, -(2**127), MAX_ANSWER + 1, 2**127 - 1])
def test_a_report_that_is_no_price_is_refused(alone: House, answer: int) -> None:
    """Zero, negative, beyond the range, though the reporter signed it."""
    with refuses(alone, InvalidAnswer(answer)):
        tell(alone, answer)
    assert latest(alone) == (0, 0, 0)


@pytest.mark.parametrize("age", [0, 1, 60])
def test_a_report_that_is_not_newer_is_refused(alone: House, age: int) -> None:
    """The same again, another of the same second, or an older one: time only moves on."""
    tell(alone, DOLLAR_ANSWER)
    with refuses(alone, ReportNotNewer(START - age, START)):
        tell(alone, DOLLAR_ANSWER, START - age)
    with refuses(alone, ReportNotNewer(START - age, START)):
        tell(alone, 2 * DOLLAR_ANSWER, START - age)
    assert latest(alone) == (1, DOLLAR_ANSWER, START)


def test_a_report_of_time_zero_is_refused(alone: House) -> None:
    """A feed that was never updated is of time zero already."""
    with refuses(alone, ReportNotNewer(0, 0)):
        tell(alone, DOLLAR_ANSWER, 0)


@pytest.mark.parametrize("ahead", [1, 2**63])
def test_a_report_from_the_future_is_refused(alone: House, ahead: int) -> None:
    """One second ahead is too far; a second later it counts."""
    with refuses(alone, ReportFromFuture(START + ahead, START)):
        tell(alone, DOLLAR_ANSWER, START + ahead)
    alone.wait(1)
    tell(alone, DOLLAR_ANSWER, START + 1)


@pytest.mark.parametrize("role", ["outsider", "governor", "trader"])
def test_a_report_by_somebody_else_is_refused(alone: House, role: str) -> None:
    """Not even the governor reports."""
    with refuses(alone, UnknownReporter(address(role))):
        tell(alone, DOLLAR_ANSWER, signer=role)


def test_a_dismissed_reporter_is_refused(alone: House) -> None:
    """What was reported before stands until it is too old."""
    tell(alone, DOLLAR_ANSWER)
    alone.do("set_reporter", address("publisher"), False, by="governor", label=FEED)
    alone.wait(1)
    with refuses(alone, UnknownReporter(address("publisher"))):
        tell(alone, DOLLAR_ANSWER, START + 1)
    assert latest(alone) == (1, DOLLAR_ANSWER, START)


@pytest.mark.parametrize("change", ["price", "time", "feed", "chain"])
def test_a_report_that_says_something_else_than_was_signed_is_refused(alone: House, change: str) -> None:
    """Another price or time, a report for another feed or chain: whoever that recovers to is no reporter."""
    feed = new_feed(alone, "feed:other", 8) if change == "feed" else alone.at(FEED)
    signed = price_report(
        alone,
        feed,
        DOLLAR_ANSWER + (change == "price"),
        START - (change == "time"),
        chain_id=1 if change == "chain" else 31337,
    )
    with pytest.raises(UnknownReporter):
        tell(alone, DOLLAR_ANSWER, signed=signed)
    assert latest(alone) == (0, 0, 0)


def test_a_torn_signature_is_refused(alone: House) -> None:
    """40 bytes are no signature."""
    signed = torn(price_report(alone, alone.at(FEED), DOLLAR_ANSWER, START))
    with refuses(alone, InvalidReportSignature()):
        tell(alone, DOLLAR_ANSWER, signed=signed)


def test_the_other_signature_of_the_same_key_is_refused(alone: House) -> None:
    """Every signature has a mirror image, with which one report would have two; only the lower counts."""
    if alone.sandbox.name == "model":
        pytest.skip("the model has no curve")
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    signed = price_report(alone, alone.at(FEED), DOLLAR_ANSWER, START)
    s, v = int.from_bytes(signed[32:64], "big"), signed[64]
    mirrored = signed[:32] + (order - s).to_bytes(32, "big") + bytes([55 - v])
    with refuses(alone, InvalidReportSignature()):
        tell(alone, DOLLAR_ANSWER, signed=mirrored)


# --- refusals of the oracle


def test_reports_for_a_feed_that_is_not_there_are_refused(pulled: House) -> None:
    """The market has the feeds 0, 1 and 2; a market without feeds has none; and nothing of the list remains."""
    before = latest(pulled, "feed:PULL-USD:0")
    pulled.wait(1)
    good, other = reports(pulled, 4_001, feeds=(0, 1))
    with refuses(pulled, UnknownFeed(PULLED, 3)):
        pulled.do("deliver", PULLED, (good, replace(other, feed=3)), by="outsider", label="oracle")
    with refuses(pulled, UnknownFeed(9, 0)):
        pulled.do("deliver", 9, (good,), by="outsider", label="oracle")
    with refuses(pulled, UnknownFeed(PULLED, 255)):
        pulled.do("deliver_reports", PULLED, (replace(good, feed=255),), by="outsider")
    assert latest(pulled, "feed:PULL-USD:0") == before


def test_a_pushed_feed_takes_no_reports(pulled: House) -> None:
    """Whom the publisher pushes to has no `deliver`."""
    pulled.wait(1, refresh=False)
    (report,) = reports(pulled, 4_001, feeds=(0,))
    with refuses(pulled, TakesNoReports(ETH, 0)):
        pulled.do("deliver", ETH, (report,), by="outsider", label="oracle")


@pytest.mark.parametrize("way", ["oracle", "clearinghouse"])
def test_the_oracle_passes_on_why_a_report_is_refused(pulled: House, way: str) -> None:
    """The feed's own words, through one contract or two."""
    function = "deliver" if way == "oracle" else "deliver_reports"
    pulled.wait(1)
    with refuses(pulled, UnknownReporter(address("outsider"))):
        forged = reports(pulled, 1, signer="outsider")
        pulled.do(function, PULLED, forged, by="outsider", label=way)
    with refuses(pulled, ReportFromFuture(START + 2, START + 1)):
        pulled.do(function, PULLED, reports(pulled, 4_000, age=-1), by="outsider", label=way)


def test_a_market_that_pulls_needs_a_signature_to_be_listed(house: House) -> None:
    """Its first price comes with a report."""
    spec = replace(DEFAULT_MARKETS[0], symbol="PULL-USD", pull=True)
    with house.rolled_back() as ruined, pytest.raises(ValueError, match="PULL-USD pulls its prices, so its first"):
        list_market(ruined.sandbox, PULLED, spec)


def test_no_price_is_pushed_to_a_market_that_pulls(pulled: House) -> None:
    """A sentence says what to do instead."""
    with pytest.raises(ValueError, match=r"PULL-USD pulls its prices, so none can be pushed; deliver"):
        pulled.set_price(PULLED, 4_000)


# --- success: the feed


def test_anyone_delivers_a_report(alone: House) -> None:
    """The outsider pays the gas, the publisher's word counts."""
    receipt = tell(alone, 4_000 * DOLLAR_ANSWER, START - 5)
    assert receipt.events == (AnswerUpdated(4_000 * DOLLAR_ANSWER, 1, START - 5),)
    assert latest(alone) == (1, 4_000 * DOLLAR_ANSWER, START - 5)
    receipt = tell(alone, 1, START)
    assert receipt.events == (AnswerUpdated(1, 2, START),)


def test_a_reporter_is_told(house: House) -> None:
    """One event each, and the getter."""
    house.sandbox.deploy(FEED, "SignedPriceFeed", address("governor"), 8, "alone", sender=address("governor"))
    for allowed in (True, False):
        receipt = house.do("set_reporter", address("keeper"), allowed, by="governor", label=FEED)
        assert receipt.events == (ReporterSet(address("keeper"), allowed),)
        assert house.ask("is_reporter", address("keeper"), label=FEED) is allowed


@pytest.mark.parametrize(
    ("decimals", "most"),
    [(0, PRICE_MAX // 10**18), (6, PRICE_MAX // 10**12), (8, MAX_ANSWER), (18, PRICE_MAX), (19, 2**127 - 1)],
)
def test_the_highest_answer_is_the_highest_price_of_the_market(house: House, decimals: int, most: int) -> None:
    """2**88 - 1 in the feed's digits; beyond 18 of them the type is the bound, and the oracle drops what is left."""
    feed = new_feed(house, FEED, decimals)
    assert house.ask("MAX_ANSWER", label=FEED) == most
    house.do("set_feeds", 7, OracleConfig(HOUR, 0, 1, (feed,)), by="governor", label="oracle")
    tell(house, most)
    if decimals > 18:
        with refuses(house, StalePrice(7, 0, 1)):
            house.ask("price", 7, label="oracle")
    else:
        assert house.ask("price", 7, label="oracle") == (most * 10 ** (18 - decimals), START)
        with refuses(house, InvalidAnswer(most + 1)):
            tell(house, most + 1)


# --- success: the oracle


def test_the_price_is_the_median_of_the_reports(pulled: House) -> None:
    """4,000, 4,010 and 4,020, each its own report, the oldest of which dates the price."""
    pulled.wait(10)
    told = [reports(pulled, price, age=age, feeds=(i,)) for i, (price, age) in enumerate(((4_000, 3), (4_020, 1)))]
    told.append(reports(pulled, 4_010, feeds=(2,)))
    receipt = pulled.do("deliver", PULLED, tuple(report for (report,) in told), by="outsider", label="oracle")
    assert [event.current for event in receipt.events if isinstance(event, AnswerUpdated)] == [
        4_000 * DOLLAR_ANSWER,
        4_020 * DOLLAR_ANSWER,
        4_010 * DOLLAR_ANSWER,
    ]
    assert pulled.ask("price", PULLED, label="oracle") == (units(4_010), START + 7)


def test_a_report_that_came_already_is_skipped(pulled: House) -> None:
    """Nothing happens, nothing is refused, not even when the signature is torn; what is newer in the list counts."""
    pulled.wait(60)
    deliver(pulled, 4_000)
    assert deliver(pulled, 4_000).events == ()
    assert deliver(pulled, 4_100, age=1).events == ()
    (report,) = reports(pulled, 4_000, feeds=(0,))
    again = pulled.do(
        "deliver", PULLED, (replace(report, signature=torn(report.signature)),), by="outsider", label="oracle"
    )
    assert again.events == ()
    pulled.wait(1)
    mixed = (*reports(pulled, 4_000, age=1, feeds=(0, 1)), *reports(pulled, 4_001, feeds=(2,)))
    receipt = pulled.do("deliver", PULLED, mixed, by="outsider", label="oracle")
    assert receipt.events == (AnswerUpdated(4_001 * DOLLAR_ANSWER, 3, START + 61),)


def test_the_same_feed_twice_in_a_list_counts_in_order(pulled: House) -> None:
    """First the older, then the newer; the other way round the older is skipped."""
    pulled.wait(2)
    older, newer = reports(pulled, 4_001, age=1, feeds=(0,)), reports(pulled, 4_002, feeds=(0,))
    with pulled.rolled_back() as copy:
        assert len(copy.do("deliver", PULLED, older + newer, by="outsider", label="oracle").events) == 2
    assert len(pulled.do("deliver", PULLED, newer + older, by="outsider", label="oracle").events) == 1
    assert latest(pulled, "feed:PULL-USD:0") == (2, 4_002 * DOLLAR_ANSWER, START + 2)


def test_reports_do_not_end_a_halt(pulled: House) -> None:
    """They are taken, and there is no price all the same."""
    pulled.do("set_halted", PULLED, True, by="governor", label="oracle")
    pulled.wait(1)
    assert len(deliver(pulled, 4_000).events) == 3
    with refuses(pulled, PriceHalted(PULLED)):
        pulled.ask("price", PULLED, label="oracle")


# --- with the action that needs them


def trade(size: int, *, limit: int = INT256_MAX) -> tuple[object, ...]:
    return ("trade", acc("trader"), PULLED, units(size), limit)


def test_reports_and_the_trade_that_needs_them_are_one_transaction(pulled: House) -> None:
    """An hour later there is no price but the one that the trader brings."""
    pulled.deposit("trader", dollars(1_000))
    pulled.wait(HOUR + 1)
    with refuses(pulled, StalePrice(PULLED, 0, 2)):
        pulled.trade("trader", PULLED, units(10))
    receipt = bundle(pulled, reports(pulled, 4_010), trade(10))
    assert [type(event) for event in receipt.events] == [AnswerUpdated] * 3 + [Traded]
    traded = event_of(pulled, receipt, Traded)
    assert traded.result.mark == units(4_010)
    # 10 * 4,010 * (1 + 10 / 2,000,000) * 5 bp = 20.05010025, charged 20.050101.
    balances(pulled, {"trader": 1_000_000_000 - 20_050_101})


def test_whoever_delivers_a_traders_reports_first_does_not_spoil_the_trade(pulled: House) -> None:
    """The very same reports, a moment earlier in the same block: the trade is the same to the last digit."""
    pulled.deposit("trader", dollars(1_000))
    pulled.wait(HOUR + 1)
    mine = reports(pulled, 4_010)
    with pulled.rolled_back() as undisturbed:
        expected = event_of(undisturbed, bundle(undisturbed, mine, trade(10)), Traded)
    pulled.do("deliver", PULLED, mine, by="outsider", label="oracle")
    receipt = bundle(pulled, mine, trade(10))
    assert receipt.events == (expected,)


def test_two_people_with_the_same_reports_in_one_block_both_trade(pulled: House) -> None:
    """The first brings the price, the second finds it there."""
    for name in ("trader", "counterparty"):
        pulled.deposit(name, dollars(1_000))
    pulled.wait(HOUR + 1)
    mine = reports(pulled, 4_010)
    bundle(pulled, mine, trade(10))
    bundle(pulled, mine, ("trade", acc("counterparty"), PULLED, -units(5), 0), by="counterparty")
    assert pulled.position("trader", PULLED).size == units(10)
    assert pulled.position("counterparty", PULLED).size == -units(5)


def test_a_newer_price_than_the_traders_counts_within_the_traders_limit(pulled: House) -> None:
    """Somebody delivered a newer report: the trade fills at that, or not at all beyond its limit."""
    pulled.deposit("trader", dollars(1_000))
    pulled.wait(60)
    mine = reports(pulled, 4_000, age=1)
    deliver(pulled, 4_050)
    # 4,050 * (1 + 10 / 2,000,000)
    with refuses(pulled, PriceLimitCrossed(units("4050.02025"), units(4_001))):
        bundle(pulled, mine, trade(10, limit=units(4_001)))
    traded = event_of(pulled, bundle(pulled, mine, trade(10)), Traded)
    assert traded.result.mark == units(4_050)


def test_a_refused_trade_takes_its_reports_back(pulled: House) -> None:
    """All of it, or none."""
    pulled.wait(HOUR + 1)
    with refuses(pulled, ZeroAmount()):
        bundle(pulled, reports(pulled, 4_010), trade(0))
    with refuses(pulled, StalePrice(PULLED, 0, 2)):
        pulled.ask("price", PULLED, label="oracle")


def test_a_forged_report_undoes_the_trade(pulled: House) -> None:
    """Nobody brings a price of his own along."""
    pulled.deposit("trader", dollars(1_000))
    pulled.wait(60)
    with refuses(pulled, UnknownReporter(address("trader"))):
        bundle(pulled, reports(pulled, 1, signer="trader"), trade(10))


def test_a_keeper_brings_the_price_at_which_it_liquidates(pulled: House) -> None:
    """Healthy at the last price on the chain, not at the newest there is."""
    pulled.deposit("trader", dollars(1_000))
    pulled.trade("trader", PULLED, units(10))
    pulled.wait(60)
    receipt = bundle(pulled, reports(pulled, 3_910), ("liquidate", acc("trader"), PULLED), by="keeper")
    assert event_of(pulled, receipt, Liquidated).result.mark == units(3_910)


def test_prices_come_between_two_trades_of_one_transaction(pulled: House) -> None:
    """Audit case 18 with pulled prices: whoever holds two reports in order earns their difference less the fees. That
    is the actual behaviour; a market's defence is a short heartbeat, fees above the step, and orders with a delay."""
    pulled.deposit("trader", dollars(1_000))
    pulled.wait(2)
    later = pulled.sandbox.action("clearinghouse", "deliver_reports", PULLED, reports(pulled, 4_040))
    actions = (
        pulled.sandbox.action("clearinghouse", "deliver_reports", PULLED, reports(pulled, 4_000, age=1)),
        pulled.sandbox.action("clearinghouse", *trade(10)),
        later,
        pulled.sandbox.action("clearinghouse", "trade", acc("trader"), PULLED, -units(10), 0),
    )
    pulled.do("multicall", actions, by="trader")
    # The numbers of audit case 18: profit 400.002, fees 20.0001 and 8.080041.
    balances(pulled, {"trader": 1_000_000_000 + 400_002_000 - 20_000_100 - 8_080_041})


def test_no_reports_are_no_harm(pulled: House) -> None:
    """An empty list does nothing, for any market."""
    for market in (PULLED, BTC, 99):
        assert pulled.do("deliver_reports", market, (), by="outsider").events == ()


# --- a feed that calls back: on bytecode only

REENTRIES: dict[str, tuple[object, ...]] = {
    "deposit": (acc("trader"), 1),
    "trade": (acc("trader"), ETH, units(1), INT256_MAX),
    "settle": (acc("trader"), ETH),
    "liquidate": (acc("trader"), ETH),
    "liquidate_many": (ETH, (acc("trader"),)),
    "deleverage": (ETH, True, ()),
    "collect_fees": (ETH,),
    "skim": (),
    "deliver_reports": (ETH, ()),
}


def with_hostile_feed(house: House, function: str) -> SignedReport:
    """A fourth feed of the ETH market that calls the clearinghouse whenever it is asked or told; a report for it."""
    if house.sandbox.name != "revm":
        pytest.skip("hostile contracts need bytecode")
    from perpkit.abi.codec import encode_call

    call = encode_call("Clearinghouse", function, REENTRIES[function])
    hostile = deploy_code(house, feed_that_reenters(house.at("clearinghouse"), call))
    config = house.ask("config_of", ETH, label="oracle")
    house.do("set_feeds", ETH, replace(config, feeds=(*config.feeds, hostile)), by="governor", label="oracle")
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(1))
    return SignedReport(3, 1, START, b"")


@pytest.mark.parametrize("function", REENTRIES)
def test_a_feed_that_calls_back_finds_the_door_locked(house: House, function: str) -> None:
    """Reports are delivered within the clearinghouse's lock, alone and in a bundle."""
    report = with_hostile_feed(house, function)
    with refuses(house, ReentrancyGuardReentrantCall()):
        house.do("deliver_reports", ETH, (report,), by="outsider")
    actions = (
        house.sandbox.action("clearinghouse", "deliver_reports", ETH, (report,)),
        house.sandbox.action("clearinghouse", "trade", acc("trader"), ETH, units(1), INT256_MAX),
    )
    with refuses(house, ReentrancyGuardReentrantCall()):
        house.do("multicall", actions, by="trader")


@pytest.mark.parametrize("function", ["settle", "collect_fees", "deliver_reports"])
def test_a_feed_that_calls_from_outside_is_anybody(house: House, function: str) -> None:
    """The must-pass twin: told by the oracle itself, nothing is under way, and the same call goes through."""
    report = with_hostile_feed(house, function)
    house.do("deliver", ETH, (report,), by="outsider", label="oracle")
    assert house.mark(ETH) == units(4_000)
    laws_hold(house)
