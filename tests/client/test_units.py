"""People's numbers and the ledger's: what is refused, then what is exact."""

from __future__ import annotations

import pickle
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perpkit.client import errors
from perpkit.client.units import number, positive, ratio_down, round_down, round_up, to_decimal, to_units


@pytest.mark.parametrize("value", [0.1, 1e30, True, None, b"1", [1]])
def test_only_decimal_int_and_text_are_numbers(value: Any) -> None:
    """A float is a TypeError that says what to pass instead."""
    with pytest.raises(TypeError, match=r"margin is the .* pass Decimal"):
        number("margin", value)


@pytest.mark.parametrize(
    "value", ["", "ten", "1,5", Decimal("NaN"), Decimal("Infinity"), "1e999999999999", "1e99999", "1e-99999", "1" * 201]
)
def test_what_is_no_number_is_refused(value: Any) -> None:
    """Text that is no number, NaN and infinity have no place in a ledger."""
    with pytest.raises(errors.NotANumber):
        number("margin", value)


@pytest.mark.parametrize("value", [0, -1, "-0.5", Decimal("0")])
def test_zero_and_less_are_refused(value: Any) -> None:
    """An amount is more than zero."""
    with pytest.raises(errors.NotPositive, match="must be more than zero"):
        positive("margin", value)


def test_more_digits_than_the_chain_keeps_are_refused() -> None:
    """Nothing is rounded behind anyone's back, and the sentence names the mend."""
    with pytest.raises(errors.TooPrecise, match=r"round_down\(value, 6\)"):
        to_units("margin", "0.0000001", 6)
    assert to_units("margin", round_down("0.0000011", 6), 6) == 1
    assert to_units("margin", round_up("0.0000011", 6), 6) == 2


@given(st.integers(min_value=-(2**255), max_value=2**255))
def test_every_number_of_the_ledger_comes_out_exactly(value: int) -> None:
    """Decimal's usual 28 digits would not do."""
    sign, digits, exponent = to_decimal(value).as_tuple()
    assert (-1 if sign else 1) * int("".join(map(str, digits))) == value and exponent == -18


@given(st.integers(min_value=1, max_value=2**128))
def test_in_and_out_again_is_the_same(value: int) -> None:
    """Inward is the inverse of outward."""
    assert to_units("size", to_decimal(value)) == value


def test_a_ratio_is_rounded_down() -> None:
    """Toward minus infinity, with 18 digits."""
    assert ratio_down(1, 3) == Decimal("0.333333333333333333")
    assert ratio_down(-1, 3) == Decimal("-0.333333333333333334")


@pytest.mark.parametrize(
    "error",
    [
        errors.NotANumber("margin", "x"),
        errors.NotPositive("margin", Decimal(0)),
        errors.TooPrecise("margin", Decimal("0.1"), 0),
        errors.BadChoice("side", "up", ["long", "short"]),
        errors.BadAddress("owner", "0x1"),
        errors.NoSuchMarket("DOGE-USD", ["ETH-USD"]),
        errors.AmountsMissing("size or fraction"),
        errors.AmountsConflict("size and fraction", "give one of them"),
        errors.LeverageTooHigh("ETH-USD", Decimal(51), Decimal(50)),
        errors.PositionExists("ETH-USD", "long", "cross"),
        errors.NoOpenPosition("ETH-USD", "0x", "cross"),
        errors.AmbiguousPosition("ETH-USD", "0x"),
        errors.LargerThanPosition("ETH-USD", Decimal(2), Decimal(1)),
        errors.NothingToMove("cross", Decimal(0)),
        errors.PreviewUnavailable("chain"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_error_is_a_sentence_and_survives_pickling(error: errors.ClientError) -> None:
    """It also is a ValueError, so that callers need no import to catch it."""
    assert isinstance(error, ValueError)
    assert str(error).endswith(".") and str(error)[0] != " "
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
