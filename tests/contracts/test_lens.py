"""The lens: its prices are exact to the unit, and its previews are what then happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from expect import is_liquidatable, refuses
from roles import BTC, ETH, INT256_MAX, SOL, House, acc, address, dollars, units

from perpkit.backend import Receipt
from perpkit.model.errors import (
    BelowInitialMargin,
    BelowMinNotional,
    InsufficientCollateral,
    MarketActionPaused,
    NoPosition,
    NotLiquidatable,
    PerpError,
    PoolInsolvent,
    StalePrice,
    UnknownMarket,
    ZeroAmount,
)
from perpkit.model.types import AccountView, account_id

# Size in ETH, size in BTC beside it.
ACCOUNTS = [("10", "0"), ("-10", "0"), ("0.333333333333333333", "0"), ("-7.000000000000000001", "0")]
ACCOUNTS += [("10", "0.1"), ("10", "-0.1"), ("-10", "0.1"), ("-3.3", "-0.123456789")]


@pytest.fixture(params=ACCOUNTS, ids=lambda sizes: f"{sizes[0]} ETH {sizes[1]} BTC")
def exact(house: House, request: pytest.FixtureRequest) -> House:
    """The trader holds the account's positions with 1,000 dollars; ETH has a feed of 18 digits."""
    eth, btc = request.param
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(eth))
    if btc != "0":
        house.trade("trader", BTC, units(btc))
    house.wait(3_599)
    house.settle("trader", ETH)
    house.exact_feed(ETH)
    house.set_exact_price(ETH, units("4001.234567890123456789"))
    return house


def eth_of(view: AccountView) -> tuple[int, int, int]:
    """Size, liquidation price and bankruptcy price of the ETH position."""
    (position,) = [position for position in view.positions if position.market == ETH]
    return position.size, position.liquidation_price, position.bankruptcy_price


# --- prices


def test_the_liquidation_price_is_exact_to_the_unit(exact: House) -> None:
    """At it one is liquidatable, one unit to the healthy side one is not."""
    size, price, _ = eth_of(exact.view("trader"))
    if price == 0:
        assert size > 0, "only a long can be safe at every price"
        exact.set_exact_price(ETH, 1)
        assert not is_liquidatable(exact, "trader")
        return
    exact.set_exact_price(ETH, price)
    assert is_liquidatable(exact, "trader")
    with exact.rolled_back() as copy:
        copy.liquidate("trader", ETH)
    exact.set_exact_price(ETH, price + (1 if size > 0 else -1))
    assert not is_liquidatable(exact, "trader")
    with pytest.raises(NotLiquidatable):
        exact.liquidate("trader", ETH)


def test_the_bankruptcy_price_is_exact_to_the_unit(exact: House) -> None:
    """At it equity is not negative, one unit further it is."""
    size, _, price = eth_of(exact.view("trader"))
    if price == 0:
        assert size > 0
        return
    exact.set_exact_price(ETH, price)
    assert exact.margin("trader")[0] >= 0
    if price > 1 or size < 0:
        exact.set_exact_price(ETH, price - (1 if size > 0 else -1))
        assert exact.margin("trader")[0] < 0


def test_the_liquidation_price_is_the_same_seen_from_any_mark(house: House) -> None:
    """It is a property of the account, not of the price at which one asks."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(10))
    seen = set()
    for price in (3_942, 3_987, 4_000, "4123.45678901"):
        house.set_price(ETH, price)
        seen.add(eth_of(house.view("trader"))[1:])
    # (40,000.20 - 979.9999) / 9.9 = 3,941.4343535..., of which the last unit below; (40,000.20 - 979.9999) / 10.
    assert seen == {(3_941_434_353_535_353_535_353, units("3902.02001"))}


def test_a_long_that_is_paid_for_in_full_has_no_liquidation_price(house: House) -> None:
    """With 5,000 dollars behind 1 ETH there is no price of trouble."""
    house.deposit("trader", dollars(5_000))
    house.trade("trader", ETH, units(1))
    position = house.view("trader").positions[0]
    assert (position.liquidation_price, position.bankruptcy_price) == (0, 0)


def test_the_liquidation_price_holds_for_funding_accrued_up_to_this_second(house: House) -> None:
    """Funding that nobody has accrued yet depends on the mark itself, so the price moves until somebody touches the
    market: after eight hours at 0.05 % it is a few hundredths off, and exact again once the market is touched."""
    house.set_params(ETH, skew_scale=units(20_000))
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(10))
    house.exact_feed(ETH)
    house.sandbox.set_time(house.sandbox.timestamp + 8 * 3_600)
    house.set_exact_price(ETH, units(4_000))
    untouched = eth_of(house.view("trader"))[1]
    with house.rolled_back() as copy:
        copy.set_exact_price(ETH, untouched)
        assert abs(eth_of(copy.view("trader"))[1] - untouched) < units("0.05")
    house.settle("trader", ETH)
    touched = eth_of(house.view("trader"))[1]
    house.set_exact_price(ETH, touched)
    assert is_liquidatable(house, "trader")
    house.set_exact_price(ETH, touched + 1)
    assert not is_liquidatable(house, "trader")


# --- accounts


def test_health_is_below_one_exactly_when_liquidatable(exact: House) -> None:
    """Rounding hides nothing."""
    size, price, _ = eth_of(exact.view("trader"))
    for offset in (-2, -1, 0, 1, 2):
        if price + offset <= 0:
            continue
        exact.set_exact_price(ETH, price + offset)
        view = exact.view("trader")
        assert view.liquidatable == is_liquidatable(exact, "trader") == (view.health < 10**18)
    assert size


def test_withdrawable_may_be_withdrawn_and_not_a_quantum_more(house: House) -> None:
    """Limited by margin, by collateral, and by the pool."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(10))
    # 979.7999 less 800.
    assert house.view("trader").withdrawable == 179_799_900
    with refuses(house, BelowInitialMargin(acc("trader"), 799_999_999, 800_000_000)):
        house.withdraw("trader", 179_799_901)
    house.withdraw("trader", 179_799_900)
    house.set_price(ETH, 4_500)
    # Equity 800 + 5,000, margin 900: the collateral of 800.20 limits.
    assert house.view("trader").withdrawable == 800_200_000
    with refuses(house, InsufficientCollateral(acc("trader"), 800_200_000, 800_200_001)):
        house.withdraw("trader", 800_200_001)
    house.withdraw("trader", 800_200_000)


def test_an_empty_account_is_healthy_beyond_measure(house: House) -> None:
    """Nothing required, nothing at risk."""
    house.deposit("trader", 5)
    assert house.view("trader") == AccountView(acc("trader"), 5, 5, 0, 0, INT256_MAX, 5, False, ())


def test_an_account_shows_its_positions(house: House) -> None:
    """Money rounded against the account."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(10))
    house.set_price(ETH, "4010.00000001")
    view = house.view("trader")
    (position,) = view.positions
    assert (position.entry_price, position.mark) == (units("4000.02"), units("4010.00000001"))
    # 10 * 9.98000001 = 99.8000001; notional 40,100.0000001; margins 2 % and 1 % of it.
    assert (position.unrealized_pnl, position.notional) == (99_800_000, 40_100_000_001)
    assert (position.initial_margin, position.maintenance_margin) == (802_000_001, 401_000_001)
    assert (view.equity, view.initial_margin, view.maintenance_margin) == (1_079_799_900, 802_000_001, 401_000_001)


def test_a_page_of_accounts_runs_from_a_number_on(house: House) -> None:
    """Three accounts from number 4, empty ones included."""
    house.deposit("trader/5", 7)
    page = house.ask("accounts_of", address("trader"), 4, 3, label="lens")
    assert [view.account for view in page] == [account_id(address("trader"), sub) for sub in (4, 5, 6)]
    assert [view.collateral for view in page] == [0, 7, 0]
    ids = tuple(view.account for view in page)
    assert house.ask("accounts", ids, label="lens") == page
    assert house.ask("accounts_of", address("trader"), 0, 0, label="lens") == ()


def test_markets_show_what_is_and_what_is_not_priced(house: House) -> None:
    """One market goes stale, the others are told as ever."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(10))
    house.wait(3_601, refresh=False)
    house.set_price(BTC, 100_000)
    eth, btc, _ = house.ask("markets", label="lens")
    assert (eth.priced, eth.mark, eth.long_pnl, eth.skew) == (False, 0, 0, units(10))
    assert (btc.priced, btc.mark, btc.updated_at) == (True, units(100_000), house.sandbox.timestamp)
    house.set_price(ETH, 4_000)
    eth, _, _ = house.ask("markets", label="lens")
    # 10 / 1,000,000; longs have lost the premium of 0.20 and an hour's funding: 0.05 and a second's 0.0000138...
    assert (eth.premium, eth.funding_rate, eth.long_pnl) == (units("0.00001"), units("0.00001"), -250_014)


# --- previews


def previewed(house: House, function: str, *args: object) -> Any:
    return house.ask(function, *args, label="lens")


@pytest.mark.parametrize("size", ["10", "-10", "0.025", "-0.333333333333333333"])
def test_a_previewed_trade_is_the_trade(house: House, size: str) -> None:
    """Result and account afterwards, to the unit, and nothing happened by asking."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", SOL, units(10))
    house.wait(100)
    limit = INT256_MAX if units(size) > 0 else 0
    result, view = previewed(house, "preview_trade", acc("trader"), ETH, units(size), limit)
    assert house.position("trader", ETH).size == 0
    assert house.trade("trader", ETH, units(size)).value == result
    assert house.view("trader") == view


def test_a_previewed_withdrawal_is_the_withdrawal(house: House) -> None:
    """The account afterwards."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(1))
    view = previewed(house, "preview_withdraw", acc("trader"), dollars(500))
    house.withdraw("trader", dollars(500))
    assert house.view("trader") == view


@pytest.mark.parametrize("price", [3_940, 3_910, 3_800])
def test_a_previewed_liquidation_is_the_liquidation(house: House, price: int) -> None:
    """Partial, full and bankrupt."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(10))
    house.set_price(ETH, price)
    result, view = previewed(house, "preview_liquidation", acc("trader"), ETH)
    assert house.liquidate("trader", ETH).value == result
    assert house.view("trader") == view


Refusal = tuple[str, tuple[object, ...], Callable[[House], Receipt], PerpError]
T = acc("trader")
REFUSALS: list[Refusal] = [
    ("preview_trade", (T, 3, units(1), INT256_MAX), lambda h: h.trade("trader", 3, units(1)), UnknownMarket(3)),
    ("preview_trade", (T, ETH, 0, 0), lambda h: h.trade("trader", ETH, 0), ZeroAmount()),
    (
        "preview_trade",
        (T, ETH, units("0.0249"), INT256_MAX),
        lambda h: h.trade("trader", ETH, units("0.0249")),
        BelowMinNotional(99_600_000, 100_000_000),
    ),
    (
        "preview_trade",
        (T, ETH, units("12.5"), INT256_MAX),
        lambda h: h.trade("trader", ETH, units("12.5")),
        BelowInitialMargin(T, 974_687_343, 1_000_000_000),
    ),
    (
        "preview_withdraw",
        (T, dollars(1_001)),
        lambda h: h.withdraw("trader", dollars(1_001)),
        InsufficientCollateral(T, dollars(1_000), dollars(1_001)),
    ),
    ("preview_liquidation", (T, ETH), lambda h: h.liquidate("trader", ETH), NoPosition(T, ETH)),
]


@pytest.mark.parametrize(("function", "args", "act", "error"), REFUSALS, ids=[type(r[3]).__name__ for r in REFUSALS])
def test_a_preview_refuses_with_the_very_error(
    house: House, function: str, args: tuple[object, ...], act: Callable[[House], Receipt], error: PerpError
) -> None:
    """Asked or done, the same words and values."""
    house.deposit("trader", dollars(1_000))
    with refuses(house, error):
        previewed(house, function, *args)
    with refuses(house, error):
        act(house)


def test_previews_refuse_what_is_paused_and_what_has_no_price(house: House) -> None:
    """A preview is the action, not a guess."""
    house.deposit("trader", dollars(1_000))
    house.do("set_market_paused", ETH, 1, by="governor")
    with refuses(house, MarketActionPaused(ETH, 1)):
        previewed(house, "preview_trade", T, ETH, units(1), INT256_MAX)
    house.wait(3_601, refresh=False)
    with refuses(house, StalePrice(BTC, 0, 2)):
        previewed(house, "preview_trade", T, BTC, units(1), INT256_MAX)


def test_a_preview_of_a_withdrawal_knows_the_pool(house: House) -> None:
    """With the pool in the red nothing is withdrawable, and the preview says so."""
    house.deposit("whale", dollars(400_000))
    house.deposit("trader", dollars(1_000))
    house.trade("whale", ETH, units(4_000))
    house.set_price(ETH, 10_000)
    house.settle("whale", ETH)
    assert house.view("trader").withdrawable == 0
    with refuses(house, PoolInsolvent(house.vault().pool)):
        previewed(house, "preview_withdraw", T, 1)
