"""ChainSandbox: a local node of one's own behind the seam, where every account is unlocked.

It sends for anybody without a key, so it refuses every chain that is not a local one. Clients of a chain that others
share use `perpkit.client` instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from perpkit.abi.codec import decode_error, decode_result, encode_call, encode_constructor
from perpkit.backend import Deployed, Receipt, TimedEvent
from perpkit.chain.errors import ChainError, RpcError
from perpkit.chain.json_rpc import JsonRpc
from perpkit.chain.keys import LOCAL_CHAIN_IDS
from perpkit.chain.logs import decode, events_since
from perpkit.model.contract import ETHER_GIVEN
from perpkit.model.errors import Reverted
from perpkit.model.types import ZERO_ADDRESS, Address

GAS_LIMIT = 30_000_000


class NotALocalChain(ChainError):
    """A sandbox sends without keys and is refused on chain `chain_id`."""

    def __init__(self, chain_id: int) -> None:
        super().__init__(chain_id)
        self.chain_id = chain_id

    def __str__(self) -> str:
        known = " or ".join(str(known) for known in LOCAL_CHAIN_IDS)
        return f"chain id {self.chain_id} is not a local chain's ({known}); use a Trader with a key there."


class ChainSandbox:
    """The market on a local node."""

    name = "anvil"

    def __init__(self, url: str, *, deployed: Sequence[Deployed] = (), alone: bool = False) -> None:
        """`alone` promises that nobody else reads this chain: then no block is mined only to show a new time."""
        self.rpc = JsonRpc(url)
        chain_id = int(self.rpc.call("eth_chainId"), 16)
        if chain_id not in LOCAL_CHAIN_IDS:
            raise NotALocalChain(chain_id)
        self._deployed: dict[str, Deployed] = {}
        self._by_address: dict[Address, Deployed] = {}
        self._funded: set[Address] = set()
        self._alone = alone
        # The time of the next block, when nobody has mined it yet.
        self._due: int | None = None
        for contract in deployed:
            self._remember(contract)
        self.rpc.call("anvil_autoImpersonateAccount", True)
        # Time stands still but for `set_time`, as in the other backends.
        self.rpc.call("anvil_setBlockTimestampInterval", 0)

    @property
    def timestamp(self) -> int:
        if self._due is not None:
            return self._due
        block: dict[str, str] = self.rpc.call("eth_getBlockByNumber", "latest", False)
        return int(block["timestamp"], 16)

    @property
    def deployed(self) -> Mapping[str, Deployed]:
        return self._deployed

    def deploy(self, label: str, contract: str, *args: Any, sender: Address) -> Address:
        receipt = self._send({"from": sender, "data": _hex(encode_constructor(contract, args))})
        address = str(receipt["contractAddress"]).lower()
        self._remember(Deployed(label, contract, address))
        return address

    def call(self, label: str, function: str, *args: Any, sender: Address | None = None) -> Any:
        self._mine_due()
        target = self._deployed[label]
        data = _hex(encode_call(target.contract, function, args))
        request = {"from": sender or ZERO_ADDRESS, "to": target.address, "data": data, "gas": hex(GAS_LIMIT)}
        try:
            output = self.rpc.call("eth_call", request, "latest")
        except RpcError as error:
            raise contract_error(error) from None
        return decode_result(target.contract, function, bytes.fromhex(output[2:]))

    def transact(self, label: str, function: str, *args: Any, sender: Address, value: int = 0) -> Receipt:
        target = self._deployed[label]
        data = _hex(encode_call(target.contract, function, args))
        receipt = self._send({"from": sender, "to": target.address, "data": data, "value": hex(value)})
        events = tuple(event for log in receipt["logs"] if (event := decode(log, self._by_address)))
        return Receipt(
            events=events,
            timestamp=self._time_of(receipt),
            gas_used=int(receipt["gasUsed"], 16),
            transaction=receipt["transactionHash"],
            block=int(receipt["blockNumber"], 16),
        )

    def events_since(self, cursor: int) -> tuple[tuple[TimedEvent, ...], int]:
        """A cursor is a block number."""
        return events_since(self.rpc, self._by_address, cursor)

    def action(self, label: str, function: str, *args: Any) -> Any:
        return encode_call(self._deployed[label].contract, function, args)

    def set_time(self, timestamp: int) -> None:
        """Mines a block of that time, so that reads see it too."""
        try:
            self.rpc.call("evm_setNextBlockTimestamp", timestamp)
        except RpcError:
            sentence = f"time {timestamp} lies before the present {self.timestamp}; time only moves on."
            raise ValueError(sentence) from None
        self._due = timestamp
        if not self._alone:
            self._mine_due()

    def ether_of(self, address: Address) -> int:
        """Less what the address paid for gas."""
        return int(self.rpc.call("eth_getBalance", address, "latest"), 16)

    @contextmanager
    def rolled_back(self) -> Iterator[None]:
        self._mine_due()
        funded = set(self._funded)
        snapshot = self.rpc.call("evm_snapshot")
        try:
            yield
        finally:
            self._due = None
            if not self.rpc.call("evm_revert", snapshot):
                raise ChainError("the node no longer knows the snapshot that it should return to.")
            self._funded = funded

    def forget_gifts(self) -> None:
        """Gives everybody ether once more: somebody has taken the chain back to before they were given it."""
        self._funded.clear()

    def _mine_due(self) -> None:
        if self._due is not None:
            self.rpc.call("evm_mine")
            self._due = None

    def _remember(self, deployed: Deployed) -> None:
        self._deployed[deployed.label] = self._by_address[deployed.address] = deployed

    def _send(self, transaction: dict[str, str]) -> dict[str, Any]:
        sender = transaction["from"]
        if sender not in self._funded:
            self.rpc.call("anvil_setBalance", sender, hex(ETHER_GIVEN))
            self._funded.add(sender)
        request = {**transaction, "gas": hex(GAS_LIMIT)}
        receipt: dict[str, Any] = self.rpc.call("eth_sendTransactionSync", request)
        self._due = None
        if int(receipt["status"], 16) == 0:
            raise self._mined_error(receipt["transactionHash"])
        return receipt

    def _mined_error(self, transaction: str) -> Exception:
        """Why a mined transaction reverted."""
        trace = self.rpc.call("debug_traceTransaction", transaction, {"tracer": "callTracer"})
        return decode_error(bytes.fromhex(trace.get("output", "0x")[2:]))

    def _time_of(self, receipt: Mapping[str, Any]) -> int:
        stamp = receipt.get("blockTimestamp")
        if isinstance(stamp, int):
            return stamp
        return int(stamp, 16) if stamp else self.timestamp


def contract_error(error: RpcError) -> Exception:
    """The contract's error behind a node's answer; the answer itself when no contract refused."""
    if isinstance(error.data, str) and error.data.startswith("0x"):
        return decode_error(bytes.fromhex(error.data[2:]))
    if "revert" in error.message:
        return Reverted(error.message)
    return error


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
