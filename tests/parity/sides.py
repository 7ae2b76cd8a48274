"""Bytecode and model side by side: a call is done on both, and everything is compared after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Any

from parity.signatures import rendered
from parity.situations import ACCOUNTS, HOLDERS, SITUATIONS, START, STRANGER, set_up_situation
from perpkit.abi.codec import decode_error, decode_result, encode_call
from perpkit.backend import Receipt
from perpkit.local import LocalBackend
from perpkit.market_setup import ROLES, feed_labels
from perpkit.model import events as ev
from perpkit.model.clearinghouse import Clearinghouse
from perpkit.model.errors import MarketActionPaused, PerpError
from perpkit.model.market_ledger import INCREASE
from perpkit.model.types import ZERO_ADDRESS, Address, owner_of
from perpkit.revm import GAS_LIMIT, RevmBackend

Step = tuple[Any, ...]
Outcome = tuple[str, str]


@dataclass(frozen=True)
class Call:
    """One call, with arguments that each backend renders in its own way."""

    label: str
    function: str
    args: tuple[Any, ...] = ()
    sender: Address = ZERO_ADDRESS
    reads: bool = False


@dataclass(frozen=True)
class Multicall:
    """Several actions of one sender in one transaction."""

    calls: tuple[Call, ...]
    sender: Address
    label = "clearinghouse"
    function = "multicall"
    reads = False


class Divergence(AssertionError):
    """The two backends, or the model and a law, do not agree."""


@cache
def _calldata(contract: str, function: str, *args: Any) -> bytes:
    return encode_call(contract, function, args)


def _words(value: Any) -> list[int]:
    """A static value as the words of its ABI encoding."""
    if is_dataclass(value):
        return [word for field in fields(value) for word in _words(getattr(value, field.name))]
    if isinstance(value, tuple):
        return [word for item in value for word in _words(item)]
    if isinstance(value, str):
        return [int(value, 16)]
    if isinstance(value, bytes):
        return [int.from_bytes(value, "big")]
    return [int(value) % 2**256]


def _kind_of(error: BaseException) -> str:
    """An error's name; a pause that leaves only reductions has one of its own."""
    if isinstance(error, MarketActionPaused) and error.bit == INCREASE:
        return "MarketActionPaused, INCREASE"
    return type(error).__name__


def _encoded(value: Any) -> bytes:
    return b"".join([word.to_bytes(32, "big") for word in _words(value)])


class Sides:
    """The two backends."""

    def __init__(self, situation: str) -> None:
        self.name = situation
        self.situation = SITUATIONS[situation]
        self.scale = self.situation.scale
        self.specs = list(self.situation.setup.markets)
        self.revm = RevmBackend(timestamp=START)
        set_up_situation(self.revm, self.situation)
        self.addresses = {label: deployed.address for label, deployed in self.revm.deployed.items()}
        self.model = LocalBackend(timestamp=START, addresses=self.addresses)
        set_up_situation(self.model, self.situation)
        self.house: Clearinghouse = self.model.contract("clearinghouse")
        self.token = self.model.contract("token")
        self.pool = self.model.contract("pool")
        self.lens = self.model.contract("lens")
        self.oracle = self.model.contract("oracle")
        self.outcomes: Counter[Outcome] = Counter()
        self._evm: Any = self.revm._evm

    # ---- comparing

    def _compare(self, call: Call | Multicall) -> None:
        expected = self._ask(self.model, call)
        found = self._ask(self.revm, call)
        function = call.function if call.label == "clearinghouse" else f"{call.label.partition(':')[0]}.{call.function}"
        if isinstance(expected, BaseException):
            if expected != found:
                raise Divergence(f"{call}: model refuses with {expected!r}, contract answers {found!r}")
            self.outcomes[function, _kind_of(expected)] += 1
            return
        if isinstance(found, BaseException):
            raise Divergence(f"{call}: model answers {expected!r}, contract refuses with {found!r}")
        self.outcomes[function, "done"] += 1
        if call.reads:
            if expected != found:
                raise Divergence(f"{call}: model reads {expected!r}, contract {found!r}")
            return
        if expected.events != found.events:
            raise Divergence(f"{call}: model says {expected.events!r}, contract {found.events!r}")
        value = self._decoded(call, found.value) if isinstance(call, Multicall) else found.value
        if expected.value != value:
            raise Divergence(f"{call}: model returns {expected.value!r}, contract {value!r}")
        for event in expected.events:
            self._note(event)

    def _ask(self, backend: Any, call: Call | Multicall) -> Any:
        try:
            if isinstance(call, Multicall):
                actions = tuple(
                    backend.action(inner.label, inner.function, *self._args(backend, inner)) for inner in call.calls
                )
                return backend.transact(call.label, call.function, actions, sender=call.sender)
            args = self._args(backend, call)
            if call.reads:
                return backend.call(call.label, call.function, *args, sender=None)
            receipt: Receipt = backend.transact(call.label, call.function, *args, sender=call.sender)
            return receipt
        except PerpError as error:
            return error

    def _args(self, backend: Any, call: Call) -> tuple[Any, ...]:
        if backend is self.model:
            return rendered(call.args, lambda arg: arg.for_model())
        return rendered(call.args, lambda arg: arg.for_chain(self.addresses))

    def _decoded(self, call: Multicall, results: Sequence[bytes]) -> tuple[Any, ...]:
        pairs = zip(call.calls, results, strict=True)
        return tuple(decode_result("Clearinghouse", inner.function, bytes(result)) for inner, result in pairs)

    def _note(self, event: ev.Event) -> None:
        """Counts how deep the walk has come."""
        if isinstance(event, ev.Liquidated):
            result = event.result
            in_grace = self.model.timestamp < self.house.state_of(event.market).grace_until
            self._law("nobody is liquidated in grace", not in_grace)
            m = self.house._markets[event.market]
            if m is not None and event.position.size:
                before = abs(event.position.size) + result.closed
                if self.house._tier_of(m, before) != self.house._tier_of(m, event.position.size):
                    self.outcomes["liquidation", "partial, into a lower tier"] += 1
            self.outcomes["liquidation", "partial" if event.position.size else "full"] += 1
            if result.covered:
                self.outcomes["liquidation", "bankrupt, insurance covers"] += 1
            if result.deficit:
                self.outcomes["liquidation", "bankrupt, deficit"] += 1
            if result.bad_debt and result.reward:
                self.outcomes["liquidation", "bankrupt, keeper rewarded"] += 1
            if result.penalty and not event.position.size and not result.bad_debt:
                self.outcomes["liquidation", "full, solvent"] += 1
        elif isinstance(event, ev.Deleveraged):
            outcome = event.result
            self.outcomes["deleveraging", "haircut" if outcome.haircut else "excess profit"] += 1
            self.outcomes["deleveraging", "partial" if event.position.size else "full"] += 1
            if outcome.bad_debt:
                self.outcomes["deleveraging", "leaves bad debt"] += 1
        elif isinstance(event, ev.Traded):
            size, delta = event.position.size, event.result.delta
            before = size - delta
            kind = (
                "close"
                if size == 0
                else "open"
                if before == 0
                else "flip"
                if (size > 0) != (before > 0)
                else "add"
                if abs(size) > abs(before)
                else "reduce"
            )
            self.outcomes["trading", kind] += 1
            if self.house.params_of(event.market).min_delay:
                self.outcomes["trading", "through orders"] += 1
        elif isinstance(event, ev.ClosedOut):
            out = event.result
            kind = (
                "loser" if out.claim <= 0 else "winner, in full" if out.paid == out.claim else "winner, in proportion"
            )
            self.outcomes["closing out", kind] += 1
            if out.bad_debt:
                self.outcomes["closing out", "bankrupt"] += 1

    # ---- state

    def _read(self, label: str, function: str, *args: Any) -> bytes:
        deployed = self.revm.deployed[label]
        data = _calldata(deployed.contract, function, *args)
        return bytes(
            self._evm.message_call(ZERO_ADDRESS, deployed.address, calldata=data, gas=GAS_LIMIT, is_static=True)
        )

    def _same(self, expected: Any, label: str, function: str, *args: Any) -> None:
        found = self._read(label, function, *args)
        if found != _encoded(expected):
            contract = self.revm.deployed[label].contract
            read = decode_result(contract, function, found)
            raise Divergence(f"{label}.{function}{args}: model {expected!r}, contract {read!r}")

    def _compare_state(self) -> None:
        house = self.house
        self._same(house.vault(), "clearinghouse", "vault")
        self._same(house.market_count, "clearinghouse", "market_count")
        self._same(house.pool, "clearinghouse", "pool")
        self._same(house.orders, "clearinghouse", "orders")
        self._same(self.pool.total_supply, "pool", "total_supply")
        self._same(self.token.total_supply, "token", "total_supply")
        for market in range(house.market_count):
            self._same(house.state_of(market), "clearinghouse", "state_of", market)
            self._same(house.params_of(market), "clearinghouse", "params_of", market)
            tiers = house.risk_tiers_of(market)
            self._same((32, len(tiers), *tiers), "clearinghouse", "risk_tiers_of", market)
            self._same(house.delisting_of(market), "clearinghouse", "delisting_of", market)
            self._compare_price(market)
        for account in (*ACCOUNTS, STRANGER):
            held = house.markets_of(account)
            self._same(house.collateral_of(account), "clearinghouse", "collateral_of", account)
            self._same((32, len(held), *held), "clearinghouse", "markets_of", account)
            for market in held:
                position = house.position_of(account, market)
                self._same(position, "clearinghouse", "position_of", account, market)
                ratios = house.ratios_of(market, position.size)
                self._same(ratios, "clearinghouse", "ratios_of", market, position.size)
        for holder in HOLDERS:
            address = self.addresses.get(holder, holder)
            self._same(self.token.balance_of(address), "token", "balance_of", address)
            self._same(self.pool.balance_of(address), "pool", "balance_of", address)
        for owner, operator in house._operators:
            self._same(house.is_operator(owner, operator), "clearinghouse", "is_operator", owner, operator)
        for owner in house._nonces:
            self._same(house.nonces(owner), "clearinghouse", "nonces", owner)
        for owner in self.token._nonces:
            self._same(self.token.nonces(owner), "token", "nonces", owner)
        for label, erc20 in (("token", self.token), ("pool", self.pool)):
            for owner, spender in erc20._allowances:
                self._same(erc20.allowance(owner, spender), label, "allowance", owner, spender)

    def _compare_price(self, market: int) -> None:
        expected: Any
        try:
            expected = self.house.price_of(market)
        except PerpError as error:
            expected = error
        try:
            self._same(expected if isinstance(expected, tuple) else (), "clearinghouse", "price_of", market)
        except RuntimeError as raised:
            found = decode_error(bytes.fromhex(str(raised).partition("output: 0x")[2].rstrip(" }")))
            if found != expected:
                raise Divergence(f"the price of market {market}: model {expected!r}, contract {found!r}") from None

    # ---- laws

    def _check_laws(self) -> None:
        house, vault = self.house, self.house.vault()
        accounts = {account: state.collateral for account, state in house._accounts.items()}
        fees = sum(house.state_of(market).protocol_fees for market in range(house.market_count))
        booked = sum(accounts.values()) + vault.pool + vault.insurance + vault.treasury + fees
        self._law("1, every token has an owner", booked == vault.booked <= self.token.balance_of(house.address))
        self._law("4, insurance", vault.insurance >= 0 and vault.treasury >= 0)
        for market in range(house.market_count):
            state = house.state_of(market)
            held = [position for (_, where), position in house._positions.items() if where == market]
            for long, oi, basis in (
                (True, state.long_oi, state.long_basis),
                (False, state.short_oi, state.short_basis),
            ):
                side = [position for position in held if (position.size > 0) == long]
                bases = sum(position.cost - position.size * position.funding_index for position in side)
                self._law("2, a side is the sum of its positions", oi == sum(abs(p.size) for p in side))
                self._law("2, a side's basis is the sum of theirs", basis == bases)
        for account, collateral in accounts.items():
            self._law("bankrupt accounts are written off", collateral >= 0 or bool(house.markets_of(account)))
        try:
            equity = sum(house.margin_of(account)[0] for account in accounts) + house.pool_equity()
        except PerpError:
            return
        owned = equity + (vault.insurance + vault.treasury + fees) * house.quantum
        self._law("3, equity adds up to the money", owned == vault.booked * house.quantum)

    def _law(self, name: str, holds: bool) -> None:
        if not holds:
            raise Divergence(f"law {name}: broken")

    # ---- what the state means to a trader

    def mark(self, market: int) -> int | None:
        """The mark price, if there is one."""
        try:
            return int(self.house.price_of(market)[0])
        except PerpError:
            return None

    def last_price(self, market: int) -> int:
        """What the first feed said last, in the feed's decimals."""
        return int(self.model.contract(feed_labels(self.specs[market])[0])._answer)

    def address(self, name: str) -> Address:
        """Of a role, a contract's label, nobody, or an address as it is."""
        if name == "zero":
            return ZERO_ADDRESS
        return ROLES.get(name) or self.addresses.get(name) or name

    def account(self, index: int) -> int:
        return ACCOUNTS[index] if index < len(ACCOUNTS) else STRANGER

    def actor(self, who: str, account: int) -> Address:
        """A role, or the owner of the account that the step is about."""
        return owner_of(account) if who == "owner" else self.address(who)

    def holders(self, market: int, long: bool) -> list[int]:
        """All accounts on one side of a market, ascending."""
        positions = self.house._positions.items()
        return sorted(a for (a, where), p in positions if where == market and (p.size > 0) == long)

    def money(self, millionths: int) -> int:
        """An amount in this token's quanta."""
        return millionths * self.scale if millionths < 2**86 else millionths

    def _share(self, whole: int, permille: int) -> int:
        """A share of what is there; one quantum more than all of it from 1001 on."""
        return max(whole, 0) + 1 if permille == 1001 else max(whole, 0) * permille // 1000
