"""The house's own money: insurance fund, stray tokens, fees and treasury."""

from __future__ import annotations

import pytest
from expect import balances, event_of, moves, refuses
from roles import ETH, House, address, dollars, units

from perpkit.model.errors import (
    ERC20InsufficientBalance,
    InsufficientTreasury,
    MoneyOutOfRange,
    NotPool,
    OwnableUnauthorizedAccount,
    UnknownMarket,
    ZeroAmount,
)
from perpkit.model.events import InsuranceFunded, ProtocolFeesCollected, Skimmed, TreasuryWithdrawn
from perpkit.model.fixed_math import MONEY_MAX

# --- refusals


def test_funding_the_insurance_with_nothing_is_refused(house: House) -> None:
    """Zero is no amount."""
    with refuses(house, ZeroAmount()):
        house.fund_insurance(0)


def test_funding_the_insurance_beyond_the_wallet_is_refused(house: House) -> None:
    """The token refuses, and the books stay."""
    with refuses(house, ERC20InsufficientBalance(address("whale"), 10**12, 10**12 + 1)):
        house.fund_insurance(dollars(1_000_000) + 1)


def test_funding_the_insurance_beyond_the_range_is_refused(house: House) -> None:
    """Its sum is checked too: 500,000 dollars are in it."""
    with refuses(house, MoneyOutOfRange(MONEY_MAX + 1)):
        house.fund_insurance(MONEY_MAX + 1)
    with refuses(house, MoneyOutOfRange(MONEY_MAX + 500_000_000_000)):
        house.fund_insurance(MONEY_MAX)


def test_skimming_nothing_is_refused(house: House) -> None:
    """All tokens are on the books."""
    with refuses(house, ZeroAmount()):
        house.skim()


def test_collecting_no_fees_is_refused(house: House) -> None:
    """Nobody has traded yet."""
    with refuses(house, ZeroAmount()):
        house.do("collect_fees", ETH, by="outsider")


def test_collecting_the_fees_of_an_unknown_market_is_refused(house: House) -> None:
    """There is no market 3."""
    with refuses(house, UnknownMarket(3)):
        house.do("collect_fees", 3, by="outsider")


def test_withdrawing_from_the_treasury_is_the_governors(house: House) -> None:
    """Nobody else's, whatever is in it."""
    for role in ("outsider", "keeper", "provider", "publisher", "trader"):
        with refuses(house, OwnableUnauthorizedAccount(address(role))):
            house.do("withdraw_treasury", address(role), 1, by=role)


def test_withdrawing_nothing_from_the_treasury_is_refused(house: House) -> None:
    """Zero is no amount."""
    with refuses(house, ZeroAmount()):
        house.do("withdraw_treasury", address("governor"), 0, by="governor")


def test_withdrawing_more_than_the_treasury_holds_is_refused(house: House) -> None:
    """Fees that were not collected are not in it."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(10))
    with refuses(house, InsufficientTreasury(0, 1)):
        house.do("withdraw_treasury", address("governor"), 1, by="governor")


@pytest.mark.parametrize("role", ["governor", "provider", "outsider"])
def test_the_pools_doors_are_closed_to_all_but_the_pool(house: House, role: str) -> None:
    """Not even the governor books the pool's money."""
    with refuses(house, NotPool(address(role))):
        house.do("deposit_pool", 1, by=role)
    with refuses(house, NotPool(address(role))):
        house.do("withdraw_pool", 1, address(role), by=role)


def test_the_pool_is_named_only_once(house: House) -> None:
    """The governor cannot replace it."""
    with refuses(house, NotPool(address("governor"))):
        house.do("set_pool", address("governor"), by="governor")
    with refuses(house, OwnableUnauthorizedAccount(address("outsider"))):
        house.do("set_pool", address("outsider"), by="outsider")


# --- success


def test_anyone_may_fund_the_insurance(house: House) -> None:
    """A gift."""
    with moves(house, {"wallet:whale": -5_000_000, "insurance": 5_000_000}):
        receipt = house.fund_insurance(dollars(5))
    event = event_of(house, receipt, InsuranceFunded)
    assert (event.from_, event.amount, event.insurance) == (address("whale"), 5_000_000, 500_005_000_000)


def test_stray_tokens_are_nobodys_until_they_are_skimmed(house: House) -> None:
    """Sent past `deposit`, they change no balance; skimmed, they are the insurance fund's."""
    house.deposit("trader", dollars(10))
    with moves(house, {"wallet:whale": -3_000_000}):
        house.donate(dollars(3))
    with moves(house, {"insurance": 3_000_000}):
        receipt = house.skim()
    assert receipt.value == 3_000_000
    assert event_of(house, receipt, Skimmed).by == address("outsider")


def test_fees_are_collected_into_the_treasury_and_paid_out(house: House) -> None:
    """A tenth of 20.0001 dollars, by way of the treasury, to whom the governor names."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(10))
    with moves(house, {"fees:0": -2_000_010, "treasury": 2_000_010}):
        receipt = house.do("collect_fees", ETH, by="outsider")
    event = event_of(house, receipt, ProtocolFeesCollected)
    assert (receipt.value, event.amount, event.treasury) == (2_000_010, 2_000_010, 2_000_010)
    with moves(house, {"treasury": -2_000_009, "wallet:publisher": 2_000_009}):
        receipt = house.do("withdraw_treasury", address("publisher"), 2_000_009, by="governor")
    assert event_of(house, receipt, TreasuryWithdrawn).treasury == 1
    with refuses(house, InsufficientTreasury(1, 2)):
        house.do("withdraw_treasury", address("publisher"), 2, by="governor")


def test_collected_twice_is_collected_once(house: House) -> None:
    """The second claim finds nothing."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(10))
    house.do("collect_fees", ETH, by="outsider")
    with refuses(house, ZeroAmount()):
        house.do("collect_fees", ETH, by="outsider")
    balances(house, {"treasury": 2_000_010, "fees:0": 0})
