"""Signatures of roles: real ones for the bytecode, tuples for the model."""

from __future__ import annotations

from functools import cache
from typing import Any

from roles import CHAIN_ID, House, address, role_of

from perpkit.chain.keys import signer_from_role
from perpkit.chain.signing import sign_order, sign_permit, sign_price_report, sign_set_operator
from perpkit.model.types import ZERO_ADDRESS, Address, Signature, SignedOrder, owner_of


@cache
def _key(role: str) -> str:
    return "0x" + bytes(signer_from_role(role).key).hex()


def permit(house: House, owner: str, value: int, *, deadline: int) -> tuple[Any, ...]:
    """The owner's permit for the clearinghouse, as the last arguments of `deposit_with_permit`."""
    spender = house.at("clearinghouse")
    nonce = house.ask("nonces", address(owner), label="token")
    if house.sandbox.name == "model":
        return (Signature(address(owner), ("Permit", address(owner), spender, value, nonce, deadline)),)
    return sign_permit(
        _key(owner),
        token=house.at("token"),
        owner=address(owner),
        spender=spender,
        value=value,
        nonce=nonce,
        deadline=deadline,
        chain_id=CHAIN_ID,
    )


def operator_signature(
    house: House,
    owner: str,
    operator: str,
    approved: bool,
    *,
    deadline: int,
    nonce: int | None = None,
    signer: str | None = None,
    chain_id: int = CHAIN_ID,
    contract: str | None = None,
) -> Any:
    """`signer`'s (else the owner's) signature over `SetOperator`, for this or another chain or contract."""
    if nonce is None:
        nonce = house.ask("nonces", address(owner))
    signer = signer or owner
    contract = contract or house.at("clearinghouse")
    if house.sandbox.name == "model":
        message = ("SetOperator", address(owner), address(operator), approved, nonce, deadline)
        # The model knows one chain and one clearinghouse; another's message is simply another message.
        foreign = chain_id != CHAIN_ID or contract != house.at("clearinghouse")
        return Signature(address(signer), (*message, chain_id, contract) if foreign else message)
    return sign_set_operator(
        _key(signer),
        clearinghouse=contract,
        owner=address(owner),
        operator=address(operator),
        approved=approved,
        nonce=nonce,
        deadline=deadline,
        chain_id=chain_id,
    )


def price_report(
    house: House,
    feed: Address,
    answer: int,
    timestamp: int,
    *,
    signer: str = "publisher",
    chain_id: int = CHAIN_ID,
) -> Any:
    """`signer`'s signature of what a feed is to say, on this or another chain."""
    if house.sandbox.name == "model":
        message = ("PriceReport", feed, answer, timestamp)
        # The model knows one chain; another's message is simply another message.
        return Signature(address(signer), message if chain_id == CHAIN_ID else (*message, chain_id))
    return sign_price_report(_key(signer), feed=feed, price=answer, timestamp=timestamp, chain_id=chain_id)


def order_signature(
    house: House,
    order: SignedOrder,
    *,
    signer: str | None = None,
    chain_id: int = CHAIN_ID,
    contract: str | None = None,
) -> Any:
    """`signer`'s (else the owner's) signature of an order, for this or another chain or contract."""
    signer = signer or role_of(owner_of(order.request.account))
    contract = contract or house.at("orders")
    if house.sandbox.name == "model":
        message = ("SignedOrder", order)
        # The model knows one chain and one contract of orders; another's message is simply another message.
        foreign = chain_id != CHAIN_ID or contract != house.at("orders")
        return Signature(address(signer), (*message, chain_id, contract) if foreign else message)
    return sign_order(_key(signer), orders=contract, order=order, chain_id=chain_id)


def torn(signature: Any) -> Any:
    """A signature of which only a part is left."""
    if isinstance(signature, Signature):
        return Signature(ZERO_ADDRESS, signature.message)
    return signature[:40]
