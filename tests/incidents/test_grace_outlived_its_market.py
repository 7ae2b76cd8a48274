"""A market once could end while an outage stood recorded in it, and nobody could record the outage's end after that: a
cross account with a position in it was then out of reach of liquidation in every other market, for ever."""

from __future__ import annotations

import pytest
from roles import DAY, ETH, SOL, START, House, dollars, units

from perpkit.local import LocalBackend
from perpkit.market_setup import set_up
from perpkit.model.errors import GracePeriod
from perpkit.model.market_ledger import GRACE_PERIOD, OUTAGE


def test_a_market_does_not_end_while_an_outage_stands_recorded() -> None:
    """Its end is recorded first, 15 minutes pass, and afterwards the account is liquidated in SOL all the same."""
    sandbox = LocalBackend(timestamp=START)
    set_up(sandbox)
    house = House(sandbox)
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(1))
    house.trade("trader", SOL, units(50))
    house.do("announce_delisting", ETH, by="governor")
    house.wait(DAY, refresh=False)
    house.record_outage(ETH)
    house.refresh()
    with pytest.raises(GracePeriod) as refused:
        house.do("delist_market", ETH, by="governor")
    assert refused.value == GracePeriod(ETH, OUTAGE)

    house.record_outage(ETH)
    house.wait(GRACE_PERIOD)
    house.do("delist_market", ETH, by="governor")
    house.set_price(SOL, 180)
    house.liquidate("trader", SOL)
