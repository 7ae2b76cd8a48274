"""Quotes, which ask nobody: refusals first, then that they come true."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from roles import START, address, units

from perpkit.client import Side, Trader, quote
from perpkit.client.errors import LeverageTooHigh, NoSuchMarket, NotPositive, TooPrecise
from perpkit.local import LocalBackend
from perpkit.market_setup import DEFAULT_MARKETS, MarketSpec, market_params, set_up
from perpkit.model.errors import BelowInitialMargin, BelowMinNotional, OpenInterestExceeded

D = Decimal


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"market": "DOGE-USD"}, NoSuchMarket),
        ({"leverage": 51}, LeverageTooHigh),
        ({"leverage": 50}, BelowInitialMargin),
        ({"margin": 9}, BelowMinNotional),
        ({"margin": 9_000_000}, OpenInterestExceeded),
        ({"margin": 0}, NotPositive),
        ({"margin": 1.5}, TypeError),
        ({"price": 4000.5}, TypeError),
        ({"price": "4000.123456789"}, TooPrecise),
    ],
)
def test_what_would_be_refused_has_no_quote(changes: dict[str, Any], refusal: type[Exception]) -> None:
    """The market's own errors, and exactly the limit of 50x is one of them."""
    usual: dict[str, Any] = {"market": "ETH-USD", "side": "long", "margin": 1_000, "leverage": 10}
    order = {**usual, **changes}
    with pytest.raises(refusal):
        quote(order.pop("market"), **order)


def test_a_quote_in_numbers() -> None:
    """1,000 dollars at 10x on ETH at 4,000: by hand."""
    params = market_params(imr=200, mmr=100, skew_scale=1_000_000, max_open_interest=20_000)
    q = quote(MarketSpec("ETH-USD", params, price=units(4_000)), side=Side.LONG, margin=1_000, leverage=10)
    # Fill: the premium of half the trade on a skew scale of a million.
    assert q.size == D("2.5") and q.entry_price == 4_000 * (1 + D("1.25") / 1_000_000)
    assert q.fee == D("5.000007")  # 2.5 * 4000.005 * 0.05 %, rounded up
    assert q.equity == 1_000 - q.fee - D("2.5") * D("0.005")
    assert (q.notional, q.initial_margin, q.maintenance_margin) == (D(10_000), D(200), D(100))
    # Liquidatable below (cost - collateral) / (size * (1 - mmr)); the highest price of 18 digits under that.
    bound = Fraction(D("2.5") * q.entry_price - (1_000 - q.fee)) / (Fraction(5, 2) * Fraction(99, 100))
    assert q.liquidation_price is not None and 0 < bound - Fraction(q.liquidation_price) <= Fraction(1, 10**18)
    assert q.distance_to_liquidation == D("0.090402777070707070")


def test_a_long_at_1x_has_a_liquidation_price_too() -> None:
    """Fee and premium make it owe a little more than it has."""
    assert quote("ETH-USD", side="long", margin=1_000, leverage=1).liquidation_price is not None
    assert quote("ETH-USD", side="long", margin=1_000, leverage="0.5").liquidation_price is None


@settings(max_examples=25, deadline=None)
@given(
    market=st.sampled_from(DEFAULT_MARKETS),
    side=st.sampled_from(Side),
    margin=st.integers(min_value=200, max_value=20_000),
    leverage=st.fractions(min_value=1, max_value=18, max_denominator=100),
)
def test_a_quote_comes_true(market: Any, side: Side, margin: int, leverage: Fraction) -> None:
    """Opening the position on a fresh market gives the quote to the last digit."""
    times = Decimal(leverage.numerator) / Decimal(leverage.denominator)
    q = quote(market.symbol, side=side, margin=margin, leverage=times)
    backend = LocalBackend(timestamp=START)
    set_up(backend)
    trader = Trader(backend, address("trader"))
    result = trader.open(market=market.symbol, side=side, margin=margin, leverage=times, isolated=True)
    assert result.position is not None
    assert (q.size, q.entry_price, q.fee, q.equity) == (result.size, result.fill_price, result.fee, result.equity)
    assert q.liquidation_price == result.liquidation_price
    assert q.bankruptcy_price == result.position.bankruptcy_price


def test_another_price_is_quoted_at_that_price() -> None:
    """Of as many digits as the feeds have."""
    assert quote("ETH-USD", side="long", margin=1_000, leverage=2, price="2000.5").mark_price == D("2000.5")
