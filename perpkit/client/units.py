"""The only place where people's numbers become the ledger's and back. Every rounding says its direction.

People's numbers are `Decimal` (or `int`, or text), the ledger's `int`: money in quanta of the token, everything else
with 18 digits. A conversion inward is exact or refused; outward it is always exact.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, Inexact, InvalidOperation, Overflow
from fractions import Fraction

from perpkit.client.errors import NotANumber, NotPositive, TooPrecise

Amount = Decimal | int | str

DIGITS = 18
UNIT = 10**DIGITS
QUANTUM_DIGITS = 36

# Room for every number of the ledger; Decimal's usual 28 digits would silently round a large one.
_EXACT = Context(prec=200)
# Refuses a number that has no room instead of rounding it.
_STRICT = Context(prec=200, traps=[InvalidOperation, Overflow, Inexact])
_FAR = 90


# OUTWARD: exact


def to_decimal(value: int, digits: int = DIGITS) -> Decimal:
    """A number of the ledger with `digits` after the point."""
    return Decimal(value).scaleb(-digits, context=_EXACT)


def ratio_down(numerator: int, denominator: int) -> Decimal:
    """A quotient with 18 digits, rounded toward minus infinity."""
    return to_decimal(numerator * UNIT // denominator)


# INWARD: exact or refused


def number(name: str, value: Amount) -> Decimal:
    """A finite number; a float is refused, because 0.1 is none of the numbers that it can hold."""
    if isinstance(value, (float, bool)) or not isinstance(value, (Decimal, int, str)):
        kind = type(value).__name__
        raise TypeError(
            f"{name} is the {kind} {value!r:.60}; pass Decimal, int or text, for example Decimal('{value!s:.40}')."
        )
    try:
        found = _STRICT.create_decimal(value)
    except ArithmeticError:
        raise NotANumber(name, value) from None
    # Nothing on a ledger has that many digits, and a fraction of a billion digits would take all memory.
    if not found.is_finite() or abs(found.adjusted()) > _FAR:
        raise NotANumber(name, value)
    return found


def positive(name: str, value: Amount) -> Decimal:
    """A number above zero."""
    found = number(name, value)
    if found <= 0:
        raise NotPositive(name, found)
    return found


def to_units(name: str, value: Amount, digits: int = DIGITS) -> int:
    """A number above zero as an integer with `digits`; refused when it has more."""
    found = positive(name, value)
    scaled = Fraction(found) * Fraction(10**digits)
    if scaled.denominator != 1:
        raise TooPrecise(name, found, digits)
    units: int = scaled.numerator
    return units


def to_fraction(name: str, value: Amount) -> Fraction:
    """A number above zero, exactly."""
    return Fraction(positive(name, value))


# FOR CALLERS


def round_down(value: Amount, digits: int) -> Decimal:
    """`value` with at most `digits` after the point, toward minus infinity: for what one receives."""
    return number("value", value).quantize(Decimal(1).scaleb(-digits), ROUND_FLOOR, _EXACT)


def round_up(value: Amount, digits: int) -> Decimal:
    """`value` with at most `digits` after the point, toward plus infinity: for what one owes."""
    return number("value", value).quantize(Decimal(1).scaleb(-digits), ROUND_CEILING, _EXACT)
