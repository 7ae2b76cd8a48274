"""What a test expects of the books.

Every expectation about balances also proves conservation: what was not named did not move, the parts sum to the whole,
the sides sum to their positions, all equity sums to the tokens, and what the events said is what is stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from roles import House, name_of

from perpkit.backend import Receipt
from perpkit.market_setup import ROLES, UNIT
from perpkit.model.errors import OracleError, PerpError
from perpkit.model.events import (
    ClosedOut,
    Deleveraged,
    Deposited,
    Event,
    InsuranceFunded,
    Liquidated,
    PoolDeposited,
    PoolWithdrawn,
    ProtocolFeesCollected,
    Settled,
    Skimmed,
    Traded,
    Transferred,
    TreasuryWithdrawn,
    Withdrawn,
)
from perpkit.model.perp_math import basis_of
from perpkit.model.types import MarketState, Order, OrderStatus, Vault

E = TypeVar("E", bound=Event)


@dataclass(frozen=True)
class Books:
    """All that a refused action must leave as it was."""

    vault: Vault
    collateral: Mapping[str, int]
    wallets: Mapping[str, int]
    states: tuple[MarketState, ...]
    ether: Mapping[str, int]
    orders: tuple[Order, ...]

    @property
    def balances(self) -> dict[str, int]:
        """Every balance by name: accounts, the parts of the house, "fees:market" and "wallet:role"."""
        return {
            **self.collateral,
            **{f"wallet:{role}": balance for role, balance in self.wallets.items()},
            "pool": self.vault.pool,
            "insurance": self.vault.insurance,
            "treasury": self.vault.treasury,
            **{f"fees:{market}": state.protocol_fees for market, state in enumerate(self.states)},
        }


def books(house: House) -> Books:
    return Books(
        house.vault(),
        {name_of(account): house.collateral(name_of(account)) for account in sorted(house.accounts)},
        {role: house.wallet(role) for role in ROLES},
        tuple(house.state(market) for market in range(len(house.specs))),
        {who: house.ether(who) for who in (*ROLES, "orders")},
        all_orders(house),
    )


def all_orders(house: House) -> tuple[Order, ...]:
    """Every order that was ever placed, by id from 1 on."""
    if "orders" not in house.sandbox.deployed:
        return ()
    count: int = house.sandbox.call("orders", "order_count")
    return tuple(house.order(id) for id in range(1, count + 1))


@contextmanager
def pays(house: House, changes: Mapping[str, int]) -> Iterator[None]:
    """A block of code in which exactly the named addresses' ether changes, by exactly these wei."""
    before = books(house).ether
    yield
    after = books(house).ether
    moved = {who: after[who] - before[who] for who in after if after[who] != before[who]}
    assert moved == {who: change for who, change in changes.items() if change}
    laws_hold(house)


@contextmanager
def moves(house: House, changes: Mapping[str, int]) -> Iterator[None]:
    """A block of code in which exactly the named balances change, by exactly these amounts."""
    before = books(house).balances
    yield
    after = books(house).balances
    moved = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
    assert moved == {name: change for name, change in changes.items() if change}
    laws_hold(house)


@contextmanager
def refuses(house: House, error: PerpError) -> Iterator[None]:
    """A block of code that raises exactly `error`, values included, and leaves the books as they were."""
    before = books(house)
    with pytest.raises(PerpError) as caught:
        yield
    assert caught.value == error
    assert books(house) == before


def event_of(house: House, receipt: Receipt, kind: type[E]) -> E:
    """The one event of its kind, whose balances are those in storage."""
    found = [event for event in receipt.events if isinstance(event, kind)]
    assert len(found) == 1, f"one {kind.__name__} expected among {receipt.events}"
    tells_storage(house, found[0])
    return found[0]


def balances(house: House, expected: Mapping[str, int]) -> None:
    """The named balances are these, and the laws hold."""
    found = books(house).balances
    assert {name: found.get(name, 0) for name in expected} == dict(expected)
    laws_hold(house)


def tells_storage(house: House, event: Event) -> None:
    """What an event says of balances and positions is what is stored. Only for the last event of an action."""
    vault = house.vault()
    said: list[Any] = []
    stored: list[Any] = []
    match event:
        case Traded() | Settled() | Liquidated() | Deleveraged():
            name, state = name_of(event.account), house.state(event.market)
            said = [event.position, event.balances.collateral, event.sequence, event.funding_index]
            stored = [house.position(name, event.market), house.collateral(name), state.sequence, state.funding_index]
            said += [event.balances.pool, event.balances.insurance, event.balances.protocol_fees]
            stored += [vault.pool, vault.insurance, state.protocol_fees]
            if isinstance(event, Liquidated):
                said.append(event.keeper_collateral)
                stored.append(house.collateral(name_of(event.keeper)))
        case ClosedOut():
            name, state = name_of(event.account), house.state(event.market)
            said = [event.balances.collateral, event.sequence, event.balances.pool, event.balances.insurance]
            stored = [house.collateral(name), state.sequence, vault.pool, vault.insurance]
        case Deposited() | Withdrawn():
            said = [event.sequence, event.collateral]
            stored = [vault.sequence, house.collateral(name_of(event.account))]
        case Transferred():
            said = [event.sequence, event.from_collateral, event.to_collateral]
            stored = [vault.sequence, *(house.collateral(name_of(account)) for account in (event.from_, event.to))]
        case InsuranceFunded() | Skimmed():
            said, stored = [event.sequence, event.insurance], [vault.sequence, vault.insurance]
        case TreasuryWithdrawn():
            said, stored = [event.sequence, event.treasury], [vault.sequence, vault.treasury]
        case ProtocolFeesCollected():
            sequence = house.state(event.market).sequence
            said, stored = [event.sequence, event.treasury], [sequence, vault.treasury]
        case PoolDeposited() | PoolWithdrawn():
            said, stored = [event.sequence, event.pool], [vault.sequence, vault.pool]
        case _:
            raise AssertionError(f"{event} tells no balances")
    assert said == stored


def laws_hold(house: House) -> None:
    """Laws 1 to 4 of the design, exactly, over every account that an event has ever named."""
    vault = house.vault()
    names = [name_of(account) for account in sorted(house.accounts)]
    collateral = {name: house.collateral(name) for name in names}

    # The escrow is what open orders and credits are owed, to the wei.
    orders = all_orders(house)
    payers = {house.sandbox.call("orders", "payer_of", id) for id in range(1, len(orders) + 1)}
    credits = sum(house.sandbox.call("orders", "credit_of", payer) for payer in payers)
    if orders:
        open_fees = sum(order.fee for order in orders if order.status == OrderStatus.OPEN)
        assert house.ether("orders") == open_fees + credits

    # 1. The parts are the whole, and the whole is in the safe.
    house_money = vault.insurance + vault.treasury
    house_money += sum(house.state(market).protocol_fees for market in range(len(house.specs)))
    assert vault.booked == sum(collateral.values()) + vault.pool + house_money
    assert house.wallet(house.at("clearinghouse")) == vault.booked + house.unbooked
    assert vault.insurance >= 0
    assert vault.treasury >= 0

    # 2. Each side is the sum of its positions.
    for market in range(len(house.specs)):
        state = house.state(market)
        positions = [house.position(name, market) for name in names]
        longs = [position for position in positions if position.size > 0]
        shorts = [position for position in positions if position.size < 0]
        assert state.long_oi == sum(p.size for p in longs)
        assert state.short_oi == -sum(p.size for p in shorts)
        assert state.long_basis == sum(basis_of(p.size, p.cost, p.funding_index) for p in longs)
        assert state.short_basis == sum(basis_of(p.size, p.cost, p.funding_index) for p in shorts)

    # 3. Everybody's equity is the safe's content, in raw units. Needs prices.
    try:
        equities = [house.margin(name)[0] for name in names]
        pool_equity: int = house.sandbox.call("clearinghouse", "pool_equity")
    except OracleError:
        return
    quantum = 10**36 // house.dollar
    assert sum(equities) + pool_equity + house_money * quantum == vault.booked * quantum


def is_liquidatable(house: House, name: str) -> bool:
    """The definition, without the ledger's help."""
    equity, _, maintenance_margin = house.margin(name)
    return equity * UNIT < maintenance_margin


def worth(house: House, *names: str) -> int:
    """The raw equity of several accounts and their owners' wallets."""
    quantum = 10**36 // house.dollar
    owners = {name.partition("/")[0] for name in names}
    return sum(house.margin(name)[0] for name in names) + sum(house.wallet(owner) for owner in owners) * quantum
