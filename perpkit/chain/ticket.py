"""A signed order as JSON, for whoever brings it. It comes from strangers, so every field has its bounds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from perpkit.chain.errors import BadTicket
from perpkit.model.types import Address, OrderKind, OrderRequest, SignedOrder

FORMAT = 1

HexAddress = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$"), AfterValidator(str.lower)]
# A signature of a key has 65 bytes; that of a contract, such as a safe's, more.
HexBytes = Annotated[str, Field(pattern=r"^0x([0-9a-fA-F]{2}){1,4096}$")]

_UINT_256 = Annotated[int, Field(ge=0, lt=2**256)]
_UINT_96 = Annotated[int, Field(ge=0, lt=2**96)]
_UINT_64 = Annotated[int, Field(ge=0, lt=2**64)]
_UINT_40 = Annotated[int, Field(ge=0, lt=2**40)]
_UINT_16 = Annotated[int, Field(ge=0, lt=2**16)]
_INT_104 = Annotated[int, Field(ge=-(2**103), lt=2**103)]

KindName = Literal["market", "limit", "stop", "take_profit", "trailing_stop"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class RequestPart(_Part):
    """What its owner says of the order, in the contract's units."""

    account: _UINT_256
    market: _UINT_16
    kind: KindName
    reduce_only: bool
    size: _INT_104
    trigger: _UINT_96
    acceptable_price: _UINT_96
    trail: _UINT_96
    trail_is_ratio: bool
    expiry: _UINT_40


class TicketFile(_Part):
    """A signed order and where it counts."""

    format: Literal[1] = 1
    chain_id: _UINT_256
    # The orders contract.
    contract: HexAddress
    nonce: _UINT_64
    epoch: _UINT_64
    request: RequestPart
    signature: HexBytes

    @classmethod
    def of(cls, *, contract: Address, order: SignedOrder, signature: bytes) -> TicketFile:
        """The ticket of an order that was signed."""
        request = order.request
        return cls(
            chain_id=order.chain_id,
            contract=contract,
            nonce=order.nonce,
            epoch=order.epoch,
            request=RequestPart.model_validate(
                {
                    **{name: getattr(request, name) for name in RequestPart.model_fields},
                    "kind": OrderKind(request.kind).name.lower(),
                }
            ),
            signature="0x" + signature.hex(),
        )

    @classmethod
    def parse(cls, text: str, place: str = "the text") -> TicketFile:
        """The ticket in a text; raises `BadTicket`, which names `place`."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            wrong = [
                f"{'.'.join(str(part) for part in one['loc']) or 'the whole'}: {one['msg']}"
                for one in error.errors(include_input=False, include_url=False)
            ]
        raise BadTicket(place, "; ".join(wrong[:3]))

    @property
    def order(self) -> SignedOrder:
        """The order as the contract takes it."""
        values = self.request.model_dump()
        kind = int(OrderKind[self.request.kind.upper()])
        return SignedOrder(OrderRequest(**{**values, "kind": kind}), self.nonce, self.epoch, self.chain_id)

    @property
    def signature_bytes(self) -> bytes:
        return bytes.fromhex(self.signature[2:])
