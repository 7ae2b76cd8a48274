"""Nobody publishes for longer than the heartbeat: what needs a price refuses, what needs none goes on.

A price counts while it is at most as old as the heartbeat, one hour here, to the second. After that nobody trades,
settles, liquidates or takes margin from under a position, for nobody knows what a position is worth; the money of
accounts without positions stays free. The keeper records the outage, and its end when the price returns: for 15 minutes
from then on nobody is liquidated, so that owners can top up at a price that they can see. After that the keeper acts on
it.
"""

from __future__ import annotations

from typing import Annotated

from perpkit.backend import Sandbox
from perpkit.market_setup import DOLLAR, ROLES, UNIT
from perpkit.model.errors import GracePeriod, StalePrice
from perpkit.model.market_ledger import GRACE_PERIOD, OUTAGE
from perpkit.picture import PRICE, SECONDS, Level, Panel, Picture, Series
from perpkit.scenarios.blind_stage import BlindStage
from perpkit.scenarios.parameters import Between
from perpkit.scenarios.pictures import equity_panel, over_steps
from perpkit.scenarios.story import ANY_PRICE, StoryResult

NAME = "oracle_stale"
IN_A_LINE = (
    "No price for over an hour: positions stand still, free money does not, and the keeper waits 15 minutes more."
)

ETH = 0


def play(
    sandbox: Sandbox,
    *,
    price: Annotated[
        int, "the price in dollars that returns, low enough to liquidate the long", Between(1, 3_820)
    ] = 3_810,
    silence: Annotated[int, "how many seconds no price comes, above the heartbeat", Between(3_601, 2_592_000)] = 3_601,
) -> StoryResult:
    stage = BlindStage(sandbox)
    stage.price("ETH-USD", 4_000)
    published = sandbox.timestamp
    # Both fill at 4,000 * (1 + 5e-6) = 4,000.02; fees are 5 bp and 2 bp of 40,000.2: 20.0001 and 8.00004.
    trader = stage.deposit("trader", 2_000)
    stage.trade("trader", "ETH-USD", milli=10_000)
    stage.deposit("counterparty", 10_000)
    stage.trade("counterparty", "ETH-USD", milli=-10_000)
    whale = stage.deposit("whale", 5_000)
    stage.tell("A 20x long and a short of 10 ETH each at 4,000; the whale has money here and no position.")
    # 2,000 - 20.0001 - 10 * 0.02
    stage.expect("the long has 1,979.7999", stage.view("trader").equity == 1_979_799_900)

    heartbeat = stage.setup.markets[ETH].heartbeat
    sandbox.set_time(published + heartbeat)
    stage.expect("a price as old as the heartbeat still counts", sandbox.call("lens", "markets")[ETH].priced)
    sandbox.set_time(published + silence)
    stage.expect("an older one does not", not sandbox.call("lens", "markets")[ETH].priced)

    stale = StalePrice(ETH, 0, stage.setup.markets[ETH].quorum)
    stage.expect_refused("closing a position", stale, "trader", "trade", trader, ETH, -10 * UNIT, 0)
    stage.expect_refused("opening a position", stale, "whale", "trade", whale, ETH, UNIT, ANY_PRICE)
    stage.expect_refused("settling", stale, "outsider", "settle", trader, ETH)
    stage.expect_refused("liquidating", stale, "keeper", "liquidate", trader, ETH)
    withdrawal = ("withdraw", trader, DOLLAR, ROLES["trader"])
    stage.expect_refused("withdrawing from under a position", stale, "trader", *withdrawal)
    report = stage.keeper.step()
    stage.watch()
    recorded = [event.grace_until for event in report.outages]
    stage.expect("the keeper records the outage, and waits", recorded == [OUTAGE] and report.transactions == 1)
    stage.tell("Nobody has published for over an hour. Every position stands still, written at the last known price.")

    stage.deposit("whale", 1_000)
    stage.act("whale", "withdraw", whale, 4_000 * DOLLAR, ROLES["whale"])
    stage.tell("The whale, without a position, deposits 1,000 and withdraws 4,000: that needs no price.")
    # 5,000 + 1,000 - 4,000
    stage.expect("free money stays free", stage.view("whale").equity == 2_000 * DOLLAR)

    report = stage.price("ETH-USD", price, after=GRACE_PERIOD)
    until = sandbox.timestamp + GRACE_PERIOD
    recorded = [event.grace_until for event in report.outages]
    stage.expect("the keeper records the end, and waits", recorded == [until] and report.transactions == 1)
    stage.expect_refused("liquidating", GracePeriod(ETH, until), "keeper", "liquidate", trader, ETH)
    stage.tell(
        f"The feeds return at {price:,} after 15 minutes more: the long is liquidatable, and has as long to add margin."
    )
    waiting = stage.advance(GRACE_PERIOD - 1)
    stage.expect("nobody is liquidated in its last second", waiting.transactions == 0)
    report = stage.advance(1)
    stage.tell("The 15 minutes are over, nothing was added, and the keeper liquidates.")
    # Long and short are equal, so no funding runs: 1,979.9999 + 10 * (price - 4,000.02).
    equity = 10 * price * DOLLAR - 38_020_200_100
    penalty = min(50_000 * price, max(equity, 0))  # 0.5 % of 10 * price, as far as equity goes
    bad_debt = max(-equity, 0)
    # Half the penalty; of a bankrupt 0.25 % of 10 * price, from the fund.
    reward = penalty // 2 if equity >= 0 else 25_000 * price
    results = [event.result for event in report.liquidations]
    stage.expect(
        "the keeper catches up: the long is liquidated whole",
        [(r.closed, r.penalty, r.reward, r.bad_debt) for r in results] == [(10 * UNIT, penalty, reward, bad_debt)],
    )
    stage.expect("the long keeps what the penalty left", stage.view("trader").equity == max(equity, 0) - penalty)
    # 500,000 and a tenth of both fees, 2.00001 + 0.800004.
    insurance = 500_002_800_014 + penalty - reward - bad_debt
    stage.expect("the fund has what the books say", stage.steps[-1].insurance == insurance)
    # 10,000 - 8.00004 + 10 * (4,000.02 - price)
    short = 49_992_199_960 - 10 * price * DOLLAR
    stage.expect("the short gained all the same", stage.view("counterparty").equity == short)
    return stage.end(NAME, _picture(stage))


def _picture(stage: BlindStage) -> Picture:
    """Each silence is measured from the step before it: that one was told at a price of its own second."""
    steps, heartbeat = stage.steps, stage.setup.markets[ETH].heartbeat
    hits = tuple(number for number, step in enumerate(steps, 1) if step.liquidated)
    prices = tuple(step.prices["ETH-USD"] if priced else None for step, priced in zip(steps, stage.priced, strict=True))
    published, ages = steps[0].seconds, []
    for step, priced in zip(steps, stage.priced, strict=True):
        published = step.seconds if priced else published
        ages.append(step.seconds - published)
    return over_steps(
        "How old the price is, and who waits for it",
        "Once it is older than the heartbeat there is no price; 15 minutes after one returns the long goes.",
        steps,
        Panel("Price of ETH-USD", PRICE, (Series("ETH-USD", prices, hits),)),
        Panel("Age of the price", SECONDS, (Series("age", tuple(ages)),), levels=(Level("heartbeat", heartbeat),)),
        equity_panel(steps),
        stretches=stage.blind_stretches("no price"),
    )
