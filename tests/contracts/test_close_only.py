"""Close-only: with bit 16 set a market goes on, but only toward its end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from expect import event_of, refuses
from roles import ETH, SOL, House, acc, dollars, units

from perpkit.model.errors import BelowInitialMargin, BelowMaintenanceMargin, InvalidParameter, MarketActionPaused
from perpkit.model.events import Liquidated, MarketPaused, Traded
from perpkit.model.market_ledger import INCREASE

REFUSED: dict[str, Callable[[House], object]] = {
    "opening": lambda h: h.trade("whale", ETH, units(1)),
    "opening against the skew": lambda h: h.trade("whale", ETH, -units(1)),
    "adding": lambda h: h.trade("trader", ETH, 1),
    "flipping": lambda h: h.trade("trader", ETH, -units(10) - 1),
    "asking what an opening would do": lambda h: h.ask(
        "preview_trade", acc("whale"), ETH, units(1), 2**255 - 1, label="lens"
    ),
}


@pytest.fixture
def closing(house: House) -> House:
    """Trader long 10 ETH, counterparty short 4, the whale with money only; then only reductions trade."""
    for name, delta in (("trader", 10), ("counterparty", -4)):
        house.deposit(name, dollars(2_000))
        house.trade(name, ETH, units(delta))
    house.deposit("whale", dollars(2_000))
    receipt = house.pause(ETH, INCREASE)
    assert receipt.events == (MarketPaused(ETH, house.state(ETH).sequence, 16, 0),)
    return house


# --- refusals


@pytest.mark.parametrize("what", REFUSED)
def test_whatever_makes_a_position_larger_is_refused(closing: House, what: str) -> None:
    """Even where it would reduce the skew."""
    with refuses(closing, MarketActionPaused(ETH, INCREASE)):
        REFUSED[what](closing)


def test_a_bit_that_means_nothing_is_refused(house: House) -> None:
    """32 is the end of a market and not a pause; the others are nothing at all."""
    for bits in (32, 63, 64, 2**15):
        with refuses(house, InvalidParameter("bits")):
            house.pause(ETH, bits)
    house.pause(ETH, 31)


def test_a_reduction_still_has_to_leave_maintenance_margin(closing: House) -> None:
    """At 3,811: 2,000 - 20.0001 - 10 * 189.02 = 89.7999; half of it would need 190.55."""
    closing.set_price(ETH, 3_811)
    with pytest.raises(BelowMaintenanceMargin):
        closing.trade("trader", ETH, -units(5))


def test_without_the_bit_the_old_rules_hold(closing: House) -> None:
    """A must-fail twin: the same opening, too large, is refused for its margin."""
    closing.pause(ETH, 0)
    with pytest.raises(BelowInitialMargin):
        closing.trade("whale", ETH, units(100))


# --- success


@pytest.mark.parametrize("delta", [-1, -5, -10], ids=["a little", "half", "all"])
def test_making_a_position_smaller_goes_on(closing: House, delta: int) -> None:
    """Of a long and of a short, down to nothing."""
    event = event_of(closing, closing.trade("trader", ETH, units(delta)), Traded)
    assert event.position.size == units(10 + delta)
    event = event_of(closing, closing.trade("counterparty", ETH, units(4)), Traded)
    assert event.position.size == 0


def test_everything_else_goes_on(closing: House) -> None:
    """Settling, margin, liquidation, and the other markets."""
    closing.settle("trader", ETH)
    closing.deposit("trader", dollars(10))
    closing.withdraw("trader", dollars(10))
    closing.trade("whale", SOL, units(10))
    closing.set_price(ETH, 3_811)
    assert event_of(closing, closing.liquidate("trader", ETH), Liquidated).result.closed == units(10)


def test_the_market_opens_again(closing: House) -> None:
    """And without grace, as liquidations were never paused."""
    assert closing.pause(ETH, 0).events == (MarketPaused(ETH, closing.state(ETH).sequence, 0, 0),)
    closing.trade("whale", ETH, units(1))


def test_a_market_may_be_emptied(closing: House) -> None:
    """All that is left to do."""
    closing.close("trader", ETH)
    closing.close("counterparty", ETH)
    state = closing.state(ETH)
    assert (state.long_oi, state.short_oi, state.long_basis, state.short_basis) == (0, 0, 0, 0)
