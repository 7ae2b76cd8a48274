"""The seam. A `Backend` is anything that holds the market: the Python model, the real bytecode in process, or a chain.

Contracts have labels ("clearinghouse", "orders", "lens", "token", "pool", "oracle", "board", "feed:ETH-USD:0");
functions and arguments are those of the Solidity interface in snake_case, values those of `perpkit.model.types`. The
same call on any backend gives the same events or raises the same exception.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from perpkit.model.events import Event
from perpkit.model.types import Address

# Chains for trying things out.
LOCAL_CHAIN_IDS = (31337, 1337)

# When something was said {s}, and what.
TimedEvent = tuple[int, Event]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an accepted transaction did.

    `value` is the function's result; a chain does not tell it, so it is None there. Events know everything.
    """

    events: tuple[Event, ...]
    timestamp: int
    value: Any = None
    gas_used: int | None = None
    transaction: str | None = None
    block: int | None = None


@dataclass(frozen=True, slots=True)
class Deployed:
    """A contract at an address."""

    label: str
    contract: str
    address: Address


class Backend(Protocol):
    """Where the market lives: reads, and transactions."""

    name: str

    @property
    def timestamp(self) -> int:
        """The time at which the next transaction happens. {s}"""
        ...

    @property
    def deployed(self) -> Mapping[str, Deployed]:
        """The contracts by label."""
        ...

    def call(self, label: str, function: str, *args: Any, sender: Address | None = None) -> Any:
        """The result of a function, with nothing changed. Raises the contract's own error."""
        ...

    def transact(self, label: str, function: str, *args: Any, sender: Address, value: int = 0) -> Receipt:
        """Does a function, with `value` wei for the contract. Raises the contract's own error, and then nothing is
        changed."""
        ...

    def events_since(self, cursor: int) -> tuple[tuple[TimedEvent, ...], int]:
        """All events from `cursor` on, and the cursor after them; 0 is the beginning."""
        ...

    def action(self, label: str, function: str, *args: Any) -> Any:
        """A call as data, for `multicall`."""
        ...


class Sandbox(Backend, Protocol):
    """A backend of one's own, where one deploys contracts, moves time and acts for anybody."""

    def deploy(self, label: str, contract: str, *args: Any, sender: Address) -> Address:
        """Puts a contract on the chain under a label."""
        ...

    def set_time(self, timestamp: int) -> None:
        """Sets the time of the next transaction, which time never goes back before. {s}"""
        ...

    def ether_of(self, address: Address) -> int:
        """The wei of an address. Whoever acts first on a sandbox is given `ETHER_GIVEN` (model/contract.py)."""
        ...

    def rolled_back(self) -> AbstractContextManager[None]:
        """A block of code after which everything is as it was before."""
        ...
