"""Transfers between the accounts of one owner."""

from __future__ import annotations

import pytest
from expect import event_of, moves, refuses
from roles import ETH, House, acc, address, dollars, units

from perpkit.model.errors import (
    BelowInitialMargin,
    InsufficientCollateral,
    InvalidTransfer,
    NotAuthorized,
    Paused,
    StalePrice,
    ZeroAmount,
)
from perpkit.model.events import Transferred


@pytest.fixture
def house(house: House) -> House:
    """The trader has a thousand dollars in account 0."""
    house.deposit("trader", dollars(1_000))
    return house


# --- refusals


def test_a_transfer_of_nothing_is_refused(house: House) -> None:
    """Zero is no amount."""
    with refuses(house, ZeroAmount()):
        house.transfer("trader", "trader/1", 0)


def test_a_transfer_of_more_than_is_settled_is_refused(house: House) -> None:
    """One quantum more than there is."""
    with refuses(house, InsufficientCollateral(acc("trader"), 1_000_000_000, 1_000_000_001)):
        house.transfer("trader", "trader/1", dollars(1_000) + 1)


def test_a_transfer_to_another_owner_is_refused(house: House) -> None:
    """Money changes hands outside only."""
    with refuses(house, InvalidTransfer(acc("trader"), acc("counterparty"))):
        house.transfer("trader", "counterparty", 1)


def test_a_transfer_of_an_account_to_itself_is_refused(house: House) -> None:
    """Nothing may be counted twice."""
    with refuses(house, InvalidTransfer(acc("trader"), acc("trader"))):
        house.transfer("trader", "trader", 1)


def test_a_transfer_by_an_outsider_is_refused(house: House) -> None:
    """Only owner and operators move margin."""
    with refuses(house, NotAuthorized(acc("trader"), address("outsider"))):
        house.transfer("trader", "trader/1", 1, by="outsider")


def test_a_transfer_while_withdrawals_are_paused_is_refused(house: House) -> None:
    """Moving margin away is a withdrawal from that account."""
    house.do("set_vault_paused", 2, by="governor")
    with refuses(house, Paused(2)):
        house.transfer("trader", "trader/1", 1)


def test_a_transfer_below_initial_margin_is_refused(house: House) -> None:
    """The last quantum above initial margin may go, the next may not."""
    house.trade("trader", ETH, units(10))
    # Equity 1,000 - 20.0001 fee - 0.20 premium = 979.7999; margin 2 % of 40,000 = 800.
    with refuses(house, BelowInitialMargin(acc("trader"), 799_999_999, 800_000_000)):
        house.transfer("trader", "trader/1", 179_799_901)
    with moves(house, {"trader": -179_799_900, "trader/1": 179_799_900}):
        house.transfer("trader", "trader/1", 179_799_900)


def test_a_transfer_from_an_account_with_a_position_needs_a_fresh_price(house: House) -> None:
    """No margin can be proved at an old price."""
    house.trade("trader", ETH, units(1))
    house.wait(3_601, refresh=False)
    with refuses(house, StalePrice(ETH, 0, 2)):
        house.transfer("trader", "trader/1", 1)


# --- success


def test_a_transfer_moves_money_between_two_accounts_of_one_owner(house: House) -> None:
    """No token moves, only the books."""
    with moves(house, {"trader": -400_000_000, "trader/1": 400_000_000}):
        receipt = house.transfer("trader", "trader/1", dollars(400))
    event = event_of(house, receipt, Transferred)
    assert (event.from_collateral, event.to_collateral) == (600_000_000, 400_000_000)


def test_a_transfer_into_an_account_with_a_position_needs_no_price(house: House) -> None:
    """Topping up is always possible."""
    house.deposit("trader/1", dollars(100))
    house.trade("trader/1", ETH, units(1))
    house.wait(3_601, refresh=False)
    with moves(house, {"trader": -5, "trader/1": 5}):
        house.transfer("trader", "trader/1", 5)


def test_an_operator_moves_margin_between_accounts_of_its_owner(house: House) -> None:
    """Operators act for all accounts."""
    house.do("set_operator", address("operator"), True, by="trader")
    with moves(house, {"trader": -5, "trader/1": 5}):
        house.transfer("trader", "trader/1", 5, by="operator")


def test_a_top_up_makes_an_unhealthy_account_healthy(house: House) -> None:
    """Margin from account 0 saves account 1."""
    house.deposit("trader/1", dollars(100))
    house.trade("trader/1", ETH, units(1))
    house.set_price(ETH, 3_930)
    assert house.view("trader/1").liquidatable
    house.transfer("trader", "trader/1", dollars(100))
    assert not house.view("trader/1").liquidatable
