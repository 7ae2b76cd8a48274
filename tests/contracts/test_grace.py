"""Grace: after liquidations were paused, or the price was missing, owners have 15 minutes before they resume."""

from __future__ import annotations

import pytest
from expect import event_of, refuses
from hostile import deploy_code, feed_that_burns_gas, with_gas
from misfortune import make_deficit
from roles import BTC, DAY, ETH, HOUR, SOL, House, acc, address, dollars, units

from perpkit.market_setup import UNIT, feed_labels
from perpkit.model.errors import (
    GracePeriod,
    InsufficientGas,
    MarketActionPaused,
    NothingToRecord,
    NotLiquidatable,
    OwnableUnauthorizedAccount,
    StalePrice,
    UnknownMarket,
)
from perpkit.model.events import Liquidated, MarketPaused, OutageRecorded
from perpkit.model.market_ledger import DELEVERAGE, GRACE_PERIOD, INCREASE, LIQUIDATE, OUTAGE, SETTLE, TRADE
from perpkit.model.types import OracleConfig

NOT_LIQUIDATED = 0


@pytest.fixture
def doomed(house: House) -> House:
    """A long of 1 ETH with 100 dollars, at 3,930: 100 - 2 - 70 is below 39.30."""
    house.deposit("trader", dollars(100))
    house.trade("trader", ETH, units(1))
    house.set_price(ETH, 3_930)
    assert house.view("trader").liquidatable
    return house


def resume(house: House, market: int = ETH) -> int:
    """Pauses liquidations and resumes them; when grace ends."""
    house.pause(market, LIQUIDATE)
    house.pause(market, 0)
    return house.sandbox.timestamp + GRACE_PERIOD


def lose_price(house: House) -> None:
    """Nobody publishes for longer than the heartbeat."""
    house.wait(HOUR + 1, refresh=False)


# --- refusals


def test_nobody_is_liquidated_to_the_last_second_after_a_pause(doomed: House) -> None:
    """And is in the first one after."""
    until = resume(doomed)
    doomed.wait(GRACE_PERIOD - 1)
    with refuses(doomed, GracePeriod(ETH, until)):
        doomed.liquidate("trader", ETH)
    with refuses(doomed, GracePeriod(ETH, until)):
        doomed.ask("preview_liquidation", acc("trader"), ETH, label="lens")
    doomed.wait(1)
    event_of(doomed, doomed.liquidate("trader", ETH), Liquidated)


def test_a_list_skips_those_in_grace(doomed: House) -> None:
    """Nothing is done and nothing refused; after it, all is done."""
    until = resume(doomed)
    receipt = doomed.liquidate_many(ETH, ["trader", "trader"])
    assert receipt.events == ()
    assert [result.closed for result in receipt.value] == [NOT_LIQUIDATED] * 2
    doomed.wait(until - doomed.sandbox.timestamp)
    assert event_of(doomed, doomed.liquidate_many(ETH, ["trader"]), Liquidated).account == acc("trader")


@pytest.mark.parametrize("first", [ETH, SOL])
def test_a_cross_account_is_in_grace_when_one_of_its_markets_is(house: House, first: int) -> None:
    """SOL was paused, ETH falls: the error names SOL, whichever position was opened first."""
    house.deposit("trader", dollars(150))
    house.deposit("counterparty", dollars(100))
    for market in (first, ETH + SOL - first):
        house.trade("trader", market, units(1))
    house.trade("counterparty", ETH, units(1))
    until = resume(house, SOL)
    house.set_price(ETH, 3_860)
    with refuses(house, GracePeriod(SOL, until)):
        house.liquidate("trader", ETH)
    house.liquidate_many(ETH, ["trader"])
    assert house.position("trader", ETH).size == units(1)
    house.liquidate("counterparty", ETH)
    house.wait(GRACE_PERIOD)
    house.liquidate("trader", ETH)


def test_a_healthy_account_is_healthy_in_grace_too(doomed: House) -> None:
    """The first reason is told first."""
    resume(doomed)
    doomed.deposit("trader", dollars(100))
    with pytest.raises(NotLiquidatable):
        doomed.liquidate("trader", ETH)


def test_a_false_outage_is_refused(doomed: House) -> None:
    """While there is a price nothing begins, and nothing ends."""
    with refuses(doomed, NothingToRecord(ETH, True)):
        doomed.record_outage(ETH, by="trader")
    resume(doomed)
    with refuses(doomed, NothingToRecord(ETH, True)):
        doomed.record_outage(ETH, by="trader")
    with refuses(doomed, UnknownMarket(3)):
        doomed.record_outage(3)


def test_an_outage_is_recorded_once(doomed: House) -> None:
    """The beginning, and then nothing until there is a price."""
    lose_price(doomed)
    doomed.record_outage(ETH)
    with refuses(doomed, NothingToRecord(ETH, False)):
        doomed.record_outage(ETH)
    doomed.set_price(ETH, 3_930)
    doomed.record_outage(ETH)
    with refuses(doomed, NothingToRecord(ETH, True)):
        doomed.record_outage(ETH)


@pytest.mark.parametrize("gas", [400_000, 1_000_000, 2_000_000, 3_000_000, 3_030_000, 3_100_000, 5_000_000])
def test_little_gas_makes_no_outage(doomed: House, gas: int) -> None:
    """Seven of nine feeds burn all that they are given, and the last two, which answer, are asked with what is left.

    Whatever the attacker brings, either it is not enough to ask, or the price is there.
    """
    burner = deploy_code(doomed, feed_that_burns_gas())
    feeds = tuple(doomed.at(label) for label in feed_labels(doomed.specs[ETH])[:2])
    doomed.do(
        "set_feeds", ETH, OracleConfig(HOUR, UNIT // 50, 2, (*[burner] * 7, *feeds)), by="governor", label="oracle"
    )
    with pytest.raises((InsufficientGas, NothingToRecord)) as refused:
        with_gas(doomed, gas, "clearinghouse", "record_outage", ETH)
    # 21,000 and the calldata are spent before anything is asked.
    enough = gas > 3_030_000
    assert (refused.value == NothingToRecord(ETH, True)) == enough
    assert doomed.state(ETH).grace_until == 0


def test_pausing_is_still_the_governors(house: House) -> None:
    """Grace is nobody's gift to himself."""
    with refuses(house, OwnableUnauthorizedAccount(address("trader"))):
        house.do("set_market_paused", ETH, 0, by="trader")


# --- success


@pytest.mark.parametrize("bits", [TRADE, SETTLE, DELEVERAGE, INCREASE, TRADE | SETTLE | DELEVERAGE | INCREASE])
def test_only_a_pause_of_liquidations_gives_grace(doomed: House, bits: int) -> None:
    """Whoever could be liquidated meanwhile needs no time after it."""
    doomed.pause(ETH, bits)
    assert doomed.pause(ETH, 0).events == (MarketPaused(ETH, doomed.state(ETH).sequence, 0, 0),)
    doomed.liquidate("trader", ETH)


def test_a_pause_that_goes_on_gives_grace_at_its_end(doomed: House) -> None:
    """Changing other bits meanwhile begins nothing."""
    doomed.pause(ETH, LIQUIDATE)
    doomed.pause(ETH, LIQUIDATE | TRADE)
    assert doomed.state(ETH).grace_until == 0
    doomed.wait(60)
    receipt = doomed.pause(ETH, TRADE)
    until = doomed.sandbox.timestamp + GRACE_PERIOD
    assert receipt.events == (MarketPaused(ETH, doomed.state(ETH).sequence, TRADE, until),)


def test_pausing_again_within_grace_begins_it_anew(doomed: House) -> None:
    """Ten minutes in, paused for an hour: 15 minutes from the second resumption."""
    resume(doomed)
    doomed.wait(600)
    doomed.pause(ETH, LIQUIDATE)
    doomed.wait(HOUR)
    with refuses(doomed, MarketActionPaused(ETH, LIQUIDATE)):
        doomed.liquidate("trader", ETH)
    doomed.pause(ETH, 0)
    until = doomed.sandbox.timestamp + GRACE_PERIOD
    with refuses(doomed, GracePeriod(ETH, until)):
        doomed.liquidate("trader", ETH)
    assert doomed.state(ETH).grace_until == until


def test_who_tops_up_in_grace_survives_it(doomed: House) -> None:
    """12 more make 40 of 39.30, and deposits, trades and withdrawals go on as ever."""
    resume(doomed)
    doomed.deposit("trader", dollars(12))
    doomed.wait(GRACE_PERIOD)
    assert not doomed.view("trader").liquidatable


def test_who_closes_in_grace_keeps_what_is_left(doomed: House) -> None:
    """A reduction must leave maintenance margin, and closing leaves nothing to require it."""
    resume(doomed)
    doomed.close("trader", ETH)
    assert doomed.collateral("trader") > 0


def test_deleveraging_goes_on_in_grace(house: House) -> None:
    """Grace is for those who may be liquidated, not for those who won."""
    make_deficit(house)
    resume(house)
    house.deleverage(ETH, False, ("market_maker", "provider", "counterparty"))
    assert house.state(ETH).long_deficit == 0


def test_an_outage_keeps_its_market_in_grace_until_15_minutes_after(doomed: House) -> None:
    """Recorded by anybody, at both ends."""
    lose_price(doomed)
    with refuses(doomed, StalePrice(ETH, 0, 2)):
        doomed.liquidate("trader", ETH)
    receipt = doomed.record_outage(ETH, by="trader")
    assert receipt.value is False
    assert receipt.events == (OutageRecorded(ETH, doomed.state(ETH).sequence, OUTAGE),)
    doomed.wait(DAY)
    # The price is back, and as long as nobody has recorded that, grace goes on.
    with refuses(doomed, GracePeriod(ETH, OUTAGE)):
        doomed.liquidate("trader", ETH)
    receipt = doomed.record_outage(ETH, by="keeper")
    until = doomed.sandbox.timestamp + GRACE_PERIOD
    assert receipt.value is True
    assert receipt.events == (OutageRecorded(ETH, doomed.state(ETH).sequence, until),)
    doomed.wait(GRACE_PERIOD - 1)
    with refuses(doomed, GracePeriod(ETH, until)):
        doomed.liquidate("trader", ETH)
    doomed.wait(1)
    doomed.liquidate("trader", ETH)


def test_an_outage_that_nobody_recorded_gives_no_grace(doomed: House) -> None:
    """It is for owners, or whoever cares for them, to say so."""
    lose_price(doomed)
    doomed.refresh()
    doomed.liquidate("trader", ETH)


def test_an_outage_within_grace_begins_it_anew(doomed: House) -> None:
    """The price is gone again five minutes after it came back."""
    lose_price(doomed)
    doomed.record_outage(ETH)
    doomed.refresh()
    doomed.record_outage(ETH)
    for label in feed_labels(doomed.specs[ETH]):
        doomed.do("push", (doomed.at(label),), (0,), by="publisher", label="board")
    doomed.record_outage(ETH)
    assert doomed.state(ETH).grace_until == OUTAGE


def test_feeds_that_disagree_are_an_outage_too(doomed: House) -> None:
    """No two of three within 2 % of their median."""
    feeds = tuple(doomed.at(label) for label in feed_labels(doomed.specs[ETH]))
    doomed.do("push", feeds, (3_000 * 10**8, 3_500 * 10**8, 4_000 * 10**8), by="publisher", label="board")
    doomed.record_outage(ETH)
    assert doomed.state(ETH).grace_until == OUTAGE


def test_an_outage_outlives_a_pause_that_ends_within_it(doomed: House) -> None:
    """Resumed while there is no price: the outage still stands, and 15 minutes begin with its end."""
    doomed.pause(ETH, LIQUIDATE)
    lose_price(doomed)
    doomed.record_outage(ETH)
    receipt = doomed.pause(ETH, 0)
    assert receipt.events == (MarketPaused(ETH, doomed.state(ETH).sequence, 0, OUTAGE),)
    doomed.refresh()
    doomed.record_outage(ETH)
    with refuses(doomed, GracePeriod(ETH, doomed.sandbox.timestamp + GRACE_PERIOD)):
        doomed.liquidate("trader", ETH)


def test_a_pause_outlives_an_outage_that_ends_within_it(doomed: House) -> None:
    """The end of the outage gives 15 minutes, the later end of the pause another 15."""
    doomed.pause(ETH, LIQUIDATE)
    lose_price(doomed)
    doomed.record_outage(ETH)
    doomed.refresh()
    doomed.record_outage(ETH)
    doomed.wait(GRACE_PERIOD)
    doomed.pause(ETH, 0)
    assert doomed.state(ETH).grace_until == doomed.sandbox.timestamp + GRACE_PERIOD


def test_a_market_without_feeds_has_an_outage_from_the_beginning(house: House) -> None:
    """There is nobody in it whom that could help."""
    market = house.do("list_market", b"NEW-USD".ljust(32, b"\0"), house.params(ETH), (), by="governor").value
    house.record_outage(market)
    assert house.state(market).grace_until == OUTAGE


def test_an_outage_of_one_market_is_none_of_another(house: House) -> None:
    """BTC is silent; who holds ETH alone is liquidated."""
    house.deposit("trader", dollars(100))
    house.trade("trader", ETH, units(1))
    lose_price(house)
    house.set_price(ETH, 3_900)
    house.record_outage(BTC)
    house.liquidate("trader", ETH)


def test_nobody_enters_a_market_in_grace(house: House) -> None:
    """Else a position of the least size would keep an account out of reach elsewhere; leaving is free."""
    house.deposit("trader", dollars(1_000))
    house.deposit("counterparty", dollars(1_000))
    house.trade("counterparty", SOL, units(10))
    house.pause(SOL, LIQUIDATE)
    house.pause(SOL, 0)
    until = house.sandbox.timestamp + GRACE_PERIOD
    for name, delta in (("trader", units(1)), ("counterparty", units(1)), ("counterparty", -units(20))):
        with refuses(house, GracePeriod(SOL, until)):
            house.trade(name, SOL, delta)
    house.trade("counterparty", SOL, -units(5))
    house.trade("trader", ETH, units(1))
    house.wait(GRACE_PERIOD - 1)
    with refuses(house, GracePeriod(SOL, until)):
        house.trade("trader", SOL, units(1))
    house.wait(1)
    house.trade("trader", SOL, units(1))
