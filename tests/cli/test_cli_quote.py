"""`perpkit quote`, and `perpkit` itself: no node, no manifest."""

from __future__ import annotations

import re
import subprocess
import sys
from decimal import Decimal

import pytest
from programs import Inside, assert_refused, environment, perpkit

from perpkit.cli.__main__ import COMMANDS

PLAIN_NUMBER = re.compile(r"-?\d+(\.\d+)?")


# --- refusals ---


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["DOGE-USD", "long", "--margin", "200", "--leverage", "10"], "ETH-USD, BTC-USD, SOL-USD"),
        (["ETH-USD", "up", "--margin", "200", "--leverage", "10"], "long, short"),
        (["ETH-USD", "long", "--margin", "0", "--leverage", "10"], "margin is 0; it must be more than zero"),
        (["ETH-USD", "long", "--margin", "-5", "--leverage", "10"], "margin is -5; it must be more than zero"),
        (["ETH-USD", "long", "--margin", "200", "--leverage", "51"], "the limit is 50x"),
        (["ETH-USD", "long", "--margin", "200", "--leverage", "-1"], "more than zero"),
        (["ETH-USD", "long", "--margin", "ten", "--leverage", "10"], "'ten' is not a number"),
        (["ETH-USD", "long", "--margin", "NaN", "--leverage", "10"], "'NaN' is not a finite number"),
        (["ETH-USD", "long", "--margin", "200", "--leverage", "10", "--price", "0"], "more than zero"),
        (["ETH-USD", "long", "--leverage", "10"], "--margin"),
        (["ETH-USD"], "SIDE"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(inside: Inside, arguments: list[str], words: str) -> None:
    """Exit 2 and one sentence that says what would make sense."""
    assert_refused(inside("quote", *arguments), 2, words)


def test_a_position_too_small_for_the_market_is_refused() -> None:
    """The model itself says no: exit 1 with the contract's own error and its values."""
    ended = perpkit("quote", "ETH-USD", "long", "--margin", "1", "--leverage", "10", "--json")
    assert (ended.code, ended.out) == (1, "")
    assert ended.error["name"] == "BelowMinNotional"
    assert ended.error["values"] == {"notional": 10_000_000, "min_notional": 100_000_000}


def test_an_unknown_command_is_a_usage_error_in_json_too() -> None:
    """Programs read the same sentence as people."""
    assert_refused(perpkit("fly"), 2, "No such command 'fly'")
    ended = perpkit("fly", "--json")
    assert (ended.code, ended.error["name"]) == (2, "UsageError")


# --- what works ---


def test_the_known_numbers_of_a_tenfold_long() -> None:
    """Entry 4,000, margin 200, maintenance 1 %: liquidation near 3,636, a distance near a tenth less maintenance."""
    found = perpkit("quote", "ETH-USD", "long", "--margin", 200, "--leverage", 10, "--price", 4000, "--json").json
    keys = ("size", "entry_price", "liquidation_price", "bankruptcy_price", "fee", "distance_to_liquidation")
    assert all(PLAIN_NUMBER.fullmatch(found[key]) for key in keys)
    assert (found["size"], found["fee"]) == ("0.5", "1.000001")
    assert abs(Decimal(found["liquidation_price"]) - 3636) < 5
    assert abs(Decimal(found["bankruptcy_price"]) - 3600) < 5
    assert abs(Decimal(found["distance_to_liquidation"]) - Decimal("0.0909")) < Decimal("0.002")


def test_numbers_are_written_without_an_exponent() -> None:
    """A tiny price and a huge one stay plain."""
    for price in ("1.23456789", "300000000"):
        found = perpkit("quote", "SOL-USD", "short", "--margin", 100, "--leverage", 5, "--price", price, "--json").json
        assert PLAIN_NUMBER.fullmatch(found["size"]) and PLAIN_NUMBER.fullmatch(found["entry_price"])


def test_people_get_a_short_list() -> None:
    """The same numbers, rounded for reading."""
    ended = perpkit("quote", "ETH-USD", "long", "--margin", 200, "--leverage", 10, "--price", 4000)
    assert ended.code == 0 and ended.err == ""
    assert "liquidation price" in ended.out and "3,638.38" in ended.out


def test_the_version_is_that_of_the_package() -> None:
    """As a bug report needs it."""
    assert re.fullmatch(r"perpkit \d+\.\d+\.\d+\n", perpkit("--version").out)


def test_help_lists_every_command_and_asks_nothing_of_web3() -> None:
    """Help is for the impatient: none of the heavy libraries are imported for it."""
    program = (
        "import sys; from perpkit.cli.__main__ import run; run(['--help']);"
        "print([name for name in ('web3', 'eth_account', 'rich', 'perpkit.client') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment()).stdout
    *lines, imported = out.splitlines()
    assert imported == "[]"
    listed = {line.split()[0] for line in lines if line.startswith("  ") and line.strip()}
    assert listed >= {name for name, entry in COMMANDS.items() if entry.module not in ("keeper", "scenario", "replay")}


@pytest.mark.parametrize("command", ["devnet", "markets", "accounts", "positions", "watch", "open", "liquidate"])
def test_each_command_has_its_help(inside: Inside, command: str) -> None:
    """And every one offers JSON."""
    ended = inside(command, "--help")
    assert ended.code == 0 and "--json" in ended.out
