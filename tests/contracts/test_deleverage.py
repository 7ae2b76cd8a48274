"""Auto-deleveraging: when it is allowed, who is first, and how much is taken."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest
from expect import balances, laws_hold, moves, refuses
from misfortune import make_deficit, put_pool_into_the_red
from roles import ETH, House, acc, dollars, units

from perpkit.model.deleveraging import NOT_DELEVERAGED
from perpkit.model.errors import (
    IncompleteHolders,
    MarketActionPaused,
    NotAHolder,
    NotAscending,
    NothingToDeleverage,
    StalePrice,
    UnknownMarket,
)
from perpkit.model.events import Deleveraged

SHORTS = ("market_maker", "provider", "counterparty")


# --- refusals


def test_deleveraging_an_unknown_market_is_refused(house: House) -> None:
    """There is no market 3."""
    with refuses(house, UnknownMarket(3)):
        house.deleverage(3, True, [])


def test_deleveraging_while_paused_is_refused(house: House) -> None:
    """Bit 8 of a market stops deleveraging."""
    house.do("set_market_paused", ETH, 8, by="governor")
    with refuses(house, MarketActionPaused(ETH, 8)):
        house.deleverage(ETH, True, [])


def test_deleveraging_without_a_fresh_price_is_refused(house: House) -> None:
    """Nobody is closed at an old price."""
    house.wait(3_601, refresh=False)
    with refuses(house, StalePrice(ETH, 0, 2)):
        house.deleverage(ETH, True, [])


@pytest.mark.parametrize("long", [True, False])
def test_deleveraging_without_need_is_refused(house: House, long: bool) -> None:
    """Neither a deficit nor an excess of profit."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(10))
    house.set_price(ETH, 4_500)
    with refuses(house, NothingToDeleverage(ETH, long)):
        house.deleverage(ETH, long, ["trader"])


def test_the_side_that_has_the_deficit_is_not_deleveraged(house: House) -> None:
    """Longs died; longs do not pay for it."""
    make_deficit(house)
    with refuses(house, NothingToDeleverage(ETH, True)):
        house.deleverage(ETH, True, [])


def test_an_account_that_does_not_hold_the_side_is_refused(house: House) -> None:
    """The list is of holders only."""
    make_deficit(house)
    with refuses(house, NotAHolder(acc("outsider"))):
        house.deleverage(ETH, False, [*SHORTS, "outsider"])


def test_a_list_that_does_not_ascend_is_refused(house: House) -> None:
    """Nor may anybody be listed twice to fill the sum."""
    make_deficit(house)
    first, second = sorted(acc(name) for name in SHORTS[:2])
    with refuses(house, NotAscending(second, first)):
        house.do("deleverage", ETH, False, (second, first), by="keeper")
    with refuses(house, NotAscending(first, first)):
        house.do("deleverage", ETH, False, (first, first), by="keeper")


def test_a_list_that_leaves_somebody_out_is_refused(house: House) -> None:
    """Without the market maker 3 of 10 ETH are missing."""
    make_deficit(house)
    with refuses(house, IncompleteHolders(units(7), units(10))):
        house.deleverage(ETH, False, ["provider", "counterparty"])
    with refuses(house, IncompleteHolders(0, units(10))):
        house.deleverage(ETH, False, [])


# --- success


def test_the_highest_score_pays_first_and_only_what_is_missing(house: House) -> None:
    """A deficit of 1,020.2001: the leveraged market maker gives all its profit, the counterparty the rest."""
    make_deficit(house)
    assert house.state(ETH).long_deficit == 1_020_200_100
    # Market maker: 3 * (4,000.006 - 3,800) = 600.018. Counterparty: 4 * (4,000.032 - 3,800) = 800.128, of which
    # 1,020.2001 - 600.018 = 420.1821 are needed. Nobody's collateral moves: the profit goes to the pool.
    with moves(house, {}):
        receipt = house.deleverage(ETH, False, SHORTS)
    # Ascending by address: market_maker 0x14.., provider 0x3c.., counterparty 0x99...
    market_maker, provider, counterparty = receipt.value
    assert (market_maker.closed, market_maker.haircut) == (units(3), 600_018_000)
    assert market_maker.deficit == 420_182_100
    assert counterparty.closed == ceil(units(4) * Fraction("420.1821") / Fraction("800.128"))
    assert (counterparty.haircut, counterparty.deficit) == (420_182_100, 0)
    assert provider == NOT_DELEVERAGED
    assert house.state(ETH).long_deficit == 0
    events = [event.account for event in receipt.events if isinstance(event, Deleveraged)]
    assert events == [acc("market_maker"), acc("counterparty")]


def test_a_haircut_is_never_more_than_the_profit(house: House) -> None:
    """At 3,999 the winners hardly win: all of it goes, nothing of their own money."""
    make_deficit(house)
    house.set_price(ETH, 3_999)
    before = {name: house.collateral(name) for name in SHORTS}
    receipt = house.deleverage(ETH, False, SHORTS)
    # 4 * 1.032 + 3 * 1.018 + 3 * 1.006 = 10.20.
    assert sum(result.haircut for result in receipt.value) == 10_200_000
    assert house.state(ETH).long_deficit == 1_020_200_100 - 10_200_000
    balances(house, before)
    assert house.state(ETH).short_oi == 0


def test_losers_are_left_alone(house: House) -> None:
    """Above their entry no short has a profit, so nobody is closed."""
    make_deficit(house)
    house.set_price(ETH, 4_050)
    receipt = house.deleverage(ETH, False, SHORTS)
    assert receipt.value == (NOT_DELEVERAGED,) * 3
    assert house.state(ETH).short_oi == units(10)


def test_a_deleveraged_winner_that_owed_money_elsewhere_leaves_bad_debt(house: House) -> None:
    """A winner whose collateral was negative, covered by the very profit that is taken, is bankrupt after it."""
    make_deficit(house)
    # The market maker takes its profit on paper out of the account: it trades it away in BTC.
    house.trade("market_maker", 1, units("0.5"))
    house.set_price(1, 99_000)
    house.close("market_maker", 1)
    owed = -house.collateral("market_maker")
    assert owed > 0
    receipt = house.deleverage(ETH, False, SHORTS)
    result = receipt.value[0]
    assert (result.haircut, result.bad_debt) == (600_018_000, owed)
    # The fund covers with what it has, which are the fees of BTC; the rest is now the shorts' deficit.
    assert house.state(ETH).short_deficit == owed - result.covered
    balances(house, {"market_maker": 0})


def test_an_excess_of_profit_is_brought_back_to_its_part_of_the_pool(house: House) -> None:
    """4,000 ETH bought at 4,008 have won 15,968,000 at 8,000; 60 % of the pool is about 12,000,000."""
    house.deposit("whale", dollars(400_000))
    house.trade("whale", ETH, units(4_000))
    house.set_price(ETH, 8_000)
    # Fee 16,032,000 * 5 bp = 8,016, the pool's part 6,412.80: x = (15,968,000 - 0.6 * 20,006,412.80) / 0.4.
    # x = 3,964,152.32 / 0.4 = 9,910,380.80 are realised and paid out in full.
    with moves(house, {"whale": 9_910_380_800_000, "pool": -9_910_380_800_000}):
        receipt = house.deleverage(ETH, True, ["whale"])
    assert receipt.value[0].haircut == 0
    (view, *_) = house.ask("markets", label="lens")
    assert view.long_pnl == house.vault().pool * 6 // 10
    with refuses(house, NothingToDeleverage(ETH, True)):
        house.deleverage(ETH, True, ["whale"])


def test_with_the_pool_in_the_red_nobody_without_profit_is_closed(house: House) -> None:
    """A negative pool asks for deleveraging, but a settled winner has no profit left to give."""
    put_pool_into_the_red(house)
    receipt = house.deleverage(ETH, True, ["whale"])
    assert receipt.value == (NOT_DELEVERAGED,)
    assert receipt.events == ()


def test_deleveraging_settles_funding_first(house: House) -> None:
    """A day of funding is paid before the profit is measured."""
    make_deficit(house)
    house.set_params(ETH, skew_scale=units(20_000))
    house.wait(8 * 3_600)
    receipt = house.deleverage(ETH, False, SHORTS)
    # Skew -10 / 20,000 = -0.05 % of 3,800 = 1.90 per ETH, paid by shorts: 3 * 1.90.
    assert receipt.value[0].funding == -5_700_000
    laws_hold(house)
