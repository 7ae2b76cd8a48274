"""Which market a command speaks to, and as whom."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perpkit.chain.errors import RpcTransportError
from perpkit.cli.failure import Usage
from perpkit.cli.output import short_address
from perpkit.client import Reader, Trader
from perpkit.client.names import CROSS_SUB
from perpkit.market_setup import ROLES
from perpkit.model.types import Address

# Imported where they are needed: web3 and eth-account take more than a second, and --help must not.
if TYPE_CHECKING:
    from perpkit.chain.connection import ChainBackend

DEFAULT_ROLE = "trader"

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


class NobodyAnswers(Exception):
    """No node answers at `endpoint`, for the given `reason`."""

    def __init__(self, endpoint: str, reason: str) -> None:
        super().__init__(endpoint, reason)
        self.endpoint = endpoint
        self.reason = reason

    def __str__(self) -> str:
        return f"no node answers at {self.endpoint} ({self.reason}): start `perpkit devnet`, or name a node in --rpc."


@dataclass(frozen=True)
class Session:
    """A market, and the names that people use in it."""

    backend: ChainBackend
    reader: Reader
    # The devnet's funded accounts; elsewhere there are none.
    roles: Mapping[str, Address]

    def address_of(self, name: str) -> Address:
        """The address of a role; an address stands for itself."""
        if name in self.roles:
            return self.roles[name]
        if not _ADDRESS.fullmatch(name):
            raise Usage("WHO", repr(name), f"an address, or a role of the devnet: {', '.join(self.roles) or 'none'}")
        return name.lower()

    def who(self, address: Address) -> str:
        """The role of an address, or the address made short."""
        return self.role_of(address) or short_address(address)

    def role_of(self, address: Address) -> str | None:
        return next((role for role, own in self.roles.items() if own == address), None)

    def account_name(self, sub: int) -> str:
        """How an owner's account is named: "cross", or the market of its isolated position."""
        if sub == CROSS_SUB:
            return "cross"
        symbols = {market.id + 1: market.symbol for market in self.backend.manifest.markets}
        return symbols.get(sub, f"no. {sub}")


@dataclass(frozen=True)
class Acting:
    """A session with somebody to act for."""

    session: Session
    trader: Trader

    @property
    def name(self) -> str:
        """Who acts."""
        return self.session.who(self.trader.address)


def connect(*, manifest: Path | None, rpc: str | None) -> Session:
    """The market, for reading."""
    return _session(_reach(manifest, rpc))


def connect_as(
    *,
    manifest: Path | None,
    rpc: str | None,
    role: str | None,
    keystore: Path | None,
    password_file: Path | None = None,
    default_role: str = DEFAULT_ROLE,
) -> Acting:
    """The market, for acting as a role, with a key file, with the key in PERPKIT_KEY or, else, as the default role."""
    signer = _signer(role, keystore, password_file, default_role)
    backend = _reach(manifest, rpc, signer)
    return Acting(_session(backend), Trader(backend, backend.address))


def _reach(manifest: Path | None, rpc: str | None, signer: Any = None) -> ChainBackend:
    from perpkit.chain.connection import ChainBackend

    try:
        return ChainBackend.connect(manifest, rpc_url=rpc, signer=signer)
    except RpcTransportError as error:
        raise NobodyAnswers(error.endpoint, error.reason) from error


def _session(backend: ChainBackend) -> Session:
    return Session(backend, Reader(backend), backend.manifest.roles)


def _signer(role: str | None, keystore: Path | None, password_file: Path | None, default_role: str) -> Any:
    """Whoever signs: an account of eth-account, whose name only the chain package may say."""
    from perpkit.chain.keys import signer_from_environment, signer_from_keystore, signer_from_role

    if role is not None and keystore is not None:
        raise Usage("--as", role, "nothing beside --keystore, which says who acts")
    if role is not None and role not in ROLES:
        raise Usage("--as", repr(role), f"one of {', '.join(ROLES)}")
    if role is not None:
        return signer_from_role(role)
    if keystore is not None:
        return signer_from_keystore(keystore, password_file=password_file)
    return signer_from_environment() or signer_from_role(default_role)
