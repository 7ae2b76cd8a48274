"""Audit cases 18 to 22: prices, their order in time, and what is left over after a liquidation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from expect import balances, laws_hold, refuses, worth
from hostile import deploy_code, feed_that_says_too_little
from misfortune import make_deficit
from roles import BTC, ETH, SOL, House, acc, address, dollars, units

from perpkit.model.errors import NoPosition, OwnableUnauthorizedAccount, PerpError, StalePrice
from perpkit.model.types import NO_POSITION

# --- case 18


def test_case_18_two_prices_in_one_block_pay_who_knew_the_second(house: House) -> None:
    """Flat Money 032-H, Perp v3 002-M, Synthetix: the core fills at the posted price, so knowing the next one earns
    its difference less the fees. This is the actual behaviour; a market's defence is `minDelay` of the orders."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(10))
    house.set_price(ETH, 4_040)
    house.close("trader", ETH)
    # Bought at 4,000.02, sold at 4,040 * (1 + 10 / 2,000,000) = 4,040.0202: 400.002.
    # Fees 20.0001 and 40,400.202 * 2 bp = 8.0800404, charged 8.080041.
    balances(house, {"trader": 1_000_000_000 + 400_002_000 - 20_000_100 - 8_080_041})


def test_case_18_a_price_step_within_the_fees_pays_nothing(house: House) -> None:
    """The boundary: fees of 7 basis points and the premium are what a step must beat; 2.80 dollars of 4,000 do not."""
    house.deposit("trader", dollars(1_000))
    before = worth(house, "trader")
    house.trade("trader", ETH, units(10))
    house.set_price(ETH, "4002.80")
    house.close("trader", ETH)
    assert worth(house, "trader") < before


@pytest.mark.parametrize("role", ["keeper", "trader", "governor", "outsider"])
def test_case_18_the_keeper_does_not_choose_the_price(house: House, role: str) -> None:
    """GMX H-004, H-005: nobody brings a price along; a liquidation is at the oracle's or not at all."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(10))
    feed = house.at("feed:ETH-USD:0")
    with refuses(house, OwnableUnauthorizedAccount(address(role))):
        house.do("push", (feed,), (3_800 * 10**8,), by=role, label="board")
    with refuses(house, OwnableUnauthorizedAccount(address(role))):
        house.do("push_at", 3_800 * 10**8, house.sandbox.timestamp, by=role, label="feed:ETH-USD:0")


# --- case 19: see test_oracle.py for every feed that does not count


def test_case_19_a_stale_price_stops_everything_but_rescue(house: House) -> None:
    """Hubble 002-M, Tigris M-24: no trade, no settlement, no liquidation, no deleveraging at an old price; top-ups and
    withdrawals without positions go on."""
    house.deposit("trader", dollars(1_000))
    house.deposit("counterparty", dollars(1))
    house.trade("trader", ETH, units(10))
    house.wait(3_601, refresh=False)
    acts: tuple[Callable[[], object], ...] = (
        lambda: house.trade("trader", ETH, -units(1)),
        lambda: house.settle("trader", ETH),
        lambda: house.liquidate("trader", ETH),
        lambda: house.liquidate_many(ETH, ["trader"]),
        lambda: house.deleverage(ETH, True, ["trader"]),
        lambda: house.withdraw("trader", 1),
    )
    for act in acts:
        with refuses(house, StalePrice(ETH, 0, 2)):
            act()
    house.deposit("trader", dollars(1))
    house.withdraw("counterparty", dollars(1))


def test_case_19_one_liar_among_three_moves_nothing(house: House) -> None:
    """KiloEx: with one feed of three at a tenth of the price, the market goes on at the honest one."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(10))
    board = house.at("feed:ETH-USD:1")
    house.do("push", (board,), (400 * 10**8,), by="publisher", label="board")
    assert house.mark(ETH) == units(4_000)
    with pytest.raises(PerpError, match="healthy"):
        house.liquidate("trader", ETH)


def test_case_19_a_feed_that_answers_nonsense_does_not_count(house: House) -> None:
    """A fourth feed that returns 32 bytes instead of 160: `try` does not catch what fails to decode."""
    broken = deploy_code(house, feed_that_says_too_little())
    config = house.ask("config_of", ETH, label="oracle")
    house.do("set_feeds", ETH, replace(config, feeds=(*config.feeds, broken)), by="governor", label="oracle")
    assert house.mark(ETH) == units(4_000)


def test_case_19_the_last_second_of_the_heartbeat_still_counts(house: House) -> None:
    """The boundary: 3,600 seconds after the price one is liquidated at it, 3,601 after nobody is."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(10))
    house.set_price(ETH, 3_900)
    house.wait(3_600, refresh=False)
    with house.rolled_back() as copy:
        assert copy.liquidate("trader", ETH).value.closed > 0
    house.wait(1, refresh=False)
    with refuses(house, StalePrice(ETH, 0, 2)):
        house.liquidate("trader", ETH)


# --- cases 20 to 22, as far as they do not need orders


@pytest.mark.parametrize("price", [3_910, 3_800])
def test_case_21_nothing_of_a_liquidated_position_remains(house: House, price: int) -> None:
    """Flat Money 031-M, GMX M-122: no size, no cost, no market in the list, no margin held; the account starts anew."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(10))
    house.set_price(ETH, price)
    house.liquidate("trader", ETH)
    assert house.position("trader", ETH) == NO_POSITION
    assert house.ask("markets_of", acc("trader")) == ()
    with refuses(house, NoPosition(acc("trader"), ETH)):
        house.settle("trader", ETH)
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, -units(1))
    assert house.position("trader", ETH).size == -units(1)


def test_case_21_nothing_of_a_deleveraged_position_remains(house: House) -> None:
    """The market maker's short is gone, and its collateral is free."""
    make_deficit(house)
    house.deleverage(ETH, False, ["market_maker", "provider", "counterparty"])
    assert house.position("market_maker", ETH) == NO_POSITION
    house.withdraw("market_maker", house.collateral("market_maker"))


def test_case_22_no_account_of_a_list_stops_the_others(house: House) -> None:
    """GMX 004-H, Perp v3 029-M: empty, healthy, absent, bankrupt and the keeper's own account in one list."""
    for name, margin in (("trader", 90), ("counterparty", 1_000), ("keeper", 95), ("whale", 100)):
        house.deposit(name, dollars(margin))
        house.trade(name, ETH, units(1))
    house.trade("whale", BTC, units("0.001"))
    house.set_price(ETH, 3_850)
    names = ["outsider", "trader", "trader", "counterparty", "keeper", "0x" + "ff" * 20, "whale"]
    results = house.liquidate_many(ETH, names).value
    assert [result.closed > 0 for result in results] == [False, True, False, False, True, False, True]
    laws_hold(house)


def test_case_22_who_has_no_price_elsewhere_stops_no_list(house: House) -> None:
    """The one obstacle that is not the market's own: SOL is silent, and the whale holds the least of it."""
    for name in ("trader", "whale"):
        house.deposit(name, dollars(1_000))
        house.trade(name, ETH, units(10))
    house.trade("whale", SOL, units("0.5"))
    house.wait(3_601, refresh=False)
    house.set_price(ETH, 3_900)
    results = house.liquidate_many(ETH, ["whale", "trader"]).value
    assert [result.closed > 0 for result in results] == [False, True]
    with refuses(house, StalePrice(SOL, 0, 2)):
        house.liquidate("whale", ETH)
