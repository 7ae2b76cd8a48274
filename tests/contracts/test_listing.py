"""Listing markets and changing their parameters: every bound, from both sides."""

from __future__ import annotations

from dataclasses import replace

import pytest
from expect import refuses
from roles import BASIS_POINT, ETH, HOUR, House, address, dollars, units

from perpkit.market_setup import UNIT, market_params
from perpkit.model.errors import (
    InvalidParameter,
    MoneyOutOfRange,
    NoFeeds,
    OwnableUnauthorizedAccount,
    StalePrice,
    UnknownMarket,
)
from perpkit.model.events import MarketListed, MarketParamsSet
from perpkit.model.fixed_math import MONEY_MAX
from perpkit.model.types import MarketParams

GOOD = market_params(imr=200, mmr=100, skew_scale=1_000_000, max_open_interest=20_000)
NEW = b"NEW-USD".ljust(32, b"\0")
DAY = 24 * HOUR

# The parameter that the error names, what is just out of bounds, and what is just within.
BOUNDS: list[tuple[str, dict[str, int], dict[str, int]]] = [
    ("imr", {"imr": UNIT + 1}, {"imr": UNIT}),
    ("imr", {"imr": 100 * BASIS_POINT}, {"imr": 100 * BASIS_POINT + 1}),
    ("mmr", {"penalty_rate": 100 * BASIS_POINT + 1}, {"penalty_rate": 100 * BASIS_POINT}),
    (
        "mmr",
        {"mmr": 0, "penalty_rate": 0, "min_keeper_reward": 0},
        {"mmr": 1, "penalty_rate": 0, "min_keeper_reward": 0},
    ),
    ("takerFee", {"taker_fee": UNIT // 10 + 1}, {"taker_fee": UNIT // 10}),
    ("makerFee", {"maker_fee": UNIT // 10 + 1}, {"maker_fee": UNIT // 10}),
    ("insuranceShare", {"insurance_share": UNIT * 9 // 10 + 1}, {"insurance_share": UNIT * 9 // 10}),
    ("insuranceShare", {"insurance_share": 2**64 - 1, "protocol_share": 2**64 - 1}, {"insurance_share": 0}),
    ("maxFundingRate", {"max_funding_rate": UNIT // 10 + 1}, {"max_funding_rate": UNIT // 10}),
    ("poolReserveFactor", {"pool_reserve_factor": UNIT + 1}, {"pool_reserve_factor": UNIT}),
    ("skewScale", {"skew_scale": 0, "max_open_interest": 0}, {"skew_scale": 1, "max_open_interest": 0}),
    ("maxOpenInterest", {"max_open_interest": units(1_000_000) + 1}, {"max_open_interest": units(1_000_000)}),
    ("fundingInterval", {"funding_interval": HOUR - 1}, {"funding_interval": HOUR}),
    ("fundingInterval", {"funding_interval": 30 * DAY + 1}, {"funding_interval": 30 * DAY}),
    # 100 dollars * 1 % = 1 dollar.
    ("minKeeperReward", {"min_keeper_reward": dollars(1) + 1}, {"min_keeper_reward": dollars(1)}),
    ("keeperShare", {"keeper_share": UNIT + 1}, {"keeper_share": UNIT}),
    ("adlPnlFactor", {"adl_pnl_factor": UNIT}, {"adl_pnl_factor": UNIT - 1}),
]
IDS = [f"{name}-{i}" for i, (name, _, _) in enumerate(BOUNDS)]


def list_market(house: House, params: MarketParams, *, symbol: bytes = NEW, by: str = "governor") -> int:
    receipt = house.do("list_market", symbol, params, (), by=by)
    return int(receipt.value)


# --- refusals


@pytest.mark.parametrize("role", ["outsider", "keeper", "provider", "publisher", "trader"])
def test_listing_and_changing_are_the_governors(house: House, role: str) -> None:
    """Five wrong roles, three functions."""
    for function, args in (
        ("list_market", (NEW, GOOD, ())),
        ("set_market_params", (ETH, GOOD, ())),
        ("set_market_paused", (ETH, 1)),
    ):
        with refuses(house, OwnableUnauthorizedAccount(address(role))):
            house.do(function, *args, by=role)


@pytest.mark.parametrize(("name", "bad", "good"), BOUNDS, ids=IDS)
def test_a_parameter_out_of_bounds_is_refused_by_name(
    house: House, name: str, bad: dict[str, int], good: dict[str, int]
) -> None:
    """Just outside refuses, just inside lists, for new and for listed markets."""
    with refuses(house, InvalidParameter(name)):
        list_market(house, replace(GOOD, **bad))
    with refuses(house, InvalidParameter(name)):
        house.do("set_market_params", ETH, replace(GOOD, **bad), (), by="governor")
    house.do("set_market_params", ETH, replace(GOOD, **good), (), by="governor")
    assert list_market(house, replace(GOOD, **good)) == 3


def test_a_least_notional_beyond_the_range_of_money_is_refused(house: House) -> None:
    """It must be an amount."""
    with refuses(house, MoneyOutOfRange(MONEY_MAX + 1)):
        list_market(house, replace(GOOD, min_notional=MONEY_MAX + 1))


def test_a_market_without_a_symbol_is_refused(house: House) -> None:
    """Thirty-two zeros are no name."""
    with refuses(house, InvalidParameter("symbol")):
        list_market(house, GOOD, symbol=bytes(32))


def test_a_thirty_third_market_is_refused(house: House) -> None:
    """There are at most 32."""
    for market in range(3, 32):
        assert list_market(house, GOOD) == market
    with refuses(house, InvalidParameter("marketCount")):
        list_market(house, GOOD)
    assert house.ask("market_count") == 32


def test_an_unknown_market_cannot_be_changed(house: House) -> None:
    """There is no market 3 yet."""
    with refuses(house, UnknownMarket(3)):
        house.do("set_market_params", 3, GOOD, (), by="governor")
    with refuses(house, UnknownMarket(3)):
        house.do("set_market_paused", 3, 1, by="governor")


def test_parameters_change_only_at_a_fresh_price(house: House) -> None:
    """Funding up to now is due under the old parameters, and needs a price."""
    house.wait(3_601, refresh=False)
    with refuses(house, StalePrice(ETH, 0, 2)):
        house.do("set_market_params", ETH, GOOD, (), by="governor")


def test_nobody_trades_in_a_market_without_feeds(house: House) -> None:
    """Listed is not priced."""
    market = list_market(house, GOOD)
    house.deposit("trader", dollars(1_000))
    with refuses(house, NoFeeds(market)):
        house.trade("trader", market, units(1))


# --- success


def test_a_listed_market_is_as_it_was_asked_for(house: House) -> None:
    """Symbol, parameters, and a state of zeros."""
    receipt = house.do("list_market", NEW, GOOD, (), by="governor")
    assert receipt.value == 3
    assert receipt.events == (MarketListed(3, 1, NEW, GOOD, ()),)
    assert house.ask("symbol_of", 3) == NEW
    assert house.params(3) == GOOD
    state = house.state(3)
    assert (state.sequence, state.accrued_at, state.long_oi, state.funding_index) == (1, house.sandbox.timestamp, 0, 0)


def test_changing_parameters_accrues_under_the_old_ones(house: House) -> None:
    """Eight hours at the old bound of 0.75 %, not at the new one of nothing."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(10))
    house.wait(8 * HOUR)
    params = replace(house.params(ETH), max_funding_rate=0)
    receipt = house.do("set_market_params", ETH, params, (), by="governor")
    # Premium 10 / 1,000,000 of 4,000 = 0.04 per ETH.
    assert receipt.events == (MarketParamsSet(ETH, 3, units(4_000), units("0.04"), params, ()),)
    house.wait(8 * HOUR)
    assert house.ask("funding_index_of", ETH, units(4_000)) == units("0.04")


def test_a_higher_maintenance_margin_makes_accounts_liquidatable(house: House) -> None:
    """Governing is not harmless: 1.5 % instead of 1 % at an equity of 1.2 %."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(10))
    house.set_price(ETH, 3_950)
    # 979.9999 - 500.20 = 479.7999 of 39,500.
    assert not house.view("trader").liquidatable
    house.set_params(ETH, mmr=150 * BASIS_POINT)
    assert house.view("trader").liquidatable
    house.liquidate("trader", ETH)
