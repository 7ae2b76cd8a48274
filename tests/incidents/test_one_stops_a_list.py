"""One account without a price elsewhere once made a whole list of liquidations revert."""

from __future__ import annotations

import pytest
from contracts.expect import laws_hold
from roles import BTC, ETH, SOL, House, dollars, units

from perpkit.backend import Sandbox
from perpkit.model.clearinghouse import NOT_LIQUIDATED
from perpkit.model.errors import StalePrice


def test_an_account_without_a_price_elsewhere_is_skipped(perp_sandbox: Sandbox) -> None:
    """The whale's least position in SOL, whose feeds are silent, spares itself for now, and nobody else."""
    with perp_sandbox.rolled_back():
        house = House(perp_sandbox)
        for name in ("trader", "whale", "counterparty"):
            house.deposit(name, dollars(1_000))
            house.trade(name, ETH, units(10))
        house.trade("whale", SOL, units("0.5"))
        house.wait(3_601, refresh=False)
        for market, price in ((ETH, 3_900), (BTC, 100_000)):
            house.set_price(market, price)
        results = house.liquidate_many(ETH, ["trader", "whale", "whale", "counterparty"]).value
        assert [result.closed > 0 for result in results] == [True, False, False, True]
        assert results[1] == NOT_LIQUIDATED
        with pytest.raises(StalePrice):
            house.liquidate("whale", ETH)
        house.set_price(SOL, 200)
        assert house.liquidate_many(ETH, ["whale"]).value[0].closed > 0
        laws_hold(house)
