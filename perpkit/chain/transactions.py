"""Transactions: tried out, priced, numbered, signed here, sent, waited for.

Nothing is signed before a simulation succeeded, the limits were kept and the chain id was read once more. A nonce is
used only by a transaction that the node took, so that a failure leaves no gap behind.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.exceptions import TimeExhausted

from perpkit.abi.codec import decode_error
from perpkit.chain.answers import contract_error, to_bytes, to_hex, to_int, to_mapping
from perpkit.chain.errors import (
    BadAnswer,
    FeeTooHigh,
    GasTooHigh,
    MaybeSent,
    MinedRevert,
    NotMined,
    RpcError,
    RpcTransportError,
    ValueTooHigh,
    WrongChain,
)
from perpkit.chain.json_rpc import JsonRpc
from perpkit.chain.keys import check_dev_key, is_loopback
from perpkit.chain.limits import GWEI, Limits
from perpkit.chain.provider import typed
from perpkit.chain.signing import sign_order
from perpkit.model.types import Address, SignedOrder

# A transaction may take a fifth more gas than was estimated, since the state moves on until it is mined.
GAS_MARGIN = (6, 5)
DEFAULT_TIP = GWEI
NONCE_ATTEMPTS = 8
_NONCE_LIMIT = 1 << 64

_NONCE_TAKEN = re.compile(r"nonce.{0,20}too low|already been used|underpriced|old nonce|nonce expired", re.IGNORECASE)
_ALREADY_KNOWN = re.compile(r"already (known|imported)|known transaction", re.IGNORECASE)


class Nonces:
    """The next nonce: the node's count, or one past the highest that is still under way here."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._under_way: set[int] = set()

    def next(self, pending: int) -> int:
        """Call it, and `take` what it gave, while holding the lock."""
        return max([pending, *(nonce + 1 for nonce in self._under_way)])

    def take(self, nonce: int) -> None:
        self._under_way.add(nonce)

    def settle(self, nonce: int) -> None:
        """Its fate is known, or given up on: the node's count says all from now on."""
        self._under_way.discard(nonce)


@dataclass(frozen=True, slots=True)
class _Price:
    gas: int
    max_fee: int
    tip: int


@dataclass(frozen=True, slots=True)
class _Sent:
    hash: str
    nonce: int


class Transactions:
    """Sends for one key on one chain; safe to share between threads."""

    def __init__(
        self, w3: Web3, rpc: JsonRpc, signer: LocalAccount, *, chain_id: int, host: str, limits: Limits, seconds: float
    ) -> None:
        self._w3 = w3
        self._rpc = rpc
        self._signer = signer
        self._chain_id = chain_id
        self._host = host
        self._limits = limits
        self._seconds = seconds
        self._poll_seconds = 0.02 if is_loopback(host) else 0.5
        self._nonces = Nonces()
        self.address: Address = signer.address.lower()

    def send(self, to: Address, data: bytes, *, value: int = 0) -> Mapping[str, Any]:
        """The receipt of a transaction that succeeded; raises the contract's own error when it is refused."""
        if value > self._limits.value:
            raise ValueTooHigh(value, self._limits.value)
        request = {"from": self.address, "to": to, "data": to_hex(data), "value": hex(value)}
        price = self._try_out(request)
        sent = self._sign_and_send(request, price)
        try:
            receipt = self._wait(sent)
        finally:
            self._nonces.settle(sent.nonce)
        return self._checked(receipt, sent, request)

    def sign_order(self, order: SignedOrder, *, orders: Address) -> bytes:
        """The signature with which anyone may bring an order to the contract `orders`; nothing is sent."""
        if order.chain_id != self._chain_id:
            raise WrongChain(self._chain_id, order.chain_id)
        return sign_order(self._signer, orders=orders, order=order)

    # BEFORE

    def _try_out(self, request: Mapping[str, str]) -> _Price:
        """The price of a transaction that would succeed on top of what is pending."""
        call, estimate, block, tip = self._rpc.batch_settled(
            [
                ("eth_call", [request, "pending"]),
                ("eth_estimateGas", [request, "pending"]),
                ("eth_getBlockByNumber", ["latest", False]),
                ("eth_maxPriorityFeePerGas", []),
            ]
        )
        for outcome in (call, estimate):
            if isinstance(outcome, RpcError):
                raise contract_error(outcome) from None
        if isinstance(block, RpcError):
            raise block
        base = to_int("eth_getBlockByNumber", to_mapping("eth_getBlockByNumber", block).get("baseFeePerGas"))
        chosen_tip = DEFAULT_TIP if isinstance(tip, RpcError) else to_int("eth_maxPriorityFeePerGas", tip)
        gas = to_int("eth_estimateGas", estimate) * GAS_MARGIN[0] // GAS_MARGIN[1]
        return self._within_limits(_Price(gas, 2 * base + chosen_tip, chosen_tip))

    def _within_limits(self, price: _Price) -> _Price:
        limits = self._limits
        if price.gas > limits.gas:
            raise GasTooHigh(price.gas, limits.gas)
        if price.max_fee > limits.fee_per_gas:
            raise FeeTooHigh(price.max_fee, limits.fee_per_gas)
        if price.gas * price.max_fee > limits.fee:
            raise FeeTooHigh(price.gas * price.max_fee, limits.fee)
        return price

    # SENDING

    def _sign_and_send(self, request: Mapping[str, str], price: _Price) -> _Sent:
        with self._nonces.lock:
            floor = 0
            for _ in range(NONCE_ATTEMPTS):
                nonce = max(floor, self._nonces.next(self._pending_count()))
                raw, transaction = self._sign(request, price, nonce)
                try:
                    self._hand_over(raw, transaction, nonce)
                except RpcError as error:
                    if not _NONCE_TAKEN.search(error.message):
                        raise contract_error(error) from None
                    # Whoever has this nonce, the next one leaves no gap.
                    floor = nonce + 1
                    continue
                self._nonces.take(nonce)
                return _Sent(transaction, nonce)
        raise BadAnswer("eth_sendRawTransaction", f"it takes no nonce up to {floor - 1}")

    def _pending_count(self) -> int:
        """The node's count, of a node that still serves the chain that the key is meant for."""
        chain_id, count = self._rpc.batch([("eth_chainId", []), ("eth_getTransactionCount", [self.address, "pending"])])
        found = to_int("eth_chainId", chain_id)
        if found != self._chain_id:
            raise WrongChain(self._chain_id, found)
        check_dev_key(self.address, chain_id=found, host=self._host)
        return to_int("eth_getTransactionCount", count, below=_NONCE_LIMIT)

    def _sign(self, request: Mapping[str, str], price: _Price, nonce: int) -> tuple[bytes, str]:
        transaction: dict[str, Any] = {
            "type": 2,
            "chainId": self._chain_id,
            "nonce": nonce,
            "to": self._w3.to_checksum_address(request["to"]),
            "data": request["data"],
            "value": int(request["value"], 16),
            "gas": price.gas,
            "maxFeePerGas": price.max_fee,
            "maxPriorityFeePerGas": price.tip,
        }
        signed = self._signer.sign_transaction(cast(Any, transaction))
        return bytes(signed.raw_transaction), to_hex(bytes(signed.hash))

    def _hand_over(self, raw: bytes, transaction: str, nonce: int) -> None:
        """Gives the node a signed transaction; a second time when the first had no answer, which changes nothing."""
        try:
            self._give(raw, transaction)
        except RpcTransportError as error:
            if not error.maybe_processed:
                raise
            try:
                self._give(raw, transaction)
            except (RpcTransportError, RpcError) as again:
                if not self._is_known(transaction):
                    raise MaybeSent(transaction, nonce, str(again)) from None

    def _give(self, raw: bytes, transaction: str) -> None:
        try:
            with typed("eth_sendRawTransaction"):
                answer = to_hex(bytes(self._w3.eth.send_raw_transaction(raw)))
        except RpcError as error:
            if _ALREADY_KNOWN.search(error.message):
                return
            raise
        if answer != transaction:
            raise BadAnswer("eth_sendRawTransaction", f"{answer:.80} is not the hash of what was sent, {transaction}")

    def _is_known(self, transaction: str) -> bool:
        try:
            return self._rpc.call("eth_getTransactionByHash", transaction) is not None
        except (RpcTransportError, RpcError):
            return False

    # AFTER

    def _wait(self, sent: _Sent) -> Mapping[str, Any]:
        try:
            with typed("eth_getTransactionReceipt"), _in_time(sent, self._seconds):
                receipt: Any = self._w3.eth.wait_for_transaction_receipt(
                    cast(Any, sent.hash),
                    timeout=self._seconds,
                    poll_latency=self._poll_seconds,
                )
                return to_mapping("eth_getTransactionReceipt", receipt)
        except RpcTransportError as error:
            raise MaybeSent(sent.hash, sent.nonce, str(error)) from None

    def _checked(self, receipt: Mapping[str, Any], sent: _Sent, request: Mapping[str, str]) -> Mapping[str, Any]:
        with typed("eth_getTransactionReceipt"):
            found = to_hex(bytes(receipt["transactionHash"])), str(receipt["to"]).lower(), str(receipt["from"]).lower()
            status, block, gas_used = receipt["status"], receipt["blockNumber"], receipt["gasUsed"]
        if found != (sent.hash, request["to"], self.address) or status not in (0, 1):
            raise BadAnswer("eth_getTransactionReceipt", f"it is not the receipt of {sent.hash}")
        if status == 0:
            raise self._why(sent, request, block) from MinedRevert(sent.hash, block, gas_used)
        return receipt

    def _why(self, sent: _Sent, request: Mapping[str, str], block: int) -> Exception:
        """Why a mined transaction was refused: the node's trace, or the same call after, then before its block."""
        try:
            trace = self._rpc.call("debug_traceTransaction", sent.hash, {"tracer": "callTracer"})
            output = trace.get("output") if isinstance(trace, dict) else None
            if isinstance(output, str):
                return decode_error(to_bytes("debug_traceTransaction", output))
        except RpcError:
            pass
        for number in (block, block - 1):
            try:
                self._rpc.call("eth_call", request, hex(number))
            except RpcError as error:
                return contract_error(error)
        return BadAnswer("eth_getTransactionReceipt", f"{sent.hash} reverted, but no replay of it does")


@contextmanager
def _in_time(sent: _Sent, seconds: float) -> Iterator[None]:
    try:
        yield
    except TimeExhausted:
        raise NotMined(sent.hash, sent.nonce, seconds) from None
