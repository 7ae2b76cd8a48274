"""Reading and trading from the command line on a devnet: every refusal, then a position's whole life."""

from __future__ import annotations

import json
import signal
from decimal import Decimal
from pathlib import Path

import pytest
from programs import Inside, assert_refused, environment, perpkit, started

from perpkit.chain.json_rpc import JsonRpc
from perpkit.devnet.devnet import GENESIS, Devnet
from perpkit.devnet.find_node import find_anvil
from perpkit.devnet.node import AnvilNode
from perpkit.market_setup import ROLES

OPEN = ["open", "ETH-USD", "long", "--margin", "200", "--leverage", "10"]


# --- refused as usage: exit 2 ---


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["open", "DOGE-USD", "long", "--margin", "200", "--leverage", "5"], "ETH-USD, BTC-USD, SOL-USD"),
        (["open", "ETH-USD", "sideways", "--margin", "200", "--leverage", "5"], "long, short"),
        (["open", "ETH-USD", "long", "--margin", "0", "--leverage", "10"], "margin is 0"),
        (["open", "ETH-USD", "long", "--margin", "-1", "--leverage", "10"], "margin is -1"),
        (["open", "ETH-USD", "long", "--margin", "200", "--leverage", "51"], "the limit is 50x"),
        (["open", "ETH-USD", "long", "--margin", "200"], "two of margin, size and leverage"),
        (["open", "ETH-USD", "long", "--margin", "200", "--leverage", "10", "--as", "nobody"], "one of governor"),
        (["deposit", "-5"], "amount is -5"),
        (["deposit", "five"], "'five' is not a number"),
        (["withdraw"], "an amount, or --all"),
        (["withdraw", "5", "--all"], "an amount, or --all"),
        (["liquidate", "nobody", "ETH-USD"], "an address, or a role"),
        (["positions", "nobody"], "an address, or a role"),
        (["markets", "--rpc", "ftp://127.0.0.1"], "must begin with http"),
        (["markets", "--bogus"], "--bogus"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(run: Inside, arguments: list[str], words: str) -> None:
    """One sentence, and what would make sense."""
    assert_refused(run(*arguments), 2, words)


# --- refused by the market: exit 1 ---


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([*OPEN, "--acceptable-price", "3999"], "beyond its acceptable price of 3,999"),
        (
            ["open", "ETH-USD", "long", "--margin", "2000000", "--leverage", "2"],
            "less than the 2,000,000.000000 needed",
        ),
        (["open", "ETH-USD", "long", "--margin", "1", "--leverage", "10"], "less than the least of 100.000000"),
        (["reduce", "ETH-USD", "--fraction", "0.5"], "no position in ETH-USD"),
        (["close", "ETH-USD"], "no position in ETH-USD"),
        (["withdraw", "5"], "less than the 5.000000 asked for"),
        (["withdraw", "--all"], "No money may leave"),
        (["deposit", "5000000"], "less than the 5,000,000.000000 needed"),
    ],
)
def test_what_the_market_does_not_allow_is_refused(run: Inside, arguments: list[str], words: str) -> None:
    """The contract's own error, as a sentence."""
    assert_refused(run(*arguments), 1, words)


def test_a_stale_price_is_refused(net: Devnet, run: Inside) -> None:
    """An hour and a second later nobody trades on the old price; the markets say that it is stale."""
    net.advance(3601, keep_fresh=False)
    assert_refused(run(*OPEN), 1, "needs 2; push a new price")
    assert "stale" in run("markets").out
    assert run("markets", "--json").json[0]["price"] is None


def test_an_unhealthy_withdrawal_is_refused(run: Inside) -> None:
    """Collateral that a position needs stays; the error names equity and requirement."""
    assert run(*OPEN).code == 0
    ended = run("withdraw", 190, "--json")
    assert (ended.code, ended.error["name"]) == (1, "BelowInitialMargin")
    assert set(ended.error["values"]) == {"account", "equity", "required"}


def test_a_healthy_account_is_not_liquidated(run: Inside) -> None:
    """Nobody loses a position that is backed."""
    assert run(*OPEN).code == 0
    assert_refused(run("liquidate", "trader", "ETH-USD"), 1, "is healthy")


# --- refused by the environment: exit 1 ---


def test_without_a_manifest_one_learns_where_it_was_sought(tmp_path: Path) -> None:
    """And how to get one."""
    assert_refused(perpkit("markets", cwd=tmp_path), 1, "There is no manifest at .perpkit/manifest.json")


def test_a_manifest_that_is_none_is_refused(tmp_path: Path) -> None:
    """Half a file never reaches the chain."""
    place = tmp_path / "manifest.json"
    place.write_text('{"format": 1,')
    assert_refused(perpkit("markets", "--manifest", place), 1, "is no manifest that can be used")


def test_another_chain_than_the_manifests_is_refused(net: Devnet, run: Inside) -> None:
    """The chain id is asked for first."""
    with AnvilNode.start(find_anvil(), port=0, timestamp=GENESIS, chain_id=1) as other:
        assert_refused(run("markets", "--rpc", other.url), 1, "serves chain id 1, but the manifest is of 31337")


def test_the_manifest_of_another_deployment_is_refused(net: Devnet, run: Inside) -> None:
    """A fresh node has no contracts, and one with other code has others: both are noticed."""
    with AnvilNode.start(find_anvil(), port=0, timestamp=GENESIS) as other:
        assert_refused(run("markets", "--rpc", other.url), 1, "are not those of the manifest (there is no code")
        copy_code(net, other)
        other.rpc("anvil_setCode", net.addresses["pool"], "0x00")
        assert_refused(run("markets", "--rpc", other.url), 1, "are not those of the manifest (the code is another")


def test_a_key_that_everybody_knows_is_refused_on_mainnet(net: Devnet, tmp_path: Path) -> None:
    """The same contracts on chain id 1: a role of the devnet must not sign there, by name or by key."""
    with AnvilNode.start(find_anvil(), port=0, timestamp=GENESIS, chain_id=1) as mainnet:
        copy_code(net, mainnet)
        place = net.manifest.model_copy(update={"chain_id": 1, "rpc_url": mainnet.url}).write(tmp_path / "m.json")
        words = "Everybody knows the key of " + ROLES["trader"]
        assert_refused(perpkit("deposit", 1, "--manifest", place), 1, words)
        key = "0x47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a"
        ended = perpkit("deposit", 1, "--manifest", place, env=environment(PERPKIT_KEY=key))
        assert_refused(ended, 1, words)
        assert key.removeprefix("0x") not in ended.err


def test_a_broken_key_is_refused_without_repeating_it(net: Devnet) -> None:
    """What is wrong with a secret is said without the secret."""
    ended = perpkit("deposit", 1, "--manifest", net.manifest_path, env=environment(PERPKIT_KEY="secret-of-somebody"))
    assert_refused(ended, 1, "PERPKIT_KEY is not 64 hexadecimal digits")
    assert "secret-of-somebody" not in ended.err


# --- a position's whole life ---


def test_a_position_is_opened_enlarged_reduced_and_closed(run: Inside) -> None:
    """Each step says its transaction, and positions show the state after it."""
    opened = run(*OPEN, "--json").json
    assert (opened["size"], opened["margin"], opened["preview"]) == ("0.5", "200", False)
    assert opened["transaction"].startswith("0x") and opened["gas_used"] > 0
    assert abs(Decimal(opened["liquidation_price"]) - 3636) < 5
    assert run(*OPEN, "--json").json["position"]["size"] == "1"
    reduced = run("reduce", "ETH-USD", "--fraction", "0.25", "--json").json
    assert (reduced["size"], reduced["position"]["size"]) == ("0.25", "0.75")
    [position] = run("positions", "--json").json
    assert (position["role"], position["market"], position["side"], position["size"]) == (
        "trader",
        "ETH-USD",
        "long",
        "0.75",
    )
    assert run("close", "ETH-USD", "--json").json["position"] is None
    assert run("positions", "--json").json == []


def test_a_preview_says_the_same_and_does_nothing(run: Inside) -> None:
    """The numbers of the preview are those of the trade; before it there is no position."""
    preview = run(*OPEN, "--isolated", "--preview", "--json").json
    assert preview["preview"] is True and "transaction" not in preview
    assert run("positions", "--json").json == []
    opened = run(*OPEN, "--isolated", "--json").json
    assert {name: opened[name] for name in preview if name != "preview"} == {
        name: value for name, value in preview.items() if name != "preview"
    }


def test_margin_comes_from_the_account_before_it_comes_from_the_wallet(run: Inside) -> None:
    """Who has deposited enough does not pay twice."""
    assert run("deposit", 1000, "--json").json["account"]["collateral"] == "1000"
    opened = run(*OPEN, "--json").json
    assert Decimal(opened["account"]["collateral"]) == 1000 - Decimal(opened["fee"])
    opened = run("open", "BTC-USD", "short", "--margin", 5000, "--leverage", 5, "--json").json
    assert Decimal(opened["account"]["collateral"]) > 5900


def test_an_isolated_position_gives_its_margin_back(run: Inside) -> None:
    """To the wallet when asked; its account is empty then."""
    run(*OPEN, "--isolated")
    closed = run("close", "ETH-USD", "--return-margin", "wallet", "--json").json
    assert Decimal(closed["returned"]) > 198
    assert run("accounts", "--json").json == []


def test_money_goes_in_and_out(run: Inside) -> None:
    """What was deposited can be withdrawn, to oneself or to another role."""
    run("deposit", "100.5", "--as", "whale")
    assert run("withdraw", "0.5", "--as", "whale", "--json").json["amount"] == "0.5"
    out = run("withdraw", "--all", "--to", "outsider", "--as", "whale").out
    assert "withdrew 100.00" in out
    assert run("accounts").out == "No account holds anything yet; deposit or open first.\n"


def test_an_account_below_maintenance_is_liquidated_for_a_reward(net: Devnet, run: Inside) -> None:
    """The keeper acts unless somebody else is named; the preview comes first and says the same."""
    run(*OPEN, "--isolated")
    net.set_price("ETH-USD", 3630)
    preview = run("liquidate", "trader", "ETH-USD", "--preview", "--json").json
    found = run("liquidate", "trader", "ETH-USD", "--json").json
    assert found["reward"] == preview["reward"] and Decimal(found["reward"]) > 0
    assert found["size"] == preview["size"]
    [reward] = [account for account in run("accounts", "--json").json if account["role"] == "keeper"]
    assert reward["collateral"] == found["reward"]


# --- tables ---


@pytest.mark.parametrize("columns", [80, 120])
def test_tables_fit_their_terminal_with_all_digits(run: Inside, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is longer than the terminal, and no number is cut or folded."""
    run(*OPEN)
    run("open", "BTC-USD", "short", "--margin", "50000", "--leverage", "20", "--isolated", "--as", "market_maker")
    monkeypatch.setenv("COLUMNS", str(columns))
    out = run("watch", "--once").out
    assert max(map(len, out.splitlines())) <= columns
    amounts = [position["liquidation_price"] for position in run("positions", "--json").json]
    amounts += [account["equity"] for account in run("accounts", "--json").json]
    assert len(amounts) == 4
    for words in (*(f"{Decimal(amount):,.2f}" for amount in amounts), "market_maker", "BTC-USD short iso"):
        assert words in out, out


def test_watching_ends_quietly_with_ctrl_c(net: Devnet) -> None:
    """Line after line of JSON, then 130 and not a word."""
    with started("watch", "--json", "--every", "0.1", "--manifest", net.manifest_path) as process:
        assert process.stdout is not None
        looks = [json.loads(process.stdout.readline()) for _ in range(3)]
        assert [len(look["markets"]) for look in looks] == [3, 3, 3]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (130, "")


def test_a_reader_that_goes_away_is_no_error(net: Devnet) -> None:
    """`perpkit watch --json | head -1` ends without a traceback."""
    with started("watch", "--json", "--every", "0.1", "--manifest", net.manifest_path) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 1
        assert process.stderr.read() == ""
        process.stdout = None


def copy_code(net: Devnet, other: AnvilNode) -> None:
    """Puts the devnet's contracts, without their storage, on another node."""
    rpc = JsonRpc(net.url)
    for address in net.addresses.values():
        other.rpc("anvil_setCode", address, rpc.call("eth_getCode", address, "latest"))
