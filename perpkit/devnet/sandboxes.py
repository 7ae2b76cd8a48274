"""Opens a sandbox by name, so that replays and scenarios run on any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from perpkit.backend import Sandbox

BACKENDS = ("model", "revm", "anvil")


class UnknownBackend(ValueError):
    """`name` is no backend."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"there is no backend {self.name!r}: choose one of {', '.join(BACKENDS)}."


class BackendMissing(Exception):
    """The backend `name` needs something that is not installed."""

    def __init__(self, name: str, mend: str) -> None:
        super().__init__(name, mend)
        self.name, self.mend = name, mend

    def __str__(self) -> str:
        return f"the backend {self.name} is not installed: {self.mend}."


@contextmanager
def open_sandbox(
    name: str, *, timestamp: int, anvil: Path | None = None, progress: Callable[[str], None] | None = None
) -> Iterator[Sandbox]:
    """An empty sandbox whose time begins at `timestamp` {s}; a node of its own ends with the block."""
    if name == "model":
        from perpkit.local import LocalBackend

        yield LocalBackend(timestamp=timestamp)
    elif name == "revm":
        yield _revm(timestamp)
    elif name == "anvil":
        from perpkit.chain.sandbox import ChainSandbox
        from perpkit.devnet.find_node import find_anvil
        from perpkit.devnet.node import AnvilNode

        binary = find_anvil(anvil, progress=progress)
        with AnvilNode.start(binary, port=0, timestamp=timestamp) as node:
            yield ChainSandbox(node.url, alone=True)
    else:
        raise UnknownBackend(name)


def _revm(timestamp: int) -> Sandbox:
    from perpkit.revm import RevmBackend

    try:
        return RevmBackend(timestamp=timestamp)
    except ImportError:
        raise BackendMissing("revm", "run pip install 'perpkit[revm]'") from None
