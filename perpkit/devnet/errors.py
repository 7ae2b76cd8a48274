"""What can go wrong while a local chain is found, or started.

    DevnetError
    ├── AnvilNotFound         no usable Anvil binary, with what was tried
    └── NodeError
        ├── BadNodeOption     an option that would undo a promise of AnvilNode (no fork, local only)
        ├── PortInUse         another program listens on the port
        └── NodeFailed        the process ended, never answered, or serves another chain

Every error keeps its values as attributes and survives pickling (its args are its constructor's arguments).
"""

from __future__ import annotations


class DevnetError(Exception):
    """Root of every error raised by `perpkit.devnet`."""


class AnvilNotFound(DevnetError):
    """No usable Anvil binary was found; `sentence` is for the reader, `tried` names each place in order."""

    def __init__(self, sentence: str, tried: tuple[str, ...] = ()) -> None:
        super().__init__(sentence, tried)
        self.sentence = sentence
        self.tried = tried

    def __str__(self) -> str:
        return self.sentence


class NodeError(DevnetError):
    """Root of the errors of the Anvil process itself."""


class BadNodeOption(NodeError):
    """`option` may not be passed to Anvil, for the given `reason`."""

    def __init__(self, option: str, reason: str) -> None:
        super().__init__(option, reason)
        self.option = option
        self.reason = reason

    def __str__(self) -> str:
        return f"the Anvil option {self.option} is refused: {self.reason}"


class PortInUse(NodeError):
    """Another program already listens on `port` of 127.0.0.1."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.port = port

    def __str__(self) -> str:
        return (
            f"port {self.port} of 127.0.0.1 is already in use: "
            "stop the program that listens there or choose another port (0 picks a free one)"
        )


class NodeFailed(NodeError):
    """Anvil did not start or did not stay up.

    `returncode` is None while the process still ran; `stderr` holds the last lines it wrote (may be empty).
    """

    def __init__(self, reason: str, returncode: int | None = None, stderr: str = "") -> None:
        super().__init__(reason, returncode, stderr)
        self.reason = reason
        self.returncode = returncode
        self.stderr = stderr

    def __str__(self) -> str:
        ended = "" if self.returncode is None else f" (exit code {self.returncode})"
        said = f"; its last words: {self.stderr}" if self.stderr else ""
        return f"{self.reason}{ended}{said}"
