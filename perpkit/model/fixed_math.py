"""The twin of `FixedMath.sol`: the only file that divides, and the table of supported ranges.

| quantity                 | bound         | why                                                            |
| ------------------------ | ------------- | -------------------------------------------------------------- |
| size, skew, skewScale    | 2**96 - 1     | 7.9e10 base                                                    |
| price, fill              | 2**88 - 1     | 3.0e8 per base; size * price < 2**184                          |
| funding index            | 2**92 - 1     | 16 times the highest price                                     |
| money                    | 2**87 - 1     | 1.5e20 at 6 decimals; money * quantum < 2**187 at 6 decimals   |
| shares of a token       | 2**160 - 1    | shares * money < 2**248                                        |
| token decimals           | 6 ... 18      | quantum = 10**(36 - decimals) <= 1e30 < 2**100                 |
| rates and ratios         | 0 ... 1e18    | 1e18 < 2**60; equity of 8 positions * 1e18 < 2**254            |
| elapsed time             | 2**40 seconds | price * rate * elapsed < 2**188                                |
"""

from __future__ import annotations

from perpkit.model.errors import (
    FundingIndexOutOfRange,
    MoneyOutOfRange,
    PriceOutOfRange,
    SharesOutOfRange,
    SizeOutOfRange,
)

UNIT = 10**18
SIZE_MAX = 2**96 - 1
PRICE_MAX = 2**88 - 1
FUNDING_MAX = 2**92 - 1
MONEY_MAX = 2**87 - 1
SHARES_MAX = 2**160 - 1
INT256_MAX = 2**255 - 1


def div_floor(numerator: int, denominator: int) -> int:
    """`numerator / denominator`, rounded toward minus infinity. {denominator > 0}"""
    return numerator // denominator


def div_ceil(numerator: int, denominator: int) -> int:
    """`numerator / denominator`, rounded toward plus infinity. {denominator > 0}"""
    return -(-numerator // denominator)


def mul_div_floor(value: int, factor: int, denominator: int) -> int:
    """`value * factor / denominator`, rounded toward minus infinity. {factor >= 0, denominator > 0}"""
    return value * factor // denominator


def mul_div_ceil(value: int, factor: int, denominator: int) -> int:
    """`value * factor / denominator`, rounded toward plus infinity. {factor >= 0, denominator > 0}"""
    return -mul_div_floor(-value, factor, denominator)


def ratio(numerator: int, denominator: int) -> int:
    """`numerator / denominator` in 1e18, rounded toward minus infinity and no further from zero than an int256 goes.
    {denominator > 0}"""
    # A quotient of 2**255 or more: so large a ratio says nothing but "very much".
    if abs(numerator) * UNIT >> 255 >= denominator:
        return -INT256_MAX if numerator < 0 else INT256_MAX
    return mul_div_floor(numerator, UNIT, denominator)


def product_greater(a: int, b: int, c: int, d: int) -> bool:
    """Whether `a * b > c * d`, exactly, for non-negative numbers."""
    return a * b > c * d


def clamp(value: int, low: int, high: int) -> int:
    return max(low, min(high, value))


def to_size(value: int) -> int:
    """`value`, refused when it is no size. {base}"""
    if value > SIZE_MAX or value < -SIZE_MAX:
        raise SizeOutOfRange(value)
    return value


def to_open_interest(value: int) -> int:
    """`value`, refused when a side cannot have so much open interest. {base}"""
    if value > SIZE_MAX or value < 0:
        raise SizeOutOfRange(value)
    return value


def to_price(value: int) -> int:
    """`value`, refused when it is no price. {usd/base}"""
    if value <= 0 or value > PRICE_MAX:
        raise PriceOutOfRange(value)
    return value


def to_funding_index(value: int) -> int:
    """`value`, refused when it is no funding index. {usd/base}"""
    if value > FUNDING_MAX or value < -FUNDING_MAX:
        raise FundingIndexOutOfRange(value)
    return value


def to_money(value: int) -> int:
    """`value`, refused when it is no amount of money. {quanta}"""
    if value > MONEY_MAX or value < -MONEY_MAX:
        raise MoneyOutOfRange(value)
    return value


def to_shares(value: int) -> int:
    """`value`, refused when a token cannot have so many shares."""
    if value > SHARES_MAX or value < 0:
        raise SharesOutOfRange(value)
    return value


def to_amount(amount: int) -> int:
    """`amount` as signed money, refused when it is none. {quanta}"""
    if amount > MONEY_MAX:
        raise MoneyOutOfRange(min(amount, INT256_MAX))
    return amount


def to_unsigned(value: int) -> int:
    """`value` as unsigned, zero when it is negative."""
    return max(value, 0)


def ten_to(exponent: int) -> int:
    """`10 ** exponent`, an int. {exponent >= 0}"""
    return int(10**exponent)
