"""Reads a node's answers, and believes none that cannot be true."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perpkit.abi.codec import decode_error
from perpkit.chain.errors import BadAnswer, RpcError
from perpkit.model.errors import Reverted

_HIGHEST = 1 << 256


def to_int(method: str, value: Any, *, below: int = _HIGHEST) -> int:
    """A number, which nodes write as 0x and hexadecimal digits."""
    if isinstance(value, str) and value.startswith("0x"):
        try:
            number = int(value[2:], 16)
        except ValueError:
            number = -1
        if 0 <= number < below:
            return number
    raise BadAnswer(method, f"{value!r:.40} is no number there")


def to_bytes(method: str, value: Any) -> bytes:
    """Bytes, which nodes write as 0x and hexadecimal digits."""
    if isinstance(value, str) and value.startswith("0x"):
        try:
            return bytes.fromhex(value[2:])
        except ValueError:
            pass
    raise BadAnswer(method, f"{value!r:.40} are no bytes")


def to_mapping(method: str, value: Any) -> Mapping[str, Any]:
    """An object."""
    if not isinstance(value, Mapping):
        raise BadAnswer(method, f"{value!r:.40} is no object")
    return value


def to_hex(data: bytes) -> str:
    return "0x" + data.hex()


def contract_error(error: RpcError) -> Exception:
    """The contract's error behind a node's answer; the answer itself when no contract refused."""
    data = error.data
    # Some nodes wrap what the contract said.
    while isinstance(data, Mapping):
        data = data.get("data", data.get("result"))
    if isinstance(data, str) and data.removeprefix("Reverted ").startswith("0x"):
        try:
            return decode_error(bytes.fromhex(data.removeprefix("Reverted ")[2:]))
        except ValueError:
            return error
    if "revert" in error.message.lower():
        return Reverted(error.message)
    return error
