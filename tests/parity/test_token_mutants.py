"""One sign, one rounding, one order of the leveraged token's model changed: the walk finds each."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import NamedTuple

import pytest

from parity.seeds import seeded
from parity.token_walk import SITUATIONS, Divergence, to_the_edge, wander
from perpkit import local
from perpkit.model import leveraged_token, perp_math

WALKS, STEPS = 6, 400  # a mutant that lives longer than this, in every situation, has escaped


class Mutant(NamedTuple):
    """Words of a module of the model, and others in their place."""

    name: str
    module: ModuleType
    right: str
    wrong: str


MUTANTS = (
    Mutant("a share ignores the virtual ones", perp_math, "assets * (supply + virtual_shares)", "assets * supply"),
    Mutant(
        "a share ignores the virtual quantum", perp_math, "virtual_shares), nav + 1)", "virtual_shares), max(nav, 1))"
    ),
    Mutant(
        "shares round for the minter",
        perp_math,
        "return div_floor(assets * (supply + virtual_shares), nav + 1)",
        "return div_ceil(assets * (supply + virtual_shares), nav + 1)",
    ),
    Mutant(
        "assets round for the redeemer",
        perp_math,
        "return div_floor(shares * (nav + 1), supply + virtual_shares)",
        "return div_ceil(shares * (nav + 1), supply + virtual_shares)",
    ),
    Mutant(
        "the fee rounds down",
        perp_math,
        "return div_ceil(amount * share, UNIT)\n\n\ndef price_limit",
        "return div_floor(amount * share, UNIT)\n\n\ndef price_limit",
    ),
    Mutant("the rest forgets the rounded quantum", perp_math, "(nav - assets), nav + 1)", "(nav - assets), nav)"),
    Mutant(
        "a rest too small stays",
        perp_math,
        "    if notional(rest, mark) < min_notional * quantum:\n        return 0\n    return rest",
        "    return rest",
    ),
    Mutant("a short token buys", perp_math, "return size if leverage > 0 else -size", "return size"),
    Mutant(
        "leverage rounds toward zero",
        perp_math,
        "return ratio(size * mark, equity)",
        "return -ratio(-size * mark, equity)",
    ),
    Mutant("a sale may not fill below the mark", perp_math, "else mark - distance", "else mark"),
    Mutant(
        "the reward rounds up",
        perp_math,
        "min(div_floor(notional(delta, mark) * rate",
        "min(div_ceil(notional(delta, mark) * rate",
    ),
    Mutant("the reward has no bound", perp_math, "quantum * UNIT), nav)", "quantum * UNIT), 2**80)"),
    Mutant("a worthless token mints", leveraged_token, "if before.nav == 0 and before.supply > 0:", "if False:"),
    Mutant("the minter's trade is everybody's", leveraged_token, "value = nav - before.nav", "value = assets"),
    Mutant("the redeemer's trade is everybody's", leveraged_token, "cost = before.nav - nav", "cost = 0"),
    Mutant(
        "the opening's gain is the minter's",
        leveraged_token,
        "        if before.size == 0:\n            value = min(value, money)\n",
        "",
    ),
    Mutant(
        "the rest's gain is the redeemer's",
        leveraged_token,
        "        if next == 0 and not last:\n            cost = max(cost, 0)\n",
        "",
    ),
    Mutant("the last holder pays a fee", leveraged_token, "fee = 0 if last else", "fee ="),
    Mutant(
        "the last holder leaves a position",
        leveraged_token,
        "            0\n            if last\n            else ",
        "            ",
    ),
    Mutant(
        "cash is not settled",
        leveraged_token,
        "if self.clearinghouse.collateral_of(self.account) < assets:",
        "if False:",
    ),
    Mutant("equality is not enough of a share", leveraged_token, "if shares < min_shares", "if shares <= min_shares"),
    Mutant("the band's edge is outside", leveraged_token, "t.min_leverage <= abs", "t.min_leverage < 2 * abs"),
    Mutant(
        "a second too early is in time",
        leveraged_token,
        "self.world.timestamp < not_before",
        "self.world.timestamp < not_before - 1",
    ),
    Mutant(
        "the clock is not set",
        leveraged_token,
        "        self._rebalanced_at = self.world.timestamp\n        fill",
        "        fill",
    ),
    Mutant(
        "the keeper is paid at the price before",
        leveraged_token,
        "before.supply, nav, self",
        "before.supply, before.nav, self",
    ),
    Mutant(
        "a rebalance looks at NAV",
        leveraged_token,
        "mark, before.equity, before.min",
        "mark, before.nav * self._quantum, before.min",
    ),
)


@contextmanager
def mutated(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The model's token with the mutant's words in it; everything else is as it was."""
    source = inspect.getsource(mutant.module)
    assert source.count(mutant.right) == 1, mutant.right
    changed = ModuleType(mutant.module.__name__)
    changed.__dict__["__name__"] = mutant.module.__name__
    text = source.replace(mutant.right, mutant.wrong)
    if mutant.module is perp_math:
        exec(compile(text, "mutant", "exec"), changed.__dict__)
        monkeypatch.setattr(leveraged_token, "perp_math", changed)
    else:
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, mutant.module.__name__, changed)
            exec(compile(text, "mutant", "exec"), changed.__dict__)
        monkeypatch.setattr(local, "LeveragedToken", changed.LeveragedToken)
    yield


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_found(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A walk to the edges and then some of bounded length do not survive the wrong words, or the mutant itself stumbles
    over what it should have refused."""
    with mutated(mutant, monkeypatch), pytest.raises((Divergence, ZeroDivisionError)) as found:
        to_the_edge()
        for number in range(WALKS):
            for name in SITUATIONS:
                wander(name, seeded("token mutant", number), STEPS)
    print(mutant.name, "-", str(found.value)[:300])


def test_there_is_no_mutant_among_us() -> None:
    """A must-fail twin: the same walks without a mutant reach their end."""
    to_the_edge()
    for name in SITUATIONS:
        wander(name, seeded("token mutant", 0), STEPS)
