"""What a client does with a backend beyond the seam: several reads at one block, and steps that are tried out.

A chain does both by itself (`call_many`, `simulate`); a sandbox does them one after the other and rolls back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from perpkit.backend import LOCAL_CHAIN_IDS, Backend, Receipt, Sandbox
from perpkit.client.errors import PreviewUnavailable, SigningUnavailable
from perpkit.model.events import Event
from perpkit.model.types import Address, SignedOrder

# A label, a function and its arguments.
Call = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """A block and its time {s}; no block where there are none."""

    block: int | None
    timestamp: int


@runtime_checkable
class ReadsAtOneBlock(Protocol):
    """A backend whose state moves on by itself."""

    def head(self) -> tuple[int, int]:
        """The newest block's number and time."""
        ...

    def call_many(self, calls: Sequence[Call], *, block: int | None = None) -> list[Any]:
        """Every call's result at one block; the newest when none is named."""
        ...


@runtime_checkable
class Simulates(Protocol):
    """A backend that tries out steps without doing them."""

    def simulate(
        self, steps: Sequence[Call], *, then: Sequence[Call], sender: Address, values: Sequence[int] = ()
    ) -> tuple[tuple[Event, ...], list[Any]]:
        """The events of the steps, and what the calls read after them. Raises the error of the first step refused.
        `values` {wei} go with the steps, none where it is too short."""
        ...


@runtime_checkable
class TellsTime(Protocol):
    """A backend whose time passes between its blocks."""

    def next_time(self) -> int:
        """When a transaction that is sent now may happen. {s}"""
        ...


@runtime_checkable
class SignsOrders(Protocol):
    """A backend that signs orders for its sender."""

    @property
    def chain_id(self) -> int: ...

    def sign_order(self, order: SignedOrder, *, sender: Address) -> Any:
        """The signature with which anyone may bring the order."""
        ...


def now(backend: Backend) -> Moment:
    if isinstance(backend, ReadsAtOneBlock):
        return Moment(*backend.head())
    return Moment(None, backend.timestamp)


def next_time(backend: Backend) -> int:
    """When the next transaction may happen {s}: later than the newest block where time passes without blocks."""
    if isinstance(backend, TellsTime):
        return backend.next_time()
    return backend.timestamp


def call_many(backend: Backend, calls: Sequence[Call], *, block: int | None = None) -> list[Any]:
    """The results of several calls at one block."""
    if isinstance(backend, ReadsAtOneBlock):
        return backend.call_many(calls, block=block)
    return [backend.call(*call) for call in calls]


def simulate(
    backend: Backend, steps: Sequence[Call], *, then: Sequence[Call], sender: Address, values: Sequence[int] = ()
) -> tuple[tuple[Event, ...], list[Any]]:
    """Does the steps, with `values` wei where there are some, makes the calls, and leaves everything as it was."""
    if isinstance(backend, Simulates):
        try:
            return backend.simulate(steps, then=then, sender=sender, values=values)
        except NotImplementedError:
            raise PreviewUnavailable(backend.name) from None
    if not hasattr(backend, "rolled_back"):
        raise PreviewUnavailable(backend.name)
    sandbox: Sandbox = backend  # type: ignore[assignment]  # what rolls back is a sandbox
    with sandbox.rolled_back():
        receipts = [
            sandbox.transact(*step, sender=sender, value=values[index] if index < len(values) else 0)
            for index, step in enumerate(steps)
        ]
        results = [sandbox.call(*call) for call in then]
    return tuple(event for receipt in receipts for event in receipt.events), results


def send(backend: Backend, steps: Sequence[Call], *, sender: Address) -> Receipt:
    """One transaction of the clearinghouse that does all steps, or none."""
    if len(steps) == 1:
        return backend.transact(*steps[0], sender=sender)
    actions = tuple(backend.action(*step) for step in steps)
    return backend.transact("clearinghouse", "multicall", actions, sender=sender)


def is_local(backend: Backend) -> bool:
    """Whether a backend is a chain for trying things out; what has no chain id runs in this process."""
    return getattr(backend, "chain_id", LOCAL_CHAIN_IDS[0]) in LOCAL_CHAIN_IDS


def sign_order(backend: Backend, order: SignedOrder, *, sender: Address) -> Any:
    """The sender's signature of an order."""
    if not isinstance(backend, SignsOrders):
        raise SigningUnavailable(backend.name)
    return backend.sign_order(order, sender=sender)


def chain_id(backend: Backend) -> int:
    """For which chain a backend signs."""
    if not isinstance(backend, SignsOrders):
        raise SigningUnavailable(backend.name)
    return backend.chain_id
