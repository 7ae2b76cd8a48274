"""Orders for people, on the model and on the bytecode: refusals first."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from roles import ETH, HOUR, House, acc, address, dollars, units

from perpkit.client import Kind, OrderState, Reader, Side, Trader, quote
from perpkit.client.errors import (
    AmountsConflict,
    AmountsMissing,
    BadChoice,
    ClientError,
    ExpiryPast,
    ForeignOrder,
    LeverageTooHigh,
    NoOpenPosition,
    NoOrders,
    NotANumber,
    NothingToCancel,
    NotPositive,
    OrdersNotApproved,
    PositionExists,
    SharesTooLarge,
    SigningUnavailable,
    WrongTrigger,
)
from perpkit.local import LocalBackend
from perpkit.market_setup import DEFAULT_MARKETS, MIN_EXECUTION_FEE, MarketSpec
from perpkit.model.errors import (
    BelowInitialMargin,
    ERC20InsufficientBalance,
    InvalidExecutionFee,
    NonceAlreadyUsed,
    NotAuthorized,
    NothingToClaim,
    NothingToRatchet,
    OnlyOrders,
    OrderAlreadyCancelled,
    OrderAlreadyExecuted,
    OrderTooEarly,
    PriceOutOfRange,
    StaleEpoch,
    StalePrice,
    TooManyOrders,
    TriggerNotMet,
    UnknownOrder,
)
from perpkit.model.types import RiskTier

TRADER, KEEPER = address("trader"), address("keeper")
D = Decimal
FEE = D("0.0001")


@pytest.fixture
def keeper(house: House) -> Trader:
    return Trader(house.sandbox, KEEPER)


@pytest.fixture
def long(trader: Trader) -> Trader:
    """A trader who is long 2.5 ETH at 4,000, with an isolated margin of 1,000 dollars."""
    trader.open(market="ETH-USD", side="long", margin=1_000, leverage=10, isolated=True)
    return trader


def bracketed(trader: Trader, **changes: Any) -> Any:
    """An isolated long in ETH of 1,000 dollars at 10x with a stop at 3,900 and a take-profit at 4,400, but for what is
    changed."""
    usual: dict[str, Any] = {"market": "ETH-USD", "side": "long", "margin": 1_000, "leverage": 10, "isolated": True}
    return trader.bracket(**{**usual, "stop": 3_900, "take_profit": 4_400, **changes})


# WHAT A CLIENT REFUSES ITSELF


@pytest.mark.parametrize(
    ("order", "refusal", "sentence"),
    [
        ({"kind": "iceberg"}, BadChoice, "market, limit, stop, take-profit, trailing-stop"),
        ({"kind": "stop"}, AmountsMissing, "the price of the stop order"),
        ({"kind": "stop", "price": 0}, NotPositive, "price is 0"),
        ({"kind": "stop", "price": "much"}, NotANumber, "price is 'much'"),
        ({"kind": "stop", "price": 3_900.0}, TypeError, "price is the float"),
        ({"kind": "stop", "price": 10**9}, PriceOutOfRange, "1,000,000,000"),
        (
            {"kind": "stop", "price": 4_100},
            WrongTrigger,
            "stop of a long is 4100, but must be below the mark price",
        ),
        ({"kind": "stop", "price": 4_000}, WrongTrigger, "a take-profit waits on the other side"),
        ({"kind": "take_profit", "price": 3_900}, WrongTrigger, "take-profit of a long is 3900, but must be above"),
        ({"kind": "stop", "price": 3_900, "side": "long", "size": 1}, WrongTrigger, "that opens a long is 3900"),
        ({"kind": "market", "price": 3_900}, AmountsConflict, "a market order and a price"),
        ({"kind": "trailing-stop", "price": 3_900}, AmountsConflict, "follows the mark price"),
        ({"kind": "trailing-stop"}, AmountsMissing, "trail in dollars, or trail_ratio"),
        ({"kind": "trailing-stop", "trail": 0}, NotPositive, "trail is 0"),
        ({"kind": "trailing-stop", "trail": 4_000}, WrongTrigger, "trail is 4000, but must be below the mark price"),
        ({"kind": "trailing-stop", "trail_ratio": 1}, BadChoice, "between 0 and 1"),
        ({"kind": "trailing-stop", "trail": 5, "trail_ratio": "0.1"}, AmountsConflict, "trail and trail_ratio"),
        ({"kind": "trailing-stop", "trail": 5, "slippage": "0.1"}, AmountsConflict, "its trigger moves"),
        ({"kind": "stop", "price": 3_900, "trail": 5}, AmountsConflict, "only a trailing-stop follows"),
        ({"kind": "limit", "price": 4_100, "acceptable_price": 4_000}, AmountsConflict, "bounds the fill already"),
        ({"kind": "market", "slippage": 1}, BadChoice, "between 0 and 1"),
        ({"kind": "market", "expiry": 1}, ExpiryPast, "expiry is 1, which is past"),
        ({"kind": "market", "expiry": timedelta(seconds=-1)}, ExpiryPast, "which is past"),
        ({"kind": "market", "expiry": 1 << 40}, BadChoice, "a second before"),
        ({"kind": "market", "expiry": 1.5}, TypeError, "a timedelta"),
        ({"kind": "market", "margin": 100}, AmountsConflict, "say long or short to open"),
        ({"kind": "market", "fund": "wallet"}, AmountsConflict, "say long or short to open"),
        ({"kind": "market", "side": "long", "fraction": 1}, AmountsConflict, "leave the side out"),
        ({"kind": "market", "side": "up", "size": 1}, BadChoice, "long, short"),
        ({"kind": "market", "side": "long"}, AmountsMissing, "two of margin, size and leverage"),
        ({"kind": "market", "size": 1, "fraction": 1}, AmountsConflict, "give one of them"),
        ({"kind": "market", "execution_fee": 0}, NotPositive, "execution_fee is 0"),
        ({"kind": "market", "isolated": False}, NoOpenPosition, "no cross position in ETH-USD"),
    ],
)
def test_senseless_orders_are_refused_before_anything_is_sent(
    long: Trader, order: dict[str, Any], refusal: type[Exception], sentence: str
) -> None:
    """With a sentence that names the value and what was expected; nothing is approved for them either."""
    with pytest.raises(refusal, match=sentence):
        long.place(market="ETH-USD", **order)
    assert long.reader.orders(TRADER) == ()
    assert long.approve_orders() is not None


@pytest.mark.parametrize(
    ("changes", "refusal", "sentence"),
    [
        ({"stop": None, "take_profit": None}, AmountsMissing, "an exit or more"),
        ({"stop": 4_100}, WrongTrigger, "must be below the mark price of 4000"),
        ({"stop": 3_900, "limit": 3_800}, WrongTrigger, "must be below the limit of 3800"),
        ({"side": "short"}, WrongTrigger, "stop of a short is 3900, but must be above"),
        ({"expiry": timedelta(hours=1)}, AmountsConflict, "fills at once"),
        ({"leverage": 51}, LeverageTooHigh, "the limit is 50x"),
        ({"margin": 2_000_000}, ERC20InsufficientBalance, "less than"),
        ({"leverage": 50}, BelowInitialMargin, "initial margin"),
    ],
)
def test_a_senseless_bracket_moves_nothing(
    trader: Trader, changes: dict[str, Any], refusal: type[Exception], sentence: str
) -> None:
    """Neither margin nor approval, also when only the ledger knows that it makes no sense."""
    with pytest.raises(refusal, match=sentence):
        bracketed(trader, **changes)
    assert trader.reader.balance(TRADER) == 1_000_000
    assert trader.approve_orders() is not None


@pytest.mark.parametrize(
    ("rungs", "refusal", "sentence"),
    [
        ([], AmountsMissing, "one rung or more"),
        ([(4_200, "0.5"), (4_400, "0.51")], SharesTooLarge, "come to 101 %"),
        ([(4_200, 0)], NotPositive, "share is 0"),
        ([(4_200, "1e-20")], AmountsMissing, "closes nothing"),
        ([(3_900, 1)], WrongTrigger, "must be above the mark price of 4000"),
        ([(4_000 + i, "0.05") for i in range(1, 18)], TooManyOrders, "16 open orders"),
    ],
)
def test_a_senseless_ladder_is_refused(long: Trader, rungs: list[Any], refusal: type[Exception], sentence: str) -> None:
    """As a whole."""
    with pytest.raises(refusal, match=sentence):
        long.ladder(market="ETH-USD", rungs=rungs)
    assert long.reader.orders(TRADER) == ()


def test_what_closes_needs_a_position(trader: Trader) -> None:
    """There is nothing to stop."""
    with pytest.raises(NoOpenPosition, match="has no position in ETH-USD"):
        trader.place_stop(market="ETH-USD", price=3_900)


def test_a_bracket_opens_once(long: Trader) -> None:
    """Exits of a position that is there are placed by themselves."""
    with pytest.raises(PositionExists):
        bracketed(long)


def test_a_fee_below_the_least_is_refused(long: Trader) -> None:
    """By the contract, with the least."""
    with pytest.raises(InvalidExecutionFee, match="100000000000000 wei or more"):
        long.place_stop(market="ETH-USD", price=3_900, execution_fee="0.00001")


def test_on_a_foreign_chain_nobody_approves_by_the_way(long: Trader, monkeypatch: pytest.MonkeyPatch) -> None:
    """There the owner says so first."""
    monkeypatch.setattr(type(long.backend), "chain_id", 10, raising=False)
    with pytest.raises(OrdersNotApproved, match=r"approve_orders\(\)"):
        long.place_stop(market="ETH-USD", price=3_900)
    assert long.approve_orders() is not None and long.approve_orders() is None
    assert len(long.place_stop(market="ETH-USD", price=3_900).orders) == 1


def test_what_is_closed_is_no_open_order(long: Trader) -> None:
    """Whichever way it was closed; the errors are the contract's."""
    first = long.place_stop(market="ETH-USD", price=3_900).orders[0].id
    second = long.place_market(market="ETH-USD").orders[0].id
    long.execute(second)
    long.cancel(first)
    for id, refusal in ((first, OrderAlreadyCancelled), (second, OrderAlreadyExecuted), (7_000, UnknownOrder)):
        for act in (long.reader.order, long.execute, long.preview_execute, long.cancel, long.ratchet):
            with pytest.raises(refusal):
                act(id)
    with pytest.raises(AmountsMissing):
        long.cancel()
    with pytest.raises(NothingToCancel, match="has no open order"):
        long.cancel_all()
    with pytest.raises(NothingToClaim):
        long.claim()


def test_only_owners_cancel_what_lives(long: Trader, keeper: Trader) -> None:
    """A keeper may execute, not cancel."""
    [order] = long.place_stop(market="ETH-USD", price=3_900).orders
    with pytest.raises(NotAuthorized):
        keeper.cancel(order.id)
    with pytest.raises(TriggerNotMet):
        keeper.execute(order.id)


def test_a_market_without_the_contract_says_so(long: Trader) -> None:
    """Such as one of an old manifest."""

    class Old:
        name, deployed = "old", {"token": long.backend.deployed["token"]}

    with pytest.raises(NoOrders, match="no orders contract"):
        Reader(Old()).orders_label()  # type: ignore[arg-type]


# EXITS


def test_a_stop_closes_the_position(house: House, long: Trader, keeper: Trader) -> None:
    """All of it, at any price; whoever executes has the fee, and the position shows what waits for it."""
    placed = long.place_stop(market="ETH-USD", price=3_900)
    [order] = placed.orders
    assert (order.kind, order.side, order.size, order.reduce_only) == (Kind.STOP, Side.LONG, D("2.5"), True)
    assert (order.trigger, order.acceptable_price, order.isolated) == (D(3_900), None, True)
    assert (order.state, order.fee, placed.execution_fee) == (OrderState.WAITING_FOR_PRICE, FEE, FEE)
    assert placed.operator_approval is not None
    [position] = long.reader.positions(TRADER)
    assert position.exits == (order,)
    house.set_price(ETH, 3_890)
    assert long.reader.order(order.id).state is OrderState.EXECUTABLE
    preview = keeper.preview_execute(order.id)
    before = house.sandbox.ether_of(KEEPER)
    done = keeper.execute(order.id)
    assert house.sandbox.ether_of(KEEPER) == before + MIN_EXECUTION_FEE
    # 2.5 * (3,890 * (1 + 1.25 / 1,000,000) - 4,000.005)
    assert (done.size, done.fill_price, done.realized_pnl) == (D("2.5"), D("3890.0048625"), D("-275.000344"))
    assert done.position is None and done.execution_fee == FEE
    assert (preview.fill_price, preview.account) == (done.fill_price, done.account)


@pytest.mark.parametrize(("part", "left"), [({"fraction": "0.4"}, D("1.5")), ({"size": 2}, D("0.5"))])
def test_an_exit_of_a_part_leaves_the_rest(house: House, long: Trader, part: dict[str, Any], left: Decimal) -> None:
    """2.5 less 40 %, and 2.5 less 2."""
    [order] = long.place_take_profit(market="ETH-USD", price=4_100, **part).orders
    house.set_price(ETH, 4_100)
    after = long.execute(order.id).position
    assert after is not None and after.size == left


def test_an_exit_never_turns_a_position(long: Trader) -> None:
    """One that is larger than what is left closes that."""
    [order] = long.place_market(market="ETH-USD", size=2).orders
    long.reduce(market="ETH-USD", size=1)
    done = long.execute(order.id)
    assert (done.size, done.position) == (D("1.5"), None)


def test_an_exit_dies_with_its_position(long: Trader, keeper: Trader) -> None:
    """It does not wait for the next one, and anybody may clear it away; the fee goes back."""
    [order] = long.place_stop(market="ETH-USD", price=3_900).orders
    long.close(market="ETH-USD")
    long.open(market="ETH-USD", side="long", margin=1_000, leverage=10, isolated=True)
    dead = long.reader.order(order.id)
    assert (dead.state, dead.reason) == (OrderState.DEAD, "its position is gone")
    assert long.reader.positions(TRADER)[0].exits == ()
    assert keeper.cancel(order.id).cancelled == (order.id,)


def test_an_order_dies_of_age(house: House, long: Trader) -> None:
    """A last second, or how long it lives."""
    [order] = long.place_stop(market="ETH-USD", price=3_900, expiry=timedelta(seconds=60)).orders
    assert order.expiry == house.sandbox.timestamp + 60
    house.wait(61)
    found = long.reader.order(order.id)
    assert (found.state, found.reason) == (OrderState.DEAD, f"expired at {order.expiry}")


def test_a_trailing_stop_follows(house: House, long: Trader, keeper: Trader) -> None:
    """2 % below 4,000 are 3,920, and below 4,500 they are 4,410; it never goes back."""
    [order] = long.place_trailing_stop(market="ETH-USD", trail_ratio="0.02").orders
    assert (order.trigger, order.trail, order.trail_ratio) == (D(3_920), None, D("0.02"))
    house.set_price(ETH, 4_500)
    moved = keeper.ratchet(order.id)
    assert (moved.mark_price, moved.trigger) == (D(4_500), D(4_410))
    house.set_price(ETH, 4_450)
    with pytest.raises(NothingToRatchet):
        keeper.ratchet(order.id)
    house.set_price(ETH, 4_400)
    assert keeper.execute(order.id).position is None


def test_a_ladder_scales_out(house: House, long: Trader) -> None:
    """Thirds of 2.5 are rounded down, and the last rung takes the rest: nothing is left of the position."""
    shares = [D("0.333333333333333333"), D("0.333333333333333333"), D("0.333333333333333334")]
    placed = long.ladder(market="ETH-USD", rungs=list(zip([4_100, 4_200, 4_300], shares, strict=True)))
    assert [order.trigger for order in placed.orders] == [4_100, 4_200, 4_300]
    assert sum(order.size for order in placed.orders) == D("2.5")
    assert placed.execution_fee == 3 * FEE and not placed.orders[0].cancels
    house.set_price(ETH, 4_300)
    assert [long.execute(order.id).position is None for order in placed.orders] == [False, False, True]


# BRACKETS


def test_a_bracket_opens_with_its_exits(house: House, trader: Trader, keeper: Trader) -> None:
    """One transaction opens and places both; the one that is executed cancels the other."""
    done = bracketed(trader)
    assert done.opened.size == D("2.5") and done.opened.fill_price == D("4000.005")
    stop, profit = done.orders
    assert (stop.relation, profit.relation) == (f"cancels {profit.id}", f"cancels {stop.id}")
    assert done.opened.position.exits == (stop, profit)
    assert trader.reader.balance(TRADER) == 999_000
    house.set_price(ETH, 4_400)
    taken = keeper.execute(profit.id)
    assert (taken.cancelled, taken.position) == ((stop.id,), None)
    assert trader.reader.orders(TRADER) == ()


def test_an_entry_waits_with_its_exits(house: House, trader: Trader, keeper: Trader) -> None:
    """The exits wait for the entry, and are cancelled with it."""
    done = bracketed(trader, limit=3_800, stop=3_700, take_profit=None, expiry=timedelta(hours=1))
    assert done.opened is None
    entry, stop = done.orders
    # 1,000 * 10 / 3,800, rounded down.
    assert (entry.kind, entry.trigger, entry.size) == (Kind.LIMIT, D(3_800), D("2.631578947368421052"))
    assert (stop.relation, stop.state) == (f"exit of {entry.id}", OrderState.WAITING_FOR_ENTRY)
    assert (entry.expiry, stop.expiry) == (house.sandbox.timestamp + HOUR, None)
    house.set_price(ETH, 3_790)
    opened = keeper.execute(entry.id)
    assert opened.position is not None and [order.id for order in opened.position.exits] == [stop.id]
    assert trader.cancel(stop.id).returned == FEE


def test_exits_die_with_their_entry(house: House, trader: Trader) -> None:
    """Cancelled with it, and dead as soon as it is."""
    done = bracketed(trader, limit=3_800, stop=3_700, expiry=timedelta(hours=1))
    ids = [order.id for order in done.orders]
    house.wait(HOUR + 1)
    entry, stop, _ = trader.reader.orders(TRADER)
    assert entry.reason == f"expired at {entry.expiry}"
    assert (stop.state, stop.reason) == (OrderState.DEAD, f"its entry {ids[0]} is dead")
    assert sorted(trader.cancel(ids[0]).cancelled) == ids


def test_a_bracket_may_trail(trader: Trader) -> None:
    """With a stop that is fixed, one that follows, and a profit: three that cancel each other."""
    done = bracketed(trader, trail=200)
    assert [order.kind for order in done.orders] == [Kind.STOP, Kind.TAKE_PROFIT, Kind.TRAILING_STOP]
    assert done.orders[2].trigger == D(3_800) and len(done.orders[0].cancels) == 2


# ENTRIES AND MARKETS WITH A DELAY


def test_a_limit_opens_in_cross_margin(house: House, trader: Trader) -> None:
    """What the account holds backs it when it fills; a limit that is reached already is a market order with a bound."""
    trader.deposit(5_000)
    [low] = trader.place_limit(market="ETH-USD", side="long", size=1, price=3_900).orders
    [now] = trader.place_limit(market="ETH-USD", side="short", margin=1_000, leverage=2, price=3_950).orders
    # 1,000 * 2 / 3,950, rounded down.
    assert now.size == D("0.506329113924050632") and now.state is OrderState.EXECUTABLE
    assert low.state is OrderState.WAITING_FOR_PRICE and not low.isolated and low.side is Side.LONG
    done = trader.execute(now.id)
    assert done.position is not None and done.position.side is Side.SHORT


def test_a_stop_may_open(house: House, trader: Trader) -> None:
    """A breakout: above the mark price for a long, with a bound of 1 % above its price."""
    trader.deposit(5_000)
    [order] = trader.place_stop(market="ETH-USD", side="long", size=1, price=4_100, slippage="0.01").orders
    assert (order.acceptable_price, order.reduce_only) == (D(4_141), False)
    house.set_price(ETH, 4_120)
    assert trader.execute(order.id).fill_price == D("4120.00206")


def test_a_market_with_a_delay_takes_only_orders(house: House, trader: Trader, keeper: Trader) -> None:
    """Directly nothing trades, not even as a preview; an order fills at a price that is a minute newer."""
    house.set_params(ETH, min_delay=60)
    assert trader.reader.market("ETH-USD").min_delay == 60
    wish: dict[str, Any] = {"market": "ETH-USD", "side": "long", "margin": 1_000, "leverage": 10, "isolated": True}
    for act in (trader.open, trader.preview_open):
        with pytest.raises(OnlyOrders, match="wait 60 s for a newer price; place an order"):
            act(**wish)
    assert trader.reader.balance(TRADER) == 1_000_000
    placed = trader.place_market(**wish)
    [order] = placed.orders
    assert placed.margin_receipt is not None and order.state is OrderState.TRIGGERED
    assert order.not_before == order.placed_at + 60
    with pytest.raises(OrderTooEarly):
        keeper.execute(order.id)
    house.wait(60)
    done = keeper.execute(order.id)
    assert done.position is not None and done.position.size == D("2.5")
    for end in (trader.close, trader.preview_close):
        with pytest.raises(OnlyOrders):
            end(market="ETH-USD")


def test_a_bracket_waits_in_a_market_with_a_delay(house: House, trader: Trader, keeper: Trader) -> None:
    """Its entry is a market order then; what is cancelled lives on for the delay."""
    house.set_params(ETH, min_delay=60)
    done = bracketed(trader)
    assert done.opened is None and done.orders[0].kind is Kind.MARKET
    ended = trader.cancel_all()
    assert ended.cancelled == () and len(ended.ending) == 3
    house.wait(60)
    assert keeper.execute(done.orders[0].id).position is not None


# CANCELLING AND SIGNING


def test_all_orders_of_all_accounts_are_cancelled(long: Trader) -> None:
    """In one transaction; with an account, only those of that one."""
    long.deposit(5_000)
    long.place_limit(market="ETH-USD", side="long", size=1, price=3_900)
    stop = long.place_stop(market="ETH-USD", price=3_900).orders[0].id
    assert [order.id for order in long.reader.orders(TRADER, "ETH-USD", isolated=True)] == [stop]
    assert long.cancel_all(account="ETH-USD").cancelled == (stop,)
    long.place_stop(market="ETH-USD", price=3_900)
    done = long.cancel_all()
    assert (len(done.cancelled), done.returned, done.credited) == (2, 2 * FEE, D(0))
    assert long.reader.credit(TRADER) == 0


def test_a_backend_without_keys_signs_nothing(house: House, long: Trader) -> None:
    """Nor is anything signed that would not count: the orders contract is allowed first."""
    with pytest.raises(OrdersNotApproved):
        long.sign_order(kind="market", market="ETH-USD")
    long.approve_orders()
    if isinstance(house.sandbox, LocalBackend):
        assert long.sign_order(kind="market", market="ETH-USD", nonce=5).order.nonce == 5
    else:
        with pytest.raises(SigningUnavailable, match="no keys to sign with"):
            long.sign_order(kind="market", market="ETH-USD")


def test_anybody_brings_a_signed_order_once(house: House, long: Trader, keeper: Trader) -> None:
    """And pays for it; a new epoch and a used nonce end what was signed."""
    if not isinstance(house.sandbox, LocalBackend):
        pytest.skip("the bytecode in process has no keys")
    long.approve_orders()
    ticket, late, ended = (long.sign_order(kind="stop", market="ETH-USD", price=3_900) for _ in range(3))
    with pytest.raises(ForeignOrder):
        keeper.place_signed(type(ticket)(contract=KEEPER, order=ticket.order, signature=ticket.signature))
    [order] = keeper.place_signed(ticket).orders
    assert (order.owner, order.payer, order.size) == (TRADER, KEEPER, D("2.5"))
    with pytest.raises(NonceAlreadyUsed):
        keeper.place_signed(ticket)
    long.cancel_signed(ended.order.nonce, account="ETH-USD")
    with pytest.raises(NonceAlreadyUsed):
        keeper.place_signed(ended)
    assert long.cancel_all().cancelled == (order.id,)
    with pytest.raises(StaleEpoch):
        keeper.place_signed(late)


# TIERS AND STATES


def test_larger_positions_have_less_leverage(house: House, trader: Trader) -> None:
    """From 10 ETH on 5 % are required, so 20x is the most; from 100 ETH on 10 %."""
    house.set_tiers(
        ETH,
        RiskTier(units(10), units("1/20"), units("1/40")),
        RiskTier(units(100), units("1/10"), units("1/20")),
    )
    market = trader.reader.market("ETH-USD")
    assert [(tier.min_size, tier.max_leverage) for tier in market.tiers] == [
        (D(0), D(50)),
        (D(10), D(20)),
        (D(100), D(10)),
    ]
    assert market.tier_of(D(99)).maintenance_margin_ratio == D("0.025")
    wish: dict[str, Any] = {"market": "ETH-USD", "side": "long", "isolated": True}
    with pytest.raises(LeverageTooHigh, match=r"the limit is 20x for a position of 12\.5, and"):
        trader.open(**wish, margin=2_000, leverage=25)
    with pytest.raises(LeverageTooHigh, match=r"the limit is 10x for a position of 100"):
        trader.place_limit(**wish, size=100, leverage=11, price=3_900)
    opened = trader.open(**wish, margin=1_000, leverage=25)
    assert opened.position is not None and opened.position.max_leverage == 50
    # 6.25 ETH and 6.25 more are in the second tier.
    with pytest.raises(LeverageTooHigh, match=r"for a position of 12\.5"):
        trader.add(market="ETH-USD", margin=1_000, leverage=25)
    added = trader.add(market="ETH-USD", margin=5_000, leverage=5).position
    assert added is not None
    assert (added.max_leverage, added.initial_margin_ratio, added.maintenance_margin_ratio) == (
        D(20),
        D("0.05"),
        D("0.025"),
    )


def test_a_quote_knows_tiers_and_delays() -> None:
    """The margin of the tier that the size reaches, and how long an order waits."""
    from dataclasses import replace

    plain = DEFAULT_MARKETS[ETH]
    params = replace(plain.params, min_delay=30)
    spec: MarketSpec = replace(plain, params=params, tiers=(RiskTier(units(10), units("1/20"), units("1/40")),))
    small = quote(spec, side="long", margin=1_000, leverage=10)
    large = quote(spec, side="long", margin=10_000, leverage=10)
    assert (small.max_leverage, large.max_leverage) == (D(50), D(20))
    # 25 ETH at 4,000, 2.5 %.
    assert (large.maintenance_margin_ratio, large.maintenance_margin) == (D("0.025"), D(2_500))
    assert (small.min_delay, quote(plain, side="long", margin=1_000, leverage=10).min_delay) == (30, 0)
    with pytest.raises(LeverageTooHigh, match="for a position of 75"):
        quote(spec, side="long", margin=10_000, leverage=30)


def test_a_quote_tells_what_its_exits_come_to() -> None:
    """0.5 ETH at 10x, with the fees of both trades; a stop after liquidation is refused."""
    wish: dict[str, Any] = {"side": "long", "margin": 200, "leverage": 10}
    stop, profit = quote("ETH-USD", **wish, stop=3_900, take_profit=4_400).exits
    # 0.5 * (3,900 * (1 + 0.25 / 1,000,000) - 4,000.001) = -50.000013, rounded down; less fees of 1.000001 and 0.390001,
    # because a trade that brings the skew back pays 0.02 %.
    assert (stop.kind, stop.fill_price, stop.realized_pnl) == (Kind.STOP, D("3900.000975"), D("-50.000013"))
    assert (stop.fee, stop.result) == (D("0.390001"), D("-51.390015"))
    assert (profit.kind, profit.trigger) == (Kind.TAKE_PROFIT, D(4_400))
    assert profit.result == profit.realized_pnl - profit.fee - D("1.000001")
    with pytest.raises(WrongTrigger, match=r"must be above the liquidation price of 3638\.38.*too late"):
        quote("ETH-USD", **wish, stop=3_600)
    with pytest.raises(WrongTrigger, match="must be above the mark price"):
        quote("ETH-USD", **wish, take_profit=3_900)


def test_a_market_says_what_is_unusual(house: House, reader: Reader) -> None:
    """Pauses in words, a grace period, and the end."""
    usual = reader.market("ETH-USD")
    assert (usual.paused, usual.outage, usual.grace_until, usual.delisting) == ((), False, None, None)
    house.do("set_market_paused", ETH, 1 | 4 | 16, by="governor")
    assert reader.market("ETH-USD").paused == ("trading", "opening", "liquidation")
    house.do("set_market_paused", ETH, 0, by="governor")
    assert reader.market("ETH-USD").grace_until == house.sandbox.timestamp + 900
    house.do("announce_delisting", ETH, by="governor")
    delisting = reader.market("ETH-USD").delisting
    assert delisting is not None and delisting.price is None
    assert delisting.effective_at == house.sandbox.timestamp + 24 * HOUR


def test_orders_read_without_a_price(house: House, long: Trader) -> None:
    """Accounts do not, because nobody knows what they are worth."""
    long.place_stop(market="ETH-USD", price=3_900)
    house.wait(2 * HOUR, refresh=False)
    [order] = long.reader.orders(TRADER)
    assert order.state is OrderState.WAITING_FOR_PRICE
    with pytest.raises(StalePrice):
        long.reader.positions(TRADER)


def test_a_snapshot_holds_the_orders(house: House, long: Trader) -> None:
    """Of all accounts that it holds."""
    house.deposit("trader", dollars(5_000))
    long.place_limit(market="ETH-USD", side="long", size=1, price=3_900)
    long.place_stop(market="ETH-USD", price=3_900)
    snapshot = long.reader.snapshot(TRADER, KEEPER)
    assert sorted(snapshot.orders, key=lambda order: order.id) == list(long.reader.orders(TRADER))
    assert {order.account for order in snapshot.orders} == {acc("trader"), acc(f"trader/{ETH + 1}")}


def test_every_refusal_survives_pickling() -> None:
    """Its args are its constructor's."""
    import pickle

    errors: list[ClientError] = [
        WrongTrigger("the stop of a long", D(1), "below", "the mark price", D(2), "turn it round"),
        ExpiryPast(1, 2),
        SharesTooLarge(D("1.1")),
        NothingToCancel(TRADER),
        NoOrders("model"),
        OrdersNotApproved(TRADER, KEEPER),
        ForeignOrder(TRADER, KEEPER),
        SigningUnavailable("revm"),
        LeverageTooHigh("ETH-USD", D(51), D(50), D(9)),
    ]
    for error in errors:
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again)) == (type(error), str(error))
