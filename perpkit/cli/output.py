"""What commands print: tables and short lists for people, JSON for programs."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from decimal import Decimal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from perpkit.cli.as_json import number as number
from perpkit.cli.as_json import plain as plain
from perpkit.cli.as_json import print_json as print_json

_WIDTH_OF_NO_TERMINAL = 160


def stdout() -> Console:
    """The console on stdout; what is written to a file or a pipe is not cut to a terminal's width."""
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _WIDTH_OF_NO_TERMINAL
    return console


# WORDS


def money(value: Decimal | None) -> str:
    """Dollars and cents."""
    return _absent() if value is None else _no_negative_zero(f"{value:,.2f}")


def price(value: Decimal | None) -> str:
    """Dollars with as many digits as a small price needs."""
    if value is None or not value.is_finite():
        return _absent()
    return f"{value:,.2f}" if abs(value) >= 10 or value == 0 else f"{value:,.6f}"


def size(value: Decimal | None) -> str:
    """An amount of the base asset; four digits are enough to recognise it."""
    if value is None:
        return _absent()
    text = f"{value:,.4f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(value: Decimal | None, digits: int = 2) -> str:
    """A ratio as a percentage."""
    if value is None:
        return _absent()
    text = f"{value * 100:,.{digits}f}"
    # What rounds to nothing has no sign.
    return (text if text.strip("-0.") else text.removeprefix("-")) + " %"


def signed(text: str) -> Text:
    """A number in red when it is negative, in green when it is positive."""
    if text.startswith("-"):
        return Text(text, style="red")
    return Text(text, style="green") if any(digit in text for digit in "123456789") else Text(text)


def moment(timestamp: int) -> str:
    """A time {s} to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(timestamp))


def short_address(address: str) -> str:
    """Enough of an address to recognise it."""
    return f"{address[:6]}…{address[-4:]}"


def _no_negative_zero(text: str) -> str:
    return text.lstrip("-") if text.startswith("-") and not text.strip("-0.,") else text


def _absent() -> str:
    return "–"


# TABLES


def table(title: str, *columns: str, left: int = 1) -> Table:
    """A table of numbers: the first `left` columns are words, the others are aligned to the right."""
    made = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        # With the box's own blank that makes two between columns; three would not fit 80.
        padding=(0, 1, 0, 0),
    )
    for index, column in enumerate(columns):
        # Folding keeps every digit where a narrow terminal has no room; an ellipsis would eat them.
        made.add_column(column, justify="left" if index < left else "right", overflow="fold")
    return made


def print_facts(title: str, facts: Sequence[tuple[str, str | Text]]) -> None:
    """A short list of names and values."""
    made = Table(box=None, show_header=False, pad_edge=False)
    made.add_column(style="dim")
    made.add_column(justify="right")
    for name, value in facts:
        made.add_row(name, value)
    console = stdout()
    # Not the table's own title, which would be folded to the width of a short list.
    console.print(Text(title, style="bold"), soft_wrap=True)
    console.print(made)
