"""A reflexive market: what is liquidated is sold outside, which moves the price, which liquidates more.

The same ten longs and the same shock twice: with an impact of zero, rolled back, then with the coefficient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from perpkit.backend import Sandbox
from perpkit.keeper.keeper import KeeperReport
from perpkit.market_setup import DOLLAR, UNIT
from perpkit.scenarios.story import Stage, StoryResult

NAME = "cascade"
IN_A_LINE = "Liquidations move the price and liquidate more; the same shock without impact takes far fewer."

# Basis points per million dollars that are liquidated.
IMPACT = 100
LONGS = 10
# 120 ETH each, 480,000 at 4,000: from 25x (4.0 % of margin) in steps of 0.4 % to 13x (7.6 %).
MILLI = 120_000
FIRST_MARGIN, MORE_MARGIN = 19_200, 1_920
SHOCK = 3_870
QUANTUM = UNIT // DOLLAR


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run ended. Volume in quanta, price 1e18."""

    stage: Stage
    hit: int
    volume: int
    price: int


def play(
    sandbox: Sandbox,
    *,
    impact: Annotated[int, "basis points that the price falls per million dollars liquidated"] = IMPACT,
) -> StoryResult:
    impact = max(impact, 0)
    with sandbox.rolled_back():
        calm = run(sandbox, impact=0)
    wild = run(sandbox, impact=impact)
    stage = wild.stage
    stage.steps = [*calm.stage.steps, *stage.steps]
    # 4,000 to 3,870 is 3.25 %: who has 4.0 % keeps less than the 1 % of maintenance, who has 4.4 % just keeps more.
    stage.expect("without impact the shock hits one long", calm.hit == 1)
    # Equity 19,200 - 240 of fee - 29 of premium - 120 * 130 = 3,331; to initial margin 9,288 - 3,331 are missing, which
    # closing 102.6 ETH at 3,870 * (0.02 - 0.005) each restores: 397,000 dollars.
    stage.expect("that one sells 397,000 dollars", 397_000 * DOLLAR <= calm.volume < 398_000 * DOLLAR)
    stage.expect("without impact the price stays where the shock left it", calm.price == SHOCK * UNIT)
    stage.expect("impact saves nobody", wild.hit >= calm.hit and wild.volume >= calm.volume)
    stage.expect("the price is no higher for it", wild.price <= calm.price)
    if impact >= IMPACT:
        # At 1 % per million they move the price by 0.397 % of 3,870 to 3,854.6, 3.63 % below 4,000: who has 4.4 %, less
        # 0.05 % of fee and 0.02 % of premium, keeps 0.70 % and is next, and so on.
        stage.expect("with impact more are hit than without", wild.hit > calm.hit)
    stage.expect("every law holds in the run without impact", all(calm.stage.watchman.laws.values()))
    return stage.end(NAME)


def run(sandbox: Sandbox, *, impact: int) -> Outcome:
    """Ten longs, a shock, and as many echoes as it takes."""
    stage = Stage(sandbox)
    for number in range(LONGS):
        stage.deposit("whale", FIRST_MARGIN + MORE_MARGIN * number, sub=number)
        stage.trade("whale", "ETH-USD", milli=MILLI, sub=number)
    stage.tell(f"Impact {impact}: ten longs of 120 ETH at 4,000, from 25x to 13x.")
    price, volume = SHOCK * UNIT, 0
    report = stage.price_exactly({"ETH-USD": price})
    stage.tell(f"Impact {impact}: ETH falls to {SHOCK:,} from outside, and {_sold(report)} are liquidated.")
    while report.liquidations:
        sold = _volume(report)
        volume += sold
        fallen = after_impact(price, sold, impact)
        if fallen == price:
            break
        price = fallen
        report = stage.price_exactly({"ETH-USD": price}, after=15)
        price = stage.prices[stage.symbols["ETH-USD"]]
        cents = price // (UNIT // 100)
        stage.tell(f"Impact {impact}: that moves ETH to {cents // 100:,}.{cents % 100:02}; {_sold(report)} follow.")
    hit = sum(stage.milli(name) < MILLI for name in stage.cast)
    return Outcome(stage, hit, volume, price)


def after_impact(price: int, sold: int, impact: int) -> int:
    """The price after `sold` quanta were sold at `impact` basis points per million; it halves at worst."""
    drop = price * impact * sold // (10_000 * 1_000_000 * DOLLAR)
    return max(price - drop, price // 2)


def _volume(report: KeeperReport) -> int:
    """What was liquidated, in quanta."""
    return sum(event.result.closed * event.result.mark // UNIT // QUANTUM for event in report.liquidations)


def _sold(report: KeeperReport) -> str:
    return f"{_volume(report) // DOLLAR:,} dollars"
