"""Pausing: one bit per action, and no bit touches another action."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from expect import refuses
from misfortune import make_deficit
from roles import ETH, SOL, House, address, dollars, units

from perpkit.model.errors import MarketActionPaused, OwnableUnauthorizedAccount, Paused
from perpkit.model.events import MarketPaused, VaultPaused
from perpkit.model.market_ledger import GRACE_PERIOD

Act = Callable[[House], object]

VAULT: dict[int, list[Act]] = {
    1: [lambda h: h.deposit("trader", 1)],
    2: [lambda h: h.withdraw("trader", 1), lambda h: h.transfer("trader", "trader/1", 1)],
    4: [lambda h: h.do("deposit", 10, address("provider"), by="provider", label="pool")],
    8: [lambda h: h.do("withdraw", 10, address("provider"), address("provider"), by="provider", label="pool")],
}
SHORTS = ("market_maker", "provider", "counterparty")
MARKET: dict[int, list[Act]] = {
    1: [lambda h: h.trade("provider", ETH, -units(1))],
    2: [lambda h: h.settle("provider", ETH)],
    4: [lambda h: h.liquidate("outsider", ETH), lambda h: h.liquidate_many(ETH, ["outsider"])],
    8: [lambda h: h.deleverage(ETH, False, SHORTS)],
}


def troubled(house: House) -> None:
    """Everything can be done: there is a deficit to recover, and the outsider's long of 1 ETH is liquidatable."""
    make_deficit(house)
    house.deposit("outsider", dollars(200))
    house.trade("outsider", ETH, units(1))
    house.set_price(ETH, 3_620)


@pytest.mark.parametrize("paused", VAULT)
def test_a_bit_of_the_vault_stops_its_action_and_no_other(house: House, paused: int) -> None:
    """Deposit 1, withdraw 2, pool deposit 4, pool withdrawal 8."""
    house.deposit("trader", dollars(10))
    receipt = house.do("set_vault_paused", paused, by="governor")
    assert receipt.events == (VaultPaused(paused),)
    for bit, actions in VAULT.items():
        for act in actions:
            if bit == paused:
                with refuses(house, Paused(bit)):
                    act(house)
            else:
                act(house)
    house.do("set_vault_paused", 0, by="governor")
    for act in VAULT[paused]:
        act(house)


@pytest.mark.parametrize("paused", MARKET)
def test_a_bit_of_a_market_stops_its_action_and_no_other(house: House, paused: int) -> None:
    """Trade 1, settle 2, liquidate 4, deleverage 8."""
    troubled(house)
    receipt = house.do("set_market_paused", ETH, paused, by="governor")
    assert receipt.events == (MarketPaused(ETH, house.state(ETH).sequence, paused, 0),)
    for bit, actions in MARKET.items():
        for act in actions:
            with house.rolled_back() as copy:
                if bit == paused:
                    with refuses(copy, MarketActionPaused(ETH, bit)):
                        act(copy)
                else:
                    act(copy)
    house.do("set_market_paused", ETH, 0, by="governor")
    house.wait(GRACE_PERIOD)
    MARKET[paused][0](house)


def test_one_market_paused_leaves_the_others_open(house: House) -> None:
    """All bits of ETH set, SOL trades."""
    house.deposit("trader", dollars(1_000))
    house.do("set_market_paused", ETH, 15, by="governor")
    house.trade("trader", SOL, units(10))
    with refuses(house, MarketActionPaused(ETH, 1)):
        house.trade("trader", ETH, units(1))


def test_everything_of_the_vault_paused_leaves_liquidation_open(house: House) -> None:
    """Deposits and withdrawals are not needed to liquidate."""
    troubled(house)
    house.do("set_vault_paused", 0xFFFF, by="governor")
    house.liquidate("outsider", ETH)


def test_a_paused_account_can_still_be_topped_up(house: House) -> None:
    """With the whole market paused, owners may add margin."""
    troubled(house)
    house.do("set_market_paused", ETH, 31, by="governor")
    house.deposit("outsider", dollars(500))
    assert not house.view("outsider").liquidatable


@pytest.mark.parametrize("role", ["outsider", "keeper", "provider", "publisher", "trader"])
def test_pausing_is_the_governors(house: House, role: str) -> None:
    """Five wrong roles."""
    with refuses(house, OwnableUnauthorizedAccount(address(role))):
        house.do("set_vault_paused", 1, by=role)
    with refuses(house, OwnableUnauthorizedAccount(address(role))):
        house.do("set_market_paused", ETH, 1, by=role)
