"""Markets with a delay: only orders trade, at prices that nobody knew when they were placed or could be cancelled."""

from __future__ import annotations

from dataclasses import replace

import pytest
from expect import pays, refuses
from hostile import rejects_ether
from roles import BTC, DAY, ETH, INT256_MAX, SOL, House, acc, address, closing, dollars, limit, order, stop, units

from perpkit.market_setup import MIN_EXECUTION_FEE as FEE
from perpkit.model.errors import (
    AlreadyExpiring,
    BelowInitialMargin,
    EtherRejected,
    MarketActionPaused,
    NotAnnounced,
    NotAuthorized,
    OnlyOrders,
    OrderAlreadyCancelled,
    OrderExpired,
    OrderTooEarly,
    PriceLimitCrossed,
)
from perpkit.model.events import EpochEnded, OrderExecuted, OrderExpiring, OrderForfeited
from perpkit.model.market_ledger import TRADE
from perpkit.model.types import OrderStatus, TradeResult

DELAY = 12
BUY = order("trader", units(1))


@pytest.fixture(autouse=True)
def _ready(house: House) -> None:
    """ETH has a delay of 12 seconds; the trader has 1,000 dollars and lets the orders contract act."""
    house.delay(ETH, DELAY)
    house.deposit("trader", dollars(1_000))
    house.use_orders("trader")


def opened(house: House) -> None:
    """The trader holds one ETH."""
    id = house.place(BUY)
    house.wait(DELAY)
    house.execute(id)


# --- refusals


@pytest.mark.parametrize("by", ["trader", "governor", "operator"])
def test_only_orders_trade(house: House, by: str) -> None:
    """Neither the owner nor his operator goes past them, to open or to close."""
    house.do("set_operator", address("operator"), True, by="trader")
    opened(house)
    for delta, worst in ((units(1), INT256_MAX), (-units(1), 0)):
        refusal = OnlyOrders(ETH, DELAY) if by != "governor" else NotAuthorized(acc("trader"), address(by))
        with refuses(house, refusal):
            house.do("trade", acc("trader"), ETH, delta, worst, by=by)
    house.trade("trader", BTC, units("0.01"))


def test_a_trade_with_exits_is_no_way_round(house: House) -> None:
    """It would fill now."""
    with refuses(house, OnlyOrders(ETH, DELAY)):
        house.trade_with_exits("trader", units(1), stop("trader", -units(1), 3_900))
    house.trade_with_exits("trader", units("0.01"), stop("trader", -units("0.01"), 90_000, market=BTC), market=BTC)


def test_a_price_one_second_too_early_is_refused(house: House) -> None:
    """Of eleven seconds later, though it is twelve by then; the price of the twelfth second counts."""
    start = house.sandbox.timestamp
    id = house.place(BUY)
    with refuses(house, OrderTooEarly(id, start, start + DELAY)):
        house.execute(id)
    house.wait(DELAY - 1)
    house.wait(1, refresh=False)
    with refuses(house, OrderTooEarly(id, start + DELAY - 1, start + DELAY)):
        house.execute(id)
    assert not house.order_views("trader")[0].executable
    assert house.order_views("trader")[0].not_before == start + DELAY
    house.refresh()
    assert house.order_views("trader")[0].executable
    house.execute(id)


def test_a_longer_delay_needs_notice(house: House) -> None:
    """Else those who hold positions could not leave as they came."""
    params = replace(house.params(ETH), min_delay=DELAY + 1)
    with refuses(house, NotAnnounced(ETH, 0)):
        house.do("set_market_params", ETH, params, (), by="governor")
    house.do("set_market_params", ETH, replace(params, min_delay=0), (), by="governor")
    house.trade("trader", ETH, units(1))


# --- what is done


def test_an_order_trades(house: House) -> None:
    """Buy, and close."""
    opened(house)
    assert house.position("trader", ETH).size == units(1)
    exit = house.place(closing(order("trader", -units(1))))
    house.wait(DELAY)
    house.execute(exit)
    assert house.position("trader", ETH).size == 0


def test_a_delay_that_changes_counts_for_waiting_orders(house: House) -> None:
    """Whichever holds when they fill."""
    house.place_many(BUY, BUY)
    house.delay(ETH, 0)
    house.execute(1)
    house.delay(ETH, 200)
    start = house.order(2).placed_at
    assert house.sandbox.timestamp - start >= DAY
    house.execute(2)


def test_a_cancelled_order_lives_for_the_delay(house: House) -> None:
    """It may fill in each of the twelve seconds, and its ether stays until then."""
    id = house.place(BUY)
    now = house.sandbox.timestamp
    with pays(house, {}):
        receipt = house.cancel(id)
    assert receipt.events == (OrderExpiring(id, acc("trader"), now + DELAY),)
    assert house.order(id).expiry == now + DELAY
    assert house.order(id).status == OrderStatus.OPEN
    house.wait(DELAY)
    with pays(house, {"keeper": FEE, "orders": -FEE}):
        house.execute(id)


def test_a_cancelled_order_is_dead_after_the_delay(house: House) -> None:
    """From the thirteenth second on anyone returns its ether."""
    id = house.place(BUY)
    now = house.sandbox.timestamp
    house.cancel(id)
    house.wait(DELAY)
    with refuses(house, AlreadyExpiring(id, now + DELAY)):
        house.cancel(id)
    house.wait(1)
    with refuses(house, OrderExpired(id, now + DELAY)):
        house.execute(id)
    with pays(house, {"trader": FEE, "orders": -FEE}):
        house.cancel(id, by="outsider")


def test_cancelling_never_prolongs(house: House) -> None:
    """An order that ends sooner, or in that very second, ends then."""
    now = house.sandbox.timestamp
    soon, then, later = (
        house.place(order("trader", units(1), expiry=now + seconds)) for seconds in (DELAY - 1, DELAY, DELAY + 1)
    )
    for id, expiry in ((soon, now + DELAY - 1), (then, now + DELAY)):
        with refuses(house, AlreadyExpiring(id, expiry)):
            house.cancel(id)
    house.cancel(later)
    assert house.order(later).expiry == now + DELAY


def test_cancelling_all_lets_all_expire(house: House) -> None:
    """What waits in a market without a delay is cancelled at once, and what is dead as well."""
    now = house.sandbox.timestamp
    house.place_many(BUY, order("trader", units("0.01"), market=BTC), order("trader", units(1), expiry=now + 5))
    with pays(house, {"trader": FEE, "orders": -FEE}):
        receipt = house.cancel_all("trader")
    assert OrderExpiring(1, acc("trader"), now + DELAY) in receipt.events
    assert receipt.events[-1] == EpochEnded(acc("trader"), 1)
    assert house.orders_of("trader") == (1, 3)
    house.wait(6)
    with pays(house, {"trader": FEE, "orders": -FEE}):
        house.cancel_all("trader")
    assert house.orders_of("trader") == (1,)


def test_a_bracket_works_with_a_delay(house: House) -> None:
    """The exits may fill at the entry's price already: they were placed with it."""
    house.place_bracket(BUY, stop("trader", -units(1), 3_900))
    house.wait(DELAY)
    house.execute(1)
    house.wait(1)
    house.set_price(ETH, 3_900)
    house.execute(2)
    assert house.position("trader", ETH).size == 0


# --- orders that their owner keeps from filling


def test_an_order_without_margin_is_forfeit(house: House) -> None:
    """Due, and no margin: it ends, and the keeper has its fee for it. Nothing is traded."""
    id = house.place(order("trader", units(100)))
    house.wait(DELAY)
    with pays(house, {"keeper": FEE, "orders": -FEE}):
        receipt = house.execute(id)
    assert receipt.events == (OrderForfeited(id, acc("trader"), address("keeper"), FEE),)
    assert receipt.value == TradeResult(0, 0, 0, 0, 0, 0)
    assert house.position("trader", ETH).size == 0
    assert house.orders_of("trader") == ()
    with refuses(house, OrderAlreadyCancelled(id)):
        house.execute(id)


def test_an_order_without_authority_is_forfeit(house: House) -> None:
    """Its owner revoked the approval, perhaps to give it again at the right moment; exits are no exception."""
    opened(house)
    house.place_many(BUY, closing(order("trader", -units(1))))
    house.do("set_operator", house.at("orders"), False, by="trader")
    house.wait(DELAY)
    with pays(house, {"keeper": 2 * FEE, "orders": -2 * FEE}):
        assert isinstance(house.execute(2).events[0], OrderForfeited)
        assert isinstance(house.execute(3).events[0], OrderForfeited)
    assert house.position("trader", ETH).size == units(1)


def test_an_order_that_leaves_dust_is_forfeit(house: House) -> None:
    """The rest, or the whole, would be worth less than 100 dollars: its owner chose the size."""
    opened(house)
    house.place_many(closing(order("trader", -units("0.99"))), order("trader/1", units("0.01")))
    house.deposit("trader/1", dollars(100))
    house.wait(DELAY)
    for id in (2, 3):
        assert isinstance(house.execute(id).events[0], OrderForfeited)


def test_an_order_that_leaves_too_little_margin_is_forfeit(house: House) -> None:
    """10 ETH and 1,000 dollars at 3,932: some 300 are left, and the nine that a sale of one leaves need 353.88."""
    id = house.place(order("trader", units(10)))
    house.wait(DELAY)
    house.execute(id)
    exit = house.place(closing(order("trader", -units(1))))
    house.wait(DELAY)
    house.set_price(ETH, 3_932)
    assert isinstance(house.execute(exit).events[0], OrderForfeited)
    assert house.position("trader", ETH).size == units(10)


def test_an_order_for_a_ninth_position_is_forfeit(house: House) -> None:
    """Eight are held elsewhere, and one of them could be closed at the right moment."""
    house.deposit("trader", dollars(10_000))
    markets = [BTC, SOL, *[house.list_like(SOL, f"S{n}-USD") for n in range(6)]]
    for market in markets:
        house.trade("trader", market, units("0.01" if market == BTC else 1))
    id = house.place(BUY)
    house.wait(DELAY)
    assert isinstance(house.execute(id).events[0], OrderForfeited)


def test_a_forfeit_entry_takes_its_exits_along(house: House) -> None:
    """Their fees go back to who paid."""
    house.place_bracket(order("trader", units(100)), stop("trader", -units(100), 3_900))
    house.wait(DELAY)
    with pays(house, {"keeper": FEE, "trader": FEE, "orders": -2 * FEE}):
        house.execute(1)
    assert house.orders_of("trader") == ()


def test_a_forfeit_order_leaves_its_neighbours(house: House) -> None:
    """Only what is executed cancels."""
    house.place_many(order("trader", units(100)), BUY, oco=True)
    house.wait(DELAY)
    house.execute(1)
    assert house.orders_of("trader") == (2,)
    assert isinstance(house.execute(2).events[-1], OrderExecuted)


def test_what_is_not_due_is_not_forfeit(house: House) -> None:
    """Before its time it is too early, whatever its margin."""
    start = house.sandbox.timestamp
    id = house.place(order("trader", units(100)))
    with refuses(house, OrderTooEarly(id, start, start + DELAY)):
        house.execute(id)


def test_what_the_market_refuses_is_not_forfeit(house: House) -> None:
    """A pause, the price limit: the order waits on."""
    paused, tight = house.place(BUY), house.place(order("trader", units(1), worst=units(4_000)))
    house.wait(DELAY)
    with refuses(house, PriceLimitCrossed(units("4000.002"), units(4_000))):
        house.execute(tight)
    house.do("set_market_paused", ETH, TRADE, by="governor")
    with refuses(house, MarketActionPaused(ETH, TRADE)):
        house.execute(paused)


def test_without_a_delay_nothing_is_forfeit(house: House) -> None:
    """There the refusal is the keeper's answer, and the order waits on."""
    house.delay(ETH, 0)
    id = house.place(order("trader", units(100)))
    with refuses(house, BelowInitialMargin(acc("trader"), 779_990_000, 8_000_000_000)):
        house.execute(id)


def test_a_keeper_that_takes_no_ether_forfeits_nothing(house: House) -> None:
    if house.sandbox.name == "revm":
        pytest.skip("an address with code sends no transactions")
    id = house.place(order("trader", units(100)))
    house.wait(DELAY)
    with rejects_ether(house, "keeper"), refuses(house, EtherRejected(address("keeper"))):
        house.execute(id)


def test_an_honest_limit_order_is_never_forfeit(house: House) -> None:
    """It rests for days beside its margin, and fills when its price comes."""
    id = house.place(limit("trader", units(1), 3_900))
    house.wait(DAY)
    house.set_price(ETH, 3_899)
    house.execute(id)
    assert house.position("trader", ETH).size == units(1)
