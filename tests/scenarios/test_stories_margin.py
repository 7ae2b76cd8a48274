"""The stories of margin: what funding eats, what is shared between positions, who pays last, and what a hedge earns."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import ModuleType

import pytest

from perpkit.backend import Sandbox
from perpkit.devnet.sandboxes import open_sandbox
from perpkit.market_setup import DOLLAR
from perpkit.scenarios import basis_hedge, funding_drag, insurance_drained_adl, isolated_vs_cross
from perpkit.scenarios.parameters import BadParameter
from perpkit.scenarios.story import STORY_START, StoryResult

STORIES = (funding_drag, isolated_vs_cross, insurance_drained_adl, basis_hedge)
each_story = pytest.mark.parametrize("story", STORIES, ids=lambda story: story.NAME)


@cache
def play(story: ModuleType, backend: str) -> StoryResult:
    return play_with(backend, story.play)


def play_with(backend: str, story: Callable[[Sandbox], StoryResult]) -> StoryResult:
    with open_sandbox(backend, timestamp=STORY_START) as sandbox:
        return story(sandbox)


def test_a_fund_that_is_large_enough_leaves_no_deficit_to_tell_of() -> None:
    """The promises are not those of whatever happens: nobody is deleveraged then."""
    result = play_with("model", lambda sandbox: insurance_drained_adl.play(sandbox, fund=100_000))

    assert result.expected["nobody is deleveraged"] and result.holds
    assert "a deficit stands" not in result.expected
    assert all(step.deficit == 0 for step in result.steps)


@pytest.mark.parametrize(("fund", "first", "second"), [(6_000, 7_205, 2_587), (9_000, 6_793, 0), (15_794, 0, 0)])
def test_a_larger_fund_takes_less_from_the_winners(fund: int, first: int, second: int) -> None:
    """The deficit of 9,793.15 is less by what the fund has more, and the first pays before the second."""
    result = play_with("model", lambda sandbox: insurance_drained_adl.play(sandbox, fund=fund))

    _, taken = result.pictures[1].panels[0].series
    assert taken.name == "given up"
    assert [value // DOLLAR for value in taken.values if value is not None] == [first, second, 0]


@pytest.mark.parametrize("price", [3_300, 3_178, 3_144, 3_100])
def test_a_fall_that_tells_another_story_is_refused(price: int) -> None:
    """Nothing has to be sold above, and too little is left below."""
    with pytest.raises(BadParameter, match=f"second_fall cannot be {price}: expected 3,145 to 3,177 dollars, where"):
        play_with("model", lambda sandbox: isolated_vs_cross.play(sandbox, second_fall=price))


@pytest.mark.parametrize(
    "falls",
    [{"first_fall": 3_188}, {"first_fall": 3_602}, {"second_fall": 3_145}, {"second_fall": 3_177}, {"bottom": 3_113}],
)
def test_the_bounds_that_a_refusal_names_are_exact(falls: dict[str, int]) -> None:
    """What it says would do does."""
    result = play_with("model", lambda sandbox: isolated_vs_cross.play(sandbox, **falls))

    assert result.holds, result.expected


@each_story
def test_each_story_ends_as_it_promises(story: ModuleType) -> None:
    """Every expectation and every law."""
    result = play(story, "model")

    assert result.holds, (result.expected, result.laws)
    assert result.name == story.NAME


@each_story
def test_each_story_is_the_same_on_the_bytecode(story: ModuleType) -> None:
    """The ledger of every step, to the last quantum."""
    model, revm = play(story, "model"), play(story, "revm")

    assert (model.digest, model.steps, model.expected) == (revm.digest, revm.steps, revm.expected)


def test_a_story_is_the_same_on_a_chain() -> None:
    """The one that asks most of the clock: liquidations come in the predicted second."""
    model, anvil = play(funding_drag, "model"), play(funding_drag, "anvil")

    assert (model.digest, model.steps, model.expected) == (anvil.digest, anvil.steps, anvil.expected)


def test_funding_eats_a_standing_position_in_the_predicted_time() -> None:
    """852 a day of 3,697.859, down to a maintenance margin of 400."""
    steps = play(funding_drag, "model").steps

    assert [step.accounts["trader"]["equity"] for step in steps[:4]] == [
        3_697_859_000,
        2_845_859_000,
        1_993_859_000,
        1_141_859_000,
    ]
    assert {step.prices["ETH-USD"] for step in steps} == {4_000 * 10**18}


def test_the_haircuts_are_the_deficit() -> None:
    """The pool has the deficit back, and the fund stays empty."""
    before, after = play(insurance_drained_adl, "model").steps[-2:]

    assert before.insurance == after.insurance == after.deficit == 0
    lost = sum(before.accounts[name]["equity"] - after.accounts[name]["equity"] for name in before.accounts)
    assert lost == before.deficit == 9_793_151_215


def test_the_hedge_earns_its_funding_less_fees() -> None:
    """8,460 - 80.12 - 210.315 + 600 - 630, of which the spot's gain of 20,000 is earned elsewhere."""
    end = play(basis_hedge, "model").steps[-1].accounts["market_maker"]["equity"]

    assert end - 100_000 * DOLLAR + 20_000 * DOLLAR == 8_139_565_000
