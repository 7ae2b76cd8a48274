"""Whoever recorded both ends of a short outage took away the grace that a pause had given."""

from __future__ import annotations

import pytest
from roles import ETH, HOUR, START, House, dollars, units

from perpkit.local import LocalBackend
from perpkit.market_setup import set_up
from perpkit.model.errors import GracePeriod
from perpkit.model.market_ledger import GRACE_PERIOD, LIQUIDATE
from perpkit.revm import RevmBackend


@pytest.fixture(params=[LocalBackend, RevmBackend], ids=["model", "revm"])
def doomed(request: pytest.FixtureRequest) -> House:
    """A long of 1 ETH with 100 dollars, at 3,930: 100 - 2 - 70 is below 39.30."""
    sandbox = request.param(timestamp=START)
    set_up(sandbox)
    house = House(sandbox)
    house.deposit("trader", dollars(100))
    house.trade("trader", ETH, units(1))
    house.set_price(ETH, 3_930)
    return house


def test_a_pause_that_ended_within_a_short_outage_has_its_grace(doomed: House) -> None:
    """Liquidations resume while there is no price; the outage is over a minute later, the 15 minutes are not."""
    doomed.pause(ETH, LIQUIDATE)
    doomed.wait(HOUR + 1, refresh=False)
    doomed.record_outage(ETH)
    doomed.pause(ETH, 0)
    until = doomed.sandbox.timestamp + GRACE_PERIOD
    doomed.wait(60)
    doomed.record_outage(ETH)
    assert doomed.state(ETH).grace_until == until
    with pytest.raises(GracePeriod):
        doomed.liquidate("trader", ETH)
    doomed.wait(GRACE_PERIOD - 60)
    doomed.liquidate("trader", ETH)


def test_a_grace_that_ran_already_goes_on_after_a_short_outage(doomed: House) -> None:
    """The price is silenced and comes back within it, and both are recorded."""
    doomed.pause(ETH, LIQUIDATE)
    doomed.pause(ETH, 0)
    until = doomed.sandbox.timestamp + GRACE_PERIOD
    doomed.do("set_halted", ETH, True, by="governor", label="oracle")
    doomed.record_outage(ETH, by="keeper")
    doomed.do("set_halted", ETH, False, by="governor", label="oracle")
    doomed.record_outage(ETH, by="keeper")
    assert doomed.state(ETH).grace_until == until
    with pytest.raises(GracePeriod):
        doomed.liquidate("trader", ETH)
