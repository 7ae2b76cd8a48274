"""Settling: unrealised profit and loss become cash, for anyone who asks."""

from __future__ import annotations

import pytest
from expect import balances, event_of, moves, refuses
from roles import BTC, ETH, House, acc, dollars, units

from perpkit.model.errors import MarketActionPaused, NoPosition, StalePrice, UnknownMarket
from perpkit.model.events import Settled
from perpkit.model.types import Position, SettleResult


@pytest.fixture
def house(house: House) -> House:
    """The trader is 10 ETH long at 4,000.02, with 979.9999 dollars of collateral."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(10))
    return house


# --- refusals


def test_settling_in_an_unknown_market_is_refused(house: House) -> None:
    """There is no market 3."""
    with refuses(house, UnknownMarket(3)):
        house.settle("trader", 3)


def test_settling_nothing_is_refused(house: House) -> None:
    """The counterparty holds nothing."""
    with refuses(house, NoPosition(acc("counterparty"), ETH)):
        house.settle("counterparty", ETH)


def test_settling_while_paused_is_refused(house: House) -> None:
    """Bit 2 of a market stops settling."""
    house.do("set_market_paused", ETH, 2, by="governor")
    with refuses(house, MarketActionPaused(ETH, 2)):
        house.settle("trader", ETH)


def test_settling_without_a_fresh_price_is_refused(house: House) -> None:
    """There is nothing to settle at."""
    house.wait(3_601, refresh=False)
    with refuses(house, StalePrice(ETH, 0, 2)):
        house.settle("trader", ETH)


# --- success


def test_a_profit_comes_from_the_pool(house: House) -> None:
    """10 * (4,050 - 4,000.02) = 499.80."""
    house.set_price(ETH, 4_050)
    with moves(house, {"trader": 499_800_000, "pool": -499_800_000}):
        receipt = house.settle("trader", ETH)
    event = event_of(house, receipt, Settled)
    assert event.result == SettleResult(units(4_050), 499_800_000, 0)
    assert event.position == Position(units(10), 0, 2, units(40_500) * 10**18)


def test_a_loss_goes_to_the_pool(house: House) -> None:
    """10 * (3,950 - 4,000.02) = -500.20."""
    house.set_price(ETH, 3_950)
    with moves(house, {"trader": -500_200_000, "pool": 500_200_000}):
        house.settle("trader", ETH)


def test_settling_does_not_change_equity(house: House) -> None:
    """Cash instead of paper, worth the same to the raw unit."""
    house.set_price(ETH, "3987.65432109")
    before = house.margin("trader")
    house.settle("trader", ETH)
    assert house.margin("trader") == before


def test_settling_twice_moves_nothing_the_second_time(house: House) -> None:
    """What is settled is settled."""
    house.set_price(ETH, 4_050)
    house.settle("trader", ETH)
    with moves(house, {}):
        house.settle("trader", ETH)


def test_the_remainder_stays_in_the_cost(house: House) -> None:
    """A profit of less than a quantum is floored away and comes back when it is whole."""
    house.deposit("counterparty", dollars(1_000))
    house.trade("counterparty", ETH, units("0.033333333333333333"))
    house.set_price(ETH, "4000.00000001")
    house.settle("counterparty", ETH)
    equity = house.margin("counterparty")[0]
    house.set_price(ETH, "4123.45678901")
    gain = house.position("counterparty", ETH).size * (units("4123.45678901") - units("4000.00000001"))
    house.settle("counterparty", ETH)
    assert house.margin("counterparty")[0] == equity + gain


def test_anyone_may_settle_anybody(house: House) -> None:
    """Variation margin is nobody's privilege; it is fair by being exact."""
    house.set_price(ETH, 4_050)
    with moves(house, {"trader": 499_800_000, "pool": -499_800_000}):
        house.settle("trader", ETH, by="outsider")


def test_settling_pays_funding_as_well(house: House) -> None:
    """An hour at 0.001 % per 8 h of 40,000 is 0.05; the premium of 0.20 is realised besides."""
    house.wait(3_600)
    with moves(house, {"trader": -250_000, "pool": 250_000}):
        receipt = house.settle("trader", ETH)
    assert event_of(house, receipt, Settled).result == SettleResult(units(4_000), -200_000, -50_000)


def test_a_settled_loss_may_leave_collateral_negative(house: House) -> None:
    """A winner in one market, settled only where it loses, owes cash that its paper covers."""
    house.trade("trader", BTC, -units("0.1"))
    house.set_price(ETH, 3_890)
    house.set_price(BTC, 94_000)
    house.settle("trader", ETH)
    # ETH 10 * (3,890 - 4,000.02) = -1,100.20. BTC sold 0.1 at 100,000 * (1 - 0.1 / 100,000) = 99,999.90, fee 4.999995.
    # 1,000 - 20.0001 - 4.999995 - 1,100.20 = -125.200095; the short's 599.99 cover it and the margin of 436.
    balances(house, {"trader": -125_200_095})
    assert not house.view("trader").liquidatable
