"""What the tests of `perpkit.chain` act on."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from roles import House

from perpkit.chain.connection import ChainBackend
from perpkit.chain.json_rpc import JsonRpc
from perpkit.chain.keys import signer_from_role
from perpkit.chain.manifest import Manifest
from perpkit.chain.sandbox import ChainSandbox
from perpkit.market_setup import DEFAULT_MARKETS, ROLES, set_up

# Of a method and its parameters and its honest answer, the answer as it is told.
Twist = Callable[[str, list[Any], dict[str, Any]], Any]


class Market:
    """The default market on a node, and backends for its roles."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.sandbox = ChainSandbox(url)
        set_up(self.sandbox)
        self.house = House(self.sandbox)
        self.manifest = Manifest.of(
            self.sandbox.deployed.values(),
            chain_id=31337,
            rpc_url=url,
            get_code=self.code,
            markets=DEFAULT_MARKETS,
            roles=ROLES,
        )
        self.connected: list[ChainBackend] = []

    def code(self, address: str) -> bytes:
        return bytes.fromhex(self.sandbox.rpc.call("eth_getCode", address, "latest")[2:])

    def connect(self, role: str | None = None, **options: Any) -> ChainBackend:
        """A backend with the key of a role, or without one."""
        if role is not None:
            options["signer"] = signer_from_role(role)
        backend = ChainBackend.connect(options.pop("manifest", self.manifest), **options)
        self.connected.append(backend)
        return backend

    def hold_blocks(self) -> None:
        """From now on nothing is mined until `mine`."""
        self.sandbox.rpc.call("evm_setAutomine", False)

    def mine(self, *, after: int = 0) -> None:
        """Mines one block, `after` seconds later."""
        if after:
            self.sandbox.rpc.call("evm_setNextBlockTimestamp", self.sandbox.timestamp + after)
        self.sandbox.rpc.call("evm_mine")

    def mine_at_once(self) -> None:
        self.sandbox.rpc.call("evm_setAutomine", True)


def mine_before_waiting(market: Market, backend: ChainBackend, *, after: int = 0) -> None:
    """Lets `backend` send while nothing is mined, and mines when it begins to wait for its receipt."""
    market.hold_blocks()
    eth: Any = backend.w3.eth
    wait = eth.wait_for_transaction_receipt

    def mine_and_wait(*args: Any, **kwargs: Any) -> Any:
        market.mine(after=after)
        return wait(*args, **kwargs)

    eth.wait_for_transaction_receipt = mine_and_wait


def posts_of(backend: ChainBackend) -> list[list[str]]:
    """A list that grows by the methods of each request that is posted from now on."""
    posts: list[list[str]] = []
    rpc: Any = backend.rpc
    exchange = rpc._exchange

    def noted(payload: Any, asked: Any) -> Any:
        posts.append([one["method"] for one in (payload if isinstance(payload, list) else [payload])])
        return exchange(payload, asked)

    rpc._exchange = noted
    return posts


class LyingNode:
    """An HTTP server on this machine that answers as another node does, but for its twists."""

    def __init__(self, url: str) -> None:
        self._truth = JsonRpc(url)
        self.twists: dict[str, Twist] = {}
        # When set: the status, headers and body of every answer.
        self.raw: tuple[int, dict[str, str], bytes] | None = None
        # Methods that are carried out, but whose answer never arrives.
        self.silent: set[str] = set()
        self.asked: list[str] = []
        node = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = node._answer(json.loads(body))
                if answer is None:
                    self.close_connection = True
                    return
                status, headers, text = answer
                self.send_response(status)
                for name, value in {"Content-Length": str(len(text)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def says(self, method: str, result: Any) -> None:
        """From now on every answer to `method` is `result`."""
        self.twists[method] = lambda _, __, answer: {"jsonrpc": "2.0", "id": answer["id"], "result": result}

    def refuses(self, method: str, code: int, message: str) -> None:
        """From now on every answer to `method` is an error."""
        error = {"code": code, "message": message}
        self.twists[method] = lambda _, __, answer: {"jsonrpc": "2.0", "id": answer["id"], "error": error}

    def __enter__(self) -> LyingNode:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._truth.close()

    def _answer(self, payload: Any) -> tuple[int, dict[str, str], bytes] | None:
        requests = payload if isinstance(payload, list) else [payload]
        self.asked += [request["method"] for request in requests]
        answers = [self._one(request) for request in requests]
        if self.silent & {request["method"] for request in requests}:
            return None
        if self.raw is not None:
            return self.raw
        return 200, {}, json.dumps(answers if isinstance(payload, list) else answers[0]).encode()

    def _one(self, request: dict[str, Any]) -> Any:
        method, params = request["method"], request["params"]
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request["id"]}
        [outcome] = self._truth.batch_settled([(method, params)])
        if isinstance(outcome, Exception):
            error: Any = outcome
            answer["error"] = {"code": error.code, "message": error.message, "data": error.data}
        else:
            answer["result"] = outcome
        twist = self.twists.get(method)
        return answer if twist is None else twist(method, params, answer)
