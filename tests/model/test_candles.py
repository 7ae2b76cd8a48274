"""Candles: what is refused, in which words, and what comes back."""

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perpkit.candles import (
    FEED_TICK,
    MAX_PRICE,
    Candle,
    CandleError,
    align_candles,
    crash_candles,
    price_text,
    read_candles,
    write_candles,
)

HEADER = "timestamp,open,high,low,close,volume\n"
FIRST = "2025-04-05 00:00:00+00:00,1816.08,1816.63,1813.4,1813.51,1818.98\n"
MEND = "; correct or delete that line."


def saved(folder: Path, text: str | bytes) -> Path:
    path = folder / "eth.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(folder: Path, text: str | bytes) -> str:
    with pytest.raises(CandleError) as caught:
        read_candles(saved(folder, text))
    return str(caught.value)


# --- refusals -----------------------------------------------------------------------------------------


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The whole path is named, as that is what has to be checked."""
    with pytest.raises(CandleError, match=r"nowhere\.csv: found no such file.*check the path\.$"):
        read_candles(tmp_path / "nowhere.csv")


def test_a_directory_is_refused(tmp_path: Path) -> None:
    """A directory is not a candle file."""
    with pytest.raises(CandleError, match="found a directory, expected a CSV of candles"):
        read_candles(tmp_path)


@pytest.mark.parametrize("text", [b"", b"\n\r\n", b"\xef\xbb\xbf", b" , ,\n"])
def test_an_empty_file_is_refused(tmp_path: Path, text: bytes) -> None:
    """Nothing but blank lines or a byte order mark is empty."""
    assert refusal(tmp_path, text).startswith("eth.csv, line 1: found an empty file")


def test_a_header_alone_is_refused(tmp_path: Path) -> None:
    """At least one candle has to follow."""
    assert refusal(tmp_path, HEADER) == (
        "eth.csv, line 2: found no row below the header, expected at least one candle; export the candles again."
    )


def test_text_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    """Latin-1 on the third line is found there."""
    assert refusal(tmp_path, (HEADER + FIRST).encode() + b"caf\xe9\n") == (
        "eth.csv, line 3: found the byte 0xe9, expected UTF-8 text; save the file again as UTF-8 CSV."
    )


def test_an_open_quote_is_refused(tmp_path: Path) -> None:
    """A quote that never closes must not swallow the rest of the file."""
    assert refusal(tmp_path, HEADER + FIRST + '"2025,1,1,1,1,1\n').startswith(
        "eth.csv, line 3: found text that is not CSV"
    )


def test_a_header_without_a_column_is_refused(tmp_path: Path) -> None:
    """The sentence names the missing column, the header found and what would do."""
    assert refusal(tmp_path, "date,open,high,close\n2025-04-05,1,1,1\n") == (
        "eth.csv, line 1, column low: found the header 'date,open,high,close' without it, "
        "expected a column named low or l; rename or add that column."
    )


def test_a_header_with_a_column_twice_is_refused(tmp_path: Path) -> None:
    """Which of two closes is meant cannot be guessed."""
    assert refusal(tmp_path, "date,open,high,low,close,Close\n") == (
        "eth.csv, line 1, column close: found it twice, expected it once; rename or delete one of the two columns."
    )


def test_numbers_without_header_or_kline_columns_are_refused(tmp_path: Path) -> None:
    """Six bare columns could be in any order."""
    assert "found 6 columns and no header" in refusal(tmp_path, "1743811200,2,3,1,2,5\n")


@pytest.mark.parametrize("row", ["2025-04-05,1,2,1\n", "2025-04-05,83,862.1,83,862.1,83,741.6,83,741.6,1\n"])
def test_a_row_of_another_width_is_refused(tmp_path: Path, row: str) -> None:
    """A cut row, or bare thousands commas, would put prices into the wrong columns."""
    message = refusal(tmp_path, HEADER + FIRST + row)
    assert message.startswith("eth.csv, line 3: found ") and "cells, expected 6 as in the first line" in message


@pytest.mark.parametrize(
    "price",
    ["abc", "", "-1", "nan", "NaN", "inf", "Infinity", "0x10", "1,5", "1_000", "$5", "1e999", "٣", "1 0"],
)
def test_a_price_that_is_no_positive_decimal_is_refused(tmp_path: Path, price: str) -> None:
    """File, line, column, found, expected and mend stand in one sentence."""
    text = HEADER + "\n" * 14 + FIRST + f'2025-04-05 00:05:00+00:00,1,2,"{price}",1.5,9\n'
    assert refusal(tmp_path, text) == (
        f"eth.csv, line 17, column low: found {price!r}, expected a positive decimal number such as 1816.08, "
        "without separators or units" + MEND
    )


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        ("0", "a price of at least 0.000000000000000001"),
        ("0.0000000000000000009", "a price of at least 0.000000000000000001"),
        ("309485009.821345068724781056", "a price of at most 309485009.821345068724781055"),
        ("9e99", "a price of at most 309485009.821345068724781055"),
    ],
)
def test_a_price_out_of_range_is_refused(tmp_path: Path, price: str, expected: str) -> None:
    """One unit is the least price, 2**88 - 1 units the greatest."""
    message = refusal(tmp_path, HEADER + f"2025-04-05,{price},2,1,1.5,9\n")
    assert message == f"eth.csv, line 2, column open: found {price!r}, expected {expected}{MEND}"


@pytest.mark.parametrize(
    ("prices", "fault"),
    [
        ("5,4,6,5", "column low: found '6', expected at most the high 4"),
        ("7,6,4,5", "column open: found '7', expected at most the high 6"),
        ("3,6,4,5", "column open: found '3', expected at least the low 4"),
        ("5,6,4,7", "column close: found '7', expected at most the high 6"),
        ("5,6,4,3", "column close: found '3', expected at least the low 4"),
    ],
)
def test_prices_out_of_order_are_refused(tmp_path: Path, prices: str, fault: str) -> None:
    """Open and close lie between low and high."""
    message = refusal(tmp_path, HEADER + f"2025-04-05,{prices},9\n")
    assert message == f"eth.csv, line 2, {fault}{MEND}"


@pytest.mark.parametrize(
    "time",
    ["yesterday", "", "2025-13-01", "2025-02-30", "05/04/2025", "20250405", "12:00", "1743811200.5",
     "1743811200500", "1.74e9", "2025-04-05 00:00:00.5", "1969-12-31", "1743811200000000000"],
)  # fmt: skip
def test_a_time_that_cannot_be_read_is_refused(tmp_path: Path, time: str) -> None:
    """Fractions of a second and counts of unknown unit are not guessed at."""
    message = refusal(tmp_path, HEADER + f"{time},1,2,1,1.5,9\n")
    assert message.startswith(f"eth.csv, line 2, column timestamp: found {time!r}, expected a whole second")


def test_a_time_twice_is_refused(tmp_path: Path) -> None:
    """Both lines are named."""
    assert refusal(tmp_path, HEADER + FIRST + FIRST) == (
        "eth.csv, line 3, column timestamp: found '2025-04-05 00:00:00+00:00', the same time as line 2, "
        "expected one row for each time; delete one of the two."
    )


def test_times_that_fall_are_refused(tmp_path: Path) -> None:
    """Newest first is a common export; the remedy is to sort."""
    assert refusal(tmp_path, HEADER + FIRST + "2025-04-04,1,2,1,1.5,9\n") == (
        "eth.csv, line 3, column timestamp: found '2025-04-04', expected a time after line 2's "
        "'2025-04-05 00:00:00+00:00'; sort the rows from oldest to newest."
    )


def test_aligning_refuses_unsorted_candles() -> None:
    """Otherwise one of two candles at the same time would vanish."""
    twice = [Candle(300, 1, 1, 1, 1)] * 2
    with pytest.raises(CandleError, match="ETH: found the time 300 after 300"):
        align_candles({"ETH": twice})


def test_writing_refuses_what_reading_would_refuse(tmp_path: Path) -> None:
    """And leaves no file behind."""
    with pytest.raises(CandleError, match=r"column low: found '3\.0'"):
        write_candles(tmp_path / "bad.csv", [Candle(300, 2 * 10**18, 2 * 10**18, 3 * 10**18, 2 * 10**18)])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("price", ["0", "-5", "NaN", "Infinity", "1.000000001", "1e999999999", "154742505"])
def test_a_crash_from_an_impossible_price_is_refused(price: str) -> None:
    """Feeds carry eight decimals, and the wicks need room below the widest price."""
    with pytest.raises(CandleError, match="start_price: found"):
        crash_candles(seed=1, start_price=Decimal(price), candles=50, start_time=0, fall_percent=20)


@pytest.mark.parametrize(("candles", "fall"), [(9, 20), (50, 0), (50, 100)])
def test_a_crash_without_room_is_refused(candles: int, fall: int) -> None:
    """Too few candles, no fall, or a fall to nothing."""
    with pytest.raises(CandleError, match="expected a whole number from"):
        crash_candles(seed=1, start_price=Decimal(100), candles=candles, start_time=0, fall_percent=fall)


# --- reading ------------------------------------------------------------------------------------------

EXPECTED = Candle(
    1743811200,
    1816_080000000000000000,
    1816_630000000000000000,
    1813_400000000000000000,
    1813_510000000000000000,
)


@pytest.mark.parametrize(
    "text",
    [
        HEADER + FIRST,
        HEADER + FIRST + "\n\r\n  \n",
        "\ufeff" + (HEADER + FIRST).replace("\n", "\r\n"),
        (HEADER + FIRST).replace(",", ";"),
        (HEADER + FIRST).replace(",", "\t"),
        '"Date","Open","High","Low","Close"\n"2025-04-05","1816.08","1816.63","1813.4","1813.51"\n',
        "c,l,h,o,t,Time\n1813.51,1813.4,1816.63,1816.08,x,2025-04-05T00:00:00Z\n",
        "Unix,Date,Symbol,Open,High,Low,Close\n1743811200,?,ETH,1816.08,1816.63,1813.4,1813.51\n",
        "open time,open,high,low,close,\n1743811200000,1816.08,1816.63,1813.4,1813.51,\n",
        "datetime,open,high,low,close\n2025-04-05 02:00+02:00,1816.08,1816.63,1813.4,1813.51\n",
        "timestamp,open,high,low,close\n1743811200.0,1816.08,1816.63,1813.4,1.81351E+3\n",
        "1743811200000,1816.08,1816.63,1813.40,1813.51,9,1743811499999,1,1,1,1,0\n",
        "1743811200000000,1816.08,1816.63,1813.40,1813.51,9,1743811499999999,1,1,1,1,0\n",
    ],
)
def test_the_usual_formats_read_as_the_same_candle(tmp_path: Path, text: str) -> None:
    """Headers, delimiters, quotes, line ends, zones and epochs all lead to one candle."""
    assert read_candles(saved(tmp_path, text)) == (EXPECTED,)


def test_prices_are_exact_to_the_last_unit(tmp_path: Path) -> None:
    """Eighteen decimals survive; what lies below one unit is dropped."""
    row = "2025-04-05,0.000000000000000001,309485009.821345068724781055,1e-18,123.4567890123456789019\n"
    (candle,) = read_candles(saved(tmp_path, "date,open,high,low,close\n" + row))
    assert candle == Candle(1743811200, 1, MAX_PRICE, 1, 123456789012345678901)


# --- aligning -----------------------------------------------------------------------------------------


def test_aligning_nothing_gives_nothing() -> None:
    """No market, no time."""
    assert align_candles({}) == ()


def test_markets_are_aligned_on_the_union_of_their_times() -> None:
    """A market without a candle at a time has None there."""
    early, shared, late = (Candle(time, 2, 3, 1, 2) for time in (300, 600, 900))
    assert align_candles({"ETH": [early, shared], "BTC": [shared, late]}) == (
        (300, {"ETH": early, "BTC": None}),
        (600, {"ETH": shared, "BTC": shared}),
        (900, {"ETH": None, "BTC": late}),
    )


# --- inventing ----------------------------------------------------------------------------------------


def test_a_seed_gives_the_same_crash_on_every_machine() -> None:
    """The literal candles of seed 7 pin the generator."""
    crash = crash_candles(seed=7, start_price=Decimal("1816.08"), candles=20, start_time=1743811200, fall_percent=25)
    assert crash[0] == Candle(
        1743811200,
        1816_080000000000000000,
        1816_261608000000000000,
        1812_448493780000000000,
        1815_716784000000000000,
    )
    assert [price_text(candle.close) for candle in crash[7:11]] == [
        "1781.7073639",
        "1373.682912",
        "1362.06",
        "1392.65513654",
    ]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**64),
    ticks=st.integers(100, 10**16),
    candles=st.integers(10, 200),
    fall=st.integers(1, 99),
    recovery=st.integers(0, 100),
)
def test_every_crash_can_be_fed_and_falls_as_far_as_asked(
    tmp_path_factory: pytest.TempPathFactory, seed: int, ticks: int, candles: int, fall: int, recovery: int
) -> None:
    """Prices fit eight decimals, candles join, the lowest close is the asked one, and the file reads back."""
    crash = crash_candles(
        seed=seed,
        start_price=Decimal(ticks).scaleb(-8),
        candles=candles,
        start_time=1743811200,
        fall_percent=fall,
        recovery_percent=recovery,
    )
    assert len(crash) == candles and crash[0].open == ticks * FEED_TICK
    assert all(p % FEED_TICK == 0 for c in crash for p in (c.open, c.high, c.low, c.close))
    assert all(later.open == earlier.close for earlier, later in pairwise(crash))
    assert min(c.close for c in crash) == max(1, ticks * (100 - fall) // 100) * FEED_TICK
    path = tmp_path_factory.getbasetemp() / "crash.csv"
    write_candles(path, crash)
    assert read_candles(path) == crash


# --- writing ------------------------------------------------------------------------------------------


def test_the_written_file_has_the_usual_header(tmp_path: Path) -> None:
    """Byte for byte, with the least digits that say the price exactly."""
    path = tmp_path / "out.csv"
    write_candles(path, [EXPECTED, Candle(1743811500, 10**18, 2 * 10**18, 8 * 10**12, 10**18)])
    assert path.read_bytes() == (
        b"timestamp,open,high,low,close,volume\n"
        b"2025-04-05 00:00:00+00:00,1816.08,1816.63,1813.4,1813.51,0.0\n"
        b"2025-04-05 00:05:00+00:00,1.0,2.0,0.000008,1.0,0.0\n"
    )


@st.composite
def some_candles(draw: st.DrawFn) -> list[Candle]:
    times = draw(st.sets(st.integers(0, 253402300799), min_size=1, max_size=20))
    made = []
    for time in sorted(times):
        low, one, other, high = sorted(draw(st.tuples(*[st.integers(1, MAX_PRICE)] * 4)))
        made.append(Candle(time, one, high, low, other))
    return made


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(candles=some_candles())
def test_what_is_written_reads_back_the_same(tmp_path_factory: pytest.TempPathFactory, candles: list[Candle]) -> None:
    """Any valid candles, to the last unit and second."""
    path = tmp_path_factory.getbasetemp() / "round.csv"
    write_candles(path, candles)
    assert read_candles(path) == tuple(candles)
