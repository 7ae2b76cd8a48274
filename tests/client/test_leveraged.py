"""Leveraged tokens for people, on the model and on the bytecode: refusals first."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from roles import DAY, ETH, HOUR, MARKETS, START, House, address, dollars

from perpkit.backend import Sandbox
from perpkit.client import Reader, Trader
from perpkit.client.errors import (
    BadAddress,
    BadChoice,
    ClientError,
    LargerThanHolding,
    NoShares,
    NoSuchToken,
    NotPositive,
    TooPrecise,
)
from perpkit.local import LocalBackend
from perpkit.market_setup import MarketSetup, deploy_leveraged_tokens, set_up
from perpkit.model.errors import (
    ERC20InsufficientBalance,
    InsufficientOutput,
    MarketActionPaused,
    NothingToRebalance,
    StalePrice,
    WorthlessShares,
)
from perpkit.model.market_ledger import TRADE

TRADER = address("trader")
D = Decimal


@pytest.fixture(scope="module", params=["model", "revm"])
def leveraged_sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """The default market with room, and both tokens."""
    sandbox: Sandbox
    if request.param == "model":
        sandbox = LocalBackend(timestamp=START)
    else:
        pytest.importorskip("pyrevm", reason="needs the extra perpkit[revm]")
        from perpkit.revm import RevmBackend

        sandbox = RevmBackend(timestamp=START)
    set_up(sandbox, MarketSetup(MARKETS))
    deploy_leveraged_tokens(sandbox, MARKETS)
    return sandbox


@pytest.fixture
def house(leveraged_sandbox: Sandbox) -> Iterator[House]:
    with House(leveraged_sandbox).rolled_back() as house:
        yield house


# WHAT A CLIENT REFUSES ITSELF


@pytest.mark.parametrize(
    ("changes", "refusal", "sentence"),
    [
        ({"symbol": "BTC3L"}, NoSuchToken, "no leveraged token 'BTC3L'; the tokens are: ETH3L, ETH3S"),
        ({"symbol": "token"}, NoSuchToken, "the tokens are: ETH3L, ETH3S"),
        ({"dollars": 0}, NotPositive, "dollars is 0"),
        ({"dollars": -5}, NotPositive, "dollars is -5"),
        ({"dollars": "0.0000001"}, TooPrecise, "keeps 6 digits"),
        ({"dollars": 100.0}, TypeError, "dollars is the float"),
        ({"slippage": 0.01}, TypeError, "slippage is the float"),
        ({"slippage": 1}, BadChoice, "between 0 and 1"),
        ({"slippage": 0}, NotPositive, "slippage is 0"),
        ({"min_shares": 1.0}, TypeError, "min_shares is the float"),
        ({"min_shares": 0}, NotPositive, "min_shares is 0"),
        ({"dollars": 1_000_001}, ERC20InsufficientBalance, "1,000,001.000000 needed"),
    ],
)
def test_senseless_mints_are_refused_before_anything_is_sent(
    trader: Trader, changes: dict[str, Any], refusal: type[Exception], sentence: str
) -> None:
    """With a sentence that names the value; not even an approval is sent."""
    with pytest.raises(refusal, match=sentence):
        trader.mint_leveraged(**{"symbol": "ETH3L", "dollars": 100, **changes})
    token = trader.backend.deployed["ETH3L"].address
    assert trader.backend.call("token", "allowance", TRADER, token) == 0


@pytest.mark.parametrize(
    ("changes", "refusal", "sentence"),
    [
        ({"symbol": "BTC3L"}, NoSuchToken, "the tokens are: ETH3L, ETH3S"),
        ({"symbol": "ETH3S"}, NoShares, "has no shares of ETH3S; mint some first"),
        ({"shares": 0}, NotPositive, "shares is 0"),
        ({"shares": 5.0}, TypeError, "shares is the float"),
        ({"shares": 2_000}, LargerThanHolding, "shares of ETH3L are there, so 2000 cannot be redeemed"),
        ({"min_assets": "0.0000001"}, TooPrecise, "keeps 6 digits"),
        ({"slippage": 2}, BadChoice, "between 0 and 1"),
    ],
)
def test_senseless_redemptions_are_refused_before_anything_is_sent(
    trader: Trader, changes: dict[str, Any], refusal: type[Exception], sentence: str
) -> None:
    """The same for shares."""
    trader.mint_leveraged(symbol="ETH3L", dollars=1_000)
    with pytest.raises(refusal, match=sentence):
        trader.redeem_leveraged(**{"symbol": "ETH3L", **changes})


def test_a_token_that_is_none_is_neither_read_nor_rebalanced(trader: Trader, reader: Reader) -> None:
    """The clearinghouse is a contract too, but none that has shares."""
    for act in (
        lambda: reader.leveraged_token("clearinghouse"),
        lambda: trader.rebalance(symbol="clearinghouse"),
        lambda: trader.preview_rebalance(symbol="clearinghouse"),
    ):
        with pytest.raises(NoSuchToken):
            act()
    with pytest.raises(BadAddress):
        reader.leveraged_tokens(owner="trader")


# WHAT THE TOKEN REFUSES


def test_fewer_shares_than_demanded_are_refused(trader: Trader) -> None:
    """1,000 dollars buy less than 1,000 shares, because trading costs and there is a fee."""
    with pytest.raises(InsufficientOutput) as refusal:
        trader.mint_leveraged(symbol="ETH3L", dollars=1_000, min_shares=1_000)
    assert refusal.value.minimum == 1_000 * 10**18
    trader.mint_leveraged(symbol="ETH3L", dollars=1_000)
    with pytest.raises(InsufficientOutput):
        trader.redeem_leveraged(symbol="ETH3L", min_assets=1_000)


def test_a_price_that_is_gone_is_the_oracles_own_error(house: House, trader: Trader) -> None:
    """The token still reads, without what needs a price."""
    trader.mint_leveraged(symbol="ETH3L", dollars=1_000)
    house.wait(2 * HOUR, refresh=False)
    for act in (trader.mint_leveraged, trader.preview_mint_leveraged):
        with pytest.raises(StalePrice):
            act(symbol="ETH3L", dollars=1_000)
    with pytest.raises(StalePrice):
        trader.redeem_leveraged(symbol="ETH3L")
    with pytest.raises(StalePrice):
        trader.rebalance(symbol="ETH3L")
    token = trader.reader.leveraged_token("ETH3L", owner=TRADER)
    assert (token.leverage, token.net_asset_value, token.share_price, token.due) == (None, None, None, None)
    assert token.holding is not None and token.holding.shares > 0 and token.holding.value is None


def test_a_balanced_token_is_not_rebalanced(trader: Trader) -> None:
    """The error says from when on, as people read it."""
    trader.mint_leveraged(symbol="ETH3L", dollars=1_000)
    for act in (trader.rebalance, trader.preview_rebalance):
        # The token was deployed at 1,750,000,000, which is 2025-06-15 15:06:40.
        with pytest.raises(NothingToRebalance, match=r"may be rebalanced from 2025-06-16 15:06:40 UTC on"):
            act(symbol="ETH3L")


def test_a_pause_of_the_market_reaches_the_token(house: House, trader: Trader) -> None:
    """Nobody mints where nobody trades; nothing is approved for it either."""
    house.do("set_market_paused", ETH, TRADE, by="governor")
    with pytest.raises(MarketActionPaused):
        trader.mint_leveraged(symbol="ETH3L", dollars=1_000)
    assert trader.backend.call("token", "allowance", TRADER, house.at("ETH3L")) == 0


def test_worthless_shares_are_not_dealt_in(house: House, trader: Trader) -> None:
    """At 2,600 a token of three times leverage from 4,000 on has lost more than all of it."""
    trader.mint_leveraged(symbol="ETH3L", dollars=1_000)
    house.set_price(ETH, 2_600)
    token = trader.reader.leveraged_token("ETH3L")
    assert (token.net_asset_value, token.leverage) == (0, None)
    with pytest.raises(WorthlessShares):
        trader.mint_leveraged(symbol="ETH3L", dollars=1_000)
    with pytest.raises(WorthlessShares):
        trader.redeem_leveraged(symbol="ETH3L")


# WHAT IS DONE


def test_a_token_reads_in_decimals(reader: Reader) -> None:
    """With the integers behind them in `raw`; an empty one costs a dollar a share and needs no rebalance."""
    long, short = reader.leveraged_tokens()
    assert (long.symbol, long.market, long.market_id, long.target_leverage) == ("ETH3L", "ETH-USD", ETH, D(3))
    assert (short.symbol, short.target_leverage, short.leverage) == ("ETH3S", D(-3), D(0))
    assert (long.min_leverage, long.max_leverage, long.fee) == (D(2), D(4), D("0.001"))
    assert (long.net_asset_value, long.share_price, long.supply, long.due) == (D(0), D(1), D(0), False)
    assert (long.next_rebalance, long.holding) == (START + DAY, None)
    assert long.raw.terms.target_leverage == 3 * 10**18


def test_a_preview_of_minting_comes_true(trader: Trader) -> None:
    """With an approval of exactly what is paid, in front of it, which the preview neither needs nor leaves."""
    preview = trader.preview_mint_leveraged(symbol="ETH3L", dollars=1_000)
    done = trader.mint_leveraged(symbol="ETH3L", dollars=1_000)
    assert done.raw == preview.raw
    assert (done.paid, done.traded, done.mark_price, done.leverage) == (1_000, D("0.75"), 4_000, preview.leverage)
    # 3,000 of notional cost a fee of 0.05 % and hardly any premium; a thousandth of the rest is the token's fee.
    assert D("1.5") < done.cost < D("1.51") and done.fee == D("0.998499")
    assert done.shares == done.supply == D("997.500375")
    assert done.min_shares == done.shares * D("0.995")
    assert done.approval is not None
    token = trader.backend.deployed["ETH3L"].address
    assert trader.backend.call("token", "allowance", TRADER, token) == 0


def test_what_is_approved_already_is_not_approved_again(house: House, trader: Trader) -> None:
    """Who has approved enough before sends one transaction."""
    house.do("approve", house.at("ETH3L"), dollars(5_000), by="trader", label="token")
    assert trader.mint_leveraged(symbol="ETH3L", dollars=1_000).approval is None


def test_a_holding_reads_with_its_worth(trader: Trader, reader: Reader) -> None:
    """At the mark price, before the cost of closing; somebody else's holding is none."""
    done = trader.mint_leveraged(symbol="ETH3S", dollars=1_000)
    token = reader.leveraged_token("ETH3S", owner=TRADER)
    assert token.holding is not None and token.net_asset_value is not None
    assert token.holding.shares == done.shares == token.supply
    # A millionth of a dollar stays with shares that nobody owns.
    assert token.net_asset_value - token.holding.value in (D(0), D("0.000001"))
    other = reader.leveraged_token("ETH3S", owner=address("whale")).holding
    assert other is not None and (other.shares, other.value) == (0, 0)


def test_shares_are_redeemed_in_parts_and_then_all(trader: Trader) -> None:
    """The preview comes true each time; the last shares leave nothing behind."""
    before = trader.reader.balance(TRADER)
    minted = trader.mint_leveraged(symbol="ETH3L", dollars=1_000)
    preview = trader.preview_redeem_leveraged(symbol="ETH3L", shares=400)
    part = trader.redeem_leveraged(symbol="ETH3L", shares=400)
    assert part.raw == preview.raw and (part.shares, part.supply) == (400, minted.supply - 400)
    assert part.min_assets == (part.received * D("0.995")).quantize(D("0.000001"), "ROUND_FLOOR")
    rest = trader.redeem_leveraged(symbol="ETH3L")
    assert (rest.shares, rest.supply, rest.leverage, rest.fee) == (minted.supply - 400, 0, 0, 0)
    assert trader.reader.balance(TRADER) == before - 1_000 + part.received + rest.received


def test_a_day_later_anyone_brings_the_leverage_back(house: House, trader: Trader) -> None:
    """At 4,400 three times 1,000 have become 3,300 on 1,300: too little leverage for a target of three."""
    trader.mint_leveraged(symbol="ETH3L", dollars=1_000)
    house.set_price(ETH, 4_400)
    keeper = Trader(house.sandbox, address("keeper"))
    token = keeper.reader.leveraged_token("ETH3L")
    assert token.leverage is not None and D("2.53") < token.leverage < D("2.55") and token.due is False
    house.wait(DAY)
    assert keeper.reader.leveraged_token("ETH3L").due is True
    preview = keeper.preview_rebalance(symbol="ETH3L")
    done = keeper.rebalance(symbol="ETH3L")
    assert done.raw == preview.raw and done.traded > 0
    # The cost of the trade is paid by the token, so leverage ends a little above the target.
    assert done.leverage is not None and 3 < done.leverage < D("3.01")
    holding = keeper.reader.leveraged_token("ETH3L", owner=address("keeper")).holding
    assert holding is not None and holding.shares == done.reward_shares > 0
    assert keeper.reader.leveraged_token("ETH3L").next_rebalance == START + 2 * DAY


def test_outside_of_the_band_nobody_waits_a_day(house: House, trader: Trader) -> None:
    """Short three times at 4,000 is more than four times at 4,300."""
    trader.mint_leveraged(symbol="ETH3S", dollars=1_000)
    house.set_price(ETH, 4_300)
    token = trader.reader.leveraged_token("ETH3S")
    assert token.leverage is not None and token.leverage < -4 and token.due is True
    assert trader.rebalance(symbol="ETH3S").traded > 0


def test_every_refusal_of_a_client_is_one_error(trader: Trader) -> None:
    """Who catches `ClientError` catches them all, as a ValueError."""
    for refused in (NoSuchToken("X", ()), NoShares("X", TRADER), LargerThanHolding("X", D(2), D(1))):
        assert isinstance(refused, ClientError) and isinstance(refused, ValueError)
    assert str(NoSuchToken("X", ())).endswith("the tokens are: none.")
