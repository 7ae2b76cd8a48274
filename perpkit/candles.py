"""Candles: reading, checking, aligning, inventing and writing them.

A price is an integer count of 1e-18 dollars from the moment it is read; no float ever touches one.
"""

import csv
import io
import itertools
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

PRICE_ONE = 10**18
MAX_PRICE = 2**88 - 1  # the widest price the market stores
FEED_TICK = 10**10  # the least step of a feed that answers with eight decimals

HEADER = ("timestamp", "open", "high", "low", "close", "volume")
# First match wins: a file with both `unix` and `date` is read by its number, which has no zone to guess.
TIME_NAMES = ("timestamp", "open_time", "unix", "datetime", "date", "time")
PRICE_NAMES = {"open": ("open", "o"), "high": ("high", "h"), "low": ("low", "l"), "close": ("close", "c")}
KLINE_COLUMNS = 12  # Binance's files without a header
DELIMITERS = (",", ";", "\t")

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# Two digits of exponent at most: enough for the 8e-06 that spreadsheets and pandas write, no more.
_PRICE = re.compile(r"\+?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,2})?", re.ASCII)
_EPOCH_TIME = re.compile(r"(\d{9,17})(?:\.0*)?", re.ASCII)
_ISO_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.0*)?)?)?"
    r"(?: ?(Z|z|UTC|[+-]\d\d(?::?\d\d)?))?",
    re.ASCII,
)


class CandleError(ValueError):
    """A candle file, or a request for candles, that cannot be used; the message says how to mend it."""


@dataclass(frozen=True)
class Candle:
    """One candle; `time` is the unix second, in UTC, at which it opens, and prices count 1e-18."""

    time: int
    open: int
    high: int
    low: int
    close: int


@dataclass(frozen=True)
class _Layout:
    """Where the columns of a file are, and what the file calls them."""

    names: tuple[str, ...]  # time, open, high, low, close, as written in the file
    positions: tuple[int, ...]
    width: int


@dataclass(frozen=True)
class _Row:
    file: str
    line: int
    cells: list[str]

    def fault(self, column: str, found: str, expected: str, mend: str) -> CandleError:
        return CandleError(
            f"{self.file}, line {self.line}, column {column}: found {found}, expected {expected}; {mend}."
        )


# --- reading ------------------------------------------------------------------------------------------


def read_candles(path: Path) -> tuple[Candle, ...]:
    """The candles of a CSV file, oldest first; raises `CandleError` on the first fault."""
    return _parse(_text_of(path), path.name)


def _text_of(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise CandleError(f"{path}: found no such file, expected a CSV of candles; check the path.") from None
    except IsADirectoryError:
        raise CandleError(f"{path}: found a directory, expected a CSV of candles; name a file inside it.") from None
    except OSError as error:
        raise CandleError(
            f"{path}: found a file that cannot be read ({error.strerror}), expected a CSV of candles; "
            "check its permissions."
        ) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise CandleError(
            f"{path.name}, line {line}: found the byte 0x{raw[error.start]:02x}, expected UTF-8 text; "
            "save the file again as UTF-8 CSV."
        ) from None


def _parse(text: str, file: str) -> tuple[Candle, ...]:
    rows = _rows(text, file)
    if not rows:
        raise CandleError(
            f"{file}, line 1: found an empty file, expected a header and at least one candle; export the candles again."
        )
    layout, body = _layout_of(rows)
    if not body:
        raise CandleError(
            f"{file}, line {rows[0].line + 1}: found no row below the header, expected at least one candle; "
            "export the candles again."
        )
    candles = []
    previous: tuple[_Row, Candle] | None = None
    for row in body:
        candle = _candle_of(row, layout)
        _check_after(previous, row, candle, layout)
        previous = (row, candle)
        candles.append(candle)
    return tuple(candles)


def _rows(text: str, file: str) -> list[_Row]:
    """The rows that hold anything, each with the line on which it starts."""
    delimiter = _delimiter_of(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[_Row] = []
    start = 1
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                rows.append(_Row(file, start, stripped))
            start = reader.line_num + 1
    except csv.Error as error:
        raise CandleError(
            f"{file}, line {start}: found text that is not CSV ({error}), expected cells parted by "
            f"{delimiter!r} with every quote closed; correct or delete that line."
        ) from None
    return rows


def _delimiter_of(text: str) -> str:
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(DELIMITERS, key=first.count)  # the comma wins a tie, as it comes first


def _layout_of(rows: list[_Row]) -> tuple[_Layout, list[_Row]]:
    first = rows[0]
    if not _EPOCH_TIME.fullmatch(first.cells[0]):
        return _layout_from_header(first), rows[1:]
    if len(first.cells) != KLINE_COLUMNS:
        raise CandleError(
            f"{first.file}, line {first.line}: found {len(first.cells)} columns and no header, expected a "
            f"header or the {KLINE_COLUMNS} columns of a Binance kline file; put a header such as "
            f"{','.join(HEADER)} on top."
        )
    return _Layout(("open_time", "open", "high", "low", "close"), (0, 1, 2, 3, 4), KLINE_COLUMNS), rows


def _layout_from_header(header: _Row) -> _Layout:
    cells = list(header.cells)
    while cells and not cells[-1]:
        cells.pop()  # a delimiter at the end of the line
    keys = [re.sub(r"[\s_-]+", "_", cell.casefold()) for cell in cells]
    wanted = [("time", TIME_NAMES), *PRICE_NAMES.items()]
    positions = tuple(_position(header, keys, column, names) for column, names in wanted)
    return _Layout(tuple(cells[at] for at in positions), positions, len(cells))


def _position(header: _Row, keys: list[str], column: str, names: Sequence[str]) -> int:
    for name in names:
        if keys.count(name) > 1:
            raise header.fault(name, "it twice", "it once", "rename or delete one of the two columns")
        if name in keys:
            return keys.index(name)
    found = f"the header {_quoted(','.join(header.cells), limit=80)} without it"
    raise header.fault(column, found, f"a column named {' or '.join(names)}", "rename or add that column")


def _candle_of(row: _Row, layout: _Layout) -> Candle:
    cells = list(row.cells)
    while len(cells) > layout.width and not cells[-1]:
        cells.pop()
    if len(cells) != layout.width:
        # Never guess here: a bare thousands comma would shift every price one column to the right.
        raise CandleError(
            f"{row.file}, line {row.line}: found {len(cells)} cells, expected {layout.width} as in the first "
            "line; correct or delete that line."
        )
    at, name = layout.positions, layout.names
    time = _time_of(row, name[0], cells[at[0]])
    opened, high, low, close = (_price_of(row, name[i], cells[at[i]]) for i in range(1, 5))
    candle = Candle(time, opened, high, low, close)
    _check_shape(row, candle, layout, cells)
    return candle


def _price_of(row: _Row, column: str, text: str) -> int:
    def fault(expected: str) -> CandleError:
        return row.fault(column, _quoted(text), expected, "correct or delete that line")

    if not _PRICE.fullmatch(text):
        raise fault("a positive decimal number such as 1816.08, without separators or units")
    price = _scaled(Decimal(text))
    if price < 1:
        raise fault("a price of at least 0.000000000000000001")
    if price > MAX_PRICE:
        raise fault(f"a price of at most {price_text(MAX_PRICE)}")
    return price


def _scaled(value: Decimal) -> int:
    """Value × 1e18 rounded down, in integers: Decimal arithmetic would round to its context's 28 digits."""
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    whole = int("".join(map(str, digits)))
    shift = exponent + 18
    return whole * int(10**shift) if shift >= 0 else whole // int(10**-shift)


def _time_of(row: _Row, column: str, text: str) -> int:
    if number := _EPOCH_TIME.fullmatch(text):
        seconds = _from_epoch(int(number[1]))
    elif iso := _ISO_TIME.fullmatch(text):
        seconds = _from_iso(iso)
    else:
        seconds = None
    if seconds is None or seconds < 0:
        raise row.fault(
            column,
            _quoted(text),
            "a whole second from 1970 on, as 2025-04-05 00:00:00+00:00 or as seconds, milliseconds or "
            "microseconds since 1970",
            "correct or delete that line",
        )
    return seconds


def _from_epoch(number: int) -> int | None:
    """Seconds from a count whose unit its magnitude tells: seconds pass 1e11 only in the year 5138."""
    unit = 1 if number < 10**11 else 10**3 if number < 10**14 else 10**6
    return number // unit if number % unit == 0 else None


def _from_iso(match: re.Match[str]) -> int | None:
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
    except ValueError:
        return None
    return (moment - _EPOCH) // timedelta(seconds=1) - _zone_seconds(match[7])


def _zone_seconds(zone: str | None) -> int:
    if zone is None or zone in "UTCZz":  # a time without a zone is UTC
        return 0
    digits = zone[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:] or 0) * 60
    return -seconds if zone[0] == "-" else seconds


def _check_shape(row: _Row, candle: Candle, layout: _Layout, cells: list[str]) -> None:
    opened, high, low, close = ((layout.names[i], cells[layout.positions[i]]) for i in range(1, 5))
    mend = "correct or delete that line"
    if candle.low > candle.high:
        raise row.fault(low[0], _quoted(low[1]), f"at most the high {high[1]}", mend)
    for (column, text), price in ((opened, candle.open), (close, candle.close)):
        if price < candle.low:
            raise row.fault(column, _quoted(text), f"at least the low {low[1]}", mend)
        if price > candle.high:
            raise row.fault(column, _quoted(text), f"at most the high {high[1]}", mend)


def _check_after(previous: tuple[_Row, Candle] | None, row: _Row, candle: Candle, layout: _Layout) -> None:
    if previous is None or previous[1].time < candle.time:
        return
    above = previous[0].line
    found = _quoted(row.cells[layout.positions[0]])
    if previous[1].time == candle.time:
        found = f"{found}, the same time as line {above}"
        raise row.fault(layout.names[0], found, "one row for each time", "delete one of the two")
    raise row.fault(
        layout.names[0],
        found,
        f"a time after line {above}'s {_quoted(previous[0].cells[layout.positions[0]])}",
        "sort the rows from oldest to newest",
    )


def _quoted(text: str, limit: int = 40) -> str:
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")


# --- aligning -----------------------------------------------------------------------------------------


def align_candles(
    by_market: Mapping[str, Sequence[Candle]],
) -> tuple[tuple[int, dict[str, Candle | None]], ...]:
    """Every time at which any market has a candle, oldest first, with each market's candle or None."""
    by_time = {symbol: _by_time(symbol, candles) for symbol, candles in by_market.items()}
    times = sorted({time for candles in by_time.values() for time in candles})
    return tuple((time, {symbol: candles.get(time) for symbol, candles in by_time.items()}) for time in times)


def _by_time(symbol: str, candles: Sequence[Candle]) -> dict[int, Candle]:
    for earlier, later in itertools.pairwise(candles):
        if later.time <= earlier.time:
            raise CandleError(
                f"{symbol}: found the time {later.time} after {earlier.time}, expected strictly ascending "
                "times; sort the candles and drop duplicates."
            )
    return {candle.time: candle for candle in candles}


# --- inventing ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Mood:
    """How restless the closes and wicks of one phase of a crash are, in basis points."""

    jitter: int
    wick: int
    spike: int  # the longest wick, seen on one candle in eight


_CALM = _Mood(jitter=12, wick=10, spike=20)
_FALL = _Mood(jitter=60, wick=70, spike=320)
_RECOVERY = _Mood(jitter=30, wick=35, spike=90)


def crash_candles(
    *,
    seed: int,
    start_price: Decimal,
    candles: int,
    start_time: int,
    fall_percent: int,
    interval: int = 300,
    recovery_percent: int = 40,
) -> tuple[Candle, ...]:
    """A seeded crash: calm, a steep fall with wicks, then the recovery of a part of the fall.

    The lowest close stands exactly `fall_percent` below the start (rounded down to eight decimals), wicks
    reach lower; the last close regains `recovery_percent` of the fall. Integers and `randrange` alone make
    it, so that a seed gives the same candles on every machine.
    """
    start = _crash_start(start_price)
    _check_between("candles", candles, 10, 10**7)
    _check_between("fall_percent", fall_percent, 1, 99)
    _check_between("recovery_percent", recovery_percent, 0, 100)
    _check_between("interval", interval, 1, 10**7)
    _check_between("start_time", start_time, 0, 10**11)
    rng = random.Random(seed)
    path = _crash_path(rng, start, candles, fall_percent, recovery_percent)
    made, opened = [], start
    for i, (close, mood) in enumerate(path):
        made.append(_crash_candle(rng, start_time + i * interval, opened, close, mood))
        opened = close
    return tuple(made)


def _crash_start(start_price: Decimal) -> int:
    """The start in feed ticks; half the widest price at most, so that no wick can pass it."""
    most = MAX_PRICE // 2 // FEED_TICK
    # The magnitude first: scaling 1e999999999 would never end.
    sane = start_price.is_finite() and start_price > 0 and -19 < start_price.adjusted() < 10
    ticks, rest = divmod(_scaled(start_price), FEED_TICK) if sane else (0, 0)
    if rest or not 100 <= ticks <= most:
        raise CandleError(
            f"start_price: found {start_price}, expected a price from 0.000001 to "
            f"{price_text(most * FEED_TICK)} with at most eight decimals; choose another start."
        )
    return ticks


def _check_between(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise CandleError(f"{name}: found {value}, expected a whole number from {least} to {most}; choose another one.")


def _crash_path(
    rng: random.Random, start: int, candles: int, fall_percent: int, recovery_percent: int
) -> list[tuple[int, _Mood]]:
    """The closes, in feed ticks, with the mood each was made in."""
    calm, falling = candles * 35 // 100, max(2, candles * 15 // 100)
    recovering = candles - calm - falling
    bottom = max(1, start * (100 - fall_percent) // 100)
    depth = start - bottom
    regained = depth * recovery_percent // 100
    path = [(_jittered(rng, start, _CALM), _CALM) for _ in range(calm)]
    # Uneven shares of the fall make it come in lurches, as liquidations feed on each other.
    shares = [rng.randrange(1, 10) ** 2 for _ in range(falling)]
    done = 0
    for share in shares:
        done += share
        path.append((_jittered(rng, start - depth * done // sum(shares), _FALL), _FALL))
    path[-1] = (bottom, _FALL)
    for i in range(1, recovering + 1):
        left = (recovering - i) ** 2  # fast at first, then tiring
        level = bottom + regained * (recovering**2 - left) // recovering**2
        path.append((_jittered(rng, level, _RECOVERY), _RECOVERY))
    path[-1] = (bottom + regained, _RECOVERY)
    return [(max(close, bottom), mood) for close, mood in path]


def _jittered(rng: random.Random, ticks: int, mood: _Mood) -> int:
    return ticks * (10_000 + rng.randrange(-mood.jitter, mood.jitter + 1)) // 10_000


def _crash_candle(rng: random.Random, time: int, opened: int, close: int, mood: _Mood) -> Candle:
    body_high, body_low = max(opened, close), min(opened, close)
    high = body_high * (10_000 + _wick(rng, mood) // 2) // 10_000  # wicks down outreach wicks up
    low = max(1, body_low * (10_000 - _wick(rng, mood)) // 10_000)
    return Candle(time, opened * FEED_TICK, high * FEED_TICK, low * FEED_TICK, close * FEED_TICK)


def _wick(rng: random.Random, mood: _Mood) -> int:
    return rng.randrange(mood.spike if rng.randrange(8) == 0 else mood.wick)


# --- writing ------------------------------------------------------------------------------------------


def write_candles(path: Path, candles: Iterable[Candle]) -> None:
    """Writes the file that `read_candles` reads back as the same candles; the volume is written as 0.0."""
    made = tuple(candles)
    lines = [",".join(HEADER), *map(_line_of, made)]
    text = "\n".join(lines) + "\n"
    if _parse(text, path.name) != made:  # refuses here what reading would refuse later
        raise CandleError(f"{path.name}: found candles that do not survive a round trip; pass whole numbers.")
    path.write_text(text, encoding="utf-8", newline="\n")


def _line_of(candle: Candle) -> str:
    try:
        moment = (_EPOCH + timedelta(seconds=candle.time)).isoformat(sep=" ")
    except OverflowError:
        raise CandleError(
            f"time: found {candle.time}, expected a unix second before the year 10000; correct that candle."
        ) from None
    prices = map(price_text, (candle.open, candle.high, candle.low, candle.close))
    return ",".join((moment, *prices, "0.0"))


def price_text(price: int) -> str:
    """A price as plain decimal text, exact and with at least one decimal: 1816.0, 0.000008."""
    sign = "-" if price < 0 else ""
    whole, rest = divmod(abs(price), PRICE_ONE)
    return f"{sign}{whole}.{f'{rest:018d}'.rstrip('0') or '0'}"
