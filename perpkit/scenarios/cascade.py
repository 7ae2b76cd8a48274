"""A reflexive market: what is liquidated is sold outside, which moves the price, which liquidates more.

The same ten longs and the same shock twice: with an impact of zero, rolled back, then with the coefficient.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Annotated

from perpkit.backend import Sandbox
from perpkit.keeper.keeper import KeeperReport
from perpkit.market_setup import DOLLAR, UNIT
from perpkit.picture import BARS, MONEY, PRICE, SIZE, Panel, Picture, Series
from perpkit.picture import NAME as BY_NAME
from perpkit.scenarios.parameters import Between, Seed
from perpkit.scenarios.story import Stage, StoryResult

NAME = "cascade"
IN_A_LINE = "Liquidations move the price and liquidate more; the same shock without impact takes far fewer."

# Basis points per million dollars that are liquidated.
IMPACT = 100
LONGS = 10
START = 4_000
# 120 ETH each, 480,000 at 4,000: from 25x (4.0 % of margin) in steps of 0.4 % to 13x (7.6 %).
MILLI = 120_000
FIRST_MARGIN, MORE_MARGIN = 19_200, 1_920
SHOCK = 3_870
QUANTUM = UNIT // DOLLAR


@dataclass(frozen=True, slots=True)
class Long:
    """One of the crowd: thousandths of an ETH, and dollars."""

    milli: int
    margin: int

    @property
    def leverage(self) -> str:
        return f"{round(START * self.milli / 1_000 / self.margin)}x"


@dataclass(frozen=True, slots=True)
class Echo:
    """A price {1e18}, and what had been liquidated when the keeper had answered it {quanta}."""

    price: int
    volume: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run ended. The shock passes the liquidation prices of `doomed` of the crowd, to a dollar."""

    stage: Stage
    echoes: tuple[Echo, ...]
    hit: int
    doomed: range
    # The highest liquidation price that the shock leaves alone, with a dollar for the funding on the way. {1e18}
    next_at: int

    @property
    def volume(self) -> int:
        return self.echoes[-1].volume

    @property
    def price(self) -> int:
        return self.echoes[-1].price


def crowd(seed: int) -> tuple[Long, ...]:
    """Ten longs. A seed draws sizes from 60 to 150 ETH and margins from 4.0 % to 9.0 %."""
    if seed == 0:
        return tuple(Long(MILLI, FIRST_MARGIN + MORE_MARGIN * number) for number in range(LONGS))
    rng = Random(seed)
    sizes = [rng.randint(60, 150) for _ in range(LONGS)]
    longs = [Long(size * 1_000, START * size * rng.randint(400, 900) // 10_000) for size in sizes]
    return tuple(sorted(longs, key=lambda long: long.margin / long.milli))


def play(
    sandbox: Sandbox,
    *,
    impact: Annotated[
        int, "basis points that the price falls per million dollars liquidated", Between(0, 1_000)
    ] = IMPACT,
    seed: Seed = 0,
) -> StoryResult:
    longs = crowd(seed)
    with sandbox.rolled_back():
        calm = run(sandbox, longs, impact=0)
    wild = run(sandbox, longs, impact=impact)
    stage = wild.stage
    picture = _price_and_volume(calm, wild, impact), _left(calm, wild, longs, impact)
    stage.steps = [*calm.stage.steps, *stage.steps]
    if seed == 0:
        # 4,000 to 3,870 is 3.25 %: who has 4.0 % keeps less than the 1 % of maintenance, who has 4.4 % just keeps more.
        stage.expect("without impact the shock hits one long", calm.hit == 1)
        # Equity 19,200 - 240 of fee - 29 of premium - 120 * 130 = 3,331; to initial margin 9,288 - 3,331 are missing,
        # which closing 102.6 ETH at 3,870 * (0.02 - 0.005) each restores: 397,000 dollars.
        stage.expect("that one sells 397,000 dollars", 397_000 * DOLLAR <= calm.volume < 398_000 * DOLLAR)
    stage.expect("without impact the shock hits whose liquidation price it passes", calm.hit in calm.doomed)
    stage.expect("without impact the price stays where the shock left it", calm.price == SHOCK * UNIT)
    stage.expect("impact saves nobody", wild.hit >= calm.hit and wild.volume >= calm.volume)
    stage.expect("the price is no higher for it", wild.price <= calm.price)
    if after_impact(SHOCK * UNIT, calm.volume, impact) < calm.next_at:
        # At 1 % per million they move the price by 0.397 % of 3,870 to 3,854.6, 3.63 % below 4,000: who has 4.4 %, less
        # 0.05 % of fee and 0.02 % of premium, keeps 0.70 % and is next, and so on.
        stage.expect("with impact more are hit than without", wild.hit > calm.hit)
    stage.expect("every law holds in the run without impact", all(calm.stage.watchman.laws.values()))
    return stage.end(NAME, *picture)


def run(sandbox: Sandbox, longs: tuple[Long, ...], *, impact: int) -> Outcome:
    """Ten longs, a shock, and as many echoes as it takes."""
    stage = Stage(sandbox)
    for number, long in enumerate(longs):
        stage.deposit("whale", long.margin, sub=number)
        stage.trade("whale", "ETH-USD", milli=long.milli, sub=number)
    words = "of 120 ETH" if len({long.milli for long in longs}) == 1 else "of 60 to 150 ETH"
    stage.tell(f"Impact {impact}: ten longs {words} at 4,000, from {longs[0].leverage} to {longs[-1].leverage}.")
    price = SHOCK * UNIT
    goes_at = [line["liquidation_price"] for line in stage.steps[0].accounts.values()]
    report = stage.price_exactly({"ETH-USD": price})
    stage.tell(f"Impact {impact}: ETH falls to {SHOCK:,} from outside, and {_sold(report)} are liquidated.")
    echoes = [Echo(START * UNIT, 0), Echo(price, _volume(report))]
    while report.liquidations:
        fallen = after_impact(price, _volume(report), impact)
        if fallen == price:
            break
        report = stage.price_exactly({"ETH-USD": fallen}, after=15)
        price = stage.prices[stage.symbols["ETH-USD"]]
        echoes.append(Echo(price, echoes[-1].volume + _volume(report)))
        cents = price // (UNIT // 100)
        stage.tell(f"Impact {impact}: that moves ETH to {cents // 100:,}.{cents % 100:02}; {_sold(report)} follow.")
    held = zip(stage.cast, longs, strict=True)
    hit = sum(stage.milli(name) < long.milli for name, long in held)
    shock = echoes[1].price
    least, most = (sum(at > shock + margin for at in goes_at) for margin in (UNIT, -UNIT))
    next_at = max((at - UNIT for at in goes_at if at <= shock), default=0)
    return Outcome(stage, tuple(echoes), hit, range(least, most + 1), next_at)


def after_impact(price: int, sold: int, impact: int) -> int:
    """The price after `sold` quanta were sold at `impact` basis points per million; it halves at worst."""
    drop = price * impact * sold // (10_000 * 1_000_000 * DOLLAR)
    return max(price - drop, price // 2)


def _volume(report: KeeperReport) -> int:
    """What was liquidated, in quanta."""
    return sum(event.result.closed * event.result.mark // UNIT // QUANTUM for event in report.liquidations)


def _sold(report: KeeperReport) -> str:
    return f"{_volume(report) // DOLLAR:,} dollars"


def _price_and_volume(calm: Outcome, wild: Outcome, impact: int) -> Picture:
    """Echo after echo. The run without impact has none: it stays as the shock left it."""
    places = max(len(calm.echoes), len(wild.echoes))
    runs = {"impact 0": calm, f"impact {impact}": wild} if impact else {"impact 0": calm}
    echoes = {name: run.echoes + run.echoes[-1:] * (places - len(run.echoes)) for name, run in runs.items()}
    return Picture(
        "The same shock with impact and without",
        "Each echo is the price after what the one before it sold; without impact the shock stays alone. Impact in "
        "basis points per million dollars.",
        tuple(range(places)),
        (
            Panel(
                "Price of ETH-USD", PRICE, tuple(Series(n, tuple(e.price for e in run)) for n, run in echoes.items())
            ),
            Panel(
                "Liquidated so far", MONEY, tuple(Series(n, tuple(e.volume for e in run)) for n, run in echoes.items())
            ),
        ),
        BY_NAME,
        ("start", "shock", *(f"{number}" for number in range(1, places - 1))),
    )


def _left(calm: Outcome, wild: Outcome, longs: tuple[Long, ...], impact: int) -> Picture:
    sizes = {
        "at first": [long.milli * UNIT // 1_000 for long in longs],
        "without impact": [line["size"] for line in calm.stage.steps[-1].accounts.values()],
        f"impact {impact}": [line["size"] for line in wild.stage.steps[-1].accounts.values()],
    }
    series = tuple(Series(name, tuple(values)) for name, values in sizes.items())
    return Picture(
        "What is left of each long",
        "From the highest leverage to the lowest.",
        tuple(range(len(longs))),
        (Panel("ETH left", SIZE, series, BARS),),
        BY_NAME,
        tuple(long.leverage for long in longs),
    )
