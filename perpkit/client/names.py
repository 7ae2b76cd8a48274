"""How people name accounts, markets, and where margin comes from."""

from __future__ import annotations

CROSS_SUB = 0

WALLET, CROSS, NONE = "wallet", "cross", "none"


def isolated_sub(market: int) -> int:
    """Which of an owner's accounts holds the isolated position in a market."""
    return market + 1


def symbol_text(symbol: bytes) -> str:
    """A symbol of the chain as text."""
    return symbol.rstrip(b"\0").decode("utf-8", "replace")
