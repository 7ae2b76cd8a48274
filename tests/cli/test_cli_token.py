"""`perpkit token` on a devnet: every refusal, then a share's whole life."""

from __future__ import annotations

from decimal import Decimal

import pytest
from programs import Inside, assert_refused

from perpkit.devnet.devnet import GENESIS, Devnet
from perpkit.market_setup import ROLES

MINT = ["token", "mint", "ETH3L", "1000"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["token", "mint", "BTC3L", "1000"], "the tokens are: ETH3L, ETH3S"),
        (["token", "mint", "ETH3L"], "Missing argument 'DOLLARS'"),
        (["token", "mint", "ETH3L", "much"], "'much' is not a number"),
        (["token", "mint", "ETH3L", "0"], "dollars is 0"),
        (["token", "mint", "ETH3L", "-5"], "dollars is -5"),
        (["token", "mint", "ETH3L", "0.0000001"], "keeps 6 digits"),
        ([*MINT, "--slippage", "1"], "between 0 and 1"),
        ([*MINT, "--slippage", "0"], "slippage is 0"),
        ([*MINT, "--min-shares", "0"], "min_shares is 0"),
        ([*MINT, "--as", "nobody"], "one of governor"),
        (["token", "redeem", "ETH3L"], "a number of shares, or --all"),
        (["token", "redeem", "ETH3L", "5", "--all"], "a number of shares, or --all"),
        (["token", "redeem", "BTC3L", "--all"], "the tokens are: ETH3L, ETH3S"),
        (["token", "redeem", "ETH3L", "-5"], "shares is -5"),
        (["token", "rebalance", "clearinghouse"], "the tokens are: ETH3L, ETH3S"),
        (["token", "list", "--as", "nobody"], "an address, or a role"),
        (["token", "burn"], "No such command 'burn'"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(run: Inside, arguments: list[str], words: str) -> None:
    """One sentence, and what would make sense."""
    assert_refused(run(*arguments), 2, words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["token", "mint", "ETH3L", "5000000"], "less than the 5,000,000.000000 needed"),
        ([*MINT, "--min-shares", "1000"], "would be received where at least"),
        (["token", "mint", "ETH3L", "3000000", "--as", "provider"], "less than the 3,000,000.000000 needed"),
        (["token", "redeem", "ETH3L", "--all"], "has no shares of ETH3L; mint some first"),
        (["token", "redeem", "ETH3L", "5"], "has no shares of ETH3L; mint some first"),
        (["token", "rebalance", "ETH3L"], "may be rebalanced from 2025-06-16 15:06:40 UTC on"),
    ],
)
def test_what_the_token_does_not_allow_is_refused(run: Inside, arguments: list[str], words: str) -> None:
    """The contract's own error, as a sentence."""
    assert_refused(run(*arguments), 1, words)


def test_more_shares_than_there_are_cannot_be_redeemed(run: Inside) -> None:
    """The sentence says how many there are; with --json the error has them as values."""
    assert run(*MINT).code == 0
    ended = run("token", "redeem", "ETH3L", "998", "--json")
    assert (ended.code, ended.error["name"]) == (1, "LargerThanHolding")
    assert ended.error["values"] == {"symbol": "ETH3L", "shares": "998", "held": "997.500375"}


def test_without_a_price_nobody_mints_and_the_list_still_reads(net: Devnet, run: Inside) -> None:
    """What needs a price is missing from it."""
    assert run(*MINT).code == 0
    net.advance(3601, keep_fresh=False)
    assert_refused(run(*MINT), 1, "needs 2; push a new price")
    token, _ = run("token", "list", "--json").json
    assert (token["leverage"], token["share_price"], token["holding"]["shares"]) == (None, None, "997.500375")
    assert "–" in run("token", "list").out


def test_a_devnet_has_a_long_and_a_short_token(net: Devnet, run: Inside) -> None:
    """At the addresses that it and its manifest tell."""
    long, short = run("token", "list", "--json").json
    assert (long["symbol"], long["market"], long["target_leverage"]) == ("ETH3L", "ETH-USD", "3")
    assert (short["symbol"], short["target_leverage"], short["share_price"]) == ("ETH3S", "-3", "1")
    assert (long["address"], short["address"]) == (net.addresses["ETH3L"], net.addresses["ETH3S"])
    assert [one.symbol for one in net.manifest.leveraged_tokens] == ["ETH3L", "ETH3S"]
    assert (long["due"], long["next_rebalance"]) == (False, GENESIS + 86_400)
    assert long["holding"] == {"owner": ROLES["trader"], "shares": "0", "value": "0"}


def test_a_preview_says_the_same_and_does_nothing(run: Inside) -> None:
    """The numbers of the preview are those of the mint; before it nobody has shares."""
    preview = run(*MINT, "--preview", "--json").json
    assert preview["preview"] is True and "transaction" not in preview
    minted = run(*MINT, "--json").json
    assert minted["preview"] is False and minted["transaction"].startswith("0x") and minted["gas_used"] > 0
    assert {name: minted[name] for name in preview if name != "preview"} == {
        name: value for name, value in preview.items() if name != "preview"
    }
    preview = run("token", "redeem", "ETH3L", "--all", "--preview", "--json").json
    redeemed = run("token", "redeem", "ETH3L", "--all", "--json").json
    assert (redeemed["received"], redeemed["supply"]) == (preview["received"], "0")


def test_shares_are_minted_rebalanced_and_redeemed(run: Inside) -> None:
    """At 4,300 a short of three times has more than four, so that anyone rebalances it at once, for a reward."""
    minted = run("token", "mint", "ETH3S", "1000", "--as", "whale", "--json").json
    assert (minted["paid"], minted["traded"]) == ("1000", "-0.75")
    assert Decimal(minted["min_shares"]) == Decimal(minted["shares"]) * Decimal("0.995")
    run("price", "ETH-USD", "4300")
    assert "now" in run("token", "list").out
    preview = run("token", "rebalance", "ETH3S", "--preview", "--json").json
    done = run("token", "rebalance", "ETH3S", "--json").json
    assert done["reward_shares"] == preview["reward_shares"] and Decimal(done["reward_shares"]) > 0
    assert Decimal("-3.02") < Decimal(done["leverage"]) < -3
    _, short = run("token", "list", "--as", "keeper", "--json").json
    assert short["holding"]["shares"] == done["reward_shares"]
    out = run("token", "redeem", "ETH3S", "100", "--as", "whale").out
    assert "redeemed 100 ETH3S" in out and "received" in out and "whale" in out


def test_a_keeper_rebalances_what_is_due(run: Inside) -> None:
    """With everything else that a keeper does."""
    run("token", "mint", "ETH3S", "1000")
    run("price", "ETH-USD", "4300")
    [rebalance] = run("keeper", "--once", "--json").json["rebalances"]
    assert rebalance["token"] == "ETH3S" and Decimal(rebalance["reward"]) > 0
    assert Decimal("-3.02") < Decimal(rebalance["leverage"]) < -3


@pytest.mark.parametrize("columns", [80, 120])
def test_the_table_fits_its_terminal_with_all_digits(
    run: Inside, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line is longer than the terminal, and no number is cut or folded."""
    run("token", "mint", "ETH3L", "123456.78", "--as", "trader")
    monkeypatch.setenv("COLUMNS", str(columns))
    out = run("token", "list").out
    assert max(map(len, out.splitlines())) <= columns
    token, _ = run("token", "list", "--json").json
    for words in (f"{Decimal(token['holding']['value']):,.2f}", f"{Decimal(token['holding']['shares']):,.4f}"):
        assert words.rstrip("0") in out, out
