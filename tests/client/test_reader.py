"""Reading the market: what is refused, then what is said."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal

import pytest
from roles import BTC, ETH, HOUR, House, acc, address, dollars, units

from perpkit.client import Reader, Side, Trader
from perpkit.client.errors import BadAddress, NoSuchMarket
from perpkit.model.errors import StalePrice

TRADER = address("trader")


def test_importing_the_client_imports_no_web3() -> None:
    """Neither web3 nor pydantic stands between a user and a first line."""
    code = "import perpkit.client, sys; print([m for m in ('web3', 'eth_account', 'pydantic') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_an_unknown_market_is_refused_with_the_known_ones(reader: Reader) -> None:
    """So that a typo mends itself."""
    with pytest.raises(NoSuchMarket, match=r"'DOGE-USD'; the markets are: ETH-USD, BTC-USD, SOL-USD\."):
        reader.market("DOGE-USD")


@pytest.mark.parametrize("owner", ["", "0x12", "trader", "0x" + "g" * 40, "0x" + "1" * 64])
def test_what_is_no_address_is_refused(reader: Reader, owner: str) -> None:
    """Before anything is asked; and what is as long as a key is not repeated."""
    with pytest.raises(BadAddress) as refusal:
        reader.account(owner)
    assert "1" * 64 not in str(refusal.value)


def test_a_stale_price_is_the_oracles_own_error(house: House, reader: Reader) -> None:
    """While the list of markets still reads, without a price."""
    house.wait(2 * HOUR, refresh=False)
    assert reader.market("ETH-USD").price is None
    with pytest.raises(StalePrice):
        reader.price("ETH-USD")


def test_a_market_reads_in_decimals(reader: Reader) -> None:
    """With the integers behind them in `raw`."""
    market = reader.market("ETH-USD")
    assert (market.id, market.price, market.max_leverage) == (ETH, Decimal(4000), Decimal(50))
    assert (market.taker_fee, market.min_notional) == (Decimal("0.0005"), Decimal(100))
    assert market.raw.params.imr == units("1/50")
    assert reader.price("BTC-USD") == Decimal(100_000)
    assert reader.symbols() == ("ETH-USD", "BTC-USD", "SOL-USD")


def test_cross_and_isolated_positions_are_found_together(house: House, trader: Trader, reader: Reader) -> None:
    """Each says in which account it stands and which kind it is."""
    house.deposit("trader", dollars(10_000))
    house.trade("trader", ETH, units(1))
    trader.open(market="BTC-USD", side="short", margin=1_000, leverage=5, isolated=True)
    cross, isolated = reader.positions(TRADER)
    assert (cross.market, cross.side, cross.isolated, cross.size) == ("ETH-USD", Side.LONG, False, Decimal(1))
    assert (isolated.market, isolated.side, isolated.isolated) == ("BTC-USD", Side.SHORT, True)
    assert isolated.account == acc(f"trader/{BTC + 1}")


def test_a_market_listed_meanwhile_is_found(house: House, trader: Trader, reader: Reader) -> None:
    """A reader that already knows the markets still sees the isolated account of a new one."""
    assert reader.positions(TRADER) == ()
    house.list_like(ETH, "NEW-USD")
    trader.open(market="NEW-USD", side="long", margin=1_000, leverage=2, isolated=True)
    [position] = reader.positions(TRADER)
    assert position.market == "NEW-USD"


def test_a_snapshot_holds_everything_at_once(house: House, reader: Reader) -> None:
    """Markets, vault and the accounts of the owners that are named."""
    house.deposit("trader", dollars(10_000))
    house.trade("trader", ETH, units(1))
    snapshot = reader.snapshot(TRADER)
    assert snapshot.timestamp == house.sandbox.timestamp
    assert snapshot.markets == reader.markets()
    assert snapshot.vault == reader.vault()
    assert snapshot.accounts == reader.accounts(TRADER)
    assert [position.market for position in snapshot.positions] == ["ETH-USD"]


def test_an_empty_account_has_no_health(reader: Reader) -> None:
    """Nothing is required of it, so there is no ratio."""
    account = reader.account(TRADER)
    assert (account.health, account.equity, account.positions) == (None, Decimal(0), ())
    assert reader.balance(TRADER) == Decimal(1_000_000)
    assert reader.allowance(TRADER) > 10**60


def test_the_funding_rate_follows_the_skew(house: House, reader: Reader) -> None:
    """Per funding interval, and positive when longs pay."""
    assert reader.funding_rate("ETH-USD") == 0
    house.deposit("trader", dollars(100_000))
    house.trade("trader", ETH, units(100))
    assert reader.funding_rate("ETH-USD") == Decimal("0.0001")
