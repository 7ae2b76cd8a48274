"""A crowd of 20x shorts pays funding to be short, and is bought back step by step as ETH rises.

A short of leverage L goes above `entry * (1 + 1/L) / (1 + mmr)`: at 20x 3.96 % above its entry. Three crowds sold on
the way down, so the last one goes first: near 4,075 who sold at 3,920, near 4,117 at 3,960, near 4,158 at 4,000.
"""

from __future__ import annotations

from perpkit.backend import Sandbox
from perpkit.market_setup import DOLLAR
from perpkit.model.events import Liquidated
from perpkit.scenarios.story import Stage, StoryResult

NAME = "short_squeeze"
IN_A_LINE = "20x shorts crowd in and pay funding; ETH rises in steps and each liquidation buys them back."

DAY = 24 * 3600
MILLI = 100_000
# Who sold 100 ETH at which price with which margin: a twentieth of the notional.
CROWDS = (("trader", 4_000, 20_000), ("counterparty", 3_960, 19_800), ("whale", 3_920, 19_600))


def play(sandbox: Sandbox) -> StoryResult:
    stage = Stage(sandbox)
    stage.deposit("market_maker", 100_000)
    stage.trade("market_maker", "ETH-USD", milli=50_000)
    for role, dollars, margin in CROWDS:
        stage.price("ETH-USD", dollars)
        stage.deposit(role, margin)
        stage.trade(role, "ETH-USD", milli=-MILLI)
    stage.tell("ETH slides from 4,000 to 3,920, and at each step somebody sells 100 ETH short with 20x.")

    paid, received = _funding(stage, "whale"), _funding(stage, "market_maker")
    stage.advance(DAY)
    stage.tell("A day passes at 3,920: the crowd pays to be short.")
    paid, received = _funding(stage, "whale") - paid, _funding(stage, "market_maker") - received
    # Skew 50 - 300 = -250 of 1,000,000: -0.025 % per 8 hours, -0.075 % a day, 2.94 dollars on each ETH at 3,920.
    stage.expect("each short pays 294.00 for the day", paid == -294 * DOLLAR)
    stage.expect("the long receives 147.00", received == 147 * DOLLAR)

    skews, squeezed, longs = [_skew(stage)], [], [stage.view("market_maker").equity]
    for dollars in (4_060, 4_080, 4_120, 4_160, 4_240):
        report = stage.price("ETH-USD", dollars)
        bought = sum(event.result.closed for event in report.liquidations)
        # Shorts are the only ones who go, so that all that is closed comes off a negative skew.
        skews.append(_skew(stage))
        stage.expect(f"at {dollars:,} the liquidations buy back what they close", skews[-1] - skews[-2] == bought)
        squeezed.append(_names(stage, report.liquidations))
        longs.append(stage.view("market_maker").equity)
        stage.tell(f"At {dollars:,} {_sentence(squeezed[-1])}")
    stage.expect("nobody goes at 4,060", not squeezed[0])
    stage.expect("who sold lowest goes first", squeezed[1] == ["whale"])
    stage.expect("the next goes at 4,120", "counterparty" in squeezed[2] and "trader" not in squeezed[2])
    stage.expect("the first seller goes last, at 4,160", "trader" in squeezed[3])
    stage.expect("the long gains at every step", longs == sorted(set(longs)))
    # 50 ETH from 4,000 to 4,240 are 12,000, more a day's funding of 147 and less a fee of 100 at most.
    stage.expect("the long has made 12,000 and its funding", 112_000 * DOLLAR < longs[-1] < 112_200 * DOLLAR)
    stage.expect("the crowd has lost its short", all(abs(stage.milli(role)) < MILLI // 2 for role, _, _ in CROWDS))
    stage.expect("no deficit stands", stage.steps[-1].deficit == 0)
    return stage.end(NAME)


def _funding(stage: Stage, role: str) -> int:
    return stage.view(role).positions[0].funding


def _skew(stage: Stage) -> int:
    state = stage.watchman.book.markets[stage.symbols["ETH-USD"]].state
    return state.long_oi - state.short_oi


def _names(stage: Stage, liquidations: list[Liquidated]) -> list[str]:
    gone = {event.account for event in liquidations}
    return [name for name, account in stage.cast.items() if account in gone]


def _sentence(names: list[str]) -> str:
    return f"{' and '.join(names)} must buy back." if names else "everybody still stands."
