"""Boots a local chain with the market on it.

Lives here: node, deployment, manifest. Not here: strategy, drawing. May be imported by: testing, cli.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perpkit.devnet.devnet import Devnet

__all__ = ["Devnet"]


def __getattr__(name: str) -> Any:
    # web3 alone takes a second to import: only who asks for a devnet pays for it.
    if name == "Devnet":
        from perpkit.devnet.devnet import Devnet

        return Devnet
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
