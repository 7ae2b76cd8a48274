"""The parity walk: random actions on the bytecode and on the model, equal to the last digit after each.

A step is a tuple of plain values, `("trade", "owner", 3, 0, "open", 250, "any")`. It means something in any state:
sizes are leverage or shares of what is there, and become numbers only when the step is done. So a walk that fails can
be shortened by leaving steps out, and what is left can be pasted into a test as it was printed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence

from parity.chooser import Chooser
from parity.sides import Call, Divergence, Multicall, Step
from parity.situations import ACCOUNTS
from parity.steps_market import MarketSteps
from parity.steps_money import MoneySteps
from parity.steps_price import PriceSteps
from perpkit.market_setup import ROLES


class Walk(MoneySteps, MarketSteps, PriceSteps):
    """Both backends, side by side, and every step there is. Steps of a new contract are a module of their own."""

    def do(self, step: Step) -> None:
        """One step on both, and everything compared afterwards."""
        kind, *params = step
        for call in getattr(self, f"plan_{kind}")(*params):
            self._compare(call)
        self._compare_state()
        self._check_laws()

    # ---- several at once, and looking

    def plan_multicall(self, who: str, *steps: Step) -> Iterable[Multicall]:
        """Steps that were made for one sender, resolved in the state before all of them."""
        calls: list[Call] = []
        for kind, *params in steps:
            plan = getattr(self, f"plan_{kind}")(*params)
            calls += [next(iter(plan))] if kind == "liquidate" else [call for call in plan if not call.reads]
        calls = [call for call in calls if call.label == "clearinghouse"]
        sender = self.address(who) if who != "owner" or not calls else calls[0].sender
        return [Multicall(tuple(calls), sender)]

    def plan_preview_trade(self, index: int, market: int, mode: str, number: int, limit: str) -> Iterable[Call]:
        account = self.account(index)
        delta = self._delta(account, market, mode, number)
        args = (account, market, delta, self._limit(market, delta, limit))
        return [Call("lens", "preview_trade", args, reads=True)]

    def plan_preview_withdraw(self, index: int, permille: int) -> Iterable[Call]:
        (call,) = self.plan_withdraw("owner", index, permille, "owner")
        return [Call("lens", "preview_withdraw", (call.args[0], call.args[1]), reads=True)]

    def plan_preview_liquidation(self, index: int, market: int) -> Iterable[Call]:
        return [Call("lens", "preview_liquidation", (self.account(index), market), reads=True)]

    def plan_look(self) -> Iterable[Call]:
        """Every view of the lens, and the sums of the house."""
        trader = ROLES["trader"]
        calls = [
            Call("lens", "markets", reads=True),
            Call("lens", "accounts_of", (trader, 0, 3), reads=True),
            Call("clearinghouse", "pool_equity", reads=True),
        ]
        for account in ACCOUNTS:
            calls += [
                Call("lens", "account", (account,), reads=True),
                Call("clearinghouse", "margin_of", (account,), reads=True),
            ]
        return calls


# ------------------------------------------------------------------ walking and shrinking


def wander(situation: str, rng: random.Random, steps: int, *, shorten: bool = True) -> Walk:
    """A walk of `steps` steps; one that fails is shortened, and printed to be pasted."""
    walk = Walk(situation)
    done: list[Step] = []
    chooser = Chooser(rng, walk)
    for _ in range(steps):
        step = chooser.next()
        done.append(step)
        try:
            walk.do(step)
        except Exception as error:
            if not shorten:
                raise Divergence(f"after {len(done)} steps, at {step}: {error}") from error
            raise Divergence(_report(situation, shrink(situation, done), error)) from error
    return walk


def replay(situation: str, steps: Iterable[Step]) -> Walk:
    """Does a list of steps again; raises `Divergence` when the two sides differ."""
    walk = Walk(situation)
    for step in steps:
        walk.do(step)
    return walk


def diverges(situation: str, steps: Sequence[Step]) -> bool:
    try:
        replay(situation, steps)
    except Exception:
        return True
    return False


def shrink(
    situation: str,
    steps: Sequence[Step],
    attempts: int = 400,
    *,
    fails: Callable[[str, Sequence[Step]], bool] = diverges,
) -> list[Step]:
    """A shorter list that still fails: leaves out ever smaller stretches as long as that can be done."""
    kept, size = list(steps), max(len(steps) // 2, 1)
    while attempts and size:
        start = 0
        while start < len(kept) and attempts:
            attempts -= 1
            shorter = kept[:start] + kept[start + size :]
            if fails(situation, shorter):
                kept = shorter
            else:
                start += size
        size = size // 2 if size > 1 else 0
    return kept


def _report(situation: str, steps: Sequence[Step], error: Exception) -> str:
    lines = "\n".join(f"        {step!r}," for step in steps)
    try:
        replay(situation, steps)
    except Exception as shortest:
        error = shortest
    call = f"    replay(\n        {situation!r},\n        [\n{lines}\n        ],\n    )\n"
    return f"{type(error).__name__}: {error}\n\nTo see it again:\n\n{call}"
