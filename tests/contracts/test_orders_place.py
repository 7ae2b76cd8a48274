"""Placing orders: what is refused, what is escrowed, and what is said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from expect import pays, refuses
from roles import ETH, SOL, House, acc, address, closing, dollars, limit, order, stop, take_profit, units

from perpkit.market_setup import MIN_EXECUTION_FEE as FEE
from perpkit.model.errors import (
    InvalidExecutionFee,
    InvalidOrder,
    NotAuthorized,
    NothingToReduce,
    SizeOutOfRange,
    StalePrice,
    TooManyOrders,
    UnknownMarket,
)
from perpkit.model.events import OrderPlaced
from perpkit.model.fixed_math import PRICE_MAX
from perpkit.model.types import Order, OrderKind, OrderRequest, OrderStatus

BUY = order("trader", units(1))
TRAILING = order("trader", -units(1), OrderKind.TRAILING_STOP, trail=units(100))


@pytest.fixture(autouse=True)
def _ready(house: House) -> None:
    """The trader has 1,000 dollars and lets the orders contract act."""
    house.deposit("trader", dollars(1_000))
    house.use_orders("trader")


# --- refusals


@pytest.mark.parametrize("fee", [0, FEE - 1, 2**64, 19 * 10**18])
def test_a_fee_that_is_too_low_or_too_high_is_refused(house: House, fee: int) -> None:
    """A keeper works for 0.0001 ether or more, and a fee fits 64 bits, which is 18.4 ether."""
    with refuses(house, InvalidExecutionFee(fee, 1, FEE)):
        house.place(BUY, fee=fee)


def test_the_highest_fee_is_taken(house: House) -> None:
    """2**64 - 1 wei, one less than what is refused."""
    with pays(house, {"trader": 1 - 2**64, "orders": 2**64 - 1}):
        house.place(BUY, fee=2**64 - 1)


def test_a_fee_that_cannot_be_divided_is_refused(house: House) -> None:
    """Three orders and 3 * FEE + 1 wei: one would be left over."""
    with refuses(house, InvalidExecutionFee(3 * FEE + 1, 3, FEE)):
        house.do("place_many", (BUY,) * 3, False, by="trader", label="orders", value=3 * FEE + 1)


def test_no_orders_are_refused(house: House) -> None:
    """Ether for nothing would be nobody's."""
    for value in (0, FEE):
        with refuses(house, InvalidExecutionFee(value, 0, FEE)):
            house.do("place_many", (), False, by="trader", label="orders", value=value)
        with refuses(house, InvalidExecutionFee(value, 0, FEE)):
            args = (acc("trader"), ETH, units(1), units(5_000), (), True)
            house.do("trade_with_exits", *args, by="trader", label="orders", value=value)


def test_a_multicall_carries_no_ether(house: House) -> None:
    """It is not payable, so one fee never counts twice."""
    actions = tuple(house.sandbox.action("orders", "place", BUY) for _ in range(2))
    with refuses(house, InvalidExecutionFee(0, 1, FEE)):
        house.do("multicall", actions, by="trader", label="orders")


@pytest.mark.parametrize(
    ("field", "request_"),
    [
        ("size", replace(BUY, size=0)),
        ("trigger", replace(BUY, trigger=1)),
        ("trigger", replace(TRAILING, trigger=1)),
        ("trigger", limit("trader", units(1), 0)),
        ("trigger", replace(limit("trader", units(1), 1), trigger=PRICE_MAX + 1)),
        ("trigger", order("trader", units(1), OrderKind.STOP)),
        ("trigger", order("trader", units(1), OrderKind.TAKE_PROFIT)),
        ("acceptablePrice", replace(BUY, acceptable_price=PRICE_MAX + 1)),
        ("acceptablePrice", replace(limit("trader", units(1), 4_000), acceptable_price=units(4_000))),
        ("trail", replace(BUY, trail=1)),
        ("trail", replace(BUY, trail_is_ratio=True)),
        ("trail", replace(TRAILING, trail=0)),
        ("trail", replace(TRAILING, trail=PRICE_MAX + 1)),
        ("trail", replace(TRAILING, trail=units(1), trail_is_ratio=True)),
    ],
)
def test_a_field_that_makes_no_sense_is_refused(house: House, field: str, request_: OrderRequest) -> None:
    """By its name, as Solidity spells it."""
    with refuses(house, InvalidOrder(field)):
        house.place(request_)


@pytest.mark.parametrize(
    "request_",
    [
        replace(BUY, acceptable_price=PRICE_MAX),
        replace(limit("trader", -units(1), 1), trigger=PRICE_MAX),
        replace(TRAILING, trail=PRICE_MAX),
        replace(TRAILING, trail=units(1) - 1, trail_is_ratio=True),
    ],
)
def test_the_edge_of_a_field_is_taken(house: House, request_: OrderRequest) -> None:
    """One more is refused above."""
    house.place(request_)


def test_an_expiry_in_the_past_is_refused(house: House) -> None:
    """The present second is the last that makes sense."""
    now = house.sandbox.timestamp
    with refuses(house, InvalidOrder("expiry")):
        house.place(replace(BUY, expiry=now - 1))
    house.place(replace(BUY, expiry=now))


@pytest.mark.parametrize("size", [2**96, -(2**96)])
def test_a_size_out_of_range_is_refused(house: House, size: int) -> None:
    """At placement already."""
    with refuses(house, SizeOutOfRange(size)):
        house.place(replace(BUY, size=size))


def test_an_unknown_market_is_refused(house: House) -> None:
    with refuses(house, UnknownMarket(3)):
        house.place(replace(BUY, market=3))


def test_the_orders_contract_must_be_an_operator(house: House) -> None:
    """The counterparty has not approved it, and the order would never fill."""
    with refuses(house, NotAuthorized(acc("counterparty"), house.at("orders"))):
        house.place(order("counterparty", units(1)))


@pytest.mark.parametrize("by", ["outsider", "operator", "governor", "keeper"])
def test_nobody_places_for_a_foreign_account(house: House, by: str) -> None:
    """Alone, among several, in a bracket or with exits."""
    refusal = NotAuthorized(acc("trader"), address(by))
    with refuses(house, refusal):
        house.place(BUY, by=by)
    house.use_orders(by)
    with refuses(house, refusal):
        house.place_many(order(by, units(1)), BUY, by=by)
    with refuses(house, refusal):
        house.place_bracket(BUY, stop("trader", -units(1), 3_900), by=by)
    with refuses(house, refusal):
        house.trade_with_exits("trader", units(1), stop("trader", -units(1), 3_900), by=by)


def test_a_foreign_exit_is_refused(house: House) -> None:
    """Whoever may place the entry may not slip in an exit of another account."""
    house.use_orders("counterparty")
    with refuses(house, InvalidOrder("account")):
        house.place_bracket(BUY, stop("counterparty", -units(1), 3_900))


def test_reduce_only_on_a_flat_account_is_refused(house: House) -> None:
    with refuses(house, NothingToReduce(acc("trader"), ETH)):
        house.place(stop("trader", -units(1), 3_900))


def test_reduce_only_on_the_wrong_side_is_refused(house: House) -> None:
    """Who is long has nothing that a purchase would make smaller."""
    house.trade("trader", ETH, units(1))
    with refuses(house, NothingToReduce(acc("trader"), ETH)):
        house.place(take_profit("trader", units(1), 3_900))
    with refuses(house, NothingToReduce(acc("trader"), SOL)):
        house.place(closing(order("trader", -units(1), market=SOL)))


def test_a_seventeenth_order_is_refused(house: House) -> None:
    """Sixteen are open at once; each account has its own sixteen."""
    house.place_many(*[BUY] * 15)
    with refuses(house, TooManyOrders(acc("trader"))):
        house.place_many(BUY, BUY)
    house.place(BUY)
    with refuses(house, TooManyOrders(acc("trader"))):
        house.place(BUY)
    house.place(order("trader/1", units(1)))
    house.cancel(7)
    assert house.place(BUY) == 18
    assert house.orders_of("trader") == (1, 2, 3, 4, 5, 6, 18, 8, 9, 10, 11, 12, 13, 14, 15, 16)


def test_a_trailing_stop_needs_a_price(house: House) -> None:
    """Its first trigger hangs on it; other orders are placed without one."""
    house.wait(3_601, refresh=False)
    with refuses(house, StalePrice(ETH, 0, 2)):
        house.place(TRAILING)
    house.place(BUY)


# --- what is done


def test_an_order_is_said_and_kept(house: House) -> None:
    """Every field, and the fee."""
    now = house.sandbox.timestamp
    request = limit("trader", units(2), 3_900)
    with pays(house, {"trader": -3 * FEE, "orders": 3 * FEE}):
        receipt = house.do("place", replace(request, expiry=now + 60), by="trader", label="orders", value=3 * FEE)
    kept = Order(
        account=acc("trader"),
        size=units(2),
        trigger=units(3_900),
        opened=0,
        acceptable_price=0,
        trail=0,
        fee=3 * FEE,
        placed_at=now,
        expiry=now + 60,
        market=ETH,
        kind=OrderKind.LIMIT,
        status=OrderStatus.OPEN,
        reduce_only=False,
        trail_is_ratio=False,
        parent=0,
        group=0,
    )
    assert receipt.events == (OrderPlaced(1, acc("trader"), address("trader"), kept),)
    assert house.order(1) == kept
    assert house.orders_of("trader") == (1,)


def test_a_reduce_only_order_knows_its_position(house: House) -> None:
    """The number with which it was opened."""
    house.trade("trader", ETH, units(1))
    id = house.place(stop("trader", -units(1), 3_900))
    assert house.order(id).opened == house.position("trader", ETH).opened > 0


def test_an_operator_places_and_pays(house: House) -> None:
    """The ether is the operator's, and so is the refund."""
    house.do("set_operator", address("operator"), True, by="trader")
    with pays(house, {"operator": -FEE, "orders": FEE}):
        id = house.place(BUY, by="operator")
    assert house.sandbox.call("orders", "payer_of", id) == address("operator")
    with pays(house, {"operator": FEE, "orders": -FEE}):
        house.cancel(id, by="trader")


def test_placing_moves_no_money_and_needs_no_margin(house: House) -> None:
    """An order only proposes a trade: whether margin is there is asked when it fills."""
    before = house.collateral("trader")
    house.place(order("trader", units(1_000)))
    assert house.collateral("trader") == before


def test_a_ladder_divides_its_ether(house: House) -> None:
    """Four rungs, four fees, ids in a row."""
    rungs = [limit("trader", units("0.1"), price) for price in (3_990, 3_980, 3_970, 3_960)]
    with pays(house, {"trader": -4 * FEE, "orders": 4 * FEE}):
        receipt = house.place_many(*rungs)
    assert receipt.value == 1
    assert [event.id for event in receipt.events if isinstance(event, OrderPlaced)] == [1, 2, 3, 4]
    assert [house.order(id).trigger for id in (1, 2, 3, 4)] == [units(p) for p in (3_990, 3_980, 3_970, 3_960)]
    assert all(house.order(id).fee == FEE and house.order(id).group == 0 for id in (1, 2, 3, 4))


def test_a_ladder_is_climbed_rung_by_rung(house: House) -> None:
    """At 3,975 two rungs fill; the others stay."""
    house.make_free(ETH)
    house.place_many(*[limit("trader", units("0.1"), price) for price in (3_990, 3_980, 3_970, 3_960)])
    house.set_price(ETH, 3_975)
    for id in (1, 2):
        house.execute(id)
    assert house.position("trader", ETH).size == units("0.2")
    assert house.orders_of("trader") == (3, 4)
