"""Who opened the least position in a market in grace was once out of reach of liquidation in every market."""

from __future__ import annotations

import pytest
from contracts.expect import laws_hold, refuses
from roles import BTC, SOL, House, dollars, units

from perpkit.backend import Sandbox
from perpkit.model.errors import GracePeriod
from perpkit.model.market_ledger import GRACE_PERIOD


@pytest.fixture
def house(perp_sandbox: Sandbox) -> House:
    """The house on that backend."""
    return House(perp_sandbox)


def resume_sol(house: House) -> int:
    """Pauses liquidations of SOL and resumes them; when its grace ends."""
    house.do("set_market_paused", SOL, 4, by="governor")
    house.do("set_market_paused", SOL, 0, by="governor")
    return house.sandbox.timestamp + GRACE_PERIOD


def test_nobody_moves_into_a_market_in_grace(house: House) -> None:
    """Half a SOL on top of ten BTC at full leverage: refused to the last second, welcome in the next."""
    with house.sandbox.rolled_back():
        house.deposit("trader", dollars(12_000))
        house.trade("trader", BTC, units(10))
        until = resume_sol(house)
        for wait in (0, GRACE_PERIOD - 1):
            house.wait(wait)
            with refuses(house, GracePeriod(SOL, until)):
                house.trade("trader", SOL, units("0.6"))
        house.wait(1)
        house.trade("trader", SOL, units("0.6"))
        laws_hold(house)


def test_who_is_in_grace_takes_on_no_more_risk_elsewhere(house: House) -> None:
    """In SOL before the pause: BTC is refused meanwhile, a flip too; reducing, adding margin and closing go on."""
    with house.sandbox.rolled_back():
        house.deposit("trader", dollars(12_000))
        house.trade("trader", SOL, units(10))
        until = resume_sol(house)
        for market, delta in ((BTC, units("0.1")), (SOL, units(1)), (SOL, -units(11))):
            with refuses(house, GracePeriod(SOL, until)):
                house.trade("trader", market, delta)
        house.trade("trader", SOL, -units(1))
        house.deposit("trader", dollars(1))
        house.close("trader", SOL)
        house.trade("trader", BTC, units("0.1"))
        laws_hold(house)
