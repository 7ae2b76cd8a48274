"""One check of the orders left out, one comparison off by equality: a tour of all checks finds each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from parity.order_steps import OrderCall, OrderSignature, OrderWalk
from parity.walk import ACCOUNTS, Call, Divergence
from perpkit import local
from perpkit.market_setup import DOLLAR, MIN_EXECUTION_FEE, ROLES, UNIT
from perpkit.model import orders, perp_lens
from perpkit.model.fixed_math import PRICE_MAX
from perpkit.model.types import Address, OrderKind, OrderRequest, SignedOrder
from perpkit.revm import CHAIN_ID

FEE = MIN_EXECUTION_FEE
TRADER, KEEPER, OUTSIDER, OPERATOR = (ROLES[role] for role in ("trader", "keeper", "outsider", "operator"))
FIRST, SECOND = ACCOUNTS[0], ACCOUNTS[1]
ETH, BTC = 0, 1
ONE = UNIT // 10  # of a thin market
SOURCE = Path(orders.__file__).read_text(encoding="utf-8")

# Name, what the model says, what the mutant says instead.
MUTANTS = (
    # fees
    ("the least fee is too low", "fee < self.min_execution_fee", "fee <= self.min_execution_fee"),
    ("a fee may have a remainder", "exact = fee * count == value and fee", "exact = fee"),
    ("the highest fee is too high", "fee <= UINT64_MAX", "fee < UINT64_MAX"),
    # who
    (
        "anyone places",
        "        fee = self._fee_of(1, value)\n        self._authorize(request.account, sender)\n",
        "        fee = self._fee_of(1, value)\n",
    ),
    ("anyone places several", "            self._authorize(request.account, sender)\n", ""),
    ("anyone places brackets", "        self._authorize(entry.account, sender)\n", ""),
    (
        "operators do not count",
        "if sender != owner and not self.clearinghouse.is_operator(owner, sender):",
        "if sender != owner:",
    ),
    ("no approval is needed", "if not self.clearinghouse.is_operator(owner, self.address):", "if False:"),
    ("the owner is always the payer", "if payer != owner:", "if False:"),
    # signatures
    ("any chain", "if order.chain_id != CHAIN_ID:", "if False:"),
    ("an epoch to come", "order.epoch != self._epochs[account]", "order.epoch < self._epochs[account]"),
    (
        "a nonce counts again",
        "        self._nonces[account, order.nonce] = True\n        id",
        "        id",
    ),
    ("a nonce is withdrawn again", "        if self._nonces[account, nonce]:\n", "        if False:\n"),
    (
        "anyone withdraws a nonce",
        "        self._authorize(account, sender)\n        if self._nonces",
        "        if self._nonces",
    ),
    ("any key", 'if signature != Signature(owner, ("SignedOrder", order)):', "if False:"),
    # fields
    ("an expiry of now is past", "request.expiry < self.world.timestamp", "request.expiry <= self.world.timestamp"),
    ("the highest trigger is too high", "request.trigger > PRICE_MAX", "request.trigger >= PRICE_MAX"),
    (
        "the highest acceptable price is too high",
        "request.acceptable_price > PRICE_MAX",
        "request.acceptable_price >= PRICE_MAX",
    ),
    ("a trail of 100 per cent", "UNIT - 1 if request.trail_is_ratio", "UNIT if request.trail_is_ratio"),
    ("a limit with an acceptable price", "request.kind == OrderKind.LIMIT and request.acceptable_price != 0", "False"),
    ("a ratio of no trail", "request.trail != 0 or request.trail_is_ratio", "request.trail != 0"),
    ("any size", "        to_size(request.size)\n", ""),
    ("no market", "if self.clearinghouse.symbol_of(request.market) == bytes(32):", "if False:"),
    ("an exit of another account", "if request.account != account:", "if False:"),
    ("an exit elsewhere", "if request.market != market:", "if False:"),
    ("an exit that opens", "if not request.reduce_only:", "if False:"),
    ("an exit of the same side", "if (request.size > 0) == (delta > 0):", "if False:"),
    ("fifteen orders", "MAX_ORDERS = 16", "MAX_ORDERS = 15"),
    # what is kept
    ("an order belongs to no position", "opened=self._position_to_reduce(order).opened", "opened=0"),
    ("a stop starts at nothing", "trigger=self._trailing_trigger(order, mark))", "trigger=0)"),
    ("a bracket's group", "first + 1 if one_cancels_other", "first if one_cancels_other"),
    # executing
    ("the last second is too late", "self.world.timestamp > order.expiry", "self.world.timestamp >= order.expiry"),
    ("a price of the very second is too old", "if updated_at < not_before:", "if updated_at <= not_before:"),
    ("a second early", "if updated_at < not_before:", "if updated_at + 1 < not_before:"),
    ("no delay", " + self.clearinghouse.params_of(order.market).min_delay\n", "\n"),
    ("any mark", "if not self._is_triggered(order, mark):", "if False:"),
    (
        "a trailing stop is no stop",
        "stop = order.kind in (OrderKind.STOP, OrderKind.TRAILING_STOP)",
        "stop = order.kind == OrderKind.STOP",
    ),
    ("an exit before its entry", "raise ParentNotExecuted(id, order.parent)", "return"),
    (
        "another position",
        "        if self.clearinghouse.position_of(order.account, order.market).opened != opened:\n"
        "            raise PositionGone(id, opened)\n",
        "",
    ),
    ("more than there is", "return clamp(order.size, -held, held)", "return order.size"),
    ("a limit takes any price", "        if order.kind == OrderKind.LIMIT:\n            return order.trigger\n", ""),
    (
        "any price is acceptable",
        "        if order.acceptable_price != 0:\n            return order.acceptable_price\n",
        "",
    ),
    ("an order fills twice", "        self._update_order(id, status=OrderStatus.EXECUTED)\n", ""),
    ("an executed order stays listed", "        self._remove_open(order.account, id)\n        limit", "        limit"),
    ("an entry makes no position", "        self._update_order(id, opened=opened)\n", ""),
    ("neighbours stay", "        self._cancel_group(id, order.group, sender)\n", ""),
    (
        "the keeper works for nothing",
        "        self._pay_out(sender, order.fee)\n        return result",
        "        return result",
    ),
    # forfeiting
    ("orders sleep", "if not_before == order.placed_at or not self._is_owners_doing(refusal):", "if True:"),
    ("all are forfeit", "if not_before == order.placed_at or not", "if not"),
    (
        "whatever fails is forfeit",
        "not_before == order.placed_at or not self._is_owners_doing(refusal)",
        "not_before == order.placed_at",
    ),
    (
        "exits outlive a forfeit entry",
        "        self._cancel_exits(id, sender)\n        self._pay_out",
        "        self._pay_out",
    ),
    # ratcheting
    ("a ratchet that moves nothing", "trigger >= previous if order.size > 0", "trigger > previous if order.size > 0"),
    ("a stop of a long loosens", "else trigger <= previous)", "else False)"),
    ("any kind ratchets", "if order.kind != OrderKind.TRAILING_STOP:", "if False:"),
    ("a trigger below nothing", ", 1, PRICE_MAX)", ", -PRICE_MAX, PRICE_MAX)"),
    # cancelling
    (
        "anyone cancels",
        "        self._authorize(order.account, sender)\n        if not self._end",
        "        if not self._end",
    ),
    (
        "anyone cancels all",
        "        self._authorize(account, sender)\n\n        # APPLY\n        epoch",
        "        # APPLY\n        epoch",
    ),
    ("an epoch never ends", "        self._epochs[account] = epoch\n", ""),
    ("a second cancelling prolongs", "order.expiry <= expiry", "order.expiry < expiry"),
    (
        "a delay is no delay",
        "        if min_delay == 0:\n            self._cancel",
        "        if True:\n            self._cancel",
    ),
    ("exits outlive their entry", "        self._cancel_exits(id, sender)\n\n    def", "\n    def"),
    ("a cancelled exit again", "            if child.status == OrderStatus.OPEN:\n", "            if True:\n"),
    ("nothing is credited", "            self._credits[payer] += order.fee\n", ""),
    ("a credit is claimed again", "        self._credits[to] = 0\n", ""),
    # dead orders
    (
        "an exit survives its entry's end",
        "                return self._is_dead(parent)\n",
        "                return False\n",
    ),
    ("an exit that reduces nothing lives", " or not self._reduces(order, position)\n", "\n"),
    ("an order survives its position", "return position.opened != self._opened_of(order) or", "return"),
    ("an expired order lives", "        if self._is_expired(order):\n            return True\n", ""),
    (
        "exits through the back door",
        "        if min_delay != 0:\n            raise OnlyOrders(market, min_delay)\n",
        "",
    ),
)


# ------------------------------------------------------------------ the tour


class Tour:
    """All checks, one after the other, on bytecode and model."""

    def __init__(self, *, delayed: bool) -> None:
        self.walk = OrderWalk("thin", delayed=delayed)

    def ask(self, function: str, *args: Any, by: Address = TRADER, value: int = 0) -> None:
        self.walk._compare(OrderCall("orders", function, args, by, value=value))
        self.check()

    def check(self) -> None:
        self.walk._compare_state()
        self.walk._check_laws()

    def place(self, request: OrderRequest, *, by: Address = TRADER, value: int = FEE) -> int:
        self.ask("place", request, by=by, value=value)
        return self.walk.orders.order_count

    def sign(self, order: SignedOrder, signer: Address = TRADER, chain_id: int = CHAIN_ID) -> None:
        self.ask("place_signed", order, OrderSignature(signer, order, chain_id), by=OUTSIDER, value=FEE)

    def act(self, function: str, *args: Any, by: Address = TRADER) -> None:
        self.walk._compare(Call("clearinghouse", function, args, by))

    def trade(self, size: int) -> None:
        self.act("trade", FIRST, ETH, size, 2**255 - 1 if size > 0 else 0)

    def flat(self) -> None:
        """Closes what there is."""
        size = self.walk.house.position_of(FIRST, ETH).size
        if size:
            self.trade(-size)

    def wait(self, seconds: int) -> None:
        self.walk.do(("time", seconds))

    def price(self, basis_points: int) -> None:
        """Of the first price, in all markets."""
        for market, spec in enumerate(self.walk.specs):
            answer = spec.price // 10**10 * (10_000 + basis_points) // 10_000
            self.walk._compare(self.walk._push(market, answer, 511))
        self.check()

    def tried(self, id: int) -> None:
        """Looked at, executed, ratcheted and cancelled by anyone."""
        self.walk._compare(Call("lens", "orders_of", (FIRST,), reads=True))
        before = self.walk.orders.order_of(id).status
        for function in ("execute", "ratchet", "cancel"):
            self.ask(function, id, by=KEEPER)
            if self.walk.orders.order_of(id).status != before:
                return


def order(size: int, kind: OrderKind = OrderKind.MARKET, **fields: Any) -> OrderRequest:
    return replace(OrderRequest(FIRST, ETH, kind, False, size, 0, 0, 0, False, 0), **fields)


def closing(size: int, kind: OrderKind = OrderKind.MARKET, **fields: Any) -> OrderRequest:
    return order(size, kind, reduce_only=True, **fields)


def visit_placing(tour: Tour) -> None:
    """Fees, authority, every field from both sides of its bound, and the sixteen places."""
    buy, trail = order(ONE), order(ONE, OrderKind.TRAILING_STOP, trail=UNIT)
    limit = order(ONE, OrderKind.LIMIT, trigger=3_000 * UNIT)
    now = tour.walk.revm.timestamp
    for value in (FEE - 1, FEE, 2**64 - 1, 2**64):
        tour.place(buy, value=value)
    for requests, value in (((buy, limit), 2 * FEE), ((buy, limit), 2 * FEE + 1), ((), 0)):
        tour.ask("place_many", requests, False, value=value)
    tour.ask("cancel_all", FIRST)
    for request in (
        replace(buy, size=0),
        replace(buy, size=2**96),
        replace(buy, market=77),
        replace(buy, trigger=1),
        replace(limit, trigger=0),
        replace(limit, trigger=PRICE_MAX),
        replace(limit, trigger=PRICE_MAX + 1),
        replace(limit, acceptable_price=1),
        replace(buy, acceptable_price=PRICE_MAX),
        replace(buy, acceptable_price=PRICE_MAX + 1),
        replace(buy, trail=1),
        replace(buy, trail_is_ratio=True),
        replace(trail, trail=0),
        replace(trail, trail=UNIT - 1, trail_is_ratio=True),
        replace(trail, trail=UNIT, trail_is_ratio=True),
        replace(trail, size=-ONE, trail=PRICE_MAX),
        replace(trail, trail=PRICE_MAX + 1),
        replace(buy, expiry=now - 1),
        replace(buy, expiry=now),
        closing(ONE),
    ):
        tour.place(request)
    for by in (OUTSIDER, OPERATOR):
        if by == OPERATOR:
            tour.act("set_operator", OPERATOR, True)
        tour.place(buy, by=by)
        tour.ask("place_many", (buy, buy), True, by=by, value=2 * FEE)
        tour.ask("place_bracket", buy, (closing(-ONE),), True, by=by, value=2 * FEE)
        tour.ask("trade_with_exits", FIRST, ETH, ONE, 2**255 - 1, (closing(-ONE),), True, by=by, value=FEE)
    for exit in (
        closing(-ONE, account=SECOND),
        closing(-ONE, market=BTC),
        order(-ONE),
        closing(ONE),
    ):
        tour.ask("place_bracket", buy, (exit,), True, value=2 * FEE)
    tour.ask("cancel_all", FIRST)
    for _ in range(17):
        tour.place(buy)
    tour.act("set_operator", tour.walk.orders.address, False)
    tour.place(order(ONE, account=SECOND))
    tour.act("set_operator", tour.walk.orders.address, True)


def visit_signing(tour: Tour) -> None:
    """Chain, domain, epoch, nonce and key."""
    tour.ask("cancel_all", FIRST)
    epoch = tour.walk.orders.epoch_of(FIRST)
    good = SignedOrder(order(ONE), 1, epoch, CHAIN_ID)
    for signed in (replace(good, chain_id=1), replace(good, epoch=epoch - 1), replace(good, epoch=epoch + 1)):
        tour.sign(signed)
    tour.sign(good, signer=OPERATOR)
    tour.sign(good, chain_id=1)
    tour.sign(good)
    tour.sign(good)
    for nonce, by in ((1, TRADER), (2, OUTSIDER), (2, TRADER), (2, TRADER)):
        tour.ask("cancel_signed", FIRST, nonce, by=by)
    tour.sign(replace(good, nonce=2))
    tour.ask("cancel_all", FIRST, by=OUTSIDER)
    tour.ask("cancel_all", FIRST)
    tour.sign(replace(good, nonce=3))


def visit_executing(tour: Tour) -> None:
    """Too early, at the second, too late; every kind at its trigger; one position after another."""
    now = tour.walk.revm.timestamp
    tour.wait(1)
    early, brief = tour.place(order(ONE)), tour.place(order(ONE, expiry=now + 20))
    tour.tried(early)
    tour.price(0)
    tour.tried(early)
    tour.wait(now + 20 - tour.walk.revm.timestamp)
    tour.price(0)
    tour.tried(brief)
    late = tour.place(order(ONE, expiry=now + 20))
    tour.wait(1)
    tour.price(0)
    tour.tried(late)
    first = tour.walk.specs[ETH].price
    for kind in (OrderKind.LIMIT, OrderKind.STOP, OrderKind.TAKE_PROFIT):
        for size in (ONE, -ONE):
            tour.place(order(size, kind, trigger=first))
            for move in (100, 0, -100):
                tour.price(move)
                tour.tried(tour.walk.orders.order_count)
    tour.price(0)
    for worst in (1, PRICE_MAX):
        for size in (ONE, -ONE):
            tour.place(order(size, acceptable_price=worst))
            tour.tried(tour.walk.orders.order_count)
    poor = tour.place(order(ONE, account=SECOND))
    tour.ask("execute", poor, by=KEEPER)
    tour.ask("cancel_all", FIRST)


def visit_positions(tour: Tour) -> None:
    """Reduce-only orders of a position that shrinks, closes, opens again and flips."""
    tour.flat()
    tour.trade(2 * ONE)
    ids = [tour.place(closing(size)) for size in (-3 * ONE, -ONE, -3 * ONE)]
    tour.tried(ids[1])
    tour.trade(ONE)
    tour.tried(ids[0])
    tour.trade(2 * ONE)
    tour.tried(ids[2])
    survivor = tour.place(closing(-ONE))
    tour.trade(-4 * ONE)
    tour.tried(survivor)
    tour.trade(2 * ONE)


def visit_brackets(tour: Tour) -> None:
    """Exits before their entry, one cancelling the other, entries that end, and payers that take no ether."""
    far = order(ONE, OrderKind.LIMIT, trigger=UNIT)
    first = tour.walk.specs[ETH].price
    exits = (closing(-ONE), closing(-ONE, OrderKind.STOP, trigger=first))
    for entry in (order(ONE), far, replace(far, expiry=tour.walk.revm.timestamp)):
        tour.ask("place_bracket", entry, exits, True, value=3 * FEE)
        id = tour.walk.orders.order_count - 2
        tour.tried(id + 1)
        tour.tried(id)
        tour.tried(id + 1)
        if entry.expiry:
            tour.wait(1)
            tour.tried(id + 1)
            tour.tried(id)
        tour.ask("cancel", id + 2)
        tour.ask("cancel", id)
    tour.price(0)
    # An entry that only closes leaves exits that reduce nothing, and so does one that leaves the other side.
    for size in (-ONE, -3 * ONE):
        tour.flat()
        tour.trade(size)
        tour.ask("place_bracket", order(ONE), exits, True, value=3 * FEE)
        id = tour.walk.orders.order_count - 2
        tour.ask("execute", id, by=KEEPER)
        tour.tried(id + 1)
    tour.flat()
    tour.ask("trade_with_exits", FIRST, ETH, ONE, 2**255 - 1, exits, True, value=2 * FEE)
    tour.act("set_operator", OPERATOR, True)
    tour.ask("place", order(ONE), by=OPERATOR, value=FEE)
    id = tour.walk.orders.order_count
    tour.ask("cancel", id, by=OUTSIDER)
    with tour.walk._rejecting(OPERATOR):
        tour.ask("cancel", id)
        tour.ask("claim", OPERATOR)
    tour.ask("claim", OPERATOR)
    tour.ask("claim", OPERATOR)
    tour.ask("cancel_all", FIRST)


def visit_trailing(tour: Tour) -> None:
    """Both sides follow, stay, and fire; and the exit of an entry starts from nothing."""
    for side in (1, -1):
        tour.flat()
        tour.trade(side * ONE)
        id = tour.place(closing(-side * ONE, OrderKind.TRAILING_STOP, trail=40 * UNIT))
        for move in (0, 200 * side, 150 * side, 250 * side, 200 * side):
            tour.price(move)
            for function in ("ratchet", "execute"):
                tour.ask(function, id, by=KEEPER)
        tour.price(0)
        tour.ask("execute", id, by=KEEPER)
    trailing = closing(-ONE, OrderKind.TRAILING_STOP, trail=UNIT // 100, trail_is_ratio=True)
    tour.ask("place_bracket", order(ONE), (trailing,), False, value=2 * FEE)
    entry = tour.walk.orders.order_count - 1
    for id in (entry + 1, entry, entry + 1):
        tour.ask("ratchet", id, by=KEEPER)
        tour.ask("execute", id, by=KEEPER)
    tour.price(-200)
    tour.ask("execute", entry + 1, by=KEEPER)
    tour.price(0)


def visit_delays(tour: Tour) -> None:
    """A market with a delay: too early by a second, cancelled and living on, asleep and forfeit."""
    exits = (closing(-ONE),)
    tour.ask("trade_with_exits", FIRST, ETH, ONE, 2**255 - 1, exits, True, value=FEE)
    now = tour.walk.revm.timestamp
    first = tour.place(order(ONE))
    ending = [tour.place(order(ONE, expiry=now + seconds)) for seconds in (11, 12, 13)]
    for id in ending:
        tour.ask("cancel", id)
    second = tour.place(order(ONE, account=SECOND))
    poor = closing(-ONE, account=SECOND)
    tour.ask("place_bracket", order(ONE, account=SECOND), (poor,), True, value=2 * FEE)
    third = tour.walk.orders.order_count - 1
    fourth = tour.place(order(ONE, acceptable_price=1))
    tour.ask("cancel_all", FIRST, by=OUTSIDER)
    tour.wait(11)
    tour.price(0)
    tour.ask("execute", first, by=KEEPER)
    tour.wait(1)
    tour.price(0)
    for id in (first, second, third, fourth, ending[0], ending[1]):
        tour.ask("execute", id, by=KEEPER)
    exit = tour.place(closing(-ONE))
    tour.ask("cancel_all", FIRST)
    tour.wait(12)
    tour.price(0)
    tour.act("set_operator", tour.walk.orders.address, False)
    tour.ask("execute", exit, by=KEEPER)
    tour.wait(1)
    tour.ask("cancel", fourth, by=OUTSIDER)


def visits(delayed: bool) -> Iterator[Any]:
    if delayed:
        yield visit_delays
        return
    yield from (
        visit_placing,
        visit_signing,
        visit_executing,
        visit_positions,
        visit_brackets,
        visit_trailing,
    )


def go() -> None:
    """The tour of a market without a delay, then of one with."""
    for delayed in (False, True):
        tour = Tour(delayed=delayed)
        tour.act("deposit", FIRST, 50_000 * DOLLAR)
        for visit in visits(delayed):
            visit(tour)


def let_in(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deploys orders of another text from now on."""
    mutant = ModuleType("mutant")
    exec(compile(text, "mutant", "exec"), mutant.__dict__)
    for module in (local, perp_lens):
        monkeypatch.setattr(module, "Orders", mutant.__dict__["Orders"])


def test_the_tour_without_a_mutant_reaches_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A must-fail twin of all that follows: the text as it is, let in the same way."""
    let_in(SOURCE, monkeypatch)
    go()


@pytest.mark.parametrize(("name", "right", "wrong"), MUTANTS, ids=[name for name, *_ in MUTANTS])
def test_a_mutant_is_found(name: str, right: str, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tour does not survive a model that leaves out a check."""
    assert SOURCE.count(right) == 1, f"the text of the mutant {name!r} is not in the model once"
    let_in(SOURCE.replace(right, wrong), monkeypatch)
    with pytest.raises((Divergence, AttributeError, ValueError, RecursionError)):
        go()
