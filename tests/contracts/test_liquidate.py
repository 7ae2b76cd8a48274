"""Liquidation of one account: refusals, then partial, full, bankrupt, and who gets what."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest
from expect import balances, event_of, is_liquidatable, moves, refuses
from roles import BTC, ETH, House, acc, dollars, units

from perpkit.model.errors import MarketActionPaused, NoPosition, NotLiquidatable, StalePrice, UnknownMarket
from perpkit.model.events import Liquidated
from perpkit.model.types import NO_POSITION, LiquidationResult


@pytest.fixture
def house(house: House) -> House:
    """The trader is 10 ETH long at 4,000.02, with 979.9999 dollars of collateral."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(10))
    return house


# --- refusals


def test_liquidating_in_an_unknown_market_is_refused(house: House) -> None:
    """There is no market 3."""
    with refuses(house, UnknownMarket(3)):
        house.liquidate("trader", 3)


def test_liquidating_while_paused_is_refused(house: House) -> None:
    """Bit 4 of a market stops liquidations, and only that bit."""
    house.do("set_market_paused", ETH, 4, by="governor")
    house.set_price(ETH, 3_900)
    with refuses(house, MarketActionPaused(ETH, 4)):
        house.liquidate("trader", ETH)


def test_liquidating_an_account_without_position_is_refused(house: House) -> None:
    """Nothing to close."""
    with refuses(house, NoPosition(acc("trader"), BTC)):
        house.liquidate("trader", BTC)


def test_liquidating_a_healthy_account_is_refused(house: House) -> None:
    """Equity 979.7999 is above maintenance margin 400, and the error says so."""
    with refuses(house, NotLiquidatable(acc("trader"), 979_799_900, 400_000_000)):
        house.liquidate("trader", ETH)


def test_liquidating_without_a_fresh_price_is_refused(house: House) -> None:
    """Nobody is liquidated at an old price."""
    house.set_price(ETH, 3_900)
    house.wait(3_601, refresh=False)
    with refuses(house, StalePrice(ETH, 0, 2)):
        house.liquidate("trader", ETH)


def test_the_first_price_of_health_refuses_and_the_last_price_of_trouble_accepts(house: House) -> None:
    """9.9 P = 40,000.20 - 979.9999: the feed's step of 1e-8 dollars above that is health, the step below is not."""
    threshold = Fraction("39020.2001") / Fraction("9.9")  # 3,941.43435353...
    step = Fraction(1, 10**8)
    above = ceil(threshold / step) * step
    house.set_price(ETH, above)
    assert not is_liquidatable(house, "trader")
    with house.rolled_back() as copy, pytest.raises(NotLiquidatable):
        copy.liquidate("trader", ETH)
    house.set_price(ETH, above - step)
    assert is_liquidatable(house, "trader")
    house.liquidate("trader", ETH)


# --- success


def test_a_partial_liquidation_restores_initial_margin(house: House) -> None:
    """At 3,940 the least that restores 2 % is closed; half of the penalty is the keeper's."""
    house.set_price(ETH, 3_940)
    # Equity 979.9999 + 39,400 - 40,000.20 = 379.7999; initial margin 788. Shortfall 408.2001 and one quantum;
    # each ETH closed frees 3,940 * (2 % - 0.5 %) = 59.10.
    closed = ceil(Fraction("408.200101") / Fraction("59.1") * 10**18)
    # 6.906939... * 3,940 * 0.5 % = 136.0667003..., charged 136.066701; the keeper's half 68.033350.
    assert ceil(Fraction(closed, 10**18) * Fraction("19.7") * 10**6) == 136_066_701
    receipt = house.liquidate("trader", ETH)
    result = event_of(house, receipt, Liquidated).result
    assert result.closed == closed
    assert (result.penalty, result.reward) == (136_066_701, 68_033_350)
    assert (result.bad_debt, result.covered, result.deficit) == (0, 0, 0)
    equity, initial_margin, _ = house.margin("trader")
    # Restored, with less than two quanta to spare.
    assert 0 <= equity * 10**18 - initial_margin < 2 * 10**30 * 10**18
    # Insurance: 500,000 + 2.00001 of the fee + 68.033351 of the penalty.
    balances(house, {"keeper": 68_033_350, "insurance": 500_000_000_000 + 2_000_010 + 68_033_351})


def test_a_short_is_liquidated_alike(house: House) -> None:
    """The mirror image: 10 ETH short at 3,999.98 with the long still in, at 4,060."""
    house.deposit("counterparty", dollars(1_000))
    house.trade("counterparty", ETH, -units(10))
    house.set_price(ETH, 4_070)
    # Sold against a skew of 10: fill 4,000 * (1 + (20 - 10) / 2,000,000) = 4,000.02, maker fee 8.00004.
    # Equity 1,000 - 8.00004 - 10 * (4,070 - 4,000.02) = 292.19996 < 407.
    receipt = house.liquidate("counterparty", ETH)
    result = event_of(house, receipt, Liquidated).result
    # Initial margin 814; shortfall 521.80004 and a quantum; each ETH frees 4,070 * 1.5 % = 61.05.
    assert result.closed == ceil(Fraction("521.800041") / Fraction("61.05") * 10**18)
    equity, initial_margin, _ = house.margin("counterparty")
    assert equity * 10**18 >= initial_margin


def test_a_position_is_closed_whole_when_part_of_it_does_not_help(house: House) -> None:
    """At 3,910 equity is 79.7999, and closing all costs 195.50: the penalty takes what there is."""
    house.set_price(ETH, 3_910)
    # 979.9999 + 39,100 - 40,000.20 = 79.7999. Penalty min(195.50, 79.7999); the keeper's half is 39.89995.
    with moves(
        house,
        # Realised 10 * (3,910 - 4,000.02) = -900.20 to the pool; the account is left with nothing.
        {"trader": -979_999_900, "pool": 900_200_000, "insurance": 39_899_950, "keeper": 39_899_950},
    ):
        receipt = house.liquidate("trader", ETH)
    event = event_of(house, receipt, Liquidated)
    assert event.result == LiquidationResult(units(10), units(3_910), -900_200_000, 0, 79_799_900, 39_899_950, 0, 0, 0)
    assert event.position == NO_POSITION


def test_what_would_be_left_as_dust_is_closed_too(house: House) -> None:
    """0.1 ETH: closing a part would leave less than 100 dollars, so all of it goes."""
    house.deposit("counterparty", dollars(10))
    house.trade("counterparty", ETH, units("0.1"))
    house.set_price(ETH, 3_937)
    # Equity about 10 - 0.2 - 6.3 = 3.5 < 3.937. A part would be 4.4 / 59 = 0.074 ETH and leave 0.026 * 3,937 = 101;
    # at 3,935 it would leave less than 100.
    house.set_price(ETH, 3_935)
    receipt = house.liquidate("counterparty", ETH)
    assert event_of(house, receipt, Liquidated).result.closed == units("0.1")


def test_the_keeper_gets_no_less_than_the_least_reward(house: House) -> None:
    """At 3,902.10 there are 79.99 cents left: the keeper takes 50 of them, insurance the rest."""
    house.set_price(ETH, "3902.1")
    # 979.9999 + 39,021 - 40,000.20 = 0.7999. Half would be 0.39995, the least is 0.50.
    with moves(house, {"trader": -979_999_900, "pool": 979_200_000, "keeper": 500_000, "insurance": 299_900}):
        house.liquidate("trader", ETH)


def test_bad_debt_is_paid_by_the_insurance_fund(house: House) -> None:
    """At 3,800 the account owes 1,020.2001; the fund pays it and a reward of 95."""
    house.set_price(ETH, 3_800)
    # Realised 10 * (3,800 - 4,000.02) = -2,000.20 against 979.9999. Reward 38,000 * 0.5 % * 50 % = 95.
    with moves(
        house,
        {"trader": -979_999_900, "pool": 2_000_200_000, "insurance": -1_020_200_100 - 95_000_000, "keeper": 95_000_000},
    ):
        receipt = house.liquidate("trader", ETH)
    result = event_of(house, receipt, Liquidated).result
    assert (result.penalty, result.reward) == (0, 95_000_000)
    assert (result.bad_debt, result.covered, result.deficit) == (1_020_200_100, 1_020_200_100, 0)


def test_a_cross_account_keeps_its_other_positions(house: House) -> None:
    """Closing in one market is enough; the other stays as it was."""
    house.trade("trader", BTC, units("0.1"))
    other = house.position("trader", BTC)
    house.set_price(ETH, 3_935)
    house.liquidate("trader", ETH)
    assert house.position("trader", BTC) == other
    equity, initial_margin, _ = house.margin("trader")
    assert equity * 10**18 >= initial_margin


def test_an_account_under_water_with_a_position_left_is_not_bankrupt_yet(house: House) -> None:
    """Bad debt is written off with the last position, not before."""
    house.trade("trader", BTC, units("0.1"))
    house.set_price(ETH, 3_800)
    first = event_of(house, house.liquidate("trader", ETH), Liquidated).result
    assert (first.bad_debt, first.reward) == (0, 0)
    assert house.collateral("trader") < 0
    second = event_of(house, house.liquidate("trader", BTC), Liquidated).result
    assert second.bad_debt > 0
    balances(house, {"trader": 0})


def test_funding_is_part_of_the_decision(house: House) -> None:
    """Healthy by 15 dollars, an account pays funding for a day and is not any more."""
    house.set_params(ETH, skew_scale=units(20_000), max_funding_rate=units("0.01"))
    house.set_price(ETH, 3_943)
    # Equity 979.9999 - 570.20 = 409.7999 against 394.30. Rate 10 / 20,000 = 0.05 % per 8 h of 39,430 = 19.715.
    assert not is_liquidatable(house, "trader")
    house.wait(8 * 3_600)
    assert is_liquidatable(house, "trader")
    result = event_of(house, house.liquidate("trader", ETH), Liquidated).result
    assert result.funding == -19_715_000


def test_a_keeper_may_liquidate_its_own_account(house: House) -> None:
    """Account 0 of the keeper is victim and beneficiary: it gets its part of its own penalty back."""
    house.set_price(ETH, 3_910)
    with moves(house, {"trader": -979_999_900 + 39_899_950, "pool": 900_200_000, "insurance": 39_899_950}):
        receipt = house.liquidate("trader", ETH, by="trader")
    assert event_of(house, receipt, Liquidated).keeper == acc("trader")
