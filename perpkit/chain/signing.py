"""EIP-712 signatures of the market: a token's permit, an operator that an owner approves, a feed's price, an order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_account.signers.local import LocalAccount

from perpkit.model.types import Address, SignedOrder

TOKEN_NAME = "Test USD"
HOUSE_NAME = "perpkit"
FEED_NAME = "perpkit feed"
ORDERS_NAME = "perpkit orders"
VERSION = "1"

PERMIT = {
    "Permit": [
        {"name": "owner", "type": "address"},
        {"name": "spender", "type": "address"},
        {"name": "value", "type": "uint256"},
        {"name": "nonce", "type": "uint256"},
        {"name": "deadline", "type": "uint256"},
    ]
}
SET_OPERATOR = {
    "SetOperator": [
        {"name": "owner", "type": "address"},
        {"name": "operator", "type": "address"},
        {"name": "approved", "type": "bool"},
        {"name": "nonce", "type": "uint256"},
        {"name": "deadline", "type": "uint256"},
    ]
}
PRICE_REPORT = {
    "PriceReport": [
        {"name": "price", "type": "int128"},
        {"name": "timestamp", "type": "uint64"},
    ]
}
SIGNED_ORDER = {
    "SignedOrder": [
        {"name": "request", "type": "OrderRequest"},
        {"name": "nonce", "type": "uint64"},
        {"name": "epoch", "type": "uint64"},
        {"name": "chainId", "type": "uint256"},
    ],
    "OrderRequest": [
        {"name": "account", "type": "uint256"},
        {"name": "market", "type": "uint16"},
        {"name": "kind", "type": "uint8"},
        {"name": "reduceOnly", "type": "bool"},
        {"name": "size", "type": "int104"},
        {"name": "trigger", "type": "uint96"},
        {"name": "acceptablePrice", "type": "uint96"},
        {"name": "trail", "type": "uint96"},
        {"name": "trailIsRatio", "type": "bool"},
        {"name": "expiry", "type": "uint40"},
    ],
}


def domain(name: str, contract: Address, chain_id: int) -> dict[str, Any]:
    """Where a signature counts: one contract on one chain."""
    return {"name": name, "version": VERSION, "chainId": chain_id, "verifyingContract": contract}


def sign_permit(
    key: str,
    *,
    token: Address,
    owner: Address,
    spender: Address,
    value: int,
    nonce: int,
    deadline: int,
    chain_id: int,
    name: str = TOKEN_NAME,
) -> tuple[int, bytes, bytes]:
    """`v, r, s` of the permit that lets `spender` take `value` quanta from `owner`."""
    message = {"owner": owner, "spender": spender, "value": value, "nonce": nonce, "deadline": deadline}
    signed = _sign(key, domain(name, token, chain_id), PERMIT, message)
    return signed[64], signed[:32], signed[32:64]


def sign_set_operator(
    key: str,
    *,
    clearinghouse: Address,
    owner: Address,
    operator: Address,
    approved: bool,
    nonce: int,
    deadline: int,
    chain_id: int,
) -> bytes:
    """The 65 bytes with which `owner` lets `operator` act, or no longer."""
    message = {"owner": owner, "operator": operator, "approved": approved, "nonce": nonce, "deadline": deadline}
    return _sign(key, domain(HOUSE_NAME, clearinghouse, chain_id), SET_OPERATOR, message)


def sign_price_report(key: str, *, feed: Address, price: int, timestamp: int, chain_id: int) -> bytes:
    """The 65 bytes with which a reporter says what `feed` is to say: `price` in its decimals, at `timestamp` {s}."""
    message = {"price": price, "timestamp": timestamp}
    return _sign(key, domain(FEED_NAME, feed, chain_id), PRICE_REPORT, message)


def sign_order(
    signer: LocalAccount | str, *, orders: Address, order: SignedOrder, chain_id: int | None = None
) -> bytes:
    """The 65 bytes with which an owner, or the owner's key, lets anyone bring an order to the contract `orders`; on the
    order's chain, unless another is given."""
    account = Account.from_key(signer) if isinstance(signer, str) else signer
    names = [field["name"] for field in SIGNED_ORDER["OrderRequest"]]
    request = dict(zip(names, asdict(order.request).values(), strict=True))
    message = {"request": request, "nonce": order.nonce, "epoch": order.epoch, "chainId": order.chain_id}
    where = domain(ORDERS_NAME, orders, order.chain_id if chain_id is None else chain_id)
    return bytes(account.sign_message(_typed(where, SIGNED_ORDER, message)).signature)


def _sign(
    key: str, where: Mapping[str, Any], kinds: Mapping[str, list[dict[str, str]]], message: Mapping[str, Any]
) -> bytes:
    return bytes(Account.from_key(key).sign_message(_typed(where, kinds, message)).signature)


def _typed(
    where: Mapping[str, Any], kinds: Mapping[str, list[dict[str, str]]], message: Mapping[str, Any]
) -> SignableMessage:
    return encode_typed_data(domain_data=dict(where), message_types=dict(kinds), message_data=dict(message))
