"""A stop is a promise to sell, not a promise of a price: what opens below it fills below it.

Two longs of 10 ETH have a stop at 3,800; one of them will not sell below 3,790. A third holds the same value in BTC
with a stop 5 % below as well. ETH opens 12.5 % lower; BTC falls by one per cent a minute.
"""

from __future__ import annotations

from typing import Annotated

from perpkit.backend import Sandbox
from perpkit.market_setup import DOLLAR, UNIT
from perpkit.model.types import OrderKind
from perpkit.picture import Level
from perpkit.scenarios.parameters import Between
from perpkit.scenarios.pictures import equity_panel, over_steps, price_panel, size_panel
from perpkit.scenarios.story import Stage, StoryResult

NAME = "gap_through_stop"
IN_A_LINE = (
    "ETH opens 12.5 % lower: a stop at 3,800 fills at 3,500, one with a floor waits, BTC's in a slow fall fills near."
)

ETH, BTC = "ETH-USD", "BTC-USD"
START, STOP, FLOOR = 4_000, 3_800, 3_790
BTC_START, BTC_STOP = 100_000, 95_000
MARGIN = 10_000
ETH_MILLI, BTC_MILLI = 10_000, 400  # 40,000 dollars each


def play(
    sandbox: Sandbox,
    *,
    opens_at: Annotated[int, "where ETH opens, in dollars, below both stop and floor", Between(3_100, 3_780)] = 3_500,
) -> StoryResult:
    stage = Stage(sandbox)
    for role in ("trader", "counterparty"):
        stage.deposit(role, MARGIN)
        stage.trade(role, ETH, milli=ETH_MILLI)
    stage.deposit("whale", MARGIN)
    stage.trade("whale", BTC, milli=BTC_MILLI)
    bare = stage.place("trader", ETH, OrderKind.STOP, milli=-ETH_MILLI, trigger=STOP)
    floored = stage.place("counterparty", ETH, OrderKind.STOP, milli=-ETH_MILLI, trigger=STOP, worst=FLOOR)
    slow = stage.place("whale", BTC, OrderKind.STOP, milli=-BTC_MILLI, trigger=BTC_STOP)
    stage.tell("Three longs of 40,000 dollars with 10,000 each, and a stop 5 % below; one will not sell below 3,790.")

    for percent in range(1, 7):
        stage.price(BTC, BTC_START * (100 - percent) // 100)
        if percent in (2, 4):
            stage.tell(f"BTC is {percent} % lower, and every stop stands.")
    stage.tell("BTC fell by one per cent a minute, and its stop was filled on the way.")
    fill = stage.fills()[slow].result
    # At 95,000 the trigger is met: the mark is the trigger.
    stage.expect("a stop in a slow fall fills at its trigger", fill.mark == BTC_STOP * UNIT)
    # 0.4 * (100,000 - 95,000) = 2,000, and what the premium moves.
    stage.expect("and loses the 2,000 that it promised", -2_010 * DOLLAR < fill.realized < -1_990 * DOLLAR)

    stage.price(ETH, opens_at, after=8 * 3_600)
    stage.tell(f"Eight hours later ETH opens at {opens_at:,}: the stop at 3,800 is filled there.")
    gap = stage.fills()[bare].result
    lost = (START - opens_at) * ETH_MILLI // 1_000
    stage.expect("a stop fills where the market opens", gap.mark == opens_at * UNIT and gap.fill < gap.mark + UNIT)
    stage.expect(
        f"and loses {lost:,}, where its trigger said 2,000",
        -(lost + 10) * DOLLAR < gap.realized < -(lost - 10) * DOLLAR,
    )
    stage.expect("a stop with a floor is not filled below it", floored not in stage.fills())
    stage.expect("so its owner still holds 10 ETH", stage.milli("counterparty") == ETH_MILLI)

    stage.price(ETH, STOP - 5)
    stage.tell("ETH comes back to 3,795, under the trigger and over the floor: now the other stop is filled.")
    late = stage.fills()[floored].result
    stage.expect("a floor can be met later", late.fill >= FLOOR * UNIT)
    better = stage.view("counterparty").equity - stage.view("trader").equity
    # Both sold 10 ETH; funding apart, the difference is that of the two fills and of the fees on them.
    gained = (late.fill - gap.fill) * ETH_MILLI // 1_000 // (UNIT // DOLLAR)
    stage.expect(f"who waited has {gained // DOLLAR:,} more, this time", abs(better - gained) < 20 * DOLLAR)
    stage.expect("nobody was liquidated", not any(step.liquidated for step in stage.steps))
    names = {"trader": "plain stop", "counterparty": "with a floor"}
    picture = over_steps(
        "Through the stop",
        "The price jumps over the trigger: the plain stop fills where it lands, the one with a floor waits.",
        stage.steps,
        price_panel(stage.steps, ETH, levels=(Level("trigger", STOP * UNIT),)),
        size_panel(stage.steps, names),
        equity_panel(stage.steps, names | {"whale": "BTC, slowly"}),
    )
    return stage.end(NAME, picture)
