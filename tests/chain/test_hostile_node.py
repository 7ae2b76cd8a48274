"""A node that lies: every lie is a typed error, and nothing is signed or sent because of one."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from live import LyingNode, Market

from perpkit.backend import Receipt
from perpkit.chain import errors
from perpkit.chain.connection import ChainBackend
from perpkit.chain.errors import (
    BadAnswer,
    BadRpcUrl,
    ChainError,
    FeeTooHigh,
    GasTooHigh,
    MaybeSent,
    RpcTransportError,
    SimulationUnavailable,
    ValueTooHigh,
    WrongChain,
)
from perpkit.chain.limits import GWEI, Limits
from perpkit.client import Trader
from perpkit.client.errors import PreviewUnavailable
from perpkit.market_setup import ROLES
from perpkit.model.errors import NotAuthorized, StalePrice
from perpkit.model.types import account_id

TRADER = ROLES["trader"]


@pytest.fixture
def backend(liar: LyingNode, market: Market) -> ChainBackend:
    """Connected while the node still told the truth."""
    return market.connect("trader", rpc_url=liar.url)


def mint(backend: ChainBackend) -> Receipt:
    return backend.transact("token", "mint", TRADER, 1)


# AT CONNECT


@pytest.mark.parametrize("url", ["", "ftp://127.0.0.1", "http://", "http://user:secret@127.0.0.1:8545", "file:///x"])
def test_only_plain_http_urls_are_used(market: Market, url: str) -> None:
    """And none of them is repeated, as it may hold a key."""
    with pytest.raises(BadRpcUrl) as refusal:
        market.connect(rpc_url=url or " ")
    assert "secret" not in str(refusal.value)


def test_nobody_there_is_a_transport_error(market: Market) -> None:
    """Which names the endpoint, without the path that may hold a key."""
    with pytest.raises(RpcTransportError) as refusal:
        market.connect(rpc_url="http://127.0.0.1:9/v3/0123456789abcdef")
    assert "http://127.0.0.1:9" in str(refusal.value) and "0123456789abcdef" not in str(refusal.value)


@pytest.mark.parametrize("answer", [None, "", "one", 31337, "0x", "0x-1", "0x" + "f" * 65, [], {}])
def test_a_chain_id_that_is_none_is_refused(liar: LyingNode, market: Market, answer: Any) -> None:
    """Whatever it is instead."""
    liar.says("eth_chainId", answer)
    with pytest.raises(BadAnswer, match="eth_chainId"):
        market.connect("trader", rpc_url=liar.url)


@pytest.mark.parametrize("answer", [None, 5, "0xabc", "0xzz", "code"])
def test_code_that_is_none_is_refused(liar: LyingNode, market: Market, answer: Any) -> None:
    """Before it is compared."""
    liar.says("eth_getCode", answer)
    with pytest.raises(BadAnswer, match="eth_getCode"):
        market.connect(rpc_url=liar.url)


# WHILE READING


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"null",
        b"[]",
        b'{"jsonrpc": "2.0"}',
        b'{"jsonrpc": "2.0", "id": 999999, "result": "0x"}',
        b'{"jsonrpc": "2.0", "id": null, "result": "0x"}',
        b'{"jsonrpc": "2.0", "id": true, "result": "0x"}',
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b"\xff\xfe",
    ],
)
def test_an_answer_that_is_none_is_a_transport_error(liar: LyingNode, backend: ChainBackend, body: bytes) -> None:
    """A wrong id, nonsense, and nesting that would overflow the stack."""
    liar.raw = 200, {}, body
    with pytest.raises(RpcTransportError):
        backend.call("token", "decimals")
    with pytest.raises(RpcTransportError):
        backend.w3.eth.get_block("latest")


def test_a_redirect_is_not_followed(liar: LyingNode, market: Market, backend: ChainBackend) -> None:
    """Its target is not asked, neither by us nor by web3."""
    with LyingNode(market.url) as target:
        for status in (301, 302, 307, 308):
            liar.raw = status, {"Location": target.url}, b""
            with pytest.raises(RpcTransportError, match="redirects"):
                backend.call("token", "decimals")
            with pytest.raises(RpcTransportError, match="redirects"):
                _ = backend.w3.eth.block_number
        assert target.asked == []


def test_an_answer_without_end_is_cut_off(liar: LyingNode, backend: ChainBackend) -> None:
    """Sixteen megabytes are enough for everything."""
    liar.raw = 200, {}, b'{"jsonrpc": "2.0", "id": 1, "result": "0x' + b"00" * (9 * 1024 * 1024) + b'"}'
    with pytest.raises(RpcTransportError, match="larger than"):
        backend.call("token", "decimals")


@pytest.mark.parametrize("answer", [None, "", "0x", "0x1", "0xzz", "0x12", 6, {"data": "0x"}, ["0x"]])
def test_a_result_that_is_none_is_refused(liar: LyingNode, backend: ChainBackend, answer: Any) -> None:
    """One type of error for null, for too short, and for what is not hexadecimal."""
    liar.says("eth_call", answer)
    with pytest.raises(BadAnswer, match="eth_call"):
        backend.call("token", "decimals")
    with pytest.raises(BadAnswer, match="eth_call"):
        backend.call_many([("token", "decimals"), ("lens", "markets")])


def test_an_offchain_lookup_is_not_followed(liar: LyingNode, backend: ChainBackend) -> None:
    """CCIP-read is off for web3, and unknown to us."""
    assert backend.w3.provider.global_ccip_read_enabled is False


@pytest.mark.parametrize(
    "answer", [7, [7], [{}], [{"address": "0x12", "topics": 5}], [{"blockNumber": "zz", "blockTimestamp": "0x1"}]]
)
def test_logs_that_are_none_are_refused(liar: LyingNode, backend: ChainBackend, answer: Any) -> None:
    """Whatever is missing in them."""
    liar.says("eth_getLogs", answer)
    with pytest.raises(BadAnswer, match="eth_getLogs"):
        backend.events_since(0)


@pytest.mark.parametrize("answer", [None, [], [{}], [{"calls": []}], [{"calls": ["0x", 1]}], "0x", {"calls": []}])
def test_a_simulation_that_is_none_is_refused(liar: LyingNode, backend: ChainBackend, answer: Any) -> None:
    """It must have one result for each step."""
    liar.says("eth_simulateV1", answer)
    with pytest.raises(BadAnswer, match="eth_simulateV1"):
        backend.simulate([("token", "mint", TRADER, 1)], then=[("token", "decimals")], sender=TRADER)


def test_a_node_without_simulation_says_so(liar: LyingNode, backend: ChainBackend) -> None:
    """And a trade that needs an approval goes through without it."""
    liar.refuses("eth_simulateV1", -32601, "the method eth_simulateV1 does not exist")
    with pytest.raises(SimulationUnavailable):
        backend.simulate([], then=[], sender=TRADER)
    trader = Trader(backend, backend.address)
    with pytest.raises(PreviewUnavailable, match="eth_simulateV1"):
        trader.preview_open(market="ETH-USD", side="long", margin=1_000, leverage=10, isolated=True)
    backend.transact("token", "approve", backend.deployed["clearinghouse"].address, 0)
    opened = trader.open(market="ETH-USD", side="long", margin=1_000, leverage=10, isolated=True)
    assert opened.approval is not None


# BEFORE SIGNING


@pytest.mark.parametrize(
    ("method", "answer", "refusal"),
    [
        ("eth_chainId", "0x1", WrongChain),
        ("eth_chainId", None, BadAnswer),
        ("eth_estimateGas", hex(9_000_000), GasTooHigh),
        ("eth_estimateGas", hex(29_000_000), GasTooHigh),
        ("eth_estimateGas", None, BadAnswer),
        ("eth_maxPriorityFeePerGas", hex(10**24), FeeTooHigh),
        ("eth_maxPriorityFeePerGas", hex(999 * GWEI * 10_000), FeeTooHigh),
        ("eth_maxPriorityFeePerGas", "nonsense", BadAnswer),
        ("eth_getBlockByNumber", {"baseFeePerGas": hex(10**24)}, FeeTooHigh),
        ("eth_getBlockByNumber", {}, BadAnswer),
        ("eth_getBlockByNumber", None, BadAnswer),
        ("eth_getTransactionCount", None, BadAnswer),
        ("eth_getTransactionCount", hex(1 << 64), BadAnswer),
    ],
)
def test_absurd_terms_are_not_signed(
    liar: LyingNode, backend: ChainBackend, method: str, answer: Any, refusal: type[ChainError]
) -> None:
    """Another chain, and gas or fees beyond the limits."""
    liar.says(method, answer)
    with pytest.raises(refusal):
        mint(backend)
    assert "eth_sendRawTransaction" not in liar.asked


def test_the_limits_are_ones_own(liar: LyingNode, market: Market) -> None:
    """Of gas, of the fee for each gas, of the whole fee and of the value."""
    for limits, refusal in (
        (Limits(gas=40_000), GasTooHigh),
        (Limits(fee_per_gas=1), FeeTooHigh),
        (Limits(fee=10**10), FeeTooHigh),
    ):
        with pytest.raises(refusal, match="nothing was signed"):
            mint(market.connect("trader", rpc_url=liar.url, limits=limits))
    with pytest.raises(ValueTooHigh):
        market.connect("trader", rpc_url=liar.url).transact("token", "mint", TRADER, 1, value=10**18)
    assert "eth_sendRawTransaction" not in liar.asked


def test_a_node_without_fee_advice_is_no_obstacle(liar: LyingNode, backend: ChainBackend) -> None:
    """A tip of one gwei does."""
    liar.refuses("eth_maxPriorityFeePerGas", -32601, "no such method")
    assert mint(backend).block


# AFTER SIGNING


@pytest.mark.parametrize("answer", [None, "0x", "0x" + "12" * 32, 7, {}])
def test_another_hash_than_the_one_that_was_sent_is_refused(
    liar: LyingNode, backend: ChainBackend, answer: Any
) -> None:
    """The hash is known before anything is sent."""
    liar.says("eth_sendRawTransaction", answer)
    with pytest.raises(BadAnswer, match="eth_sendRawTransaction"):
        mint(backend)


@pytest.mark.parametrize(
    "changes",
    [
        {"transactionHash": "0x" + "12" * 32},
        {"to": ROLES["whale"]},
        {"to": None},
        {"from": ROLES["whale"]},
        {"status": "0x7"},
        {"status": None},
        {"logs": [{"address": "0x12"}]},
        {"blockNumber": "nonsense"},
    ],
)
def test_the_receipt_of_something_else_is_refused(
    liar: LyingNode, backend: ChainBackend, changes: dict[str, Any]
) -> None:
    """Its hash, sender, receiver and status must be those of the transaction."""

    def changed(method: str, params: list[Any], answer: dict[str, Any]) -> dict[str, Any]:
        return {**answer, "result": {**answer["result"], **changes}}

    liar.twists["eth_getTransactionReceipt"] = changed
    with pytest.raises(BadAnswer):
        mint(backend)


def test_forged_logs_are_refused(liar: LyingNode, backend: ChainBackend) -> None:
    """Data that does not match the ABI of the contract that they are said to be from."""

    def forged(method: str, params: list[Any], answer: dict[str, Any]) -> dict[str, Any]:
        log = {**answer["result"]["logs"][0], "data": "0x12"}
        return {**answer, "result": {**answer["result"], "logs": [log]}}

    liar.twists["eth_getTransactionReceipt"] = forged
    with pytest.raises(BadAnswer):
        mint(backend)


def test_a_lost_answer_to_a_send_does_not_send_twice(liar: LyingNode, market: Market, backend: ChainBackend) -> None:
    """The same signed bytes are given again, which can only be mined once."""
    before = market.sandbox.call("token", "balance_of", TRADER)
    liar.silent = {"eth_sendRawTransaction"}
    receipt = mint(backend)
    assert receipt.block and liar.asked.count("eth_sendRawTransaction") == 2
    assert market.sandbox.call("token", "balance_of", TRADER) == before + 1


def test_a_send_of_unknown_fate_says_so(liar: LyingNode, backend: ChainBackend) -> None:
    """With the hash to look for, when the node neither answers nor knows it."""
    liar.silent = {"eth_sendRawTransaction"}
    liar.says("eth_getTransactionByHash", None)
    with pytest.raises(MaybeSent, match="look for its receipt"):
        mint(backend)
    liar.silent = {"eth_getTransactionReceipt"}
    liar.twists.clear()
    with pytest.raises(MaybeSent):
        mint(backend)


# ERRORS OF CONTRACTS, IN THE SHAPES OF SEVERAL NODES


@pytest.mark.parametrize("shape", ["plain", "nested", "deeper", "reverted"])
def test_a_contracts_error_is_found_where_nodes_put_it(liar: LyingNode, backend: ChainBackend, shape: str) -> None:
    """As text, in an object, in an object's object, or behind a word."""

    def put(method: str, params: list[Any], answer: dict[str, Any]) -> dict[str, Any]:
        data = answer["error"]["data"]
        shapes = {"plain": data, "nested": {"data": data}, "deeper": {"data": {"result": data}}}
        return {**answer, "error": {"code": 3, "message": "!", "data": shapes.get(shape, f"Reverted {data}")}}

    liar.twists["eth_call"] = put
    with pytest.raises(NotAuthorized):
        backend.call("clearinghouse", "withdraw", account_id(TRADER), 1, TRADER, sender=ROLES["whale"])


def test_a_contracts_error_on_sending_is_that_error(liar: LyingNode, market: Market, backend: ChainBackend) -> None:
    """Some nodes execute what they are sent before they take it."""
    market.house.wait(7200, refresh=False)
    with pytest.raises(StalePrice) as expected:
        backend.call("oracle", "price", 0)

    def execute(method: str, params: list[Any], answer: dict[str, Any]) -> dict[str, Any]:
        [refused] = market.sandbox.rpc.batch_settled([("eth_call", [price_call, "latest"])])
        error = {"code": 3, "message": "execution reverted", "data": refused.data}
        return {"jsonrpc": "2.0", "id": answer["id"], "error": error}

    price_call = {
        "to": backend.deployed["oracle"].address,
        "data": "0x" + backend.action("oracle", "price", 0).hex(),
    }
    liar.twists["eth_sendRawTransaction"] = execute
    with pytest.raises(StalePrice) as met:
        mint(backend)
    assert met.value == expected.value


def test_every_error_is_a_sentence_and_survives_pickling() -> None:
    """So that it can cross to another process."""
    samples: list[ChainError] = [
        errors.BadAnswer("eth_call", "it is empty"),
        errors.SimulationUnavailable("http://127.0.0.1:1"),
        errors.ManifestNotFound("x.json"),
        errors.BadManifest("x.json", "it is not JSON"),
        errors.WrongChain(1, 2),
        errors.ManifestMismatch(("lens",)),
        errors.NoKey("token.mint"),
        errors.BadKey("it is empty"),
        errors.ExposedKeyFile("key.json", 0o644),
        errors.DevKeyRefused(TRADER, 1, "node.example"),
        errors.WrongSender(TRADER, TRADER),
        errors.GasTooHigh(2, 1),
        errors.FeeTooHigh(2, 1),
        errors.ValueTooHigh(2, 1),
        errors.NotMined("0x12", 1, 0.5),
        errors.MaybeSent("0x12", 1, "silence"),
        errors.MinedRevert("0x12", 1, 2),
    ]
    for error in samples:
        assert str(error).endswith("."), error
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
