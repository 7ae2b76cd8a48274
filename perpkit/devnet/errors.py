"""What can go wrong while a local chain is found, started or controlled.

    DevnetError
    ├── AnvilNotFound         no usable Anvil binary, with what was tried
    ├── BadControl            a wish that makes no sense: an unknown symbol, a price of zero, a negative time
    ├── SnapshotGone          the node no longer knows the state to return to
    ├── ManifestNotWritten    the file that tells clients about the devnet cannot be written
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


class BadControl(DevnetError, ValueError):
    """`name` may not be `value`; `expected` completes the sentence."""

    def __init__(self, name: str, value: str, expected: str) -> None:
        super().__init__(name, value, expected)
        self.name = name
        self.value = value
        self.expected = expected

    def __str__(self) -> str:
        return f"{self.name} may not be {self.value}: expected {self.expected}."


class SnapshotGone(DevnetError):
    """The node cannot go back to `snapshot`: it was used up, or an earlier one was returned to meanwhile."""

    def __init__(self, snapshot: str) -> None:
        super().__init__(snapshot)
        self.snapshot = snapshot

    def __str__(self) -> str:
        return f"the node no longer knows the snapshot {self.snapshot}; each can be returned to once."


class ManifestNotWritten(DevnetError):
    """The manifest cannot be written at `path`, for the given `reason`."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"the manifest {self.path} cannot be written ({self.reason}); name another path with --manifest."


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
