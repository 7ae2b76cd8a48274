"""Brackets: an entry, its exits, and that one cancels the other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from expect import pays, refuses
from hostile import rejects_ether
from roles import BTC, ETH, House, acc, address, closing, dollars, limit, order, stop, take_profit, units

from perpkit.market_setup import MIN_EXECUTION_FEE as FEE
from perpkit.model.errors import (
    BelowInitialMargin,
    EtherRejected,
    InvalidOrder,
    NotAuthorized,
    NothingToClaim,
    NothingToReduce,
    OrderAlreadyCancelled,
    ParentNotExecuted,
    PriceLimitCrossed,
    TooManyOrders,
)
from perpkit.model.events import EtherClaimed, EtherCredited, OrderCancelled, OrderPlaced, Traded
from perpkit.model.types import OrderRequest, OrderStatus

LOSS = stop("trader", -units(1), 3_900)
GAIN = take_profit("trader", -units(1), 4_100)


@pytest.fixture(autouse=True)
def _ready(house: House) -> None:
    """Nothing costs anything; the trader has 1,000 dollars and lets the orders contract act."""
    house.make_free(ETH)
    house.deposit("trader", dollars(1_000))
    house.use_orders("trader")


# --- refusals


@pytest.mark.parametrize(
    ("field", "exit"),
    [
        ("account", replace(LOSS, account=acc("trader/1"))),
        ("market", replace(LOSS, market=BTC)),
        ("reduceOnly", replace(LOSS, reduce_only=False)),
        ("size", replace(LOSS, size=units(1))),
    ],
)
def test_an_exit_must_be_the_other_way(house: House, field: str, exit: OrderRequest) -> None:
    """Same account, same market, reduce-only, opposite side; in a bracket and with a trade."""
    with refuses(house, InvalidOrder(field)):
        house.place_bracket(order("trader", units(1)), exit)
    with refuses(house, InvalidOrder(field)):
        house.trade_with_exits("trader", units(1), exit)


def test_an_exit_does_not_come_before_its_entry(house: House) -> None:
    """Though its trigger is met."""
    entry = house.place_bracket(limit("trader", units(1), 3_800), LOSS).value
    house.set_price(ETH, 3_850)
    with refuses(house, ParentNotExecuted(entry + 1, entry)):
        house.execute(entry + 1)


def test_a_refused_exit_undoes_the_trade(house: House) -> None:
    """Trade and exits are one: no position without its stop."""
    with refuses(house, InvalidOrder("trigger")):
        house.trade_with_exits("trader", units(1), LOSS, replace(GAIN, trigger=0))


def test_a_refused_trade_places_no_exits(house: House) -> None:
    house.set_params(ETH, skew_scale=units(1_000_000))
    # Bought at 4,000.2: 20 of 1,000 dollars are lost to the mark, and 100 ETH need 2 % of 400,000.
    with refuses(house, BelowInitialMargin(acc("trader"), 980_000_000, 8_000_000_000)):
        house.trade_with_exits("trader", units(100), LOSS)
    args = (acc("trader"), ETH, units(1), units(3_999), (LOSS,), True)
    with refuses(house, PriceLimitCrossed(units("4000.002"), units(3_999))):
        house.do("trade_with_exits", *args, by="trader", label="orders", value=FEE)


def test_exits_need_a_position_that_they_reduce(house: House) -> None:
    """Short two and one bought back: still short, and a sale would not make that smaller."""
    house.trade("trader", ETH, -units(2))
    with refuses(house, NothingToReduce(acc("trader"), ETH)):
        house.trade_with_exits("trader", units(1), LOSS)


def test_a_trade_with_exits_needs_the_operator(house: House) -> None:
    house.deposit("counterparty", dollars(1_000))
    with refuses(house, NotAuthorized(acc("counterparty"), house.at("orders"))):
        house.trade_with_exits("counterparty", units(1), replace(LOSS, account=acc("counterparty")))


def test_a_bracket_counts_among_the_sixteen(house: House) -> None:
    house.place_many(*[order("trader", units(1))] * 14)
    with refuses(house, TooManyOrders(acc("trader"))):
        house.place_bracket(order("trader", units(1)), LOSS, GAIN)


# --- a trade with its exits


def test_a_trade_comes_with_its_exits(house: House) -> None:
    """One transaction: the position, and two orders of one group that belong to it."""
    with pays(house, {"trader": -2 * FEE, "orders": 2 * FEE}):
        receipt = house.trade_with_exits("trader", units(1), LOSS, GAIN)
    result, first = receipt.value
    traded, *placed = receipt.events
    assert isinstance(traded, Traded)
    assert traded.result == result
    assert first == 1
    position = house.position("trader", ETH)
    assert position.size == units(1)
    for event, trigger in zip(placed, (3_900, 4_100), strict=True):
        assert isinstance(event, OrderPlaced)
        assert (event.order.group, event.order.parent, event.order.opened) == (1, 0, position.opened)
        assert event.order.trigger == units(trigger)


def test_one_exit_cancels_the_other(house: House) -> None:
    """The keeper has one fee, the trader the other back."""
    house.trade_with_exits("trader", units(1), LOSS, GAIN)
    house.set_price(ETH, 4_100)
    with pays(house, {"keeper": FEE, "trader": FEE, "orders": -2 * FEE}):
        receipt = house.execute(2)
    assert OrderCancelled(1, acc("trader"), address("keeper"), address("trader"), FEE) in receipt.events
    assert house.orders_of("trader") == ()
    with refuses(house, OrderAlreadyCancelled(1)):
        house.execute(1)


def test_a_cancelled_exit_leaves_the_other(house: House) -> None:
    """Only what is executed cancels its neighbours."""
    house.trade_with_exits("trader", units(1), LOSS, GAIN)
    house.cancel(1)
    assert house.orders_of("trader") == (2,)
    house.set_price(ETH, 4_100)
    with pays(house, {"keeper": FEE, "orders": -FEE}):
        house.execute(2)


def test_without_a_group_both_stay(house: House) -> None:
    """Halves of a position, one after the other."""
    half = -units("0.5")
    house.trade_with_exits("trader", units(1), replace(LOSS, size=half), replace(GAIN, size=half), oco=False)
    house.set_price(ETH, 4_100)
    house.execute(2)
    house.set_price(ETH, 3_900)
    house.execute(1)
    assert house.position("trader", ETH).size == 0


def test_a_group_ends_where_the_next_begins(house: House) -> None:
    """Neighbours in number, not in group."""
    house.use_orders("counterparty")
    house.place_many(limit("trader", units(1), 3_900), limit("trader", units(1), 3_800), oco=True)
    house.place_many(limit("trader", units(1), 3_700), limit("trader", units(1), 3_600), oco=True)
    house.set_price(ETH, 3_700)
    house.set_price(ETH, 3_699)
    house.execute(3)
    assert house.orders_of("trader") == (1, 2)
    house.execute(2)
    assert house.orders_of("trader") == ()


def test_a_payer_that_takes_no_ether_stops_no_execution(house: House) -> None:
    """What his neighbour's refund would have been is his to claim."""
    house.do("set_operator", address("operator"), True, by="trader")
    house.trade_with_exits("trader", units(1), LOSS, GAIN, by="operator")
    house.set_price(ETH, 4_100)
    with rejects_ether(house, "operator"), pays(house, {"keeper": FEE, "orders": -FEE}):
        receipt = house.execute(2)
    assert EtherCredited(address("operator"), FEE) in receipt.events
    with pays(house, {"operator": FEE, "orders": -FEE}):
        house.claim("operator")


# --- a bracket


def test_a_bracket_waits_and_then_protects(house: House) -> None:
    """Entry at 3,950, then the stop: bought at 3,950, sold at 3,900."""
    with pays(house, {"trader": -3 * FEE, "orders": 3 * FEE}):
        entry = house.place_bracket(limit("trader", units(1), 3_950), LOSS, GAIN).value
    assert [(o.parent, o.group) for o in map(house.order, (1, 2, 3))] == [(0, 0), (entry, 2), (entry, 2)]
    house.set_price(ETH, 3_949)
    house.execute(entry)
    assert house.order(entry).opened == house.position("trader", ETH).opened
    assert house.orders_of("trader") == (2, 3)
    house.set_price(ETH, 3_900)
    with pays(house, {"keeper": FEE, "trader": FEE, "orders": -2 * FEE}):
        house.execute(2)
    assert house.position("trader", ETH).size == 0


def test_a_cancelled_entry_takes_its_exits_along(house: House) -> None:
    """All three fees come back."""
    entry = house.place_bracket(limit("trader", units(1), 3_950), LOSS, GAIN).value
    other = house.place(limit("trader", units(1), 3_950))
    with pays(house, {"trader": 3 * FEE, "orders": -3 * FEE}):
        house.cancel(entry)
    assert [house.order(id).status for id in (1, 2, 3)] == [OrderStatus.CANCELLED] * 3
    assert house.orders_of("trader") == (other,)


def test_a_cancelled_exit_is_not_cancelled_again(house: House) -> None:
    """Its fee came back once."""
    entry = house.place_bracket(limit("trader", units(1), 3_950), LOSS, GAIN).value
    house.cancel(2)
    with pays(house, {"trader": 2 * FEE, "orders": -2 * FEE}):
        house.cancel(entry)


def test_exits_of_an_entry_that_only_closed_are_dead(house: House) -> None:
    """Short one, one bought: nothing is left for the exits, and anyone may clear them away."""
    house.trade("trader", ETH, -units(1))
    entry = house.place_bracket(order("trader", units(1)), LOSS, GAIN).value
    house.execute(entry)
    assert house.is_dead(2)
    assert house.is_dead(3)
    with refuses(house, NothingToReduce(acc("trader"), ETH)):
        house.set_price(ETH, 3_900)
        house.execute(2)
    with pays(house, {"trader": FEE, "orders": -FEE}):
        house.cancel(2, by="outsider")


def test_exits_of_an_entry_that_enlarged_belong_to_the_whole(house: House) -> None:
    """One held, one bought: the exit of two closes both."""
    house.trade("trader", ETH, units(1))
    entry = house.place_bracket(order("trader", units(1)), stop("trader", -units(2), 3_900)).value
    house.execute(entry)
    house.set_price(ETH, 3_900)
    house.execute(entry + 1)
    assert house.position("trader", ETH).size == 0


# --- credits


def test_nothing_is_claimed_twice(house: House) -> None:
    """By anyone, for who is owed, once."""
    house.do("set_operator", address("operator"), True, by="trader")
    id = house.place(order("trader", units(1)), by="operator")
    with rejects_ether(house, "operator"):
        receipt = house.cancel(id)
        assert receipt.events[-1] == EtherCredited(address("operator"), FEE)
        assert house.sandbox.call("orders", "credit_of", address("operator")) == FEE
        with refuses(house, EtherRejected(address("operator"))):
            house.claim("operator")
    with pays(house, {"operator": FEE, "orders": -FEE}):
        receipt = house.claim("operator", by="outsider")
    assert receipt.events == (EtherClaimed(address("operator"), FEE),)
    with refuses(house, NothingToClaim(address("operator"))):
        house.claim("operator")


def test_credits_add_up(house: House) -> None:
    """Two refunds, one claim."""
    house.do("set_operator", address("operator"), True, by="trader")
    house.place_many(order("trader", units(1)), order("trader", units(1)), by="operator", fee=3 * FEE)
    with rejects_ether(house, "operator"):
        house.cancel(1)
        house.cancel(2)
    with pays(house, {"operator": 6 * FEE, "orders": -6 * FEE}):
        house.claim("operator")


def test_a_reduce_only_entry_may_have_exits_of_the_rest(house: House) -> None:
    """Three held, one sold by the entry: the exits would buy, which makes a long no smaller, so they die."""
    house.trade("trader", ETH, units(3))
    entry = closing(order("trader", -units(1)))
    house.place_bracket(entry, replace(LOSS, size=units(1), trigger=units(4_100)))
    house.execute(1)
    assert house.is_dead(2)
