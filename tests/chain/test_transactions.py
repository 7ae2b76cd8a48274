"""Transactions on a real Anvil: refusals first, then nonces, then what is said about a success."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any

import pytest
from live import LyingNode, Market, mine_before_waiting, posts_of
from roles import HOUR, INT256_MAX, units

from perpkit.backend import Receipt
from perpkit.chain.connection import ChainBackend
from perpkit.chain.errors import BadAnswer, MinedRevert, NotMined, RpcError
from perpkit.market_setup import DEFAULT_MARKETS, ROLES
from perpkit.model.errors import (
    BelowInitialMargin,
    ERC20InsufficientBalance,
    NotAuthorized,
    PerpError,
    PriceLimitCrossed,
    StalePrice,
)
from perpkit.model.events import Deposited, Traded, Transfer
from perpkit.model.types import account_id

TRADER, WHALE = ROLES["trader"], ROLES["whale"]
ACCOUNT = account_id(TRADER)

# What each is refused with, on every way there is to ask for it.
REFUSED: list[tuple[type[PerpError], tuple[Any, ...]]] = [
    (ERC20InsufficientBalance, ("token", "transfer", WHALE, 10**30)),
    (NotAuthorized, ("clearinghouse", "withdraw", account_id(WHALE), 1, TRADER)),
    (BelowInitialMargin, ("clearinghouse", "trade", ACCOUNT, 0, units(1), INT256_MAX)),
    (PriceLimitCrossed, ("clearinghouse", "trade", ACCOUNT, 0, units(1), 1)),
]


def mint(backend: ChainBackend, amount: int = 1) -> Receipt:
    return backend.transact("token", "mint", TRADER, amount)


def nonce(market: Market, address: str = TRADER) -> int:
    return int(market.sandbox.rpc.call("eth_getTransactionCount", address, "latest"), 16)


# REFUSALS


@pytest.mark.parametrize(("refusal", "call"), REFUSED)
def test_a_refusal_is_the_same_on_every_way(market: Market, refusal: type[PerpError], call: tuple[Any, ...]) -> None:
    """Called, called with others, simulated, and sent: the contract's own error, as from a sandbox."""
    backend = market.connect("trader")
    with pytest.raises(refusal) as expected:
        market.sandbox.call(*call, sender=TRADER)
    before = nonce(market)
    ways: list[Any] = [
        lambda: backend.call(*call, sender=TRADER),
        lambda: backend.call_many([("token", "decimals"), call], sender=TRADER),
        lambda: backend.simulate([call], then=[], sender=TRADER),
        lambda: backend.transact(*call),
    ]
    for way in ways:
        with pytest.raises(refusal) as met:
            way()
        assert met.value == expected.value
    assert nonce(market) == before


@pytest.mark.parametrize("traced", [True, False])
def test_a_mined_refusal_is_the_contracts_error(market: Market, liar: LyingNode, traced: bool) -> None:
    """When the state moves between the simulation and the block; from the trace or, without one, from a replay."""
    backend = market.connect("trader", rpc_url=liar.url)
    backend.transact("clearinghouse", "deposit", ACCOUNT, 10**9)
    if not traced:
        liar.refuses("debug_traceTransaction", -32601, "no such method")
    mine_before_waiting(market, backend, after=2 * HOUR)
    with pytest.raises(StalePrice) as refusal:
        backend.transact("clearinghouse", "trade", ACCOUNT, 0, units(1), INT256_MAX)
    with pytest.raises(StalePrice) as expected:
        market.sandbox.call("oracle", "price", 0)
    assert refusal.value == expected.value
    cause = refusal.value.__cause__
    assert isinstance(cause, MinedRevert)
    assert cause.block == int(market.sandbox.rpc.call("eth_blockNumber"), 16) and cause.gas_used > 21_000


def test_a_mined_refusal_that_no_replay_repeats_is_told_too(market: Market, liar: LyingNode) -> None:
    """The reason is lost, but not the fact."""
    backend = market.connect("trader", rpc_url=liar.url)
    liar.refuses("debug_traceTransaction", -32601, "no such method")
    liar.twists["eth_getTransactionReceipt"] = lambda _, __, answer: {
        **answer,
        "result": {**answer["result"], "status": "0x0"},
    }
    with pytest.raises(BadAnswer, match="no replay") as refusal:
        mint(backend)
    assert isinstance(refusal.value.__cause__, MinedRevert)


def test_what_is_not_mined_in_time_is_told(market: Market) -> None:
    """With hash and nonce; it may still be mined, and the next one takes the next nonce."""
    backend = market.connect("trader", receipt_timeout=0.05)
    first = nonce(market)
    market.hold_blocks()
    with pytest.raises(NotMined, match="may still be") as late:
        mint(backend)
    with pytest.raises(NotMined) as later:
        mint(backend)
    assert (late.value.nonce, later.value.nonce) == (first, first + 1)
    market.mine()
    assert nonce(market) == first + 2


def test_a_sender_without_ether_is_refused_by_the_node(market: Market) -> None:
    """With the node's own words."""
    backend = market.connect("trader")
    market.sandbox.rpc.call("anvil_setBalance", TRADER, "0x0")
    with pytest.raises(RpcError, match=r"(?i)insufficient funds"):
        mint(backend)


# NONCES


def test_a_failure_before_sending_loses_no_nonce(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a refusal nor a signature that fails leaves a gap."""
    backend = market.connect("trader")
    transactions: Any = backend._transactions
    first = nonce(market)

    def fail(*args: Any) -> Any:
        raise RuntimeError("the hardware wallet was unplugged")

    with monkeypatch.context() as patch:
        patch.setattr(transactions, "_sign", fail)
        with pytest.raises(RuntimeError):
            mint(backend)
    with pytest.raises(ERC20InsufficientBalance):
        backend.transact("token", "transfer", WHALE, 10**30)
    mint(backend)
    assert nonce(market) == first + 1


def test_a_nonce_that_is_too_low_is_corrected(market: Market, liar: LyingNode) -> None:
    """When the node's count lags behind, as of nodes behind a balancer."""
    backend = market.connect("trader", rpc_url=liar.url)
    mint(backend)
    mint(backend)
    behind = nonce(market) - 2
    liar.says("eth_getTransactionCount", hex(behind))
    mint(backend)
    assert nonce(market) == behind + 3


def test_a_node_that_takes_no_nonce_is_given_up(market: Market, liar: LyingNode) -> None:
    """Not for ever: after a few."""
    backend = market.connect("trader", rpc_url=liar.url)
    liar.refuses("eth_sendRawTransaction", -32000, "nonce too low")
    with pytest.raises(BadAnswer, match="takes no nonce"):
        mint(backend)
    assert liar.asked.count("eth_sendRawTransaction") == 8


def test_somebody_else_with_the_same_key_is_no_obstacle(market: Market) -> None:
    """Two processes take turns."""
    one, other = market.connect("trader"), market.connect("trader")
    first = nonce(market)
    for backend in (one, other, other, one):
        mint(backend)
    assert nonce(market) == first + 4


def test_a_chain_that_was_rolled_back_is_no_obstacle(market: Market) -> None:
    """The node's count is believed as soon as nothing is under way."""
    backend = market.connect("trader")
    with market.sandbox.rolled_back():
        mint(backend)
        mint(backend)
    first = nonce(market)
    mint(backend)
    assert nonce(market) == first + 1


def test_many_threads_share_one_key(market: Market) -> None:
    """Every transaction gets a nonce of its own, without gaps, also while several are under way."""
    backend = market.connect("trader")
    first, before = nonce(market), backend.call("token", "balance_of", TRADER)
    market.hold_blocks()
    with ThreadPoolExecutor(8) as pool:
        sends = [pool.submit(mint, backend) for _ in range(24)]
        while not all(send.done() for send in sends):
            market.mine()
        receipts = [send.result() for send in sends]
    assert nonce(market) == first + 24
    assert len({receipt.transaction for receipt in receipts}) == 24
    assert backend.call("token", "balance_of", TRADER) == before + 24


def test_two_traders_trade_at_once(market: Market) -> None:
    """Each with its own key, and the ledger balances."""
    backends = [market.connect(role) for role in ("trader", "whale")]
    together = threading.Barrier(2)

    def trade(backend: ChainBackend) -> int:
        account = account_id(backend.address)
        backend.transact("clearinghouse", "deposit", account, 10**10)
        together.wait(30)
        for sign in (1, -1, 1):
            backend.transact("clearinghouse", "trade", account, 0, sign * units(1), INT256_MAX if sign > 0 else 0)
        return int(backend.call("clearinghouse", "position_of", account, 0).size)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(trade, backends)) == [units(1), units(1)]
    assert backends[0].call("clearinghouse", "state_of", 0).long_oi == units(2)


# WHAT IS SAID


def test_a_receipt_holds_the_models_events(market: Market) -> None:
    """With gas, hash, block and time."""
    backend = market.connect("trader")
    receipt = backend.transact("clearinghouse", "deposit", ACCOUNT, 10**9)
    assert {type(event) for event in receipt.events} == {Transfer, Deposited}
    assert receipt.timestamp == market.sandbox.timestamp == backend.timestamp
    assert receipt.gas_used and receipt.transaction and receipt.block == backend.head()[0]
    assert backend.w3.eth.get_transaction_receipt(receipt.transaction)["status"] == 1  # type: ignore[arg-type]


def test_several_actions_are_one_transaction(market: Market) -> None:
    """`action` makes data that `multicall` takes."""
    backend = market.connect("trader")
    deposit = backend.action("clearinghouse", "deposit", ACCOUNT, 10**9)
    trade = backend.action("clearinghouse", "trade", ACCOUNT, 0, units("1/10"), INT256_MAX)
    receipt = backend.transact("clearinghouse", "multicall", (deposit, trade), sender=TRADER)
    assert Traded in map(type, receipt.events)


def test_reads_are_of_one_block(market: Market) -> None:
    """Or of a block that is named, also when the chain has moved on."""
    backend = market.connect("trader")
    block, before = backend.head()[0], backend.call("token", "balance_of", TRADER)
    mint(backend)
    asked = ("token", "balance_of", TRADER)
    assert backend.call_many([asked, asked], block=block) == [before, before]
    assert backend.call(*asked, block=block) == before
    assert backend.call_many([asked, asked]) == [before + 1, before + 1]


def test_a_simulation_does_nothing(market: Market) -> None:
    """It tells events and what would be read after them."""
    backend = market.connect()
    before = backend.call("token", "balance_of", TRADER)
    steps = [("token", "mint", TRADER, 5), ("token", "mint", TRADER, 6)]
    events, [after] = backend.simulate(steps, then=[("token", "balance_of", TRADER)], sender=TRADER)
    assert [event.value for event in events if isinstance(event, Transfer)] == [5, 6]
    assert (after, backend.call("token", "balance_of", TRADER)) == (before + 11, before)


def test_events_are_read_back(market: Market) -> None:
    """By a reader, from a cursor on, with the times at which they were said."""
    backend, reader = market.connect("trader"), market.connect()
    _, cursor = reader.events_since(0)
    receipt = backend.transact("clearinghouse", "deposit", ACCOUNT, 10**9)
    events, after = reader.events_since(cursor)
    assert events == tuple((receipt.timestamp, event) for event in receipt.events)
    assert reader.events_since(after) == ((), after)


def test_few_requests_are_made(market: Market) -> None:
    """One post for a call, two for reads at one block, four for a transaction."""
    backend = market.connect("trader")
    posts = posts_of(backend)
    backend.call("lens", "markets")
    assert posts == [["eth_call"]]
    posts.clear()
    backend.call_many([("lens", "markets"), ("clearinghouse", "vault")])
    assert posts == [["eth_getBlockByNumber"], ["eth_call", "eth_call"]]
    posts.clear()
    mint(backend)
    # A receipt is asked for as often as the node needs to mine it, which on a busy machine is more than once.
    assert [post for post, _ in groupby(posts)] == [
        ["eth_call", "eth_estimateGas", "eth_getBlockByNumber", "eth_maxPriorityFeePerGas"],
        ["eth_chainId", "eth_getTransactionCount"],
        ["eth_sendRawTransaction"],
        ["eth_getTransactionReceipt"],
    ]


def test_web3_speaks_over_the_same_connection(market: Market) -> None:
    """For whatever is not in this house: its contracts, its blocks and its batches."""
    backend = market.connect("trader")
    assert backend.w3.is_connected() and backend.w3.eth.chain_id == 31337
    token = backend.contract("token")
    assert token.functions.decimals().call() == 6
    with backend.w3.batch_requests() as batch:
        batch.add(backend.w3.eth.get_block("latest"))
        batch.add(token.functions.decimals())
        answers: list[Any] = batch.execute()
    assert (answers[0]["number"], answers[1]) == (backend.head()[0], 6)
    assert str(backend.w3.provider).startswith("<HardenedProvider http://127.0.0.1")


def test_a_connection_says_who_it_is(market: Market) -> None:
    """Endpoint and address, no more."""
    assert repr(market.connect()).endswith("as a reader>")
    backend = market.connect("trader")
    assert repr(backend) == f"<ChainBackend chain 31337 at {market.url} as {TRADER}>"
    assert set(backend.deployed) >= {"token", "clearinghouse", "lens", "oracle", "pool"}
    assert backend.name == "chain" and len(DEFAULT_MARKETS) == 3
    backend.close()
    assert backend.call("token", "decimals") == 6
