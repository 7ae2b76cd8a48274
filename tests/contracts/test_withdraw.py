"""Withdrawals: only settled money, only down to initial margin, only while the pool can pay its winners."""

from __future__ import annotations

import pytest
from expect import balances, event_of, moves, refuses
from roles import BTC, ETH, House, acc, address, dollars, units

from perpkit.model.errors import (
    BelowInitialMargin,
    InsufficientCollateral,
    MoneyOutOfRange,
    NotAuthorized,
    OperatorMayOnlyPayOwner,
    Paused,
    StalePrice,
    ZeroAmount,
)
from perpkit.model.events import Withdrawn
from perpkit.model.fixed_math import MONEY_MAX


@pytest.fixture
def house(house: House) -> House:
    """The trader has a thousand dollars inside."""
    house.deposit("trader", dollars(1_000))
    return house


# --- refusals


def test_a_withdrawal_of_nothing_is_refused(house: House) -> None:
    """Zero is no amount."""
    with refuses(house, ZeroAmount()):
        house.withdraw("trader", 0)


def test_a_withdrawal_of_more_than_is_settled_is_refused(house: House) -> None:
    """One quantum more than there is."""
    with refuses(house, InsufficientCollateral(acc("trader"), 1_000_000_000, 1_000_000_001)):
        house.withdraw("trader", dollars(1_000) + 1)


def test_a_withdrawal_beyond_the_supported_range_is_refused(house: House) -> None:
    """An amount that is no money is no amount."""
    with refuses(house, MoneyOutOfRange(MONEY_MAX + 1)):
        house.withdraw("trader", MONEY_MAX + 1)


def test_a_withdrawal_by_an_outsider_is_refused(house: House) -> None:
    """Whoever is neither owner nor operator takes nothing, not even for the owner."""
    with refuses(house, NotAuthorized(acc("trader"), address("outsider"))):
        house.withdraw("trader", 1, by="outsider")


def test_an_operator_may_pay_only_the_owner(house: House) -> None:
    """An operator trades, it does not take."""
    house.do("set_operator", address("operator"), True, by="trader")
    with refuses(house, OperatorMayOnlyPayOwner(address("trader"), address("operator"))):
        house.withdraw("trader", 1, to="operator", by="operator")


def test_a_withdrawal_while_withdrawals_are_paused_is_refused(house: House) -> None:
    """Bit 2 of the vault stops withdrawals, before anything else is asked."""
    house.do("set_vault_paused", 2, by="governor")
    with refuses(house, Paused(2)):
        house.withdraw("trader", 0, by="outsider")


def test_a_withdrawal_below_initial_margin_is_refused(house: House) -> None:
    """The last quantum above initial margin may go, the next may not."""
    house.trade("trader", ETH, units(10))
    # Fill 4,000.02 for 40,000.20; fee 20.0001. Equity 1,000 - 20.0001 - 0.20 = 979.7999; margin 2 % of 40,000 = 800.
    with refuses(house, BelowInitialMargin(acc("trader"), 799_999_999, 800_000_000)):
        house.withdraw("trader", 179_799_901)
    with moves(house, {"trader": -179_799_900, "wallet:trader": 179_799_900}):
        house.withdraw("trader", 179_799_900)


def test_unrealised_profit_cannot_be_withdrawn(house: House) -> None:
    """Equity is not money: only what is settled leaves."""
    house.trade("trader", ETH, units(1))
    house.set_price(ETH, 5_000)
    # Collateral 1,000 - 2.000001 = 997.999999, though equity is about 1,998.
    with refuses(house, InsufficientCollateral(acc("trader"), 997_999_999, 998_000_000)):
        house.withdraw("trader", dollars(998))


def test_with_a_position_a_withdrawal_needs_a_fresh_price(house: House) -> None:
    """No margin can be proved at an old price."""
    house.trade("trader", ETH, units(1))
    house.wait(3_601, refresh=False)
    with refuses(house, StalePrice(ETH, 0, 2)):
        house.withdraw("trader", 1)


def test_every_market_of_the_account_must_have_a_price(house: House) -> None:
    """One stale market among two is enough to refuse."""
    house.trade("trader", ETH, units(1))
    house.trade("trader", BTC, units(1) // 100)
    house.wait(3_601, refresh=False)
    house.set_price(ETH, 4_000)
    with refuses(house, StalePrice(BTC, 0, 2)):
        house.withdraw("trader", 1)


# --- success


def test_the_owner_withdraws_everything_from_an_account_without_positions(house: House) -> None:
    """In and out is nought."""
    with moves(house, {"trader": -1_000_000_000, "wallet:trader": 1_000_000_000}):
        receipt = house.withdraw("trader", dollars(1_000))
    event = event_of(house, receipt, Withdrawn)
    assert event == Withdrawn(acc("trader"), address("trader"), event.sequence, 1_000_000_000, 0)


def test_the_owner_may_pay_somebody_else(house: House) -> None:
    """The receiver gets the tokens."""
    with moves(house, {"trader": -7, "wallet:outsider": 7}):
        receipt = house.withdraw("trader", 7, to="outsider")
    assert event_of(house, receipt, Withdrawn).to == address("outsider")


def test_an_operator_withdraws_to_the_owner(house: House) -> None:
    """The money goes home."""
    house.do("set_operator", address("operator"), True, by="trader")
    with moves(house, {"trader": -7, "wallet:trader": 7}):
        house.withdraw("trader", 7, by="operator")


def test_without_positions_a_withdrawal_needs_no_price(house: House) -> None:
    """Whoever has no position is not held by a dead oracle."""
    house.wait(3_601, refresh=False)
    with moves(house, {"trader": -1_000_000_000, "wallet:trader": 1_000_000_000}):
        house.withdraw("trader", dollars(1_000))


def test_settled_profit_may_be_withdrawn(house: House) -> None:
    """After `settle` the profit is money."""
    house.trade("trader", ETH, units(1))
    house.set_price(ETH, 5_000)
    house.settle("trader", ETH)
    # 997.999999 + (5,000 - 4,000.002) = 1,997.997999; margin 2 % of 5,000 = 100 stays.
    with moves(house, {"trader": -1_897_997_999, "wallet:trader": 1_897_997_999}):
        house.withdraw("trader", 1_897_997_999)
    balances(house, {"trader": 100_000_000})


def test_another_account_of_the_owner_does_not_hold_it_back(house: House) -> None:
    """Margin is per account, not per owner."""
    house.deposit("trader/1", dollars(100))
    house.trade("trader/1", ETH, units(1))
    with moves(house, {"trader": -1_000_000_000, "wallet:trader": 1_000_000_000}):
        house.withdraw("trader", dollars(1_000))
