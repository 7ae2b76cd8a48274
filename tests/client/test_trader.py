"""Trading for people, on the model and on the bytecode: refusals first."""

from __future__ import annotations

import inspect
from decimal import Decimal
from typing import Any

import pytest
from roles import ETH, HOUR, House, acc, address, units

from perpkit.client import Reader, Side, Trader
from perpkit.client.errors import (
    AmbiguousPosition,
    AmountsConflict,
    AmountsMissing,
    BadAddress,
    BadChoice,
    ClientError,
    LargerThanPosition,
    LeverageTooHigh,
    NoOpenPosition,
    NoSuchMarket,
    NothingToMove,
    NotPositive,
    PositionExists,
    PreviewUnavailable,
    TooPrecise,
)
from perpkit.model.errors import (
    BelowInitialMargin,
    BelowMinNotional,
    ERC20InsufficientBalance,
    InsufficientCollateral,
    NotLiquidatable,
    PriceLimitCrossed,
    StalePrice,
)
from perpkit.model.events import Deposited, Traded

TRADER = address("trader")
D = Decimal


def opened(trader: Trader, **changes: Any) -> Any:
    """An isolated long in ETH of 1,000 dollars at 10x, but for what is changed."""
    usual: dict[str, Any] = {"market": "ETH-USD", "side": "long", "margin": 1_000, "leverage": 10, "isolated": True}
    return trader.open(**{**usual, **changes})


# WHAT A CLIENT REFUSES ITSELF


@pytest.mark.parametrize(
    ("changes", "refusal", "sentence"),
    [
        ({"market": "DOGE-USD"}, NoSuchMarket, "the markets are: ETH-USD, BTC-USD, SOL-USD"),
        ({"side": "up"}, BadChoice, "side is 'up'; it must be one of: long, short"),
        ({"margin": 0}, NotPositive, "margin is 0"),
        ({"margin": -5}, NotPositive, "margin is -5"),
        ({"leverage": 0}, NotPositive, "leverage is 0"),
        ({"margin": "0.0000001"}, TooPrecise, "keeps 6 digits"),
        ({"margin": 1_000.0}, TypeError, "margin is the float"),
        ({"leverage": 10.0}, TypeError, "leverage is the float"),
        ({"slippage": 0.01}, TypeError, "slippage is the float"),
        ({"slippage": 2}, BadChoice, "between 0 and 1"),
        ({"acceptable_price": 4000.5}, TypeError, "acceptable_price is the float"),
        ({"leverage": "50.000000000000000001"}, LeverageTooHigh, "the limit is 50x"),
        ({"leverage": None, "size": "12.6"}, LeverageTooHigh, "50.4x"),
        ({"leverage": None}, AmountsMissing, "two of margin, size and leverage"),
        ({"margin": None}, AmountsMissing, "two of margin, size and leverage"),
        ({"margin": None, "leverage": None, "size": 1}, AmountsMissing, "two of margin, size and leverage"),
        ({"size": 1}, AmountsConflict, "leave one out"),
        ({"fund": "bank"}, BadChoice, "wallet, cross, none"),
        ({"fund": "cross", "isolated": False}, BadChoice, "wallet, none"),
    ],
)
def test_senseless_orders_are_refused_before_anything_is_sent(
    trader: Trader, changes: dict[str, Any], refusal: type[Exception], sentence: str
) -> None:
    """With a sentence that names the value, and the same from the preview."""
    with pytest.raises(refusal, match=sentence):
        opened(trader, **changes)
    usual: dict[str, Any] = {"market": "ETH-USD", "side": "long", "margin": 1_000, "leverage": 10, "isolated": True}
    with pytest.raises(refusal, match=sentence):
        trader.preview_open(**{**usual, **changes})
    assert trader.reader.positions(TRADER) == ()


def test_a_trader_needs_an_address(house: House) -> None:
    """Of 40 digits."""
    with pytest.raises(BadAddress):
        Trader(house.sandbox, "trader")


def test_a_position_is_opened_once(trader: Trader) -> None:
    """To make it larger there is `add`."""
    opened(trader)
    with pytest.raises(PositionExists, match=r"already a long isolated position.*use add"):
        opened(trader, side="short")


@pytest.mark.parametrize("action", ["close", "settle", "preview_close"])
def test_what_is_not_there_cannot_be_closed(trader: Trader, action: str) -> None:
    """Nor settled, and neither in the other kind of margin."""
    with pytest.raises(NoOpenPosition):
        getattr(trader, action)(market="ETH-USD")
    opened(trader)
    with pytest.raises(NoOpenPosition, match="no cross position"):
        getattr(trader, action)(market="ETH-USD", isolated=False)


def test_two_positions_in_one_market_must_be_told_apart(trader: Trader) -> None:
    """Nobody guesses which one is meant."""
    trader.deposit(1_000)
    opened(trader)
    trader.open(market="ETH-USD", side="short", size="0.5")
    with pytest.raises(AmbiguousPosition, match="isolated=True or isolated=False"):
        trader.close(market="ETH-USD")
    assert trader.close(market="ETH-USD", isolated=False).side is Side.SHORT


@pytest.mark.parametrize(
    ("amounts", "refusal"),
    [
        ({}, AmountsMissing),
        ({"size": 1, "fraction": "0.5"}, AmountsConflict),
        ({"size": 3}, LargerThanPosition),
        ({"size": 0}, NotPositive),
        ({"fraction": "1.5"}, BadChoice),
        ({"fraction": -1}, NotPositive),
        ({"fraction": 0.5}, TypeError),
        ({"fraction": "0.0000000000000000000001"}, AmountsMissing),
    ],
)
def test_senseless_reductions_are_refused(trader: Trader, amounts: dict[str, Any], refusal: type[Exception]) -> None:
    """The position is 2.5 ETH."""
    opened(trader)
    with pytest.raises(refusal):
        trader.reduce(market="ETH-USD", **amounts)


def test_the_money_of_a_cross_position_is_not_returned(trader: Trader) -> None:
    """It may back other positions; `withdraw` is the word for it."""
    trader.deposit(1_000)
    trader.open(market="ETH-USD", side="long", size=1)
    with pytest.raises(AmountsConflict, match="use withdraw"):
        trader.close(market="ETH-USD", return_margin="wallet")
    with pytest.raises(BadChoice):
        trader.close(market="ETH-USD", return_margin="bank")


def test_there_is_nothing_to_withdraw_from_an_empty_account(trader: Trader) -> None:
    """All of nothing is refused by name."""
    with pytest.raises(NothingToMove, match="cross account"):
        trader.withdraw()
    with pytest.raises(NoSuchMarket):
        trader.withdraw(1, source="crosss")
    with pytest.raises(BadChoice):
        trader.withdraw(1, source=None)  # type: ignore[arg-type]


def test_a_backend_that_cannot_try_out_says_so(house: House) -> None:
    """And still opens: the preview is only lost where it would have taken several steps."""

    class Plain:
        """The seam and nothing more."""

        name = "plain"

        def __init__(self) -> None:
            inner = house.sandbox
            self.deployed, self.action = inner.deployed, inner.action
            self.call, self.transact, self.timestamp = inner.call, inner.transact, inner.timestamp
            self.events_since = inner.events_since

    plain = Trader(Plain(), TRADER)
    with pytest.raises(PreviewUnavailable, match="'plain' cannot try out"):
        plain.preview_open(market="ETH-USD", side="long", margin=1_000, leverage=10, isolated=True)
    plain.backend.transact("token", "approve", house.at("clearinghouse"), 0, sender=TRADER)
    assert opened(plain).approval is not None


# WHAT THE CONTRACT REFUSES


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"leverage": 50}, BelowInitialMargin),
        ({"margin": 5}, BelowMinNotional),
        ({"acceptable_price": 4_000}, PriceLimitCrossed),
        ({"margin": 2_000_000, "leverage": 1}, ERC20InsufficientBalance),
        ({"fund": "cross"}, InsufficientCollateral),
        ({"fund": "none"}, BelowInitialMargin),
    ],
)
def test_the_contracts_refusals_are_the_same_in_preview_and_trade(
    trader: Trader, changes: dict[str, Any], refusal: type[Exception]
) -> None:
    """The very same error, values and all."""
    usual: dict[str, Any] = {"market": "ETH-USD", "side": "long", "margin": 1_000, "leverage": 10, "isolated": True}
    with pytest.raises(refusal) as foreseen:
        trader.preview_open(**{**usual, **changes})
    with pytest.raises(refusal) as met:
        opened(trader, **changes)
    assert foreseen.value == met.value


def test_a_doomed_trade_approves_nothing(house: House, trader: Trader, reader: Reader) -> None:
    """The approval would be the only thing that remains of it."""
    house.do("approve", house.at("clearinghouse"), 0, by="trader", label="token")
    with pytest.raises(BelowInitialMargin):
        opened(trader, leverage=50)
    assert reader.allowance(TRADER) == 0


def test_nothing_is_traded_without_a_price(house: House, trader: Trader) -> None:
    """The oracle's own error, before anything is sent."""
    house.wait(2 * HOUR, refresh=False)
    with pytest.raises(StalePrice):
        opened(trader)


def test_a_healthy_position_is_not_liquidated(house: House, trader: Trader) -> None:
    """Neither in preview nor in earnest."""
    opened(trader)
    keeper = Trader(house.sandbox, address("keeper"))
    with pytest.raises(NotLiquidatable):
        keeper.preview_liquidate(owner=TRADER, market="ETH-USD")
    with pytest.raises(NotLiquidatable):
        keeper.liquidate(owner=TRADER, market="ETH-USD")


# OPENING


def test_margin_and_leverage_determine_the_size(trader: Trader) -> None:
    """`size = margin * leverage / mark`, and the margin comes from the wallet in the same transaction."""
    result = opened(trader)
    assert (result.side, result.size, result.margin) == (Side.LONG, D("2.5"), D(1_000))
    assert result.fill_price == D("4000.005") and result.fee == D("5.000007")
    assert result.collateral == D("994.999993") and result.equity == D("994.987493")
    assert result.approval is None and result.isolated
    assert [type(event) for event in result.receipt.events if isinstance(event, (Deposited, Traded))] == [
        Deposited,
        Traded,
    ]


def test_size_and_leverage_determine_the_margin(trader: Trader) -> None:
    """Rounded up."""
    assert opened(trader, margin=None, size="2.5", leverage=3).margin == D("3333.333334")


def test_margin_and_size_determine_the_leverage(trader: Trader) -> None:
    """It shows in the result, a little higher since the fee came off the margin."""
    result = opened(trader, leverage=None, size="2.5")
    assert result.leverage is not None and D(10) < result.leverage < D("10.1")


def test_a_preview_is_what_happens(trader: Trader, reader: Reader) -> None:
    """Field by field, and it leaves no trace."""
    order: dict[str, Any] = {"market": "ETH-USD", "side": Side.SHORT, "margin": 700, "leverage": 7, "isolated": True}
    before = reader.snapshot(TRADER)
    preview = trader.preview_open(**order)
    assert reader.snapshot(TRADER) == before
    result = trader.open(**order)
    assert all(getattr(result, name) == getattr(preview, name) for name in preview.__dataclass_fields__)


def test_open_and_its_preview_take_the_same_arguments() -> None:
    """And so do the others."""
    for name in ("open", "add", "reduce", "close", "liquidate"):
        action, preview = getattr(Trader, name), getattr(Trader, f"preview_{name}")
        assert inspect.signature(action).parameters == inspect.signature(preview).parameters, name


def test_a_wallet_approves_what_is_needed_and_no_more(house: House, trader: Trader, reader: Reader) -> None:
    """Exactly the margin, and the preview works without the approval."""
    house.do("approve", house.at("clearinghouse"), 0, by="trader", label="token")
    order: dict[str, Any] = {"market": "ETH-USD", "side": "long", "margin": 1_000, "leverage": 10, "isolated": True}
    assert trader.preview_open(**order).margin == D(1_000)
    assert reader.allowance(TRADER) == 0
    assert trader.open(**order).approval is not None
    assert reader.allowance(TRADER) == 0
    assert trader.deposit(5).approval is not None


def test_an_isolated_position_can_be_funded_from_the_cross_account(trader: Trader, reader: Reader) -> None:
    """By a transfer in the same transaction."""
    trader.deposit(1_500)
    assert opened(trader, fund="cross").collateral == D("994.999993")
    assert reader.account(TRADER).collateral == D(500)
    assert reader.balance(TRADER) == D(998_500)


def test_a_cross_position_draws_on_what_the_account_holds(trader: Trader, reader: Reader) -> None:
    """Its size alone will do, and no money moves unless `fund` says so."""
    trader.deposit(1_000)
    result = trader.open(market="ETH-USD", side="long", size=1)
    assert result.margin == 0 and not result.isolated
    other = trader.open(market="BTC-USD", side="short", margin=500, leverage=4, fund="wallet")
    assert (other.margin, other.size) == (D(500), D("0.02"))
    assert reader.balance(TRADER) == D(998_500)


def test_an_acceptable_price_bounds_the_fill(trader: Trader) -> None:
    """Named by itself, or as slippage from the mark price."""
    with pytest.raises(PriceLimitCrossed):
        opened(trader, slippage="0.000001")
    with pytest.raises(PriceLimitCrossed):
        opened(trader, side="short", acceptable_price="4000.01")
    assert opened(trader, acceptable_price="4000.005").fill_price == D("4000.005")


# CHANGING AND CLOSING


def test_adding_makes_a_position_larger(trader: Trader) -> None:
    """On its own side, with margin or without."""
    opened(trader, side="short")
    assert trader.preview_add(market="ETH-USD", size="0.5").size == D("0.5")
    bare = trader.add(market="ETH-USD", size="0.5")
    assert bare.margin == 0 and bare.position is not None and bare.position.size == D(3)
    more = trader.add(market="ETH-USD", margin=400, leverage=10)
    assert more.margin == D(400) and more.position is not None and more.position.size == D(4)
    assert more.side is Side.SHORT
    with pytest.raises(LeverageTooHigh):
        trader.add(market="ETH-USD", margin=400, leverage=51)


@pytest.mark.parametrize("amount", [{"size": "1"}, {"fraction": "0.4"}])
def test_reducing_makes_it_smaller(trader: Trader, amount: dict[str, Any]) -> None:
    """By a size or a fraction, as the preview says."""
    opened(trader)
    preview = trader.preview_reduce(market="ETH-USD", **amount)
    result = trader.reduce(market="ETH-USD", **amount)
    assert result.size == D(1) and result.position is not None and result.position.size == D("1.5")
    assert all(getattr(result, name) == getattr(preview, name) for name in preview.__dataclass_fields__)


def test_closing_ends_a_position_and_tells_what_it_made(house: House, trader: Trader) -> None:
    """The money stays where it is unless it is called back."""
    opened(trader)
    house.set_price(ETH, 4_400)
    result = trader.close(market="ETH-USD")
    assert (result.position, result.liquidation_price, result.leverage, result.side) == (None, None, None, Side.LONG)
    assert result.realized_pnl == D("1000.00125") and result.returned == 0
    assert house.collateral(f"trader/{ETH + 1}") == result.raw.realized - result.raw.fee + 994_999_993


@pytest.mark.parametrize("target", ["cross", "wallet"])
def test_closing_brings_the_margin_back(trader: Trader, reader: Reader, target: str) -> None:
    """To the cross account or to the wallet, to the last quantum."""
    opened(trader)
    preview = trader.preview_close(market="ETH-USD", return_margin=target)
    result = trader.close(market="ETH-USD", return_margin=target)
    assert result.returned == preview.returned > D(980)
    assert reader.account(TRADER, ETH + 1).collateral == 0
    there = reader.account(TRADER).collateral if target == "cross" else reader.balance(TRADER) - D(999_000)
    assert there == result.returned


def test_margin_moves_between_accounts(trader: Trader, reader: Reader) -> None:
    """Named by "cross", a market or a number."""
    trader.deposit(1_000)
    assert trader.move_margin(300, source="cross", target="BTC-USD").account.collateral == D(700)
    assert trader.move_margin(source="BTC-USD", target=7).amount == D(300)
    assert trader.withdraw(source=7).amount == D(300)
    assert trader.preview_withdraw(100).collateral == D(600)
    assert trader.withdraw(100, to=address("outsider")).account.collateral == D(600)
    assert reader.balance(address("outsider")) == D(1_000_100)


def test_settling_turns_profit_into_money(house: House, trader: Trader) -> None:
    """For anybody's position."""
    opened(trader)
    house.set_price(ETH, 4_100)
    keeper = Trader(house.sandbox, address("keeper"))
    result = keeper.settle(owner=TRADER, market="ETH-USD")
    assert result.realized_pnl == D("249.987500") and result.account.collateral == D("1244.987493")


def test_a_liquidation_is_as_previewed_and_pays_the_keeper(house: House, trader: Trader, reader: Reader) -> None:
    """At the first price past the liquidation price, and not before."""
    opened(trader)
    house.set_price(ETH, 3_600)
    keeper = Trader(house.sandbox, address("keeper"))
    preview = keeper.preview_liquidate(owner=TRADER, market="ETH-USD")
    result = keeper.liquidate(owner=TRADER, market="ETH-USD")
    assert all(getattr(result, name) == getattr(preview, name) for name in preview.__dataclass_fields__)
    assert result.reward > 0 and reader.account(address("keeper")).collateral == result.reward


def test_every_client_error_is_a_value_error() -> None:
    """So that nobody needs to import it."""
    assert issubclass(ClientError, ValueError)


def test_the_account_is_the_one_that_the_page_on_units_names(trader: Trader) -> None:
    """Cross is number 0, isolated in market m number m + 1."""
    assert opened(trader, market="SOL-USD").account.id == acc("trader/3")
    assert units(1) == 10**18
