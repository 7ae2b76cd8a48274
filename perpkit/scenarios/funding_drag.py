"""A 10x long in a market that leans long: the price does not move, and funding alone eats the margin.

A crowd is long before the trader comes, so the funding rate stands just under its bound. Who pays what is plain:

    rate a funding interval = skew / skew scale               710 / 100,000 = 0.71 % (bounded at 0.75 %)
    paid a day              = notional * rate * 24 h / 8 h     40,000 * 0.71 % * 3 = 852
    lasts                   = (equity - maintenance margin) / paid a day

The last line is known when the position is opened, to the second. What a liquidation leaves of the position pays on,
so it is liquidated again, and again, until nothing is worth keeping.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from perpkit.backend import Sandbox
from perpkit.market_setup import DEFAULT_SETUP, DOLLAR, UNIT, MarketSetup
from perpkit.model.types import AccountView, MarketView
from perpkit.picture import MONEY, SECONDS, SIZE, Panel, Picture, Series
from perpkit.scenarios.parameters import BadParameter, Between
from perpkit.scenarios.story import Stage, StoryResult

NAME = "funding_drag"
IN_A_LINE = "ETH stands still at 4,000: funding near its bound eats a 10x long within four days."

SYMBOL = "ETH-USD"
DAY = 24 * 3600
# Raw {usd, 1e36} in one quantum of a token of 6 decimals.
QUANTUM = UNIT * UNIT // DOLLAR
# A liquidation leaves a third, so that few are needed until less than the least notional is left.
MOST_LIQUIDATIONS = 20
# {usd} More than funding eats within the story, so that the crowd stays.
CROWD_MARGIN = 10_000_000
# A story with more days has no end that anybody waits for.
MOST_DAYS = 60


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a standing price costs an account from now on."""

    # {quanta} Paid in a day, rounded down.
    a_day: int
    # {s} When the account is liquidatable for the first time.
    seconds: int


def hot_setup(skew_scale: int) -> MarketSetup:
    """ETH alone, with a smaller skew scale, so that the same crowd costs more funding. {base}"""
    spec = DEFAULT_SETUP.markets[0]
    markets = (replace(spec, params=replace(spec.params, skew_scale=skew_scale * UNIT)),)
    return replace(DEFAULT_SETUP, markets=markets, role_balance=CROWD_MARGIN * DOLLAR)


@dataclass(frozen=True, slots=True)
class Sample:
    """How the trader stands at a time {s} since the position was opened. Money in quanta, size 1e18."""

    seconds: int
    equity: int
    maintenance_margin: int
    size: int
    liquidated: bool


class Diary:
    """What the picture shows: the trader whenever somebody looked."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.start = stage.sandbox.timestamp
        self.samples: list[Sample] = []

    def note(self, *, liquidated: bool = False) -> None:
        view = self.stage.view("trader")
        size = sum(position.size for position in view.positions)
        seconds = self.stage.sandbox.timestamp - self.start
        self.samples.append(Sample(seconds, view.equity, view.maintenance_margin, size, liquidated))

    def picture(self) -> Picture:
        samples = self.samples
        hits = tuple(sample.seconds for sample in samples if sample.liquidated)
        equity = Series("margin", tuple(sample.equity for sample in samples), hits)
        required = Series("maintenance margin", tuple(sample.maintenance_margin for sample in samples))
        size = Series("position", tuple(sample.size for sample in samples))
        return Picture(
            "What funding eats while the price stands still",
            "The margin sinks by the same amount each day, until it meets the maintenance margin.",
            tuple(sample.seconds for sample in samples),
            (Panel("Margin", MONEY, (equity, required)), Panel("Position, ETH", SIZE, (size,))),
            SECONDS,
        )


def market_now(stage: Stage) -> MarketView:
    views: tuple[MarketView, ...] = stage.sandbox.call("lens", "markets")
    return views[stage.symbols[SYMBOL]]


def outlook(stage: Stage, role: str) -> Outlook:
    """The arithmetic of the docstring in whole numbers, for an account whose funding is settled."""
    market, view = market_now(stage), stage.view(role)
    size = view.positions[0].size
    equity, _, maintenance = stage.sandbox.call("clearinghouse", "margin_of", view.account)
    # What one base unit moves the funding index in a second, times `over`.
    a_second, over = market.mark * market.funding_rate, UNIT * market.params.funding_interval
    a_day = size * (a_second * DAY // over) // QUANTUM
    # Equality is healthy, so the index has to move by the slack of one base unit and the least bit more.
    slack = (equity * UNIT - maintenance) // (size * UNIT) + 1
    return Outlook(a_day, -(-slack * over // a_second))


def dollars(money: int) -> str:
    """Quanta as dollars and cents, rounded down."""
    return f"{money // DOLLAR:,}.{money % DOLLAR * 100 // DOLLAR:02}"


def play(
    sandbox: Sandbox,
    *,
    crowd_milli: Annotated[
        int, "what the crowd is long, in thousandths of an ETH", Between(100_000, 1_500_000)
    ] = 700_000,
    trader_milli: Annotated[int, "what the trader is long, in thousandths of an ETH", Between(1_000, 50_000)] = 10_000,
    margin: Annotated[int, "the trader's margin in dollars", Between(100, 100_000)] = 4_000,
    skew_scale: Annotated[
        int, "the skew in ETH that would cost 100 % a funding interval", Between(20_000, 1_000_000)
    ] = 100_000,
) -> StoryResult:
    stage = Stage(sandbox, hot_setup(skew_scale))
    mark = stage.prices[0] // UNIT
    _check_margin(margin, mark, crowd_milli, trader_milli, skew_scale)
    stage.deposit("whale", CROWD_MARGIN)
    stage.trade("whale", SYMBOL, milli=crowd_milli)
    stage.deposit("trader", margin)
    stage.trade("trader", SYMBOL, milli=trader_milli)
    opened, forecast = stage.view("trader"), outlook(stage, "trader")
    diary = Diary(stage)
    diary.note()
    stage.tell(
        f"A crowd is long, and the trader joins with a margin of {margin:,}. Funding takes {dollars(forecast.a_day)} a "
        f"day: predicted to go on day {forecast.seconds // DAY + 1}, {forecast.seconds % DAY // 3600} hours in."
    )

    # Fill = 4,000 * (1 + (700 + 10 / 2) / 100,000) = 4,028.20; fee = 10 * 4,028.20 * 0.05 % = 20.141.
    # Equity = 4,000 - 10 * 28.20 - 20.141 = 3,697.859: the hot market takes its premium at the door.
    size, scale = trader_milli * UNIT // 1_000, 2 * skew_scale * 1_000
    fill = -(-mark * UNIT * (scale + 2 * crowd_milli + trader_milli) // scale)
    premium = -(-size * (fill - mark * UNIT) // QUANTUM)
    fee = -(-size * fill * 5 // (10_000 * QUANTUM))
    stage.expect("premium and fee are paid at the door", opened.equity == margin * DOLLAR - premium - fee)
    # 10 * 4,000 * (710 / 100,000) * 3 = 852.
    now = market_now(stage)
    rate, bound = (crowd_milli + trader_milli) * UNIT // (skew_scale * 1_000), now.params.max_funding_rate
    a_day = size * mark * min(rate, bound) * 3 // QUANTUM
    stage.expect("a day costs notional * rate * 3", forecast.a_day == a_day)
    stage.expect("the funding rate is the skew over its scale, up to a bound", now.funding_rate == min(rate, bound))
    if rate > bound * 9 // 10:
        stage.expect("the funding rate is near its bound", bound * 9 // 10 < now.funding_rate <= bound)

    # (3,697.859 - 400) / 852 = 3.8707 days, 334,430.8 seconds: three days stand, in the fourth it goes.
    lasts = (opened.equity - opened.maintenance_margin) * DAY // a_day + 1
    stage.expect("it lasts (equity - maintenance margin) / paid a day", forecast.seconds == lasts)
    start, whole_days = stage.sandbox.timestamp, forecast.seconds // DAY
    for day in range(1, whole_days + 1):
        report = stage.price(SYMBOL, mark, after=DAY)
        view = stage.view("trader")
        diary.note()
        stage.tell(
            f"Day {day}: the margin is {dollars(view.equity)}; {dollars(opened.equity - view.equity)} are eaten."
        )
        # 2,845.859, then 1,993.859, then 1,141.859.
        eaten = opened.equity - view.equity
        # A day's funding is rounded down and equity too: never more than a quantum a day apart.
        stage.expect(f"day {day} eats its share of the margin", 0 <= eaten - day * forecast.a_day <= day)
        stage.expect(f"nobody is liquidated on day {day}", not report.liquidations)

    report = stage.price(SYMBOL, mark, after=start + forecast.seconds - 1 - stage.sandbox.timestamp)
    stage.expect("a second before the predicted one it stands", not report.liquidations)
    diary.note()
    report = stage.price(SYMBOL, mark, after=1)
    diary.note(liquidated=bool(report.liquidations))
    stage.expect("it goes in the predicted second", len(report.liquidations) == 1)
    left = stage.view("trader")
    when = f"Day {whole_days + 1}, {forecast.seconds % DAY // 3600} hours in"
    stage.tell(f"{when}: liquidated to the second as predicted, {left.positions[0].size * 1_000 // UNIT} milli left.")
    # Equity is just under 400 then and initial margin 800: (800 - 400) / (4,000 * (2 % - 0.5 %)) = 6.667 ETH are
    # closed, the penalty is 0.5 % of their 26,667 = 133.33, and 266.67 stand for 3.333 ETH. One second of funding is
    # a cent, so that a thousandth is more than enough.
    stage.expect("a third of the position is left", 0 <= size - 3 * left.positions[0].size < size // 1_000)
    stage.expect("its initial margin stands again", left.equity + 1 >= left.initial_margin)

    liquidations, penalties = 1, report.liquidations[0].result.penalty
    punctual = True
    while stage.view("trader").positions and liquidations < MOST_LIQUIDATIONS:
        after = outlook(stage, "trader").seconds
        early = stage.price(SYMBOL, mark, after=after - 1)
        diary.note()
        report = stage.price(SYMBOL, mark, after=1)
        diary.note(liquidated=bool(report.liquidations))
        punctual = punctual and not early.liquidations and len(report.liquidations) == 1
        liquidations += 1
        penalties += sum(event.result.penalty for event in report.liquidations)
    _end(stage, opened, liquidations, penalties, punctual, start)
    return stage.end(NAME, diary.picture())


def _check_margin(margin: int, mark: int, crowd_milli: int, trader_milli: int, skew_scale: int) -> None:
    """The margin has to open the position, and must not last so long that the story has no end."""
    notional = mark * trader_milli // 1_000
    premium = notional * (2 * crowd_milli + trader_milli) // (2_000 * skew_scale)
    # Initial margin 2 %, fee 0.05 %, a little for the premium on the fee; and what a day costs at 0.75 % at most.
    least = notional * 21 // 1_000 + premium + 10
    a_day = notional * min((crowd_milli + trader_milli) * 10_000 // (skew_scale * 1_000), 75) * 3 // 10_000
    most = notional // 100 + premium + max(a_day, 1) * MOST_DAYS
    if not least <= margin <= most:
        bounds = f"{least:,} to {most:,} dollars for a position of {notional:,}, so that it opens and ends"
        raise BadParameter("margin", margin, bounds)


def _end(stage: Stage, opened: AccountView, liquidations: int, penalties: int, punctual: bool, start: int) -> None:
    """What is left, and where the margin went."""
    seconds = stage.sandbox.timestamp - start
    rest = stage.view("trader")
    stage.tell(
        f"After {seconds // DAY} days and {seconds % DAY // 3600} hours the position is gone in {liquidations} "
        f"liquidations; {dollars(rest.equity)} remain. Penalties took {dollars(penalties)}, funding "
        f"{dollars(opened.equity - rest.equity - penalties)}."
    )
    stage.expect("every later liquidation comes in its predicted second", punctual)
    stage.expect("the position is gone without a move of the price", not rest.positions)
    stage.expect("nobody else pays for it", rest.equity >= 0 and stage.steps[-1].deficit == 0)
    eaten = opened.equity - rest.equity - penalties
    # Equity was 2 % of the notional at least, and penalties are 0.5 % of what is closed.
    stage.expect("funding took the most", 2 * eaten > opened.equity)
