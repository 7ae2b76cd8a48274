"""Runs the installed `perpkit` as people do: a process, its exit code, stdout and stderr."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil  # type: ignore[import-untyped, unused-ignore]

PERPKIT = Path(sys.executable).with_name("perpkit")
PATIENCE_SECONDS = 60
OURS = ("PERPKIT_", "COLUMNS", "NO_COLOR", "FORCE_COLOR")


@dataclass(frozen=True)
class Ended:
    """A program that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """The error that `--json` puts on stderr."""
        return json.loads(self.err)["error"]


def environment(**changes: str) -> dict[str, str]:
    """This environment without what would change perpkit's behaviour."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**kept, **changes}


def perpkit(*arguments: object, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Ended:
    """Runs a command to its end."""
    done = subprocess.run(
        [str(PERPKIT), *map(str, arguments)],
        cwd=cwd,
        env=env or environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


class Inside(Protocol):
    """Runs a command in this process, which saves the seconds that web3 takes to import."""

    def __call__(self, *arguments: object) -> Ended: ...


def assert_refused(ended: Ended, code: int, words: str) -> None:
    """One sentence on stderr with these words, nothing on stdout, no traceback, this exit code."""
    assert words in ended.err, ended
    assert (ended.code, ended.out) == (code, ""), ended
    assert ended.err.startswith("perpkit: ") and ended.err.count("\n") == 1, ended


@contextmanager
def started(*arguments: object, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A command that runs while the block runs; whatever is left of it is killed at the end."""
    process = subprocess.Popen(
        [str(PERPKIT), *map(str, arguments)],
        env=env or environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ready_line(process: subprocess.Popen[str]) -> str:
    """The first line on stdout; empty when the program ended without one."""
    assert process.stdout is not None
    return process.stdout.readline()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Returns as soon as the condition holds; fails if it never does."""
    deadline, pause = time.monotonic() + PATIENCE_SECONDS, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        pause.wait(0.01)


def anvil_of(process: subprocess.Popen[str]) -> psutil.Process | None:
    """The node that a program has started, if it has; not the short `anvil --version` before it."""
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if child.name().startswith("anvil") and "--version" not in child.cmdline():
                    return child
    return None


def wait_for_anvil(process: subprocess.Popen[str]) -> psutil.Process:
    """The node as soon as it is there; fails when the program ends without one."""
    found: list[psutil.Process] = []

    def appears() -> bool:
        assert process.poll() is None, "the program ended before its node was seen"
        if node := anvil_of(process):
            found.append(node)
        return bool(found)

    wait_until(appears, "the node appears")
    return found[0]


def is_gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
