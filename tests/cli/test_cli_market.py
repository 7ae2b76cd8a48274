"""`perpkit market` and `perpkit advance` on a devnet: every refusal, then pauses, terms and the end of a market."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from programs import Inside, assert_refused, perpkit

from perpkit.devnet.devnet import GENESIS, Devnet
from perpkit.devnet.find_node import find_anvil
from perpkit.devnet.node import AnvilNode
from perpkit.market_setup import ROLES

ETH = "ETH-USD"
DAY = 86_400


# --- refused as usage: exit 2 ---


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pause", "DOGE-USD", "trade"], "ETH-USD, BTC-USD, SOL-USD"),
        (["pause", ETH], "Missing argument 'ACTION...'"),
        (["pause", ETH, "dance"], "one of: trade, increase, settle, liquidate, deleverage"),
        (["pause", "vault", "trade"], "one of: deposit, withdraw, pool-deposit, pool-withdraw"),
        (["resume", ETH, "dance"], "one of: trade, increase, settle, liquidate, deleverage"),
        (["halt", "DOGE-USD"], "ETH-USD, BTC-USD, SOL-USD"),
        (["outage", "DOGE-USD"], "ETH-USD, BTC-USD, SOL-USD"),
        (["params", "DOGE-USD"], "ETH-USD, BTC-USD, SOL-USD"),
        (["params", ETH, "--mmr", "abc"], "--mmr cannot be 'abc': expected a number"),
        (["params", ETH, "--mmr", "1.5%%"], "--mmr cannot be '1.5%': expected a number"),
        (["params", ETH, "--mmr", "NaN"], "--mmr cannot be 'NaN'"),
        (["params", ETH, "--mmr=-1%"], "a number from 0 to 18.4"),
        (["params", ETH, "--min-delay", "300"], "a number from 0 to 255"),
        (["params", ETH, "--funding-interval", "8x"], "'8x' is no time; write 90, 90s, 15m, 24h or 1d"),
        (["params", ETH, "--min-notional", "0.0000001"], "keeps 6 digits"),
        (["params", ETH, "--bogus", "1"], "--bogus"),
        (["params", ETH, "--announce"], "expected what is to be announced beside it"),
        (["params", ETH, "--taker-fee", "0.06%", "--announce"], "these parameters of ETH-USD may be set at once"),
        (["tiers", ETH, "500:4%"], "SIZE:IMR:MMR, such as 500:4%:2%"),
        (["tiers", ETH, "500:4%:x"], "MMR cannot be 'x': expected a number"),
        (["tiers", ETH, "500:4%:2%", "--none"], "either tiers or --none"),
        (["tiers", ETH, "--announce"], "expected what is to be announced beside it"),
        (["close-out", ETH, "--batch", "0"], "--batch"),
        (["close-out", "DOGE-USD"], "ETH-USD, BTC-USD, SOL-USD"),
        (["delist", ETH, "--as", "nobody"], "one of governor"),
        (["list"], "No such command 'list'"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(run: Inside, arguments: list[str], words: str) -> None:
    """One sentence, and what would make sense."""
    assert_refused(run("market", *arguments), 2, words)


@pytest.mark.parametrize("span", ["0", "1.5h", "366d", "day"])
def test_time_moves_by_whole_units_and_by_a_year_at_most(net: Devnet, run: Inside, span: str) -> None:
    """Nothing happens else."""
    before = net.timestamp
    assert run("advance", span).code == 2
    assert net.timestamp == before


# --- refused by the market: exit 1 ---


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pause", ETH, "trade", "--as", "trader"], "does not own this contract"),
        (["pause", "vault", "deposit", "--as", "trader"], "does not own this contract"),
        (["halt", ETH, "--as", "trader"], "does not own this contract"),
        (["params", ETH, "--taker-fee", "0.06%", "--as", "trader"], "does not own this contract"),
        (["params", ETH, "--mmr", "1.5%"], "needs a day's notice: announce it first (the same with --announce)"),
        (["params", ETH, "--min-delay", "5s"], "needs a day's notice"),
        (["params", ETH, "--mmr", "2%"], "imr is out of its bounds: it must be above mmr and at most 100 %"),
        (["params", ETH, "--funding-interval", "31d"], "it must be between 1 hour and 30 days"),
        (["tiers", ETH, "500:4%:2%"], "needs a day's notice"),
        (
            ["tiers", ETH, "1:3%:2%", "2:4%:2%", "3:5%:2%", "4:6%:2%"],
            "tiers is out of its bounds: it must be at most 3",
        ),
        (["tiers", ETH, "500:4%:2%", "400:5%:3%"], "above zero and in ascending order"),
        (["outage", ETH], "there is nothing to record"),
        (["delist", ETH], "announce it first (perpkit market announce ETH-USD)"),
        (["close-out", ETH], "is delisted: False"),
    ],
)
def test_what_the_market_does_not_allow_is_refused(run: Inside, arguments: list[str], words: str) -> None:
    """The contract's own error, as a sentence."""
    assert_refused(run("market", *arguments), 1, words)


def test_everybody_knows_the_governors_key_so_it_governs_nothing_real(net: Devnet, tmp_path: Path) -> None:
    """The same contracts on chain id 1: the role is refused there, and so is moving time."""
    with AnvilNode.start(find_anvil(), port=0, timestamp=GENESIS, chain_id=1) as mainnet:
        for address in net.addresses.values():
            mainnet.rpc("anvil_setCode", address, net.node.rpc("eth_getCode", address, "latest"))
        place = net.manifest.model_copy(update={"chain_id": 1, "rpc_url": mainnet.url}).write(tmp_path / "m.json")
        for command in (["market", "pause", ETH, "trade"], ["market", "delist", ETH]):
            words = "Everybody knows the key of " + ROLES["governor"]
            assert_refused(perpkit(*command, "--manifest", place), 1, words)
        assert_refused(perpkit("advance", "1d", "--manifest", place), 1, "Everybody knows the key of")


# --- pauses and prices ---


def test_words_pause_and_resume_actions(run: Inside) -> None:
    """They add up; all go on when none is named, liquidations after a grace period."""
    assert run("market", "pause", ETH, "trade", "liquidate", "--json").json["paused"] == ["trade", "liquidate"]
    assert_refused(run("open", ETH, "long", "--margin", "200", "--leverage", "5"), 1, "is paused in market 0")
    assert run("market", "resume", ETH, "trade", "--json").json["paused"] == ["liquidate"]
    assert run("open", ETH, "long", "--margin", "200", "--leverage", "5").code == 0
    resumed = run("market", "resume", ETH, "--json").json
    assert (resumed["market"], resumed["paused"]) == (ETH, [])
    assert resumed["grace_until"] == resumed["timestamp"] + 900 and resumed["transaction"].startswith("0x")
    out = run("market", "pause", ETH, "increase").out
    assert "paused" in out and "increase" in out and "governor" in out


def test_the_vault_stands_in_the_place_of_a_market(run: Inside) -> None:
    """For money that goes in and out."""
    assert run("market", "pause", "vault", "deposit", "--json").json["paused"] == ["deposit"]
    assert_refused(run("deposit", "5"), 1, "is paused")
    assert run("market", "resume", "vault", "--json").json["paused"] == []
    assert run("deposit", "5").code == 0


def test_a_halt_is_an_outage_until_it_is_lifted(run: Inside) -> None:
    """Nobody trades meanwhile, and after it nobody is liquidated for a while."""
    assert run("market", "halt", ETH, "--json").json["halted"] is True
    assert_refused(run("open", ETH, "long", "--margin", "200", "--leverage", "5"), 1, "is halted by its governor")
    missing = run("market", "outage", ETH, "--json").json
    assert (missing["priced"], missing["grace_until"]) == (False, None)
    run("advance", "15m")
    assert "goes on" in run("market", "halt", ETH, "--lift").out
    back = run("market", "outage", ETH, "--as", "outsider", "--json").json
    assert (back["priced"], back["grace_until"]) == (True, back["timestamp"] + 900)


# --- terms ---


def test_parameters_are_shown_when_none_is_changed(run: Inside) -> None:
    """In the units in which they are written."""
    terms = run("market", "params", ETH, "--json").json
    assert (terms["params"]["mmr"], terms["params"]["funding_interval"], terms["tiers"]) == ("0.01", "28800", [])
    out = run("market", "params", ETH).out
    assert "1 %" in out and "28800 s" in out and "100 dollars" in out


def test_what_hurts_nobody_is_set_at_once(run: Inside) -> None:
    """Ratios as per cents or parts of one, time with its unit."""
    out = run("market", "params", ETH, "--taker-fee", "0.06%", "--maker-fee", "0.0003", "--funding-interval", "4h").out
    assert "0.05 % → 0.06 %" in out and "0.02 % → 0.03 %" in out and "28800 s → 14400 s" in out
    changed = run("market", "params", ETH, "--json").json["params"]
    assert (changed["taker_fee"], changed["maker_fee"]) == ("0.0006", "0.0003")


@pytest.mark.parametrize("change", [["params", ETH, "--mmr", "1.5%"], ["tiers", ETH, "500:4%:2%", "1000:8%:4%"]])
def test_what_could_hurt_somebody_is_announced_and_set_a_day_later(run: Inside, change: list[str]) -> None:
    """Each time one learns what comes next."""
    announced = run("market", *change, "--announce", "--json").json
    assert announced["effective_at"] == announced["timestamp"] + DAY
    assert_refused(run("market", *change), 1, "in ETH-USD was announced for 2025-06-16")
    assert run("advance", "24h", "--json").json["feeds"] == 9
    done = run("market", *change, "--json").json
    assert done["effective_at"] is None
    shown = run("market", change[0], ETH, "--json").json
    assert shown == {"market": ETH, "params": done["terms"]["params"], "tiers": done["terms"]["tiers"]}
    if change[0] == "tiers":
        assert shown["tiers"][1] == {"min_size": "1000", "imr": "0.08", "mmr": "0.04"}
        assert "from 1,000 on" in run("market", "tiers", ETH).out
        assert run("market", "tiers", ETH, "--none", "--json").json["terms"]["tiers"] == []


def test_an_announcement_that_was_not_used_in_a_day_is_made_again(run: Inside) -> None:
    """The sentence says so."""
    change = ["market", "params", ETH, "--mmr", "1.5%"]
    run(*change, "--announce")
    run("advance", "49h")
    assert_refused(run(*change), 1, "was used for a day only: announce it again (the same with --announce)")


# --- the end of a market ---


def test_a_market_is_announced_delisted_and_closed_out(run: Inside) -> None:
    """Everybody leaves at the final price: two positions of roles, and that of a leveraged token."""
    assert run("open", ETH, "long", "--margin", "2000", "--leverage", "5").code == 0
    assert run("open", ETH, "short", "--margin", "2000", "--leverage", "3", "--isolated", "--as", "whale").code == 0
    assert run("token", "mint", "ETH3L", "1000", "--as", "outsider").code == 0
    announced = run("market", "announce", ETH, "--json").json
    assert announced["effective_at"] == announced["timestamp"] + DAY
    assert_refused(run("market", "delist", ETH), 1, "delisting in ETH-USD was announced for 2025-06-16")
    run("advance", "1d")
    run("price", ETH, "4100")
    assert "final price" in run("market", "delist", ETH).out
    assert_refused(run("market", "pause", ETH, "trade"), 1, "is delisted: True")

    done = run("market", "close-out", ETH, "--as", "keeper", "--json").json
    paid = {one["owner"]: Decimal(one["paid"]) for one in done["closed"]}
    # 2.5 long and 1.5 short at 4,000, and 0.75 of the token, each 100 further; funding of a day is a few dollars.
    assert 240 < paid[ROLES["trader"]] < 251 and -151 < paid[ROLES["whale"]] < -140
    assert len(paid) == 3 and (done["left"], done["transactions"]) == (0, 1)
    assert run("positions", "--json").json == []
    assert "positions closed" in run("market", "close-out", ETH).out
    assert run("token", "redeem", "ETH3L", "--all", "--as", "outsider", "--json").json["supply"] == "0"
    assert run("withdraw", "--all").code == 0
