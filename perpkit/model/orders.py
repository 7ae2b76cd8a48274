"""The twin of `Orders.sol`: orders that wait for a newer price, for a price to be reached, for another order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from perpkit.model import perp_math
from perpkit.model.clearinghouse import Clearinghouse
from perpkit.model.contract import Contract, Mapping, World, external
from perpkit.model.errors import (
    AlreadyExpiring,
    BelowInitialMargin,
    BelowMaintenanceMargin,
    BelowMinNotional,
    EtherRejected,
    InvalidExecutionFee,
    InvalidOrder,
    InvalidSignature,
    NonceAlreadyUsed,
    NotAuthorized,
    NothingToClaim,
    NothingToRatchet,
    NothingToReduce,
    OnlyOrders,
    OrderAlreadyCancelled,
    OrderAlreadyExecuted,
    OrderExpired,
    OrderTooEarly,
    ParentNotExecuted,
    PerpError,
    PositionGone,
    StaleEpoch,
    TooManyOrders,
    TooManyPositions,
    TriggerNotMet,
    UnknownMarket,
    UnknownOrder,
    WrongChain,
)
from perpkit.model.events import (
    EpochEnded,
    EtherClaimed,
    EtherCredited,
    NonceUsed,
    OrderCancelled,
    OrderExecuted,
    OrderExpiring,
    OrderForfeited,
    OrderPlaced,
    OrderRatcheted,
)
from perpkit.model.fixed_math import PRICE_MAX, UNIT, clamp, div_floor, to_size
from perpkit.model.types import (
    NO_ORDER,
    ZERO_ADDRESS,
    Address,
    Order,
    OrderKind,
    OrderRequest,
    OrderStatus,
    Position,
    Signature,
    SignedOrder,
    SignedReport,
    TradeResult,
    owner_of,
)

MAX_ORDERS = 16
INT256_MAX = 2**255 - 1
UINT64_MAX = 2**64 - 1
CHAIN_ID = 31337
NO_TRADE = TradeResult(0, 0, 0, 0, 0, 0)
OWNERS_DOING = (NotAuthorized, BelowInitialMargin, BelowMaintenanceMargin, BelowMinNotional, TooManyPositions)


class Orders(Contract):
    def __init__(self, world: World, address: Address, clearinghouse: Clearinghouse, min_execution_fee: int) -> None:
        super().__init__(world, address)
        self.clearinghouse = clearinghouse
        self.min_execution_fee = min_execution_fee
        self.order_count = 0
        self._orders: Mapping[int, Order] = Mapping(world, NO_ORDER)
        self._payers: Mapping[int, Address] = Mapping(world, ZERO_ADDRESS)
        self._open: Mapping[int, tuple[int, ...]] = Mapping(world, (0,) * MAX_ORDERS)
        self._epochs: Mapping[int, int] = Mapping(world, 0)
        self._nonces: Mapping[tuple[int, int], bool] = Mapping(world, False)
        self._credits: Mapping[Address, int] = Mapping(world, 0)

    # PLACE

    @external
    def place(self, request: OrderRequest, *, sender: Address, value: int = 0) -> int:
        fee = self._fee_of(1, value)
        self._authorize(request.account, sender)
        return self._place(request, fee, 0, 0, sender)

    @external
    def place_many(
        self, requests: Sequence[OrderRequest], one_cancels_other: bool, *, sender: Address, value: int = 0
    ) -> int:
        fee = self._fee_of(len(requests), value)
        first = self.order_count + 1
        for request in requests:
            self._authorize(request.account, sender)
            self._place(request, fee, 0, first if one_cancels_other else 0, sender)
        return first

    @external
    def place_bracket(
        self,
        entry: OrderRequest,
        exits: Sequence[OrderRequest],
        one_cancels_other: bool,
        *,
        sender: Address,
        value: int = 0,
    ) -> int:
        fee = self._fee_of(1 + len(exits), value)
        self._authorize(entry.account, sender)
        first = self._place(entry, fee, 0, 0, sender)
        for request in exits:
            self._require_exit(request, entry.account, entry.market, entry.size)
            self._place(request, fee, first, first + 1 if one_cancels_other else 0, sender)
        return first

    @external
    def trade_with_exits(
        self,
        account: int,
        market: int,
        delta: int,
        price_limit: int,
        exits: Sequence[OrderRequest],
        one_cancels_other: bool,
        *,
        sender: Address,
        value: int = 0,
    ) -> tuple[TradeResult, int]:
        fee = self._fee_of(len(exits), value)
        self._authorize(account, sender)
        min_delay = self.clearinghouse.params_of(market).min_delay
        if min_delay != 0:
            raise OnlyOrders(market, min_delay)
        result = self.clearinghouse.trade(account, market, delta, price_limit, sender=self.address)
        first = self.order_count + 1
        for request in exits:
            self._require_exit(request, account, market, delta)
            self._place(request, fee, 0, first if one_cancels_other else 0, sender)
        return result, first

    @external
    def place_signed(self, order: SignedOrder, signature: Signature, *, sender: Address, value: int = 0) -> int:
        # AUTHORIZE
        fee = self._fee_of(1, value)
        account = order.request.account
        if order.chain_id != CHAIN_ID:
            raise WrongChain(order.chain_id, CHAIN_ID)
        if order.epoch != self._epochs[account]:
            raise StaleEpoch(account, order.epoch, self._epochs[account])
        if self._nonces[account, order.nonce]:
            raise NonceAlreadyUsed(account, order.nonce)
        self._verify_signature(order, signature)

        # APPLY
        self._nonces[account, order.nonce] = True
        id = self._place(order.request, fee, 0, 0, sender)

        # EMIT
        self.emit(NonceUsed(account, order.nonce, id))
        return id

    def _place(self, request: OrderRequest, fee: int, parent: int, group: int, payer: Address) -> int:
        # AUTHORIZE
        self._require_valid(request)
        owner = owner_of(request.account)
        if not self.clearinghouse.is_operator(owner, self.address):
            raise NotAuthorized(request.account, self.address)

        # COMPUTE
        order = Order(
            account=request.account,
            size=request.size,
            trigger=request.trigger,
            placed_at=self.world.timestamp,
            market=request.market,
            opened=0,
            fee=fee,
            expiry=request.expiry,
            kind=request.kind,
            status=OrderStatus.OPEN,
            reduce_only=request.reduce_only,
            trail_is_ratio=request.trail_is_ratio,
            parent=parent,
            group=group,
            acceptable_price=request.acceptable_price,
            trail=request.trail,
        )
        if order.reduce_only and parent == 0:
            order = replace(order, opened=self._position_to_reduce(order).opened)
        if order.kind == OrderKind.TRAILING_STOP and parent == 0:
            mark, _ = self.clearinghouse.price_of(order.market)
            order = replace(order, trigger=self._trailing_trigger(order, mark))

        # APPLY
        self.order_count += 1
        id = self.order_count
        self._orders[id] = order
        if payer != owner:
            self._payers[id] = payer
        self._add_open(order.account, id)

        # EMIT
        self.emit(OrderPlaced(id, order.account, payer, order))
        return id

    # EXECUTE

    @external
    def execute(self, id: int, *, sender: Address) -> TradeResult:
        # AUTHORIZE
        order = self._open_order(id)
        if self._is_expired(order):
            raise OrderExpired(id, order.expiry)
        self._require_parent(id, order)

        # COMPUTE
        mark, updated_at = self.clearinghouse.price_of(order.market)
        not_before = order.placed_at + self.clearinghouse.params_of(order.market).min_delay
        if updated_at < not_before:
            raise OrderTooEarly(id, updated_at, not_before)
        if not self._is_triggered(order, mark):
            raise TriggerNotMet(id, mark, order.trigger)
        delta = self._delta_of(id, order)

        # APPLY
        self._update_order(id, status=OrderStatus.EXECUTED)
        self._remove_open(order.account, id)
        limit = self._price_limit_of(order)
        try:
            result = self.clearinghouse.trade(order.account, order.market, delta, limit, sender=self.address)
        except PerpError as refusal:
            if not_before == order.placed_at or not self._is_owners_doing(refusal):
                raise
            self._forfeit(id, order, sender)
            return NO_TRADE
        opened = self.clearinghouse.position_of(order.account, order.market).opened
        self._update_order(id, opened=opened)
        self._cancel_group(id, order.group, sender)

        # EMIT
        self.emit(OrderExecuted(id, order.account, sender, order.fee, opened, result))
        self._pay_out(sender, order.fee)
        return result

    def _forfeit(self, id: int, order: Order, sender: Address) -> None:
        """An order that is due and fails by its owner's doing ends, and costs its fee."""
        # APPLY
        self._update_order(id, status=OrderStatus.CANCELLED)

        # EMIT
        self.emit(OrderForfeited(id, order.account, sender, order.fee))
        self._cancel_exits(id, sender)
        self._pay_out(sender, order.fee)

    @external
    def ratchet(self, id: int, *, sender: Address) -> None:
        # AUTHORIZE
        order = self._open_order(id)
        if order.kind != OrderKind.TRAILING_STOP:
            raise InvalidOrder("kind")
        if self._is_expired(order):
            raise OrderExpired(id, order.expiry)
        self._require_parent(id, order)

        # COMPUTE
        mark, _ = self.clearinghouse.price_of(order.market)
        trigger = self._trailing_trigger(order, mark)
        previous = order.trigger
        if previous != 0 and (trigger >= previous if order.size > 0 else trigger <= previous):
            raise NothingToRatchet(id, mark, previous)

        # APPLY
        self._update_order(id, trigger=trigger)

        # EMIT
        self.emit(OrderRatcheted(id, order.account, mark, trigger))

    @external
    def deliver_reports(self, market: int, reports: Sequence[SignedReport], *, sender: Address) -> None:
        self.clearinghouse.oracle.deliver(market, reports, sender=self.address)

    # CANCEL

    @external
    def cancel(self, id: int, *, sender: Address) -> None:
        order = self._open_order(id)
        if self._is_dead(order):
            self._cancel(id, order, sender)
            return
        self._authorize(order.account, sender)
        if not self._end(id, order, sender):
            raise AlreadyExpiring(id, order.expiry)

    @external
    def cancel_all(self, account: int, *, sender: Address) -> None:
        # AUTHORIZE
        self._authorize(account, sender)

        # APPLY
        epoch = self._epochs[account] + 1
        self._epochs[account] = epoch
        for place in range(MAX_ORDERS):
            id = self._open[account][place]
            if id == 0:
                continue
            order = self._orders[id]
            if self._is_dead(order):
                self._cancel(id, order, sender)
            else:
                self._end(id, order, sender)

        # EMIT
        self.emit(EpochEnded(account, epoch))

    @external
    def cancel_signed(self, account: int, nonce: int, *, sender: Address) -> None:
        # AUTHORIZE
        self._authorize(account, sender)
        if self._nonces[account, nonce]:
            raise NonceAlreadyUsed(account, nonce)

        # APPLY
        self._nonces[account, nonce] = True

        # EMIT
        self.emit(NonceUsed(account, nonce, 0))

    @external
    def claim(self, to: Address, *, sender: Address) -> None:
        # AUTHORIZE
        amount = self._credits[to]
        if amount == 0:
            raise NothingToClaim(to)

        # APPLY
        self._credits[to] = 0

        # EMIT
        self.emit(EtherClaimed(to, amount))
        self._pay_out(to, amount)

    def _end(self, id: int, order: Order, sender: Address) -> bool:
        """Cancels a living order, or lets it live for the market's delay; false when that runs already."""
        min_delay = self.clearinghouse.params_of(order.market).min_delay
        if min_delay == 0:
            self._cancel(id, order, sender)
            return True
        expiry = self.world.timestamp + min_delay
        if order.expiry != 0 and order.expiry <= expiry:
            return False
        self._update_order(id, expiry=expiry)
        self.emit(OrderExpiring(id, order.account, expiry))
        return True

    def _cancel(self, id: int, order: Order, sender: Address) -> None:
        # APPLY
        self._update_order(id, status=OrderStatus.CANCELLED)
        self._remove_open(order.account, id)

        # EMIT
        payer = self.payer_of(id)
        self.emit(OrderCancelled(id, order.account, sender, payer, order.fee))
        if not self.world.pay(self.address, payer, order.fee):
            self._credits[payer] += order.fee
            self.emit(EtherCredited(payer, order.fee))
        self._cancel_exits(id, sender)

    def _cancel_exits(self, id: int, sender: Address) -> None:
        """What waits for an entry that will never be executed."""
        exit = id + 1
        while self._orders[exit].parent == id:
            child = self._orders[exit]
            if child.status == OrderStatus.OPEN:
                self._cancel(exit, child, sender)
            exit += 1

    def _cancel_group(self, id: int, group: int, sender: Address) -> None:
        """One was executed: its neighbours are cancelled."""
        if group == 0:
            return
        member = group
        while self._orders[member].group == group:
            order = self._orders[member]
            if member != id and order.status == OrderStatus.OPEN:
                self._cancel(member, order, sender)
            member += 1

    # VIEWS

    def order_of(self, id: int) -> Order:
        return self._orders[id]

    def orders_of(self, account: int) -> tuple[int, ...]:
        return tuple(id for id in self._open[account] if id != 0)

    def is_dead(self, id: int) -> bool:
        order = self._orders[id]
        return order.status != OrderStatus.OPEN or self._is_dead(order)

    def is_triggered(self, id: int, mark: int) -> bool:
        return self._is_triggered(self._orders[id], mark)

    def payer_of(self, id: int) -> Address:
        payer = self._payers[id]
        return owner_of(self._orders[id].account) if payer == ZERO_ADDRESS else payer

    def epoch_of(self, account: int) -> int:
        return self._epochs[account]

    def is_nonce_used(self, account: int, nonce: int) -> bool:
        return self._nonces[account, nonce]

    def credit_of(self, to: Address) -> int:
        return self._credits[to]

    # MULTICALL

    @external
    def multicall(self, data: Sequence[tuple[str, tuple[Any, ...]]], *, sender: Address) -> tuple[Any, ...]:
        """Several actions in one: each is the name of a function and its arguments."""
        results = []
        for function, args in data:
            action: Callable[..., Any] = getattr(self, function)
            results.append(action(*args, sender=sender))
        return tuple(results)

    # INTERNAL

    def _fee_of(self, count: int, value: int) -> int:
        """The ether sent, divided among `count` orders without remainder."""
        fee = 0 if count == 0 else div_floor(value, count)
        exact = fee * count == value and fee <= UINT64_MAX
        if count == 0 or not exact or fee < self.min_execution_fee:
            raise InvalidExecutionFee(value, count, self.min_execution_fee)
        return fee

    def _authorize(self, account: int, sender: Address) -> None:
        owner = owner_of(account)
        if sender != owner and not self.clearinghouse.is_operator(owner, sender):
            raise NotAuthorized(account, sender)

    def _verify_signature(self, order: SignedOrder, signature: Signature) -> None:
        owner = owner_of(order.request.account)
        if signature != Signature(owner, ("SignedOrder", order)):
            raise InvalidSignature(owner)

    def _require_valid(self, request: OrderRequest) -> None:
        if self.clearinghouse.symbol_of(request.market) == bytes(32):
            raise UnknownMarket(request.market)
        trails = request.kind == OrderKind.TRAILING_STOP
        if request.size == 0:
            raise InvalidOrder("size")
        to_size(request.size)
        if request.trigger != 0 if request.kind == OrderKind.MARKET or trails else request.trigger == 0:
            raise InvalidOrder("trigger")
        if request.trigger > PRICE_MAX:
            raise InvalidOrder("trigger")
        if request.acceptable_price > PRICE_MAX:
            raise InvalidOrder("acceptablePrice")
        if request.kind == OrderKind.LIMIT and request.acceptable_price != 0:
            raise InvalidOrder("acceptablePrice")
        if request.trail == 0 if trails else request.trail != 0 or request.trail_is_ratio:
            raise InvalidOrder("trail")
        if request.trail > (UNIT - 1 if request.trail_is_ratio else PRICE_MAX):
            raise InvalidOrder("trail")
        if request.expiry != 0 and request.expiry < self.world.timestamp:
            raise InvalidOrder("expiry")

    def _require_exit(self, request: OrderRequest, account: int, market: int, delta: int) -> None:
        """An exit makes the position of its entry smaller."""
        if request.account != account:
            raise InvalidOrder("account")
        if request.market != market:
            raise InvalidOrder("market")
        if not request.reduce_only:
            raise InvalidOrder("reduceOnly")
        if (request.size > 0) == (delta > 0):
            raise InvalidOrder("size")

    def _open_order(self, id: int) -> Order:
        order = self._orders[id]
        if order.status == OrderStatus.NONE:
            raise UnknownOrder(id)
        if order.status == OrderStatus.EXECUTED:
            raise OrderAlreadyExecuted(id)
        if order.status == OrderStatus.CANCELLED:
            raise OrderAlreadyCancelled(id)
        return order

    def _require_parent(self, id: int, order: Order) -> None:
        if order.parent == 0 or self._orders[order.parent].status == OrderStatus.EXECUTED:
            return
        raise ParentNotExecuted(id, order.parent)

    def _is_expired(self, order: Order) -> bool:
        return order.expiry != 0 and self.world.timestamp > order.expiry

    def _is_dead(self, order: Order) -> bool:
        """Whether an open order can never fill again."""
        if self._is_expired(order):
            return True
        if order.parent != 0:
            parent = self._orders[order.parent]
            # One that was cancelled has cancelled its exits.
            if parent.status == OrderStatus.OPEN:
                return self._is_dead(parent)
        if not order.reduce_only:
            return False
        position = self.clearinghouse.position_of(order.account, order.market)
        return position.opened != self._opened_of(order) or not self._reduces(order, position)

    def _opened_of(self, order: Order) -> int:
        """The position that a reduce-only order belongs to: its own, or the one that its entry made."""
        return order.opened if order.parent == 0 else self._orders[order.parent].opened

    def _is_triggered(self, order: Order, mark: int) -> bool:
        if order.kind == OrderKind.MARKET:
            return True
        if order.trigger == 0:
            return False
        stop = order.kind in (OrderKind.STOP, OrderKind.TRAILING_STOP)
        return perp_math.is_triggered(stop, order.size, mark, order.trigger)

    def _trailing_trigger(self, order: Order, mark: int) -> int:
        return clamp(perp_math.trailing_trigger(order.size, mark, order.trail, order.trail_is_ratio), 1, PRICE_MAX)

    def _position_to_reduce(self, order: Order) -> Position:
        """The position that a reduce-only order would make smaller."""
        position = self.clearinghouse.position_of(order.account, order.market)
        if not self._reduces(order, position):
            raise NothingToReduce(order.account, order.market)
        return position

    def _reduces(self, order: Order, position: Position) -> bool:
        return position.size != 0 and (position.size > 0) != (order.size > 0)

    def _delta_of(self, id: int, order: Order) -> int:
        """How much an order trades now: a reduce-only one no more than there is."""
        if not order.reduce_only:
            return order.size
        opened = self._opened_of(order)
        if self.clearinghouse.position_of(order.account, order.market).opened != opened:
            raise PositionGone(id, opened)
        held = abs(self._position_to_reduce(order).size)
        return clamp(order.size, -held, held)

    def _price_limit_of(self, order: Order) -> int:
        if order.kind == OrderKind.LIMIT:
            return order.trigger
        if order.acceptable_price != 0:
            return order.acceptable_price
        return INT256_MAX if order.size > 0 else 0

    def _is_owners_doing(self, refusal: PerpError) -> bool:
        """Whether a refusal of the clearinghouse is about what an account's owner could see to."""
        return isinstance(refusal, OWNERS_DOING)

    def _pay_out(self, to: Address, amount: int) -> None:
        if not self.world.pay(self.address, to, amount):
            raise EtherRejected(to)

    def _add_open(self, account: int, id: int) -> None:
        open = self._open[account]
        if 0 not in open:
            raise TooManyOrders(account)
        place = open.index(0)
        self._open[account] = (*open[:place], id, *open[place + 1 :])

    def _remove_open(self, account: int, id: int) -> None:
        open = self._open[account]
        place = open.index(id)
        self._open[account] = (*open[:place], 0, *open[place + 1 :])

    # STORAGE

    def _update_order(self, id: int, **changes: Any) -> None:
        self._orders[id] = replace(self._orders[id], **changes)
