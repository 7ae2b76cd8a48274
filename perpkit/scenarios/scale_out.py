"""Four ways out of the same long while ETH rises to a peak and falls back to where it began.

One sells everything at the first target, one a quarter at each of four, one trails 5 % below the highest price, one
waits for the last target or nothing.
"""

from __future__ import annotations

from typing import Annotated

from perpkit.backend import Sandbox
from perpkit.market_setup import DOLLAR, UNIT
from perpkit.model.types import OrderKind
from perpkit.picture import LINES, Level
from perpkit.scenarios.parameters import Between
from perpkit.scenarios.pictures import equity_panel, over_steps, price_panel, size_panel
from perpkit.scenarios.story import Stage, StoryResult

NAME = "scale_out"
IN_A_LINE = (
    "ETH rises to 4,700 and back: a trailing stop keeps 4,500, a ladder 3,000, one target 2,000, all or nothing none."
)

ETH = "ETH-USD"
START, STEP = 4_000, 50
TARGETS = (4_200, 4_400, 4_600, 4_800)
TRAIL = 5
MARGIN = 20_000
MILLI = 10_000
NAMES = {
    "trader": "one target",
    "counterparty": "ladder",
    "operator": "trailing",
    "whale": "all",
}


def play(
    sandbox: Sandbox,
    *,
    peak: Annotated[int, "how high ETH rises, in dollars, in steps of 50", Between(4_050, 5_000)] = 4_700,
) -> StoryResult:
    peak = peak // STEP * STEP
    stage = Stage(sandbox)
    for role in NAMES:
        stage.deposit(role, MARGIN)
        stage.trade(role, ETH, milli=MILLI)
    stage.place("trader", ETH, OrderKind.TAKE_PROFIT, milli=-MILLI, trigger=TARGETS[0])
    rungs = [
        stage.place("counterparty", ETH, OrderKind.TAKE_PROFIT, milli=-MILLI // len(TARGETS), trigger=target)
        for target in TARGETS
    ]
    trailing = stage.place("operator", ETH, OrderKind.TRAILING_STOP, milli=-MILLI, trail_percent=TRAIL)
    stage.place("whale", ETH, OrderKind.TAKE_PROFIT, milli=-MILLI, trigger=TARGETS[-1])
    stage.tell("Four longs of 10 ETH at 4,000, and four ways out.")

    for price in range(START + STEP, peak + STEP, STEP):
        stage.price(ETH, price)
        if price in TARGETS:
            stage.tell(f"ETH reaches {price:,}.")
    stage.tell(f"ETH stands at its peak of {peak:,}.")
    reached = [target for target in TARGETS if target <= peak]
    for price in range(peak - STEP, START - STEP, -STEP):
        stage.price(ETH, price)
        if (peak - price) % 200 == 0 or price == START:
            stage.tell(f"ETH is down at {price:,} again.")

    fills = stage.fills()
    stage.expect(f"the ladder sold {len(reached)} of 4 quarters", sum(rung in fills for rung in rungs) == len(reached))
    stop = peak * (100 - TRAIL) // 100
    # The first price on the way down, in steps of 50, that is not above 95 % of the peak.
    sold_at = next((p for p in range(peak - STEP, START - STEP, -STEP) if p * 100 <= peak * (100 - TRAIL)), None)
    if sold_at is None:
        stage.expect("the trailing stop was not reached", trailing not in fills)
    else:
        stage.expect(
            f"the trailing stop followed up to {stop:,} and sold at {sold_at:,}",
            trailing in fills and fills[trailing].result.mark == sold_at * UNIT,
        )
    gains = {role: stage.view(role).equity - MARGIN * DOLLAR for role in NAMES}
    ladder = sum(target - START for target in reached) * MILLI // 1_000 // len(TARGETS)
    single = TARGETS[0] - START if reached else 0
    last = TARGETS[-1] - START if TARGETS[-1] in reached else 0
    trailed = sold_at - START if sold_at is not None else 0
    told = {"trader": single * 10, "counterparty": ladder, "operator": trailed * 10, "whale": last * 10}
    for role, gain in told.items():
        # Fees are at most 5 hundredths of a per cent on both ways, 25 dollars each; premium and funding are less.
        stage.expect(f"{NAMES[role]} ends with {gain:,} before fees", abs(gains[role] - gain * DOLLAR) < 60 * DOLLAR)
    picture = over_steps(
        "Ways out",
        "What each holds and is worth while the price rises and falls back.",
        stage.steps,
        price_panel(
            stage.steps, ETH, levels=tuple(Level(f"target {i}", target * UNIT) for i, target in enumerate(TARGETS, 1))
        ),
        size_panel(stage.steps, NAMES),
        equity_panel(stage.steps, NAMES, shown=LINES),
    )
    return stage.end(NAME, picture)
