"""Feeds that lie: one is outvoted, two that differ stop the market, two that agree are believed.

The price is the median of the feeds that agree within 2 % of the median, and two of three must. So one liar is dropped
and its lie costs nobody anything; two who lie apart leave no two that agree, and `QuorumNotMet` stops all that needs a
price. Two who tell the same lie are the majority. No contract knows better than its feeds: who owns two of them owns
the market, and the last act shows what that costs and whom.
"""

from __future__ import annotations

from typing import Annotated

from perpkit.backend import Sandbox
from perpkit.keeper.keeper import KeeperReport
from perpkit.market_setup import DOLLAR, ROLES, UNIT, feed_answer, feed_labels
from perpkit.model.errors import QuorumNotMet
from perpkit.model.market_ledger import GRACE_PERIOD, OUTAGE
from perpkit.picture import PRICE, Panel, Picture, Series
from perpkit.scenarios.blind_stage import BlindStage
from perpkit.scenarios.parameters import Between
from perpkit.scenarios.pictures import equity_panel, money_panel, over_steps
from perpkit.scenarios.story import StoryResult

NAME = "oracle_lies"
IN_A_LINE = "One lying feed of three is outvoted, two that differ stop the market, two that agree rob it."

ETH = 0


class FeedStage(BlindStage):
    """A stage that notes beside the ledger what each feed of ETH says."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.answers: tuple[int, ...] = (4_000, 4_000, 4_000)
        self.said: list[tuple[int, ...]] = []
        super().__init__(sandbox)

    def tell(self, words: str) -> None:
        super().tell(words)
        self.said.append(self.answers)


def publish(stage: FeedStage, answers: tuple[int, int, int], *, mark: int | None, after: int = 60) -> KeeperReport:
    """Each feed of ETH says its own price {usd}, `after` seconds later, and the keeper answers. `mark` is what comes of
    it."""
    if mark is not None:
        stage.prices[ETH] = mark * UNIT
    stage.answers = answers
    stage.sandbox.set_time(stage.sandbox.timestamp + after)
    feeds = tuple(stage.sandbox.deployed[label].address for label in feed_labels(stage.setup.markets[ETH]))
    prices = tuple(feed_answer(answer * UNIT) for answer in answers)
    stage.sandbox.transact("board", "push", feeds, prices, sender=ROLES["publisher"])
    stage.watch()
    report = stage.keeper.step()
    stage.watch()
    return report


def play(
    sandbox: Sandbox,
    *,
    lie: Annotated[int, "the false price in dollars, low enough to bankrupt the long", Between(1, 3_750)] = 2_000,
) -> StoryResult:
    stage = FeedStage(sandbox)
    # Both fill at 4,000 * (1 + 5e-6) = 4,000.02; fees are 5 bp and 2 bp of 40,000.2: 20.0001 and 8.00004.
    trader = stage.deposit("trader", 2_000)
    stage.trade("trader", "ETH-USD", milli=10_000)
    counterparty = stage.deposit("counterparty", 10_000)
    stage.trade("counterparty", "ETH-USD", milli=-10_000)
    whale = stage.deposit("whale", 1_000)
    stage.tell("A 20x long and a short of 10 ETH each at 4,000; the whale has money here and no position.")

    report = publish(stage, (lie, 4_000, 4_010), mark=4_005)
    stage.tell(f"One feed of three says {lie:,}. It is dropped: the price is the middle of the other two, 4,005.")
    view = sandbox.call("lens", "markets")[ETH]
    stage.expect("the mark is the median of the honest two", view.priced and view.mark == 4_005 * UNIT)
    stage.expect("one liar liquidates nobody", report.transactions == 0)
    # 2,000 - 20.0001 + 10 * (4,005 - 4,000.02)
    stage.expect("the long has 2,029.7999", stage.view("trader").equity == 2_029_799_900)

    # The median is the second lie, halfway, and nobody is within 2 % of it.
    report = publish(stage, (lie, (lie + 4_000) // 2, 4_000), mark=None)
    apart = QuorumNotMet(ETH, 1, stage.setup.markets[ETH].quorum)
    stage.expect_refused("a trade", apart, "trader", "trade", trader, ETH, -10 * UNIT, 0)
    stage.expect_refused("settling", apart, "outsider", "settle", trader, ETH)
    stage.expect_refused("a liquidation", apart, "keeper", "liquidate", trader, ETH)
    withdrawal = ("withdraw", trader, DOLLAR, ROLES["trader"])
    stage.expect_refused("withdrawing from under a position", apart, "trader", *withdrawal)
    stage.expect("two who lie apart liquidate nobody", not report.liquidations and not report.refusals)
    stage.expect("the keeper records the outage", [event.grace_until for event in report.outages] == [OUTAGE])
    stage.tell("Two feeds lie, each its own lie: no two agree, and the market stops at its last price.")

    stage.deposit("trader", 500)
    stage.act("whale", "withdraw", whale, 1_000 * DOLLAR, ROLES["whale"])
    stage.tell("The long deposits 500 all the same, and the whale withdraws its 1,000: that needs no price.")
    stage.expect("the deposit is booked", sandbox.call("clearinghouse", "collateral_of", trader) == 2_479_999_900)

    report = publish(stage, (4_000, 4_000, 4_000), mark=4_000)
    stage.tell("The feeds are healed at 4,000, and all goes on where it stood.")
    # 2,500 - 20.0001 + 10 * (4,000 - 4,000.02), and 10,000 - 8.00004 + 0.2; no funding, as long and short are equal.
    equities = stage.view("trader").equity, stage.view("counterparty").equity
    stage.expect("the stop cost nobody anything", equities == (2_479_799_900, 9_992_199_960))
    stage.expect("and the keeper records its end, and no more", report.transactions == len(report.outages) == 1)

    # When the grace after the stop is over.
    report = publish(stage, (lie, lie, 4_000), mark=lie, after=GRACE_PERIOD)
    stage.tell(f"Two feeds tell the same lie, {lie:,}. Now the honest one is dropped, and the long is liquidated.")
    # 2,479.9999 + 10 * (lie - 4,000.02); at 2,000 17,520.2001 are missing.
    bad_debt = 37_520_200_100 - 10 * lie * DOLLAR
    reward = 25_000 * lie  # 0.25 % of 10 * lie, from the fund
    results = [event.result for event in report.liquidations]
    stage.expect(
        "a lie that two tell is believed: the long is bankrupt",
        [(r.mark, r.closed, r.bad_debt, r.reward) for r in results] == [(lie * UNIT, 10 * UNIT, bad_debt, reward)],
    )
    stage.expect("the long lost all it had deposited, and no more", stage.view("trader").equity == 0)
    # 500,000 and a tenth of both fees, 2.00001 + 0.800004.
    insurance = 500_002_800_014 - reward - bad_debt
    stage.expect("the insurance fund paid for the lie", stage.steps[-1].insurance == insurance)

    stage.trade("counterparty", "ETH-USD", milli=10_000)
    # The short buys from -10 to 0 at lie * (1 - 5e-6), and pays 2 bp of that.
    bought = 10 * lie * DOLLAR - 50 * lie
    fee = -(-bought * 2 // 10_000)
    taken = 49_992_199_960 - bought - fee  # 10,000 - 8.00004 + 40,000.2 less what it bought for
    stage.act("counterparty", "withdraw", counterparty, taken, ROLES["counterparty"])
    publish(stage, (4_000, 4_000, 4_000), mark=4_000)
    stage.tell("Whoever was short closed at the lie and left with the money. The price is 4,000 again, too late.")
    wallet = sandbox.call("token", "balance_of", ROLES["counterparty"])
    stage.expect("the short leaves with the gain of a lie", wallet == 990_000 * DOLLAR + taken)
    stage.expect("the long stays at nothing", stage.view("trader").equity == 0 and not stage.view("trader").positions)
    stage.expect("the fund stays poorer", stage.steps[-1].insurance == insurance + fee // 10)
    # What the pool paid the short less what it had from the long, and eight tenths of the three fees.
    pool = 20_000_000 * DOLLAR - (40_000_200_000 - bought) + (40_000_200_000 - 10 * lie * DOLLAR)
    pool += 16_000_080 + 6_400_032 + fee - 2 * (fee // 10)
    stage.expect("the pool has what the books say", stage.steps[-1].pool == pool)
    return stage.end(NAME, _picture(stage))


def _picture(stage: FeedStage) -> Picture:
    steps = stage.steps
    feeds = [Series(f"feed {i + 1}", tuple(said[i] * UNIT for said in stage.said)) for i in range(3)]
    marks = tuple(step.prices["ETH-USD"] if priced else None for step, priced in zip(steps, stage.priced, strict=True))
    hits = tuple(number for number, step in enumerate(steps, 1) if step.liquidated)
    return over_steps(
        "What three feeds say, and what comes of it",
        "One lie is outvoted, two that differ leave no price at all, two that agree are the price.",
        steps,
        Panel("Price of ETH-USD", PRICE, (*feeds, Series("price", marks, hits))),
        equity_panel(steps, {"trader": "long", "counterparty": "short"}),
        money_panel("Insurance fund", fund=[step.insurance for step in steps]),
        stretches=stage.blind_stretches("no price"),
    )
