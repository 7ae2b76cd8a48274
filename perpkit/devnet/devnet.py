"""Devnet: a local chain with the whole market on it, and the hand that moves its prices and its time.

Everything up to the end of the set-up is always the same: addresses, block hashes, block times, balances.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Literal

from perpkit.backend import Backend
from perpkit.chain.errors import ManifestError
from perpkit.chain.keys import LOCAL_CHAIN_IDS
from perpkit.chain.manifest import DEFAULT_PATH, Manifest
from perpkit.chain.sandbox import ChainSandbox
from perpkit.client import Reader, Trader
from perpkit.client.desk import DEFAULT_SLIPPAGE
from perpkit.devnet.errors import BadControl, ManifestNotWritten, SnapshotGone
from perpkit.devnet.find_node import find_anvil
from perpkit.devnet.node import AnvilNode
from perpkit.market_setup import (
    DEFAULT_SETUP,
    FEED_DECIMALS,
    ROLES,
    MarketSetup,
    MarketSpec,
    deploy_leveraged_tokens,
    feed_labels,
    push_price,
    set_up,
)
from perpkit.model.fixed_math import PRICE_MAX
from perpkit.model.types import Address

# Any past time would do, as long as it never changes.
GENESIS = 1_750_000_000
DEFAULT_CHAIN_ID = 31337
DEFAULT_PORT = 8545
DEFAULT_ORIGIN = "http://localhost"

# "fixed": time moves with `advance` only. "wall": it follows the clock of this machine.
Clock = Literal["fixed", "wall"]
Progress = Callable[[str], None]


class Devnet:
    """A running local chain with the market on it; make one with `Devnet.start`, end it with `stop` or `with`."""

    def __init__(self, node: AnvilNode, setup: MarketSetup, clock: Clock) -> None:
        """Sets the market up on a node that has nothing on it yet."""
        self.node = node
        self.setup = setup
        self.clock = clock
        self.sandbox = ChainSandbox(node.url)
        set_up(self.sandbox, setup)
        self.leveraged_tokens = deploy_leveraged_tokens(self.sandbox, setup.markets)
        self._start_block = self._latest_block()
        self._start = self.snapshot()
        self.manifest = self._describe()
        self.manifest_path: Path | None = None
        self._owner_pid = os.getpid()
        self._begin_clock()
        # A signal may come when nobody holds us yet.
        atexit.register(self.stop)

    @classmethod
    def start(
        cls,
        *,
        anvil: Path | None = None,
        port: int = DEFAULT_PORT,
        setup: MarketSetup = DEFAULT_SETUP,
        manifest: Path | None = DEFAULT_PATH,
        timestamp: int = GENESIS,
        clock: Clock = "fixed",
        install: bool = True,
        chain_id: int = DEFAULT_CHAIN_ID,
        allow_origin: str = DEFAULT_ORIGIN,
        progress: Progress = lambda words: None,
    ) -> Devnet:
        """Finds (or installs) Anvil, starts it, sets the market up and writes the manifest.

        `port` 0 picks a free one; `manifest` None writes none; `progress` gets a few words before anything slow.
        Raises `DevnetError`.
        """
        _check_chain_id(chain_id)
        binary = find_anvil(anvil, install=install, progress=progress)
        node = AnvilNode.start(binary, timestamp=timestamp, port=port, chain_id=chain_id, allow_origin=allow_origin)
        try:
            net = cls(node, setup, clock)
        except BaseException:
            node.stop()
            raise
        try:
            if manifest is not None:
                net.write_manifest(manifest)
        except BaseException:
            net.stop()
            raise
        return net

    # WHAT IT IS

    @property
    def url(self) -> str:
        """The JSON-RPC URL."""
        return self.node.url

    @property
    def chain_id(self) -> int:
        return int(self.sandbox.rpc.call("eth_chainId"), 16)

    @property
    def addresses(self) -> dict[str, Address]:
        """The contracts' addresses by label, such as "clearinghouse", "feed:ETH-USD:0" or "ETH3L"."""
        return {label: contract.address for label, contract in self.sandbox.deployed.items()}

    @property
    def roles(self) -> Mapping[str, Address]:
        """The funded accounts by role. Their keys are publicly known."""
        return ROLES

    @property
    def timestamp(self) -> int:
        """The time of the latest block. {s}"""
        return self.sandbox.timestamp

    @property
    def reader(self) -> Reader:
        """Reads the market for people."""
        return Reader(self.sandbox)

    def trader(self, who: str = "trader", *, slippage: Decimal | str | int = DEFAULT_SLIPPAGE) -> Trader:
        """Trades as clients do, with the role's own key; any other address acts without one."""
        backend: Backend = self.sandbox
        if who in self.roles:
            # web3 and eth-account take a second to import, which a devnet without traders does not need.
            from perpkit.chain.connection import ChainBackend
            from perpkit.chain.keys import signer_from_role

            backend = ChainBackend.connect(self.manifest, signer=signer_from_role(who))
        return Trader(backend, self.roles.get(who, who), slippage=slippage)

    def is_alive(self) -> bool:
        """Whether the node still runs."""
        return self.node.is_alive()

    def write_manifest(self, path: Path) -> None:
        """Tells clients in a file where everything is, whole or not at all; `stop` removes it."""
        self.manifest_path = path
        try:
            self.manifest.write(path)
        except OSError as error:
            raise ManifestNotWritten(str(path), error.strerror or type(error).__name__) from error

    # PRICES

    def set_price(self, symbol: str, price: Decimal | str | int) -> None:
        """Publishes a price in dollars on every feed of a market, as of now."""
        spec = self._spec(symbol)
        push_price(self.sandbox, spec, _price(price))

    def refresh_prices(self) -> None:
        """Publishes what each feed says once more, as of now."""
        feeds = [label for spec in self.setup.markets for label in feed_labels(spec)]
        # Read from the chain, because others may publish too.
        answers = tuple(self.sandbox.call(label, "latest_round_data")[1] for label in feeds)
        targets = tuple(self.sandbox.deployed[label].address for label in feeds)
        self.sandbox.transact("board", "push", targets, answers, sender=ROLES["publisher"])

    # TIME AND STATE

    def advance(self, seconds: int, *, keep_fresh: bool = True) -> int:
        """Moves time on and returns the new time; prices are published again, so that they stay fresh, or are not."""
        _check_whole("seconds", seconds, least=0)
        self._move_to(self._present() + seconds, keep_fresh=keep_fresh)
        return self.timestamp

    def mine(self, blocks: int = 1) -> None:
        """Mines empty blocks; with the fixed clock no time passes."""
        _check_whole("blocks", blocks, least=1)
        self.sandbox.rpc.call("anvil_mine", hex(blocks), "0x0")

    def snapshot(self) -> str:
        """Remembers the present state under an id, to which `revert` returns."""
        return str(self.sandbox.rpc.call("evm_snapshot"))

    def revert(self, snapshot: str) -> None:
        """Returns to a remembered state; that id and all later ones are used up."""
        if not self.sandbox.rpc.call("evm_revert", snapshot):
            raise SnapshotGone(snapshot)
        self.sandbox.forget_gifts()

    def reset(self) -> None:
        """Returns to the state after the set-up, as often as one likes."""
        self.revert(self._start)
        if self._latest_block() != self._start_block:
            raise SnapshotGone(self._start)
        self._start = self.snapshot()
        self._begin_clock()

    # END

    def stop(self) -> None:
        """Removes the manifest, if it is still ours, and ends the node; harmless when repeated."""
        if os.getpid() != self._owner_pid:
            return  # a forked copy of us
        try:
            self._remove_manifest()
        finally:
            self.node.stop()
            atexit.unregister(self.stop)

    def __enter__(self) -> Devnet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # INSIDE

    def _describe(self) -> Manifest:
        def code(address: Address) -> bytes:
            return bytes.fromhex(self.sandbox.rpc.call("eth_getCode", address, "latest")[2:])

        return Manifest.of(
            self.sandbox.deployed.values(),
            chain_id=self.chain_id,
            rpc_url=self.url,
            get_code=code,
            markets=self.setup.markets,
            leveraged_tokens=self.leveraged_tokens,
            roles=self.roles,
        )

    def _remove_manifest(self) -> None:
        path, self.manifest_path = self.manifest_path, None
        if path is None:
            return
        # Another devnet may have written there since, or somebody may have tidied up.
        with contextlib.suppress(ManifestError, OSError):
            if Manifest.read(path) == self.manifest:
                path.unlink(missing_ok=True)

    def _begin_clock(self) -> None:
        """Lets a wall clock run from now on, with prices as of now."""
        if self.clock == "wall":
            self.sandbox.rpc.call("anvil_removeBlockTimestampInterval")
            self._move_to(max(int(time.time()), self.timestamp), keep_fresh=True)

    def _present(self) -> int:
        """The time now. {s}"""
        if self.clock == "wall":
            # The latest block may be old; only a new one tells the node's time.
            self.sandbox.rpc.call("evm_mine")
        return self.timestamp

    def _move_to(self, timestamp: int, *, keep_fresh: bool) -> None:
        # The block that moves time is the one that publishes: nobody sees stale prices in between.
        self.sandbox.rpc.call("evm_setNextBlockTimestamp", timestamp)
        if keep_fresh:
            self.refresh_prices()
        else:
            self.sandbox.rpc.call("evm_mine")

    def _latest_block(self) -> str:
        return str(self.sandbox.rpc.call("eth_getBlockByNumber", "latest", False)["hash"])

    def _spec(self, symbol: str) -> MarketSpec:
        for spec in self.setup.markets:
            if spec.symbol == symbol:
                return spec
        known = ", ".join(spec.symbol for spec in self.setup.markets)
        raise BadControl("the market", repr(symbol), f"one of {known}")


def _price(price: Decimal | str | int) -> int:
    """A price in dollars as an integer {1e18} that the feeds can carry."""
    value = _decimal(price)
    if not value.is_finite() or value <= 0:
        raise BadControl("the price", str(price), "more than zero")
    if value > Decimal(PRICE_MAX).scaleb(-18):
        raise BadControl("the price", str(price), f"at most {Decimal(PRICE_MAX).scaleb(-18):,.0f}")
    scaled = int(value.scaleb(18))
    if value != value.quantize(Decimal(1).scaleb(-FEED_DECIMALS)):
        raise BadControl("the price", str(price), f"at most {FEED_DECIMALS} decimals")
    return scaled


def _decimal(price: Decimal | str | int) -> Decimal:
    if isinstance(price, bool) or not isinstance(price, Decimal | str | int):
        raise BadControl("the price", f"the {type(price).__name__} {price}", "a Decimal, a whole number or a string")
    try:
        return Decimal(price)
    except ArithmeticError:
        raise BadControl("the price", repr(price), "a number") from None


def _check_whole(name: str, value: int, *, least: int) -> None:
    if type(value) is not int or value < least:
        raise BadControl(name, repr(value), f"a whole number of at least {least}")


def _check_chain_id(chain_id: int) -> None:
    if chain_id not in LOCAL_CHAIN_IDS:
        known = " or ".join(map(str, LOCAL_CHAIN_IDS))
        raise BadControl("the chain id", str(chain_id), f"a local chain's, {known}")
