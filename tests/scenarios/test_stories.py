"""Every story of the catalogue: it holds, and it is the same story on each backend."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from perpkit.cli.as_json import plain
from perpkit.devnet.sandboxes import open_sandbox
from perpkit.local import LocalBackend
from perpkit.scenarios.catalogue import SCENARIOS
from perpkit.scenarios.story import STORY_START, StoryResult

# Transactions of the whole set, seeding of the markets included: 756 are needed, and a story is meant to be short.
BUDGET = 1_500


def play(name: str, backend: str = "model", **parameters: object) -> StoryResult:
    with open_sandbox(backend, timestamp=STORY_START) as sandbox:
        return SCENARIOS[name].play(sandbox, **parameters)


@cache
def on_model(name: str) -> StoryResult:
    return play(name)


def told(result: StoryResult) -> Mapping[str, Any]:
    """A result as JSON tells it, without the name of its backend."""
    whole: dict[str, Any] = plain(result)
    assert set(whole) >= {"name", "backend", "parameters", "digest", "laws", "expected", "steps", "pictures"}
    return {key: value for key, value in whole.items() if key != "backend"}


def column(result: StoryResult, role: str, entry: str) -> list[int]:
    return [step.accounts[role][entry] for step in result.steps if role in step.accounts]


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_story_ends_as_it_promises(name: str) -> None:
    """Every expectation and every law; and it is told under its own name."""
    result = on_model(name)

    promises = {**result.expected, **result.laws}
    broken = [sentence for sentence, held in promises.items() if not held]
    assert not broken
    assert result.name == name
    assert result.expected and len(result.steps) >= 3


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_story_is_the_same_on_the_bytecode(name: str) -> None:
    assert told(play(name, "revm")) == told(on_model(name))


@pytest.mark.anvil
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_story_is_the_same_on_a_node(name: str) -> None:
    """Parameters, ledger and pictures too."""
    assert told(play(name, "anvil")) == told(on_model(name))


def test_a_story_told_twice_is_the_same() -> None:
    assert told(play("cascade")) == told(on_model("cascade"))


def test_the_whole_set_keeps_to_its_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in transactions, which do not depend on the machine."""
    done = 0
    transact = LocalBackend.transact

    def counted(self: LocalBackend, *args: Any, **named: Any) -> Any:
        nonlocal done
        done += 1
        return transact(self, *args, **named)

    monkeypatch.setattr(LocalBackend, "transact", counted)
    for name in SCENARIOS:
        play(name)

    assert 0 < done < BUDGET


# THE NUMBERS


def test_a_wick_takes_those_whom_the_low_reaches() -> None:
    """20x, 10x and 5x are gone after it, 3x and the 10x with spare margin stand."""
    result = on_model("flash_crash")

    last = {role: line["size"] for role, line in result.steps[-1].accounts.items()}
    assert {role for role, size in last.items() if size == 0} == {"counterparty", "trader", "operator"}
    assert result.steps[0].prices == result.steps[-1].prices
    # Bad debt 20,051.25 + 15,053.75 + 5,056.25, and to the keeper three times 0.25 % of 75,000; funding is cents.
    assert abs(result.steps[0].insurance - result.steps[1].insurance - 40_723_750_000) < 100_000


@pytest.mark.parametrize(("wick", "gone"), [(3, 0), (8, 1), (15, 2), (20, 3), (33, 4), (40, 5)])
def test_a_deeper_wick_takes_more(wick: int, gone: int) -> None:
    result = play("flash_crash", wick=wick)

    assert result.holds, result.expected
    first, low = result.steps[0].accounts, result.steps[1].accounts
    assert sum(low[role]["size"] < first[role]["size"] for role in first) == gone


def test_more_impact_takes_more() -> None:
    """The coefficient decides how far a shock of 3.25 % runs: at 100 all ten are hit, and three are gone."""
    last = on_model("cascade").steps[-1].accounts.values()
    assert all(line["size"] < 120 * 10**18 for line in last)
    assert sum(line["size"] == 0 for line in last) == 3
    lows = []
    for impact in (0, 20, 60, 100, 200):
        result = play("cascade", impact=impact)
        assert result.holds, result.expected
        lows.append(result.steps[-1].prices["ETH-USD"])

    assert lows == sorted(lows, reverse=True) and lows[-1] < lows[0]


def test_the_squeezed_pay_before_they_go() -> None:
    """A day's funding: 294 dollars from each short, half of a short's to the long."""
    result = on_model("short_squeeze")

    for role, change in (("trader", -294), ("counterparty", -294), ("whale", -294), ("market_maker", 147)):
        equity = column(result, role, "equity")
        assert abs(equity[1] - equity[0] - change * 10**6) <= 1
