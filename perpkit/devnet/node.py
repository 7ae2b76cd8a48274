"""Runs Anvil as a child process that cannot outlive us.

It listens on 127.0.0.1 only and never forks a live chain. Where Anvil comes from is in
`perpkit.devnet.find_node`, how it is spoken to in `perpkit.chain.json_rpc`.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import psutil  # type: ignore[import-untyped, unused-ignore]

from perpkit.chain.errors import RpcError, RpcTransportError
from perpkit.chain.json_rpc import JsonRpc
from perpkit.devnet.errors import BadNodeOption, NodeFailed, PortInUse
from perpkit.devnet.find_node import find_anvil

__all__ = ["DEFAULT_MNEMONIC", "HOST", "AnvilNode", "find_anvil"]

HOST = "127.0.0.1"
DEFAULT_MNEMONIC = "test test test test test test test test test test test junk"

_START_SECONDS = 30.0
_POLL_SECONDS = 0.01
_STOP_SECONDS = 5.0
_FREE_PORT_ATTEMPTS = 5
_STDERR_LINES = 10
_STDERR_BYTES = 8192
_ADDRESS_IN_USE = re.compile(r"\(os error (98|48|10048)\)")  # Linux, macOS, Windows

_NO_FORK = "this node never forks another chain"
_OWN_ADDRESS = "this node chooses where it listens, and only programs on this machine may reach it"
_REFUSED_OPTIONS = {
    "--fork": _NO_FORK,
    "--rpc-url": _NO_FORK,
    "-f": _NO_FORK,
    "--host": _OWN_ADDRESS,
    "--port": _OWN_ADDRESS,
    "-p": _OWN_ADDRESS,
    "--ipc": _OWN_ADDRESS,
    "--allow-origin": "it has its own parameter",
    "--no-cors": "it would undo the origin that is allowed",
}

# Becomes the node, after asking Linux (PR_SET_PDEATHSIG is 1) to kill it at the parent's death. The question
# who the parent is comes last: it may have died before. A preexec_fn would do without this program, but it is
# unsafe, and warned about, in a process with threads.
_LAUNCHER = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, int(signal.SIGKILL), 0, 0, 0)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent is gone")
try:
    os.execv(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.exit(str(error))
"""

# Kills the node once its parent is gone. Process objects remember when a process began, so that a reused
# pid is not taken for the parent or the node.
_WATCHDOG = """
import sys, time, psutil
def process(pid):
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None
def lives(one):
    try:
        return one is not None and one.is_running() and one.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
parent, node = process(int(sys.argv[1])), process(int(sys.argv[2]))
while lives(parent) and lives(node):
    time.sleep(0.2)
if lives(node):
    node.kill()
"""


class AnvilNode:
    """A running Anvil; make one with `AnvilNode.start` and end it with `stop` or a `with` block."""

    def __init__(self, process: subprocess.Popen[bytes], *, port: int, stderr: IO[bytes]) -> None:
        self._process = process
        self._port = port
        self._stderr = stderr
        self._last_words = ""
        self._owner_pid = os.getpid()
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._rpc = JsonRpc(self.url)
        atexit.register(self.stop)

    @classmethod
    def start(
        cls,
        anvil: Path,
        *,
        timestamp: int,
        port: int = 8545,
        chain_id: int = 31337,
        mnemonic: str = DEFAULT_MNEMONIC,
        accounts: int = 20,
        balance_ether: int = 10_000,
        hardfork: str = "cancun",
        gas_limit: int = 30_000_000,
        block_time: int | None = None,
        allow_origin: str = "http://localhost",
        extra: Sequence[str] = (),
    ) -> AnvilNode:
        """Start `anvil` and return once it answers.

        `timestamp` is the genesis block's, in Unix seconds; `block_time` is in seconds, and None mines a
        block for each transaction; `port` 0 picks a free one. The mnemonic can be read in the process list:
        take one that guards nothing.

        Raises `PortInUse`, `NodeFailed` and, for an unfit `extra`, `BadNodeOption`.
        """
        options = {
            "--host": HOST,
            "--chain-id": chain_id,
            "--mnemonic": mnemonic,
            "--accounts": accounts,
            "--balance": balance_ether,
            "--timestamp": timestamp,
            "--hardfork": hardfork,
            "--gas-limit": gas_limit,
            "--allow-origin": allow_origin,
            "--order": "fifo",
            "--color": "never",
        }
        if block_time is not None:
            options["--block-time"] = block_time
        _check_extra(extra)
        # name=value, because a bare value that begins with a dash would be read as an option
        command = [str(anvil), "--quiet", *(f"{name}={value}" for name, value in options.items()), *extra]
        if port:
            return cls._launch(command, port=port, chain_id=chain_id)
        return cls._launch_on_free_port(command, chain_id=chain_id)

    @classmethod
    def _launch_on_free_port(cls, command: list[str], *, chain_id: int) -> AnvilNode:
        for _ in range(_FREE_PORT_ATTEMPTS - 1):
            # Between the choice and Anvil's start another program may take the port.
            with contextlib.suppress(PortInUse):
                return cls._launch(command, port=_free_port(), chain_id=chain_id)
        return cls._launch(command, port=_free_port(), chain_id=chain_id)

    @classmethod
    def _launch(cls, command: list[str], *, port: int, chain_id: int) -> AnvilNode:
        _refuse_used_port(port)
        # A file, since a pipe that nobody empties would block the node; `stop` closes it.
        stderr = tempfile.TemporaryFile("a+b")  # noqa: SIM115
        try:
            process = _spawn([*command, f"--port={port}"], stderr)
        except OSError as error:
            stderr.close()
            raise NodeFailed(f"Anvil could not be started: {error}") from error
        node = cls(process, port=port, stderr=stderr)
        try:
            node._watchdog = _watch(process.pid)
            node._wait_until_ready(chain_id)
        except BaseException:
            node.stop()
            raise
        return node

    @property
    def url(self) -> str:
        """The node's JSON-RPC URL."""
        return f"http://{HOST}:{self._port}"

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1; never 0."""
        return self._port

    @property
    def pid(self) -> int:
        """The process id of Anvil."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Say whether the process still runs."""
        return self._process.poll() is None

    def rpc(self, method: str, *params: Any) -> Any:
        """Return the result of a JSON-RPC call.

        Raises `RpcError`, `RpcTransportError`, or `NodeFailed` when the node is no longer there.
        """
        try:
            return self._rpc.call(method, *params)
        except RpcTransportError as error:
            if self.is_alive():
                raise
            raise NodeFailed("Anvil is not running", self._process.returncode, self._tail()) from error

    def stop(self) -> None:
        """End the node (SIGTERM, then SIGKILL) and wait until it is gone; harmless when repeated."""
        if os.getpid() != self._owner_pid:
            return  # a forked copy of us: the node belongs to the original
        _end(self._process)
        if self._watchdog is not None:
            _end(self._watchdog)
        self._rpc.close()
        self._tail()
        self._stderr.close()
        atexit.unregister(self.stop)

    def __enter__(self) -> AnvilNode:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_until_ready(self, chain_id: int) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise self._start_failure()
            found = self._served_chain_id()
            if found is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(_POLL_SECONDS)
            elif found == chain_id:
                return
            else:
                raise NodeFailed(f"Anvil serves chain id {found} instead of {chain_id}")
        raise NodeFailed(f"Anvil did not answer within {_START_SECONDS:.0f} seconds")

    def _served_chain_id(self) -> int | None:
        """Return the chain id that our own process answers with, or None while it does not listen yet."""
        if not _listens(self.pid, self._port):
            return None  # nobody, or a stranger who took the port just now
        try:
            return int(str(self._rpc.call("eth_chainId")), 16)
        except (RpcTransportError, RpcError, ValueError):
            return None

    def _start_failure(self) -> Exception:
        words = self._tail()
        if _ADDRESS_IN_USE.search(words):
            return PortInUse(self._port)
        return NodeFailed("Anvil ended while starting", self._process.returncode, words)

    def _tail(self) -> str:
        """Return the last lines of stderr; only after the end, since seeking would disturb the writer."""
        if not self._stderr.closed and not self.is_alive():
            size = self._stderr.seek(0, os.SEEK_END)
            self._stderr.seek(max(0, size - _STDERR_BYTES))
            lines = self._stderr.read().decode("utf-8", "replace").strip().splitlines()
            self._last_words = "\n".join(lines[-_STDERR_LINES:])
        return self._last_words


def _check_extra(extra: Sequence[str]) -> None:
    for option in extra:
        # -qf URL is short for -q -f URL
        short = option.startswith("-") and not option.startswith("--")
        spelled = f"-{option.lstrip('-qv')}" if short else option
        for refused, reason in _REFUSED_OPTIONS.items():
            if spelled.startswith(refused):
                raise BadNodeOption(option, reason)


def _refuse_used_port(port: int) -> None:
    """Raise `PortInUse` if the port cannot be bound; connections that linger after their end do not count."""
    with socket.socket() as probe:
        if sys.platform != "win32":  # where this flag would let two programs share a port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError as error:
            raise NodeFailed(f"port {port} of {HOST} may not be used: {error.strerror}") from error
        except OSError as error:
            raise PortInUse(port) from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _spawn(command: list[str], stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the node in a session of its own: Ctrl-C in the terminal then reaches us first, and not Anvil."""
    if _parent_death_is_signalled():
        command = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *command]
    return _popen(command, stderr)


def _popen(command: list[str], stderr: IO[bytes] | int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )


def _parent_death_is_signalled() -> bool:
    """Say whether the kernel can tie the node's life to ours.

    Linux sends the signal at the end of the *thread* that started the node: only the main thread's is ours.
    """
    return sys.platform == "linux" and threading.get_native_id() == os.getpid()


def _watch(pid: int) -> subprocess.Popen[bytes] | None:
    """Start the watchdog where the kernel does not do its work."""
    if _parent_death_is_signalled():
        return None
    command = [sys.executable, "-c", _WATCHDOG, str(os.getpid()), str(pid)]
    return _popen(command, subprocess.DEVNULL)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _listens(pid: int, port: int) -> bool:
    """Say whether this process, or one it started, listens on the port (True if we may not know)."""
    try:
        top = psutil.Process(pid)
        for one in (top, *top.children(recursive=True)):
            for link in one.net_connections(kind="tcp4"):
                if link.status == psutil.CONN_LISTEN and link.laddr.port == port:
                    return True
    except psutil.AccessDenied:
        return True
    except psutil.NoSuchProcess:
        pass
    return False
