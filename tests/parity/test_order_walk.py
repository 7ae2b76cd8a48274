"""The walk of the orders: thousands of random orders among trades, liquidations and falling prices."""

from __future__ import annotations

from collections import Counter

import pytest

from parity.order_steps import OrderWalk, diverges, replay, wander
from parity.seeds import WALK_STEPS, seeded
from parity.sides import Divergence, Outcome
from parity.walk import shrink
from perpkit.model import orders

# How the steps are shared out, of 10,000 when the walk of the market takes 22,000.
SHARES = {"thin": 3, "uninsured": 2, "thin, delayed": 3, "roomy": 1, "nine markets, delayed": 1}
STEPS = WALK_STEPS * 10 // 22
LEG = 1000

DONE = (
    "place place_many place_bracket trade_with_exits place_signed execute ratchet cancel cancel_all cancel_signed "
    "claim deliver_reports multicall"
)
REFUSED = {
    "place": ("InvalidExecutionFee InvalidOrder NotAuthorized NothingToReduce SizeOutOfRange UnknownMarket StalePrice"),
    "place_many": "InvalidExecutionFee InvalidOrder NotAuthorized NothingToReduce TooManyOrders",
    "place_bracket": "InvalidExecutionFee InvalidOrder NotAuthorized",
    "trade_with_exits": (
        "InvalidExecutionFee InvalidOrder NotAuthorized NothingToReduce OnlyOrders BelowInitialMargin StalePrice "
        "ZeroAmount"
    ),
    "place_signed": (
        "InvalidSignature WrongChain StaleEpoch NonceAlreadyUsed InvalidOrder NothingToReduce NotAuthorized"
    ),
    "execute": (
        "UnknownOrder OrderAlreadyExecuted OrderAlreadyCancelled OrderExpired OrderTooEarly ParentNotExecuted "
        "TriggerNotMet PositionGone PriceLimitCrossed StalePrice BelowInitialMargin NotAuthorized "
        "MarketActionPaused PoolReserveExceeded OpenInterestExceeded BelowMinNotional"
    ),
    "ratchet": "UnknownOrder InvalidOrder NothingToRatchet OrderExpired ParentNotExecuted",
    "cancel": "UnknownOrder OrderAlreadyExecuted OrderAlreadyCancelled NotAuthorized AlreadyExpiring",
    "cancel_all": "NotAuthorized",
    "cancel_signed": "NotAuthorized NonceAlreadyUsed",
    "claim": "NothingToClaim EtherRejected",
    "multicall": "TriggerNotMet",
}
SAID = (
    "OrderPlaced OrderExecuted OrderCancelled OrderExpiring OrderForfeited OrderRatcheted NonceUsed EpochEnded "
    "EtherCredited EtherClaimed"
)
KINDS = "MARKET LIMIT STOP TAKE_PROFIT TRAILING_STOP"
DEEP = ("clamped", "exit of an entry")


def important() -> list[Outcome]:
    """What a walk must have seen to be worth its name."""
    wanted = [(f"orders.{function}", "done") for function in DONE.split()]
    wanted += [(f"orders.{function}", error) for function, names in REFUSED.items() for error in names.split()]
    wanted += [("orders say", event) for event in SAID.split()]
    wanted += [(what, kind) for what in ("orders placed", "orders filled") for kind in KINDS.split()]
    return wanted + [("orders filled", deep) for deep in DEEP] + [("lens.orders_of", "done")]


def legs(steps: int) -> list[tuple[str, int, int]]:
    """The walks of a run: a situation, a number, and how many steps."""
    whole = sum(SHARES.values())
    found = []
    for situation, share in SHARES.items():
        left, number = -(-steps * share // whole), 0
        while left > 0:
            found.append((situation, number, min(left, LEG)))
            left, number = left - LEG, number + 1
    return found


def test_the_walk_of_the_orders() -> None:
    """Orders meet positions that were closed, liquidated and deleveraged, and both sides stay equal."""
    outcomes: Counter[Outcome] = Counter()
    for situation, number, length in legs(STEPS):
        outcomes += wander(situation, seeded("order walk", situation, number), length).outcomes
    rows = "\n".join(
        f"{count:7d}  {function:28s} {outcome}"
        for (function, outcome), count in sorted(outcomes.items())
        if "orders" in function
    )
    print(rows)
    if STEPS >= 10_000:
        missing = [outcome for outcome in important() if not outcomes[outcome]]
        assert not missing, f"the walk never saw {missing}"


# ------------------------------------------------------------------ the tool itself

OPENING = [
    ("deposit", "owner", 0, 5_000_000_000),
    ("place", "owner", (0, 0, 0, False, "open", 200, None, None, None, False, None), 100),
]


def test_a_list_of_steps_can_be_replayed() -> None:
    """The steps that a failing walk prints are a test by themselves."""
    walk = replay("thin", [*OPENING, ("execute", "keeper", 0)])
    assert walk.outcomes["orders.execute", "done"] == 1
    assert walk.open_orders() == []


def test_a_failing_walk_is_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many steps only those are left that are needed to see the difference."""
    monkeypatch.setattr(orders.Orders, "_is_expired", lambda self, order: order.expiry == 0)
    noise = [("time", 1), ("push_all", 3, -4), ("skim", "whale")]
    steps = [*noise * 3, OPENING[0], *noise * 3, OPENING[1], *noise]
    assert shrink("thin", steps, fails=diverges) == OPENING


@pytest.mark.parametrize("broken", ["fee", "order"])
def test_the_state_of_the_orders_is_read_in_full(broken: str) -> None:
    """A wei, or a field, that only one side has is a divergence."""
    walk: OrderWalk = replay("thin", OPENING)
    if broken == "fee":
        walk.model.world.ether[walk.orders.address] += 1
    else:
        walk.orders._update_order(1, expiry=1)
    with pytest.raises(Divergence):
        walk._compare_state()


def test_an_escrow_that_is_not_exact_is_found() -> None:
    """The law is asked after each step."""
    walk = replay("thin", OPENING)
    walk.orders._credits[walk.orders.address] = 1
    with pytest.raises(Divergence, match="escrow"):
        walk._check_laws()
