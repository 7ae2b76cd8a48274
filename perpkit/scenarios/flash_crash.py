"""A wick: ETH falls by a quarter within a minute and is back three minutes later. Who is gone stays gone.

A long of leverage L stands at a price p as long as `p >= 4,000 * (1 - 1/L) / (1 - mmr)`, a little higher for the fee:
at 3,838 with 20x, 3,636 with 10x, 3,232 with 5x, 2,694 with 3x.
"""

from __future__ import annotations

from random import Random
from typing import Annotated

from perpkit.backend import Sandbox
from perpkit.market_setup import DOLLAR, UNIT
from perpkit.model.types import AccountView
from perpkit.scenarios.parameters import Between, Seed
from perpkit.scenarios.pictures import liquidation_levels, over_steps, price_panel, size_panel
from perpkit.scenarios.story import Stage, StoryResult

NAME = "flash_crash"
IN_A_LINE = "ETH wicks down by 25 % and comes back: 20x, 10x and 5x are gone, 3x and a 10x with spare margin are not."

START = 4_000
# 25 ETH each, so a notional of 100,000: what a role deposits is what makes its leverage.
MILLI = 25_000
MARGINS = {
    "counterparty": 5_000,  # 20x
    "trader": 10_000,  # 10x
    "operator": 20_000,  # 5x
    "whale": 33_334,  # 3x
    "outsider": 10_000,  # 10x, and TOP_UP beside
}
TOP_UP = 25_000


def margins(seed: int) -> dict[str, int]:
    """What each deposits {usd}. A seed draws leverages from 3x to 25x; the last always has what the trader has."""
    if seed == 0:
        return dict(MARGINS)
    rng = Random(seed)
    drawn = {role: START * MILLI // 1_000 // rng.randint(3, 25) for role in MARGINS}
    return {**drawn, "outsider": drawn["trader"]}


def play(
    sandbox: Sandbox,
    *,
    wick: Annotated[int, "how far the price falls, in per cent", Between(1, 99)] = 25,
    seed: Seed = 0,
) -> StoryResult:
    deposits = margins(seed)
    stage = Stage(sandbox)
    for role, margin in deposits.items():
        stage.deposit(role, margin)
        stage.trade(role, "ETH-USD", milli=MILLI)
    stage.act("outsider", "deposit", stage.cast["outsider"], TOP_UP * DOLLAR)
    multiples = {role: f"{round(START * MILLI / 1_000 / margin)}x" for role, margin in deposits.items()}
    *four, last = multiples.values()
    stage.tell(f"Five longs of 25 ETH at 4,000: {', '.join(four)}, and a {last} that adds 25,000 of spare margin.")
    before = {role: stage.view(role) for role in MARGINS}
    goes_at = {role: view.positions[0].liquidation_price for role, view in before.items()}
    spare = goes_at["trader"] - goes_at["outsider"]
    # 25,000 / 25 ETH / (1 - 0.01) = 1,010.10 dollars, more or less a cent of premium.
    stage.expect("spare margin lowers the liquidation price by 1,010", 1_009 * UNIT < spare < 1_011 * UNIT)

    low = START * UNIT * (100 - wick) // 100
    insurance = stage.insurance
    report = stage.price_exactly({"ETH-USD": low})
    stage.tell(f"A minute later ETH is {wick} % lower.")
    gone = {role for role in MARGINS if stage.milli(role) < MILLI}
    doomed = {role for role, price in goes_at.items() if low < price}
    stage.expect("those whose liquidation price lies above the low are hit, nobody else", gone == doomed)
    results = [event.result for event in report.liquidations]
    # At 3,000 each lost 25,000: 20x 20,000, 10x 15,000 and 5x 5,000 more than its margin, and their fees of 50 each.
    bad_debt, covered = sum(r.bad_debt for r in results), sum(r.covered for r in results)
    stage.expect("the fund covers all bad debt", bad_debt == covered)
    rewards = sum(r.reward for r in results)
    penalties = sum(r.penalty for r in results)
    # A bankrupt's reward is paid by the fund; a penalty pays its reward and what is left is the fund's.
    paid = covered + rewards - penalties
    stage.expect("the fund pays bad debt and rewards to the quantum", stage.insurance == insurance - paid)

    stage.price_exactly({"ETH-USD": (START * UNIT + low) // 2})
    stage.tell("Another minute later half of it is made good.")
    report = stage.price("ETH-USD", START)
    stage.tell("Three minutes after it began ETH is back at 4,000, and who is gone stays gone.")
    stage.expect("nobody goes on the way up", not report.liquidations)
    stood = [role for role in MARGINS if role not in gone]
    # But for funding, which ran for three minutes, equity is what it was; both are rounded down.
    regained = [_without_funding(stage.view(role)) - _without_funding(before[role]) for role in stood]
    stage.expect("who stood through it has lost nothing", all(-1 <= change <= 1 for change in regained))
    stage.expect(
        "who went has lost money though the price is the same",
        all(stage.view(role).equity < before[role].equity for role in gone),
    )
    stage.expect("no deficit stands", stage.steps[-1].deficit == 0)
    names = {role: f"{multiple} goes" for role, multiple in multiples.items()} | {"outsider": f"{last}, spare"}
    picture = over_steps(
        "Who goes in the wick",
        "Whose liquidation price the low passes is gone, though the price comes back.",
        stage.steps,
        price_panel(stage.steps, levels=liquidation_levels(stage.steps, names)),
        size_panel(stage.steps, multiples | {"outsider": f"{last}, spare"}),
    )
    return stage.end(NAME, picture)


def _without_funding(view: AccountView) -> int:
    return view.equity - sum(position.funding for position in view.positions)
