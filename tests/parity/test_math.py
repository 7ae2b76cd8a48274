"""Every formula and every rounding of the libraries is the same number in Solidity and in Python."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from parity.seeds import seeded
from perpkit.abi.artifacts import Function, load_artifact
from perpkit.abi.codec import decode_error
from perpkit.market_setup import ROLES
from perpkit.model import fixed_math, perp_math
from perpkit.model.errors import (
    FundingIndexOutOfRange,
    MoneyOutOfRange,
    Panic,
    PerpError,
    PriceOutOfRange,
    SharesOutOfRange,
    SizeOutOfRange,
)
from perpkit.model.fixed_math import FUNDING_MAX, MONEY_MAX, PRICE_MAX, SHARES_MAX, SIZE_MAX, UNIT
from perpkit.model.types import ZERO_ADDRESS
from perpkit.revm import RevmBackend

RANDOM_CASES = 2600  # of each function
EDGE_CASES = 900  # of each function, at most
INT_MIN, INT_MAX = -(2**255), 2**255 - 1
OVERFLOW = Panic(0x11)

HARNESS = load_artifact("MathHarness").functions
BUILT_IN: dict[str, Callable[..., Any]] = {"abs": abs, "min": min, "max": max}

# What an argument of that name may be at all: the table of FixedMath.sol, and what follows from it.
RAW_MAX = SIZE_MAX * PRICE_MAX + 2**100
PNL_MAX = 2**190
EQUITY_MAX = 2**194 - 1
MARGIN_MAX = 2**247
SIGNED = {
    "size": SIZE_MAX,
    "side_size": SIZE_MAX,
    "skew": SIZE_MAX,
    "delta": SIZE_MAX,
    "cost": RAW_MAX,
    "cost_closed": RAW_MAX,
    "pnl": 2**186,
    "basis": 2**189,
    "side_profit": PNL_MAX,
    "profit": PNL_MAX,
    "equity": EQUITY_MAX,
    "index_delta": 2 * FUNDING_MAX,
    "funding_index": FUNDING_MAX,
    "rate": UNIT,
    "collateral": MONEY_MAX,
    "pool": MONEY_MAX,
    "payment": 2**190,
    "realized": MONEY_MAX,
    "amount": MONEY_MAX,
    "leverage": 10 * UNIT,
}
RANGES: dict[str, tuple[int, int]] = {
    **{name: (-bound, bound) for name, bound in SIGNED.items()},
    "mark": (1, PRICE_MAX),
    "price": (1, PRICE_MAX),
    "skew_scale": (1, SIZE_MAX),
    "closed": (0, SIZE_MAX),
    "value": (0, RAW_MAX),
    "requirement": (0, MARGIN_MAX),
    "initial_margin": (0, MARGIN_MAX),
    "maintenance_margin": (0, MARGIN_MAX),
    "insurance": (0, MONEY_MAX),
    "penalty": (0, MONEY_MAX),
    "min_notional": (0, MONEY_MAX),
    "least": (0, SIZE_MAX),
    "stop": (0, 1),
    "trigger": (1, PRICE_MAX),
    "trail": (0, PRICE_MAX),
    "trail_is_ratio": (0, 1),
    "claim": (0, MONEY_MAX),
    "claims": (1, MONEY_MAX),
    "payout": (0, MONEY_MAX),
    "min_keeper_reward": (0, MONEY_MAX),
    "target": (0, 2**190),
    "deficit": (0, MONEY_MAX),
    "ratio": (0, UNIT),
    "imr": (2, UNIT),
    "mmr": (1, UNIT - 1),
    "penalty_rate": (0, UNIT - 1),
    "keeper_share": (0, UNIT),
    "share": (0, UNIT),
    "adl_pnl_factor": (0, UNIT - 1),
    "maker_fee": (0, UNIT),
    "taker_fee": (0, UNIT),
    "max_funding_rate": (0, UNIT),
    "elapsed": (0, 2**40),
    "funding_interval": (3600, 30 * 24 * 3600),
    "quantum": (10**18, 10**30),
    "assets": (0, MONEY_MAX),
    "nav": (0, MONEY_MAX),
    "shares": (0, SHARES_MAX),
    "supply": (0, SHARES_MAX),
    "virtual_shares": (1, 10**12),
    "max_premium": (0, UNIT // 10),
}
# Where a name means something else, or only a part of its range is needed.
SPECIAL: dict[tuple[str, str], tuple[int, int]] = {
    ("div_floor", "numerator"): (INT_MIN, INT_MAX),
    ("div_ceil", "numerator"): (INT_MIN, INT_MAX),
    ("div_floor", "denominator"): (1, INT_MAX),
    ("div_ceil", "denominator"): (1, INT_MAX),
    ("ratio", "numerator"): (-INT_MAX, INT_MAX),
    ("ratio", "denominator"): (1, INT_MAX),
    ("mul_div_floor", "value"): (-INT_MAX, INT_MAX),
    ("mul_div_ceil", "value"): (-INT_MAX, INT_MAX),
    ("mul_div_floor", "factor"): (0, INT_MAX),
    ("mul_div_ceil", "factor"): (0, INT_MAX),
    ("mul_div_floor", "denominator"): (1, INT_MAX),
    ("mul_div_ceil", "denominator"): (1, INT_MAX),
    ("abs", "value"): (-INT_MAX, INT_MAX),
    ("to_amount", "amount"): (0, 2**256 - 1),
    # At 18 decimals a score of more would leave int256; the money of a house that is so rich would too.
    ("deleverage_score", "equity"): (-PNL_MAX, PNL_MAX),
    ("size_at_leverage", "equity"): (0, EQUITY_MAX),
    ("shares_for", "assets"): (-MONEY_MAX, MONEY_MAX),
    ("rebalance_reward", "rate"): (0, UNIT // 100),
    **{("product_greater", name): (0, INT_MAX) for name in "abcd"},
    **{(function, name): (INT_MIN, INT_MAX) for function in ("min", "max") for name in "ab"},
    **{("clamp", name): (INT_MIN, INT_MAX) for name in ("value", "low", "high")},
    **{
        (f"to_{what}", "value"): (INT_MIN, INT_MAX)
        for what in ("size", "price", "funding_index", "money", "shares", "unsigned")
    },
}
# The bounds at which a number is refused: every conversion is tried on both sides of each.
BOUNDS = [SIZE_MAX, PRICE_MAX, FUNDING_MAX, MONEY_MAX, SHARES_MAX]


def valid(function: str, a: dict[str, int]) -> bool:
    """What callers of a formula vouch for."""
    if function in ("cost_of_closed", "entry_price", "liquidation_price", "bankruptcy_price") and a["size"] == 0:
        return False
    if "closed" in a and "size" in a and a["closed"] > abs(a["size"]):
        return False
    if "imr" in a and "penalty_rate" in a and a["penalty_rate"] >= a["imr"]:
        return False
    if function == "liquidation_size" and a["least"] > abs(a["size"]):
        return False
    if function == "pro_rata" and not a["claim"] <= a["claims"] >= a["payout"]:
        return False
    if function == "cost_after_funding" and abs(a["payment"]) * a["quantum"] > PNL_MAX:
        return False
    if function == "deleverage_size" and a["target"] * a["quantum"] > INT_MAX:
        return False
    if function == "mint_delta" and a["size"] and not a["nav"]:
        return False
    if function == "size_after_redeem" and a["assets"] > a["nav"]:
        return False
    if function in ("mul_div_floor", "mul_div_ceil"):
        return abs(a["value"]) * a["factor"] // a["denominator"] < INT_MAX
    if function == "health" and a["maintenance_margin"]:
        return abs(a["equity"]) * UNIT * UNIT // a["maintenance_margin"] < INT_MAX
    return True


# ------------------------------------------------------------------ numbers a market could see


@dataclass
class Scene:
    """One position in one market, as traders talk about it: leverage, moves in per cent, shares of the whole."""

    rng: random.Random

    def log_uniform(self, low: int, high: int) -> int:
        """Any magnitude is as likely as any other."""
        bits = self.rng.randint(max(low, 1).bit_length(), high.bit_length())
        return min(max(self.rng.getrandbits(bits), low), high)

    def near(self, value: int, per_cent: int = 5) -> int:
        """The value itself, one beside it, or a few per cent away."""
        pick = self.rng.random()
        if pick < 0.15:
            return value
        if pick < 0.3:
            return value + self.rng.choice((-1, 1))
        return value + value * self.rng.randint(-per_cent * 100, per_cent * 100) // 10_000

    def draw(self) -> dict[str, int]:
        rng = self.rng
        quantum = 10 ** (36 - rng.choice((6, 6, 6, 8, 18, rng.randint(6, 18))))
        mark = self.log_uniform(1, PRICE_MAX) if rng.random() < 0.3 else self.log_uniform(10**12, 10**24)
        money = self.log_uniform(1, MONEY_MAX) if rng.random() < 0.3 else self.log_uniform(10**5, 10**15)
        leverage = rng.randint(1, 12_000)  # in hundredths
        side = rng.choice((-1, 1))
        size = side * min(max(money * quantum * leverage // 100 // mark, 1), SIZE_MAX)
        move = rng.choice((0, 1, rng.randint(-100, 100), rng.randint(-4000, 4000)))  # in basis points
        entry = max(mark - mark * move // 10_000, 1)
        cost = size * entry + rng.choice((0, 0, 1, -1, rng.randint(-quantum, quantum)))
        index_delta = rng.choice((0, mark * rng.randint(-500, 500) // 10_000, rng.randint(-1000, 1000)))
        penalty_rate = rng.randint(0, UNIT // 50)
        mmr = min(penalty_rate + rng.randint(1, UNIT // 20), UNIT - 1)
        imr = min(mmr + rng.randint(1, UNIT // 10), UNIT)
        notional = abs(size) * mark
        equity = money * quantum + size * (mark - index_delta) - cost
        if rng.random() < 0.5:
            equity = self.near(notional * rng.choice((imr, mmr)) // UNIT, 40)
        if rng.random() < 0.1:
            equity = -equity
        equity = min(max(equity, -EQUITY_MAX), EQUITY_MAX)
        skew_scale = min(self.log_uniform(abs(size) // 4 + 1, max(abs(size) * 10**6, 4)), SIZE_MAX)
        skew = rng.choice((0, size, -size, rng.randint(-skew_scale, skew_scale)))
        delta = rng.choice((size, -size, -size * rng.randint(1, 200) // 100, self.near(-skew)))
        closed = rng.choice((0, abs(size), rng.randint(0, abs(size))))
        cost_closed = cost * closed // abs(size)
        pnl = side * closed * mark - cost_closed
        profit = size * mark - cost
        # What is left for a winner, and for all of them: none of it, a share, or all.
        claims = money + rng.choice((0, 1, money, rng.randint(0, 100) * money))
        payout = rng.choice((0, claims, max(claims - 1, 0), claims * rng.randint(0, 10_000) // 10_000))
        target = rng.choice((0, self.near(abs(profit) // quantum), abs(profit) // quantum * rng.randint(0, 120) // 100))
        nav = max(equity // quantum, 1)
        supply = self.log_uniform(1, SHARES_MAX) if rng.random() < 0.3 else nav * 10**12
        drawn = {
            "nav": nav,
            "assets": rng.choice((self.near(nav), self.log_uniform(1, nav), self.log_uniform(10**5, 10**13))),
            "supply": supply,
            "shares": rng.choice((supply, self.log_uniform(1, supply))),
            "virtual_shares": 10 ** rng.randint(0, 12),
            "leverage": side * rng.randint(100, 1000) * UNIT // 100,
            "max_premium": rng.randint(0, 1000) * UNIT // 10_000,
            "quantum": quantum,
            "mark": mark,
            "price": self.near(mark),
            "size": size,
            "side_size": size,
            "skew": skew,
            "delta": delta,
            "skew_scale": skew_scale,
            "cost": cost,
            "index_delta": index_delta,
            "funding_index": rng.choice((0, index_delta, -index_delta)),
            "basis": cost - size * index_delta,
            "closed": closed,
            "cost_closed": cost_closed,
            "pnl": pnl,
            "realized": pnl // quantum,
            "payment": -size * index_delta // quantum,
            "profit": profit,
            "side_profit": profit,
            "value": notional,
            "equity": equity,
            "requirement": self.near(equity * UNIT),
            "initial_margin": self.near(notional * imr, 1),
            "maintenance_margin": self.near(notional * mmr, 1),
            "imr": imr,
            "mmr": mmr,
            "ratio": rng.choice((imr, mmr)),
            "penalty_rate": penalty_rate,
            "collateral": rng.choice((-1, 1, 1, 1)) * money,
            "pool": rng.choice((-1, 1, 1, 1)) * self.near(money * rng.randint(1, 1000)),
            "insurance": rng.choice((0, self.near(money))),
            "penalty": notional * penalty_rate // (quantum * UNIT),
            "amount": money,
            "deficit": rng.choice((0, 0, self.near(money))),
            "target": target,
            "min_notional": rng.choice((0, 100 * 10**6, self.near((abs(size) - closed) * mark // quantum))),
            # Nothing, or as much as leaves the tier.
            "least": rng.choice((0, 0, 1, abs(size), closed)),
            "trigger": self.near(mark, 1),
            "trail": rng.choice((mark // rng.randint(2, 100), rng.randint(0, UNIT))),
            "claim": money,
            "claims": claims,
            "payout": payout,
            "min_keeper_reward": rng.choice((0, 5 * 10**5, money)),
            "rate": rng.randint(-UNIT // 100, UNIT // 100),
            "elapsed": rng.choice((0, 1, rng.randint(0, 3600), rng.randint(0, 30 * 86400))),
            "funding_interval": rng.choice((3600, 8 * 3600, rng.randint(3600, 30 * 86400))),
        }
        for name in ("keeper_share", "share", "maker_fee", "taker_fee", "max_funding_rate", "adl_pnl_factor"):
            drawn[name] = rng.choice((0, UNIT // 2, rng.randint(0, UNIT // 10), rng.randint(0, UNIT - 1)))
        return drawn


def span(function: str, name: str) -> tuple[int, int]:
    return SPECIAL.get((function, name)) or RANGES[name]


def edges(function: str, name: str) -> list[int]:
    """Both ends of a range with what lies beside them, and the numbers around zero."""
    low, high = span(function, name)
    if name == "quantum":
        return [10**18, 10**24, 10**30]
    at = [low, low + 1, -1, 0, 1, high - 1, high]
    if function.startswith("to_"):
        at += [sign * bound + beside for bound in BOUNDS for sign in (-1, 1) for beside in (-1, 0, 1)]
    return sorted({value for value in at if low <= value <= high})


def any_number(scene: Scene, low: int, high: int) -> int:
    value = scene.log_uniform(1, max(high, -low)) * scene.rng.choice((-1, 1))
    return value if low <= value <= high else min(max(abs(value), low), high)


def random_cases(function: Function, rng: random.Random) -> Iterator[tuple[int, ...]]:
    """Mostly what a market could see, with an edge or a number of any magnitude thrown in now and then."""
    scene, names = Scene(rng), [param.name for param in function.inputs]
    at_edge = {name: edges(function.name, name) for name in names}
    missing = RANDOM_CASES
    while missing:
        drawn = scene.draw()
        case = {}
        for name in names:
            low, high = span(function.name, name)
            pick = rng.random()
            if pick < 0.04:
                case[name] = rng.choice(at_edge[name])
            elif pick < 0.08 or (function.name, name) in SPECIAL or name not in drawn:
                case[name] = drawn["quantum"] if name == "quantum" else any_number(scene, low, high)
            else:
                case[name] = min(max(drawn[name], low), high)
        if valid(function.name, case):
            missing -= 1
            yield tuple(case.values())


def edge_cases(function: Function, rng: random.Random) -> list[tuple[int, ...]]:
    """Every combination of edges, or a fair choice of them where there are too many."""
    names = [param.name for param in function.inputs]
    choices = [edges(function.name, name) for name in names]
    count = 1
    for values in choices:
        count *= len(values)
    if count <= 4 * EDGE_CASES:
        cases = list(itertools.product(*choices))
    else:
        cases = [tuple(rng.choice(values) for values in choices) for _ in range(4 * EDGE_CASES)]
        cases += [tuple(values[0] for values in choices), tuple(values[-1] for values in choices)]
    cases = [case for case in cases if valid(function.name, dict(zip(names, case, strict=True)))]
    return cases if len(cases) <= EDGE_CASES else rng.sample(cases, EDGE_CASES)


# ------------------------------------------------------------------ the two sides


class Harness:
    """The compiled libraries, asked directly: a hundred thousand calls through the seam would take too long."""

    _output = re.compile(r"output: 0x([0-9a-f]*)")

    def __init__(self) -> None:
        backend = RevmBackend(timestamp=1)
        self._address = backend.deploy("math", "MathHarness", sender=ROLES["governor"])
        self._evm: Any = backend._evm

    def ask(self, function: Function, args: tuple[int, ...]) -> Any:
        data = function.selector + b"".join((arg % 2**256).to_bytes(32, "big") for arg in args)
        try:
            output = self._evm.message_call(ZERO_ADDRESS, self._address, calldata=data, gas=10**6, is_static=True)
        except RuntimeError as error:
            found = self._output.search(str(error))
            return decode_error(bytes.fromhex(found.group(1))) if found else error
        words = [
            int.from_bytes(output[32 * i : 32 * i + 32], "big", signed=result.type.startswith("int"))
            for i, result in enumerate(function.outputs)
        ]
        return words[0] if len(words) == 1 else tuple(words)


def formula(name: str) -> Callable[..., Any]:
    """The twin of a function of the harness."""
    return BUILT_IN.get(name) or getattr(fixed_math, name, None) or getattr(perp_math, name)


def model(name: str, args: tuple[int, ...]) -> Any:
    try:
        return formula(name)(*args)
    except PerpError as error:
        return error


@pytest.fixture(scope="module")
def harness() -> Harness:
    return Harness()


@pytest.mark.parametrize("name", sorted(HARNESS))
def test_a_formula_is_the_same_number_on_both_sides(name: str, harness: Harness) -> None:
    """Thousands of guided cases and the edges of every range give the same results and the same errors."""
    function, rng = HARNESS[name], seeded("math", name)
    cases = [*edge_cases(function, rng), *random_cases(function, rng)]
    for args in cases:
        expected, found = model(name, args), harness.ask(function, args)
        assert found == expected, f"{name}{args}: contract {found!r}, model {expected!r}"


def test_the_cases_are_more_than_a_hundred_thousand() -> None:
    """The random cases alone are so many, over all functions."""
    assert RANDOM_CASES * len(HARNESS) >= 100_000


def test_every_formula_of_the_model_is_in_the_harness() -> None:
    """No function of the two modules escapes the comparison."""
    written = {
        name
        for module in (fixed_math, perp_math)
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", "") == module.__name__
    }
    assert written - {"ten_to"} == set(HARNESS) - set(BUILT_IN)


@pytest.mark.parametrize(
    ("name", "args", "result"),
    [
        ("div_floor", (INT_MIN, 1), INT_MIN),
        ("div_floor", (INT_MIN, INT_MAX), -2),
        ("div_floor", (-1, INT_MAX), -1),
        ("div_floor", (INT_MAX, INT_MAX), 1),
        ("div_ceil", (INT_MIN, 1), INT_MIN),
        ("div_ceil", (INT_MIN, INT_MAX), -1),
        ("div_ceil", (1, INT_MAX), 1),
        ("div_ceil", (-1, INT_MAX), 0),
        ("mul_div_floor", (-INT_MAX, INT_MAX, INT_MAX), -INT_MAX),
        ("mul_div_ceil", (-INT_MAX, INT_MAX, INT_MAX), -INT_MAX),
        ("mul_div_floor", (-1, 1, INT_MAX), -1),
        ("mul_div_ceil", (1, 1, INT_MAX), 1),
        ("abs", (-INT_MAX,), INT_MAX),
        ("min", (INT_MIN, INT_MAX), INT_MIN),
        ("max", (INT_MIN, INT_MAX), INT_MAX),
        ("clamp", (INT_MIN, -1, 1), -1),
        ("clamp", (INT_MAX, -1, 1), 1),
        ("clamp", (0, INT_MIN, INT_MAX), 0),
        ("to_unsigned", (INT_MIN,), 0),
        ("to_unsigned", (INT_MAX,), INT_MAX),
        ("to_size", (-SIZE_MAX,), -SIZE_MAX),
        ("to_size", (-SIZE_MAX - 1,), SizeOutOfRange(-SIZE_MAX - 1)),
        ("to_size", (INT_MIN,), SizeOutOfRange(INT_MIN)),
        ("to_price", (1,), 1),
        ("to_price", (0,), PriceOutOfRange(0)),
        ("to_price", (PRICE_MAX + 1,), PriceOutOfRange(PRICE_MAX + 1)),
        ("to_price", (INT_MIN,), PriceOutOfRange(INT_MIN)),
        ("to_funding_index", (-FUNDING_MAX,), -FUNDING_MAX),
        ("to_funding_index", (-FUNDING_MAX - 1,), FundingIndexOutOfRange(-FUNDING_MAX - 1)),
        ("to_funding_index", (INT_MIN,), FundingIndexOutOfRange(INT_MIN)),
        ("to_money", (-MONEY_MAX,), -MONEY_MAX),
        ("to_money", (MONEY_MAX + 1,), MoneyOutOfRange(MONEY_MAX + 1)),
        ("to_money", (INT_MIN,), MoneyOutOfRange(INT_MIN)),
        ("to_shares", (SHARES_MAX,), SHARES_MAX),
        ("to_shares", (SHARES_MAX + 1,), SharesOutOfRange(SHARES_MAX + 1)),
        ("to_shares", (-1,), SharesOutOfRange(-1)),
        ("to_amount", (MONEY_MAX,), MONEY_MAX),
        ("to_amount", (MONEY_MAX + 1,), MoneyOutOfRange(MONEY_MAX + 1)),
        ("to_amount", (2**256 - 1,), MoneyOutOfRange(INT_MAX)),
        ("health", (-1, 0), INT_MAX),
    ],
)
def test_a_boundary_is_what_it_should_be(name: str, args: tuple[int, ...], result: Any, harness: Harness) -> None:
    """At the ends of int256 and of each range, both sides give the number, or the error, that is written here."""
    assert model(name, args) == result
    assert harness.ask(HARNESS[name], args) == result


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("mul_div_floor", (INT_MIN, 1, 1)),
        ("mul_div_ceil", (INT_MIN, 1, 1)),
    ],
)
def test_what_int256_cannot_negate_is_refused(name: str, args: tuple[int, ...], harness: Harness) -> None:
    """The contract panics over -(-2**255), which is no number of any market, rather than give a wrong one."""
    assert harness.ask(HARNESS[name], args) == OVERFLOW


def test_a_wrong_formula_is_found(harness: Harness) -> None:
    """A must-fail twin: Python's own floor is not the contract's ceiling, and some case shows it."""
    function, rng = HARNESS["div_ceil"], seeded("math", "must fail")
    assert any(harness.ask(function, args) != args[0] // args[1] for args in random_cases(function, rng))
