"""What a client refuses before it asks anybody.

    ClientError (ValueError)
    ├── BadAmount
    │   ├── NotANumber          text that is no number, or NaN or infinity
    │   ├── NotPositive         zero or less
    │   └── TooPrecise          more digits than the chain keeps
    ├── BadChoice               a side, an account or a source of margin that does not exist
    ├── BadAddress              not an address
    ├── NoSuchMarket            a symbol that no market has, with those that there are
    ├── NoSuchToken             a symbol that no leveraged token has, with those that there are
    ├── BadSizing
    │   ├── AmountsMissing      too few of margin, size and leverage, or of size and fraction
    │   ├── AmountsConflict     too many of them, or some that contradict one another
    │   └── LeverageTooHigh     more leverage than the market gives, with the limit
    ├── BadPosition
    │   ├── PositionExists      `open` where there is a position already
    │   ├── NoOpenPosition      none where one is needed
    │   ├── AmbiguousPosition   a cross and an isolated one, and no word about which
    │   ├── LargerThanPosition  a reduction by more than there is
    │   ├── NoShares            none of a leveraged token where some are needed
    │   └── LargerThanHolding   more shares than there are
    ├── BadOrder
    │   ├── WrongTrigger        a price on the wrong side of the one that it is compared with
    │   ├── ExpiryPast          a last second that is over
    │   └── SharesTooLarge      parts of a position that come to more than all of it
    ├── NothingToMove           no money that may leave an account
    ├── NothingToCancel         no open order where one is needed
    ├── NoOrders                this market has no orders contract
    ├── OrdersNotApproved       the orders contract may not trade for the owner yet
    ├── ForeignOrder            a signed order for another contract
    ├── SigningUnavailable      this backend has no key to sign an order with
    └── PreviewUnavailable      this backend cannot try out several steps

A float where money is meant is a TypeError. Whatever a contract refuses is an error of `perpkit.model.errors`.
Every error keeps its values as attributes and survives pickling (its args are its constructor's arguments).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal


def _plain(value: object) -> str:
    return f"{value.normalize():f}" if isinstance(value, Decimal) and value.is_finite() else str(value)


class ClientError(ValueError):
    """Root of what a client refuses by itself."""


class BadAmount(ClientError):
    """An amount that is none."""


class NotANumber(BadAmount):
    def __init__(self, name: str, value: object) -> None:
        super().__init__(name, value)
        self.name, self.value = name, value

    def __str__(self) -> str:
        return f"{self.name} is {self.value!r:.60}, which is no number; pass a Decimal such as Decimal('1.5')."


class NotPositive(BadAmount):
    def __init__(self, name: str, value: Decimal) -> None:
        super().__init__(name, value)
        self.name, self.value = name, value

    def __str__(self) -> str:
        return f"{self.name} is {_plain(self.value)}; it must be more than zero."


class TooPrecise(BadAmount):
    def __init__(self, name: str, value: Decimal, digits: int) -> None:
        super().__init__(name, value, digits)
        self.name, self.value, self.digits = name, value, digits

    def __str__(self) -> str:
        return (
            f"{self.name} is {_plain(self.value)}, but the chain keeps {self.digits} digits after the point; "
            f"round it first, for example with perpkit.client.units.round_down(value, {self.digits})."
        )


class BadChoice(ClientError):
    def __init__(self, name: str, value: object, choices: Sequence[str]) -> None:
        super().__init__(name, value, tuple(choices))
        self.name, self.value, self.choices = name, value, tuple(choices)

    def __str__(self) -> str:
        return f"{self.name} is {self.value!r:.60}; it must be one of: {', '.join(self.choices)}."


class BadAddress(ClientError):
    def __init__(self, name: str, value: object) -> None:
        super().__init__(name, value)
        self.name, self.value = name, value

    def __str__(self) -> str:
        # A value of 64 digits might be a key that was put in the wrong place.
        shown = f"{self.value!r}" if len(str(self.value)) < 60 else f"{len(str(self.value))} characters long"
        return f"{self.name} is {shown}; an address is 0x and 40 hexadecimal digits."


class NoSuchMarket(ClientError):
    def __init__(self, symbol: object, known: Sequence[str]) -> None:
        super().__init__(symbol, tuple(known))
        self.symbol, self.known = symbol, tuple(known)

    def __str__(self) -> str:
        known = ", ".join(self.known) or "none"
        return f"There is no market {self.symbol!r:.60}; the markets are: {known}."


class BadSizing(ClientError):
    """Margin, size and leverage that do not say how large a position is to be."""


class AmountsMissing(BadSizing):
    def __init__(self, needed: str) -> None:
        super().__init__(needed)
        self.needed = needed

    def __str__(self) -> str:
        return f"It is not said how much: give {self.needed}."


class AmountsConflict(BadSizing):
    def __init__(self, given: str, mend: str) -> None:
        super().__init__(given, mend)
        self.given, self.mend = given, mend

    def __str__(self) -> str:
        return f"{self.given} were given together; {self.mend}."


class LeverageTooHigh(BadSizing):
    """`size` is that of the position when it lies above the first risk tier, else None."""

    def __init__(self, symbol: str, leverage: Decimal, limit: Decimal, size: Decimal | None = None) -> None:
        super().__init__(symbol, leverage, limit, size)
        self.symbol, self.leverage, self.limit, self.size = symbol, leverage, limit, size

    def __str__(self) -> str:
        tier = "" if self.size is None else f" for a position of {_plain(self.size)}"
        return (
            f"{_plain(self.leverage)}x is more leverage than {self.symbol} gives; the limit is {_plain(self.limit)}x"
            f"{tier}, and fee and premium come off the margin too."
        )


class BadPosition(ClientError):
    """There is no such position, or not only one."""


class PositionExists(BadPosition):
    def __init__(self, symbol: str, side: str, where: str) -> None:
        super().__init__(symbol, side, where)
        self.symbol, self.side, self.where = symbol, side, where

    def __str__(self) -> str:
        return f"There is already a {self.side} {self.where} position in {self.symbol}; use add, reduce or close."


class NoOpenPosition(BadPosition):
    def __init__(self, symbol: str, owner: str, where: str) -> None:
        super().__init__(symbol, owner, where)
        self.symbol, self.owner, self.where = symbol, owner, where

    def __str__(self) -> str:
        where = f"{self.where} " if self.where else ""
        return f"{self.owner} has no {where}position in {self.symbol}; open one first."


class AmbiguousPosition(BadPosition):
    def __init__(self, symbol: str, owner: str) -> None:
        super().__init__(symbol, owner)
        self.symbol, self.owner = symbol, owner

    def __str__(self) -> str:
        return (
            f"{self.owner} has a cross and an isolated position in {self.symbol}; "
            "say which one is meant with isolated=True or isolated=False."
        )


class LargerThanPosition(BadPosition):
    def __init__(self, symbol: str, size: Decimal, position: Decimal) -> None:
        super().__init__(symbol, size, position)
        self.symbol, self.size, self.position = symbol, size, position

    def __str__(self) -> str:
        return (
            f"The position in {self.symbol} is {_plain(self.position)}, so it cannot be reduced by "
            f"{_plain(self.size)}; use close to end it."
        )


class NoSuchToken(ClientError):
    def __init__(self, symbol: object, known: Sequence[str]) -> None:
        super().__init__(symbol, tuple(known))
        self.symbol, self.known = symbol, tuple(known)

    def __str__(self) -> str:
        known = ", ".join(self.known) or "none"
        return f"There is no leveraged token {self.symbol!r:.60}; the tokens are: {known}."


class NoShares(BadPosition):
    def __init__(self, symbol: str, owner: str) -> None:
        super().__init__(symbol, owner)
        self.symbol, self.owner = symbol, owner

    def __str__(self) -> str:
        return f"{self.owner} has no shares of {self.symbol}; mint some first."


class LargerThanHolding(BadPosition):
    def __init__(self, symbol: str, shares: Decimal, held: Decimal) -> None:
        super().__init__(symbol, shares, held)
        self.symbol, self.shares, self.held = symbol, shares, held

    def __str__(self) -> str:
        return (
            f"{_plain(self.held)} shares of {self.symbol} are there, so {_plain(self.shares)} cannot be redeemed; leave"
            " the number out to redeem all."
        )


class BadOrder(ClientError):
    """An order that makes no sense as it is."""


class WrongTrigger(BadOrder):
    """`expected` is "above" or "below"; `reference` says what `against` is, such as "the mark price"."""

    def __init__(
        self, name: str, price: Decimal, expected: str, reference: str, against: Decimal, mend: str | None = None
    ) -> None:
        super().__init__(name, price, expected, reference, against, mend)
        self.name, self.price, self.expected, self.reference = name, price, expected, reference
        self.against, self.mend = against, mend

    def __str__(self) -> str:
        mend = f"; {self.mend}" if self.mend else ""
        return (
            f"{self.name} is {_plain(self.price)}, but must be {self.expected} {self.reference} of"
            f" {_plain(self.against)}{mend}."
        )


class ExpiryPast(BadOrder):
    def __init__(self, expiry: int, now: int) -> None:
        super().__init__(expiry, now)
        self.expiry, self.now = expiry, now

    def __str__(self) -> str:
        return f"expiry is {self.expiry}, which is past: it is {self.now} now; give a later second, or none."


class SharesTooLarge(BadOrder):
    def __init__(self, total: Decimal) -> None:
        super().__init__(total)
        self.total = total

    def __str__(self) -> str:
        return f"The shares of the ladder come to {_plain(self.total * 100)} %; all of a position is 100 %."


class NothingToCancel(ClientError):
    def __init__(self, owner: str) -> None:
        super().__init__(owner)
        self.owner = owner

    def __str__(self) -> str:
        return (
            f"{self.owner} has no open order; name an account to make useless what was signed for it (account='cross')."
        )


class NoOrders(ClientError):
    def __init__(self, backend: str) -> None:
        super().__init__(backend)
        self.backend = backend

    def __str__(self) -> str:
        return f"There is no orders contract among those of the backend {self.backend!r}; deploy the market again."


class OrdersNotApproved(ClientError):
    def __init__(self, owner: str, orders: str) -> None:
        super().__init__(owner, orders)
        self.owner, self.orders = owner, orders

    def __str__(self) -> str:
        return (
            f"The orders contract {self.orders} may not trade for {self.owner} yet; allow it once with"
            " approve_orders(), or `perpkit order approve`."
        )


class ForeignOrder(ClientError):
    def __init__(self, contract: str, expected: str) -> None:
        super().__init__(contract, expected)
        self.contract, self.expected = contract, expected

    def __str__(self) -> str:
        return f"The order was signed for the contract {self.contract}, and this market's is {self.expected}."


class SigningUnavailable(ClientError):
    def __init__(self, backend: str) -> None:
        super().__init__(backend)
        self.backend = backend

    def __str__(self) -> str:
        return f"The backend {self.backend!r} has no keys to sign with; connect to a chain with a key."


class NothingToMove(ClientError):
    def __init__(self, account: str, collateral: Decimal) -> None:
        super().__init__(account, collateral)
        self.account, self.collateral = account, collateral

    def __str__(self) -> str:
        return (
            f"No money may leave the {self.account} account: its collateral is {_plain(self.collateral)}, and what "
            "positions need or is not settled stays; settle or reduce first."
        )


class PreviewUnavailable(ClientError):
    def __init__(self, backend: str) -> None:
        super().__init__(backend)
        self.backend = backend

    def __str__(self) -> str:
        return (
            f"The backend {self.backend!r} cannot try out several steps at once (on a chain this takes a node with "
            "eth_simulateV1); deposit first, then preview with fund='none'."
        )
