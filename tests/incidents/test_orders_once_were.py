"""What orders once allowed: each case in as few actions as it takes, on bytecode and model."""

from __future__ import annotations

from parity.order_steps import DELAY, replay

BUY = (0, 0, 0, False, "open", 200, None, None, None, False, None)
CLOSE = (0, 0, 0, True, "open", -200, None, None, None, False, None)
MONEY = ("deposit", "owner", 0, 5_000_000_000)


def test_exits_that_reduce_nothing_once_never_died() -> None:
    """An entry that only closed a short left exits that could never fill, which nobody but their owner could clear
    away, and which counted among his sixteen. Now they are dead, and anyone gives the payer his ether back."""
    walk = replay(
        "thin",
        [
            MONEY,
            ("place", "owner", (0, 0, 0, False, "size", -(10**18), None, None, None, False, None), 100),
            ("execute", "keeper", 0),
            (
                "place_bracket",
                "owner",
                (*BUY[:4], "size", 10**18, *BUY[6:]),
                ((*CLOSE[:4], "size", -(10**18), *CLOSE[6:]),),
                True,
                100,
            ),
            ("execute", "keeper", 0),
            ("execute", "keeper", 0),
            ("cancel", "outsider", 0),
        ],
    )
    assert walk.house.position_of(walk.account(0), 0).size == 0
    assert walk.outcomes["orders.execute", "NothingToReduce"] == 1
    assert walk.outcomes["orders.cancel", "done"] == 1
    assert walk.open_orders() == []


def test_orders_once_slept_until_their_owner_knew_the_next_price() -> None:
    """Placed long ago and kept from filling for want of margin, an order of a market with a delay was old enough for
    any price: its owner added margin and executed it when he knew the next one. Now the first keeper ends it."""
    walk = replay(
        "thin, delayed",
        [
            ("place", "owner", (0, 0, 0, False, "size", 10**18, None, None, None, False, None), 100),
            ("time", DELAY),
            ("push_all",),
            ("execute", "keeper", 0),
            MONEY,
            ("execute", "trader", -1),
        ],
    )
    assert walk.outcomes["orders say", "OrderForfeited"] == 1
    assert walk.outcomes["orders.execute", "OrderAlreadyCancelled"] == 1
    assert walk.house.position_of(walk.account(0), 0).size == 0


def test_an_approval_once_put_orders_to_sleep() -> None:
    """The same with the approval of the orders contract, which its owner took away and gave back."""
    walk = replay(
        "thin, delayed",
        [
            MONEY,
            ("place", "owner", BUY, 100),
            ("approve_orders", "trader", False),
            ("time", DELAY),
            ("push_all",),
            ("execute", "keeper", 0),
            ("approve_orders", "trader", True),
            ("execute", "trader", -1),
        ],
    )
    assert walk.outcomes["orders say", "OrderForfeited"] == 1
    assert walk.outcomes["orders say", "OrderExecuted"] == 0
