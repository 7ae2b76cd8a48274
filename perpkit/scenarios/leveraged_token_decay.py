"""What constant leverage costs in a market that goes nowhere, and what it earns in one that goes on.

10,000 dollars each in ETH3L, in ETH3S and in a 3x margin position that nobody touches. First ETH swings up and back
down, day by day; then it rises every day. A day that moves the price by r makes 1 + 3r of a token that starts it at 3x,
so up 10 % and back makes 1.3 * (1 - 3/11) = 0.945 of it, while the margin position is where it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

from perpkit.backend import Sandbox
from perpkit.market_setup import DOLLAR, ETH3L, ETH3S, ROLES, UNIT, deploy_leveraged_token
from perpkit.model.types import Terms, account_id
from perpkit.picture import LINES, MONEY, Panel, Series
from perpkit.scenarios.parameters import Between
from perpkit.scenarios.pictures import over_steps, price_panel
from perpkit.scenarios.story import Stage, StoryResult

NAME = "leveraged_token_decay"
IN_A_LINE = (
    "ETH swings by 10 % and back for ten days: a 3x token loses a quarter, a 3x position nothing; then a trend pays."
)

ETH = "ETH-USD"
START = 4_000
MONEY_IN = 10_000
MILLI = 7_500  # 7.5 * 4,000 = 3 * 10,000
DAY = 86_400
TREND = 5  # per cent a day
TREND_DAYS = 4


@dataclass(frozen=True, slots=True)
class Fund:
    """A token of the story: who holds it, and how many times what the price does it does."""

    label: str
    holder: str
    times: int
    terms: Terms


LONG, SHORT = Fund("ETH3L", "whale", 3, ETH3L), Fund("ETH3S", "counterparty", -3, ETH3S)


def play(
    sandbox: Sandbox,
    *,
    swing: Annotated[int, "how far ETH goes up and comes back, in per cent", Between(1, 12)] = 10,
    swings: Annotated[int, "how often it does, two days each", Between(1, 10)] = 5,
) -> StoryResult:
    stage = Stage(sandbox)
    for fund in (LONG, SHORT):
        _mint(stage, fund)
    stage.deposit("trader", MONEY_IN)
    stage.trade("trader", ETH, milli=MILLI)
    worth: dict[str, list[int]] = {"ETH3L": [], "ETH3S": [], "3x position": []}
    ideal = {LONG.label: Fraction(MONEY_IN), SHORT.label: Fraction(MONEY_IN)}
    _tell(stage, worth, "10,000 dollars in ETH3L, in ETH3S and in a 3x long that nobody touches.")

    for _ in range(swings):
        up = START * UNIT * (100 + swing) // 100
        for price, before, words in (
            (up, START * UNIT, f"ETH is up by {swing} %, and both tokens are rebalanced."),
            (START * UNIT, up, "ETH is back, and both tokens are rebalanced."),
        ):
            _a_day(stage, price)
            for fund in (LONG, SHORT):
                ideal[fund.label] *= 1 + fund.times * (Fraction(price, before) - 1)
            _tell(stage, worth, words)
    stood = {name: values[-1] for name, values in worth.items()}
    for label in ideal:
        # Each rebalance pays 0.05 % on what it trades, and its keeper 0.01 %; minting cost 0.1 % and the fee on 3x.
        least = int(ideal[label] * DOLLAR * 97 // 100)
        most = int(ideal[label] * DOLLAR)
        stage.expect(f"{label} is worth {int(ideal[label]):,} before fees", least < stood[label] <= most)
    # Its fee on opening was 15; funding is less than that.
    kept = stood["3x position"] - MONEY_IN * DOLLAR
    stage.expect("the position is worth what it was, less its fee", -40 * DOLLAR < kept <= 0)
    stage.expect(
        "so the price went nowhere and both tokens lost", max(stood["ETH3L"], stood["ETH3S"]) < MONEY_IN * DOLLAR
    )

    price = START * UNIT
    for _ in range(TREND_DAYS):
        price = price * (100 + TREND) // 100
        _a_day(stage, price)
        _tell(stage, worth, f"ETH rises by {TREND} % in a day.")
    grown = {name: Fraction(values[-1], stood[name]) for name, values in worth.items()}
    # 1.15^4 = 1.749 of the token, 1 + 3 * (1.05^4 - 1) = 1.647 of the position.
    stage.expect("in a trend the token earns more than the position", grown["ETH3L"] > grown["3x position"])
    stage.expect("nobody was liquidated", not any(step.liquidated for step in stage.steps))

    shares = stage.sandbox.call(LONG.label, "balance_of", ROLES[LONG.holder])
    stage.act(LONG.holder, "redeem", shares, 0, ROLES[LONG.holder], label=LONG.label)
    stage.tell("The holder of ETH3L redeems all of it.")
    for values in worth.values():
        values.append(values[-1])
    rewarded = stage.sandbox.call(LONG.label, "balance_of", ROLES["keeper"])
    supply = stage.sandbox.call(LONG.label, "total_supply")
    left = stage.view(LONG.label).equity
    stage.expect("what is left is the keeper's, who was paid in shares", rewarded == supply and left < 50 * DOLLAR)
    picture = over_steps(
        "Going nowhere, and going on",
        "Ten days of swings eat both tokens and leave the position; four days of trend feed the right one.",
        stage.steps,
        price_panel(stage.steps, ETH),
        Panel(
            "Worth",
            MONEY,
            tuple(Series(name, tuple(values)) for name, values in worth.items()),
            LINES,
        ),
    )
    return stage.end(NAME, picture)


def _mint(stage: Stage, fund: Fund) -> None:
    """Deploys a token and buys 10,000 dollars of it."""
    at = deploy_leveraged_token(
        stage.sandbox, name=f"ETH {fund.times}x", symbol=fund.label, market=stage.symbols[ETH], terms=fund.terms
    )
    money = MONEY_IN * DOLLAR
    stage.act(fund.holder, "approve", at, money, label="token")
    stage.act(fund.holder, "mint", money, 0, ROLES[fund.holder], label=fund.label)
    stage.cast[fund.label] = account_id(at)


def _a_day(stage: Stage, price: int) -> None:
    """The next day's price, and the keeper who rebalances at it."""
    stage.price_exactly({ETH: price}, after=DAY)
    for fund in (LONG, SHORT):
        stage.refused("keeper", "rebalance", label=fund.label)


def _tell(stage: Stage, worth: dict[str, list[int]], words: str) -> None:
    stage.tell(words)
    for name, account in (("ETH3L", "ETH3L"), ("ETH3S", "ETH3S"), ("3x position", "trader")):
        worth[name].append(stage.view(account).equity)
