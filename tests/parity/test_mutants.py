"""One rounding the wrong way, one comparison off by equality: the parity walk finds each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from parity.seeds import seeded
from parity.sides import Divergence, Step
from parity.test_math import HARNESS, Harness, random_cases
from parity.test_walk import INSOLVENT_END
from parity.walk import diverges, replay, wander
from perpkit.market_setup import DOLLAR
from perpkit.model import clearinghouse, liquidity_pool, market_ledger, market_registry, perp_math
from perpkit.model.fixed_math import UNIT, div_ceil, div_floor, mul_div_ceil, mul_div_floor

WALKS, STEPS = 8, 500  # a mutant that lives longer than this has escaped


@dataclass(frozen=True)
class Mutant:
    """One function of the model, written wrong."""

    name: str
    module: ModuleType | type
    function: str
    wrong: Callable[..., Any]
    situation: str = "thin"


def fee_rounded_down(skew: int, delta: int, price: int, maker_fee: int, taker_fee: int, quantum: int) -> int:
    maker_size = perp_math.closed_size(skew, delta)
    taker_size = abs(delta) - maker_size
    return div_floor(price * (maker_size * maker_fee + taker_size * taker_fee), quantum * UNIT)


def fill_rounded_for_the_trader(mark: int, skew: int, delta: int, skew_scale: int) -> int:
    numerator = mark * (2 * skew_scale + 2 * skew + delta)
    return div_floor(numerator, 2 * skew_scale) if delta > 0 else div_ceil(numerator, 2 * skew_scale)


def liquidation_size_rounded_down(
    size: int,
    mark: int,
    equity: int,
    initial_margin: int,
    imr: int,
    penalty_rate: int,
    min_notional: int,
    least: int,
    quantum: int,
) -> int:
    shortfall = initial_margin - equity * UNIT + quantum * UNIT
    closed = max(least, min(abs(size), div_floor(shortfall, mark * (imr - penalty_rate))))
    return abs(size) if (abs(size) - closed) * mark < min_notional * quantum else closed


def penalty_rounded_down(closed: int, mark: int, penalty_rate: int, equity: int, quantum: int) -> int:
    charge = div_floor(closed * mark * penalty_rate, quantum * UNIT)
    return min(charge, max(div_floor(equity, quantum), 0))


def penalty_beyond_equity(closed: int, mark: int, penalty_rate: int, equity: int, quantum: int) -> int:
    return div_ceil(closed * mark * penalty_rate, quantum * UNIT)


def bankruptcy_reward_rounded_up(
    closed: int, mark: int, penalty_rate: int, keeper_share: int, insurance: int, quantum: int
) -> int:
    penalty = div_ceil(closed * mark * penalty_rate, quantum * UNIT)
    return min(insurance, div_ceil(penalty * keeper_share, UNIT))


def funding_toward_zero(size: int, index_delta: int, quantum: int) -> int:
    raw = -size * index_delta
    return div_floor(raw, quantum) if raw > 0 else div_ceil(raw, quantum)


def deleverage_size_rounded_down(
    size: int, mark: int, profit: int, target: int, min_notional: int, quantum: int
) -> int:
    if target * quantum >= profit:
        return abs(size)
    closed = mul_div_floor(abs(size), target * quantum, profit)
    return abs(size) if (abs(size) - closed) * mark < min_notional * quantum else closed


def deleverage_target_rounded_down(side_profit: int, pool: int, deficit: int, adl_pnl_factor: int, quantum: int) -> int:
    excess = side_profit * UNIT - adl_pnl_factor * pool * quantum
    return max(deficit, div_floor(excess, (UNIT - adl_pnl_factor) * quantum), 0)


def remainder_dropped(cost: int, cost_closed: int, pnl: int, realized: int, quantum: int) -> int:
    return cost - cost_closed


def no_grace(self: Any, account: int) -> None:
    pass


def own_tier_only(self: Any, m: Any, size: int, mark: int, margin: Any) -> int:
    imr, _ = self._ratios(m, size)
    return perp_math.liquidation_size(
        size,
        mark,
        margin.equity,
        margin.initial_margin,
        imr,
        m.params.penalty_rate,
        m.params.min_notional,
        0,
        self.quantum,
    )


def tier_from_above_its_size(self: Any, m: Any, size: int) -> int:
    return sum(abs(size) > 2 * tier.min_size for tier in m.tiers)


def notice_for_the_first_tier_only(self: Any, m: Any, params: Any, tiers: Any) -> bool:
    return bool(params.mmr > m.params.mmr or params.min_delay > m.params.min_delay)


MUTANTS = (
    Mutant("grace is forgotten", market_ledger.MarketLedger, "_verify_no_grace", no_grace),
    Mutant("a liquidation knows one tier", clearinghouse.Clearinghouse, "_liquidation_size", own_tier_only, "tiered"),
    Mutant("tiers begin late", market_ledger.MarketLedger, "_tier_of", tier_from_above_its_size, "tiered"),
    Mutant("the fee rounds down", perp_math, "trade_fee", fee_rounded_down),
    Mutant("the fill rounds for the trader", perp_math, "fill_price", fill_rounded_for_the_trader),
    Mutant("a share of money rounds up", perp_math, "share_of", lambda amount, share: div_ceil(amount * share, UNIT)),
    Mutant("the remainder of a close is dropped", perp_math, "cost_after_close", remainder_dropped),
    Mutant(
        "the funding index rounds up",
        perp_math,
        "funding_index_delta",
        lambda mark, rate, elapsed, funding_interval: div_ceil(mark * rate * elapsed, UNIT * funding_interval),
    ),
    Mutant("funding rounds toward zero", perp_math, "funding_payment", funding_toward_zero),
    Mutant("a liquidation closes a unit less", perp_math, "liquidation_size", liquidation_size_rounded_down),
    Mutant("the penalty rounds down", perp_math, "liquidation_penalty", penalty_rounded_down),
    Mutant("the penalty exceeds equity", perp_math, "liquidation_penalty", penalty_beyond_equity),
    Mutant("the bankruptcy reward rounds up", perp_math, "bankruptcy_reward", bankruptcy_reward_rounded_up),
    Mutant("deleveraging closes a unit less", perp_math, "deleverage_size", deleverage_size_rounded_down, "uninsured"),
    Mutant(
        "the deleveraging target rounds down",
        perp_math,
        "deleverage_target",
        deleverage_target_rounded_down,
        "uninsured",
    ),
    Mutant("realised profit rounds up", market_ledger, "div_floor", div_ceil),
    Mutant("settled profit rounds up", clearinghouse, "div_floor", div_ceil),
    Mutant("pool shares round for the depositor", liquidity_pool, "mul_div_floor", mul_div_ceil),
    Mutant("pool shares round for the leaver", liquidity_pool, "mul_div_ceil", mul_div_floor),
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_found(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A walk of bounded length does not survive the wrong function."""
    monkeypatch.setattr(mutant.module, mutant.function, mutant.wrong)
    with pytest.raises(Divergence) as found:
        for number in range(WALKS):
            wander(mutant.situation, seeded("mutant", number), STEPS, shorten=False)
    print(mutant.name, "-", str(found.value)[:300])


# A short that fills at the very mark price, in round numbers, of which all margin that is not required is withdrawn.
TO_THE_EDGE: list[Step] = [
    ("deposit", "owner", 3, 1_000 * DOLLAR),
    ("deposit", "owner", 5, 1_000 * DOLLAR),
    ("trade", "owner", 3, 0, "size", UNIT, "any"),
    ("trade", "owner", 5, 0, "balance", 200, "exact"),
    ("withdraw", "owner", 5, 1000, "owner"),
]


def test_equality_is_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equity that equals initial margin to the last digit is enough, and a model that wants more is found."""
    walk = replay("roomy", TO_THE_EDGE)
    equity, initial_margin, _ = walk.house.margin_of(walk.account(5))
    assert equity * UNIT == initial_margin > 0
    monkeypatch.setattr(perp_math, "is_covered", lambda equity, requirement: equity * UNIT > requirement)
    assert diverges("roomy", TO_THE_EDGE)


def test_tiers_that_need_no_notice_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tier of three times the ratios, which no announcement has told, is the governor's wish and refused."""
    steeper: list[Step] = [("set_params", "governor", 0, "", 0, ((20, 300),))]
    assert replay("tiered", steeper).outcomes["set_market_params", "NotAnnounced"] == 1
    monkeypatch.setattr(market_registry.MarketRegistry, "_needs_notice", notice_for_the_first_tier_only)
    assert diverges("tiered", steeper)


def test_a_payout_that_rounds_up_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the end with too little for all, where some part is no whole quantum."""
    assert not diverges("ends", INSOLVENT_END)
    monkeypatch.setattr(perp_math, "pro_rata", lambda claim, payout, claims: mul_div_ceil(claim, payout, claims))
    assert diverges("ends", INSOLVENT_END)


def test_what_no_walk_can_see_the_harness_sees() -> None:
    """Which way the cost of a closed part rounds shows in the ledger once in 1e30 times, since what the close leaves in
    the position does not depend on it; the comparison of the formulas alone still tells the two apart."""
    harness, rng = Harness(), seeded("mutant", "cost of closed")
    function = HARNESS["cost_of_closed"]
    assert any(
        harness.ask(function, (size, cost, closed)) != mul_div_ceil(cost, closed, abs(size))
        for size, cost, closed in random_cases(function, rng)
    )


def test_there_is_no_mutant_among_us() -> None:
    """A must-fail twin: the same walks without a mutant reach their end."""
    for situation in ("thin", "uninsured", "roomy"):
        wander(situation, seeded("mutant", 0), STEPS)
