"""Cancelling: who may, what comes back, and which orders are dead."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from expect import laws_hold, pays, refuses
from hostile import become, keeper_that_reenters
from misfortune import make_deficit
from roles import BTC, DAY, ETH, House, acc, address, closing, dollars, limit, order, stop, take_profit, units

from perpkit.market_setup import MIN_EXECUTION_FEE as FEE
from perpkit.model.errors import (
    MarketActionPaused,
    NotAuthorized,
    OrderTooEarly,
    PerpError,
    PositionGone,
    TriggerNotMet,
)
from perpkit.model.events import EpochEnded, EtherCredited, OrderCancelled
from perpkit.model.market_ledger import TRADE
from perpkit.model.types import OrderKind, OrderRequest, OrderStatus

BUY = order("trader", units(1))


@pytest.fixture(autouse=True)
def _ready(house: House) -> None:
    """The trader has 1,000 dollars and lets the orders contract act."""
    house.deposit("trader", dollars(1_000))
    house.use_orders("trader")


# --- refusals


@pytest.mark.parametrize("by", ["outsider", "operator", "governor", "keeper"])
def test_nobody_cancels_a_living_order_of_another(house: House, by: str) -> None:
    """One, or all."""
    id = house.place(BUY)
    with refuses(house, NotAuthorized(acc("trader"), address(by))):
        house.cancel(id, by=by)
    with refuses(house, NotAuthorized(acc("trader"), address(by))):
        house.cancel_all("trader", by=by)


def test_who_paid_may_not_cancel(house: House) -> None:
    """An operator who was approved, placed, and was dismissed: the order is the owner's, the refund the payer's."""
    house.do("set_operator", address("operator"), True, by="trader")
    id = house.place(BUY, by="operator")
    house.do("set_operator", address("operator"), False, by="trader")
    with refuses(house, NotAuthorized(acc("trader"), address("operator"))):
        house.cancel(id, by="operator")
    with pays(house, {"operator": FEE, "orders": -FEE}):
        house.cancel(id)


def test_cancelling_one_account_leaves_the_next(house: House) -> None:
    """The same owner's second account keeps its orders and its epoch."""
    first, second = house.place(BUY), house.place(order("trader/1", units(1)))
    house.cancel_all("trader")
    assert house.order(first).status == OrderStatus.CANCELLED
    assert house.orders_of("trader/1") == (second,)
    assert house.sandbox.call("orders", "epoch_of", acc("trader/1")) == 0


# --- what is done


def test_a_cancelled_order_is_said_and_refunded(house: House) -> None:
    id = house.place(BUY, fee=7 * FEE)
    with pays(house, {"trader": 7 * FEE, "orders": -7 * FEE}):
        receipt = house.cancel(id)
    assert receipt.events == (OrderCancelled(id, acc("trader"), address("trader"), address("trader"), 7 * FEE),)
    assert house.orders_of("trader") == ()


def test_a_payer_does_not_come_back_while_he_is_refunded(house: House) -> None:
    """10,000 gas take ether and write nothing down; who wants more has a credit instead, and the order is gone."""
    house.do("set_operator", address("operator"), True, by="trader")
    house.place_many(BUY, BUY, by="operator")
    if house.sandbox.name == "model":
        pytest.skip("the model has no such neighbours")
    code = keeper_that_reenters(house.at("orders"), house.sandbox.action("orders", "cancel", 2))
    with become(house, address("operator"), code), pays(house, {}):
        assert house.cancel(1).events[-1] == EtherCredited(address("operator"), FEE)
    assert house.orders_of("trader") == (2,)
    with pays(house, {"operator": FEE, "orders": -FEE}):
        house.claim("operator")


def test_an_operator_cancels(house: House) -> None:
    house.do("set_operator", address("operator"), True, by="trader")
    id = house.place(BUY)
    with pays(house, {"trader": FEE, "orders": -FEE}):
        house.cancel(id, by="operator")


def test_all_are_cancelled(house: House) -> None:
    """Ladder, bracket and stop, each fee to who paid it; the epoch moves on, with orders or without."""
    house.do("set_operator", address("operator"), True, by="trader")
    house.place_many(limit("trader", units(1), 3_900), limit("trader", units(1), 3_800))
    house.place_bracket(BUY, stop("trader", -units(1), 3_900), take_profit("trader", -units(1), 4_100), by="operator")
    with pays(house, {"trader": 2 * FEE, "operator": 3 * FEE, "orders": -5 * FEE}):
        receipt = house.cancel_all("trader")
    assert receipt.events[-1] == EpochEnded(acc("trader"), 1)
    assert sum(isinstance(event, OrderCancelled) for event in receipt.events) == 5
    assert house.orders_of("trader") == ()
    assert house.cancel_all("trader").events == (EpochEnded(acc("trader"), 2),)


def test_the_order_of_the_list_does_not_matter(house: House) -> None:
    """An exit that stands in the list before its entry, where a hole was: everything is cancelled once."""
    house.place_many(BUY, BUY)
    entry = house.place_bracket(BUY, stop("trader", -units(1), 3_900)).value
    house.cancel(1)
    house.place(BUY)
    with pays(house, {"trader": 4 * FEE, "orders": -4 * FEE}):
        house.cancel_all("trader")
    assert house.order(entry + 1).status == OrderStatus.CANCELLED


# --- dead orders


def flip(house: House) -> None:
    house.trade("trader", ETH, -units(12))


def reopen(house: House) -> None:
    house.close("trader", ETH)
    house.trade("trader", ETH, units(10))


def liquidate(house: House) -> None:
    house.set_price(ETH, 3_906)
    house.liquidate("trader", ETH)


def reopen_after_liquidation(house: House) -> None:
    liquidate(house)
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(10))


def delist(house: House) -> None:
    house.do("announce_delisting", ETH, by="governor")
    house.wait(DAY)
    house.do("delist_market", ETH, by="governor")
    house.do("close_out", ETH, (acc("trader"),), by="keeper")


ENDS: tuple[Callable[[House], object], ...] = (
    lambda house: house.close("trader", ETH),
    flip,
    reopen,
    liquidate,
    reopen_after_liquidation,
    delist,
)


@pytest.mark.parametrize("end", ENDS, ids=["close", "flip", "reopen", "liquidation", "reopen after it", "delisting"])
def test_an_order_dies_with_its_position(house: House, end: Callable[[House], object]) -> None:
    """Whatever ended the position, and whatever came after it: the old stop touches nothing, and anyone clears it
    away, to the payer's benefit."""
    house.trade("trader", ETH, units(10))
    opened = house.position("trader", ETH).opened
    id = house.place(stop("trader", -units(10), 3_950), fee=2 * FEE)
    other = house.place(closing(order("trader", -units(10))))
    assert not house.is_dead(id)
    end(house)
    now = house.position("trader", ETH)
    assert now.opened != opened
    house.set_price(ETH, 3_905)
    for dead in (id, other):
        assert house.is_dead(dead)
        # The price of a delisted market stands still, at which the stop is not even triggered.
        with pytest.raises(TriggerNotMet if end is delist and dead == id else PositionGone):
            house.execute(dead)
    assert house.position("trader", ETH) == now
    with pays(house, {"trader": 2 * FEE, "orders": -2 * FEE}):
        house.cancel(id, by="outsider")


def test_an_entry_fills_in_no_delisted_market(house: House) -> None:
    """There is nothing to trade with; its owner cancels it."""
    id = house.place(BUY)
    delist(house)
    with refuses(house, MarketActionPaused(ETH, TRADE)):
        house.execute(id)
    with pays(house, {"trader": FEE, "orders": -FEE}):
        house.cancel(id)


def test_a_partial_liquidation_leaves_the_order(house: House) -> None:
    """The same position, smaller: the stop closes what is left of it, and no more."""
    house.trade("trader", ETH, units(10))
    id = house.place(stop("trader", -units(10), 3_950))
    house.set_price(ETH, 3_932)
    house.liquidate("trader", ETH)
    left = house.position("trader", ETH).size
    assert 0 < left < units(10)
    assert not house.is_dead(id)
    house.execute(id)
    assert house.position("trader", ETH).size == 0


def test_a_deleveraged_position_takes_its_orders_along(house: House) -> None:
    """Closed in part its order lives and closes the rest; closed in full it is dead."""
    house.use_orders("market_maker", "counterparty")
    house.withdraw("trader", dollars(1_000))
    make_deficit(house)
    ids = {name: house.place(closing(order(name, units(4)))) for name in ("market_maker", "counterparty")}
    house.deleverage(ETH, False, ["market_maker", "provider", "counterparty"])
    house.refresh()
    assert house.position("market_maker", ETH).size == 0
    assert house.is_dead(ids["market_maker"])
    with pays(house, {"market_maker": FEE, "orders": -FEE}):
        house.cancel(ids["market_maker"], by="outsider")
    held = house.position("counterparty", ETH).size
    assert house.is_dead(ids["counterparty"]) == (held == 0)


def test_an_expired_order_is_anybodys_to_clear(house: House) -> None:
    """Not in its last second, but in the next one."""
    now = house.sandbox.timestamp
    id = house.place(order("trader", units(1), expiry=now + 10))
    house.wait(10)
    assert not house.is_dead(id)
    with refuses(house, NotAuthorized(acc("trader"), address("outsider"))):
        house.cancel(id, by="outsider")
    house.wait(1)
    assert house.is_dead(id)
    with pays(house, {"trader": FEE, "orders": -FEE}):
        house.cancel(id, by="outsider")


def test_exits_of_an_expired_entry_are_dead(house: House) -> None:
    """Each can be cleared alone, and the entry afterwards."""
    now = house.sandbox.timestamp
    entry = order("trader", units(1), OrderKind.LIMIT, trigger=units(3_900), expiry=now + 10)
    house.place_bracket(entry, stop("trader", -units(1), 3_800), take_profit("trader", -units(1), 4_100))
    assert not house.is_dead(2)
    house.wait(11)
    assert house.is_dead(2)
    with pays(house, {"trader": FEE, "orders": -FEE}):
        house.cancel(2, by="outsider")
    with pays(house, {"trader": 2 * FEE, "orders": -2 * FEE}):
        house.cancel(1, by="outsider")


def test_closed_orders_are_dead(house: House) -> None:
    """Executed, cancelled, never placed."""
    house.place_many(BUY, BUY)
    house.execute(1)
    house.cancel(2)
    assert all(house.is_dead(id) for id in (0, 1, 2, 3))


def test_an_entry_lives_in_a_market_that_is_paused(house: House) -> None:
    """It will go on; only its owner cancels it meanwhile."""
    id = house.place(BUY)
    house.do("set_market_paused", ETH, 15, by="governor")
    assert not house.is_dead(id)
    house.cancel(id)


# --- reduce-only never opens and never flips


@pytest.mark.parametrize("seed", range(4))
def test_reduce_only_orders_only_reduce(house: House, seed: int) -> None:
    """Random trades, orders, prices and executions: after each execution of a reduce-only order the position is on
    the side where it was, or nowhere, and smaller; the escrow stays exact."""
    rng = random.Random(seed)
    house.deposit("trader", dollars(100_000))
    reductions = 0
    for _ in range(150):
        match rng.randrange(5):
            case 0:
                attempt(lambda: house.trade("trader", rng.choice((ETH, BTC)), units(rng.choice((-2, -1, 1, 2)))))
            case 1:
                attempt(lambda: house.place(random_exit(rng)))
            case 2:
                house.set_price(ETH, rng.randint(3_800, 4_200))
            case 3:
                attempt(lambda: house.liquidate("trader", ETH))
            case _:
                for id in house.orders_of("trader"):
                    market = house.order(id).market
                    before = house.position("trader", market).size
                    if attempt(lambda id=id: house.execute(id)):  # type: ignore[misc]
                        after = house.position("trader", market).size
                        assert abs(after) < abs(before)
                        assert after * before >= 0
                        reductions += 1
        if len(house.orders_of("trader")) == 16:
            house.cancel_all("trader")
    laws_hold(house)
    assert reductions > 2


def attempt(act: Callable[[], object]) -> bool:
    """Whether it was done."""
    try:
        act()
    except PerpError as error:
        assert not isinstance(error, OrderTooEarly)
        return False
    return True


def random_exit(rng: random.Random) -> OrderRequest:
    size, market = units(rng.choice((-3, -1, 1, 3))), rng.choice((ETH, ETH, BTC))
    kind = rng.choice((OrderKind.MARKET, OrderKind.STOP, OrderKind.TAKE_PROFIT, OrderKind.LIMIT))
    trigger = 0 if kind == OrderKind.MARKET else units(rng.randint(3_800, 4_200))
    return closing(order("trader", size, kind, market=market, trigger=trigger))
