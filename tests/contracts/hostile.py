"""Contracts that misbehave, assembled by hand. They exist on bytecode only: of such neighbours the model has but one,
an address that takes no ether."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from roles import House, address

from perpkit.abi.codec import encode_call
from perpkit.model.types import Address
from perpkit.revm import RevmBackend

DECIMALS = "313ce567"
# if (selector == decimals()) goto the end, where it returns 8
_DISPATCH = "5f3560e01c63" + DECIMALS + "14"


def deploy_code(house: House, runtime: bytes) -> Address:
    """Puts bytecode at an address; skips the test on a backend without bytecode."""
    if house.sandbox.name != "revm":
        pytest.skip("hostile contracts need bytecode")
    # PUSH2 length, DUP1, PUSH1 11, PUSH0, CODECOPY, PUSH0, RETURN
    init = bytes.fromhex("61" + f"{len(runtime):04x}" + "80600a5f395ff3") + runtime
    evm = house.sandbox._evm  # type: ignore[attr-defined]
    return str(evm.deploy(address("outsider"), init)).lower()


def _feed(body: str) -> bytes:
    """`decimals()` says 8; anything else runs `body`."""
    # Jump over the body to: JUMPDEST, MSTORE(0, 8), RETURN(0, 32).
    end = len(bytes.fromhex(_DISPATCH)) + 3 + len(bytes.fromhex(body))
    return bytes.fromhex(_DISPATCH + f"60{end:02x}57" + body + "5b60085f5260205ff3")


def feed_that_reverts() -> bytes:
    return _feed("5f5ffd")


def feed_that_burns_gas() -> bytes:
    """INVALID takes all gas."""
    return _feed("fe")


def feed_that_says_too_little() -> bytes:
    """One word where five belong."""
    return _feed("60205ff3")


@contextmanager
def rejects_ether(house: House, who: str) -> Iterator[None]:
    """A block of code in which an address takes no ether: on bytecode because code stands there that reverts."""
    target = address(who)
    if house.sandbox.name == "model":
        rejecting: set[Address] = house.sandbox.world.rejects_ether  # type: ignore[attr-defined]
        rejecting.add(target)
        try:
            yield
        finally:
            rejecting.discard(target)
        return
    with become(house, target, bytes.fromhex("5f5ffd")):
        yield


@contextmanager
def become(house: House, target: Address, code: bytes) -> Iterator[None]:
    """A block of code in which other code, or any at all, stands at an address."""
    evm = house.sandbox._evm  # type: ignore[attr-defined]
    before = evm.get_code(target) or b""
    _set_code(house, target, code)
    try:
        yield
    finally:
        _set_code(house, target, bytes(before))


def send_raw(house: House, target: Address, data: bytes, *, by: str = "outsider") -> None:
    """A transaction with call data as it is; raises what the contract raises."""
    sandbox: Any = house.sandbox
    sandbox._evm.reset_transient_storage()
    sandbox._checked(lambda: sandbox._evm.message_call(address(by), target, calldata=data, gas=30_000_000))


def _set_code(house: House, target: Address, code: bytes) -> None:
    import pyrevm

    evm = house.sandbox._evm  # type: ignore[attr-defined]
    info = evm.basic(target)
    evm.insert_account_info(target, pyrevm.AccountInfo(balance=info.balance, nonce=info.nonce, code=code))


def keeper_that_rejects(target: Address) -> bytes:
    """Passes calls on to `target`; takes no ether."""
    return _keeper(target, "5f5ffd")


def keeper_that_reenters(target: Address, data: bytes) -> bytes:
    """Passes calls on to `target`; when it is given ether, it calls `target` with `data` and keeps in slot 0 whether
    that went well: 1 no, 2 yes."""
    size = f"{len(data):04x}"
    # codecopy(0, at, length); sstore(0, 1 + call(gas, target, 0, 0, length, 0, 0))
    body = "61" + size + "61{at}5f39" + "5f5f61" + size + "5f5f73" + target.removeprefix("0x") + "5af16001015f5500"
    at = len(_keeper(target, body.format(at="0000")))
    return _keeper(target, body.format(at=f"{at:04x}")) + data


def _keeper(target: Address, paid: str) -> bytes:
    """Passes calls on to `target` and its errors back; without call data it runs `paid`."""
    # if calldatasize == 0 goto paid; calldatacopy(0, 0, size); call(gas, target, 0, 0, size, 0, 0)
    pass_on = "3615603157" + "365f5f37" + "5f5f365f5f73" + target.removeprefix("0x") + "5af1"
    # if it succeeded goto stop, else revert with its error; stop; paid:
    return bytes.fromhex(pass_on + "602f57" + "3d5f5f3e3d5ffd" + "5b00" + "5b" + paid)


def token_that_reenters(data: bytes) -> bytes:
    """A token of 6 decimals that answers every other call by calling its caller back with `data`, and passes on the
    caller's error."""
    return _reenters("33", 6, data)


def feed_that_reenters(target: Address, data: bytes) -> bytes:
    """A feed of 8 decimals that answers every other call, `deliver` too, by calling `target` with `data`, and passes on
    its error."""
    return _reenters("73" + target.removeprefix("0x"), 8, data)


def _reenters(callee: str, decimals: int, data: bytes) -> bytes:
    """`callee` is the code that pushes whom to call."""
    head = bytes.fromhex(_DISPATCH)
    # codecopy(0, at, length); call(gas, callee, 0, 0, length, 0, 0)
    size = f"{len(data):04x}"
    copy_and_call = "61" + size + "61{at}5f39" + "5f5f61" + size + "5f5f" + callee + "5af1"
    # if it succeeded goto ok; else revert with its error
    tail = "60{ok}57" + "3d5f5f3e3d5ffd" + "5b60015f5260205ff3" + f"5b60{decimals:02x}5f5260205ff3"
    body = copy_and_call + tail
    length = len(bytes.fromhex(body.format(at="0000", ok="00")))
    start = len(head) + 3
    decimals_at = start + length - 9
    ok_at = decimals_at - 9
    code = head.hex() + f"60{decimals_at:02x}57" + body.format(at=f"{start + length:04x}", ok=f"{ok_at:02x}")
    return bytes.fromhex(code) + data


def with_gas(house: House, gas: int, label: str, function: str, *args: object) -> None:
    """A transaction of an outsider that brings just so much gas; skips the test on a backend without gas."""
    if house.sandbox.name != "revm":
        pytest.skip("only bytecode needs gas")
    sandbox: RevmBackend = house.sandbox  # type: ignore[assignment]
    data = encode_call(sandbox.deployed[label].contract, function, args)
    target, sender = sandbox.deployed[label].address, address("outsider")
    sandbox._checked(lambda: sandbox._evm.message_call(sender, target, calldata=data, gas=gas))
