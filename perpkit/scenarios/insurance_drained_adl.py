"""ETH falls by jumps: the insurance fund empties step by step, a deficit stands, and winners pay it in their order.

Three longs are each jumped over: healthy before a step, bankrupt after it. The fund pays the keeper and covers the bad
debt until it is empty; what it cannot cover is a deficit of the long side. Then shorts are closed, highest score
first, each giving up no more than its profit:

    score = profit / entry notional * notional / equity

At 3,100: 10x from 4,000: 22.5 % * 24,800 / 10,400 = 0.54;  5x from 4,000: 22.5 % * 155,000 / 85,000 = 0.41;
5x from 3,440: 9.9 % * 186,000 / 61,680 = 0.30. Who came late has gained less and is left alone.

Funding is switched off here, so that the money of the fund alone moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from perpkit.backend import Receipt, Sandbox
from perpkit.market_setup import DEFAULT_SETUP, DOLLAR, UNIT, MarketSetup, push_prices
from perpkit.model.deleveraging import NOT_DELEVERAGED
from perpkit.model.events import Liquidated, Traded
from perpkit.model.types import AccountView, LiquidationResult, TradeResult
from perpkit.picture import BARS, MONEY, Panel, Picture, Series
from perpkit.picture import NAME as BY_NAME
from perpkit.scenarios.parameters import Between
from perpkit.scenarios.pictures import fund_panel, over_steps, price_panel, size_panel
from perpkit.scenarios.story import Stage, StoryResult

NAME = "insurance_drained_adl"
IN_A_LINE = "Three bankrupt longs drain the fund; the deficit is taken from the winning shorts, highest score first."

SYMBOL = "ETH-USD"
# Raw {usd, 1e36} in one quantum of a token of 6 decimals.
QUANTUM = UNIT * UNIT // DOLLAR


@dataclass(frozen=True, slots=True)
class Loser:
    """A long that is jumped over: thousandths of an ETH, dollars, and the price at which it is bankrupt."""

    milli: int
    margin: int
    price: int


# Bankrupt just below 3,600, 3,500 and 3,200; liquidatable 1 % above.
LOSERS: Mapping[str, Loser] = {
    "trader": Loser(25_000, 10_000, 3_560),  # 10x
    "counterparty": Loser(50_000, 25_000, 3_440),  # 8x
    "outsider": Loser(100_000, 80_000, 3_100),  # 5x
}


WINNERS = ("operator", "market_maker", "whale")
SHORTS = ("10x", "5x early", "5x late")


def small_fund(insurance: int) -> MarketSetup:
    """ETH alone, without funding, and a fund of so many dollars."""
    spec = DEFAULT_SETUP.markets[0]
    still = replace(spec, params=replace(spec.params, max_funding_rate=0))
    return replace(DEFAULT_SETUP, markets=(still,), insurance=insurance * DOLLAR)


def fall(stage: Stage, price: int) -> None:
    """The price moves, and nobody has answered yet."""
    stage.prices[0] = price * UNIT
    stage.sandbox.set_time(stage.sandbox.timestamp + 60)
    push_prices(stage.sandbox, {stage.setup.markets[0]: stage.prices[0]})
    stage.watch()


def traded(receipt: Receipt) -> TradeResult:
    return next(event.result for event in receipt.events if isinstance(event, Traded))


def liquidate(stage: Stage, role: str) -> LiquidationResult:
    receipt = stage.act("keeper", "liquidate_many", stage.symbols[SYMBOL], (stage.cast[role],))
    return next(event.result for event in receipt.events if isinstance(event, Liquidated))


def insurance(stage: Stage) -> int:
    return stage.watchman.book.vault.insurance


def play(
    sandbox: Sandbox,
    *,
    fund: Annotated[int, "what the insurance fund starts with, in dollars", Between(1, 1_000_000)] = 6_000,
) -> StoryResult:
    stage = Stage(sandbox, small_fund(fund))
    opened: dict[str, TradeResult] = {}
    for role, loser in LOSERS.items():
        stage.deposit(role, loser.margin)
        opened[role] = traded(stage.trade(role, SYMBOL, milli=loser.milli))
    stage.deposit("operator", 3_200)
    first = traded(stage.trade("operator", SYMBOL, milli=-8_000))  # 8 * 4,000 / 3,200 = 10x
    stage.deposit("market_maker", 40_000)
    traded(stage.trade("market_maker", SYMBOL, milli=-50_000))  # 50 * 4,000 / 40,000 = 5x
    stage.tell("At 4,000: longs of 25, 50 and 100 ETH with 10x, 8x and 5x; shorts of 8 and 50 ETH with 10x and 5x.")

    deficit = 0
    for role, loser in LOSERS.items():
        fall(stage, loser.price)
        before = insurance(stage)
        result = liquidate(stage, role)
        # What is missing: 25 * 440 + fee 50 - 10,000, 50 * 560 + fee 100 - 25,000, 100 * 900 + fee 200 - 80,000, and
        # the premium by which each fill was above 4,000: 1,050, 3,100 and 10,200 and a little.
        lost = -(-opened[role].delta * (opened[role].fill - loser.price * UNIT) // QUANTUM)
        missing = lost + opened[role].fee - loser.margin * DOLLAR
        stage.expect(f"the {role} is bankrupt by loss and fee less margin", result.bad_debt == missing > 0)
        # Half of the penalty of 0.5 % on what is closed: 222.50, 430 and 775. The fund pays the keeper first.
        reward = min(before, loser.milli * loser.price * 25 // 10_000 * DOLLAR // 1_000)
        stage.expect(f"the keeper is paid for the {role}", result.reward == reward)
        stage.expect(
            f"the fund covers what it has for the {role}", result.covered == min(missing, before - result.reward)
        )
        stage.expect(f"the fund pays both for the {role}", insurance(stage) == before - result.reward - result.covered)
        deficit += result.deficit
        stage.tell(
            f"At {loser.price:,} the {role} is bankrupt by {missing // DOLLAR:,}: the fund covers "
            f"{result.covered // DOLLAR:,} and has {insurance(stage) // DOLLAR:,} left."
        )
        if role == "counterparty":
            stage.deposit("whale", 41_280)
            stage.trade("whale", SYMBOL, milli=-60_000)  # 60 * 3,440 / 41,280 = 5x
            stage.tell("The whale sells 60 ETH at 3,440 with 5x: late.")
    winners = {role: stage.view(role) for role in WINNERS}
    if deficit:
        stage.expect("the fund is empty", insurance(stage) == 0)
        stage.expect("a deficit stands", stage.steps[-1].deficit == deficit > 0)
        haircuts = _deleverage(stage, winners, deficit, first)
    else:
        haircuts = _spare(stage, winners)
    return stage.end(NAME, _fund_picture(stage), _winners_picture(winners, haircuts))


def _spare(stage: Stage, before: Mapping[str, AccountView]) -> Mapping[str, int]:
    """The fund was large enough: the keeper has nothing to do."""
    report = stage.keeper.step()
    stage.watch()
    stage.tell(f"The fund has paid for all, and has {insurance(stage) // DOLLAR:,} left. Winners keep what they won.")
    stage.expect("a fund that is large enough leaves no deficit", stage.steps[-1].deficit == 0)
    stage.expect("nobody is deleveraged", not report.deleveragings)
    stage.expect("the winners are untouched", {role: stage.view(role) for role in WINNERS} == before)
    return dict.fromkeys(WINNERS, 0)


def _deleverage(stage: Stage, before: Mapping[str, AccountView], deficit: int, first: TradeResult) -> Mapping[str, int]:
    """The keeper takes the deficit from the winners. What each gives up {quanta}."""
    winners = WINNERS
    scores = [before[role].positions[0].adl_score for role in winners]
    stage.expect("the scores rank 10x, 5x, and 5x late", scores[0] > scores[1] > scores[2] > 0)

    report = stage.keeper.step()
    stage.watch()
    after = {role: stage.view(role) for role in winners}
    results = {event.account: event.result for event in report.deleveragings}
    first_result, second_result = (results.get(stage.cast[role], NOT_DELEVERAGED) for role in winners[:2])
    order = [event.account for event in report.deleveragings]
    # The 10x short gives all of its profit: 8 * (4,000 - 3,100) = 7,200 and the premium it sold at.
    profit = -first.delta * (first.fill - stage.prices[0]) // QUANTUM
    going = winners[:2] if deficit > profit else winners[:1]
    stage.expect("winners go in the order of their scores", order == [stage.cast[role] for role in going])
    if deficit > profit:
        gone = first_result.haircut == profit and not after["operator"].positions
        stage.expect("the first gives its whole profit", gone)
        # It keeps what it came with less the fee: 3,200 - 6.40.
        stage.expect("and keeps its margin less the fee", after["operator"].equity == 3_200 * DOLLAR - first.fee)
        # The second gives the rest only.
        stage.expect("the second gives the rest", second_result.haircut == deficit - profit > 0)
        left, held = after["market_maker"].positions[0].size, before["market_maker"].positions[0].size
        stage.expect("it is closed in part", left == held + second_result.closed and left < 0)
    else:
        stage.expect("the first gives it alone", (first_result.haircut, second_result.haircut) == (deficit, 0))
    haircuts = {"operator": first_result.haircut, "market_maker": second_result.haircut, "whale": 0}
    stage.expect("the haircuts sum up to the deficit", sum(haircuts.values()) == deficit)
    stage.expect(
        "nobody loses more than the haircut",
        all(after[role].equity == before[role].equity - haircut for role, haircut in haircuts.items()),
    )
    stage.expect("who came late is untouched", after["whale"] == before["whale"])
    stage.tell(
        f"Shorts pay the deficit of {deficit // DOLLAR:,}: the 10x {first_result.haircut // DOLLAR:,}, the early 5x "
        f"{second_result.haircut // DOLLAR:,}, the late 5x nothing."
    )
    stage.expect("no deficit stands", stage.steps[-1].deficit == 0)
    return haircuts


def _fund_picture(stage: Stage) -> Picture:
    return over_steps(
        "The fund empties, a deficit stands, winners pay it",
        "Each jump takes one long along; what the fund has not got is a deficit until the shorts are deleveraged.",
        stage.steps,
        price_panel(stage.steps),
        fund_panel(stage.steps),
        size_panel(stage.steps),
    )


def _winners_picture(before: Mapping[str, AccountView], haircuts: Mapping[str, int]) -> Picture:
    # Funding is off, so that all unrealised profit is the price's.
    positions = [before[role].positions[0] for role in WINNERS]
    profit = Series("profit", tuple(position.unrealized_pnl for position in positions))
    taken = Series("given up", tuple(haircuts[role] for role in WINNERS))
    hundredths = [position.adl_score * 100 // UNIT for position in positions]
    names = [f"{words}, score {s // 100}.{s % 100:02}" for words, s in zip(SHORTS, hundredths, strict=True)]
    return Picture(
        "Who pays, in order of score",
        "The highest score gives first, up to its profit; the last has nothing to give any more.",
        tuple(range(len(WINNERS))),
        (Panel("Profit of each short", MONEY, (profit, taken), BARS),),
        BY_NAME,
        tuple(names),
    )
