"""On a thin weekend the price wicks through a cluster of stops and comes back. Whoever waited below has bought cheaply.

Five longs have stops between 3,900 and 3,820, a sixth at 3,700. The market is thin, so each stop that sells moves the
price for the next; the sixth is where it was a minute later.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Annotated

from perpkit.backend import Sandbox
from perpkit.market_setup import DEFAULT_MARKETS, DOLLAR, UNIT, MarketSetup
from perpkit.model.types import OrderKind
from perpkit.picture import Level
from perpkit.scenarios.parameters import Between, Seed
from perpkit.scenarios.pictures import equity_panel, over_steps, price_panel, size_panel
from perpkit.scenarios.story import Stage, StoryResult

NAME = "stop_hunt"
IN_A_LINE = (
    "A weekend wick of 5 % fills five stops one below the other; a minute later the price is back, they are not."
)

ETH = "ETH-USD"
START = 4_000
MARGIN = 25_000
MILLI = 10_000
# Whose stop stands where {usd}: a cluster below 3,900, and one far away.
STOPS = {
    "trader": 3_900,
    "counterparty": 3_880,
    "operator": 3_860,
    "market_maker": 3_840,
    "outsider": 3_820,
    "provider": 3_700,
}
HUNTER = "whale"
# A hundredth of the depth of a weekday: 10 ETH move the price by 0.1 %.
WEEKEND = 100


def stops(seed: int) -> dict[str, int]:
    """Where the stops stand; a seed draws the cluster."""
    if seed == 0:
        return dict(STOPS)
    rng = Random(seed)
    return {role: price if price == 3_700 else rng.randint(3_805, 3_950) for role, price in STOPS.items()}


def thin() -> MarketSetup:
    """The usual markets with little depth."""
    specs = [
        replace(
            spec,
            params=replace(
                spec.params,
                skew_scale=spec.params.skew_scale // WEEKEND,
                max_open_interest=spec.params.max_open_interest // 4,
            ),
        )
        for spec in DEFAULT_MARKETS
    ]
    return MarketSetup(tuple(specs))


def play(
    sandbox: Sandbox,
    *,
    low: Annotated[int, "how low the wick goes, in dollars", Between(3_710, 3_800)] = 3_800,
    seed: Seed = 0,
) -> StoryResult:
    cluster = stops(seed)
    stage = Stage(sandbox, thin())
    placed: dict[str, int] = {}
    for role, trigger in cluster.items():
        stage.deposit(role, MARGIN)
        stage.trade(role, ETH, milli=MILLI)
        placed[role] = stage.place(role, ETH, OrderKind.STOP, milli=-MILLI, trigger=trigger)
    stage.deposit(HUNTER, 2 * MARGIN)
    stage.tell("Six longs of 10 ETH on a thin weekend, five with stops in a cluster, one far below it.")
    before = {role: stage.view(role).equity for role in cluster}

    stage.price(ETH, low)
    fills = {role: stage.fills().get(id) for role, id in placed.items()}
    out = [role for role in cluster if fills[role] is not None]
    stage.tell(f"ETH wicks to {low:,}: {len(out)} stops are filled, each a little below the one before it.")
    stage.expect("every stop above the low is filled", all((cluster[role] >= low) == (role in out) for role in cluster))
    prices = [fill.result.fill for role in out if (fill := fills[role])]
    stage.expect("each fills below the one before it", all(a > b for a, b in pairwise(prices)))
    stage.trade(HUNTER, ETH, milli=MILLI * len(out))
    bought = stage.view(HUNTER).positions[0].entry_price
    stage.tell("Somebody waited for them, and buys as much as they sold.")

    stage.price(ETH, START)
    stage.trade(HUNTER, ETH, milli=-MILLI * len(out))
    stage.tell("A minute later ETH is back at 4,000, and the buyer has sold again.")
    stayed = [role for role in cluster if role not in out]
    stage.expect("who had a stop far away still holds", all(stage.milli(role) == MILLI for role in stayed))
    lost = {role: before[role] - stage.view(role).equity for role in out}
    # 10 ETH * (what the mark fell), less the premium of up to 0.6 % at which a crowd of longs sells: 228 of 2,000.
    least = (START - low) * MILLI // 1_000 * 8 // 10 * DOLLAR
    stage.expect("who was stopped out has lost for good", all(loss > least for loss in lost.values()))
    won = stage.view(HUNTER).equity - 2 * MARGIN * DOLLAR
    stage.expect("who bought in the wick has won", won > 0 and bought < START * UNIT)
    # Premium and fees apart, which are no more than a sixth of it.
    stage.expect("what they lost, and no more", abs(won - sum(lost.values())) < sum(lost.values()) // 6)
    stage.expect("nobody was liquidated", not any(step.liquidated for step in stage.steps))
    names = {role: f"stop at {trigger:,}" for role, trigger in cluster.items()}
    picture = over_steps(
        "A wick through the stops",
        "Stops above the low are gone when the price is back; the far one, and who bought, are better off.",
        stage.steps,
        price_panel(stage.steps, ETH, levels=(Level("highest stop", max(cluster.values()) * UNIT),)),
        size_panel(stage.steps, names),
        equity_panel(
            stage.steps, {HUNTER: "the buyer", "provider": "stop at 3,700", "trader": f"stop at {cluster['trader']:,}"}
        ),
    )
    return stage.end(NAME, picture)
