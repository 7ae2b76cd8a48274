"""Orders from the command line on a devnet: every refusal, then an order's whole life."""

from __future__ import annotations

import io
import json
import signal
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from programs import Inside, assert_refused, started

from perpkit.cli.__main__ import run as run_command
from perpkit.devnet.devnet import Devnet
from perpkit.market_setup import DEFAULT_MARKETS, DEFAULT_SETUP, ROLES, UNIT, MarketSetup
from perpkit.model.types import RiskTier

OPEN = ["open", "ETH-USD", "long", "--margin", "200", "--leverage", "10", "--isolated"]
BRACKET = ["order", "bracket", *OPEN[1:]]
EXITS = ["--stop", "3900", "--take-profit", "4400"]
PLACE = ["order", "place"]


# --- refused as usage: exit 2 ---


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["order"], "Missing command"),
        (["order", "open"], "No such command"),
        ([*PLACE, "iceberg", "ETH-USD"], "market, limit, stop, take-profit, trailing-stop"),
        ([*PLACE, "stop", "DOGE-USD", "--price", "3900"], "ETH-USD, BTC-USD, SOL-USD"),
        ([*PLACE, "stop", "ETH-USD"], "the price of the stop order"),
        ([*PLACE, "stop", "ETH-USD", "--price", "low"], "'low' is not a number"),
        ([*PLACE, "stop", "ETH-USD", "--price", "4100"], "must be below the mark price of 4000"),
        ([*PLACE, "take-profit", "ETH-USD", "--price", "3900"], "must be above the mark price of 4000"),
        ([*PLACE, "trailing-stop", "ETH-USD", "--trail", "0"], "trail is 0"),
        ([*PLACE, "trailing-stop", "ETH-USD", "--trail-ratio", "2"], "between 0 and 1"),
        ([*PLACE, "market", "ETH-USD", "--expiry", "5"], "expiry is 5, which is past"),
        ([*PLACE, "market", "ETH-USD", "--expires-in", "5", "--expiry", "5"], "nothing beside --expiry"),
        ([*PLACE, "market", "ETH-USD", "--expires-in", "0"], "--expires-in"),
        ([*PLACE, "market", "ETH-USD", "--margin", "5"], "say long or short to open"),
        ([*PLACE, "market", "ETH-USD", "--execution-fee", "0"], "execution_fee is 0"),
        ([*PLACE, "limit", "ETH-USD", "up", "--price", "5", "--size", "1"], "long, short"),
        ([*BRACKET], "an exit or more"),
        (["order", "ladder", "ETH-USD", "4200"], "a price and a share, such as 4200:0.5"),
        (["order", "ladder", "ETH-USD", "4200:half"], "'half' is not a number"),
        (["order", "ladder", "ETH-USD", "4200:0.5", "4400:0.6"], "come to 110 %"),
        (["order", "list", "nobody"], "an address, or a role"),
        (["order", "list", "--market", "DOGE-USD"], "ETH-USD, BTC-USD, SOL-USD"),
        (["order", "cancel"], "orders, or --all"),
        (["order", "cancel", "1", "--all"], "orders, or --all"),
        (["order", "cancel", "1", "--account", "cross"], "nothing without --all"),
        (["order", "cancel", "one"], "ID"),
        (["order", "execute", "0"], "greater than or equal to 1"),
        (["order", "execute", str(2**64)], "less than or equal to"),
        (["order", "bring", "nowhere.json"], "No such file or directory"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(run: Inside, arguments: list[str], words: str) -> None:
    """One sentence, and what would make sense."""
    assert run(*OPEN).code == 0
    ended = run(*arguments)
    assert words in ended.err and (ended.code, ended.out) == (2, ""), ended
    assert ended.err.startswith("perpkit: ") and ended.err.count("\n") == 1, ended


# --- refused by the market: exit 1 ---


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([*PLACE, "stop", "ETH-USD", "--price", "3900"], "no position in ETH-USD"),
        ([*PLACE, "stop", "ETH-USD", "long", "--size", "1", "--price", "4100", "--execution-fee", "0.00001"], "wei"),
        ([*BRACKET, *EXITS, "--acceptable-price", "3999"], "beyond its acceptable price of 3,999"),
        (["order", "execute", "1"], "there is no order 1"),
        (["order", "ratchet", "1"], "there is no order 1"),
        (["order", "cancel", "1"], "there is no order 1"),
        (["order", "cancel", "--all"], "has no open order"),
        (["order", "claim"], "there is no ether here"),
        (["order", "sign", "limit", "ETH-USD", "long", "--size", "1", "--price", "3900"], "`perpkit order approve`"),
    ],
)
def test_what_the_market_does_not_allow_is_refused(run: Inside, arguments: list[str], words: str) -> None:
    """The contract's own error, as a sentence."""
    assert_refused(run(*arguments), 1, words)


def test_an_order_is_executed_neither_early_nor_twice(net: Devnet, run: Inside) -> None:
    """With the values of the error in JSON."""
    run(*BRACKET, *EXITS)
    early = run("order", "execute", 1, "--json")
    assert (early.code, early.error["name"]) == (1, "TriggerNotMet")
    assert early.error["values"] == {"id": 1, "mark": str(4_000 * UNIT), "trigger": str(3_900 * UNIT)}
    run("price", "ETH-USD", 3_890)
    assert run("order", "execute", 1).code == 0
    assert_refused(run("order", "execute", 1), 1, "order 1 was executed before")
    assert_refused(run("order", "cancel", 2), 1, "order 2 was cancelled before")


# --- an order's whole life ---


def test_a_bracket_lives_from_its_placing_to_its_execution(net: Devnet, run: Inside) -> None:
    """Opened with two exits; the price falls, a keeper executes the stop for the fee, and the other is cancelled."""
    placed = run(*BRACKET, *EXITS, "--json").json
    assert [order["kind"] for order in placed["orders"]] == ["stop", "take_profit"]
    assert [order["relation"] for order in placed["orders"]] == ["cancels 2", "cancels 1"]
    assert (placed["opened"]["size"], placed["opened"]["margin"]) == ("0.5", "200")
    assert (placed["approved_orders"], placed["execution_fee"]) == (True, "0.0002")
    assert placed["transaction"].startswith("0x") and placed["gas_used"] > 0
    [position] = run("positions", "--json").json
    assert [order["id"] for order in position["exits"]] == [1, 2]
    assert (position["max_leverage"], position["maintenance_margin_ratio"]) == ("50", "0.01")
    run("price", "ETH-USD", 3_890)
    listed = run("order", "list", "trader", "--json").json
    assert [(order["role"], order["state"]) for order in listed] == [
        ("trader", "executable"),
        ("trader", "waiting for price"),
    ]
    preview = run("order", "execute", 1, "--preview", "--json").json
    done = run("order", "execute", 1, "--json").json
    assert done["cancelled"] == [2] and done["position"] is None and done["execution_fee"] == "0.0001"
    assert (preview["preview"], preview["fill_price"]) == (True, done["fill_price"])
    assert run("positions", "--json").json == run("order", "list", "--json").json == []


def test_a_trailing_stop_is_ratcheted(run: Inside) -> None:
    """For anybody who asks, up and never down."""
    run(*OPEN)
    run(*PLACE, "trailing-stop", "ETH-USD", "--trail", 100)
    run("price", "ETH-USD", 4_200)
    assert run("order", "ratchet", 1, "--json").json["trigger"] == "4100"
    run("price", "ETH-USD", 4_150)
    assert_refused(run("order", "ratchet", 1), 1, "never loosens")


def test_a_ladder_is_placed_listed_and_cancelled(run: Inside) -> None:
    """In words and in JSON; the fees come back."""
    run(*OPEN)
    said = run("order", "ladder", "ETH-USD", "4200:0.5", "4400:0.5").out
    assert "placed orders 1, 2" in said and "take-profit, closes long" in said
    assert "allowed" in said and "0.0002 ETH" in said
    assert run("order", "cancel", 2).out.startswith("cancelled 2\n")
    ended = run("order", "cancel", "--all", "--account", "ETH-USD", "--json").json
    assert (ended["cancelled"], ended["returned"], ended["credited"]) == ([1], "0.0001", "0")
    assert run("order", "list").out == "There is no open order.\n"


def test_a_limit_waits_with_its_margin(run: Inside) -> None:
    """Which moves to the account at once, and stays there when the order is cancelled."""
    arguments = [*PLACE, "limit", "ETH-USD", *OPEN[2:], "--price", "3900", "--expires-in", 600]
    assert "stays there when the order is cancelled" in run(*arguments).out
    assert run("order", "cancel", "--all").code == 0
    [account] = run("accounts", "--json").json
    assert account["collateral"] == "200"
    assert run("withdraw", "--all", "--from", "ETH-USD").code == 0


def test_the_margin_of_a_cross_bracket_comes_from_the_wallet(run: Inside) -> None:
    """As that of `perpkit open`: only when the account does not have it."""
    cross = [word for word in BRACKET if word != "--isolated"]

    def collateral() -> Decimal:
        return Decimal(run(*cross, *EXITS, "--json").json["opened"]["account"]["collateral"])

    # 200 less a fee of 1.000001; then 1,000 more and the fees of a close and an opening.
    assert collateral() == Decimal("198.999999")
    run("close", "ETH-USD")
    run("deposit", 1_000)
    assert 1_197 < collateral() < 1_198


def test_a_signed_order_is_brought_by_somebody_else(
    run: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a file or from stdin, once; what was altered is not what was signed."""
    assert "may trade for trader" in run("order", "approve").out
    assert run("order", "approve", "--json").json["changed"] is False
    arguments = ["order", "sign", "limit", "ETH-USD", "short", "--size", "1", "--price", "4100"]
    ticket = run(*arguments).json
    assert ticket["request"]["kind"] == "limit" and ticket["request"]["size"] == str(-UNIT)
    file = tmp_path / "ticket.json"
    file.write_text(json.dumps({**ticket, "request": {**ticket["request"], "market": 1}}))
    assert_refused(run("order", "bring", file), 1, "signature")
    file.write_text(json.dumps({**ticket, "contract": ROLES["whale"]}))
    assert_refused(run("order", "bring", file), 2, "was signed for the contract")
    file.write_text("{")
    assert_refused(run("order", "bring", file), 2, "ticket.json is no signed order")
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(ticket)))
    [order] = run("order", "bring", "-", "--json").json["orders"]
    assert (order["owner"], order["payer"]) == (ROLES["trader"], ROLES["keeper"])
    file.write_text(json.dumps(ticket))
    assert_refused(run("order", "bring", file), 1, "was used before")
    assert run("order", "approve", "--revoke").out == "The orders contract may no longer trade for trader.\n"


# --- tables ---


@pytest.mark.parametrize("columns", [80, 120])
def test_tables_fit_their_terminal_with_all_digits(run: Inside, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is longer than the terminal, and no number is cut or folded."""
    entry = ["long", "--margin", "2000", "--leverage", "30", "--isolated", "--limit", "99000.5"]
    exits = ["--stop", "97000.25", "--take-profit", "103000"]
    assert run("order", "bracket", "BTC-USD", *entry, *exits, "--as", "market_maker").code == 0
    run(*BRACKET, *EXITS)
    monkeypatch.setenv("COLUMNS", str(columns))
    for command in (("watch", "--once"), ("positions",), ("order", "list")):
        out = run(*command).out
        assert max(map(len, out.splitlines())) <= columns
        for words in ("99,000.50", "97,000.25", "103,000.00", "3,900.00", "4,400.00", "market_maker"):
            assert words in out, out


# --- a market with tiers and a delay ---


@pytest.fixture(scope="module")
def unusual_net(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """ETH-USD takes only orders, and larger positions have less leverage."""
    eth = DEFAULT_MARKETS[0]
    tiers = (RiskTier(10 * UNIT, UNIT // 20, UNIT // 40),)
    spec = replace(eth, params=replace(eth.params, min_delay=60), tiers=tiers)
    setup: MarketSetup = replace(DEFAULT_SETUP, markets=(spec, *DEFAULT_MARKETS[1:]))
    with Devnet.start(port=0, setup=setup, manifest=tmp_path_factory.mktemp("unusual") / "manifest.json") as net:
        yield net


def test_a_market_with_a_delay_and_tiers_says_so(
    unusual_net: Devnet, inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What trades directly is refused with what to do; an order fills a minute later."""
    monkeypatch.setenv("PERPKIT_MANIFEST", str(unusual_net.manifest_path))
    said = inside("markets").out
    assert "orders only, 60 s" in said and "Risk tiers" in said and "20x" in said
    [market, *_] = inside("markets", "--json").json
    assert [tier["max_leverage"] for tier in market["tiers"]] == ["50", "20"] and market["min_delay"] == 60
    assert_refused(inside(*OPEN), 1, "place an order")
    assert_refused(inside(*OPEN, "--preview"), 1, "place an order")
    said = inside(*BRACKET, *EXITS).out
    assert "placed orders 1, 2, 3" in said and "exit of 1" in said
    assert "triggered, fills at a price from 20" in said
    assert_refused(inside("order", "execute", 1), 1, "wait for the next one")
    unusual_net.advance(60)
    assert inside("order", "execute", 1, "--json").json["position"]["size"] == "0.5"
    assert inside("order", "cancel", 2, "--json").json["ending"] == [2]
    assert "waiting for price, until 20" in inside("order", "list").out
    assert_refused(inside("order", "cancel", 2), 1, "cancel it after that")


def test_a_quote_shows_its_tier(inside: Inside) -> None:
    """The margin that the size needs."""
    said = inside("quote", "ETH-USD", "long", "--margin", 200, "--leverage", 10, *EXITS).out
    assert "50x" in said and "maintenance margin" in said and "20.00 (1.00 %)" in said
    assert "stop at 3,900.00" in said and "-51.39 (-25.70 % of margin)" in said


# --- an end in the middle ---


def test_watching_orders_ends_quietly_with_ctrl_c(net: Devnet, run: Inside) -> None:
    """Its JSON holds the orders of each account."""
    run(*BRACKET, *EXITS)
    with started("watch", "trader", "--json", "--every", "0.1", "--manifest", net.manifest_path) as process:
        assert process.stdout is not None
        look = json.loads(process.stdout.readline())
        assert [len(account["orders"]) for account in look["accounts"]] == [2]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (130, "")


def test_no_order_is_placed_when_one_interrupts(net: Devnet, run: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is sent: 130, and not a word."""

    def interrupt(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    run(*OPEN)
    with monkeypatch.context() as patch:
        patch.setattr("perpkit.client.orders.OrderDesk._send", interrupt)
        assert run_command([*PLACE, "stop", "ETH-USD", "--price", "3900"]) == 130
    assert run("order", "list", "--json").json == []
