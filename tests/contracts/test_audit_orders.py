"""Audit cases 18 and 20 to 22 with orders: free options, orders that outlive their reason, keepers who are cheated.

A profit is what the attacker's accounts and wallets are worth afterwards. Prices come every twelve seconds; an attacker
knows the next one, and an honest keeper executes what is due as soon as it is published. What comes after that is as
likely to rise as to fall, so a strategy is worth the sum over both futures.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from expect import laws_hold, pays, refuses, worth
from hostile import become, rejects_ether
from roles import ETH, House, acc, address, closing, dollars, limit, order, stop, units

from perpkit.market_setup import MIN_EXECUTION_FEE as FEE
from perpkit.model.errors import (
    BelowInitialMargin,
    NotAuthorized,
    OrderAlreadyCancelled,
    PerpError,
    PositionGone,
    PriceLimitCrossed,
)
from perpkit.model.events import OrderForfeited
from perpkit.model.types import OrderKind, OrderRequest, OrderStatus

STEP = 12  # seconds between two prices, and the delay
QUANTUM = 10**30  # raw units of a quantum of six digits


def make_delayed(house: House) -> None:
    """ETH has a delay of one step and no funding; two accounts of two owners with 10,000 dollars each use orders."""
    house.set_params(ETH, min_delay=STEP, max_funding_rate=0)
    ready(house)


def ready(house: House) -> None:
    for name in ("trader", "counterparty"):
        house.deposit(name, dollars(10_000))
        house.use_orders(name)


def keep(house: House) -> None:
    """What an honest keeper does after each price: everything that can be done."""
    for name in ("trader", "counterparty"):
        for view in house.order_views(name):
            for act in (house.execute, house.ratchet):
                try:
                    act(view.id, by="keeper")
                except PerpError:
                    continue


def publish(house: House, price: int) -> None:
    """The next price comes, and the keeper with it."""
    house.wait(STEP, refresh=False)
    house.set_price(ETH, price)
    keep(house)


def profit(house: House, attack: Callable[[House], object]) -> int:
    """What the attack earns, in quanta; everything is as before afterwards."""
    with house.rolled_back() as copy:
        before = worth(copy, "trader", "counterparty")
        attack(copy)
        for name in ("trader", "counterparty"):
            assert copy.position(name, ETH).size == 0, "an attack ends when the money is there"
        return (worth(copy, "trader", "counterparty") - before) // QUANTUM


def expected(house: House, attack: Callable[[House, int], object], known: int = 4_040) -> int:
    """The sum over both futures of what comes after the price that is known."""
    return sum(profit(house, lambda copy, move=move: attack(copy, known + move)) for move in (-60, 60))


def leave(house: House, name: str = "trader") -> None:
    """Closes at the next price; the keeper is told by the one after that, at the same price."""
    size = house.position(name, ETH).size
    if size:
        house.place(closing(order(name, -size)))


def finish(house: House, price: int) -> None:
    for name in ("trader", "counterparty"):
        leave(house, name)
    publish(house, price)


# --- case 18: two prices


def test_case_18_without_a_delay_the_next_price_pays(house: House) -> None:
    """The reason for delays: 10 ETH ordered and executed at 4,000 by who knows 4,040, sold there. Fills 4,000.02 and
    4,040.0202, fees 20.0001 and 8.080041: 400.002 - 28.080141 = 371.921859, by orders as by trades."""
    ready(house)

    def attack(copy: House) -> None:
        copy.execute(copy.place(order("trader", units(10))), by="trader")
        copy.set_price(ETH, 4_040)
        copy.execute(copy.place(closing(order("trader", -units(10)))), by="trader")

    assert profit(house, attack) == 371_921_859


def test_case_18_with_a_delay_the_known_price_is_what_one_pays(house: House) -> None:
    """The same plan buys at 4,040, and its future is open: it loses the fees of both."""
    make_delayed(house)

    def attack(copy: House, future: int) -> None:
        copy.place(order("trader", units(10)))
        publish(copy, 4_040)
        finish(copy, future)

    assert expected(house, attack) < 0
    # And when nothing moves any more it is the fees to the last digit: bought at 4,040.0202 for 20.200101, sold at
    # 4,040.0202 for 8.080041.
    assert profit(house, lambda copy: attack(copy, 4_040)) == -20_200_101 - 8_080_041


# --- case 20: free options


def test_case_20_a_straddle_whose_losing_leg_is_cancelled(house: House) -> None:
    """A long and a short of two owners; the next price is known before it comes, and the leg that would lose by it is
    cancelled. It lives for another step, fills at that price all the same, and then nobody knows more."""
    make_delayed(house)

    def attack(copy: House, future: int) -> None:
        copy.place(order("trader", units(10)))
        short = copy.place(order("counterparty", -units(10)))
        copy.wait(1, refresh=False)
        copy.cancel(short, by="counterparty")
        publish(copy, 4_040)
        assert copy.order(short).status == OrderStatus.EXECUTED
        finish(copy, future)

    assert expected(house, attack) < 0


def test_case_20_a_straddle_whose_losing_leg_is_let_go_later(house: House) -> None:
    """Both legs are open; whoever knows the price after next closes one of them, at that very price."""
    make_delayed(house)

    def attack(copy: House, future: int) -> None:
        copy.place(order("trader", units(10)))
        copy.place(order("counterparty", -units(10)))
        publish(copy, 4_040)
        leave(copy, "counterparty" if future > 4_040 else "trader")
        publish(copy, future)
        finish(copy, future)

    assert expected(house, attack) < 0


@pytest.mark.parametrize("kind", [OrderKind.LIMIT, OrderKind.STOP, OrderKind.TAKE_PROFIT, OrderKind.TRAILING_STOP])
@pytest.mark.parametrize("size", [10, -10])
def test_case_20_no_kind_of_order_is_an_option(house: House, kind: OrderKind, size: int) -> None:
    """Every condition is about the price at which the order fills, so none knows more than that price."""
    make_delayed(house)
    trigger = 0 if kind == OrderKind.TRAILING_STOP else units(4_020)
    trail = units(20) if kind == OrderKind.TRAILING_STOP else 0

    def attack(copy: House, future: int) -> None:
        copy.place(order("trader", units(size), kind, trigger=trigger, trail=trail))
        publish(copy, 4_040)
        copy.cancel_all("trader")
        publish(copy, future)
        finish(copy, future)

    assert expected(house, attack) <= 0


def test_case_20_a_trailing_stop_does_not_choose_its_mark(house: House) -> None:
    """Held back from the ratchet or not: it sells at the mark of the price that touches it, and the future is open."""
    make_delayed(house)
    trailing = closing(order("trader", -units(10), OrderKind.TRAILING_STOP, trail=units(30)))

    def attack(copy: House, future: int) -> None:
        copy.place_bracket(order("trader", units(10)), trailing)
        publish(copy, 4_040)
        publish(copy, future)
        finish(copy, future)

    assert expected(house, attack) < 0


def test_case_20_executing_oneself_is_no_earlier(house: House) -> None:
    """The owner may execute when the keeper may, at the price that the keeper has."""
    make_delayed(house)
    id = house.place(order("trader", units(10)))
    with pytest.raises(PerpError, match="wait for the next one"):
        house.execute(id, by="trader")
    house.wait(STEP, refresh=False)
    house.set_price(ETH, 4_040)
    receipt = house.execute(id, by="trader")
    assert receipt.value.mark == units(4_040)


def asleep(house: House) -> int:
    """An order without margin, which waits for its owner to wake it."""
    house.withdraw("trader", dollars(10_000))
    return house.place(order("trader", units(10)))


def test_case_20_a_sleeping_order_does_not_outlive_its_first_price(house: House) -> None:
    """Ordered long ago and kept from filling, for want of margin or of approval, it would be old enough for any price
    when its owner knows the next one. But it ends at the first price that it is due at, and its fee is the keeper's."""
    make_delayed(house)
    id = asleep(house)
    with pays(house, {"keeper": FEE, "orders": -FEE}):
        publish(house, 4_000)
    house.deposit("trader", dollars(10_000))
    with refuses(house, OrderAlreadyCancelled(id)):
        house.execute(id, by="trader")
    second = house.place(order("trader", units(10)))
    house.do("set_operator", house.at("orders"), False, by="trader")
    publish(house, 4_000)
    assert house.order(second).status == OrderStatus.CANCELLED


def test_case_20_without_a_keeper_a_sleeping_order_pays(house: House) -> None:
    """What the least execution fee is for: where nobody executes, orders of both sides wait until their owner, who
    knows the next price, pays in margin and executes them. Then the delay protects nobody."""
    make_delayed(house)

    def attack(copy: House) -> None:
        buy = asleep(copy)
        sell = copy.place(order("trader", -units(10)))
        copy.wait(STEP)
        copy.deposit("trader", dollars(10_000))
        copy.execute(buy, by="trader")
        copy.wait(STEP, refresh=False)
        copy.set_price(ETH, 4_040)
        copy.execute(sell, by="trader")

    assert profit(house, attack) == 371_921_859


def test_case_20_margin_is_not_locked_for_who_knows_two_prices(house: House) -> None:
    """What a delay does not bound: who knows the price that fills and the one after it can withdraw his margin, for
    the fee of the order, and is filled only when he wins. Against him the fees must exceed the usual step."""
    make_delayed(house)

    def attack(copy: House, filled: int, after: int) -> None:
        copy.place(order("trader", units(10)))
        if after < filled:
            copy.withdraw("trader", dollars(10_000))
        publish(copy, filled)
        finish(copy, after)

    futures = [profit(house, lambda copy, after=after: attack(copy, 4_040, after)) for after in (3_980, 4_100)]
    assert futures[0] == 0
    assert futures[1] > 0
    small = [profit(house, lambda copy, after=after: attack(copy, 4_040, after)) for after in (4_038, 4_042)]
    assert sum(small) <= 0


def test_case_20_a_stop_tighter_than_the_fees_earns_nothing(house: House) -> None:
    """Above the mark from the start, it sells at the mark at once: the fees of both are lost."""
    ready(house)

    def attack(copy: House) -> None:
        copy.trade_with_exits("trader", units(10), stop("trader", -units(10), 4_100))
        copy.execute(1, by="trader")

    assert profit(house, attack) == -20_000_100 - 8_000_040


def test_case_20_an_exit_before_its_entry_keeps_no_price(house: House) -> None:
    """Placed when 4,100 was dear, filled when the market is elsewhere: at the mark of then, never at the trigger."""
    ready(house)
    house.place_bracket(limit("trader", units(10), 3_900), stop("trader", -units(10), 4_100))
    house.set_price(ETH, 3_899)
    house.execute(1)
    receipt = house.execute(2)
    assert receipt.value.mark == units(3_899)


# --- case 21: orphans


@pytest.mark.parametrize("exits", [1, 3])
def test_case_21_nothing_of_a_liquidated_positions_orders_remains(house: House, exits: int) -> None:
    """They fill nothing, hold no margin, and whoever clears them away gives the payer his ether back."""
    ready(house)
    house.deposit("trader/1", dollars(1_000))
    orders = [stop("trader/1", -units(10), 3_800 + n) for n in range(exits)]
    house.trade_with_exits("trader/1", units(10), *orders)
    opened = house.position("trader/1", ETH).opened
    house.set_price(ETH, 3_910)
    house.liquidate("trader/1", ETH)
    assert house.position("trader/1", ETH).size == 0
    house.deposit("trader/1", 1)
    house.set_price(ETH, 3_800)
    for id in range(1, exits + 1):
        with refuses(house, PositionGone(id, opened)):
            house.execute(id)
        with pays(house, {"trader": FEE, "orders": -FEE}):
            house.cancel(id, by="outsider")
    house.withdraw("trader/1", house.collateral("trader/1"))


# --- case 22: keepers and victims


def test_case_22_withdrawing_margin_costs_the_owner(house: House) -> None:
    """With a delay the keeper is paid for trying; without one the order stays where it was, and a keeper who asks
    first is told."""
    make_delayed(house)
    asleep(house)
    house.wait(STEP)
    with pays(house, {"keeper": FEE, "orders": -FEE}):
        assert isinstance(house.execute(1).events[0], OrderForfeited)
    house.delay(ETH, 0)
    id = house.place(order("trader", units(10)))
    house.refresh()
    # Bought at 4,000.02: a loss to the mark of 0.2 and a fee of 20.0001, of nothing.
    with refuses(house, BelowInitialMargin(acc("trader"), -20_200_100, 800_000_000)):
        house.execute(id)


def test_case_22_revoking_costs_the_owner(house: House) -> None:
    """The same with his approval."""
    make_delayed(house)
    house.place(order("trader", units(10)))
    house.do("set_operator", house.at("orders"), False, by="trader")
    house.wait(STEP)
    with pays(house, {"keeper": FEE, "orders": -FEE}):
        house.execute(1)
    house.delay(ETH, 0)
    with refuses(house, NotAuthorized(acc("trader"), house.at("orders"))):
        house.place(order("trader", units(10)))


def test_case_22_spam_earns_nothing(house: House) -> None:
    """Who places and executes his own orders has what he had; a full list of his holds nobody up."""
    ready(house)
    with pays(house, {"trader": 0, "orders": 0}):
        for _ in range(3):
            house.place_many(*[order("trader", units("0.1"))] * 16)
            for id in house.orders_of("trader"):
                house.execute(id, by="trader")
    house.place_many(*[order("trader", units(1_000))] * 16)
    house.execute(house.place(order("counterparty", units(1))))
    laws_hold(house)


def test_case_22_what_payers_do_costs_keepers_little(house: House) -> None:
    """Fifteen neighbours whose payer burns all gas that he is given: each costs the keeper 10,000 and a credit more,
    and the whole stays far from a block's gas."""
    ready(house)
    if house.sandbox.name == "model":
        pytest.skip("the model has no gas")
    house.do("set_operator", address("operator"), True, by="trader")
    house.place_many(*[limit("trader", units("0.1"), 4_001)] * 16, oco=True, by="operator")
    with house.rolled_back() as copy:
        plain = copy.execute(1).gas_used
    with become(house, address("operator"), bytes.fromhex("fe")):
        burnt = house.execute(1).gas_used
        assert house.sandbox.call("orders", "credit_of", address("operator")) == 15 * FEE
    assert plain is not None
    assert burnt is not None
    assert plain < burnt < plain + 15 * 30_000 < 1_200_000
    with rejects_ether(house, "operator"):
        assert house.orders_of("trader") == ()


def sandwich(front: int, victim: OrderRequest) -> Callable[[House], object]:
    """Buys before a keeper executes the victim's order, and sells after it."""

    def attack(copy: House) -> None:
        id = copy.place(victim, by="whale")
        copy.trade("trader", ETH, units(front))
        copy.execute(id)
        copy.close("trader", ETH)

    return attack


def test_case_22_a_sandwich_costs_more_than_an_order_moves(house: House) -> None:
    """100 ETH move the price by 1 basis point, the sandwich pays 7: 500 * 4,000 * 0.0001 = 200 against some 1,400."""
    ready(house)
    for name in ("trader", "whale"):
        house.deposit(name, dollars(200_000))
    house.use_orders("whale")
    assert profit(house, sandwich(500, order("whale", units(100)))) < -dollars(1_100)


def test_case_22_a_sandwich_of_a_huge_order_is_what_the_acceptable_price_is_for(house: House) -> None:
    """1,000 ETH move it by 10 basis points, which pays; with an acceptable price of its own premium, 4,002, the order
    does not fill after somebody else bought, and the sandwich has only its fees."""
    ready(house)
    for name in ("trader", "whale"):
        house.deposit(name, dollars(200_000))
    house.use_orders("whale")
    assert profit(house, sandwich(1_000, order("whale", units(1_000)))) > dollars(1_000)
    careful = house.place(order("whale", units(1_000), worst=units(4_002)))
    with house.rolled_back() as copy:
        copy.trade("trader", ETH, units(1_000))
        # 4,000 * (1 + (2 * 1,000 + 1,000) / 2,000,000).
        with refuses(copy, PriceLimitCrossed(units(4_006), units(4_002))):
            copy.execute(careful)
    house.execute(careful)


def test_case_22_nobody_sandwiches_in_a_market_with_a_delay(house: House) -> None:
    """Whoever buys first and whoever sells afterwards do so by orders, each a step away."""
    make_delayed(house)
    for name in ("trader", "whale"):
        house.deposit(name, dollars(200_000))
    house.use_orders("whale")
    house.place(order("whale", units(1_000)))
    house.wait(STEP)
    with pytest.raises(PerpError, match="order"):
        house.trade("trader", ETH, units(1_000))
