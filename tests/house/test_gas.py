"""What the actions cost stays under its ceilings, and docs/gas.json tells it as it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]
CEILINGS = {
    "open": 168_000,
    "reduce": 125_000,
    "close": 118_000,
    "liquidate": 128_000,
    "liquidate_each_more": 40_000,
    "token_mint": 247_000,
    "token_redeem": 250_000,
    "rebalance": 213_000,
    "place": 145_000,
    "place_trailing": 208_000,
    "place_bracket": 326_000,
    "trade_with_exits": 390_000,
    "execute": 215_000,
    "execute_oco": 206_000,
}
UNBOUNDED = {"deposit", "withdraw"}


def report() -> dict[str, int]:
    figures = json.loads((HOME / "docs" / "gas.json").read_text(encoding="utf-8"))
    figures.pop("notes")
    return {str(name): int(gas) for name, gas in figures.items()}


def test_the_report_has_a_figure_for_each_action() -> None:
    """Neither more nor fewer."""
    assert report().keys() == CEILINGS.keys() | UNBOUNDED


@pytest.mark.parametrize(("action", "ceiling"), CEILINGS.items())
def test_an_action_stays_under_its_ceiling(action: str, ceiling: int) -> None:
    """In the checked-in report, which the next test measures again."""
    assert report()[action] <= ceiling


@pytest.mark.anvil
def test_the_report_equals_a_fresh_measurement() -> None:
    """Gas on a local node is the same each time, so the figures must be the very same."""
    command = [sys.executable, str(HOME / "scripts" / "gas_report.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
