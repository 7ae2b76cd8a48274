"""web3's provider over our own strict JSON-RPC client, so that whatever web3 asks is hardened too.

No redirects, checked ids, bounded answers, no CCIP-read, and nothing is sent twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from web3 import Web3
from web3.exceptions import Web3Exception, Web3RPCError
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from perpkit.chain.errors import BadAnswer, ChainError, RpcError, RpcTransportError
from perpkit.chain.json_rpc import JsonRpc

_NOT_JSON = (TypeError, ValueError, KeyError, AttributeError, OverflowError)


class HardenedProvider(JSONBaseProvider):
    """Asks through a `JsonRpc`. The node's errors are web3's as usual, unusable answers are `ChainError`s."""

    global_ccip_read_enabled = False

    def __init__(self, rpc: JsonRpc) -> None:
        super().__init__()
        self.rpc = rpc

    def __repr__(self) -> str:
        return f"<HardenedProvider {self.rpc.endpoint}>"

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        [(name, values)] = _plain([(method, params)])
        try:
            return _response(self.rpc.call(name, *values))
        except RpcError as error:
            return _response(error)

    def make_batch_request(self, requests: Any) -> Any:
        """Every answer in the order of the requests."""
        return [_response(outcome) for outcome in self.rpc.batch_settled(_plain(requests))]

    def is_connected(self, show_traceback: bool = False) -> bool:
        try:
            self.rpc.call("web3_clientVersion")
        except RpcTransportError:
            if show_traceback:
                raise
            return False
        except RpcError:
            pass
        return True


@contextmanager
def typed(method: str) -> Iterator[None]:
    """A block of web3 calls whose failures are `ChainError`s."""
    try:
        yield
    except ChainError:
        raise
    except Web3RPCError as error:
        raise _rpc_error(error) from None
    except (Web3Exception, *_NOT_JSON) as error:
        raise BadAnswer(method, f"web3 cannot read it ({type(error).__name__})") from None


def _plain(requests: Any) -> list[tuple[str, Sequence[Any]]]:
    """Requests without web3's own types."""
    return [(str(method), json.loads(Web3.to_json(cast(Any, params)))) for method, params in requests]


def _response(outcome: Any) -> RPCResponse:
    answer: dict[str, Any] = {"jsonrpc": "2.0", "id": 1}
    if isinstance(outcome, RpcError):
        answer["error"] = {"code": outcome.code, "message": outcome.message, "data": outcome.data}
    else:
        answer["result"] = outcome
    return cast(RPCResponse, answer)


def _rpc_error(error: Web3RPCError) -> RpcError:
    response: Any = error.rpc_response or {}
    found = response.get("error") or {}
    return RpcError(int(found.get("code", 0)), str(found.get("message", error)), found.get("data"))
