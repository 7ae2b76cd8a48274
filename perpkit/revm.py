"""RevmBackend: the real bytecode behind the seam, in process. Needs the extra `perpkit[revm]`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from perpkit.abi.codec import decode_error, decode_log, decode_result, encode_call, encode_constructor
from perpkit.backend import Deployed, Receipt, TimedEvent
from perpkit.model.contract import ETHER_GIVEN
from perpkit.model.errors import Reverted
from perpkit.model.events import Event
from perpkit.model.types import Address

CHAIN_ID = 31337
GAS_LIMIT = 30_000_000

_OUTPUT = re.compile(r"output: 0x([0-9a-f]*)")


class RevmBackend:
    """The market as its compiled contracts in an EVM of this process."""

    name = "revm"

    def __init__(self, *, timestamp: int) -> None:
        import pyrevm

        self._pyrevm = pyrevm
        environment = pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=CHAIN_ID))
        self._evm = pyrevm.EVM(environment, spec_id="CANCUN", gas_limit=GAS_LIMIT)
        self._number = 0
        self._timestamp = timestamp
        self._log: list[TimedEvent] = []
        self._funded: set[Address] = set()
        self._deployed: dict[str, Deployed] = {}
        self._by_address: dict[Address, Deployed] = {}
        self.set_time(timestamp)

    @property
    def timestamp(self) -> int:
        return self._timestamp

    @property
    def deployed(self) -> Mapping[str, Deployed]:
        return self._deployed

    def deploy(self, label: str, contract: str, *args: Any, sender: Address) -> Address:
        code = encode_constructor(contract, args)
        address = self._checked(lambda: self._evm.deploy(sender, code, gas=GAS_LIMIT)).lower()
        deployed = Deployed(label, contract, address)
        self._deployed[label] = self._by_address[address] = deployed
        return deployed.address

    def call(self, label: str, function: str, *args: Any, sender: Address | None = None) -> Any:
        checkpoint = self._evm.snapshot()
        try:
            return self._send(label, function, args, sender or "0x" + "0" * 40)
        finally:
            self._evm.revert(checkpoint)

    def transact(self, label: str, function: str, *args: Any, sender: Address, value: int = 0) -> Receipt:
        self._fund(sender)
        returned = self._send(label, function, args, sender, value)
        result: Any = self._evm.result
        events = tuple(event for log in result.logs if (event := self._event(log)))
        self._log.extend((self._timestamp, event) for event in events)
        return Receipt(events, self._timestamp, returned, result.gas_used)

    def events_since(self, cursor: int) -> tuple[tuple[TimedEvent, ...], int]:
        return tuple(self._log[cursor:]), len(self._log)

    def action(self, label: str, function: str, *args: Any) -> Any:
        return encode_call(self._deployed[label].contract, function, args)

    def set_time(self, timestamp: int) -> None:
        if timestamp < self._timestamp:
            raise ValueError(f"time {timestamp} lies before the present {self._timestamp}; time only moves on.")
        self._number += 1
        self._timestamp = timestamp
        block = self._pyrevm.BlockEnv(number=self._number, timestamp=timestamp, gas_limit=GAS_LIMIT)
        self._evm.set_block_env(block)

    @contextmanager
    def rolled_back(self) -> Iterator[None]:
        checkpoint, timestamp, number = self._evm.snapshot(), self._timestamp, self._number
        events, funded = len(self._log), set(self._funded)
        try:
            yield
        finally:
            del self._log[events:]
            self._funded = funded
            self._evm.revert(checkpoint)
            self._timestamp, self._number = 0, number - 1
            self.set_time(timestamp)

    def ether_of(self, address: Address) -> int:
        return int(self._evm.get_balance(address))

    def _fund(self, address: Address) -> None:
        if address not in self._funded:
            self._funded.add(address)
            self._evm.set_balance(address, self._evm.get_balance(address) + ETHER_GIVEN)

    def _send(self, label: str, function: str, args: tuple[Any, ...], sender: Address, value: int = 0) -> Any:
        target = self._deployed[label]
        data = encode_call(target.contract, function, args)
        self._evm.reset_transient_storage()
        output = self._checked(
            lambda: self._evm.message_call(sender, target.address, calldata=data, value=value, gas=GAS_LIMIT)
        )
        return decode_result(target.contract, function, output)

    def _checked(self, execute: Any) -> Any:
        try:
            return execute()
        except RuntimeError as error:
            raise _contract_error(str(error)) from None

    def _event(self, log: Any) -> Event | None:
        deployed = self._by_address.get(log.address.lower())
        if deployed is None:
            return None
        topics, data = log.data
        return decode_log(deployed.contract, [_to_bytes(topic) for topic in topics], _to_bytes(data))


def _to_bytes(value: Any) -> bytes:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, str):
        return bytes.fromhex(value.removeprefix("0x"))
    return bytes(value)


def _contract_error(text: str) -> Exception:
    """The contract's error, which pyrevm gives as text only."""
    found = _OUTPUT.search(text)
    if found is None:
        return Reverted(text)
    return decode_error(bytes.fromhex(found.group(1)))
