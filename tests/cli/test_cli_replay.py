"""`perpkit replay` and `perpkit scenario` as people run them."""

from __future__ import annotations

import signal
import subprocess
from decimal import Decimal
from pathlib import Path

import psutil  # type: ignore[import-untyped, unused-ignore]
import pytest
from programs import PERPKIT, environment, perpkit

from perpkit.candles import crash_candles, write_candles

PATIENCE_SECONDS = 60


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "eth.csv"
    candles = crash_candles(seed=1, start_price=Decimal(4000), candles=20, start_time=1_700_000_000, fall_percent=20)
    write_candles(path, candles)
    return path


def test_an_unknown_backend_is_refused() -> None:
    """The sentence names those that there are."""
    ended = perpkit("replay", "--backend", "geth")

    assert ended.code == 2
    assert ended.err == "perpkit: there is no backend 'geth': choose one of model, revm, anvil.\n"


def test_a_broken_csv_is_refused_with_line_and_column(csv: Path) -> None:
    """Where to look, what stands there, what should."""
    lines = csv.read_text().splitlines()
    lines[4] = lines[4].replace(lines[4].split(",")[3], "abc")
    csv.write_text("\n".join(lines))
    ended = perpkit("replay", "--prices", f"ETH-USD={csv}")

    assert ended.code == 2
    assert "line 5, column low: found 'abc'" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("entry", ["ETH-USD", "=eth.csv", "ETH-USD="])
def test_prices_without_symbol_or_path_are_refused(entry: str) -> None:
    """The sentence shows how it is written."""
    ended = perpkit("replay", "--prices", entry)

    assert ended.code == 2
    assert "expected SYMBOL=CSV, for example ETH-USD=eth.csv" in ended.err


def test_a_market_that_is_named_twice_is_refused(csv: Path) -> None:
    """One series for each market."""
    ended = perpkit("replay", "--prices", f"ETH-USD={csv}", "--prices", f"ETH-USD={csv}")

    assert ended.code == 2
    assert "expected ETH-USD only once" in ended.err


def test_a_missing_csv_is_refused(tmp_path: Path) -> None:
    """No traceback, exit 2."""
    ended = perpkit("replay", "--prices", f"ETH-USD={tmp_path / 'none.csv'}", "--json")

    assert ended.code == 2
    assert "none.csv" in ended.error["message"]


def test_a_report_that_would_replace_a_file_is_refused(csv: Path, tmp_path: Path) -> None:
    """Before anything runs."""
    (tmp_path / "report").write_text("mine")
    ended = perpkit("replay", "--prices", f"ETH-USD={csv}", "--report", tmp_path / "report")

    assert ended.code == 2
    assert (tmp_path / "report").read_text() == "mine"


def test_no_accounts_are_refused(csv: Path) -> None:
    """A market without traders has no story."""
    assert perpkit("replay", "--prices", f"ETH-USD={csv}", "--accounts", "0").code == 2


def test_a_replay_prints_json_with_digest_and_laws(csv: Path, tmp_path: Path) -> None:
    """What machines read, and the page beside it."""
    ended = perpkit("replay", "--prices", f"ETH-USD={csv}", "--accounts", 9, "--report", tmp_path / "page", "--json")

    assert len(ended.json["digest"]) == 64
    assert all(ended.json["laws"].values())
    assert {"liquidations", "bad_debt", "insurance", "deficit", "adl", "trades", "ticks"} <= set(ended.json)
    assert ended.json["ticks"] == 80
    assert (tmp_path / "page" / "index.html").read_text().startswith("<!")


def test_a_replay_prints_a_table_for_people(csv: Path) -> None:
    """Facts, ticks, digest."""
    ended = perpkit("replay", "--prices", f"ETH-USD={csv}", "--accounts", 9)

    assert ended.code == 0
    assert "Liquidations" in ended.out
    assert "✓ booked money adds up" in ended.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_replay_that_is_killed_leaves_no_node_and_no_report(number: signal.Signals, tmp_path: Path) -> None:
    """In the middle of a run on a node."""
    page = tmp_path / "page"
    arguments = [str(PERPKIT), "replay", "--backend", "anvil", "--accounts", "200", "--report", str(page)]
    with subprocess.Popen(arguments, env=environment(), stderr=subprocess.PIPE) as process:
        node = wait_for_node(process.pid)
        process.send_signal(number)
        process.wait(PATIENCE_SECONDS)

    _, alive = psutil.wait_procs([node], timeout=PATIENCE_SECONDS)
    assert not alive
    assert not page.exists()


def wait_for_node(parent: int) -> psutil.Process:
    """The node that a replay started, as soon as it is there."""
    while True:
        for child in psutil.Process(parent).children(recursive=True):
            if "anvil" in child.name():
                return child


def test_the_crash_is_told_with_ledger_and_ticks() -> None:
    """For people."""
    ended = perpkit("scenario", "crash")

    assert ended.code == 0
    assert "At 3,630 the 10x long goes." in ended.out
    assert "✗" not in ended.out


def test_the_crash_is_told_as_json() -> None:
    """For machines."""
    told = perpkit("scenario", "crash", "--backend", "revm", "--json").json

    assert {"name", "backend", "digest", "laws", "expected", "steps"} <= set(told)
    assert all(told["expected"].values()) and all(told["laws"].values())
