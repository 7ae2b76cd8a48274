"""Signatures to be: the model takes who signed what, a chain takes the real thing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from parity.keys import key_of
from perpkit.chain.signing import sign_permit, sign_set_operator
from perpkit.model.types import ZERO_ADDRESS, Address, Signature
from perpkit.revm import CHAIN_ID


@dataclass(frozen=True)
class Permit:
    """A permit to be: on a chain it takes the place of three arguments."""

    signer: Address
    owner: Address
    spender: Address
    value: int
    nonce: int
    deadline: int

    def for_model(self) -> tuple[Any, ...]:
        message = ("Permit", self.owner, self.spender, self.value, self.nonce, self.deadline)
        return (Signature(self.signer, message),)

    def for_chain(self, addresses: dict[str, Address]) -> tuple[Any, ...]:
        return sign_permit(
            key_of(self.signer),
            token=addresses["token"],
            owner=self.owner,
            spender=self.spender,
            value=self.value,
            nonce=self.nonce,
            deadline=self.deadline,
            chain_id=CHAIN_ID,
        )


@dataclass(frozen=True)
class OperatorSignature:
    """An owner's signature to be."""

    signer: Address
    owner: Address
    operator: Address
    approved: bool
    nonce: int
    deadline: int
    torn: bool = False

    def for_model(self) -> tuple[Any, ...]:
        message = ("SetOperator", self.owner, self.operator, self.approved, self.nonce, self.deadline)
        return (Signature(ZERO_ADDRESS if self.torn else self.signer, message),)

    def for_chain(self, addresses: dict[str, Address]) -> tuple[Any, ...]:
        signature = sign_set_operator(
            key_of(self.signer),
            clearinghouse=addresses["clearinghouse"],
            owner=self.owner,
            operator=self.operator,
            approved=self.approved,
            nonce=self.nonce,
            deadline=self.deadline,
            chain_id=CHAIN_ID,
        )
        return (signature[:40] if self.torn else signature,)


def rendered(args: tuple[Any, ...], render: Callable[[Any], tuple[Any, ...]]) -> tuple[Any, ...]:
    done: list[Any] = []
    for arg in args:
        done += render(arg) if isinstance(arg, (Permit, OperatorSignature)) else (arg,)
    return tuple(done)
