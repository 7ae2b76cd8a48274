"""A crowd of 20x shorts pays funding to be short, and is bought back step by step as ETH rises.

A short of leverage L goes above `entry * (1 + 1/L) / (1 + mmr)`: at 20x 3.96 % above its entry. Three crowds sold on
the way down, so the last one goes first: near 4,075 who sold at 3,920, near 4,117 at 3,960, near 4,158 at 4,000.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from perpkit.backend import Sandbox
from perpkit.market_setup import DOLLAR, UNIT
from perpkit.model.events import Liquidated
from perpkit.picture import SIZE, Panel, Picture, Series
from perpkit.scenarios.parameters import Seed
from perpkit.scenarios.pictures import equity_panel, liquidation_levels, over_steps, price_panel
from perpkit.scenarios.story import ANY_PRICE, Stage, StoryResult

NAME = "short_squeeze"
IN_A_LINE = "20x shorts crowd in and pay funding; ETH rises in steps and each liquidation buys them back."

DAY = 24 * 3600
RISE = (4_060, 4_080, 4_120, 4_160, 4_240)


@dataclass(frozen=True, slots=True)
class Short:
    """Who sold how much: thousandths of an ETH, at a price in dollars, with how much leverage."""

    role: str
    price: int
    milli: int = 100_000
    leverage: int = 20

    @property
    def margin(self) -> int:
        return self.price * self.milli // (1_000 * self.leverage)


def crowd(seed: int) -> tuple[Short, ...]:
    """Three shorts. A seed draws sizes from 60 to 140 ETH and leverages from 16x to 24x."""
    sold = {"trader": 4_000, "counterparty": 3_960, "whale": 3_920}
    rng = Random(seed)
    if seed == 0:
        return tuple(Short(role, price) for role, price in sold.items())
    return tuple(Short(role, price, rng.randint(60, 140) * 1_000, rng.randint(16, 24)) for role, price in sold.items())


def play(sandbox: Sandbox, *, seed: Seed = 0) -> StoryResult:
    shorts = crowd(seed)
    stage = Stage(sandbox)
    stage.deposit("market_maker", 100_000)
    stage.trade("market_maker", "ETH-USD", milli=50_000)
    for short in shorts:
        stage.price("ETH-USD", short.price)
        stage.deposit(short.role, short.margin)
        stage.trade(short.role, "ETH-USD", milli=-short.milli)
    many = "100 ETH short with 20x" if seed == 0 else "60 to 140 ETH short with 16x to 24x"
    stage.tell(f"ETH slides from 4,000 to 3,920, and at each step somebody sells {many}.")

    paid, received = _funding(stage, "whale"), _funding(stage, "market_maker")
    stage.advance(DAY)
    stage.tell("A day passes at 3,920: the crowd pays to be short.")
    paid, received = _funding(stage, "whale") - paid, _funding(stage, "market_maker") - received
    if seed == 0:
        # Skew 50 - 300 = -250 of 1,000,000: -0.025 % per 8 hours, -0.075 % a day, 2.94 dollars on each ETH at 3,920.
        stage.expect("each short pays 294.00 for the day", paid == -294 * DOLLAR)
        stage.expect("the long receives 147.00", received == 147 * DOLLAR)
    # {quanta} 3,920 * skew / 1,000,000 * 3 on each ETH; each side rounds down.
    a_day = 3_920 * 3 * abs(_skew(stage)) * DOLLAR // (1_000_000 * UNIT)
    stage.expect("a short pays notional * rate * 3", -1 <= paid + shorts[-1].milli * a_day // 1_000 <= 1)
    stage.expect("the long receives as much on each ETH", -1 <= received - 50 * a_day <= 1)

    skews, squeezed, longs = [_skew(stage)], [], [stage.view("market_maker").equity]
    passed = True
    for dollars in RISE:
        goes_at = {short.role: _liquidation_price(stage, short.role) for short in shorts}
        report = stage.price("ETH-USD", dollars)
        bought = sum(event.result.closed for event in report.liquidations)
        # Shorts are the only ones who go, so that all that is closed comes off a negative skew.
        skews.append(_skew(stage))
        stage.expect(f"at {dollars:,} the liquidations buy back what they close", skews[-1] - skews[-2] == bought)
        squeezed.append(_names(stage, report.liquidations))
        # Within a dollar, for the funding of a minute.
        surely, maybe = ({role for role, at in goes_at.items() if at < (dollars + more) * UNIT} for more in (-1, 1))
        passed = passed and surely <= set(squeezed[-1]) <= maybe
        longs.append(stage.view("market_maker").equity)
        stage.tell(f"At {dollars:,} {_sentence(squeezed[-1])}")
    stage.expect("whose liquidation price is passed must buy back, nobody else", passed)
    if seed == 0:
        stage.expect("nobody goes at 4,060", not squeezed[0])
        stage.expect("who sold lowest goes first", squeezed[1] == ["whale"])
        stage.expect("the next goes at 4,120", "counterparty" in squeezed[2] and "trader" not in squeezed[2])
        stage.expect("the first seller goes last, at 4,160", "trader" in squeezed[3])
    stage.expect("the long gains at every step", longs == sorted(set(longs)))
    # 50 ETH from 4,000 to 4,240 are 12,000, more a day's funding of 147 and less a fee of 100 at most.
    most = 112_050 * DOLLAR + received
    stage.expect("the long has made 12,000 and its funding", most - 200 * DOLLAR < longs[-1] < most)
    stage.expect("the crowd has lost its short", all(abs(stage.milli(s.role)) < s.milli // 2 for s in shorts))
    stage.expect("no deficit stands", stage.steps[-1].deficit == 0)
    return stage.end(NAME, _picture(stage, shorts))


def _picture(stage: Stage, shorts: tuple[Short, ...]) -> Picture:
    steps = stage.steps
    names = {short.role: short.role for short in shorts}
    held = [sum(min(step.accounts[short.role]["size"], 0) for short in shorts) for step in steps]
    return over_steps(
        "The squeeze",
        "Each liquidation price that the rise passes makes a short buy back; the long gains what they lose.",
        steps,
        price_panel(steps, levels=liquidation_levels(steps, names)),
        Panel("Bought back so far, ETH", SIZE, (Series("crowd", tuple(size - held[0] for size in held)),)),
        equity_panel(steps),
    )


def _liquidation_price(stage: Stage, role: str) -> int:
    """At which a short goes {1e18}; never, when nothing is left of it."""
    positions = stage.view(role).positions
    return positions[0].liquidation_price if positions else ANY_PRICE


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
