"""Numbers that everybody who has traded perpetuals knows, to the unit."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest
from roles import BTC, ETH, INT256_MAX, START, House, dollars, units

from perpkit.local import LocalBackend
from perpkit.market_setup import UNIT, set_up
from perpkit.model import perp_math
from perpkit.model.errors import NotLiquidatable
from perpkit.model.events import Liquidated

QUANTUM = 10**30
MMR = UNIT // 100
LEVERAGES = [2, 5, 10, 25, 50]


def liquidation_price_of(leverage: int, *, long: bool, mmr: int = MMR) -> int:
    """Of 1 ETH entered at 4,000 with margin of 4,000 / leverage, and no fees."""
    size = UNIT if long else -UNIT
    mark = units(4_000)
    equity = 4_000 * 10**36 // leverage
    return perp_math.liquidation_price(size, mark, equity, perp_math.margin_requirement(size, mark, mmr), mmr)


@pytest.fixture
def house() -> House:
    """ETH without fees, funding, or any premium to speak of; margins of 2 % and 1 %."""
    sandbox = LocalBackend(timestamp=START)
    set_up(sandbox)
    house = House(sandbox)
    for market in (ETH, BTC):
        house.make_free(market)
    house.set_params(BTC, imr=units("0.02"), mmr=units("0.01"))
    return house


def enter_at_mark(house: House, name: str, market: int, size: int) -> None:
    """Fills at the mark exactly: against half of it on the other side, skew and trade average to nothing."""
    other = house.state(market)
    skew = other.long_oi - other.short_oi
    house.deposit("market_maker", dollars(100_000))
    house.trade("market_maker", market, -size // 2 - skew)
    house.trade(name, market, size)
    assert house.position(name, market).cost == size * house.mark(market)


# --- liquidation prices


def test_ten_times_long_from_4000_is_liquidated_near_3636() -> None:
    """(4,000 - 400) / (1 - 1 %) = 3,636.3636...: at the last unit below it, not before."""
    price = liquidation_price_of(10, long=True)
    assert price == 3_636_363_636_363_636_363_636
    assert price == ceil(Fraction(3_600 * UNIT) / Fraction(99, 100)) - 1


def test_ten_times_short_from_4000_is_liquidated_near_4356() -> None:
    """(4,000 + 400) / (1 + 1 %) = 4,356.4356...: at the first unit above it."""
    assert liquidation_price_of(10, long=False) == 4_356_435_643_564_356_435_644


def test_the_ledger_liquidates_ten_times_at_that_very_unit(house: House) -> None:
    """10 ETH entered at 4,000.00 with 4,000 dollars: a unit above 3,636.36... healthy, at it gone."""
    house.deposit("trader", dollars(4_000))
    enter_at_mark(house, "trader", ETH, units(10))
    assert house.view("trader").positions[0].liquidation_price == 3_636_363_636_363_636_363_636
    house.exact_feed(ETH)
    house.set_exact_price(ETH, 3_636_363_636_363_636_363_637)
    assert not house.view("trader").liquidatable
    house.set_exact_price(ETH, 3_636_363_636_363_636_363_636)
    assert house.view("trader").liquidatable
    house.liquidate("trader", ETH)


def test_equity_of_exactly_maintenance_margin_is_healthy(house: House) -> None:
    """10 ETH at 4,000 on 4,360 dollars: at 3,600 equity is 360, 1 % of 36,000; a unit lower it is less."""
    house.deposit("trader", dollars(4_360))
    enter_at_mark(house, "trader", ETH, units(10))
    house.exact_feed(ETH)
    house.set_exact_price(ETH, units(3_600))
    assert house.margin("trader")[0] * UNIT == house.margin("trader")[2]
    with pytest.raises(NotLiquidatable):
        house.liquidate("trader", ETH)
    house.set_exact_price(ETH, units(3_600) - 1)
    house.liquidate("trader", ETH)


@pytest.mark.parametrize("leverage", LEVERAGES)
def test_the_distance_to_liquidation_of_a_long(leverage: int) -> None:
    """(1 / L - mmr) / (1 - mmr): 49.49 %, 19.19 %, 9.09 %, 3.03 %, 1.01 %."""
    distance = (Fraction(1, leverage) - Fraction(1, 100)) / Fraction(99, 100)
    assert liquidation_price_of(leverage, long=True) == ceil(units(4_000) * (1 - distance)) - 1
    known = {2: "49.49", 5: "19.19", 10: "9.09", 25: "3.03", 50: "1.01"}
    assert f"{float(distance) * 100:.2f}" == known[leverage]


@pytest.mark.parametrize("leverage", LEVERAGES)
def test_the_distance_to_liquidation_of_a_short(leverage: int) -> None:
    """(1 / L - mmr) / (1 + mmr): 48.51 %, 18.81 %, 8.91 %, 2.97 %, 0.99 %."""
    distance = (Fraction(1, leverage) - Fraction(1, 100)) / Fraction(101, 100)
    assert liquidation_price_of(leverage, long=False) == units(4_000) * (1 + distance) // 1 + 1
    known = {2: "48.51", 5: "18.81", 10: "8.91", 25: "2.97", 50: "0.99"}
    assert f"{float(distance) * 100:.2f}" == known[leverage]


def test_at_a_hundred_times_one_percent_is_everything() -> None:
    """Margin 40 of 4,000: at 3,960 and at 4,040 equity is nothing, one unit further it is less."""
    margin = 40 * 10**36
    for size, price in ((UNIT, units(3_960)), (-UNIT, units(4_040))):
        assert margin + perp_math.unrealized_pnl(size, size * 4_000 * UNIT, price, 0) == 0
        assert perp_math.bankruptcy_price(size, units(4_000), margin) == price


def test_a_hundred_times_is_wiped_out_by_one_percent(house: House) -> None:
    """In the ledger: 10 ETH on 400 dollars, 1 % down, nothing left and nothing owed."""
    house.set_params(ETH, imr=units("0.01"), mmr=units("0.005"))
    house.deposit("trader", dollars(400))
    enter_at_mark(house, "trader", ETH, units(10))
    house.set_price(ETH, 3_960)
    receipt = house.liquidate("trader", ETH)
    result = next(event.result for event in receipt.events if isinstance(event, Liquidated))
    assert (result.realized, result.penalty, result.bad_debt) == (-dollars(400), 0, 0)
    assert house.collateral("trader") == 0


# --- leverage


@pytest.mark.parametrize("leverage", [1, 2, 5, 10, 20])
def test_a_move_is_multiplied_by_the_leverage(house: House, leverage: int) -> None:
    """5 % at ten times is 50 % of the margin, up and down."""
    margin = dollars(4_000)
    house.deposit("trader", margin)
    enter_at_mark(house, "trader", ETH, units(leverage))
    for price, sign in ((4_200, 1), (3_800, -1)):
        house.set_price(ETH, price)
        assert house.view("trader").equity - margin == sign * margin * 5 * leverage // 100


def test_health_is_equity_over_maintenance_margin(house: House) -> None:
    """4,000 over 1 % of 40,000: ten."""
    house.deposit("trader", dollars(4_000))
    enter_at_mark(house, "trader", ETH, units(10))
    assert house.view("trader").health == 10 * UNIT


def test_without_positions_health_has_no_end() -> None:
    """Nothing is required."""
    assert perp_math.health(0, 0) == INT256_MAX


# --- isolated and cross


def test_an_isolated_loss_ends_at_its_margin_and_a_cross_loss_does_not(house: House) -> None:
    """The same two bets on 2,000 dollars: apart, the loser costs 1,000 and the other account keeps its money;
    together, all of it goes."""
    for name, margin in (("trader/1", 1_000), ("trader/2", 1_000), ("counterparty", 2_000)):
        house.deposit(name, dollars(margin))
    # 10 ETH and a BTC long of 0.1 each; ETH falls by 7.5 %: a loss of 3,000 on 10 ETH.
    enter_at_mark(house, "trader/1", ETH, units(10))
    enter_at_mark(house, "trader/2", BTC, units("0.1"))
    enter_at_mark(house, "counterparty", ETH, units(10))
    enter_at_mark(house, "counterparty", BTC, units("0.1"))
    house.set_price(ETH, 3_700)
    house.liquidate("trader/1", ETH)
    house.liquidate("counterparty", ETH)
    house.liquidate("counterparty", BTC)
    assert [house.collateral(name) for name in ("trader/1", "trader/2")] == [0, dollars(1_000)]
    assert house.collateral("counterparty") == 0
    # And the isolated trader's other bet lives on.
    assert house.position("trader/2", BTC).size == units("0.1")


def test_a_cross_account_survives_what_kills_an_isolated_one(house: House) -> None:
    """The other side of it: a loss of 1,200 is beyond the isolated 1,000 and within the common 2,000."""
    for name, margin in (("trader/1", 1_000), ("trader/2", 1_000), ("counterparty", 2_000)):
        house.deposit(name, dollars(margin))
    enter_at_mark(house, "trader/1", ETH, units(10))
    enter_at_mark(house, "trader/2", BTC, units("0.1"))
    enter_at_mark(house, "counterparty", ETH, units(10))
    enter_at_mark(house, "counterparty", BTC, units("0.1"))
    house.set_price(ETH, 3_880)
    assert house.view("trader/1").liquidatable
    assert not house.view("counterparty").liquidatable


# --- funding and premium


def test_one_percent_per_eight_hours_is_three_percent_a_day() -> None:
    """At 4,000 dollars: 120 a day for one ETH."""
    assert perp_math.funding_index_delta(units(4_000), UNIT // 100, 24 * 3_600, 8 * 3_600) == units(120)


def test_the_premium_is_paid_on_average_and_comes_back() -> None:
    """Buying 10 at a scale of 1,000 from no skew: marginal premium 0 to 1 %, average 0.5 %; selling them the same."""
    bought = perp_math.fill_price(units(4_000), 0, units(10), units(1_000))
    sold = perp_math.fill_price(units(4_000), units(10), -units(10), units(1_000))
    assert bought == sold == units(4_020)


def test_the_fee_of_ten_thousand_dollars_at_five_basis_points_is_five() -> None:
    """2.5 ETH at 4,000."""
    assert perp_math.trade_fee(0, units("2.5"), units(4_000), 0, 5 * UNIT // 10_000, QUANTUM) == dollars(5)
