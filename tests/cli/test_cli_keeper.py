"""`perpkit price` and `perpkit keeper` on a devnet: moving the market, and clearing whom it broke."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from programs import Inside, assert_refused, perpkit, started

from perpkit.devnet.devnet import Devnet

OPEN = ["open", "ETH-USD", "long", "--margin", "200", "--leverage", "40"]


@pytest.mark.parametrize("price", ["0", "0.000000001", "1000000000000"])
def test_a_price_that_feeds_cannot_carry_is_refused(run: Inside, price: str) -> None:
    """From the feeds' smallest step to the highest supported price."""
    assert_refused(run("price", "ETH-USD", price), 2, "expected dollars between 0.00000001 and 309485009")


def test_the_price_of_no_market_is_refused(run: Inside) -> None:
    """The sentence names the markets that there are."""
    assert_refused(run("price", "DOGE-USD", "1"), 2, "ETH-USD, BTC-USD, SOL-USD")


def test_a_keeper_with_nothing_to_do_says_so_in_json(run: Inside) -> None:
    """One look at healthy accounts."""
    told = run("keeper", "--once", "--json").json

    assert told == {
        "transactions": 0,
        "reward": "0.000000",
        "liquidations": [],
        "deleveragings": [],
        "outages": [],
        "rebalances": [],
        "refusals": [],
    }


def test_a_price_breaks_an_account_and_the_keeper_clears_it(run: Inside) -> None:
    """40x long at 4,000, then 3,900: 2.5 % is all that it had."""
    assert run(*OPEN).code == 0
    assert run("price", "ETH-USD", "3900", "--json").json == {"market": "ETH-USD", "price": "3900", "feeds": 3}
    told = run("keeper", "--once", "--json").json

    (liquidation,) = told["liquidations"]
    assert liquidation["market"] == "ETH-USD"
    assert not liquidation["partial"]
    assert float(liquidation["bad_debt"]) > 0
    assert run("positions", "--json").json == []


def test_a_keeper_that_runs_ends_quietly_on_ctrl_c(net: Devnet) -> None:
    """In another process, until it is interrupted."""
    with started("keeper", "--manifest", net.manifest_path) as process:
        assert process.stdout is not None
        assert "watches the market" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        code = process.wait(30)

    assert code in (0, 130)


def test_a_keeper_without_a_devnet_is_told_where_to_find_one(tmp_path: Path) -> None:
    """No manifest, no traceback."""
    ended = perpkit("keeper", "--once", cwd=tmp_path)

    assert ended.code == 1
    assert "Traceback" not in ended.err
