"""ChainBackend: a market that others share, on a chain, behind the seam. Reading needs no key."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from perpkit.abi.artifacts import load_artifact
from perpkit.abi.codec import CodecError, decode_error, decode_log, decode_result, encode_call
from perpkit.backend import Deployed, Receipt, TimedEvent
from perpkit.chain.answers import contract_error, to_bytes, to_hex, to_int, to_mapping
from perpkit.chain.errors import (
    BadAnswer,
    BadKey,
    ManifestMismatch,
    NoKey,
    RpcError,
    SimulationUnavailable,
    WrongChain,
    WrongSender,
)
from perpkit.chain.json_rpc import JsonRpc
from perpkit.chain.keys import Secret, check_dev_key, signer_from_key
from perpkit.chain.limits import Limits
from perpkit.chain.logs import events_since
from perpkit.chain.manifest import Manifest
from perpkit.model.events import Event
from perpkit.model.types import Address, SignedOrder

# web3 and eth-account take more than a second to import, and who only reads needs neither.
if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount
    from web3 import Web3

    from perpkit.chain.transactions import Transactions

RESPONSE_BYTES = 16 * 1024 * 1024
TIMEOUT_SECONDS = 30.0
RECEIPT_SECONDS = 120.0
DEFAULT_LIMITS = Limits()
_METHOD_NOT_FOUND = -32601

Call = tuple[Any, ...]


class ChainBackend:
    """The market on a chain. Make one with `ChainBackend.connect`; `w3` is web3 over the same hardened connection."""

    name = "chain"

    def __init__(self, rpc: JsonRpc, manifest: Manifest) -> None:
        self.rpc = rpc
        self.manifest = manifest
        self._host = urlsplit(rpc.url).hostname or ""
        self._deployed = {one.label: one for one in manifest.deployed()}
        self._by_address = {one.address: one for one in self._deployed.values()}
        self._transactions: Transactions | None = None

    @classmethod
    def connect(
        cls,
        manifest: Manifest | str | os.PathLike[str] | None = None,
        *,
        rpc_url: str | None = None,
        key: str | Secret | None = None,
        signer: LocalAccount | None = None,
        limits: Limits = DEFAULT_LIMITS,
        timeout: float = TIMEOUT_SECONDS,
        receipt_timeout: float = RECEIPT_SECONDS,
    ) -> ChainBackend:
        """The market of a manifest (of the default place when none is named), once the chain has proved to be its.

        Raises `ManifestError`, `JsonRpcError`, `WrongChain`, `ManifestMismatch` and, for a key, `KeyProblem`.
        """
        secret = Secret(key) if isinstance(key, str) else key
        del key
        if secret is not None and signer is not None:
            raise BadKey("key and signer were both given; give one of them")
        known = manifest if isinstance(manifest, Manifest) else Manifest.read(manifest)
        rpc = JsonRpc(rpc_url or known.rpc_url, timeout=timeout, max_response_bytes=RESPONSE_BYTES)
        backend = cls(rpc, known)
        backend._verify()
        chosen = signer_from_key(secret) if secret is not None else signer
        if chosen is not None:
            backend._sign_with(chosen, limits, receipt_timeout)
        return backend

    def __repr__(self) -> str:
        who = self._transactions.address if self._transactions else "a reader"
        return f"<ChainBackend chain {self.chain_id} at {self.rpc.endpoint} as {who}>"

    @cached_property
    def w3(self) -> Web3:
        """web3 over the same hardened connection."""
        from web3 import Web3

        from perpkit.chain.provider import HardenedProvider

        return Web3(HardenedProvider(self.rpc))

    @property
    def chain_id(self) -> int:
        return self.manifest.chain_id

    @property
    def address(self) -> Address:
        """Whose key this backend signs with; raises `NoKey` when it has none."""
        return self._sender("trading for an address").address

    @property
    def has_key(self) -> bool:
        return self._transactions is not None

    @property
    def deployed(self) -> Mapping[str, Deployed]:
        return self._deployed

    @property
    def timestamp(self) -> int:
        return self.head()[1]

    def contract(self, label: str) -> Any:
        """web3's contract, for those who want to go on with web3."""
        one = self._deployed[label]
        abi: Any = load_artifact(one.contract).abi
        return self.w3.eth.contract(address=self.w3.to_checksum_address(one.address), abi=abi)

    def close(self) -> None:
        """Closes the connection; the next call opens it again."""
        self.rpc.close()

    # READING

    def head(self) -> tuple[int, int]:
        """The newest block's number and time."""
        method = "eth_getBlockByNumber"
        block = to_mapping(method, self.rpc.call(method, "latest", False))
        return to_int(method, block.get("number")), to_int(method, block.get("timestamp"))

    def next_time(self) -> int:
        """When a transaction that is sent now may happen: the time of the block under way {s}."""
        method = "eth_getBlockByNumber"
        newest, pending = self.rpc.batch_settled([(method, ["latest", False]), (method, ["pending", False])])
        if isinstance(newest, RpcError):
            raise newest
        known = to_int(method, to_mapping(method, newest).get("timestamp"))
        if isinstance(pending, RpcError) or pending is None:
            return known  # a node that has no such block
        return max(known, to_int(method, to_mapping(method, pending).get("timestamp")))

    def call(
        self, label: str, function: str, *args: Any, sender: Address | None = None, block: int | None = None
    ) -> Any:
        """The result of a function, at the newest block or at another."""
        request = self._request((label, function, *args), sender)
        try:
            output = self.rpc.call("eth_call", request, "latest" if block is None else hex(block))
        except RpcError as error:
            raise contract_error(error) from None
        return self._result(label, function, output)

    def call_many(self, calls: Sequence[Call], *, block: int | None = None, sender: Address | None = None) -> list[Any]:
        """The results of several functions at one block; raises the error of the first that is refused."""
        if len(calls) == 1:
            return [self.call(*calls[0], sender=sender, block=block)]
        number = hex(self.head()[0] if block is None else block)
        requests = [("eth_call", [self._request(call, sender), number]) for call in calls]
        results = []
        for (label, function, *_), outcome in zip(calls, self.rpc.batch_settled(requests), strict=True):
            if isinstance(outcome, RpcError):
                raise contract_error(outcome) from None
            results.append(self._result(label, function, outcome))
        return results

    def simulate(
        self, steps: Sequence[Call], *, then: Sequence[Call], sender: Address, values: Sequence[int] = ()
    ) -> tuple[tuple[Event, ...], list[Any]]:
        """The events of steps done one after the other, and what calls read after them; nothing is sent. `values`
        {wei} go with the steps, none where it is too short."""
        requests = [self._request(call, sender) for call in (*steps, *then)]
        for request, value in zip(requests, values[: len(steps)], strict=False):
            request["value"] = hex(value)
        outcomes = self._simulated(requests)
        events: list[Event] = []
        results = []
        for index, ((label, function, *_), outcome) in enumerate(zip((*steps, *then), outcomes, strict=True)):
            if outcome.get("status") != "0x1":
                raise _refusal(outcome)
            if index < len(steps):
                events += self._events(outcome.get("logs") or ())
            else:
                results.append(self._result(label, function, outcome.get("returnData")))
        return tuple(events), results

    def events_since(self, cursor: int) -> tuple[tuple[TimedEvent, ...], int]:
        """All events from block `cursor` on, and the cursor after them."""
        try:
            return events_since(self.rpc, self._by_address, cursor)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise BadAnswer("eth_getLogs", f"it holds no logs ({type(error).__name__})") from None

    # TRANSACTIONS

    def transact(self, label: str, function: str, *args: Any, sender: Address | None = None, value: int = 0) -> Receipt:
        """Does a function, signed here. Raises the contract's own error, if possible before anything is sent."""
        transactions = self._sender(f"{label}.{function}")
        if sender is not None and sender.lower() != transactions.address:
            raise WrongSender(sender, transactions.address)
        target = self._deployed[label]
        receipt = transactions.send(target.address, encode_call(target.contract, function, args), value=value)
        logs = [_plain_log(log) for log in receipt.get("logs", ())]
        return Receipt(
            events=self._events(logs),
            timestamp=self._time_of(receipt, logs),
            gas_used=int(receipt["gasUsed"]),
            transaction=to_hex(bytes(receipt["transactionHash"])),
            block=int(receipt["blockNumber"]),
        )

    def action(self, label: str, function: str, *args: Any) -> Any:
        return encode_call(self._deployed[label].contract, function, args)

    def sign_order(self, order: SignedOrder, *, sender: Address) -> bytes:
        """The signature with which anyone may bring an order of the sender's."""
        transactions = self._sender("signing an order")
        if sender.lower() != transactions.address:
            raise WrongSender(sender, transactions.address)
        return transactions.sign_order(order, orders=self._deployed["orders"].address)

    # CONNECTING

    def _verify(self) -> None:
        """Compares chain id and code with the manifest, in one request."""
        contracts = list(self._deployed.values())
        chain_id, *codes = self.rpc.batch(
            [("eth_chainId", []), *(("eth_getCode", [one.address, "latest"]) for one in contracts)]
        )
        found = to_int("eth_chainId", chain_id)
        if found != self.chain_id:
            raise WrongChain(self.chain_id, found)
        code_at = {one.address: to_bytes("eth_getCode", code) for one, code in zip(contracts, codes, strict=True)}
        missing = tuple(one.label for one in contracts if not code_at[one.address])
        if missing or self.manifest.fingerprint_of(code_at.__getitem__) != self.manifest.fingerprint:
            raise ManifestMismatch(missing)

    def _sign_with(self, signer: LocalAccount, limits: Limits, seconds: float) -> None:
        from perpkit.chain.transactions import Transactions

        check_dev_key(signer.address, chain_id=self.chain_id, host=self._host)
        self._transactions = Transactions(
            self.w3, self.rpc, signer, chain_id=self.chain_id, host=self._host, limits=limits, seconds=seconds
        )

    def _sender(self, action: str) -> Transactions:
        if self._transactions is None:
            raise NoKey(action)
        return self._transactions

    # TRANSLATING

    def _request(self, call: Call, sender: Address | None) -> dict[str, str]:
        label, function, *args = call
        target = self._deployed[label]
        request = {"to": target.address, "data": to_hex(encode_call(target.contract, function, args))}
        return request if sender is None else {"from": sender, **request}

    def _result(self, label: str, function: str, output: Any) -> Any:
        data = to_bytes("eth_call", output)
        try:
            return decode_result(self._deployed[label].contract, function, data)
        except CodecError as error:
            raise BadAnswer("eth_call", str(error).rstrip(".")) from None

    def _simulated(self, requests: Sequence[Mapping[str, str]]) -> list[Mapping[str, Any]]:
        method = "eth_simulateV1"
        try:
            blocks = self.rpc.call(
                method, {"blockStateCalls": [{"calls": list(requests)}], "validation": False}, "latest"
            )
        except RpcError as error:
            if error.code == _METHOD_NOT_FOUND or "not support" in error.message or "not found" in error.message:
                raise SimulationUnavailable(self.rpc.endpoint) from None
            raise contract_error(error) from None
        calls = to_mapping(method, blocks[0]).get("calls") if isinstance(blocks, list) and len(blocks) == 1 else None
        if not isinstance(calls, list) or len(calls) != len(requests):
            raise BadAnswer(method, "it has not one result for each call")
        return [to_mapping(method, call) for call in calls]

    def _events(self, logs: Any) -> tuple[Event, ...]:
        return tuple(event for log in logs if (event := self._event(to_mapping("a log", log))))

    def _event(self, log: Mapping[str, Any]) -> Event | None:
        """The event of a log, if it is of one of the market's contracts."""
        one = self._by_address.get(str(log.get("address")).lower())
        if one is None:
            return None
        topics = [to_bytes("a log", topic) for topic in log.get("topics") or ()]
        try:
            return decode_log(one.contract, topics, to_bytes("a log", log.get("data")))
        except CodecError as error:
            raise BadAnswer("a log", str(error).rstrip(".")) from None

    def _time_of(self, receipt: Mapping[str, Any], logs: Sequence[Mapping[str, Any]]) -> int:
        for stamp in (log.get("blockTimestamp") for log in logs):
            if stamp is not None:
                return stamp if isinstance(stamp, int) else to_int("a log", stamp)
        method = "eth_getBlockByNumber"
        block = to_mapping(method, self.rpc.call(method, hex(receipt["blockNumber"]), False))
        return to_int(method, block.get("timestamp"))


def _plain_log(log: Mapping[str, Any]) -> dict[str, Any]:
    """A log of web3's as a node writes it."""
    return {key: _plain_value(value) for key, value in log.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain_value(item) for item in value]
    return to_hex(bytes(value)) if isinstance(value, bytes) else value


def _refusal(outcome: Mapping[str, Any]) -> Exception:
    """The error of a simulated step, which nodes put in different places."""
    error = outcome.get("error")
    detail = error if isinstance(error, Mapping) else {}
    for data in (detail.get("data"), outcome.get("returnData")):
        if isinstance(data, str) and len(data) > 2:
            return decode_error(to_bytes("eth_simulateV1", data))
    return contract_error(RpcError(0, str(detail.get("message", "reverted"))))
