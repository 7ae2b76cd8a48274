"""A small, fast JSON-RPC client over one kept-alive HTTP connection.

It is strict on purpose: http(s) only, no redirects, no proxies, bounded answers, checked ids. A request that
may change the chain is never sent twice, because the first copy may have been carried out.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import select
import socket
import sys
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pydantic_core import from_json

from perpkit.chain.errors import BadRpcUrl, RpcError, RpcTransportError

MAX_RESPONSE_BYTES = 64 * 1024 * 1024
# So few brackets cannot be nested too deeply; pydantic's parser, which reads the others first, stops at about 200.
# Python's own does not stop where web3 is imported: its dependency py_ecc raises the recursion limit to 100,000, and a
# deeply nested answer would overflow the stack of the process.
_HARMLESS_DEPTH = 500
DEFAULT_TIMEOUT_SECONDS = 30.0

_READ_ONLY_PREFIXES = ("eth_get", "debug_trace", "trace_", "net_")
_READ_ONLY_METHODS = frozenset(
    {
        "anvil_nodeInfo",
        "eth_accounts",
        "eth_blobBaseFee",
        "eth_blockNumber",
        "eth_call",
        "eth_chainId",
        "eth_createAccessList",
        "eth_estimateGas",
        "eth_feeHistory",
        "eth_gasPrice",
        "eth_maxPriorityFeePerGas",
        "eth_syncing",
        "txpool_content",
        "txpool_inspect",
        "txpool_status",
        "web3_clientVersion",
    }
)
# These read and also consume: asked twice, the second answer lacks what the first one held.
_CONSUMING_METHODS = frozenset({"eth_getFilterChanges"})


def is_read_only(method: str) -> bool:
    """Say whether `method` may be sent twice without a second effect; an unknown method may not."""
    if method in _CONSUMING_METHODS:
        return False
    return method in _READ_ONLY_METHODS or method.startswith(_READ_ONLY_PREFIXES)


class JsonRpc:
    """One JSON-RPC endpoint; safe to share between threads (calls are made one after the other).

    Raises `BadRpcUrl` for anything but a plain http(s) URL. `timeout` is in seconds, per socket operation.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
    ) -> None:
        self.url = url
        self._secure, self._host, self._port, self._target = _split_url(url)
        host = f"[{self._host}]" if ":" in self._host else self._host
        self.endpoint = f"{'https' if self._secure else 'http'}://{host}:{self._port}"
        self._timeout = timeout
        self._max_response_bytes = max_response_bytes
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._connection: http.client.HTTPConnection | None = None
        self._connection_pid = 0

    def call(self, method: str, *params: Any) -> Any:
        """Return the result of one call.

        Raises `RpcError` if the node refuses and `RpcTransportError` if there is no usable answer.
        """
        request = _request(next(self._ids), method, params)
        asked = _Asked(method, is_read_only(method))
        answer = self._exchange(request, asked)
        if not isinstance(answer, dict):
            raise self._unusable(asked, "the answer is not a JSON object")
        return self._result(answer, request["id"], asked)

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Return the results in the order of `calls`; the first failed call raises its `RpcError`.

        The other calls of the batch have been carried out even so: use `batch_settled` where that matters.
        """
        outcomes = self.batch_settled(calls)
        for outcome in outcomes:
            if isinstance(outcome, RpcError):
                raise outcome
        return outcomes

    def batch_settled(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Return for each call its result or its `RpcError`, in the order of `calls`."""
        if not calls:
            return []
        requests = [_request(next(self._ids), method, params) for method, params in calls]
        repeatable = all(is_read_only(method) for method, _ in calls)
        asked = _Asked(f"a batch of {len(requests)} calls", repeatable)
        answer = self._exchange(requests, asked)
        if isinstance(answer, dict):  # the batch as a whole was refused
            error = _rpc_error(answer)
            raise error if error else self._unusable(asked, "the answer to a batch is not a list")
        return self._settle(answer, requests, asked)

    def close(self) -> None:
        """Close the kept-alive connection; the next call opens a new one."""
        with self._lock:
            self._drop()

    def __enter__(self) -> JsonRpc:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _settle(self, answer: Any, requests: list[dict[str, Any]], asked: _Asked) -> list[Any]:
        if not isinstance(answer, list) or not all(isinstance(item, dict) for item in answer):
            raise self._unusable(asked, "the answer to a batch is not a list of JSON objects")
        by_id = {item.get("id"): item for item in answer if type(item.get("id")) is int}
        if len(answer) != len(requests) or len(by_id) != len(requests):
            raise self._unusable(asked, f"{len(answer)} answers to {len(requests)} requests, or repeated ids")
        outcomes: list[Any] = []
        for request in requests:
            try:
                outcomes.append(self._result(by_id.get(request["id"], {}), request["id"], asked))
            except RpcError as error:
                outcomes.append(error)
        return outcomes

    def _result(self, answer: dict[str, Any], wanted: int, asked: _Asked) -> Any:
        got = answer.get("id")
        error = _rpc_error(answer)
        # A request that could not even be parsed is answered with a null id, and only ever with an error.
        if not (type(got) is int and got == wanted) and not (error and got is None):
            raise self._unusable(asked, f"the answer has the id {got!r:.40} instead of {wanted}")
        if error:
            raise error
        if "result" not in answer:
            raise self._unusable(asked, "the answer has neither a result nor an error")
        return answer["result"]

    def _exchange(self, payload: Any, asked: _Asked) -> Any:
        body = json.dumps(payload, separators=(",", ":"), allow_nan=False).encode()
        with self._lock:
            try:
                status, text = self._post(body, asked)
            except BaseException:
                # Also on Ctrl-C: a half-read answer must not be taken for the next call's.
                self._drop()
                raise
        return self._decode(status, text, asked)

    def _post(self, body: bytes, asked: _Asked) -> tuple[int, bytes]:
        reused = self._connect(asked)
        try:
            return self._send_and_read(body)
        except (TimeoutError, _TooLarge) as error:
            raise self._unusable(asked, str(error) or "timed out") from error
        except (OSError, http.client.HTTPException) as error:
            if not (reused and asked.may_repeat):
                raise self._unusable(asked, _describe(error)) from error
        self._drop()
        self._connect(asked)
        try:
            return self._send_and_read(body)
        except (OSError, http.client.HTTPException, _TooLarge) as error:
            raise self._unusable(asked, _describe(error)) from error

    def _send_and_read(self, body: bytes) -> tuple[int, bytes]:
        assert self._connection is not None
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        self._connection.request("POST", self._target, body=body, headers=headers)
        response = self._connection.getresponse()
        text = response.read(self._max_response_bytes + 1)
        if len(text) > self._max_response_bytes:
            raise _TooLarge(f"the answer is larger than {self._max_response_bytes} bytes")
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)
        if response.will_close:
            self._drop()
        return response.status, text

    def _connect(self, asked: _Asked) -> bool:
        """Have an open connection; say whether it was used before (and so may break at any moment)."""
        if self._connection_pid != os.getpid():
            self._connection = None  # a forked child must not speak on its parent's socket
        if self._connection is not None and not _is_stale(self._connection.sock):
            return True
        self._drop()
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=self._timeout)
        try:
            connection.connect()
        except (OSError, http.client.HTTPException) as error:
            raise RpcTransportError(self.endpoint, asked.label, _describe(error), False) from error
        self._connection, self._connection_pid = connection, os.getpid()
        return False

    def _drop(self) -> None:
        if self._connection is not None and self._connection_pid == os.getpid():
            self._connection.close()
        self._connection = None

    def _decode(self, status: int, text: bytes, asked: _Asked) -> Any:
        if 300 <= status < 400:
            raise self._unusable(asked, f"the server redirects (HTTP {status}), which is not followed")
        try:
            if text.count(b"[") + text.count(b"{") > _HARMLESS_DEPTH:
                from_json(text)
            answer = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self._unusable(asked, f"HTTP {status} without usable JSON ({_describe(error)})") from error
        # Some servers send a JSON-RPC error with a 4xx or 5xx status: the error says more than the status.
        if not 200 <= status < 300 and not (isinstance(answer, dict) and _rpc_error(answer)):
            raise self._unusable(asked, f"HTTP {status}")
        return answer

    def _unusable(self, asked: _Asked, reason: str) -> RpcTransportError:
        return RpcTransportError(self.endpoint, asked.label, reason, not asked.may_repeat)


class _Asked(NamedTuple):
    """What is asked, for messages, and whether it may be asked twice; internal."""

    label: str
    may_repeat: bool


class _TooLarge(Exception):
    """The answer exceeds the cap; internal."""


def _split_url(url: str) -> tuple[bool, str, int, str]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadRpcUrl("it cannot be parsed") from error
    if parts.scheme not in ("http", "https"):
        raise BadRpcUrl("it must begin with http:// or https://")
    if not host or any(not "!" <= sign <= "~" for sign in url):
        raise BadRpcUrl("it must name a host, in printable ASCII without blanks")
    if parts.username is not None or parts.password is not None:
        raise BadRpcUrl("a user name or password in it is not supported")
    secure = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return secure, host, port or (443 if secure else 80), target


def _request(request_id: int, method: str, params: Sequence[Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": list(params)}


def _rpc_error(answer: dict[str, Any]) -> RpcError | None:
    error = answer.get("error")
    if error is None:
        return None
    if not isinstance(error, dict):
        return RpcError(0, str(error))
    code = error.get("code")
    return RpcError(code if isinstance(code, int) else 0, str(error.get("message", "")), error.get("data"))


def _is_stale(sock: socket.socket | None) -> bool:
    """Say whether the other side has closed, or has said something nobody asked for; costs no network."""
    if sock is None:
        return True
    if sys.platform == "win32":
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()  # unlike select, it takes any number of open files
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _describe(error: BaseException) -> str:
    return str(error) or type(error).__name__
