"""The whole state of a market as read from a backend, in canonical form, and its digest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from hashlib import sha256
from typing import Any

from perpkit.backend import Backend
from perpkit.model.book import Book
from perpkit.model.types import Address, Position, owner_of, sub_of


def read_state(backend: Backend, *, accounts: Iterable[int], owners: Iterable[Address]) -> dict[str, Any]:
    """Vault, markets, accounts, orders and tokens. Contracts go by their labels: their addresses differ between
    backends."""
    count: int = backend.call("clearinghouse", "market_count")
    house, pool = backend.deployed["clearinghouse"].address, backend.deployed["pool"].address
    holders = {owner: owner for owner in owners} | {"clearinghouse": house, "pool": pool}
    return {
        "vault": asdict(backend.call("clearinghouse", "vault")),
        "markets": [_read_market(backend, market) for market in range(count)],
        "accounts": {_name(backend, account): _read_account(backend, account) for account in sorted(accounts)},
        "tokens": {name: backend.call("token", "balance_of", at) for name, at in sorted(holders.items())},
        "orders": _read_orders(backend),
        "leveraged": _read_leveraged(backend, holders),
        "shares": {name: backend.call("pool", "balance_of", at) for name, at in sorted(holders.items())},
    }


def _name(backend: Backend, account: int) -> str:
    """An account's id, or of a contract its label."""
    owner = owner_of(account)
    labels = [deployed.label for deployed in backend.deployed.values() if deployed.address == owner]
    return f"{labels[0]}:{sub_of(account)}" if labels else f"{account:#x}"


def _read_leveraged(backend: Backend, holders: Mapping[str, Address]) -> dict[str, Any]:
    """Who holds how much of every leveraged token."""
    labels = sorted(label for label, deployed in backend.deployed.items() if deployed.contract == "LeveragedToken")
    return {
        label: {name: backend.call(label, "balance_of", at) for name, at in sorted(holders.items())} for label in labels
    }


def _read_orders(backend: Backend) -> list[dict[str, Any]]:
    """Every order that was ever placed."""
    count: int = backend.call("orders", "order_count") if "orders" in backend.deployed else 0
    return [asdict(backend.call("orders", "order_of", id)) for id in range(1, count + 1)]


def _read_market(backend: Backend, market: int) -> dict[str, Any]:
    symbol: bytes = backend.call("clearinghouse", "symbol_of", market)
    return {
        "symbol": symbol.rstrip(b"\0").decode(),
        "state": asdict(backend.call("clearinghouse", "state_of", market)),
        "params": asdict(backend.call("clearinghouse", "params_of", market)),
        "tiers": [asdict(tier) for tier in backend.call("clearinghouse", "risk_tiers_of", market)],
        "delisting": asdict(backend.call("clearinghouse", "delisting_of", market)),
    }


def _read_account(backend: Backend, account: int) -> dict[str, Any]:
    held: tuple[int, ...] = backend.call("clearinghouse", "markets_of", account)
    positions: dict[int, Position] = {
        market: backend.call("clearinghouse", "position_of", account, market) for market in held
    }
    return {
        "collateral": backend.call("clearinghouse", "collateral_of", account),
        "positions": {str(market): asdict(positions[market]) for market in sorted(positions)},
    }


def digest(state: dict[str, Any]) -> str:
    """The SHA-256 of a state's canonical JSON."""
    return sha256(json.dumps(state, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def book_agrees(book: Book, state: dict[str, Any]) -> bool:
    """Whether what the events told is what the backend holds."""
    markets = [
        {
            "symbol": m.symbol,
            "state": asdict(m.state),
            "params": asdict(m.params),
            "tiers": [asdict(tier) for tier in m.tiers],
            "delisting": asdict(m.delisting),
        }
        for m in book.markets.values()
    ]
    accounts = {
        f"{id:#x}": {
            "collateral": account.collateral,
            "positions": {str(market): asdict(account.positions[market]) for market in sorted(account.positions)},
        }
        for id, account in book.accounts.items()
    }
    told = {id: accounts.get(id, {"collateral": 0, "positions": {}}) for id in state["accounts"]}
    complete = set(accounts) <= set(state["accounts"])
    return bool(
        complete and told == state["accounts"] and markets == state["markets"] and asdict(book.vault) == state["vault"]
    )
