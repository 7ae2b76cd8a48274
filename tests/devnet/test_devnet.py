"""The devnet as an object: refusals first, then prices, time, and the way back to the beginning."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from perpkit.chain.connection import ChainBackend
from perpkit.client import Reader
from perpkit.client.errors import BadAddress
from perpkit.devnet.devnet import GENESIS, Devnet
from perpkit.devnet.errors import BadControl, ManifestNotWritten, PortInUse, SnapshotGone
from perpkit.market_setup import ROLES, UNIT
from perpkit.model.errors import StalePrice

HOUR = 3600


@pytest.fixture(scope="module")
def shared_net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    with Devnet.start(port=0, manifest=tmp_path_factory.mktemp("devnet") / "manifest.json") as net:
        yield net


@pytest.fixture
def net(shared_net: Devnet) -> Devnet:
    """The shared devnet in its first state."""
    shared_net.reset()
    return shared_net


def mark(net: Devnet, market: int = 0) -> Decimal:
    price, _ = net.sandbox.call("oracle", "price", market)
    return Decimal(price) / UNIT


# --- refusals ---


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        (0, "more than zero"),
        ("-1", "more than zero"),
        ("NaN", "more than zero"),
        ("Infinity", "more than zero"),
        (Decimal(2**88) / UNIT, "at most 309,485,010"),
        ("1.123456789", "at most 8 decimals"),
        ("four thousand", "a number"),
        (4000.0, "a Decimal, a whole number or a string"),
        (True, "a Decimal, a whole number or a string"),
    ],
)
def test_a_price_that_no_feed_can_carry_is_refused(net: Devnet, price: Any, expected: str) -> None:
    """Zero, negative, infinite, too large, too fine or inexact prices never reach the chain."""
    before = mark(net)
    with pytest.raises(BadControl, match=expected):
        net.set_price("ETH-USD", price)
    assert mark(net) == before


def test_an_unknown_market_is_refused_with_the_known_ones(net: Devnet) -> None:
    """The sentence lists what could have been meant."""
    with pytest.raises(BadControl, match="'DOGE-USD': expected one of ETH-USD, BTC-USD, SOL-USD"):
        net.set_price("DOGE-USD", 1)


@pytest.mark.parametrize("seconds", [-1, 0.5, True, "60"])
def test_time_moves_by_whole_seconds_and_never_back(net: Devnet, seconds: Any) -> None:
    """Anything but a whole number of at least zero is refused."""
    with pytest.raises(BadControl, match="seconds may not be"):
        net.advance(seconds)


def test_no_blocks_cannot_be_mined(net: Devnet) -> None:
    """Mining nothing is a mistake of the caller."""
    with pytest.raises(BadControl, match="blocks may not be 0"):
        net.mine(0)


def test_a_snapshot_is_returned_to_once(net: Devnet) -> None:
    """The node uses an id up, and says nothing; we do."""
    snapshot = net.snapshot()
    net.revert(snapshot)
    with pytest.raises(SnapshotGone, match=f"no longer knows the snapshot {snapshot}"):
        net.revert(snapshot)


def test_a_port_in_use_is_refused(net: Devnet, tmp_path: Path) -> None:
    """A second devnet on the same port neither starts nor writes its manifest."""
    with pytest.raises(PortInUse, match="already in use"):
        Devnet.start(port=net.node.port, manifest=tmp_path / "manifest.json")
    assert list(tmp_path.iterdir()) == []


def test_the_chain_id_of_a_live_chain_is_refused(tmp_path: Path) -> None:
    """A devnet that looked like mainnet would make wallets sign for mainnet."""
    with pytest.raises(BadControl, match="the chain id may not be 1: expected a local chain's"):
        Devnet.start(port=0, chain_id=1, manifest=None)


# --- the beginning ---


def test_two_devnets_begin_with_the_same_block(net: Devnet) -> None:
    """Addresses, balances, times and prices are the same each time: the block's hash stands for all of them."""
    with Devnet.start(port=0, manifest=None) as other:
        assert other.addresses == net.addresses
        assert block(other) == block(net)
        assert other.timestamp == net.timestamp == GENESIS


def test_the_market_is_listed_priced_and_seeded(net: Devnet) -> None:
    """Three markets with fresh prices, a pool, an insurance fund, and tokens for ten roles."""
    markets = net.sandbox.call("lens", "markets")
    assert [view.symbol.rstrip(b"\0").decode() for view in markets] == ["ETH-USD", "BTC-USD", "SOL-USD"]
    assert all(view.priced for view in markets)
    vault = net.sandbox.call("clearinghouse", "vault")
    assert (vault.pool, vault.insurance) == (net.setup.pool, net.setup.insurance)
    assert len(net.roles) == 10
    for address in net.roles.values():
        assert net.sandbox.call("token", "balance_of", address) == net.setup.role_balance


# --- prices ---


@pytest.mark.parametrize("price", [Decimal("3999.99999999"), "0.00000001", 309_485_009])
def test_a_price_is_what_every_feed_says(net: Devnet, price: Any) -> None:
    """All three feeds carry it exactly, and so does the oracle."""
    net.set_price("ETH-USD", price)
    answers = {net.sandbox.call(f"feed:ETH-USD:{i}", "latest_round_data")[1] for i in range(3)}
    assert answers == {int(Decimal(price) * 10**8)}
    assert mark(net) == Decimal(price)


def test_one_price_leaves_the_others_alone(net: Devnet) -> None:
    """Publishing ETH does not touch BTC."""
    net.set_price("ETH-USD", 3000)
    assert [mark(net, market) for market in range(3)] == [Decimal(3000), Decimal(100_000), Decimal(200)]


# --- clients ---


def test_an_unknown_role_is_no_address(net: Devnet) -> None:
    """A typing error does not become somebody else's account."""
    with pytest.raises(BadAddress):
        net.trader("tradre")


def test_a_role_trades_with_its_own_key(net: Devnet) -> None:
    """Signed, sent and mined as from any client; the reader sees it."""
    opened = net.trader().open(market="ETH-USD", side="long", margin=200, leverage=10, isolated=True)
    assert opened.transaction is not None
    [position] = net.reader.positions(net.roles["trader"])
    assert (position.market, position.size) == ("ETH-USD", Decimal("0.5"))


def test_any_address_can_trade_without_a_key(net: Devnet) -> None:
    """The devnet sends for strangers, so that a test can have as many traders as it likes."""
    stranger = "0x" + "cd" * 20
    net.sandbox.transact("token", "mint", stranger, 1000 * 10**6, sender=stranger)
    net.trader(stranger).open(market="SOL-USD", side="short", margin=100, leverage=5, isolated=True)
    assert [position.market for position in net.reader.positions(stranger)] == ["SOL-USD"]


# --- manifest ---


def test_the_manifest_tells_clients_everything_and_goes_with_the_devnet(tmp_path: Path) -> None:
    """A client connects by the file alone; after the end there is no file."""
    place = tmp_path / "manifest.json"
    with Devnet.start(port=0, manifest=place) as net:
        assert net.manifest_path == place
        assert [market.symbol for market in Reader(ChainBackend.connect(place)).markets()] == [
            "ETH-USD",
            "BTC-USD",
            "SOL-USD",
        ]
    assert list(tmp_path.iterdir()) == []
    net.stop()


def test_a_manifest_that_cannot_be_written_ends_the_node(tmp_path: Path) -> None:
    """Without a manifest nobody would find the node, so it does not stay."""
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ManifestNotWritten, match="cannot be written"):
        Devnet.start(port=0, manifest=tmp_path / "file" / "manifest.json")


# --- time ---


def test_prices_stay_fresh_while_time_passes(net: Devnet) -> None:
    """A month later the present prices still count, also those that somebody else published."""
    feeds = tuple(net.addresses[f"feed:ETH-USD:{i}"] for i in range(3))
    net.sandbox.transact("board", "push", feeds, (5_000 * 10**8,) * 3, sender=ROLES["publisher"])
    assert net.advance(30 * 24 * HOUR) == GENESIS + 30 * 24 * HOUR
    assert mark(net) == 5000


def test_prices_become_stale_when_nobody_keeps_them_fresh(net: Devnet) -> None:
    """After the heartbeat of an hour no feed counts, until a price is set."""
    net.advance(HOUR, keep_fresh=False)
    assert mark(net) == 4000
    net.advance(1, keep_fresh=False)
    with pytest.raises(StalePrice):
        mark(net)
    net.set_price("ETH-USD", 4100)
    assert mark(net) == 4100


def test_no_block_with_stale_prices_stands_before_the_fresh_ones(net: Devnet) -> None:
    """Time and prices move in one block, so that a keeper which polls sees no gap."""
    before = block_number(net)
    net.advance(24 * HOUR)
    assert block_number(net) == before + 1


def test_blocks_are_mined_without_time_passing(net: Devnet) -> None:
    """With the fixed clock five blocks are five blocks."""
    before = block_number(net)
    net.mine(5)
    assert (block_number(net), net.timestamp) == (before + 5, GENESIS)


def test_a_wall_clock_follows_this_machine() -> None:
    """The set-up is still the same; then time is now, prices are fresh, and time passes by itself."""
    with Devnet.start(port=0, manifest=None, clock="wall") as net:
        assert abs(net.timestamp - time.time()) < 60
        assert mark(net) == 4000
        wait_for_a_second(net)
        later = net.advance(2 * HOUR)
        assert later - time.time() > 2 * HOUR - 60
        assert mark(net) == 4000
        net.reset()
        assert abs(net.timestamp - time.time()) < 60
        wait_for_a_second(net)
        assert mark(net) == 4000


# --- the way back ---


def test_a_snapshot_brings_state_and_time_back(net: Devnet) -> None:
    """What happened since is as if it never had."""
    snapshot, before = net.snapshot(), block(net)
    net.set_price("ETH-USD", 1)
    net.advance(HOUR)
    net.revert(snapshot)
    assert block(net) == before
    assert (mark(net), net.timestamp) == (Decimal(4000), GENESIS)


def test_a_reset_returns_to_the_beginning_as_often_as_one_likes(net: Devnet) -> None:
    """Each time the very same block is the latest."""
    first = block(net)
    for price in (1, 2, 3):
        net.set_price("ETH-USD", price)
        net.advance(HOUR)
        net.reset()
        assert block(net) == first


def test_a_stranger_can_act_again_after_a_reset(net: Devnet) -> None:
    """The sandbox gives a sender ether again, since the reset took it away."""
    stranger = "0x" + "ab" * 20
    for _ in range(2):
        net.sandbox.transact("token", "mint", stranger, 1, sender=stranger)
        net.reset()


def test_a_reset_after_an_earlier_revert_says_that_the_beginning_is_gone() -> None:
    """Returning past our own first snapshot uses it up: the error says so instead of a wrong state."""
    with Devnet.start(port=0, manifest=None) as net:
        net.sandbox.rpc.call("evm_revert", "0x0")
        with pytest.raises(SnapshotGone):
            net.reset()


def block(net: Devnet) -> str:
    return str(net.sandbox.rpc.call("eth_getBlockByNumber", "latest", False)["hash"])


def block_number(net: Devnet) -> int:
    return int(net.sandbox.rpc.call("eth_blockNumber"), 16)


def wait_for_a_second(net: Devnet) -> None:
    """Returns once the chain's own time has moved on; fails when it stands still."""
    begin, deadline = net.timestamp, time.monotonic() + 30
    while net.timestamp <= begin:
        assert time.monotonic() < deadline, "time stood still"
        net.mine()
