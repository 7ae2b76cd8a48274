"""What can go wrong between this process and a chain, as distinct from what a contract refuses.

    ChainError
    ├── JsonRpcError
    │   ├── BadRpcUrl         not a plain http(s) URL
    │   ├── RpcTransportError no usable answer: the connection, the HTTP status or the JSON is at fault
    │   └── RpcError          the node answered with a JSON-RPC error
    ├── BadAnswer             the node's answer cannot be true, or is no value of the kind that was asked for
    ├── SimulationUnavailable the node cannot try out several steps (also a NotImplementedError)
    ├── ManifestError
    │   ├── ManifestNotFound  no file there
    │   ├── BadManifest       a file that is no manifest
    │   ├── WrongChain        the node serves another chain than the manifest is of
    │   └── ManifestMismatch  the contracts on the chain are not those of the manifest
    ├── BadTicket             a text that is no signed order (also a ValueError)
    ├── KeyProblem
    │   ├── NoKey             a transaction, but no key
    │   ├── BadKey            a key, keystore or password that cannot be used; never repeated
    │   ├── ExposedKeyFile    a key's file that others may read
    │   ├── DevKeyRefused     a key that everybody knows, on a chain that may hold value
    │   └── WrongSender       a transaction of somebody else than the key's owner
    ├── OverLimit
    │   ├── GasTooHigh        more gas,
    │   ├── FeeTooHigh        a higher fee, or
    │   └── ValueTooHigh      more ether than the limits allow; nothing was signed
    └── TransactionError
        ├── NotMined          no receipt before the deadline; it may still be mined
        ├── MaybeSent         nobody knows whether the node took it
        └── MinedRevert       mined and refused; the contract's own error is raised from it

Every error keeps its values as attributes and survives pickling (its args are its constructor's arguments).
"""

from __future__ import annotations

from typing import Any


class ChainError(Exception):
    """Root of every error raised by `perpkit.chain`."""


class JsonRpcError(ChainError):
    """Root of the errors of `perpkit.chain.json_rpc`."""


class BadRpcUrl(JsonRpcError):
    """The URL cannot be used; it is not repeated in the message, because it may hold a key."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"not a usable JSON-RPC URL: {self.reason}"


class RpcTransportError(JsonRpcError):
    """`method` got no usable answer from `endpoint` (scheme, host and port only).

    `maybe_processed` is True when the node may have carried out the request although no answer was read.
    """

    def __init__(self, endpoint: str, method: str, reason: str, maybe_processed: bool) -> None:
        super().__init__(endpoint, method, reason, maybe_processed)
        self.endpoint = endpoint
        self.method = method
        self.reason = reason
        self.maybe_processed = maybe_processed

    def __str__(self) -> str:
        doubt = "; the node may still have processed it" if self.maybe_processed else ""
        return f"{self.method} got no usable answer from {self.endpoint}: {self.reason}{doubt}"


class RpcError(JsonRpcError):
    """The node answered with a JSON-RPC error: its `code`, `message` and (possibly None) `data`."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(code, message, data)
        self.code = code
        self.message = message
        self.data = data

    def __str__(self) -> str:
        detail = "" if self.data is None else f" (data: {self.data!s:.200})"
        return f"JSON-RPC error {self.code}: {self.message}{detail}"


class BadAnswer(ChainError):
    """The node's answer to `method` cannot be used."""

    def __init__(self, method: str, reason: str) -> None:
        super().__init__(method, reason)
        self.method = method
        self.reason = reason

    def __str__(self) -> str:
        return f"The node's answer to {self.method} cannot be used: {self.reason}."


class SimulationUnavailable(ChainError, NotImplementedError):
    """The node at `endpoint` has no eth_simulateV1."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(endpoint)
        self.endpoint = endpoint

    def __str__(self) -> str:
        return f"The node at {self.endpoint} cannot try out several steps at once: it has no eth_simulateV1."


# MANIFEST


class ManifestError(ChainError):
    """Root of the errors about a manifest."""


class ManifestNotFound(ManifestError):
    """There is no file at `path`."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"There is no manifest at {self.path}; start a devnet, or name its manifest in PERPKIT_MANIFEST."


class BadManifest(ManifestError):
    """The file at `path` is no manifest, for the given `reason`."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path} is no manifest that can be used: {self.reason}; deploy again to write a new one."


class BadTicket(ChainError, ValueError):
    """The text from `place` is no signed order, for the given `reason`."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(place, reason)
        self.place = place
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.place} is no signed order: {self.reason}; `perpkit order sign` writes one."


class WrongChain(ManifestError):
    """The node serves chain `found` instead of `expected`."""

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(expected, found)
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        return f"The node serves chain id {self.found}, but the manifest is of {self.expected}; use that chain's node."


class ManifestMismatch(ManifestError):
    """The contracts at the manifest's addresses are others; `missing` are labels without any code."""

    def __init__(self, missing: tuple[str, ...]) -> None:
        super().__init__(missing)
        self.missing = missing

    def __str__(self) -> str:
        what = f"there is no code for {', '.join(self.missing)}" if self.missing else "the code is another"
        return (
            f"The contracts on the chain are not those of the manifest ({what}); read the manifest of this deployment."
        )


# KEYS


class KeyProblem(ChainError):
    """Root of the errors about keys. None of them ever repeats a key."""


class NoKey(KeyProblem):
    """`action` needs a key."""

    def __init__(self, action: str) -> None:
        super().__init__(action)
        self.action = action

    def __str__(self) -> str:
        return (
            f"{self.action} is a transaction and needs a key, but this backend has none; connect with key= or signer=."
        )


class BadKey(KeyProblem):
    """The key cannot be used, for the given `reason`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"The key cannot be used: {self.reason}."


class ExposedKeyFile(KeyProblem):
    """Others than the owner may read the file at `path`."""

    def __init__(self, path: str, mode: int) -> None:
        super().__init__(path, mode)
        self.path = path
        self.mode = mode

    def __str__(self) -> str:
        return f"{self.path} may be read by others (mode {self.mode:04o}); make it yours alone with chmod 600."


class DevKeyRefused(KeyProblem):
    """The key of `address` is known to everybody."""

    def __init__(self, address: str, chain_id: int, host: str) -> None:
        super().__init__(address, chain_id, host)
        self.address = address
        self.chain_id = chain_id
        self.host = host

    def __str__(self) -> str:
        return (
            f"Everybody knows the key of {self.address}: it is for chain id 31337 or 1337 on this machine only, not "
            f"for chain id {self.chain_id} at {self.host}; use a key of your own."
        )


class WrongSender(KeyProblem):
    """The key is `signer`'s, and signs for nobody else."""

    def __init__(self, sender: str, signer: str) -> None:
        super().__init__(sender, signer)
        self.sender = sender
        self.signer = signer

    def __str__(self) -> str:
        return (
            f"The key of this backend is {self.signer}'s and cannot sign for {self.sender}; connect with the other key."
        )


# LIMITS


class OverLimit(ChainError):
    """Root of what the limits of a transaction refuse; nothing was signed."""

    def __init__(self, needed: int, limit: int) -> None:
        super().__init__(needed, limit)
        self.needed = needed
        self.limit = limit


class GasTooHigh(OverLimit):
    def __str__(self) -> str:
        return f"The transaction would take {self.needed} gas, more than the limit of {self.limit}; nothing was signed."


class FeeTooHigh(OverLimit):
    def __str__(self) -> str:
        return f"The node asks a fee of {self.needed} wei, more than the limit of {self.limit}; nothing was signed."


class ValueTooHigh(OverLimit):
    def __str__(self) -> str:
        return f"The transaction would send {self.needed} wei, more than the limit of {self.limit}; nothing was signed."


# TRANSACTIONS


class TransactionError(ChainError):
    """Root of what may happen to a transaction that was signed; `transaction` is its hash."""

    transaction: str


class NotMined(TransactionError):
    """There was no receipt within `seconds`."""

    def __init__(self, transaction: str, nonce: int, seconds: float) -> None:
        super().__init__(transaction, nonce, seconds)
        self.transaction = transaction
        self.nonce = nonce
        self.seconds = seconds

    def __str__(self) -> str:
        return (
            f"The transaction {self.transaction} (nonce {self.nonce}) was sent but not mined within {self.seconds:g} "
            "s; it may still be, so look for its receipt before sending another."
        )


class MaybeSent(TransactionError):
    """The node may or may not have taken the transaction, for the given `reason`."""

    def __init__(self, transaction: str, nonce: int, reason: str) -> None:
        super().__init__(transaction, nonce, reason)
        self.transaction = transaction
        self.nonce = nonce
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"Whether the node took the transaction {self.transaction} (nonce {self.nonce}) is not known "
            f"({self.reason}); look for its receipt before sending another."
        )


class MinedRevert(TransactionError):
    """The transaction was mined in `block` and refused."""

    def __init__(self, transaction: str, block: int, gas_used: int) -> None:
        super().__init__(transaction, block, gas_used)
        self.transaction = transaction
        self.block = block
        self.gas_used = gas_used

    def __str__(self) -> str:
        return f"The transaction {self.transaction} was mined in block {self.block} and reverted."
