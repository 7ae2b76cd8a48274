"""Executing orders: when it is refused, what fills, and who is paid."""

from __future__ import annotations

from dataclasses import replace

import pytest
from expect import event_of, pays, refuses
from hostile import deploy_code, keeper_that_reenters, keeper_that_rejects, rejects_ether, send_raw
from pulled import PULLED, list_pulled, reports
from roles import ETH, House, acc, address, closing, dollars, limit, order, stop, take_profit, units

from perpkit.market_setup import MIN_EXECUTION_FEE as FEE
from perpkit.model.errors import (
    BelowInitialMargin,
    EtherRejected,
    MarketActionPaused,
    NotAuthorized,
    OrderAlreadyCancelled,
    OrderAlreadyExecuted,
    OrderExpired,
    OrderTooEarly,
    PositionGone,
    PriceLimitCrossed,
    StalePrice,
    TriggerNotMet,
    UnknownOrder,
)
from perpkit.model.events import OrderExecuted, Traded
from perpkit.model.market_ledger import INCREASE, TRADE
from perpkit.model.types import OrderKind, OrderRequest, OrderStatus

BUY = order("trader", units(1))


@pytest.fixture(autouse=True)
def _ready(house: House) -> None:
    """The trader has 1,000 dollars and lets the orders contract act."""
    house.deposit("trader", dollars(1_000))
    house.use_orders("trader")


# --- refusals


@pytest.mark.parametrize("id", [0, 1, 2**64 - 1])
def test_an_unknown_order_is_refused(house: House, id: int) -> None:
    for function in ("execute", "cancel", "ratchet"):
        with refuses(house, UnknownOrder(id)):
            house.do(function, id, by="keeper", label="orders")


def test_an_order_fills_once(house: House) -> None:
    """The second keeper gets a name for it, and nothing."""
    id = house.place(BUY)
    house.execute(id)
    with refuses(house, OrderAlreadyExecuted(id)):
        house.execute(id)
    with refuses(house, OrderAlreadyExecuted(id)):
        house.cancel(id)


def test_a_cancelled_order_does_not_fill(house: House) -> None:
    id = house.place(BUY)
    house.cancel(id)
    with refuses(house, OrderAlreadyCancelled(id)):
        house.execute(id)
    with refuses(house, OrderAlreadyCancelled(id)):
        house.cancel(id)


def test_an_order_does_not_fill_one_second_early(house: House) -> None:
    """The price is a second older than the order; one of its own second will do."""
    start = house.sandbox.timestamp
    house.wait(1, refresh=False)
    id = house.place(BUY)
    with refuses(house, OrderTooEarly(id, start, start + 1)):
        house.execute(id)
    house.refresh()
    house.execute(id)


def test_the_oldest_feed_counts(house: House) -> None:
    """One of three feeds that said nothing since the order was placed holds it back."""
    start = house.sandbox.timestamp
    house.wait(1, refresh=False)
    id = house.place(BUY)
    feeds = tuple(house.at(f"feed:ETH-USD:{i}") for i in (0, 1))
    house.do("push", feeds, (4_000 * 10**8,) * 2, by="publisher", label="board")
    with refuses(house, OrderTooEarly(id, start, start + 1)):
        house.execute(id)


def test_an_order_fills_in_its_last_second_and_not_after(house: House) -> None:
    now = house.sandbox.timestamp
    first, second = house.place(replace(BUY, expiry=now + 10)), house.place(replace(BUY, expiry=now + 10))
    house.wait(10)
    house.execute(first)
    house.wait(1)
    with refuses(house, OrderExpired(second, now + 10)):
        house.execute(second)


def test_a_stale_price_stops_an_order(house: House) -> None:
    """The oracle's own refusal passes through."""
    id = house.place(BUY)
    house.wait(3_601, refresh=False)
    with refuses(house, StalePrice(ETH, 0, 2)):
        house.execute(id)


def test_a_position_that_is_gone_is_not_reduced(house: House) -> None:
    house.trade("trader", ETH, units(1))
    opened = house.position("trader", ETH).opened
    id = house.place(stop("trader", -units(1), 3_900))
    house.close("trader", ETH)
    house.set_price(ETH, 3_900)
    with refuses(house, PositionGone(id, opened)):
        house.execute(id)


def test_the_acceptable_price_is_the_worst(house: House) -> None:
    """Bought at 4,000 * (1 + 1 / 2,000,000) = 4,000.002: a limit a unit below refuses, that very price does not."""
    tight = house.place(order("trader", units(1), worst=units("4000.002") - 1))
    with refuses(house, PriceLimitCrossed(units("4000.002"), units("4000.002") - 1)):
        house.execute(tight)
    exact = house.place(order("trader", units(1), worst=units("4000.002")))
    house.execute(exact)
    # Sold against a skew of 1: 4,000 * (1 + 1 / 1,000,000 - 1 / 2,000,000) = 4,000.002.
    tight = house.place(order("trader", -units(1), worst=units("4000.002") + 1))
    with refuses(house, PriceLimitCrossed(units("4000.002"), units("4000.002") + 1)):
        house.execute(tight)
    house.execute(house.place(order("trader", -units(1), worst=units("4000.002"))))


def test_a_limit_is_also_the_worst_fill(house: House) -> None:
    """At a mark of 4,000 the trigger of 4,000.001 is met, but the premium makes it 4,000.002."""
    id = house.place(limit("trader", units(1), "4000.001"))
    with refuses(house, PriceLimitCrossed(units("4000.002"), units("4000.001"))):
        house.execute(id)


def test_margin_that_is_too_low_refuses_an_entry(house: House) -> None:
    """100 ETH need 2 % of 400,000: 8,000; fill 4,000.2, fee 200.01, loss to the mark 20: 779.99 are left."""
    id = house.place(order("trader", units(100)))
    with refuses(house, BelowInitialMargin(acc("trader"), 779_990_000, 8_000_000_000)):
        house.execute(id)
    assert house.order(id).status == OrderStatus.OPEN


def test_a_revoked_operator_fills_nothing(house: House) -> None:
    id = house.place(BUY)
    house.do("set_operator", house.at("orders"), False, by="trader")
    with refuses(house, NotAuthorized(acc("trader"), house.at("orders"))):
        house.execute(id)


def test_a_paused_market_fills_nothing(house: House) -> None:
    """Entries stop with INCREASE already, exits with TRADE only."""
    house.trade("trader", ETH, units(1))
    entry, exit = house.place(BUY), house.place(closing(order("trader", -units(1))))
    house.do("set_market_paused", ETH, INCREASE, by="governor")
    with refuses(house, MarketActionPaused(ETH, INCREASE)):
        house.execute(entry)
    house.do("set_market_paused", ETH, TRADE, by="governor")
    with refuses(house, MarketActionPaused(ETH, TRADE)):
        house.execute(exit)
    house.do("set_market_paused", ETH, INCREASE, by="governor")
    house.execute(exit)


def test_a_keeper_that_takes_no_ether_executes_nothing(house: House) -> None:
    """In the model; on bytecode the next test has a real contract do it."""
    if house.sandbox.name == "revm":
        pytest.skip("an address with code sends no transactions")
    id = house.place(BUY)
    with rejects_ether(house, "keeper"), refuses(house, EtherRejected(address("keeper"))):
        house.execute(id)


def test_a_contract_that_takes_no_ether_executes_nothing(house: House) -> None:
    """Everything is undone, and the order stays for somebody else."""
    keeper = deploy_code(house, keeper_that_rejects(house.at("orders")))
    id = house.place(BUY)
    with refuses(house, EtherRejected(keeper)):
        send_raw(house, keeper, house.sandbox.action("orders", "execute", id))
    with pays(house, {"keeper": FEE, "orders": -FEE}):
        house.execute(id)


@pytest.mark.parametrize("function", ["execute", "cancel", "claim", "cancel_all", "multicall"])
def test_a_keeper_does_not_come_back_while_it_is_paid(house: House, function: str) -> None:
    """It calls back from within its payment, is refused, and has its fee once. As an operator of the owner it may do
    all that afterwards, so nothing else was in its way."""
    first, second = house.place_many(BUY, BUY).value, 2
    make_credit(house)
    one = house.sandbox
    args = {
        "claim": (address("operator"),),
        "cancel_all": (acc("trader"),),
        "multicall": ((one.action("orders", "execute", second),),),
    }.get(function, (second,))
    if one.name == "model":
        pytest.skip("the model has no such keepers")
    data = one.action("orders", function, *args)
    keeper = deploy_code(house, keeper_that_reenters(house.at("orders"), data))
    house.do("set_operator", keeper, True, by="trader")
    with pays(house, {"orders": -FEE}):
        send_raw(house, keeper, one.action("orders", "execute", first))
    assert house.ether(keeper) == FEE
    assert one._evm.storage(keeper, 0) == 1  # type: ignore[attr-defined]
    assert house.order(second).status == OrderStatus.OPEN
    assert one.call("orders", "credit_of", address("operator")) == FEE
    send_raw(house, keeper, data)


def make_credit(house: House) -> None:
    """The operator paid for an order and took no refund."""
    house.do("set_operator", address("operator"), True, by="trader")
    id = house.place(BUY, by="operator")
    with rejects_ether(house, "operator"):
        house.cancel(id)


# --- triggers

LONG = units(1)


@pytest.mark.parametrize(
    ("request_", "before", "at"),
    [
        (limit("trader", LONG, 3_900), "3900.01", 3_900),
        (limit("trader", -LONG, 4_100), "4099.99", 4_100),
        (order("trader", LONG, OrderKind.STOP, trigger=units(4_100)), "4099.99", 4_100),
        (order("trader", -LONG, OrderKind.STOP, trigger=units(3_900)), "3900.01", 3_900),
        (order("trader", LONG, OrderKind.TAKE_PROFIT, trigger=units(3_900)), "3900.01", 3_900),
        (order("trader", -LONG, OrderKind.TAKE_PROFIT, trigger=units(4_100)), "4099.99", 4_100),
    ],
    ids=["limit buy", "limit sell", "stop buy", "stop sell", "take profit buy", "take profit sell"],
)
def test_a_trigger_is_met_at_equality(house: House, request_: OrderRequest, before: str, at: int) -> None:
    """A cent before it nothing fills; at that very price it does, once skew no longer costs anything."""
    house.make_free(ETH)
    id = house.place(replace(request_, acceptable_price=0))
    house.set_price(ETH, before)
    with refuses(house, TriggerNotMet(id, units(before), request_.trigger)):
        house.execute(id)
    assert not house.order_views("trader")[0].triggered
    house.set_price(ETH, at)
    assert house.order_views("trader")[0].executable
    # A limit allows no worse fill than its trigger, and 1 / 2**96 of premium is worse by a unit in the last place.
    if request_.kind == OrderKind.LIMIT:
        house.set_price(ETH, at - 1 if request_.size > 0 else at + 1)
    house.execute(id)
    assert house.position("trader", ETH).size == request_.size


# --- what is done


def test_an_execution_is_said_and_paid(house: House) -> None:
    """The trade is the very one that the owner would have had, and the keeper has the fee."""
    id = house.place(BUY, fee=5 * FEE)
    with pays(house, {"keeper": 5 * FEE, "orders": -5 * FEE}):
        receipt = house.execute(id)
    traded, executed = event_of(house, receipt, Traded), receipt.events[-1]
    opened = house.position("trader", ETH).opened
    assert executed == OrderExecuted(id, acc("trader"), address("keeper"), 5 * FEE, opened, traded.result)
    assert receipt.value == traded.result
    # Bought at 4,000.002; the fee is 5 basis points of it: 2.000001.
    assert (traded.result.fill, traded.result.fee) == (units("4000.002"), 2_000_001)
    assert house.order(id).status == OrderStatus.EXECUTED
    assert house.orders_of("trader") == ()


@pytest.mark.parametrize("by", ["trader", "outsider", "governor"])
def test_anyone_executes(house: House, by: str) -> None:
    """The owner too, who is paid what he paid when he does."""
    id = house.place(BUY)
    with pays(house, {by: FEE, "orders": -FEE}):
        house.execute(id, by=by)


def test_a_reduce_only_order_closes_no_more_than_there_is(house: House) -> None:
    """Three were asked for and one is there: flat, not short."""
    house.trade("trader", ETH, units(1))
    id = house.place(closing(order("trader", -units(3))))
    house.execute(id)
    assert house.position("trader", ETH).size == 0


def test_a_reduce_only_order_closes_a_part(house: House) -> None:
    """Three of four, and a second one the rest; the position is the same until then."""
    house.trade("trader", ETH, units(4))
    first = house.place(closing(order("trader", -units(3))))
    second = house.place(take_profit("trader", -units(3), 4_000))
    house.execute(first)
    assert house.position("trader", ETH).size == units(1)
    house.execute(second)
    assert house.position("trader", ETH).size == 0


def test_a_reduction_fills_where_margin_is_short(house: House) -> None:
    """10 ETH and 1,000 dollars at 3,925: below initial margin, and the stop still works."""
    house.trade("trader", ETH, units(10))
    id = house.place(stop("trader", -units(10), 3_950))
    house.set_price(ETH, 3_925)
    house.execute(id)
    assert house.position("trader", ETH).size == 0


def test_a_multicall_executes_several(house: House) -> None:
    """One transaction, both fees."""
    house.place_many(BUY, BUY)
    actions = tuple(house.sandbox.action("orders", "execute", id) for id in (1, 2))
    with pays(house, {"keeper": 2 * FEE, "orders": -2 * FEE}):
        house.do("multicall", actions, by="keeper", label="orders")
    assert house.position("trader", ETH).size == units(2)


def test_one_multicall_brings_the_price_and_executes(house: House) -> None:
    """What waited for a newer price of a market whose prices are signed fills in the transaction that brings it."""
    list_pulled(house)
    house.wait(12)
    id = house.place(order("trader", units(1), market=PULLED))
    with refuses(house, OrderTooEarly(id, house.sandbox.timestamp - 12, house.sandbox.timestamp)):
        house.execute(id)
    brought = reports(house, 4_001)
    actions = tuple(
        house.sandbox.action("orders", function, *args)
        for function, args in (("deliver_reports", (PULLED, brought)), ("execute", (id,)))
    )
    with pays(house, {"keeper": FEE, "orders": -FEE}):
        house.do("multicall", actions, by="keeper", label="orders")
    assert house.position("trader", PULLED).size == units(1)
