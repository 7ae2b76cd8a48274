"""Trading on a real Anvil with a key: the same as on the model, and as was quoted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from decimal import Decimal
from itertools import groupby
from typing import Any

import pytest
from live import Market, posts_of
from roles import ETH, START

from perpkit.backend import Sandbox
from perpkit.client import Reader, Side, Trader, quote
from perpkit.client.errors import LeverageTooHigh
from perpkit.local import LocalBackend
from perpkit.market_setup import DEFAULT_MARKETS, ROLES, push_price, set_up
from perpkit.model.errors import BelowInitialMargin, NotLiquidatable, PriceLimitCrossed
from perpkit.model.events import OutageRecorded
from perpkit.model.market_ledger import GRACE_PERIOD, OUTAGE

TRADER, KEEPER = ROLES["trader"], ROLES["keeper"]
D = Decimal


def story(trader: Trader, keeper: Trader, set_price: Callable[[int], None]) -> list[Any]:
    """Everything that a trader can do, once."""
    told: list[Any] = [trader.deposit(5_000)]
    told.append(trader.preview_open(market="ETH-USD", side="long", margin=1_000, leverage=20, isolated=True))
    told.append(trader.open(market="ETH-USD", side="long", margin=1_000, leverage=20, isolated=True))
    told.append(trader.open(market="ETH-USD", side="short", size="1.25"))
    told.append(trader.open(market="BTC-USD", side="short", margin=700, leverage=7, isolated=True, fund="cross"))
    told.append(trader.add(market="BTC-USD", margin=100, leverage=3))
    told.append(trader.reduce(market="ETH-USD", fraction="0.25", isolated=True))
    told.append(trader.move_margin(150, source="cross", target="ETH-USD"))
    set_price(3_980 * 10**18)
    told.append(keeper.settle(owner=TRADER, market="ETH-USD", isolated=True))
    told.append(trader.preview_close(market="BTC-USD", return_margin="cross"))
    told.append(trader.close(market="BTC-USD", return_margin="cross"))
    told.append(trader.preview_withdraw(10))
    set_price(3_720 * 10**18)
    told.append(keeper.preview_liquidate(owner=TRADER, market="ETH-USD", isolated=True))
    told.append(keeper.liquidate(owner=TRADER, market="ETH-USD", isolated=True))
    told.append(trader.close(market="ETH-USD", isolated=False))
    told.append(trader.withdraw())
    told += [trader.reader.positions(TRADER), trader.reader.balance(TRADER), trader.reader.vault()]
    return told


def plain(told: Any) -> Any:
    """A result without what only a chain has."""
    receipts = {"receipt", "approval", "return_receipt"}
    if not hasattr(told, "__dataclass_fields__"):
        return told
    return {field.name: getattr(told, field.name) for field in fields(told) if field.name not in receipts}


def test_a_whole_story_is_the_same_on_model_and_chain(market: Market) -> None:
    """Every result of every action, to the last digit."""

    def prices_of(sandbox: Sandbox) -> Callable[[int], None]:
        return lambda price: push_price(sandbox, DEFAULT_MARKETS[ETH], price)

    addresses = {label: one.address for label, one in market.sandbox.deployed.items()}
    model = LocalBackend(timestamp=START, addresses=addresses)
    set_up(model)
    expected = story(Trader(model, TRADER), Trader(model, KEEPER), prices_of(model))
    trader = Trader(market.connect("trader"), TRADER)
    keeper = Trader(market.connect("keeper"), KEEPER)
    met = story(trader, keeper, prices_of(market.sandbox))
    for ours, theirs in zip(expected, met, strict=True):
        assert plain(ours) == plain(theirs)
    sent = [told for told in met if getattr(told, "receipt", None)]
    assert len(sent) == 12 and all(told.transaction and told.block and told.gas_used for told in sent)


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize(
    ("symbol", "leverage"), [("ETH-USD", 10), ("ETH-USD", "48.7"), ("BTC-USD", 75), ("SOL-USD", 1)]
)
def test_a_quote_comes_true_on_the_chain(market: Market, side: Side, symbol: str, leverage: Any) -> None:
    """Asked of nobody, met by a devnet to the last digit."""
    quoted = quote(symbol, side=side, margin=1_234, leverage=leverage)
    trader = Trader(market.connect("trader"), TRADER)
    met = trader.open(market=symbol, side=side, margin=1_234, leverage=leverage, isolated=True)
    assert plain(quoted.preview) == plain(met)


def test_exactly_the_limit_is_refused_as_quoted(market: Market) -> None:
    """With 50x the fee is missing from the initial margin; with more, nothing is asked at all."""
    with pytest.raises(BelowInitialMargin) as quoted:
        quote("ETH-USD", side="long", margin=1_000, leverage=50)
    trader = Trader(market.connect("trader"), TRADER)
    with pytest.raises(BelowInitialMargin) as met:
        trader.open(market="ETH-USD", side="long", margin=1_000, leverage=50, isolated=True)
    assert met.value == quoted.value
    with pytest.raises(LeverageTooHigh):
        trader.open(market="ETH-USD", side="long", margin=1_000, leverage=51, isolated=True)


def test_refusals_cost_nothing(market: Market) -> None:
    """They are known before anything is sent, from whichever action they come."""
    backend = market.connect("trader")
    trader = Trader(backend, TRADER)
    posts = posts_of(backend)
    with pytest.raises(PriceLimitCrossed):
        trader.open(market="ETH-USD", side="long", margin=100, leverage=2, isolated=True, acceptable_price=3_999)
    trader.open(market="ETH-USD", side="long", margin=100, leverage=2, isolated=True)
    sent = sum("eth_sendRawTransaction" in post for post in posts)
    with pytest.raises(NotLiquidatable):
        trader.liquidate(owner=TRADER, market="ETH-USD")
    assert sent == 1 == sum("eth_sendRawTransaction" in post for post in posts)


def test_a_snapshot_names_its_block(market: Market) -> None:
    """And is read in two posts."""
    backend = market.connect()
    reader = Reader(backend)
    snapshot = reader.snapshot(TRADER, KEEPER)
    assert (snapshot.block, snapshot.timestamp) == backend.head()
    assert len(snapshot.accounts) == 8
    posts = posts_of(backend)
    assert reader.snapshot(TRADER, KEEPER) == snapshot
    # The markets, the vault, and for each owner the accounts and the orders of each of the four.
    assert posts == [["eth_getBlockByNumber"], ["eth_call"] * (2 + 2 * (1 + 4))]


def test_opening_takes_few_requests(market: Market) -> None:
    """Two posts to look, four to send, one to tell; the first one also learns the markets and the token's digits."""
    backend = market.connect("trader")
    trader = Trader(backend, TRADER)
    trader.reader.markets()
    posts = posts_of(backend)
    trader.open(market="ETH-USD", side="long", margin=1_000, leverage=5, isolated=True)
    # A receipt is asked for as often as the node needs to mine it, which on a busy machine is more than once.
    assert len([post for post, _ in groupby(posts)]) == 7


def test_an_outage_is_recorded_with_the_gas_that_it_needs(market: Market) -> None:
    """The estimate brings the 3,000,000 that the contract wants to see, though it uses little of it."""
    keeper = market.connect("keeper")
    market.sandbox.set_time(market.sandbox.timestamp + 3_601)
    began = keeper.transact("clearinghouse", "record_outage", 0, sender=ROLES["keeper"])
    market.house.wait(GRACE_PERIOD)
    ended = keeper.transact("clearinghouse", "record_outage", 0, sender=ROLES["keeper"])

    recorded = [event for receipt in (began, ended) for event in receipt.events if isinstance(event, OutageRecorded)]
    assert [event.grace_until for event in recorded] == [OUTAGE, ended.timestamp + GRACE_PERIOD]
    assert all(receipt.gas_used is not None and receipt.gas_used < 200_000 for receipt in (began, ended))
