"""Several actions in one transaction: all of them, or none."""

from __future__ import annotations

from expect import event_of, moves, refuses
from roles import BTC, ETH, INT256_MAX, House, acc, address, dollars, units

from perpkit.backend import Receipt
from perpkit.model.errors import (
    BelowInitialMargin,
    NotAuthorized,
    NotLiquidatable,
    OwnableUnauthorizedAccount,
    ZeroAmount,
)
from perpkit.model.events import Deposited, Traded, Withdrawn


def many(house: House, *calls: tuple[object, ...], by: str = "trader") -> Receipt:
    actions = [house.sandbox.action("clearinghouse", str(function), *args) for function, *args in calls]
    return house.do("multicall", tuple(actions), by=by)


# --- refusals


def test_one_refusal_undoes_all(house: House) -> None:
    """The deposit before the refused trade never was."""
    with refuses(house, ZeroAmount()):
        many(house, ("deposit", acc("trader"), 100), ("trade", acc("trader"), ETH, 0, 0))


def test_a_later_refusal_undoes_a_trade(house: House) -> None:
    """Neither position nor fee remains."""
    house.deposit("trader", dollars(1_000))
    # Equity after the trade 979.7999, less 200: margin 800 is not there any more.
    with refuses(house, BelowInitialMargin(acc("trader"), 779_799_900, 800_000_000)):
        many(
            house,
            ("trade", acc("trader"), ETH, units(10), INT256_MAX),
            ("withdraw", acc("trader"), dollars(200), address("trader")),
        )


def test_the_sender_is_the_sender_in_every_call(house: House) -> None:
    """Nobody is somebody else inside a multicall."""
    house.deposit("trader", dollars(1_000))
    with refuses(house, NotAuthorized(acc("trader"), address("outsider"))):
        many(house, ("withdraw", acc("trader"), 1, address("outsider")), by="outsider")
    with refuses(house, OwnableUnauthorizedAccount(address("outsider"))):
        many(house, ("set_market_paused", ETH, 15), by="outsider")


# --- success


def test_deposit_and_trade_are_one_transaction(house: House) -> None:
    """The page's first button."""
    receipt = many(
        house,
        ("deposit", acc("trader"), dollars(1_000)),
        ("trade", acc("trader"), ETH, units(10), INT256_MAX),
        ("trade", acc("trader"), BTC, -units("0.1"), 0),
    )
    kinds = [type(event) for event in receipt.events if isinstance(event, (Deposited, Traded))]
    assert kinds == [Deposited, Traded, Traded]
    assert house.ask("markets_of", acc("trader")) == (ETH, BTC)


def test_close_and_withdraw_are_one_transaction(house: House) -> None:
    """In with a thousand, out with all that is left."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(10))
    # 1,000 - 20.0001 - 8.00004; of the 8.00004 a tenth each goes to insurance and protocol, floored.
    left = 971_999_860
    with moves(
        house,
        {
            "trader": -979_999_900,
            "wallet:trader": left,
            "pool": 6_400_032,
            "insurance": 800_004,
            "fees:0": 800_004,
        },
    ):
        receipt = many(
            house,
            ("trade", acc("trader"), ETH, -units(10), 0),
            ("withdraw", acc("trader"), left, address("trader")),
        )
    assert event_of(house, receipt, Withdrawn).amount == left


def test_a_keeper_liquidates_in_several_markets_at_once(house: House) -> None:
    """Two markets, one transaction."""
    for name, market, size in (("trader", ETH, units(10)), ("counterparty", BTC, units("0.5"))):
        house.deposit(name, dollars(1_000))
        house.trade(name, market, size)
    house.set_price(ETH, 3_900)
    house.set_price(BTC, 98_000)
    many(house, ("liquidate", acc("trader"), ETH), ("liquidate", acc("counterparty"), BTC), by="keeper")
    assert house.collateral("keeper") > 0


def test_rescuing_an_account_in_the_same_transaction_spares_it(house: House) -> None:
    """Topped up first, it is healthy when the liquidation comes."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(10))
    house.set_price(ETH, 3_940)
    # Equity 379.7999 + 100 against 394.
    with refuses(house, NotLiquidatable(acc("trader"), 479_799_900, 394_000_000)):
        many(house, ("deposit", acc("trader"), dollars(100)), ("liquidate", acc("trader"), ETH))
