"""Orders in the parity walk: their steps, how they are chosen, and what of them is compared after each.

A request is a tuple too: `(index, market, kind, reduce_only, mode, number, trigger, worst, trail, ratio, expiry)`, with
`mode` and `number` as in a trade, prices in basis points away from the mark, times in seconds from now; None leaves a
field empty. Orders are named by their place among the open ones, or below zero by their id.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pyrevm

from parity.chooser import Chooser
from parity.keys import key_of
from parity.sides import Call, Divergence, Multicall
from parity.situations import ACCOUNTS, DAY, HOLDERS, INT256_MAX
from parity.walk import Step, Walk, shrink
from perpkit.abi.codec import decode_result
from perpkit.chain.signing import sign_order
from perpkit.market_setup import MIN_EXECUTION_FEE, ROLES, UNIT
from perpkit.model import events as ev
from perpkit.model.errors import PerpError
from perpkit.model.orders import Orders
from perpkit.model.types import (
    Address,
    OrderKind,
    OrderRequest,
    OrderStatus,
    OrderView,
    Signature,
    SignedOrder,
    owner_of,
)
from perpkit.revm import CHAIN_ID

Request = tuple[Any, ...]

DELAY = 12  # seconds, in the situations whose markets have one
# Who never sends anything while it takes no ether: on bytecode there is code at its address then.
REJECTING = ("operator", "outsider")


# ------------------------------------------------------------------ what is asked of both


@dataclass(frozen=True)
class OrderCall(Call):
    """A call that carries wei."""

    value: int = 0


@dataclass(frozen=True)
class OrderMulticall(Multicall):
    label = "orders"


@dataclass(frozen=True)
class OrderSignature:
    """An owner's signature of an order to be."""

    signer: Address
    order: SignedOrder
    chain_id: int = CHAIN_ID

    def for_model(self) -> Signature:
        message = ("SignedOrder", self.order)
        return Signature(self.signer, message if self.chain_id == CHAIN_ID else (*message, self.chain_id))

    def for_chain(self, addresses: dict[str, Address]) -> bytes:
        return sign_order(key_of(self.signer), orders=addresses["orders"], order=self.order, chain_id=self.chain_id)


# ------------------------------------------------------------------ the walk


class OrderWalk(Walk):
    """A walk in which orders are placed and executed as well; `delayed` gives every market a delay."""

    def __init__(self, situation: str, *, delayed: bool = False) -> None:
        super().__init__(situation)
        self.orders: Orders = self.model.contract("orders")
        self._touched: set[int] = set()
        for owner in sorted({owner_of(account) for account in ACCOUNTS}):
            self._compare(Call("clearinghouse", "set_operator", (self.orders.address, True), owner))
        if delayed:
            self.specs = [replace(spec, params=replace(spec.params, min_delay=DELAY)) for spec in self.specs]
            for function in ("announce_market_params", "set_market_params"):
                for market, spec in enumerate(self.specs):
                    self._compare(Call("clearinghouse", function, (market, spec.params, ()), ROLES["governor"]))
                if function == "announce_market_params":
                    self.do(("time", DAY))
                    self.do(("push_all",))

    # ---- comparing

    def _ask(self, backend: Any, call: Call | Multicall) -> Any:
        if not isinstance(call, OrderCall) or call.reads:
            return super()._ask(backend, call)
        try:
            args = self._args(backend, call)
            return backend.transact(call.label, call.function, *args, sender=call.sender, value=call.value)
        except PerpError as error:
            return error

    def _args(self, backend: Any, call: Call) -> tuple[Any, ...]:
        plain = replace(
            call,
            args=tuple(
                (arg.for_model() if backend is self.model else arg.for_chain(self.addresses))
                if isinstance(arg, OrderSignature)
                else arg
                for arg in call.args
            ),
        )
        return super()._args(backend, plain)

    def _decoded(self, call: Multicall, results: Sequence[bytes]) -> tuple[Any, ...]:
        contract = self.revm.deployed[call.label].contract
        pairs = zip(call.calls, results, strict=True)
        return tuple(decode_result(contract, inner.function, bytes(result)) for inner, result in pairs)

    def _note(self, event: ev.Event) -> None:
        super()._note(event)
        name = type(event).__name__
        if hasattr(ev, name) and (name.startswith(("Order", "Ether", "Nonce", "Epoch"))):
            self.outcomes["orders say", name] += 1
        if isinstance(event, ev.OrderPlaced):
            self.outcomes["orders placed", OrderKind(event.order.kind).name] += 1
        if isinstance(event, ev.OrderExecuted):
            order = self.orders.order_of(event.id)
            self.outcomes["orders filled", OrderKind(order.kind).name] += 1
            if order.reduce_only and abs(event.result.delta) < abs(order.size):
                self.outcomes["orders filled", "clamped"] += 1
            if order.parent:
                self.outcomes["orders filled", "exit of an entry"] += 1
        id = getattr(event, "id", 0) or 0
        if id:
            self._touched.add(id)

    def _compare_state(self) -> None:
        super()._compare_state()
        orders = self.orders
        self._same(orders.order_count, "orders", "order_count")
        for account in ACCOUNTS:
            ids = orders.orders_of(account)
            self._same((32, len(ids), *ids), "orders", "orders_of", account)
            self._same(orders.epoch_of(account), "orders", "epoch_of", account)
            self._touched.update(ids)
        for id in sorted(self._touched):
            self._same(orders.order_of(id), "orders", "order_of", id)
            self._same(orders.payer_of(id), "orders", "payer_of", id)
            self._same(orders.is_dead(id), "orders", "is_dead", id)
        self._touched.clear()
        for holder in HOLDERS:
            address = self.addresses.get(holder, holder)
            self._same(orders.credit_of(address), "orders", "credit_of", address)
        for address in (*ROLES.values(), orders.address):
            if self.model.ether_of(address) != self.revm.ether_of(address):
                raise Divergence(
                    f"the ether of {address}: model {self.model.ether_of(address)}, chain {self.revm.ether_of(address)}"
                )

    def _check_laws(self) -> None:
        super()._check_laws()
        orders = self.orders
        known = [orders.order_of(id) for account in ACCOUNTS for id in orders.orders_of(account)]
        self._law("listed orders are open", all(order.status == OrderStatus.OPEN for order in known))
        owed = sum(order.fee for order in known) + sum(orders._credits.values())
        self._law("escrow is exact", self.model.ether_of(orders.address) == owed)

    # ---- what a step means now

    def order_id(self, pick: int) -> int:
        """The open order at that place, or the order of that id."""
        if pick < 0:
            return -pick
        open = self.open_orders()
        return open[pick % len(open)] if open else pick

    def open_orders(self) -> list[int]:
        return [id for account in ACCOUNTS for id in self.orders.orders_of(account)]

    def request(self, spec: Request) -> OrderRequest:
        index, market, kind, reduce_only, mode, number, trigger, worst, trail, ratio, expiry = spec
        account = self.account(index)
        mark = self.mark(market) or 10**20
        size = self._delta(account, market, mode, number)
        size = size if -(2**103) <= size < 2**103 else 2**96

        def away(basis_points: int | None) -> int:
            return 0 if basis_points is None else min(max(mark * (10_000 + basis_points) // 10_000, 1), 2**96 - 1)

        return OrderRequest(
            account=account,
            market=market,
            kind=kind,
            reduce_only=reduce_only,
            size=size,
            trigger=away(trigger),
            acceptable_price=away(worst),
            trail=0 if trail is None else trail * UNIT // 10_000 if ratio else min(mark * trail // 10_000, 2**96 - 1),
            trail_is_ratio=ratio,
            expiry=0 if expiry is None else max(self.revm.timestamp + expiry, 0),
        )

    def _payment(self, count: int, fee: int) -> int:
        """`fee` in hundredths of the least for each of `count` orders; below zero is that many wei."""
        return -fee if fee < 0 else count * MIN_EXECUTION_FEE * fee // 100

    def _orders_call(self, function: str, *args: Any, sender: Address, value: int = 0) -> OrderCall:
        return OrderCall("orders", function, args, sender, value=value)

    # ---- the steps

    def plan_place(self, who: str, spec: Request, fee: int) -> Iterable[Call]:
        request = self.request(spec)
        sender = self.actor(who, request.account)
        return [self._orders_call("place", request, sender=sender, value=self._payment(1, fee))]

    def plan_place_many(self, who: str, specs: Sequence[Request], oco: bool, fee: int) -> Iterable[Call]:
        requests = tuple(map(self.request, specs))
        sender = self.actor(who, requests[0].account if requests else ACCOUNTS[0])
        return [self._orders_call("place_many", requests, oco, sender=sender, value=self._payment(len(requests), fee))]

    def plan_place_bracket(
        self, who: str, spec: Request, exits: Sequence[Request], oco: bool, fee: int
    ) -> Iterable[Call]:
        entry, requests = self.request(spec), tuple(map(self.request, exits))
        sender, value = self.actor(who, entry.account), self._payment(1 + len(requests), fee)
        return [self._orders_call("place_bracket", entry, requests, oco, sender=sender, value=value)]

    def plan_trade_with_exits(
        self, who: str, spec: Request, exits: Sequence[Request], oco: bool, fee: int
    ) -> Iterable[Call]:
        """The entry's size and acceptable price are those of the trade."""
        entry, requests = self.request(spec), tuple(map(self.request, exits))
        worst = entry.acceptable_price or (INT256_MAX if entry.size > 0 else 0)
        args = (entry.account, entry.market, entry.size, worst, requests, oco)
        sender, value = self.actor(who, entry.account), self._payment(len(requests), fee)
        return [self._orders_call("trade_with_exits", *args, sender=sender, value=value)]

    def plan_place_signed(self, who: str, spec: Request, nonce: int, variant: str) -> Iterable[Call]:
        """`variant` is good, wrong signer, wrong chain, wrong domain, stale or twice."""
        request = self.request(spec)
        owner = owner_of(request.account)
        epoch = self.orders.epoch_of(request.account) + (1 if variant == "stale" else 0)
        order = SignedOrder(request, nonce, epoch, 1 if variant == "wrong chain" else CHAIN_ID)
        signer = owner if owner in ROLES.values() and variant != "wrong signer" else ROLES["operator"]
        signature = OrderSignature(signer, order, 1 if variant == "wrong domain" else CHAIN_ID)
        sender, value = self.address(who), MIN_EXECUTION_FEE
        call = self._orders_call("place_signed", order, signature, sender=sender, value=value)
        return [call, call] if variant == "twice" else [call]

    def plan_execute(self, who: str, pick: int) -> Iterator[Call]:
        """A reduce-only order never opens and never flips."""
        id = self.order_id(pick)
        order = self.orders.order_of(id)
        before = self.house.position_of(order.account, order.market).size
        yield self._orders_call("execute", id, sender=self.address(who))
        filled = order.status == OrderStatus.OPEN and self.orders.order_of(id).status == OrderStatus.EXECUTED
        if order.reduce_only and filled:
            after = self.house.position_of(order.account, order.market).size
            self._law("reduce-only reduces", abs(after) < abs(before) and after * before >= 0)

    def plan_ratchet(self, who: str, pick: int) -> Iterator[Call]:
        """A trailing stop never loosens."""
        id = self.order_id(pick)
        before = self.orders.order_of(id)
        yield self._orders_call("ratchet", id, sender=self.address(who))
        moved = (self.orders.order_of(id).trigger - before.trigger) * (1 if before.size < 0 else -1)
        self._law("a trailing stop never loosens", not before.trigger or moved >= 0)

    def plan_cancel(self, who: str, pick: int) -> Iterable[Call]:
        id = self.order_id(pick)
        return [self._orders_call("cancel", id, sender=self.actor(who, self.orders.order_of(id).account))]

    def plan_cancel_all(self, who: str, index: int) -> Iterable[Call]:
        account = self.account(index)
        return [self._orders_call("cancel_all", account, sender=self.actor(who, account))]

    def plan_cancel_signed(self, who: str, index: int, nonce: int) -> Iterable[Call]:
        account = self.account(index)
        return [self._orders_call("cancel_signed", account, nonce, sender=self.actor(who, account))]

    def plan_claim(self, who: str, to: str) -> Iterable[Call]:
        return [self._orders_call("claim", self.address(to), sender=self.address(who))]

    def plan_deliver(self, who: str, market: int) -> Iterable[Call]:
        """Nothing: feeds that take reports have tests of their own."""
        return [self._orders_call("deliver_reports", market, (), sender=self.address(who))]

    def plan_approve_orders(self, who: str, approved: bool) -> Iterable[Call]:
        return [Call("clearinghouse", "set_operator", (self.orders.address, approved), self.address(who))]

    def plan_delay(self, who: str, market: int, seconds: int) -> Iterable[Call]:
        """Announces a delay when that is needed, and sets it when its time has come."""
        params = replace(self.specs[market % len(self.specs)].params, min_delay=seconds)
        sender = self.address(who)
        return [
            Call("clearinghouse", function, (market % len(self.specs), params, ()), sender)
            for function in ("announce_market_params", "set_market_params")
        ]

    def plan_without_ether(self, role: str, *step: Any) -> Iterator[Call]:
        """A step during which an address takes no ether."""
        kind, *params = step
        rejecting = ROLES[role]
        for call in list(getattr(self, f"plan_{kind}")(*params)):
            if call.sender != rejecting:
                with self._rejecting(rejecting):
                    yield call

    @contextmanager
    def _rejecting(self, address: Address) -> Iterator[None]:
        self.model.world.rejects_ether.add(address)
        self._set_code(address, bytes.fromhex("5f5ffd"))
        try:
            yield
        finally:
            self.model.world.rejects_ether.discard(address)
            self._set_code(address, b"")

    def _set_code(self, address: Address, code: bytes) -> None:
        info = self._evm.basic(address)
        self._evm.insert_account_info(address, pyrevm.AccountInfo(balance=info.balance, nonce=info.nonce, code=code))

    def plan_orders_multicall(self, who: str, *steps: Step) -> Iterable[Multicall]:
        """Steps of one sender in one transaction, without ether."""
        calls: list[Call] = []
        for kind, *params in steps:
            calls += [next(iter(getattr(self, f"plan_{kind}")(*params)))]
        return [OrderMulticall(tuple(calls), self.address(who))]

    def plan_look_at_orders(self, index: int) -> Iterable[Call]:
        return [Call("lens", "orders_of", (self.account(index),), reads=True)]


# ------------------------------------------------------------------ choosing steps


class OrderChooser(Chooser):
    """Chooses steps about orders, and between them what every walk does."""

    walk: OrderWalk

    def __init__(self, rng: random.Random, walk: OrderWalk, *, share: int = 55) -> None:
        super().__init__(rng, walk)
        market = sum(weight for weight, _ in self.choices)
        orders: list[tuple[int, Callable[[], Step]]] = [
            (14, self.place),
            (5, self.place_many),
            (7, self.place_bracket),
            (7, self.trade_with_exits),
            (6, self.place_signed),
            (30, self.execute),
            (8, self.ratchet),
            (8, self.cancel),
            (2, lambda: ("cancel_all", self.owner(), self.index())),
            (5, lambda: ("cancel_signed", self.owner(), self.index(), self.nonce())),
            (2, lambda: ("claim", self.role(), self.rng.choice((*REJECTING, self.role())))),
            (1, lambda: ("deliver", self.role(), self.market())),
            (2, self.approve),
            (1, self.delay),
            (6, self.without_ether),
            (3, self.orders_multicall),
            (4, lambda: ("look_at_orders", self.index())),
        ]
        weight = sum(weight for weight, _ in orders)
        scale = -(-market * share // (weight * (100 - share)))
        self.choices += [(weight * scale, choose) for weight, choose in orders]

    def _urgent(self) -> Step | None:
        rng = self.rng
        roll = rng.random()
        if roll < 0.08 and (ready := self._places(lambda view: view.executable)):
            return "execute", self.role(), rng.choice(ready)
        if roll < 0.10 and (dead := self._places(lambda view: view.dead)):
            return rng.choice(("cancel", "cancel", "cancel", "execute")), self.role(), rng.choice(dead)
        if roll < 0.12 and len(open := self.walk.open_orders()) > 60:
            return "cancel_all", "owner", ACCOUNTS.index(self.walk.orders.order_of(rng.choice(open)).account)
        if roll < 0.14 and any(self.walk.orders._credits.values()):
            owed = [address for address, credit in self.walk.orders._credits.items() if credit]
            return "claim", self.role(), rng.choice(owed)
        if roll < 0.2 and (silent := [m for m in range(len(self.walk.specs)) if self.walk.mark(m) is None]):
            kind = OrderKind.TRAILING_STOP
            shape = self.index(), rng.choice(silent), int(kind), False, "open", 200, *self._order_shape(kind)
            return "place", "owner", shape, 100
        return super()._urgent()

    def _places(self, wanted: Callable[[OrderView], bool]) -> list[int]:
        """Which of the open orders are like that, by their places."""
        views = [view for account in ACCOUNTS for view in self.walk.lens.orders_of(account)]
        return [place for place, view in enumerate(views) if wanted(view)]

    # ---- ingredients

    def pick(self) -> int:
        if self.rng.random() < 0.85:
            return self.rng.randrange(200)
        return -self.rng.choice((2**64 - 1, *[self.rng.randint(1, self.walk.orders.order_count + 1) for _ in range(4)]))

    def nonce(self) -> int:
        return self.rng.choice((self.rng.randrange(10), self.rng.randrange(40), self.rng.randrange(2**64)))

    def fee(self) -> int:
        return self.rng.choice((100, 100, 100, 100, 100, 300, 12_345, 99, 0, -(2**64), -(2**64 - 1), -(10**14 + 1)))

    def good_fee(self) -> int:
        return self.fee() if self.rng.random() < 0.08 else 100

    def _order_shape(self, kind: int) -> tuple[int | None, int | None, int | None, bool, int | None]:
        """Trigger, worst, trail, ratio and expiry that go with a kind, mostly."""
        rng = self.rng
        near = rng.choice((rng.randint(-40, 40), rng.randint(-300, 300), 0))
        trigger = None if kind in (OrderKind.MARKET, OrderKind.TRAILING_STOP) else near
        worst = rng.choice((None, None, None, None, rng.randint(-500, 500))) if kind != OrderKind.LIMIT else None
        trail, ratio = None, False
        if kind == OrderKind.TRAILING_STOP:
            trail, ratio = rng.choice((rng.randint(1, 300), rng.randint(1, 40))), rng.random() < 0.5
        expiry = rng.choice((None, None, None, None, rng.randint(0, 7200), 0))
        if rng.random() < 0.06:
            silly = rng.randrange(6)
            trigger = near if silly == 0 else None if silly == 1 else trigger
            worst = near if silly == 2 else worst
            trail = rng.choice((None, 20_000)) if silly == 3 else trail
            ratio = not ratio if silly == 4 else ratio
            expiry = -1 if silly == 5 else expiry
        return trigger, worst, trail, ratio, expiry

    def _kind(self) -> int:
        return int(self.rng.choice(list(OrderKind)))

    def entry(self, at: tuple[int, int] | None = None) -> Request:
        """An order that opens, mostly with room for it."""
        rng = self.rng
        kind = self._kind()
        rich = [i for i, account in enumerate(ACCOUNTS) if self.walk.house.collateral_of(account) > 0]
        index, market = at or (rng.choice(rich) if rich and rng.random() < 0.9 else self.index(), self.market())
        leverage = rng.choice((rng.randint(5, 100), rng.randint(100, 1000), rng.randint(1000, 9000)))
        mode, number = "open", rng.choice((-1, 1)) * leverage
        if rng.random() < 0.04:
            mode, number = "size", rng.choice((0, 1, -1, 2**96, -(2**96), 2**95))
        return index, market, kind, False, mode, number, *self._order_shape(kind)

    def exit(self, at: tuple[int, int] | None = None) -> Request:
        """An order that closes: all, a part, or more than there is."""
        rng = self.rng
        kind = self._kind()
        index, market = at or self._held()
        number = rng.choice((-100, -100, -rng.randint(1, 99), -rng.randint(101, 300), 50))
        return index, market, kind, rng.random() < 0.95, "resize", number, *self._order_shape(kind)

    def _exits_of(self, entry: Request) -> tuple[Request, ...]:
        """Exits of a position that is yet to be: the entry's size, turned round."""
        index, market = entry[:2]
        found = []
        for _ in range(self.rng.choice((1, 2, 2, 3))):
            kind = self._kind()
            turned = (entry[4], -entry[5]) if self.rng.random() < 0.95 else (entry[4], entry[5])
            found.append((index, market, kind, self.rng.random() < 0.96, *turned, *self._order_shape(kind)))
        return tuple(found)

    # ---- steps

    def place(self) -> Step:
        spec = self.exit() if self.rng.random() < 0.6 else self.entry()
        return "place", self.owner(), spec, self.good_fee()

    def place_many(self) -> Step:
        rng = self.rng
        count = rng.choice((0, 1, 2, 3, 3, 5, 17))
        at = self._held()
        specs = tuple(self.exit(at) if rng.random() < 0.6 else self.entry(at) for _ in range(count))
        return "place_many", self.owner(), specs, rng.random() < 0.6, self.good_fee()

    def place_bracket(self) -> Step:
        entry = self.entry()
        if self.rng.random() < 0.5:
            entry = (*entry[:2], int(OrderKind.MARKET), *entry[3:6], None, None, None, False, None)
        return "place_bracket", self.owner(), entry, self._exits_of(entry), self.rng.random() < 0.7, self.good_fee()

    def trade_with_exits(self) -> Step:
        entry = self.entry()
        entry = (*entry[:6], None, None, None, False, None) if self.rng.random() < 0.9 else entry
        return "trade_with_exits", self.owner(), entry, self._exits_of(entry), self.rng.random() < 0.7, self.good_fee()

    def place_signed(self) -> Step:
        spec = self.exit() if self.rng.random() < 0.5 else self.entry()
        variants = ("good", "good", "good", "twice", "wrong signer", "wrong chain", "wrong domain", "stale")
        return "place_signed", self.role(), spec, self.nonce(), self.rng.choice(variants)

    def execute(self) -> Step:
        if self.rng.random() < 0.5 and (ready := self._places(lambda view: view.executable)):
            return "execute", self.role(), self.rng.choice(ready)
        return "execute", self.role(), self.pick()

    def ratchet(self) -> Step:
        open = self.walk.open_orders()
        trailing = [i for i, id in enumerate(open) if self.walk.orders.order_of(id).kind == OrderKind.TRAILING_STOP]
        pick = self.rng.choice(trailing) if trailing and self.rng.random() < 0.9 else self.pick()
        return "ratchet", self.role(), pick

    def cancel(self) -> Step:
        return "cancel", self.owner(), self.pick()

    def approve(self) -> Step:
        owner = self.rng.choice(("trader", "whale", "counterparty", "market_maker", "keeper"))
        return "approve_orders", owner, self.rng.random() < 0.8

    def delay(self) -> Step:
        return "delay", self.governor(), self.rng.randrange(9), self.rng.choice((0, 1, DELAY, 60, 255))

    def without_ether(self) -> Step:
        """Mostly where it matters: what such a payer paid for is cancelled or executed."""
        role = self.rng.choice(REJECTING)
        if self.walk.orders.credit_of(ROLES[role]) and self.rng.random() < 0.4:
            return "without_ether", role, "claim", "keeper", role
        if self.rng.random() < 0.4:
            return "place_signed", role, self.entry(), self.nonce(), "good"
        payers = [i for i, id in enumerate(self.walk.open_orders()) if self.walk.orders.payer_of(id) == ROLES[role]]
        pick = self.rng.choice(payers) if payers else self.pick()
        return "without_ether", role, *self.rng.choice((("cancel", "owner", pick), ("execute", "keeper", pick)))

    def orders_multicall(self) -> Step:
        parts: list[Callable[[], Step]] = [
            self.execute,
            self.ratchet,
            lambda: ("cancel", "owner", self.pick()),
            lambda: ("deliver", "keeper", self.market()),
        ]
        return (
            "orders_multicall",
            "keeper",
            *[make() for make in self.rng.choices(parts, [6, 3, 1, 3], k=self.rng.choice((1, 2, 3)))],
        )


# ------------------------------------------------------------------ walking and shrinking


def start(situation: str) -> OrderWalk:
    """A walk by its name, which may end in ", delayed"."""
    name, _, delayed = situation.partition(", ")
    return OrderWalk(name, delayed=bool(delayed))


def replay(situation: str, steps: Iterable[Step]) -> OrderWalk:
    """Does a list of steps again; raises `Divergence` when the two sides differ."""
    walk = start(situation)
    for step in steps:
        walk.do(step)
    return walk


def diverges(situation: str, steps: Sequence[Step]) -> bool:
    try:
        replay(situation, steps)
    except Exception:
        return True
    return False


def wander(situation: str, rng: random.Random, steps: int, *, shorten: bool = True) -> OrderWalk:
    """A walk of `steps` steps; one that fails is shortened, and printed to be pasted."""
    walk = start(situation)
    chooser = OrderChooser(rng, walk)
    done: list[Step] = []
    for _ in range(steps):
        step = chooser.next()
        done.append(step)
        try:
            walk.do(step)
        except Exception as error:
            if shorten:
                done = shrink(situation, done, fails=diverges)
            lines = "\n".join(f"        {step!r}," for step in done)
            raise Divergence(
                f"{error}\n\n    replay(\n        {situation!r},\n        [\n{lines}\n        ],\n    )"
            ) from error
    return walk
