"""LocalBackend: the model behind the seam. No node, no compiler, no dependency."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from perpkit.backend import Deployed, Receipt, TimedEvent
from perpkit.model.clearinghouse import Clearinghouse
from perpkit.model.contract import Contract, World
from perpkit.model.leveraged_token import LeveragedToken
from perpkit.model.liquidity_pool import LiquidityPool
from perpkit.model.orders import CHAIN_ID, Orders
from perpkit.model.perp_lens import PerpLens
from perpkit.model.price_oracle import Feed, PriceOracle
from perpkit.model.push_feed import PriceBoard, PushFeed
from perpkit.model.signed_price_feed import SignedPriceFeed
from perpkit.model.test_usd import TestUSD
from perpkit.model.types import Address, Signature, SignedOrder


class _RollBack(Exception):
    """Ends a block of code whose changes are undone."""


class LocalBackend:
    """The market as the Python model."""

    name = "model"

    def __init__(self, *, timestamp: int, addresses: Mapping[str, Address] | None = None) -> None:
        """`addresses` gives contracts the addresses they have elsewhere, by label; else they are counted up."""
        self.world = World(timestamp)
        self._addresses = {} if addresses is None else addresses
        self._deployed: dict[str, Deployed] = {}
        self._contracts: dict[Address, Contract | None] = {}
        # The board pushes to some feeds, the oracle reads all.
        self._pushed: dict[Address, PushFeed] = {}
        self._feeds: dict[Address, Feed] = {}

    @property
    def timestamp(self) -> int:
        return self.world.timestamp

    @property
    def deployed(self) -> Mapping[str, Deployed]:
        return self._deployed

    def deploy(self, label: str, contract: str, *args: Any, sender: Address) -> Address:
        address = self._addresses.get(label, f"0x{0xC0DE << 128 | len(self._contracts) + 1:040x}")
        self._contracts[address] = _TWINS[contract](self, address, *args)
        self._deployed[label] = Deployed(label, contract, address)
        return address

    def contract(self, label: str) -> Any:
        """The twin itself."""
        return self._contracts[self._deployed[label].address]

    def call(self, label: str, function: str, *args: Any, sender: Address | None = None) -> Any:
        # Solidity's constants are attributes of the twin.
        target = getattr(self.contract(label), function.lower() if function.isupper() else function)
        if not callable(target):
            return target
        if sender is None:
            return target(*args)
        with self.world.undone():
            return target(*args, sender=sender)

    def transact(self, label: str, function: str, *args: Any, sender: Address, value: int = 0) -> Receipt:
        self.world.fund(sender)
        first = len(self.world.events)
        result = self.world.atomically(lambda: self._act(label, function, args, sender, value))
        events = tuple(self.world.events[first:])
        return Receipt(events, self.world.timestamp, result)

    def _act(self, label: str, function: str, args: tuple[Any, ...], sender: Address, value: int) -> Any:
        action = getattr(self.contract(label), function)
        if not value:
            return action(*args, sender=sender)
        self.world.pay(sender, self._deployed[label].address, value)
        return action(*args, sender=sender, value=value)

    @property
    def chain_id(self) -> int:
        return CHAIN_ID

    def sign_order(self, order: SignedOrder, *, sender: Address) -> Signature:
        """What stands for the sender's signature of an order."""
        return Signature(sender, ("SignedOrder", order))

    def ether_of(self, address: Address) -> int:
        return self.world.ether[address]

    def events_since(self, cursor: int) -> tuple[tuple[TimedEvent, ...], int]:
        events = self.world.events
        return tuple(zip(self.world.times[cursor:], events[cursor:], strict=True)), len(events)

    def action(self, label: str, function: str, *args: Any) -> Any:
        return function, args

    def set_time(self, timestamp: int) -> None:
        if timestamp < self.world.timestamp:
            raise ValueError(f"time {timestamp} lies before the present {self.world.timestamp}; time only moves on.")
        self.world.timestamp = timestamp

    @contextmanager
    def rolled_back(self) -> Iterator[None]:
        timestamp = self.world.timestamp
        try:
            with self.world.undone():
                yield
        finally:
            self.world.timestamp = timestamp

    def _twin(self, address: Address) -> Any:
        return self._contracts[address]

    def _push_feed(self, address: Address, owner: Address, decimals: int, description: str) -> PushFeed:
        feed = PushFeed(self.world, address, owner, decimals, description)
        self._pushed[address] = self._feeds[address] = feed
        return feed

    def _signed_feed(self, address: Address, owner: Address, decimals: int, description: str) -> SignedPriceFeed:
        feed = self._feeds[address] = SignedPriceFeed(self.world, address, owner, decimals, description)
        return feed


# How each contract's constructor arguments make its twin.
_TWINS: dict[str, Callable[..., Contract | None]] = {
    "TestUSD": lambda b, at, decimals: TestUSD(b.world, at, decimals),
    "PushFeed": lambda b, at, owner, decimals, description: b._push_feed(at, owner, decimals, description),
    "SignedPriceFeed": lambda b, at, owner, decimals, description: b._signed_feed(at, owner, decimals, description),
    "PriceBoard": lambda b, at, owner: PriceBoard(b.world, at, owner, b._pushed),
    "PriceOracle": lambda b, at, owner: PriceOracle(b.world, at, owner, b._feeds),
    "ClearinghouseExtension": lambda b, at, token, oracle, owner: None,
    "Clearinghouse": lambda b, at, token, oracle, extension, owner: Clearinghouse(
        b.world, at, b._twin(token), b._twin(oracle), owner
    ),
    "LiquidityPool": lambda b, at, clearinghouse, token, quantum: LiquidityPool(
        b.world, at, b._twin(clearinghouse), b._twin(token)
    ),
    "PerpLens": lambda b, at, clearinghouse: PerpLens(b.world, at, b._twin(clearinghouse), b._contracts),
    "Orders": lambda b, at, clearinghouse, fee: Orders(b.world, at, b._twin(clearinghouse), fee),
    "LeveragedToken": lambda b, at, name, symbol, clearinghouse, token, terms: LeveragedToken(
        b.world, at, name, symbol, b._twin(clearinghouse), b._twin(token), terms
    ),
}
