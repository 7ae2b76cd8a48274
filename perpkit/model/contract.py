"""What the twins share with contracts: storage that a refused action leaves as it was, events, and a clock.

`external` is the twin of an external function: all of it happens, or nothing does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from perpkit.model.errors import OwnableUnauthorizedAccount
from perpkit.model.events import Event
from perpkit.model.types import Address

K = TypeVar("K")
V = TypeVar("V")
P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound="Contract")

_MISSING = object()

# What whoever acts on a sandbox has to pay from. {wei}
ETHER_GIVEN = 10**24


class World:
    """The chain that the twins live on: the clock {s}, the log with its times, and the undo journal."""

    def __init__(self, timestamp: int) -> None:
        self.timestamp = timestamp
        self.events: list[Event] = []
        # Wei by address, and the contracts that take none.
        self.ether: Mapping[Address, int] = Mapping(self, 0)
        self.funded: Mapping[Address, bool] = Mapping(self, False)
        self.rejects_ether: set[Address] = set()
        self.times: list[int] = []
        self._undo: list[Callable[[], None]] = []
        self._depth = 0

    def journal(self, undo: Callable[[], None]) -> None:
        """Remembers how to undo one change, while there is an action that may be refused."""
        if self._depth:
            self._undo.append(undo)

    def fund(self, address: Address) -> None:
        """Gives wei to whoever acts for the first time."""
        if not self.funded[address]:
            self.funded[address] = True
            self.ether[address] += ETHER_GIVEN

    def pay(self, from_: Address, to: Address, value: int) -> bool:
        """Moves wei; whether `to` took it."""
        if to in self.rejects_ether:
            return False
        self.ether[from_] -= value
        self.ether[to] += value
        return True

    def atomically(self, action: Callable[[], R]) -> R:
        """Does `action`; when it raises, everything that it changed is undone."""
        changes, events = len(self._undo), len(self.events)
        self._depth += 1
        try:
            return action()
        except BaseException:
            while len(self._undo) > changes:
                self._undo.pop()()
            del self.events[events:]
            del self.times[events:]
            raise
        finally:
            self._depth -= 1
            if not self._depth:
                self._undo.clear()

    @contextmanager
    def undone(self) -> Iterator[None]:
        """A block of code after which everything is as it was before."""
        changes, events = len(self._undo), len(self.events)
        self._depth += 1
        try:
            yield
        finally:
            while len(self._undo) > changes:
                self._undo.pop()()
            del self.events[events:]
            del self.times[events:]
            self._depth -= 1


class Mapping(dict[K, V], Generic[K, V]):
    """A mapping in storage: every key has a value, and every change can be undone."""

    def __init__(self, world: World, default: V) -> None:
        super().__init__()
        self._world = world
        self._default = default

    def __missing__(self, key: K) -> V:
        return self._default

    def __setitem__(self, key: K, value: V) -> None:
        self._remember(key)
        super().__setitem__(key, value)

    def __delitem__(self, key: K) -> None:
        self._remember(key)
        super().pop(key, None)

    def _remember(self, key: K) -> None:
        previous: Any = super().get(key, _MISSING)
        if previous is _MISSING:
            self._world.journal(lambda: self._forget(key))
        else:
            self._world.journal(lambda: dict.__setitem__(self, key, previous))

    def _forget(self, key: K) -> None:
        dict.pop(self, key, None)


class Contract:
    """A contract of the model. Plain attributes are storage: every change can be undone."""

    address: Address

    def __init__(self, world: World, address: Address) -> None:
        self.__dict__["world"] = world
        self.__dict__["address"] = address

    world: World

    def __setattr__(self, name: str, value: Any) -> None:
        values = self.__dict__
        previous = values.get(name, _MISSING)
        if previous is not _MISSING:
            self.world.journal(lambda: values.__setitem__(name, previous))
        values[name] = value

    def emit(self, event: Event) -> None:
        self.world.events.append(event)
        self.world.times.append(self.world.timestamp)


def external(function: Callable[Concatenate[C, P], R]) -> Callable[Concatenate[C, P], R]:
    """Marks a function that changes storage and may be called from outside."""

    @wraps(function)
    def atomic(self: C, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.world.atomically(lambda: function(self, *args, **kwargs))

    return atomic


class Ownable(Contract):
    """The twin of OpenZeppelin's Ownable, as far as the market uses it."""

    def __init__(self, world: World, address: Address, owner: Address) -> None:
        super().__init__(world, address)
        self.owner = owner

    def only_owner(self, sender: Address) -> None:
        if sender != self.owner:
            raise OwnableUnauthorizedAccount(sender)
