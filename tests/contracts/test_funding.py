"""Funding: what is paid, by whom, how often, and within what bounds."""

from __future__ import annotations

import pytest
from expect import balances, event_of, laws_hold, moves
from roles import ETH, HOUR, House, dollars, units

from perpkit.model.events import Settled
from perpkit.model.fixed_math import FUNDING_MAX

EIGHT_HOURS = 8 * HOUR


@pytest.fixture
def house(house: House) -> House:
    """A market whose premium is 10 % at 2,000 ETH: trader 10 long, counterparty 4 short. A skew of 6."""
    house.set_params(ETH, skew_scale=units(20_000))
    house.deposit("trader", dollars(2_000))
    house.deposit("counterparty", dollars(2_000))
    house.trade("trader", ETH, units(10))
    house.trade("counterparty", ETH, -units(4))
    return house


def funding_of(house: House, name: str) -> int:
    return event_of(house, house.settle(name, ETH), Settled).result.funding


def test_longs_pay_shorts_and_the_pool_earns_the_imbalance(house: House) -> None:
    """6 / 20,000 = 0.03 % of 4,000 = 1.20 per ETH in eight hours: 12.00 paid, 4.80 received, 7.20 for the pool."""
    house.settle("trader", ETH)
    house.settle("counterparty", ETH)
    house.wait(EIGHT_HOURS)
    with moves(house, {"trader": -12_000_000, "counterparty": 4_800_000, "pool": 7_200_000}):
        house.settle("trader", ETH)
        house.settle("counterparty", ETH)


def test_shorts_pay_longs_when_they_are_more(house: House) -> None:
    """The counterparty sells 12 more: a skew of -6, and everything turns round."""
    house.trade("counterparty", ETH, -units(12))
    house.settle("trader", ETH)
    house.settle("counterparty", ETH)
    house.wait(EIGHT_HOURS)
    # 1.20 per ETH: 16 short pay 19.20, 10 long receive 12.00.
    with moves(house, {"trader": 12_000_000, "counterparty": -19_200_000, "pool": 7_200_000}):
        house.settle("trader", ETH)
        house.settle("counterparty", ETH)


def test_a_balanced_market_pays_nothing(house: House) -> None:
    """No skew, no funding."""
    house.trade("counterparty", ETH, -units(6))
    before = house.ask("funding_index_of", ETH, units(4_000))
    house.wait(EIGHT_HOURS)
    assert house.ask("funding_index_of", ETH, units(4_000)) == before


@pytest.mark.parametrize(("side", "sign"), [("trader", 1), ("counterparty", -1)])
def test_the_rate_is_clamped(house: House, side: str, sign: int) -> None:
    """At a premium of 1 % and more the bound of 0.75 % holds: 30 dollars per ETH in eight hours."""
    house.deposit(side, dollars(200_000))
    house.trade(side, ETH, sign * units(300))
    before = house.ask("funding_index_of", ETH, units(4_000))
    house.wait(EIGHT_HOURS)
    assert house.ask("funding_index_of", ETH, units(4_000)) - before == sign * units(30)


def test_accruing_twice_in_a_second_equals_once(house: House) -> None:
    """The second touch finds no time passed."""
    house.wait(HOUR)
    house.settle("trader", ETH)
    state = house.state(ETH)
    assert funding_of(house, "trader") == 0
    assert house.state(ETH).funding_index == state.funding_index
    assert house.state(ETH).accrued_at == state.accrued_at


def test_accruing_often_never_costs_the_longs_more_than_a_unit_each_time(house: House) -> None:
    """Sixty touches and one: the index differs by the floors only."""
    start = house.ask("funding_index_of", ETH, units(4_000))
    with house.rolled_back() as once:
        once.wait(HOUR)
        whole = once.ask("funding_index_of", ETH, units(4_000)) - start
    for _ in range(60):
        house.wait(60)
        house.settle("counterparty", ETH)
    parts = house.state(ETH).funding_index - start
    # 4,000 * 0.03 % / 8 = 0.15 per hour.
    assert whole == units("0.15")
    assert whole - 60 <= parts <= whole


def test_funding_follows_the_mark_at_which_it_is_accrued(house: House) -> None:
    """An hour counts at the price of the touch that accrues it, not of the past."""
    before = house.ask("funding_index_of", ETH, units(4_000))
    house.wait(HOUR)
    house.set_price(ETH, 4_400)
    # 0.15 * 1.1.
    assert house.ask("funding_index_of", ETH, units(4_400)) - before == units("0.165")


def test_a_payment_is_rounded_against_both_sides(house: House) -> None:
    """1.20 on 0.0333... ETH are 39,999.99... quanta: the long pays 40,000, the short receives 39,999."""
    for name, sign in (("whale", 1), ("outsider", -1)):
        house.deposit(name, dollars(100))
        house.trade(name, ETH, sign * units("0.033333333333333333"))
    house.wait(EIGHT_HOURS)
    assert funding_of(house, "whale") == -40_000
    assert funding_of(house, "outsider") == 39_999


def test_the_remainder_of_a_payment_stays_in_the_position(house: House) -> None:
    """A third of an ETH pays a crooked sum; no raw unit is lost on the way."""
    house.deposit("whale", dollars(1_000))
    house.trade("whale", ETH, units("0.333333333333333333"))
    house.wait(1_234)
    equity = house.margin("whale")[0]
    house.settle("whale", ETH)
    assert house.margin("whale")[0] == equity
    house.wait(1)
    laws_hold(house)


def test_funding_counts_in_equity_before_it_is_settled(house: House) -> None:
    """The lens tells what is due, and settling takes exactly that."""
    house.wait(EIGHT_HOURS)
    due = house.view("trader").positions[0].funding
    assert due == -12_000_000
    assert funding_of(house, "trader") == due


def test_ten_years_of_full_funding_stay_in_range(house: House) -> None:
    """0.75 % three times a day for ten years: 82 times the price, and the books still hold."""
    house.deposit("whale", dollars(1_000_000))
    house.trade("whale", ETH, units(300))
    house.wait(10 * 365 * 24 * HOUR)
    index = house.ask("funding_index_of", ETH, units(4_000))
    # 3 * 365 * 10 intervals at 30 dollars.
    assert index == units(30 * 3 * 365 * 10) + house.state(ETH).funding_index
    assert index < FUNDING_MAX
    house.liquidate("whale", ETH)
    balances(house, {"whale": 0})
