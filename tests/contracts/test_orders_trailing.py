"""Trailing stops: they follow the mark, and never loosen."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from expect import refuses
from roles import ETH, House, acc, closing, dollars, order, units

from perpkit.model.errors import (
    InvalidOrder,
    NothingToRatchet,
    OrderAlreadyExecuted,
    OrderExpired,
    ParentNotExecuted,
    StalePrice,
    TriggerNotMet,
)
from perpkit.model.events import OrderRatcheted
from perpkit.model.types import OrderKind, OrderRequest


@pytest.fixture(autouse=True)
def _ready(house: House) -> None:
    """Nothing costs anything; the trader has 1,000 dollars and lets the orders contract act."""
    house.make_free(ETH)
    house.deposit("trader", dollars(1_000))
    house.use_orders("trader")


def trailing(size: int, trail: int | str, *, ratio: bool = False, expiry: int = 0) -> OrderRequest:
    return closing(
        order("trader", size, OrderKind.TRAILING_STOP, trail=units(trail), ratio=ratio, expiry=expiry),
    )


def opened(house: House, size: int, trail: int | str, *, ratio: bool = False) -> int:
    """A position and the stop that trails behind it; the stop's id."""
    house.trade("trader", ETH, size)
    return house.place(trailing(-size, trail, ratio=ratio))


# --- refusals


def test_only_a_trailing_stop_ratchets(house: House) -> None:
    id = house.place(order("trader", units(1)))
    with refuses(house, InvalidOrder("kind")):
        house.ratchet(id)


def test_a_ratchet_that_moves_nothing_is_refused(house: House) -> None:
    """At the same mark, and at a worse one: a trailing stop never loosens."""
    id = opened(house, units(1), 100)
    with refuses(house, NothingToRatchet(id, units(4_000), units(3_900))):
        house.ratchet(id)
    house.set_price(ETH, 3_950)
    with refuses(house, NothingToRatchet(id, units(3_950), units(3_900))):
        house.ratchet(id)


def test_an_executed_or_expired_stop_does_not_ratchet(house: House) -> None:
    first = opened(house, units(1), 100)
    now = house.sandbox.timestamp
    second = house.place(trailing(-units(1), 100, expiry=now + 10))
    house.wait(10)
    house.set_price(ETH, 4_010)
    house.ratchet(second)
    house.wait(1)
    with refuses(house, OrderExpired(second, now + 10)):
        house.ratchet(second)
    house.set_price(ETH, 3_900)
    house.execute(first)
    with refuses(house, OrderAlreadyExecuted(first)):
        house.ratchet(first)


def test_a_stale_price_moves_no_stop(house: House) -> None:
    id = opened(house, units(1), 100)
    house.wait(3_601, refresh=False)
    with refuses(house, StalePrice(ETH, 0, 2)):
        house.ratchet(id)


# --- following


@pytest.mark.parametrize(
    ("size", "trail", "ratio", "start", "walk"),
    [
        # 100 dollars below the highest mark that anybody ratcheted at.
        (1, "100", False, "3900", [("4100", "4000"), ("4050", None), ("4100.01", "4000.01"), ("4500", "4400")]),
        # 2.5 % below: 4,000 * 0.975 = 3,900, 4,100 * 0.975 = 3,997.5.
        (1, "0.025", True, "3900", [("4100", "3997.5"), ("4000", None), ("4200", "4095")]),
        # Above the lowest one, for who is short.
        (-1, "100", False, "4100", [("3900", "4000"), ("3950", None), ("3899.99", "3999.99"), ("3500", "3600")]),
        (-1, "0.025", True, "4100", [("3900", "3997.5"), ("4000", None), ("3800", "3895")]),
    ],
    ids=["long, distance", "long, ratio", "short, distance", "short, ratio"],
)
def test_a_stop_follows_and_never_loosens(
    house: House, size: int, trail: str, ratio: bool, start: str, walk: Sequence[tuple[str, str | None]]
) -> None:
    """It moves with the mark in the position's favour, and stays otherwise."""
    id = opened(house, units(size), trail, ratio=ratio)
    assert house.order(id).trigger == units(start)
    for price, moved in walk:
        house.set_price(ETH, price)
        before = house.order(id).trigger
        if moved is None:
            with refuses(house, NothingToRatchet(id, units(price), before)):
                house.ratchet(id)
            assert house.order(id).trigger == before
        else:
            receipt = house.ratchet(id, by="outsider")
            assert receipt.events == (OrderRatcheted(id, acc("trader"), units(price), units(moved)),)
            assert house.order(id).trigger == units(moved)


def test_a_stop_fires_at_its_last_trigger(house: House) -> None:
    """Up to 4,500, back to 4,400: sold there, though the stop began at 3,900."""
    id = opened(house, units(1), 100)
    house.set_price(ETH, 4_500)
    house.ratchet(id)
    house.set_price(ETH, "4400.01")
    with refuses(house, TriggerNotMet(id, units("4400.01"), units(4_400))):
        house.execute(id)
    house.set_price(ETH, 4_400)
    house.execute(id)
    assert house.position("trader", ETH).size == 0


def test_a_stop_that_nobody_ratchets_stays(house: House) -> None:
    """4,500 was seen by nobody; at 3,901 the stop of 3,900 still waits."""
    id = opened(house, units(1), 100)
    house.set_price(ETH, 4_500)
    house.set_price(ETH, 3_901)
    with refuses(house, TriggerNotMet(id, units(3_901), units(3_900))):
        house.execute(id)


@pytest.mark.parametrize(("size", "price"), [(1, "0.00000001"), (-1, "0.00000001")])
def test_a_trigger_stays_a_price(house: House, size: int, price: str) -> None:
    """A trail of more than the price: the stop of a long lies at the least price, and is never below it."""
    id = opened(house, units(size), 5_000)
    assert house.order(id).trigger == (1 if size > 0 else units(9_000))


def test_a_ratio_rounds_away_from_the_mark(house: House) -> None:
    """A third of 4,000.00000001: down to 2,666.66... for a long, up to 5,333.33... for a short."""
    house.set_price(ETH, "4000.00000001")
    third = 10**18 // 3
    house.trade("trader", ETH, units(1))
    long = house.place(closing(order("trader", -units(1), OrderKind.TRAILING_STOP, trail=third, ratio=True)))
    house.trade("trader", ETH, -units(2))
    short = house.place(closing(order("trader", units(1), OrderKind.TRAILING_STOP, trail=third, ratio=True)))
    mark = 4_000_00000001 * 10**10
    assert house.order(long).trigger == mark * (10**18 - third) // 10**18
    assert house.order(short).trigger == -(-mark * (10**18 + third) // 10**18)
    assert mark * (10**18 + third) % 10**18 != 0


def test_a_stop_may_open(house: House) -> None:
    """Not reduce-only: a purchase 100 above the lowest mark."""
    id = house.place(order("trader", units(1), OrderKind.TRAILING_STOP, trail=units(100)))
    house.set_price(ETH, 3_800)
    house.ratchet(id)
    house.set_price(ETH, 3_900)
    house.execute(id)
    assert house.position("trader", ETH).size == units(1)


# --- as an exit


def test_an_exit_waits_for_its_entry_and_then_for_a_ratchet(house: House) -> None:
    """Its trigger is zero until the entry has filled and somebody has ratcheted: the mark of before is nobody's."""
    entry = house.place_bracket(order("trader", units(1)), trailing(-units(1), 100)).value
    exit = entry + 1
    assert house.order(exit).trigger == 0
    with refuses(house, ParentNotExecuted(exit, entry)):
        house.ratchet(exit)
    with refuses(house, ParentNotExecuted(exit, entry)):
        house.execute(exit)
    house.execute(entry)
    with refuses(house, TriggerNotMet(exit, units(4_000), 0)):
        house.execute(exit)
    house.set_price(ETH, 4_200)
    house.ratchet(exit)
    assert house.order(exit).trigger == units(4_100)
    house.set_price(ETH, 4_100)
    house.execute(exit)
    assert house.position("trader", ETH).size == 0
