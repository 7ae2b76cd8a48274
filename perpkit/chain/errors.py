"""What can go wrong between this process and a chain, as distinct from what a contract refuses.

    ChainError
    └── JsonRpcError
        ├── BadRpcUrl         not a plain http(s) URL
        ├── RpcTransportError no usable answer: the connection, the HTTP status or the JSON is at fault
        └── RpcError          the node answered with a JSON-RPC error

Every error keeps its values as attributes and survives pickling (its args are its constructor's arguments).
"""

from __future__ import annotations

from typing import Any


class ChainError(Exception):
    """Root of every error raised by `perpkit.chain`."""


class JsonRpcError(ChainError):
    """Root of the errors of `perpkit.chain.json_rpc`."""


class BadRpcUrl(JsonRpcError):
    """The URL cannot be used; it is not repeated in the message, because it may hold a key."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"not a usable JSON-RPC URL: {self.reason}"


class RpcTransportError(JsonRpcError):
    """`method` got no usable answer from `endpoint` (scheme, host and port only).

    `maybe_processed` is True when the node may have carried out the request although no answer was read.
    """

    def __init__(self, endpoint: str, method: str, reason: str, maybe_processed: bool) -> None:
        super().__init__(endpoint, method, reason, maybe_processed)
        self.endpoint = endpoint
        self.method = method
        self.reason = reason
        self.maybe_processed = maybe_processed

    def __str__(self) -> str:
        doubt = "; the node may still have processed it" if self.maybe_processed else ""
        return f"{self.method} got no usable answer from {self.endpoint}: {self.reason}{doubt}"


class RpcError(JsonRpcError):
    """The node answered with a JSON-RPC error: its `code`, `message` and (possibly None) `data`."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(code, message, data)
        self.code = code
        self.message = message
        self.data = data

    def __str__(self) -> str:
        detail = "" if self.data is None else f" (data: {self.data!s:.200})"
        return f"JSON-RPC error {self.code}: {self.message}{detail}"
