"""Deposits: who may pay, what is refused, and what the books say after."""

from __future__ import annotations

import pytest
from expect import event_of, moves, refuses
from roles import House, acc, address, dollars
from signing import permit

from perpkit.model.errors import (
    ERC20InsufficientAllowance,
    ERC20InsufficientBalance,
    MoneyOutOfRange,
    Paused,
    ZeroAmount,
)
from perpkit.model.events import Deposited
from perpkit.model.fixed_math import INT256_MAX, MONEY_MAX
from perpkit.model.test_usd import UINT256_MAX

# --- refusals


def test_a_deposit_of_nothing_is_refused(house: House) -> None:
    """Zero is no amount."""
    with refuses(house, ZeroAmount()):
        house.deposit("trader", 0)


def test_a_deposit_of_more_than_the_wallet_holds_is_refused(house: House) -> None:
    """The token's own error comes through."""
    # Every role starts with 1,000,000 dollars.
    error = ERC20InsufficientBalance(address("trader"), 1_000_000_000_000, 1_000_000_000_001)
    with refuses(house, error):
        house.deposit("trader", dollars(1_000_000) + 1)


def test_a_deposit_without_allowance_is_refused(house: House) -> None:
    """The clearinghouse takes no more than it was allowed."""
    house.do("approve", house.at("clearinghouse"), 99, by="trader", label="token")
    with refuses(house, ERC20InsufficientAllowance(house.at("clearinghouse"), 99, 100)):
        house.deposit("trader", 100)


@pytest.mark.parametrize("amount", [MONEY_MAX + 1, 2**127, 2**255, UINT256_MAX])
def test_a_deposit_beyond_the_supported_range_is_refused(house: House, amount: int) -> None:
    """An amount that is no money is refused before the token is asked; the error carries at most int256's maximum."""
    with refuses(house, MoneyOutOfRange(min(amount, INT256_MAX))):
        house.deposit("trader", amount)


def test_a_deposit_that_would_lift_collateral_beyond_the_range_is_refused(house: House) -> None:
    """The sum is checked, not only the amount."""
    house.mint("trader", MONEY_MAX)
    house.deposit("trader", MONEY_MAX)
    with refuses(house, MoneyOutOfRange(MONEY_MAX + 1)):
        house.deposit("trader", 1)


def test_a_deposit_while_deposits_are_paused_is_refused(house: House) -> None:
    """Bit 1 of the vault stops deposits."""
    house.do("set_vault_paused", 1, by="governor")
    with refuses(house, Paused(1)):
        house.deposit("trader", 1)


# --- success


def test_a_deposit_moves_tokens_from_the_wallet_to_the_account(house: House) -> None:
    """A hundred dollars leave the wallet and arrive."""
    with moves(house, {"wallet:trader": -100_000_000, "trader": 100_000_000}):
        receipt = house.deposit("trader", dollars(100))
    event = event_of(house, receipt, Deposited)
    assert event == Deposited(acc("trader"), address("trader"), event.sequence, 100_000_000, 100_000_000)


def test_a_deposit_of_one_quantum_is_accepted(house: House) -> None:
    """The least there is."""
    with moves(house, {"wallet:trader": -1, "trader": 1}):
        house.deposit("trader", 1)


def test_anyone_may_deposit_into_any_account(house: House) -> None:
    """The outsider pays, the trader has."""
    with moves(house, {"wallet:outsider": -5, "trader/7": 5}):
        receipt = house.deposit("trader/7", 5, by="outsider")
    assert event_of(house, receipt, Deposited).from_ == address("outsider")


def test_accounts_of_one_owner_are_separate(house: House) -> None:
    """Money in account 0 is not money in account 1."""
    house.deposit("trader", 3)
    house.deposit("trader/1", 4)
    assert (house.collateral("trader"), house.collateral("trader/1")) == (3, 4)


def test_the_highest_account_number_is_an_account(house: House) -> None:
    """All 96 bits of the account's number count."""
    name = f"trader/{2**96 - 1}"
    with moves(house, {"wallet:trader": -9, name: 9}):
        house.deposit(name, 9)


def test_a_deposit_needs_no_price(house: House) -> None:
    """An hour and a second later no feed is fresh, and owners may still top up."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", 0, 10**18)
    house.wait(3601, refresh=False)
    with moves(house, {"wallet:trader": -7, "trader": 7}):
        house.deposit("trader", 7)


def test_vault_events_are_numbered_without_gaps(house: House) -> None:
    """Each event's sequence is one more than the last."""
    first = event_of(house, house.deposit("trader", 1), Deposited).sequence
    second = event_of(house, house.deposit("counterparty", 1), Deposited).sequence
    assert second == first + 1


# --- permit


def test_a_permit_pays_for_a_deposit_without_an_allowance(house: House) -> None:
    """One transaction, one signature."""
    house.do("approve", house.at("clearinghouse"), 0, by="trader", label="token")
    signature = permit(house, "trader", 50, deadline=house.sandbox.timestamp)
    with moves(house, {"wallet:trader": -50, "trader": 50}):
        house.do("deposit_with_permit", acc("trader"), 50, house.sandbox.timestamp, *signature, by="trader")


def test_a_permit_that_somebody_used_first_is_no_obstacle(house: House) -> None:
    """The allowance stands, so the deposit goes through."""
    deadline = house.sandbox.timestamp + 60
    house.do("approve", house.at("clearinghouse"), 0, by="trader", label="token")
    signature = permit(house, "trader", 50, deadline=deadline)
    spender = house.at("clearinghouse")
    house.do("permit", address("trader"), spender, 50, deadline, *signature, by="outsider", label="token")
    with moves(house, {"wallet:trader": -50, "trader": 50}):
        house.do("deposit_with_permit", acc("trader"), 50, deadline, *signature, by="trader")


def test_an_expired_permit_without_allowance_is_refused(house: House) -> None:
    """The permit fails quietly, then the transfer fails with the token's error."""
    house.do("approve", house.at("clearinghouse"), 0, by="trader", label="token")
    deadline = house.sandbox.timestamp - 1
    signature = permit(house, "trader", 50, deadline=deadline)
    with refuses(house, ERC20InsufficientAllowance(house.at("clearinghouse"), 0, 50)):
        house.do("deposit_with_permit", acc("trader"), 50, deadline, *signature, by="trader")


def test_another_persons_permit_pays_for_nobody(house: House) -> None:
    """The permit must be the caller's own."""
    house.do("approve", house.at("clearinghouse"), 0, by="outsider", label="token")
    deadline = house.sandbox.timestamp
    signature = permit(house, "trader", 50, deadline=deadline)
    with refuses(house, ERC20InsufficientAllowance(house.at("clearinghouse"), 0, 50)):
        house.do("deposit_with_permit", acc("outsider"), 50, deadline, *signature, by="outsider")
