"""Signatures of roles: real ones for the bytecode, tuples for the model."""

from __future__ import annotations

from functools import cache
from typing import Any

from roles import CHAIN_ID, House, address

from perpkit.market_setup import ROLES
from perpkit.model.types import Signature

# Public since there are local nodes: accounts 0 to 9 of every one of them. Worth nothing, by design.
MNEMONIC = "test test test test test test test test test test test junk"


@cache
def _account(role: str) -> Any:
    from eth_account import Account

    Account.enable_unaudited_hdwallet_features()
    account = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{list(ROLES).index(role)}")
    assert account.address.lower() == ROLES[role]
    return account


def _sign(role: str, domain: dict[str, Any], kind: str, fields: dict[str, str], message: dict[str, Any]) -> Any:
    types = {kind: [{"name": name, "type": type_} for name, type_ in fields.items()]}
    return _account(role).sign_typed_data(domain, types, message)


def permit(house: House, owner: str, value: int, *, deadline: int) -> tuple[Any, ...]:
    """The owner's permit for the clearinghouse, as the last arguments of `deposit_with_permit`."""
    spender = house.at("clearinghouse")
    nonce = house.ask("nonces", address(owner), label="token")
    if house.sandbox.name == "model":
        return (Signature(address(owner), ("Permit", address(owner), spender, value, nonce, deadline)),)
    signed = _sign(
        owner,
        {"name": "Test USD", "version": "1", "chainId": CHAIN_ID, "verifyingContract": house.at("token")},
        "Permit",
        {"owner": "address", "spender": "address", "value": "uint256", "nonce": "uint256", "deadline": "uint256"},
        {"owner": address(owner), "spender": spender, "value": value, "nonce": nonce, "deadline": deadline},
    )
    return signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")


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
    signed = _sign(
        signer,
        {"name": "perpkit", "version": "1", "chainId": chain_id, "verifyingContract": contract},
        "SetOperator",
        {"owner": "address", "operator": "address", "approved": "bool", "nonce": "uint256", "deadline": "uint256"},
        {
            "owner": address(owner),
            "operator": address(operator),
            "approved": approved,
            "nonce": nonce,
            "deadline": deadline,
        },
    )
    return bytes(signed.signature)
