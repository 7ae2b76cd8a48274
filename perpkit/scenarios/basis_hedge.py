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

from perpkit.backend import Receipt, Sandbox
from perpkit.market_setup import DEFAULT_SETUP, DOLLAR, UNIT, MarketSetup
from perpkit.model.events import Settled, Traded
from perpkit.model.types import SettleResult, TradeResult
from perpkit.scenarios.story import Stage, StoryResult

NAME = "basis_hedge"
IN_A_LINE = "A short against spot for a week: ETH swings by a fifth, and what is left is funding less fees."

SYMBOL = "ETH-USD"
DAY = 24 * 3600
WEEK = (4_400, 4_100, 3_700, 3_600, 3_900, 4_300, 4_200)


def leaning_setup(skew_scale: int) -> MarketSetup:
    """ETH alone, with a smaller skew scale, so that a skew of 100 ETH pays 0.1 % a funding interval. {base}"""
    spec = DEFAULT_SETUP.markets[0]
    return replace(DEFAULT_SETUP, markets=(replace(spec, params=replace(spec.params, skew_scale=skew_scale * UNIT)),))


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
    crowd: int = 200,
    hedge: int = 100,
    margin: int = 100_000,
    skew_scale: int = 100_000,
    prices: Sequence[int] = WEEK,
) -> StoryResult:
    """`crowd` is what others are long and `hedge` what the maker is short, in ETH; `margin` and the day's `prices` in
    dollars. The promises hold while the rate is within its bound and nobody is liquidated."""
    stage = Stage(sandbox, leaning_setup(skew_scale))
    start = stage.prices[0] // UNIT
    stage.deposit("whale", 400_000)
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
    for day, price in enumerate(prices, 1):
        liquidated = bool(stage.price(SYMBOL, price, after=DAY).liquidations) or liquidated
        received = settled(stage.act("market_maker", "settle", account, stage.symbols[SYMBOL])).funding
        # 100 ETH * price * (100 / 100,000) * 3 intervals: 1,320 at 4,400 and 1,080 at 3,600.
        due = hedge * price * (crowd - hedge) * 3 * DOLLAR // skew_scale
        stage.expect(f"day {day} pays notional * rate * 3", received == due)
        funding += received
        perpetual = stage.view("market_maker").equity - margin * DOLLAR
        spot = hedge * (price - start) * DOLLAR
        largest_swing = max(largest_swing, abs(spot))
        # What the price did to the one it undid to the other: the rest is premium in, fee and funding.
        hedged = hedge * (sold.fill - start * UNIT) * DOLLAR // UNIT - sold.fee + funding
        stage.expect(f"day {day} leaves nothing of the price", perpetual + spot == hedged)
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
    stage.expect("the total is funding less fees and premium", total == funding - fees + premium_in - premium_out)
    # The premium is paid on the price at the end: 0.15 % * 100 * 200 = 30 is all that the price leaves.
    stage.expect("all but a hundredth is funding less fees", abs(total - funding + fees) * 100 < total)
    stage.expect("the hedge undoes swings larger than its profit", largest_swing > 4 * total > 0)
    stage.expect("nothing is left open", not stage.view("market_maker").positions)
    return stage.end(NAME)
