"""Trades: every refusal, then opening, adding, reducing, closing and flipping, to the quantum."""

from __future__ import annotations

import pytest
from expect import balances, event_of, moves, refuses
from roles import BTC, ETH, INT256_MAX, INT256_MIN, SOL, START, House, acc, address, dollars, units

from perpkit.model.errors import (
    BelowInitialMargin,
    BelowMaintenanceMargin,
    BelowMinNotional,
    MarketActionPaused,
    NotAuthorized,
    OpenInterestExceeded,
    PoolReserveExceeded,
    PriceLimitCrossed,
    PriceOutOfRange,
    SizeOutOfRange,
    StalePrice,
    TooManyPositions,
    UnknownMarket,
    ZeroAmount,
)
from perpkit.model.events import Traded
from perpkit.model.fixed_math import SIZE_MAX
from perpkit.model.types import NO_POSITION, Position, TradeResult


@pytest.fixture
def house(house: House) -> House:
    """The trader has 1,000 dollars inside, the counterparty 2,000."""
    house.deposit("trader", dollars(1_000))
    house.deposit("counterparty", dollars(2_000))
    return house


# --- refusals


def test_a_trade_in_an_unknown_market_is_refused(house: House) -> None:
    """There are markets 0, 1 and 2."""
    with refuses(house, UnknownMarket(3)):
        house.trade("trader", 3, units(1))


def test_a_trade_while_trading_is_paused_is_refused(house: House) -> None:
    """Bit 1 of a market stops trades, before the sender is asked."""
    house.do("set_market_paused", ETH, 1, by="governor")
    with refuses(house, MarketActionPaused(ETH, 1)):
        house.trade("trader", ETH, units(1), by="outsider")


def test_a_trade_by_an_outsider_is_refused(house: House) -> None:
    """Neither owner nor operator, not even to reduce."""
    house.trade("trader", ETH, units(1))
    with refuses(house, NotAuthorized(acc("trader"), address("outsider"))):
        house.trade("trader", ETH, -units(1), by="outsider")


def test_a_trade_of_nothing_is_refused(house: House) -> None:
    """Zero is no size."""
    with refuses(house, ZeroAmount()):
        house.do("trade", acc("trader"), ETH, 0, 0, by="trader")


@pytest.mark.parametrize(
    "delta", [SIZE_MAX + 1, -SIZE_MAX - 1, INT256_MAX, INT256_MIN, INT256_MIN + 1, 2**128, -(2**128), 2**127, -(2**127)]
)
def test_a_trade_beyond_the_supported_sizes_is_refused(house: House, delta: int) -> None:
    """No size wraps around, neither in 128 nor in 256 bits."""
    with refuses(house, SizeOutOfRange(delta)):
        house.trade("trader", ETH, delta)


def test_a_trade_without_a_fresh_price_is_refused(house: House) -> None:
    """A second after the heartbeat nobody trades."""
    house.wait(3_601, refresh=False)
    with refuses(house, StalePrice(ETH, 0, 2)):
        house.trade("trader", ETH, units(1))


def test_a_buy_above_its_limit_is_refused(house: House) -> None:
    """10 ETH fill at 4,000 * (1 + 10 / 2,000,000) = 4,000.02."""
    with refuses(house, PriceLimitCrossed(units("4000.02"), units("4000.02") - 1)):
        house.trade("trader", ETH, units(10), limit=units("4000.02") - 1)
    house.trade("trader", ETH, units(10), limit=units("4000.02"))


def test_a_sale_below_its_limit_is_refused(house: House) -> None:
    """10 ETH fill at 4,000 * (1 - 10 / 2,000,000) = 3,999.98."""
    with refuses(house, PriceLimitCrossed(units("3999.98"), units("3999.98") + 1)):
        house.trade("trader", ETH, -units(10), limit=units("3999.98") + 1)
    house.trade("trader", ETH, -units(10), limit=units("3999.98"))


def test_a_sale_that_would_fill_at_nothing_is_refused(house: House) -> None:
    """Selling twice the skew scale would fill at zero: 4,000 * (1 - 2,000,000 / 2,000,000)."""
    with refuses(house, PriceOutOfRange(0)):
        house.trade("trader", ETH, -units(2_000_000))


def test_a_ninth_market_is_refused(house: House) -> None:
    """An account holds eight positions at most."""
    markets = [ETH, BTC, SOL, *(house.list_like(ETH, f"X{i}-USD") for i in range(6))]
    for market in markets[:8]:
        house.trade("trader", market, units(1) // 100 if market == BTC else units(1))
    with refuses(house, TooManyPositions(acc("trader"))):
        house.trade("trader", markets[8], units(1))
    house.close("trader", SOL)
    house.trade("trader", markets[8], units(1))
    assert house.ask("markets_of", acc("trader")) == (0, 1, 7, 3, 4, 5, 6, 8)


def test_a_position_below_the_least_notional_is_refused(house: House) -> None:
    """0.0249 ETH are 99.60 dollars; 0.025 are the least of 100."""
    with refuses(house, BelowMinNotional(99_600_000, 100_000_000)):
        house.trade("trader", ETH, units("0.0249"))
    house.trade("trader", ETH, units("0.025"))


def test_a_reduction_to_dust_is_refused(house: House) -> None:
    """Of 1 ETH either all goes or 0.025 stay."""
    house.trade("trader", ETH, units(1))
    with refuses(house, BelowMinNotional(99_999_999, 100_000_000)):
        house.trade("trader", ETH, -units("0.975") - 1)
    house.trade("trader", ETH, -units("0.975"))


def test_a_side_beyond_its_bound_is_refused(house: House) -> None:
    """Open interest is bounded per side, and a flip counts on its new side."""
    house.set_params(ETH, max_open_interest=units(10))
    house.trade("trader", ETH, units(10))
    with refuses(house, OpenInterestExceeded(ETH, True, units("10.025"), units(10))):
        house.trade("counterparty", ETH, units("0.025"))
    house.trade("counterparty", ETH, -units(10))
    with refuses(house, OpenInterestExceeded(ETH, False, units("10.025"), units(10))):
        house.trade("counterparty", ETH, -units("0.025"))


def test_a_side_above_a_lowered_bound_may_shrink(house: House) -> None:
    """What shrinks is not asked."""
    house.trade("trader", ETH, units(10))
    house.set_params(ETH, max_open_interest=units(1))
    house.trade("trader", ETH, -units(5))
    assert house.state(ETH).long_oi == units(5)


def test_a_skew_that_the_pool_cannot_back_is_refused(house: House) -> None:
    """4,002 ETH would need 16,008,000 of 80 % of the pool, its part of this very fee included."""
    house.deposit("whale", dollars(1_000_000))
    # Fill 4,000 * (1 + 4,002 / 2,000,000) = 4,008.004; cost 16,040,032.008; fee 8,020.016004, of which 10 % and 10 %
    # (802.001600 each, floored) leave 6,416.012804 to the pool: 20,006,416.012804 * 0.8 = 16,005,132.810243 (floored).
    with refuses(house, PoolReserveExceeded(ETH, 16_008_000_000_000, 16_005_132_810_243)):
        house.trade("whale", ETH, units(4_002))
    # 4,001 * 4,000 = 16,004,000 is less.
    house.trade("whale", ETH, units(4_001))


def test_a_trade_that_shrinks_the_skew_needs_no_reserve(house: House) -> None:
    """At 5,000 dollars the pool could not back 4,000 ETH any more, yet it welcomes the other side."""
    house.deposit("whale", dollars(1_000_000))
    house.trade("whale", ETH, units(4_000))
    house.set_price(ETH, 5_000)
    house.trade("counterparty", ETH, -units(1))
    assert house.state(ETH).short_oi == units(1)


def test_opening_below_initial_margin_is_refused(house: House) -> None:
    """12.5 ETH need 2 % of 50,000 = 1,000 dollars, and fee and premium eat into them."""
    # Fill 4,000.025: cost 50,000.3125, fee 25.00015625 (charged 25.000157). Equity 1,000 - 25.000157 - 0.3125.
    with refuses(house, BelowInitialMargin(acc("trader"), 974_687_343, 1_000_000_000)):
        house.trade("trader", ETH, units("12.5"))


def test_a_reduction_that_leaves_less_than_maintenance_margin_is_refused(house: House) -> None:
    """Who is under water cannot swim up by selling a little."""
    house.trade("trader", ETH, units(10))
    house.set_price(ETH, 3_920)
    # Collateral 979.9999; value 39,200 - cost 40,000.20: equity 179.7999 below 1 % of 39,200 = 392.
    # Sells 1 at 3,920 * (1 + (20 - 1) / 2,000,000) = 3,920.03724: fee 0.784008 at 2 bp, gain over mark 0.03724.
    # Equity 179.7999 + 0.03724 - 0.784008 = 179.053132; margin of 9 ETH 352.80.
    with refuses(house, BelowMaintenanceMargin(acc("trader"), 179_053_132, 352_800_000)):
        house.trade("trader", ETH, -units(1))


# --- success


def test_opening_charges_the_fee_and_shares_it(house: House) -> None:
    """10 ETH at 4,000.02 cost 40,000.20; 5 bp of it are 20.0001: a tenth each to insurance and protocol."""
    with moves(house, {"trader": -20_000_100, "pool": 16_000_080, "insurance": 2_000_010, "fees:0": 2_000_010}):
        receipt = house.trade("trader", ETH, units(10))
    event = event_of(house, receipt, Traded)
    assert event.result == TradeResult(units(10), units("4000.02"), units(4_000), 20_000_100, 0, 0)
    assert event.position == Position(units(10), 0, 2, units("40000.2") * 10**18)
    assert receipt.value == event.result
    assert receipt.timestamp == START


def test_a_short_opens_at_a_discount(house: House) -> None:
    """10 ETH sold at 3,999.98 bring 39,999.80; the fee is 19.9999."""
    with moves(house, {"trader": -19_999_900, "pool": 15_999_920, "insurance": 1_999_990, "fees:0": 1_999_990}):
        house.trade("trader", ETH, -units(10))
    assert house.position("trader", ETH) == Position(-units(10), 0, 2, -units("39999.8") * 10**18)


def test_a_fill_is_rounded_against_the_trader(house: House) -> None:
    """At a mark one unit above 4,000: a buy of 10 is 1.000005 units above 4,000.02, a sale 0.999995 above 3,999.98."""
    house.exact_feed(ETH)
    house.set_exact_price(ETH, units(4_000) + 1)
    with house.rolled_back() as copy:
        assert copy.trade("trader", ETH, units(10)).value.fill == units("4000.02") + 2
    assert house.trade("trader", ETH, -units(10)).value.fill == units("3999.98")


def test_what_balances_the_market_pays_the_maker_fee(house: House) -> None:
    """Against a skew of 10, a sale of 15 is 10 maker at 2 bp and 5 taker at 5 bp."""
    house.trade("trader", ETH, units(10))
    # Fill 4,000 * (1 + (20 - 15) / 2,000,000) = 4,000.01; fee 4,000.01 * (10 * 0.0002 + 5 * 0.0005) = 18.000045;
    # a tenth floored is 1.800004, the pool keeps 14.400037.
    with moves(house, {"counterparty": -18_000_045, "pool": 14_400_037, "insurance": 1_800_004, "fees:0": 1_800_004}):
        house.trade("counterparty", ETH, -units(15))


def test_adding_sums_the_cost(house: House) -> None:
    """5 at 4,000.01 and 5 more at 4,000.03 cost as much as 10 at 4,000.02."""
    house.trade("trader", ETH, units(5))
    house.trade("trader", ETH, units(5))
    assert house.position("trader", ETH) == Position(units(10), 0, 2, units("40000.2") * 10**18)


def test_reducing_realises_its_part_of_the_profit(house: House) -> None:
    """4 of 10 ETH, bought at 4,000.02, sold at 4,100.0328."""
    house.trade("trader", ETH, units(10))
    house.set_price(ETH, 4_100)
    # Fill 4,100 * (1 + (20 - 4) / 2,000,000) = 4,100.0328. Profit 4 * 100.0128 = 400.0512.
    # Fee 16,400.1312 * 0.0002 = 3.28002624, charged 3.280027: 0.328002 + 0.328002 + 2.624023.
    with moves(
        house,
        {"trader": 400_051_200 - 3_280_027, "pool": -400_051_200 + 2_624_023, "insurance": 328_002, "fees:0": 328_002},
    ):
        receipt = house.trade("trader", ETH, -units(4))
    assert event_of(house, receipt, Traded).result.realized == 400_051_200
    assert house.position("trader", ETH) == Position(units(6), 0, 2, units("24000.12") * 10**18)


def test_closing_leaves_no_position(house: House) -> None:
    """Bought and sold at one price: the premium comes back, the fees do not."""
    house.trade("trader", ETH, units(10))
    # 20.0001 to open; to close 40,000.20 * 0.0002 = 8.00004.
    house.close("trader", ETH)
    assert house.position("trader", ETH) == NO_POSITION
    assert house.ask("markets_of", acc("trader")) == ()
    balances(house, {"trader": 1_000_000_000 - 20_000_100 - 8_000_040})


def test_a_flip_closes_and_opens_at_one_fill(house: House) -> None:
    """From 10 long to 5 short with a sale of 15."""
    house.trade("trader", ETH, units(10))
    # Fill 4,000 * (1 + (20 - 15) / 2,000,000) = 4,000.01. Realised 10 * (4,000.01 - 4,000.02) = -0.10.
    # Fee 4,000.01 * (10 * 0.0002 + 5 * 0.0005) = 18.000045.
    receipt = house.trade("trader", ETH, -units(15))
    event = event_of(house, receipt, Traded)
    assert (event.result.realized, event.result.fee) == (-100_000, 18_000_045)
    assert event.position == Position(-units(5), 0, 3, -units("20000.05") * 10**18)
    assert (house.state(ETH).long_oi, house.state(ETH).short_oi) == (0, units(5))
    balances(house, {"trader": 1_000_000_000 - 20_000_100 - 100_000 - 18_000_045})


def test_a_reduction_may_go_below_initial_margin(house: House) -> None:
    """Between the two margins one may reduce, but not add."""
    house.trade("trader", ETH, units(10))
    house.set_price(ETH, 3_960)
    # Equity 979.9999 + 39,600 - 40,000.20 = 579.7999: above 1 % (396), below 2 % (792) of 39,600.
    house.trade("trader", ETH, -units(1))
    assert house.position("trader", ETH).size == units(9)


def test_an_account_holds_several_markets(house: House) -> None:
    """Cross margin: one account, three positions, in the order in which they came."""
    house.trade("trader", SOL, units(10))
    house.trade("trader", ETH, units(1))
    house.trade("trader", BTC, -units("0.1"))
    assert house.ask("markets_of", acc("trader")) == (SOL, ETH, BTC)


def test_a_trade_settles_funding_first(house: House) -> None:
    """Funding of an hour is part of the trade's result."""
    house.trade("trader", ETH, units(10))
    house.wait(3_600)
    # Premium 10 / 1,000,000 = 0.00001 per 8 h: 4,000 * 0.00001 / 8 = 0.005 per ETH, 0.05 for ten.
    receipt = house.close("trader", ETH)
    assert event_of(house, receipt, Traded).result.funding == -50_000


def test_market_events_are_numbered_without_gaps(house: House) -> None:
    """Listed is 1, trades follow."""
    sequences = [
        event_of(house, house.trade(who, ETH, delta), Traded).sequence
        for who, delta in (("trader", units(1)), ("counterparty", -units(1)), ("trader", -units(1)))
    ]
    assert sequences == [2, 3, 4]


@pytest.mark.parametrize("limit", [INT256_MIN, INT256_MIN + 1, -1, 0])
def test_a_buy_with_a_limit_of_nothing_is_refused(house: House, limit: int) -> None:
    """No limit wraps around: what is below zero is below any price."""
    with refuses(house, PriceLimitCrossed(units("4000.02"), limit)):
        house.trade("trader", ETH, units(10), limit=limit)


def test_a_sale_accepts_the_lowest_limit_and_a_buy_the_highest(house: House) -> None:
    """The ends of int256 mean any price."""
    house.trade("trader", ETH, units(1), limit=INT256_MAX)
    house.trade("trader", ETH, -units(1), limit=INT256_MIN)
    assert house.position("trader", ETH) == NO_POSITION
