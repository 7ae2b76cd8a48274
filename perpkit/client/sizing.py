"""Pure: how margin, size and leverage become a trade, and slippage a price limit."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from fractions import Fraction
from math import ceil, floor

from perpkit.client.errors import AmountsConflict, AmountsMissing, BadChoice, LeverageTooHigh
from perpkit.client.units import UNIT, Amount, positive, ratio_down, to_decimal, to_fraction, to_units
from perpkit.model.types import MarketView


class Side(str, Enum):
    """Which way a position profits."""

    LONG = "long"
    SHORT = "short"

    @property
    def sign(self) -> int:
        return 1 if self is Side.LONG else -1

    @classmethod
    def of(cls, value: Side | str) -> Side:
        """A side, or its name in any case."""
        try:
            return cls(value.lower() if isinstance(value, str) else value)
        except ValueError:
            raise BadChoice("side", value, [side.value for side in cls]) from None

    @classmethod
    def of_size(cls, size: int) -> Side:
        return cls.LONG if size > 0 else cls.SHORT


def initial_margin_ratio(market: MarketView, size: int) -> int:
    """What a position of that size needs {1e18 = 100 %}: the ratio of the highest tier that it reaches."""
    reached = [tier.imr for tier in market.tiers if tier.min_size <= abs(size)]
    return reached[-1] if reached else market.params.imr


def highest_leverage(market: MarketView, size: int) -> Fraction:
    """Notional over margin at which margin is exactly the initial margin of a position of that size."""
    return Fraction(UNIT, initial_margin_ratio(market, size))


def size_and_margin(
    *,
    margin: Amount | None,
    size: Amount | None,
    leverage: Amount | None,
    mark: int,
    decimals: int,
    size_alone: bool,
) -> tuple[int, int | None]:
    """The size {base, 1e18}, rounded down, and the margin {quanta}, rounded up; two of three determine the third.

    `size_alone` allows a size without margin, where the account holds its margin already.
    """
    if margin is not None and size is not None and leverage is not None:
        raise AmountsConflict("margin, size and leverage", "two of them determine the third, so leave one out")
    money = None if margin is None else to_units("margin", margin, decimals)
    base = None if size is None else to_units("size", size)
    times = None if leverage is None else to_fraction("leverage", leverage)
    quantum = 10 ** (36 - decimals)
    if money is not None and times is not None:
        return _some(floor(money * quantum * times / mark), margin), money
    if base is not None and times is not None:
        return base, ceil(base * mark / (times * quantum))
    if base is not None and (money is not None or size_alone):
        return base, money
    raise AmountsMissing("two of margin, size and leverage" + (", or the size alone" if size_alone else ""))


def _some(size: int, margin: Amount | None) -> int:
    if size == 0:
        raise AmountsMissing(f"more than a margin of {margin}, which buys nothing")
    return size


def check_leverage(symbol: str, market: MarketView, *, leverage: Amount | None, size: int) -> None:
    """Refuses more leverage than the market gives a position of that size; exactly its limit passes here."""
    if leverage is not None:
        _check_leverage(symbol, market, to_fraction("leverage", leverage), positive("leverage", leverage), size)


def check_implied_leverage(
    symbol: str, market: MarketView, *, size: int, margin: int, mark: int, decimals: int
) -> None:
    """The same for the leverage that a size and a margin come to."""
    implied = Fraction(size * mark, margin * 10 ** (36 - decimals))
    _check_leverage(symbol, market, implied, _ratio(implied), size)


def _check_leverage(symbol: str, market: MarketView, exact: Fraction, shown: Decimal, size: int) -> None:
    limit = highest_leverage(market, size)
    if exact > limit:
        is_tiered = limit < highest_leverage(market, 0)
        raise LeverageTooHigh(symbol, shown, _ratio(limit), to_decimal(abs(size)) if is_tiered else None)


def reduction(*, position: int, size: Amount | None, fraction: Amount | None) -> int:
    """How much of a position {base, 1e18, without sign} a size or a fraction is, rounded down."""
    if size is not None and fraction is not None:
        raise AmountsConflict("size and fraction", "give one of them")
    if size is not None:
        return to_units("size", size)
    if fraction is None:
        raise AmountsMissing("size or fraction")
    part = to_fraction("fraction", fraction)
    if part > 1:
        raise BadChoice("fraction", str(fraction), ["a number above 0 and up to 1"])
    closed = floor(abs(position) * part)
    if closed == 0:
        raise AmountsMissing(f"a larger fraction than {fraction}, which closes nothing")
    return closed


def price_limit(*, mark: int, buys: bool, acceptable_price: Amount | None, slippage: Amount) -> int:
    """The worst price at which a trade may fill, rounded in the trader's favour."""
    if acceptable_price is not None:
        return to_units("acceptable_price", acceptable_price)
    part = to_fraction("slippage", slippage)
    if part >= 1:
        raise BadChoice("slippage", str(slippage), ["a number between 0 and 1, such as 0.005 for half a per cent"])
    return floor(mark * (1 + part)) if buys else ceil(mark * (1 - part))


def _ratio(value: Fraction) -> Decimal:
    return ratio_down(value.numerator, value.denominator)
