"""A delta-neutral market maker: short the perpetual, long as much spot elsewhere, paid by a market that leans long.

The perpetual loses what the spot gains, and the other way round, so of every move of the price nothing is left. What is
left is funding, less fees, and the difference of the premium at which the short was sold and bought back:

    total = funding - fees + premium in - premium out

The spot is held outside of this market and valued here by arithmetic, without costs. The maker settles each day; a
day's funding is reckoned at the price at which it is settled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from perpkit.backend import Receipt, Sandbox
from perpkit.market_setup import DEFAULT_SETUP, DOLLAR, UNIT, MarketSetup
from perpkit.model.events import Settled, Traded
from perpkit.model.types import SettleResult, TradeResult
from perpkit.picture import Picture
from perpkit.scenarios.parameters import BadParameter, Between
from perpkit.scenarios.pictures import money_panel, over_steps, price_panel
from perpkit.scenarios.story import Stage, StoryResult

NAME = "basis_hedge"
IN_A_LINE = "A short against spot for a week: ETH swings by a fifth, and what is left is funding less fees."

SYMBOL = "ETH-USD"
DAY = 24 * 3600
# {usd} More than funding and a fall take within the story, so that the crowd stays.
CROWD_MARGIN = 10_000_000
WEEK = (4_400, 4_100, 3_700, 3_600, 3_900, 4_300, 4_200)


def leaning_setup(skew_scale: int) -> MarketSetup:
    """ETH alone, with a smaller skew scale, so that a skew of 100 ETH pays 0.1 % a funding interval. {base}"""
    spec = DEFAULT_SETUP.markets[0]
    markets = (replace(spec, params=replace(spec.params, skew_scale=skew_scale * UNIT)),)
    return replace(DEFAULT_SETUP, markets=markets, role_balance=CROWD_MARGIN * DOLLAR)


def traded(receipt: Receipt) -> TradeResult:
    return next(event.result for event in receipt.events if isinstance(event, Traded))


def settled(receipt: Receipt) -> SettleResult:
    return next(event.result for event in receipt.events if isinstance(event, Settled))


def dollars(money: int) -> str:
    """Quanta as signed dollars and cents, rounded toward zero."""
    return f"{'-' if money < 0 else ''}{abs(money) // DOLLAR:,}.{abs(money) % DOLLAR * 100 // DOLLAR:02}"


def play(
    sandbox: Sandbox,
    *,
    crowd: Annotated[int, "what others are long, in ETH", Between(20, 1_500)] = 200,
    hedge: Annotated[int, "what the maker is short, in ETH", Between(1, 1_000)] = 100,
    margin: Annotated[int, "the maker's margin in dollars", Between(1_000, 5_000_000)] = 100_000,
    skew_scale: Annotated[
        int, "the skew in ETH that would cost 100 % a funding interval", Between(20_000, 1_000_000)
    ] = 100_000,
    prices: Annotated[Sequence[int], "what ETH costs at the end of each day, in dollars"] = WEEK,
) -> StoryResult:
    if hedge >= crowd:
        raise BadParameter("hedge", hedge, f"less than the crowd's {crowd} ETH, as only a crowd pays funding")
    stage = Stage(sandbox, leaning_setup(skew_scale))
    start = stage.prices[0] // UNIT
    highest = max(start, *prices)
    # What the short loses at the highest price, the maintenance margin of 1 % there, and initial margin and fee.
    least = hedge * max(highest - start + highest // 100, start // 50) + hedge * start // 1_000 + 1
    if margin < least:
        raise BadParameter("margin", margin, f"at least {least:,} dollars, so that {hedge} ETH survive {highest:,}")
    stage.deposit("whale", CROWD_MARGIN)
    stage.trade("whale", SYMBOL, milli=crowd * 1_000)
    account = stage.deposit("market_maker", margin)
    sold = traded(stage.trade("market_maker", SYMBOL, milli=-hedge * 1_000))
    # Sold above the mark: 4,000 * (1 + (200 - 100 / 2) / 100,000) = 4,006. Fee 100 * 4,006 * 0.02 % = 80.12, as the
    # short makes the skew smaller.
    fill = start * UNIT * (2 * skew_scale + 2 * crowd - hedge) // (2 * skew_scale)
    stage.expect("the short is sold at a premium", sold.fill == fill > start * UNIT)
    stage.tell(
        f"A crowd is long {crowd} ETH. The maker sells {hedge} above the mark, and buys {hedge} ETH spot at {start:,}."
    )

    funding, largest_swing, liquidated = 0, 0, False
    perpetuals, spots, fundings = [stage.view("market_maker").equity - margin * DOLLAR], [0], [0]
    bound = stage.setup.markets[0].params.max_funding_rate
    rate = min((crowd - hedge) * UNIT // skew_scale, bound)
    for day, price in enumerate(prices, 1):
        liquidated = bool(stage.price(SYMBOL, price, after=DAY).liquidations) or liquidated
        received = settled(stage.act("market_maker", "settle", account, stage.symbols[SYMBOL])).funding
        # 100 ETH * price * (100 / 100,000) * 3 intervals: 1,320 at 4,400 and 1,080 at 3,600.
        due = hedge * price * rate * 3 * DOLLAR // UNIT
        # Rounded down, to a quantum.
        stage.expect(f"day {day} pays notional * rate * 3", 0 <= due - received <= 1)
        funding += received
        perpetual = stage.view("market_maker").equity - margin * DOLLAR
        spot = hedge * (price - start) * DOLLAR
        largest_swing = max(largest_swing, abs(spot))
        # What the price did to the one it undid to the other: the rest is premium in, fee and funding.
        hedged = hedge * (sold.fill - start * UNIT) * DOLLAR // UNIT - sold.fee + funding
        # Each day's funding is rounded down, and what is rounded off stays in the position: a quantum a day at most.
        stage.expect(f"day {day} leaves nothing of the price", -1 <= perpetual + spot - hedged <= day)
        perpetuals.append(perpetual)
        spots.append(spot)
        fundings.append(funding)
        stage.tell(
            f"Day {day} at {price:,}: perpetual {dollars(perpetual)}, spot {dollars(spot)}, together "
            f"{dollars(perpetual + spot)}; funding so far {dollars(funding)}."
        )
    stage.expect("the margin holds throughout", not liquidated)

    bought = traded(stage.trade("market_maker", SYMBOL, milli=hedge * 1_000))
    end = prices[-1]
    premium_in = hedge * (sold.fill - start * UNIT) * DOLLAR // UNIT
    premium_out = hedge * (bought.fill - end * UNIT) * DOLLAR // UNIT
    fees = sold.fee + bought.fee
    spot = hedge * (end - start) * DOLLAR
    total = stage.view("market_maker").equity - margin * DOLLAR + spot
    stage.tell(
        f"The maker buys back and sells its spot: {dollars(total)} = funding {dollars(funding)} - fees {dollars(fees)} "
        f"+ premium in {dollars(premium_in)} - premium out {dollars(premium_out)}."
    )
    # 0.3 % * 100 ETH * (4,400 + 4,100 + 3,700 + 3,600 + 3,900 + 4,300 + 4,200 = 28,200) = 8,460.
    # Bought back at 4,200 * (1 + (100 + 100 / 2) / 100,000) = 4,206.30, fee 420,630 * 0.05 % = 210.315.
    # 8,460 - 80.12 - 210.315 + 600 - 630 = 8,139.565.
    parts = funding - fees + premium_in - premium_out
    stage.expect("the total is funding less fees and premium", -2 <= total - parts <= len(prices) + 1)
    # The premium is paid on the price at the end: 0.15 % * 100 * 200 = 30 is all that the price leaves.
    left = (2 * crowd - hedge) * hedge * (end - start) * DOLLAR // (2 * skew_scale)
    stage.expect("the price leaves its part of the premium", abs(funding - fees - total - left) <= len(prices) + 3)
    if (crowd, hedge, skew_scale, prices) == (200, 100, 100_000, WEEK):
        stage.expect("all but a hundredth is funding less fees", abs(total - funding + fees) * 100 < total)
        stage.expect("the hedge undoes swings larger than its profit", largest_swing > 4 * total > 0)
    stage.expect("nothing is left open", not stage.view("market_maker").positions)
    return stage.end(NAME, _picture(stage, perpetuals, spots, fundings))


def _picture(stage: Stage, perpetuals: list[int], spots: list[int], fundings: list[int]) -> Picture:
    """From the day of the trade to the last day, before the maker closes."""
    steps = stage.steps[:-1]
    together = [perpetual + spot for perpetual, spot in zip(perpetuals, spots, strict=True)]
    return over_steps(
        "What the price does to each half, and what is left of both",
        "One half loses what the other gains; what is left grows by the funding of each day.",
        steps,
        price_panel(steps),
        money_panel("Gain of each half", perpetual=perpetuals, spot=spots, together=together),
        money_panel("What is left", together=together, funding=fundings),
    )
