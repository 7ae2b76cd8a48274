"""The parity walk: random actions on the bytecode and on the model, equal to the last digit after each.

A step is a tuple of plain values, `("trade", "owner", 3, 0, "open", 250, "any")`. It means something in any state:
sizes are leverage or shares of what is there, and become numbers only when the step is done. So a walk that fails can
be shortened by leaving steps out, and what is left can be pasted into a test as it was printed.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from typing import Any

from parity.keys import key_of
from perpkit.abi.codec import decode_error, decode_result, encode_call
from perpkit.backend import Receipt, Sandbox
from perpkit.chain.signing import sign_permit, sign_set_operator
from perpkit.local import LocalBackend
from perpkit.market_setup import (
    DEFAULT_MARKETS,
    DOLLAR,
    ROLES,
    UNIT,
    MarketSetup,
    MarketSpec,
    deploy_contracts,
    feed_answer,
    feed_labels,
    list_market,
    market_params,
    seed,
)
from perpkit.model import events as ev
from perpkit.model import perp_math
from perpkit.model.clearinghouse import Clearinghouse
from perpkit.model.errors import PerpError
from perpkit.model.fixed_math import PRICE_MAX
from perpkit.model.test_usd import UINT256_MAX
from perpkit.model.types import ZERO_ADDRESS, Address, MarketParams, OracleConfig, Signature, account_id, owner_of
from perpkit.revm import CHAIN_ID, GAS_LIMIT, RevmBackend

Step = tuple[Any, ...]
Outcome = tuple[str, str]

START = 1_800_000_000
HOUR, DAY = 3600, 86_400
LOT = 10**16  # sizes that leave no remainders, so that equalities really occur
INT256_MAX = 2**255 - 1
NOWHERE = 2**16 - 1  # no market has this id

ACTORS = tuple(ROLES)
# Several accounts of few owners, and at the end one of somebody who has none of the keys here.
ACCOUNTS = tuple(
    account_id(ROLES[role], sub)
    for role, sub in (
        ("trader", 0),
        ("trader", 1),
        ("trader", 2),
        ("counterparty", 0),
        ("counterparty", 1),
        ("whale", 0),
        ("whale", 2**96 - 1),
        ("market_maker", 0),
        ("market_maker", 1),
        ("keeper", 0),
        ("operator", 0),
        ("outsider", 0),
    )
)
STRANGER = account_id("0x" + "de" * 20, 7)
# Where tokens and shares may lie.
HOLDERS = (*ROLES.values(), "clearinghouse", "pool", owner_of(STRANGER))

VAULT_BITS = (1, 2, 4, 8)
MARKET_BITS = (1, 2, 4, 8)


# ------------------------------------------------------------------ situations


@dataclass(frozen=True)
class Situation:
    """What a walk starts with."""

    setup: MarketSetup
    decimals: int = 6

    @property
    def scale(self) -> int:
        """Quanta of this token for one millionth of a dollar."""
        return int(10 ** (self.decimals - 6))


def _steep(spec: MarketSpec, shallower: int, **changes: int) -> MarketSpec:
    """A market of the same name where trades move the price, and bounds are near."""
    params = spec.params
    scale = params.skew_scale // shallower
    return replace(
        spec, params=replace(params, skew_scale=scale, max_open_interest=scale // 4, **changes), heartbeat=2 * HOUR
    )


def _scaled(spec: MarketSpec, scale: int) -> MarketSpec:
    params = spec.params
    changes = {"min_notional": params.min_notional * scale, "min_keeper_reward": params.min_keeper_reward * scale}
    return replace(spec, params=replace(params, **changes))


THIN_MARKETS = tuple(_steep(spec, 500) for spec in DEFAULT_MARKETS)
GREEDY_MARKETS = tuple(_steep(spec, 500, adl_pnl_factor=UNIT // 20) for spec in DEFAULT_MARKETS)
NINE_MARKETS = tuple(
    MarketSpec(
        f"M{i}-USD",
        market_params(imr=300 + 100 * i, mmr=150 + 50 * i, skew_scale=20_000, max_open_interest=5_000),
        price=(i + 1) * 100 * UNIT,
        quorum=1,
        feeds=1 + i % 2,
    )
    for i in range(9)
)
# One price near the highest there is, and one so low that sizes come near the largest.
EDGE_MARKETS = (
    MarketSpec(
        "DEAR-USD",
        market_params(imr=200, mmr=100, skew_scale=10, max_open_interest=5),
        price=200_000_000 * UNIT,
    ),
    MarketSpec(
        "CHEAP-USD",
        market_params(imr=1000, mmr=500, skew_scale=70 * 10**9, max_open_interest=9 * 10**9),
        price=UNIT // 10_000,
    ),
)
E18 = 10**12
SITUATIONS = {
    "roomy": Situation(MarketSetup(DEFAULT_MARKETS)),
    "thin": Situation(MarketSetup(THIN_MARKETS, pool=400_000 * DOLLAR, insurance=300 * DOLLAR)),
    "uninsured": Situation(MarketSetup(GREEDY_MARKETS, pool=150_000 * DOLLAR, insurance=1)),
    "nine markets": Situation(MarketSetup(NINE_MARKETS, pool=2_000_000 * DOLLAR, insurance=20_000 * DOLLAR)),
    "edges": Situation(MarketSetup(EDGE_MARKETS, pool=5_000_000 * DOLLAR, insurance=20_000 * DOLLAR)),
    "18 decimals": Situation(
        MarketSetup(
            tuple(_scaled(spec, E18) for spec in THIN_MARKETS),
            pool=500_000 * DOLLAR * E18,
            insurance=2_000 * DOLLAR * E18,
            role_balance=1_000_000 * DOLLAR * E18,
        ),
        decimals=18,
    ),
}


def _set_up(sandbox: Sandbox, situation: Situation) -> None:
    deploy_contracts(sandbox, decimals=situation.decimals)
    for market, spec in enumerate(situation.setup.markets):
        list_market(sandbox, market, spec)
    seed(sandbox, situation.setup)


# ------------------------------------------------------------------ what is asked of both


@dataclass(frozen=True)
class Permit:
    """A permit to be: on a chain it takes the place of three arguments."""

    signer: Address
    owner: Address
    spender: Address
    value: int
    nonce: int
    deadline: int

    def for_model(self) -> tuple[Any, ...]:
        message = ("Permit", self.owner, self.spender, self.value, self.nonce, self.deadline)
        return (Signature(self.signer, message),)

    def for_chain(self, addresses: dict[str, Address]) -> tuple[Any, ...]:
        return sign_permit(
            key_of(self.signer),
            token=addresses["token"],
            owner=self.owner,
            spender=self.spender,
            value=self.value,
            nonce=self.nonce,
            deadline=self.deadline,
            chain_id=CHAIN_ID,
        )


@dataclass(frozen=True)
class OperatorSignature:
    """An owner's signature to be."""

    signer: Address
    owner: Address
    operator: Address
    approved: bool
    nonce: int
    deadline: int
    torn: bool = False

    def for_model(self) -> tuple[Any, ...]:
        message = ("SetOperator", self.owner, self.operator, self.approved, self.nonce, self.deadline)
        return (Signature(ZERO_ADDRESS if self.torn else self.signer, message),)

    def for_chain(self, addresses: dict[str, Address]) -> tuple[Any, ...]:
        signature = sign_set_operator(
            key_of(self.signer),
            clearinghouse=addresses["clearinghouse"],
            owner=self.owner,
            operator=self.operator,
            approved=self.approved,
            nonce=self.nonce,
            deadline=self.deadline,
            chain_id=CHAIN_ID,
        )
        return (signature[:40] if self.torn else signature,)


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


def _rendered(args: tuple[Any, ...], render: Callable[[Any], tuple[Any, ...]]) -> tuple[Any, ...]:
    done: list[Any] = []
    for arg in args:
        done += render(arg) if isinstance(arg, (Permit, OperatorSignature)) else (arg,)
    return tuple(done)


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


def _encoded(value: Any) -> bytes:
    return b"".join([word.to_bytes(32, "big") for word in _words(value)])


# ------------------------------------------------------------------ the walk


class Walk:
    """Both backends, side by side."""

    def __init__(self, situation: str) -> None:
        self.name = situation
        self.situation = SITUATIONS[situation]
        self.scale = self.situation.scale
        self.specs = list(self.situation.setup.markets)
        self.revm = RevmBackend(timestamp=START)
        _set_up(self.revm, self.situation)
        self.addresses = {label: deployed.address for label, deployed in self.revm.deployed.items()}
        self.model = LocalBackend(timestamp=START, addresses=self.addresses)
        _set_up(self.model, self.situation)
        self.house: Clearinghouse = self.model.contract("clearinghouse")
        self.token = self.model.contract("token")
        self.pool = self.model.contract("pool")
        self.lens = self.model.contract("lens")
        self.oracle = self.model.contract("oracle")
        self.outcomes: Counter[Outcome] = Counter()
        self._evm: Any = self.revm._evm
        self._allowances: set[tuple[str, Address, Address]] = set()

    def do(self, step: Step) -> None:
        """One step on both, and everything compared afterwards."""
        kind, *params = step
        for call in getattr(self, f"plan_{kind}")(*params):
            self._compare(call)
        self._compare_state()
        self._check_laws()

    # ---- comparing

    def _compare(self, call: Call | Multicall) -> None:
        expected = self._ask(self.model, call)
        found = self._ask(self.revm, call)
        function = call.function if call.label == "clearinghouse" else f"{call.label.partition(':')[0]}.{call.function}"
        if isinstance(expected, BaseException):
            if expected != found:
                raise Divergence(f"{call}: model refuses with {expected!r}, contract answers {found!r}")
            self.outcomes[function, type(expected).__name__] += 1
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
            return _rendered(call.args, lambda arg: arg.for_model())
        return _rendered(call.args, lambda arg: arg.for_chain(self.addresses))

    def _decoded(self, call: Multicall, results: Sequence[bytes]) -> tuple[Any, ...]:
        pairs = zip(call.calls, results, strict=True)
        return tuple(decode_result("Clearinghouse", inner.function, bytes(result)) for inner, result in pairs)

    def _note(self, event: ev.Event) -> None:
        """Counts how deep the walk has come."""
        if isinstance(event, ev.Liquidated):
            result = event.result
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
        self._same(self.pool.total_supply, "pool", "total_supply")
        self._same(self.token.total_supply, "token", "total_supply")
        for market in range(house.market_count):
            self._same(house.state_of(market), "clearinghouse", "state_of", market)
            self._same(house.params_of(market), "clearinghouse", "params_of", market)
            self._compare_price(market)
        for account in (*ACCOUNTS, STRANGER):
            held = house.markets_of(account)
            self._same(house.collateral_of(account), "clearinghouse", "collateral_of", account)
            self._same((32, len(held), *held), "clearinghouse", "markets_of", account)
            for market in held:
                self._same(house.position_of(account, market), "clearinghouse", "position_of", account, market)
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
            expected = self.oracle.price(market)
        except PerpError as error:
            expected = error
        try:
            self._same(expected if isinstance(expected, tuple) else (), "oracle", "price", market)
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
            return int(self.oracle.price(market)[0])
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

    # ---- the steps: money

    def plan_deposit(self, who: str, index: int, amount: int) -> Iterable[Call]:
        account = self.account(index)
        return [Call("clearinghouse", "deposit", (account, self.money(amount)), self.actor(who, account))]

    def plan_permit(self, who: str, index: int, amount: int, variant: str) -> Iterable[Call]:
        """`variant` is good, wrong signer, expired, or used first by somebody else."""
        account, value = self.account(index), self.money(amount)
        sender = self.actor(who, account)
        if sender not in ROLES.values():
            return []
        spender = self.addresses["clearinghouse"]
        deadline = self.revm.timestamp + (-1 if variant == "expired" else HOUR)
        signer = ROLES["outsider"] if variant == "wrong signer" else sender
        permit = Permit(signer, sender, spender, value, self.token.nonces(sender), deadline)
        used = Call("token", "permit", (sender, spender, value, deadline, permit), ROLES["outsider"])
        deposit = Call("clearinghouse", "deposit_with_permit", (account, value, deadline, permit), sender)
        return [used, deposit] if variant in ("used", "expired") else [deposit]

    def plan_withdraw(self, who: str, index: int, permille: int, to: str) -> Iterable[Call]:
        account = self.account(index)
        try:
            free = self.lens.account(account).withdrawable
        except PerpError:
            free = self.house.collateral_of(account)
        amount = 2**100 if permille == 9999 else self._share(free, permille)
        payee = owner_of(account) if to == "owner" else self.address(to)
        return [Call("clearinghouse", "withdraw", (account, amount, payee), self.actor(who, account))]

    def plan_transfer(self, who: str, index: int, to: int, permille: int) -> Iterable[Call]:
        account = self.account(index)
        amount = self._share(self.house.collateral_of(account), permille)
        return [Call("clearinghouse", "transfer", (account, self.account(to), amount), self.actor(who, account))]

    def plan_fund_insurance(self, who: str, amount: int) -> Iterable[Call]:
        return [Call("clearinghouse", "fund_insurance", (self.money(amount),), self.address(who))]

    def plan_skim(self, who: str) -> Iterable[Call]:
        return [Call("clearinghouse", "skim", (), self.address(who))]

    def plan_send(self, who: str, to: str, amount: int) -> Iterable[Call]:
        """Tokens sent from wallet to wallet, past `deposit`."""
        return [Call("token", "transfer", (self.address(to), self.money(amount)), self.address(who))]

    def plan_mint(self, who: str, amount: int) -> Iterable[Call]:
        return [Call("token", "mint", (self.address(who), self.money(amount)), self.address(who))]

    def plan_approve(self, who: str, spender: str, amount: int) -> Iterable[Call]:
        value = UINT256_MAX if amount < 0 else self.money(amount)
        return [Call("token", "approve", (self.address(spender), value), self.address(who))]

    def plan_withdraw_treasury(self, who: str, to: str, permille: int) -> Iterable[Call]:
        amount = self._share(self.house.vault().treasury, permille)
        return [Call("clearinghouse", "withdraw_treasury", (self.address(to), amount), self.address(who))]

    def plan_collect_fees(self, who: str, market: int) -> Iterable[Call]:
        return [Call("clearinghouse", "collect_fees", (market,), self.address(who))]

    # ---- the steps: pool

    def plan_pool_deposit(self, who: str, amount: int, receiver: str) -> Iterable[Call]:
        return [Call("pool", "deposit", (self.money(amount), self.address(receiver)), self.address(who))]

    def plan_pool_mint(self, who: str, amount: int, receiver: str) -> Iterable[Call]:
        shares = min(self.money(amount) * 10**6, UINT256_MAX)
        return [Call("pool", "mint", (shares, self.address(receiver)), self.address(who))]

    def plan_pool_withdraw(self, who: str, owner: str, receiver: str, permille: int) -> Iterable[Call]:
        """A share of what the owner's shares are worth, as far as the pool's reserve lets go."""
        try:
            worth = self.pool.preview_redeem(self.pool.balance_of(self.address(owner)))
        except PerpError:
            worth = 10**9
        amount = self._share(worth, permille)
        return [Call("pool", "withdraw", (amount, self.address(receiver), self.address(owner)), self.address(who))]

    def plan_pool_redeem(self, who: str, owner: str, receiver: str, permille: int) -> Iterable[Call]:
        shares = self._share(self.pool.balance_of(self.address(owner)), permille)
        return [Call("pool", "redeem", (shares, self.address(receiver), self.address(owner)), self.address(who))]

    def plan_pool_approve(self, who: str, spender: str, permille: int) -> Iterable[Call]:
        shares = UINT256_MAX if permille == 9999 else self._share(self.pool.balance_of(self.address(who)), permille)
        return [Call("pool", "approve", (self.address(spender), shares), self.address(who))]

    def plan_pool_transfer(self, who: str, to: str, permille: int) -> Iterable[Call]:
        shares = self._share(self.pool.balance_of(self.address(who)), permille)
        return [Call("pool", "transfer", (self.address(to), shares), self.address(who))]

    def plan_not_the_pool(self, who: str, amount: int) -> Iterable[Call]:
        """Somebody who is not the pool calls what only the pool may."""
        sender, value = self.address(who), self.money(amount)
        return [
            Call("clearinghouse", "deposit_pool", (value,), sender),
            Call("clearinghouse", "withdraw_pool", (value, sender), sender),
            Call("clearinghouse", "set_pool", (sender,), sender),
        ]

    def plan_pool_quotes(self, amount: int) -> Iterable[Call]:
        value = min(self.money(amount), 2**128)
        shares = value * 10**6
        return [
            Call("pool", "total_assets", reads=True),
            Call("pool", "preview_deposit", (value,), reads=True),
            Call("pool", "preview_mint", (shares,), reads=True),
            Call("pool", "preview_withdraw", (value,), reads=True),
            Call("pool", "preview_redeem", (shares,), reads=True),
        ]

    # ---- the steps: operators

    def plan_set_operator(self, who: str, operator: str, approved: bool) -> Iterable[Call]:
        return [Call("clearinghouse", "set_operator", (self.address(operator), approved), self.address(who))]

    def plan_sign_operator(self, who: str, owner: str, operator: str, approved: bool, variant: str) -> Iterable[Call]:
        """`variant` is good, wrong signer, other nonce, replayed, expired or torn."""
        address = self.address(owner)
        deadline = self.revm.timestamp - (1 if variant == "expired" else 0)
        nonce = self.house.nonces(address) + (1 if variant == "other nonce" else 0)
        signer = self.address("outsider" if variant == "wrong signer" else owner)
        chosen = self.address(operator)
        signature = OperatorSignature(signer, address, chosen, approved, nonce, deadline, variant == "torn")
        args = (address, chosen, approved, deadline, signature)
        call = Call("clearinghouse", "set_operator_by_signature", args, self.address(who))
        return [call, call] if variant == "replayed" else [call]

    # ---- the steps: trading

    def plan_trade(self, who: str, index: int, market: int, mode: str, number: int, limit: str) -> Iterable[Call]:
        """`mode` and `number`: open at a leverage in hundredths (negative: sell), resize by per cent of the position,
        balance per cent of the skew, or a bare size."""
        account = self.account(index)
        delta = self._delta(account, market, mode, number)
        args = (account, market, delta, self._limit(market, delta, limit))
        return [Call("clearinghouse", "trade", args, self.actor(who, account))]

    def _delta(self, account: int, market: int, mode: str, number: int) -> int:
        mark = self.mark(market) or 10**20
        if mode == "open":
            try:
                equity = max(self.house.margin_of(account)[0], 0)
            except PerpError:
                equity = max(self.house.collateral_of(account), 0) * self.house.quantum
            delta = equity * number // (100 * mark)
            return delta - delta % LOT if number % 2 else delta
        if mode == "resize":
            return self.house.position_of(account, market).size * number // 100
        if mode == "balance":
            state = self.house.state_of(market)
            return (state.short_oi - state.long_oi) * number // 100
        return number

    def _limit(self, market: int, delta: int, limit: str) -> int:
        """No limit; the very fill price; or the next price that the trade crosses."""
        mark, params, state = self.mark(market), self.house.params_of(market), self.house.state_of(market)
        if limit == "any" or mark is None or params.skew_scale == 0:
            return INT256_MAX if delta > 0 else 0
        fill = perp_math.fill_price(mark, state.long_oi - state.short_oi, delta, params.skew_scale)
        if limit == "crossed":
            fill += -1 if delta > 0 else 1
        return min(max(fill, -INT256_MAX), INT256_MAX)

    def plan_settle(self, who: str, index: int, market: int) -> Iterable[Call]:
        return [Call("clearinghouse", "settle", (self.account(index), market), self.address(who))]

    def plan_liquidate(self, who: str, index: int, market: int) -> Iterator[Call]:
        account = self.account(index)
        done = self.outcomes["liquidate", "done"]
        yield Call("clearinghouse", "liquidate", (account, market), self.address(who))
        if self.outcomes["liquidate", "done"] > done and self.house.position_of(account, market).size:
            equity, initial_margin, _ = self.house.margin_of(account)
            self._law("4, a partial liquidation restores initial margin", equity * UNIT >= initial_margin)

    def plan_liquidate_many(self, who: str, market: int, indices: Sequence[int]) -> Iterable[Call]:
        accounts = tuple(self.account(index) for index in indices)
        return [Call("clearinghouse", "liquidate_many", (market, accounts), self.address(who))]

    def plan_deleverage(self, who: str, market: int, long: bool, variant: str) -> Iterable[Call]:
        """`variant` is all holders, one left out, unordered, twice, with a stranger, or none."""
        accounts = self.holders(market, long)
        if variant == "one left out":
            accounts = accounts[:-1]
        elif variant == "unordered":
            accounts.reverse()
        elif variant == "twice":
            accounts = accounts[:1] * 2 + accounts[1:]
        elif variant == "with a stranger":
            accounts = sorted([*accounts, STRANGER])
        elif variant == "other side":
            accounts = self.holders(market, not long)
        elif variant == "none":
            accounts = []
        return [Call("clearinghouse", "deleverage", (market, long, tuple(accounts)), self.address(who))]

    # ---- the steps: governing

    def plan_list_market(self, who: str, change: str, value: int) -> Iterable[Call]:
        """A market like the first, with one parameter changed; its feeds are the first market's."""
        symbol = bytes(32) if change == "symbol" else b"NEW-USD".ljust(32, b"\0")
        params = self._changed(0, change, value)
        return [Call("clearinghouse", "list_market", (symbol, params, ()), self.address(who))]

    def plan_set_params(self, who: str, market: int, change: str, value: int) -> Iterable[Call]:
        params = self._changed(market, change, value)
        return [Call("clearinghouse", "set_market_params", (market, params, ()), self.address(who))]

    def _changed(self, market: int, change: str, value: int) -> MarketParams:
        """A market's first parameters but for one, so that changes do not add up."""
        params = self.specs[market if market < len(self.specs) else 0].params
        return replace(params, **{change: value}) if change not in ("", "symbol") else params

    def plan_pause_market(self, who: str, market: int, bits: int) -> Iterable[Call]:
        return [Call("clearinghouse", "set_market_paused", (market, bits), self.address(who))]

    def plan_pause_vault(self, who: str, bits: int) -> Iterable[Call]:
        return [Call("clearinghouse", "set_vault_paused", (bits,), self.address(who))]

    def plan_set_feeds(
        self, who: str, market: int, heartbeat: int, deviation: int, quorum: int, n: int
    ) -> Iterable[Call]:
        """The market's own feeds, `n` times over; markets that were listed later take those of the first."""
        labels = feed_labels(self.specs[market if market < len(self.specs) else 0])
        feeds = tuple(self.addresses[label] for label in labels) * n
        config = OracleConfig(heartbeat, deviation, quorum, feeds)
        return [
            Call("oracle", "set_feeds", (market, config), self.address(who)),
            Call("oracle", "config_of", (market,), reads=True),
        ]

    # ---- the steps: prices and time

    def plan_push(self, market: int, basis_points: int, feeds: int) -> Iterable[Call]:
        """Moves the price; `feeds` has a bit for each feed that follows."""
        answer = max(self.last_price(market) * (10_000 + basis_points) // 10_000, 1)
        return [self._push(market, answer, feeds)]

    def _push(self, market: int, answer: int, feeds: int, offset: int | None = None) -> Call:
        labels = [label for i, label in enumerate(feed_labels(self.specs[market])) if feeds >> i & 1]
        targets = tuple(self.addresses[label] for label in labels)
        answers = (answer,) * len(targets)
        if offset is None:
            return Call("board", "push", (targets, answers), ROLES["publisher"])
        args = (targets, answers, max(self.revm.timestamp + offset, 0))
        return Call("board", "push_at", args, ROLES["publisher"])

    def plan_squeeze(self, index: int, market: int, permille: int) -> Iterable[Call]:
        """Moves the price to where an account is liquidatable (0), bankrupt (1000), or between or beyond the two."""
        try:
            view = self.lens.account(self.account(index))
        except PerpError:
            return []
        for position in view.positions:
            if position.market == market < len(self.specs):
                reach = position.bankruptcy_price - position.liquidation_price
                price = position.liquidation_price + reach * permille // 1000
                first = feed_answer(self.specs[market].price)
                return [self._push(market, min(max(feed_answer(price), first >> 2), first << 2), 511)]
        return []

    def plan_push_all(self, *basis_points: int) -> Iterable[Call]:
        """All markets in a row; one that is not told stays where it is."""
        moves = [*basis_points, *[0] * len(self.specs)][: len(self.specs)]
        return [call for market, move in enumerate(moves) for call in self.plan_push(market, move, 511)]

    def plan_push_odd(self, market: int, answer: int, feeds: int, offset: int) -> Iterable[Call]:
        """An answer that may be zero or negative, or of another time; the feeds keep their last good price in mind."""
        return [self._push(market, answer or self.last_price(market), feeds & ~1 if answer else feeds, offset)]

    def plan_zero(self, market: int, feeds: int) -> Iterable[Call]:
        return [self._push(market, 0, feeds & ~1)]

    def plan_push_unowned(self, who: str, market: int) -> Iterable[Call]:
        label = feed_labels(self.specs[market])[0]
        args = ((self.addresses[label],), (10**8,))
        return [Call("board", "push", args, self.address(who)), Call(label, "push", (10**8,), self.address(who))]

    def plan_time(self, seconds: int) -> Iterable[Call]:
        for backend in (self.model, self.revm):
            backend.set_time(backend.timestamp + seconds)
        return []

    # ---- the steps: several at once, and looking

    def plan_multicall(self, who: str, *steps: Step) -> Iterable[Multicall]:
        """Steps that were made for one sender, resolved in the state before all of them."""
        calls: list[Call] = []
        for kind, *params in steps:
            plan = getattr(self, f"plan_{kind}")(*params)
            calls += [next(iter(plan))] if kind == "liquidate" else [call for call in plan if not call.reads]
        calls = [call for call in calls if call.label == "clearinghouse"]
        sender = self.address(who) if who != "owner" or not calls else calls[0].sender
        return [Multicall(tuple(calls), sender)]

    def plan_preview_trade(self, index: int, market: int, mode: str, number: int, limit: str) -> Iterable[Call]:
        account = self.account(index)
        delta = self._delta(account, market, mode, number)
        args = (account, market, delta, self._limit(market, delta, limit))
        return [Call("lens", "preview_trade", args, reads=True)]

    def plan_preview_withdraw(self, index: int, permille: int) -> Iterable[Call]:
        (call,) = self.plan_withdraw("owner", index, permille, "owner")
        return [Call("lens", "preview_withdraw", (call.args[0], call.args[1]), reads=True)]

    def plan_preview_liquidation(self, index: int, market: int) -> Iterable[Call]:
        return [Call("lens", "preview_liquidation", (self.account(index), market), reads=True)]

    def plan_look(self) -> Iterable[Call]:
        """Every view of the lens, and the sums of the house."""
        trader = ROLES["trader"]
        calls = [
            Call("lens", "markets", reads=True),
            Call("lens", "accounts_of", (trader, 0, 3), reads=True),
            Call("clearinghouse", "pool_equity", reads=True),
        ]
        for account in ACCOUNTS:
            calls += [
                Call("lens", "account", (account,), reads=True),
                Call("clearinghouse", "margin_of", (account,), reads=True),
            ]
        return calls


# ------------------------------------------------------------------ choosing steps


class Chooser:
    """Chooses steps that lead somewhere: it knows what the market needs, and now and then does something silly."""

    def __init__(self, rng: random.Random, walk: Walk) -> None:
        self.rng = rng
        self.walk = walk
        self.choices: list[tuple[int, Callable[[], Step]]] = [
            (36, self.trade),
            (7, self.deposit),
            (3, self.permit),
            (6, self.withdraw),
            (5, self.transfer),
            (5, self.settle),
            (4, self.liquidate),
            (4, self.liquidate_many),
            (3, self.deleverage),
            (2, lambda: ("fund_insurance", self.role(), self.amount() // 50)),
            (2, lambda: ("skim", self.role())),
            (2, lambda: ("send", self.role(), self.rng.choice(("clearinghouse", "outsider", "zero")), self.amount())),
            (1, lambda: ("mint", self.role(), self.amount())),
            (2, lambda: ("approve", self.role(), self.rng.choice(("clearinghouse", "pool")), self.allowance())),
            (2, lambda: ("withdraw_treasury", self.governor(), self.role(), self.permille())),
            (3, lambda: ("collect_fees", self.role(), self.market())),
            (9, self.pool),
            (4, self.operator),
            (4, self.govern),
            (16, self.push),
            (8, self.squeeze),
            (3, self.push_odd),
            (9, self.time),
            (4, self.multicall),
            (6, self.preview),
            (1, lambda: ("look",)),
        ]

    def next(self) -> Step:
        return self._urgent() or self._any()

    def _any(self) -> Step:
        weights = [weight for weight, _ in self.choices]
        return self.rng.choices(self.choices, weights)[0][1]()

    def _urgent(self) -> Step | None:
        """What the state calls for, most of the time."""
        rng, walk, house = self.rng, self.walk, self.walk.house
        vault = house.vault()
        if vault.paused and rng.random() < 0.2:
            return "pause_vault", "governor", 0
        market = rng.randrange(house.market_count)
        if house.state_of(market).paused and rng.random() < 0.2:
            return "pause_market", "governor", market, 0
        if any(walk.mark(m) is None for m in range(len(walk.specs))) and rng.random() < 0.35:
            return ("push_all", *[self._drift(m) + rng.randint(-300, 300) for m in range(len(walk.specs))])
        if rng.random() < 0.04:
            spec = walk.specs[market] if market < len(walk.specs) else walk.specs[0]
            config = OracleConfig(2 * HOUR, UNIT // 50, min(2, spec.feeds), ())
            if replace(walk.oracle.config_of(market), feeds=()) != config:
                return "set_feeds", "governor", market, config.heartbeat, config.max_deviation, config.quorum, 1
        for label in ("clearinghouse", "pool"):
            role = self.role()
            allowance = walk.token.allowance(ROLES[role], walk.addresses[label])
            if allowance < 10**12 * walk.scale and rng.random() < 0.3:
                return "approve", role, label, -1
        if walk.token.balance_of(ROLES[role]) < 10**10 * walk.scale and rng.random() < 0.3:
            return "mint", role, 10**11
        if rng.random() < 0.25 and (weak := self._liquidatable()):
            return ("liquidate", self.role(), *rng.choice(weak))
        if rng.random() < 0.3 and (sides := self._overdue()):
            return ("deleverage", self.role(), *rng.choice(sides), "all")
        return None

    def _liquidatable(self) -> list[tuple[int, int]]:
        found = []
        for index, account in enumerate(ACCOUNTS):
            try:
                equity, _, maintenance_margin = self.walk.house.margin_of(account)
            except PerpError:
                continue
            if equity * UNIT < maintenance_margin:
                found += [(index, market) for market in self.walk.house.markets_of(account)]
        return found

    def _overdue(self) -> list[tuple[int, bool]]:
        """Sides that may be deleveraged."""
        house, found = self.walk.house, []
        for market in range(house.market_count):
            mark, state = self.walk.mark(market), house.state_of(market)
            for long in (True, False):
                deficit = state.short_deficit if long else state.long_deficit
                if mark and (state.long_oi if long else state.short_oi):
                    profit = house._side_pnl(state, long, mark, state.funding_index)
                    target = perp_math.deleverage_target(
                        profit, house.vault().pool, deficit, house.params_of(market).adl_pnl_factor, house.quantum
                    )
                    wins = any(
                        perp_math.unrealized_pnl(p.size, p.cost, mark, state.funding_index - p.funding_index)
                        >= house.quantum
                        for p in (house.position_of(a, market) for a in self.walk.holders(market, long))
                    )
                    if target > 0 and wins:
                        found.append((market, long))
        return found

    # ---- ingredients

    def role(self) -> str:
        return self.rng.choice(ACTORS)

    def governor(self) -> str:
        return "governor" if self.rng.random() < 0.85 else self.role()

    def owner(self) -> str:
        """Mostly the owner; else an operator, or somebody who may not."""
        return "owner" if self.rng.random() < 0.85 else self.rng.choice(("operator", "outsider"))

    def index(self) -> int:
        return self.rng.randrange(len(ACCOUNTS)) if self.rng.random() < 0.97 else len(ACCOUNTS)

    def market(self) -> int:
        if self.rng.random() < 0.02:
            return self.rng.choice((NOWHERE, 31, self.walk.house.market_count))
        if self.rng.random() < 0.5 and len(self.walk.specs) < 9:
            return 0
        return self.rng.randrange(self.walk.house.market_count)

    def amount(self) -> int:
        """Money in millionths of a dollar."""
        pick = self.rng.random()
        if pick < 0.04:
            return self.rng.choice((0, 1, 2**108, 2**87 - 1, 2**87, 2**255, 2**256 - 1))
        return self.rng.randint(1, 30_000) * DOLLAR // self.rng.choice((1, 1, 7, 30)) + self.rng.randint(0, 999_999)

    def allowance(self) -> int:
        return self.rng.choice((-1, 0, self.amount()))

    def permille(self) -> int:
        return self.rng.choice((1000, 1000, 1001, 0, 9999, self.rng.randint(1, 1000), self.rng.randint(1, 1000)))

    # ---- steps

    def deposit(self) -> Step:
        poor = [i for i, account in enumerate(ACCOUNTS) if self.walk.house.collateral_of(account) < 100 * DOLLAR]
        index = self.rng.choice(poor) if poor and self.rng.random() < 0.6 else self.index()
        return "deposit", "owner" if self.rng.random() < 0.7 else self.role(), index, self.amount()

    def permit(self) -> Step:
        variant = self.rng.choice(("good", "good", "wrong signer", "expired", "used"))
        return "permit", "owner", self.index(), self.amount(), variant

    def withdraw(self) -> Step:
        to = "owner" if self.rng.random() < 0.7 else self.rng.choice(("outsider", "clearinghouse", "zero", "whale"))
        return "withdraw", self.owner(), self.index(), self.permille(), to

    def transfer(self) -> Step:
        index = self.index()
        to = self.index() if self.rng.random() < 0.3 else min(max(index + self.rng.choice((-1, 0, 1)), 0), 8)
        return "transfer", self.owner(), index, to, self.permille()

    def _trade(self) -> tuple[str, int, str]:
        rng = self.rng
        limit = rng.choice(("any", "any", "any", "exact", "crossed"))
        pick = rng.random()
        if pick < 0.55:
            leverage = rng.choice((rng.randint(5, 100), rng.randint(100, 1000), rng.randint(1000, 11_000)))
            return "open", rng.choice((-1, 1)) * leverage, limit
        if pick < 0.86:
            number = rng.choice((-100, -100, -rng.randint(1, 99), rng.randint(1, 60), -rng.randint(101, 250)))
            return "resize", number, limit
        if pick < 0.93:
            return "balance", rng.choice((100, rng.randint(1, 200))), limit
        sizes = (0, 1, -1, rng.randint(-1000, 1000), 10**18, 2**96, -(2**96), 2**95, -(2**95), 2**255 - 1, -(2**255))
        return "size", rng.choice(sizes), "any" if abs(pick) < 0.99 else limit

    def trade(self) -> Step:
        held = [(i, market) for i, account in enumerate(ACCOUNTS) for market in self.walk.house.markets_of(account)]
        mode, number, limit = self._trade()
        if mode == "resize" and held and self.rng.random() < 0.9:
            return "trade", self.owner(), *self.rng.choice(held), mode, number, limit
        house = self.walk.house
        if len(self.walk.specs) > 8 and self.rng.random() < 0.4:
            _, index = max((len(house.markets_of(account)), i) for i, account in enumerate(ACCOUNTS))
            free = [m for m in range(house.market_count) if not house.position_of(ACCOUNTS[index], m).size]
            leverage = self.rng.choice((-1, 1)) * self.rng.randint(5, 30)
            return "trade", "owner", index, self.rng.choice(free or [0]), "open", leverage, "any"
        rich = [i for i, account in enumerate(ACCOUNTS) if house.collateral_of(account) > 0]
        index = self.rng.choice(rich) if rich and mode != "size" and self.rng.random() < 0.9 else self.index()
        return "trade", self.owner(), index, self.market(), "open" if mode == "resize" else mode, number, limit

    def _held(self) -> tuple[int, int]:
        held = [(i, market) for i, account in enumerate(ACCOUNTS) for market in self.walk.house.markets_of(account)]
        return self.rng.choice(held) if held and self.rng.random() < 0.85 else (self.index(), self.market())

    def settle(self) -> Step:
        return "settle", self.role(), *self._held()

    def liquidate(self) -> Step:
        return "liquidate", self.role(), *self._held()

    def liquidate_many(self) -> Step:
        indices = tuple(self.index() for _ in range(self.rng.choice((0, 1, 3, 12, 12))))
        return "liquidate_many", self.role(), self.market(), indices

    def deleverage(self) -> Step:
        variants = ("all", "one left out", "unordered", "twice", "with a stranger", "other side", "none")
        overdue = self._overdue()
        side = self.rng.choice(overdue) if overdue else (self.market(), self.rng.random() < 0.5)
        return "deleverage", self.role(), *side, self.rng.choice(variants)

    def pool(self) -> Step:
        rng, who, owner = self.rng, self.role(), self.rng.choice(("provider", "provider", "whale", self.role()))
        caller = owner if rng.random() < 0.7 else who
        permille = rng.choice((rng.randint(1, 60), self.permille()))
        return rng.choice(
            (
                ("pool_deposit", owner, self.amount(), rng.choice((owner, who))),
                ("pool_mint", owner, self.amount(), rng.choice((owner, who))),
                ("pool_withdraw", caller, owner, who, permille),
                ("pool_redeem", caller, owner, who, permille),
                ("pool_approve", owner, who, rng.choice((permille, 9999))),
                ("pool_transfer", owner, who, permille),
                ("not_the_pool", self.role(), self.amount()),
                ("pool_quotes", self.amount()),
            )
        )

    def operator(self) -> Step:
        owner = self.rng.choice(("trader", "whale", "counterparty"))
        operator, approved = self.rng.choice(("operator", "operator", "outsider")), self.rng.random() < 0.7
        if self.rng.random() < 0.4:
            return "set_operator", owner, operator, approved
        variants = ("good", "good", "wrong signer", "other nonce", "replayed", "expired", "torn")
        return "sign_operator", self.role(), owner, operator, approved, self.rng.choice(variants)

    def govern(self) -> Step:
        rng = self.rng
        bad = {
            "imr": (2 * UNIT, 1),
            "mmr": (0, 1, UNIT),
            "penalty_rate": (UNIT // 2,),
            "taker_fee": (UNIT // 10 + 1,),
            "maker_fee": (UNIT // 10 + 1,),
            "insurance_share": (UNIT,),
            "protocol_share": (UNIT,),
            "max_funding_rate": (UNIT // 10 + 1,),
            "pool_reserve_factor": (UNIT + 1,),
            "skew_scale": (0, 1),
            "max_open_interest": (2**96 - 1,),
            "funding_interval": (3599, 30 * DAY + 1),
            "min_notional": (2**87, 0),
            "min_keeper_reward": (2**80,),
            "keeper_share": (UNIT + 1,),
            "adl_pnl_factor": (UNIT,),
            "symbol": (0,),
        }
        good = {
            "": (0,),
            "taker_fee": (0, UNIT // 10, UNIT // 777),
            "maker_fee": (0, UNIT // 10, UNIT // 3333),
            "insurance_share": (0, UNIT // 3),
            "max_funding_rate": (0, UNIT // 10),
            "pool_reserve_factor": (UNIT, UNIT // 10),
            "funding_interval": (3600, 30 * DAY),
            "min_notional": (10_000 * DOLLAR * self.walk.scale,),
            "keeper_share": (0, UNIT),
            "adl_pnl_factor": (0, UNIT - 1, UNIT // 20),
            "imr": (UNIT // 10, UNIT),
            "penalty_rate": (0, UNIT // 1000),
        }
        pick, market, who = rng.random(), self.market(), self.governor()
        if pick < 0.25:
            return "pause_vault", who, rng.choice((0, 15, 65535, *VAULT_BITS))
        if pick < 0.45:
            return "pause_market", who, market, rng.choice((0, 15, 65535, *MARKET_BITS))
        if pick < 0.6:
            return self._feeds(who, market)
        table = bad if rng.random() < 0.5 else good
        change = rng.choice(sorted(table))
        kind = "list_market" if rng.random() < 0.3 or change == "symbol" else "set_params"
        if kind == "list_market" and table is good and self.walk.house.market_count > len(self.walk.specs):
            kind = "set_params"
        value = rng.choice(table[change])
        return (kind, who, change, value) if kind == "list_market" else (kind, who, market, change, value)

    def _feeds(self, who: str, market: int) -> Step:
        rng = self.rng
        if rng.random() < 0.5:
            heartbeat, deviation, quorum, n = rng.choice(
                ((0, 0, 1, 1), (HOUR, UNIT, 1, 1), (HOUR, 0, 0, 1), (HOUR, 0, 99, 1), (HOUR, 0, 1, 0), (HOUR, 0, 1, 10))
            )
        else:
            heartbeat, deviation = rng.choice((HOUR, 40 * DAY)), rng.choice((0, UNIT // 100, UNIT - 1))
            quorum, n = 1, rng.choice((1, 2, 3))
        return "set_feeds", who, market, heartbeat, deviation, quorum, n

    def push(self) -> Step:
        rng = self.rng
        market = rng.randrange(len(self.walk.specs))
        drift = self._drift(market)
        pick = rng.random()
        if pick < 0.2:
            move = rng.choice((rng.randint(-150, 150), rng.randint(-900, 900), 500, -500))
            return "push", market, move, 1 << rng.randrange(1, 3)
        if pick < 0.5:
            return "push", market, drift + rng.randint(-120, 120), 511
        if pick < 0.75:
            return "push", market, drift + rng.randint(-800, 800), 511
        if pick < 0.85:
            return "push", market, drift + rng.randint(-4000, 4000), 511
        return ("push_all", *[self._drift(m) + rng.randint(-500, 500) for m in range(len(self.walk.specs))])

    def squeeze(self) -> Step:
        """Now and then the price that makes somebody's account weak, or worse."""
        permille = self.rng.choice((0, 0, 1000, self.rng.randint(0, 1000), self.rng.randint(0, 1000), 1100, 2000))
        return "squeeze", *self._held(), permille

    def _drift(self, market: int) -> int:
        """Back to where the price came from, once it is far away."""
        now, first = self.walk.last_price(market), feed_answer(self.walk.specs[market].price)
        if first <= 3 * now <= 9 * first and now <= feed_answer(PRICE_MAX):
            return 0
        return (first - now) * 10_000 // now

    def push_odd(self) -> Step:
        rng, market = self.rng, self.rng.randrange(len(self.walk.specs))
        pick, feeds = rng.random(), rng.choice((1, 2, 4, 6, 7))
        if pick < 0.2:
            return "zero", market, 6
        if pick < 0.35:
            return "push_odd", market, rng.choice((-1, -(2**127), 2**127 - 1, 1)), feeds | 6, 0
        if pick < 0.9:
            return "push_odd", market, 0, feeds, rng.choice((1, HOUR, -HOUR, -2 * HOUR, -2 * HOUR - 1, -(2**40), 0))
        return "push_unowned", self.role(), market

    def time(self) -> Step:
        rng = self.rng
        if rng.random() < 0.8:
            return "time", rng.choice((0, 1, 12, 60, rng.randint(0, HOUR)))
        return "time", rng.choice((HOUR, 2 * HOUR, 2 * HOUR + 1, rng.randint(0, DAY), rng.randint(0, 30 * DAY)))

    def multicall(self) -> Step:
        index = self.index()
        account = self.walk.account(index)
        role = next((name for name, address in ROLES.items() if address == owner_of(account)), "outsider")
        parts: list[Callable[[], Step]] = [
            lambda: ("deposit", role, index, self.amount()),
            lambda: ("trade", role, index, self.market(), *self._trade()),
            lambda: ("withdraw", role, index, self.rng.randint(0, 500), "owner"),
            lambda: ("settle", role, *self._held()),
            lambda: ("liquidate", role, *self._held()),
            lambda: ("liquidate_many", role, self.market(), tuple(range(12))),
            lambda: ("transfer", role, index, max(index - 1, 0), self.rng.randint(0, 500)),
            lambda: ("set_operator", role, "operator", self.rng.random() < 0.5),
            lambda: ("deleverage", role, self.market(), self.rng.random() < 0.5, "all"),
            lambda: ("sign_operator", role, role, "operator", True, "good"),
            lambda: ("skim", role),
            lambda: ("permit", role, index, self.amount(), "good"),
            lambda: ("set_params", role, 0, "", 0),
        ]
        weights = [4, 8, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1]
        return ("multicall", role, *[make() for make in self.rng.choices(parts, weights, k=self.rng.randint(0, 4))])

    def preview(self) -> Step:
        pick = self.rng.random()
        if pick < 0.5:
            return "preview_trade", *self._held(), *self._trade()
        if pick < 0.75:
            return "preview_withdraw", self.index(), self.permille()
        return "preview_liquidation", *(self.rng.choice(self._liquidatable() or [self._held()]))


# ------------------------------------------------------------------ walking and shrinking


def wander(situation: str, rng: random.Random, steps: int, *, shorten: bool = True) -> Walk:
    """A walk of `steps` steps; one that fails is shortened, and printed to be pasted."""
    walk = Walk(situation)
    done: list[Step] = []
    chooser = Chooser(rng, walk)
    for _ in range(steps):
        step = chooser.next()
        done.append(step)
        try:
            walk.do(step)
        except Exception as error:
            if not shorten:
                raise Divergence(f"after {len(done)} steps, at {step}: {error}") from error
            raise Divergence(_report(situation, shrink(situation, done), error)) from error
    return walk


def replay(situation: str, steps: Iterable[Step]) -> Walk:
    """Does a list of steps again; raises `Divergence` when the two sides differ."""
    walk = Walk(situation)
    for step in steps:
        walk.do(step)
    return walk


def diverges(situation: str, steps: Sequence[Step]) -> bool:
    try:
        replay(situation, steps)
    except Exception:
        return True
    return False


def shrink(situation: str, steps: Sequence[Step], attempts: int = 400) -> list[Step]:
    """A shorter list that still fails: leaves out ever smaller stretches as long as that can be done."""
    kept, size = list(steps), max(len(steps) // 2, 1)
    while attempts and size:
        start = 0
        while start < len(kept) and attempts:
            attempts -= 1
            shorter = kept[:start] + kept[start + size :]
            if diverges(situation, shorter):
                kept = shorter
            else:
                start += size
        size = size // 2 if size > 1 else 0
    return kept


def _report(situation: str, steps: Sequence[Step], error: Exception) -> str:
    lines = "\n".join(f"        {step!r}," for step in steps)
    try:
        replay(situation, steps)
    except Exception as shortest:
        error = shortest
    call = f"    replay(\n        {situation!r},\n        [\n{lines}\n        ],\n    )\n"
    return f"{type(error).__name__}: {error}\n\nTo see it again:\n\n{call}"
