"""ETH falls from 4,000 to 3,300 in steps: who goes when, and who pays.

Four traders with the same price and different leverage. The price at which each goes is known before it falls:
`entry * (1 - 1/leverage) / (1 - mmr)`, a little higher for the fee.
"""

from __future__ import annotations

from perpkit.backend import Sandbox
from perpkit.market_setup import DOLLAR, UNIT
from perpkit.scenarios.pictures import equity_panel, liquidation_levels, over_steps, price_panel, size_panel
from perpkit.scenarios.story import Stage, StoryResult

NAME = "crash"
IN_A_LINE = "ETH falls by 17 % in steps: 45x, 25x and 10x longs go one after the other, a 5x short gains."


def play(sandbox: Sandbox) -> StoryResult:
    stage = Stage(sandbox)
    stage.deposit("trader", 200)
    stage.trade("trader", "ETH-USD", milli=500)  # 0.5 * 4,000 / 200 = 10x
    stage.deposit("counterparty", 1_000)
    stage.trade("counterparty", "ETH-USD", milli=11_250)  # 11.25 * 4,000 / 1,000 = 45x
    stage.deposit("whale", 40_000)
    stage.trade("whale", "ETH-USD", milli=250_000)  # 250 * 4,000 / 40,000 = 25x
    stage.deposit("market_maker", 100_000)
    stage.trade("market_maker", "ETH-USD", milli=-125_000)  # 125 * 4,000 / 100,000 = 5x
    stage.tell("Four traders open at 4,000: 10x, 45x and 25x long, 5x short.")
    liquidation_price = stage.view("trader").positions[0].liquidation_price
    stage.expect("the 10x long goes near 3,636 before fees", 3_636 * UNIT < liquidation_price < 3_640 * UNIT)

    report = stage.price("ETH-USD", 3_950)
    stage.tell("At 3,950 the 45x long is below maintenance margin and is reduced until initial margin stands again.")
    left = stage.view("counterparty")
    stage.expect("the 45x long is liquidated in part", len(report.liquidations) == 1 and bool(left.positions))
    # The lens rounds equity down and the requirement up, each by less than a quantum.
    stage.expect("its initial margin stands again", left.equity + 1 >= left.initial_margin)

    report = stage.price("ETH-USD", 3_800)
    stage.tell("At 3,800 what was left of it is bankrupt, and so is the 25x long.")
    stage.expect("the fund covers bad debt", sum(e.result.covered for e in report.liquidations) > 0)
    stage.expect("the 25x long is gone", not stage.view("whale").positions)

    report = stage.price("ETH-USD", 3_645)
    stage.tell("At 3,645 the 10x long still stands.")
    stage.expect("nobody goes above a liquidation price", not report.liquidations)

    report = stage.price("ETH-USD", 3_630)
    stage.tell("At 3,630 the 10x long goes.")
    stage.expect("the 10x long goes below its liquidation price", len(report.liquidations) == 1)
    stage.expect("it loses no more than its margin", stage.view("trader").equity >= 0)

    stage.price("ETH-USD", 3_300)
    maker = stage.view("market_maker")
    stage.tell("At 3,300 the short has nearly doubled its money.")
    # 125 * (4,000 - 3,300) = 87,500 less fee and premium.
    stage.expect("the short gains", 185_000 * DOLLAR < maker.equity < 188_000 * DOLLAR)
    stage.expect("no deficit stands", stage.steps[-1].deficit == 0)
    levels = liquidation_levels(stage.steps, {"counterparty": "45x goes", "whale": "25x goes", "trader": "10x goes"})
    names = {"counterparty": "45x long", "whale": "25x long", "trader": "10x long", "market_maker": "5x short"}
    picture = over_steps(
        "Who goes when",
        "Each long goes at the price that was known when it was opened; the short gains what they lose.",
        stage.steps,
        price_panel(stage.steps, levels=levels),
        size_panel(stage.steps, names),
        equity_panel(stage.steps, names),
    )
    return stage.end(NAME, picture)
