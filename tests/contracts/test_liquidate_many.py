"""Liquidating a list: what is not liquidatable any more is skipped, the rest is as one by one."""

from __future__ import annotations

import pytest
from expect import balances, moves, refuses
from roles import BTC, ETH, House, acc, dollars, units

from perpkit.model.clearinghouse import NOT_LIQUIDATED
from perpkit.model.errors import MarketActionPaused, StalePrice, UnknownMarket
from perpkit.model.events import Liquidated

NAMES = ("trader", "counterparty", "whale")


@pytest.fixture
def house(house: House) -> House:
    """Three longs of 1 ETH with 50, 100 and 1,000 dollars."""
    for name, margin in zip(NAMES, (90, 100, 1_000), strict=True):
        house.deposit(name, dollars(margin))
        house.trade(name, ETH, units(1))
    return house


# --- refusals


def test_a_list_in_an_unknown_market_is_refused(house: House) -> None:
    """There is no market 3."""
    with refuses(house, UnknownMarket(3)):
        house.liquidate_many(3, NAMES)


def test_a_list_while_paused_is_refused(house: House) -> None:
    """The same bit as for one."""
    house.do("set_market_paused", ETH, 4, by="governor")
    with refuses(house, MarketActionPaused(ETH, 4)):
        house.liquidate_many(ETH, NAMES)


def test_a_list_without_a_fresh_price_is_refused(house: House) -> None:
    """The same oracle as for one."""
    house.wait(3_601, refresh=False)
    with refuses(house, StalePrice(ETH, 0, 2)):
        house.liquidate_many(ETH, NAMES)


# --- success


def test_healthy_and_absent_accounts_are_skipped(house: House) -> None:
    """Of four, two are closed; the results keep their places."""
    house.set_price(ETH, 3_940)
    receipt = house.liquidate_many(ETH, ["whale", "trader", "outsider", "counterparty"])
    closed = [result.closed > 0 for result in receipt.value]
    assert closed == [False, True, False, True]
    assert receipt.value[0] == receipt.value[2] == NOT_LIQUIDATED
    events = [event for event in receipt.events if isinstance(event, Liquidated)]
    assert [event.account for event in events] == [acc("trader"), acc("counterparty")]
    assert [event.sequence for event in events] == [5, 6]


def test_an_account_listed_twice_is_liquidated_once(house: House) -> None:
    """Restored to initial margin, it is healthy when its name comes again."""
    house.set_price(ETH, 3_940)
    receipt = house.liquidate_many(ETH, ["trader", "trader", "trader"])
    assert [result.closed > 0 for result in receipt.value] == [True, False, False]


def test_a_list_does_what_its_members_one_by_one_do(house: House) -> None:
    """Same prices, same books."""
    house.set_price(ETH, 3_900)
    with house.rolled_back() as copy:
        for name in NAMES[:2]:
            copy.liquidate(name, ETH)
        one_by_one = {name: copy.collateral(name) for name in (*NAMES, "keeper")}
        vault = copy.vault()
    house.liquidate_many(ETH, NAMES)
    balances(house, one_by_one)
    assert house.vault() == vault


def test_an_empty_list_does_nothing(house: House) -> None:
    """Nothing asked, nothing done."""
    with moves(house, {}):
        receipt = house.liquidate_many(ETH, [])
    assert receipt.value == ()


def test_a_list_of_strangers_does_nothing(house: House) -> None:
    """Accounts that never were are no obstacle."""
    with moves(house, {}):
        house.liquidate_many(BTC, ["outsider", "operator/9", "0x" + "00" * 20])


def test_one_bankrupt_account_does_not_stop_the_others(house: House) -> None:
    """At 3,800 all but the whale owe money; all is cleared in one call."""
    house.set_price(ETH, 3_800)
    receipt = house.liquidate_many(ETH, NAMES)
    # 90 - 2.000001 - 200.002 = -112.002001 and 100 - 2.0000.. - 200.006 = ...: both are written off.
    assert [result.bad_debt > 0 for result in receipt.value] == [True, True, False]
    balances(house, {"trader": 0, "counterparty": 0})
