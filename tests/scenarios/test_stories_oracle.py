"""The stories of prices that lie or are missing, and of doors that are shut."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from perpkit.devnet.sandboxes import open_sandbox
from perpkit.market_setup import DOLLAR, UNIT
from perpkit.scenarios import oracle_lies, oracle_stale, venue_outage, withdrawal_halt
from perpkit.scenarios.parameters import BadParameter
from perpkit.scenarios.story import STORY_START, Step, StoryResult

STORIES = (oracle_lies, oracle_stale, venue_outage, withdrawal_halt)


def tell(story: ModuleType, backend: str, **params: Any) -> StoryResult:
    with open_sandbox(backend, timestamp=STORY_START) as sandbox:
        result: StoryResult = story.play(sandbox, **params)
        return result


def broken(result: StoryResult) -> list[str]:
    """The promises and laws that did not hold."""
    return [name for name, holds in {**result.expected, **result.laws}.items() if not holds]


@pytest.fixture(scope="module")
def on_model() -> dict[str, StoryResult]:
    """Every story once on the model, by name."""
    return {story.NAME: tell(story, "model") for story in STORIES}


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.NAME)
def test_a_story_ends_as_it_promises(story: ModuleType, on_model: dict[str, StoryResult]) -> None:
    """Every expectation and every law."""
    result = on_model[story.NAME]

    assert broken(result) == []
    assert result.name == story.NAME


@pytest.mark.parametrize(
    ("story", "backend"),
    [*((story, "revm") for story in STORIES), (venue_outage, "anvil")],
    ids=lambda value: value if isinstance(value, str) else value.NAME,
)
def test_a_story_is_the_same_everywhere(story: ModuleType, backend: str, on_model: dict[str, StoryResult]) -> None:
    """The ledger of every step, to the last quantum; of the one that rolls back also on a node."""
    model, other = on_model[story.NAME], tell(story, backend)

    assert (other.digest, other.steps, other.expected) == (model.digest, model.steps, model.expected)


@pytest.mark.parametrize(
    ("story", "params"),
    [
        (oracle_lies, {"lie": 1}),
        (oracle_lies, {"lie": 3_700}),
        (oracle_stale, {"price": 3_820, "silence": 86_400}),
        (oracle_stale, {"price": 3_500}),
        (venue_outage, {"top_up": 5_000, "prices": (3_830, 3_600)}),
        (withdrawal_halt, {"price": 3_700}),
    ],
    ids=lambda value: value.NAME if isinstance(value, ModuleType) else str(value),
)
def test_a_story_holds_with_other_numbers(story: ModuleType, params: dict[str, Any]) -> None:
    """The arithmetic of the expectations is that of the parameters."""
    assert broken(tell(story, "model", **params)) == []


def test_what_an_agreed_lie_costs(on_model: dict[str, StoryResult]) -> None:
    """Two feeds at 2,000: 17,520.2001 of bad debt and 50 of reward, less the tenth of three fees."""
    before, after = on_model["oracle_lies"].steps[0], on_model["oracle_lies"].steps[-1]

    assert before.insurance == 500_002_800_014
    assert after.insurance == 500_002_800_014 - 17_520_200_100 - 50 * DOLLAR + 399_998
    assert after.accounts["trader"]["equity"] == 0


def test_an_outage_costs_what_an_open_market_would_not(on_model: dict[str, StoryResult]) -> None:
    """520.2001 of bad debt where there would have been none."""
    words = [step.words for step in on_model["venue_outage"].steps]

    assert any("Bad debt 520.200100 against 0.000000 without the outage" in line for line in words)


def step_of(result: StoryResult, beginning: str) -> Step:
    """The one line of the ledger that begins so."""
    (step,) = [step for step in result.steps if step.words.startswith(beginning)]
    return step


def test_fifteen_minutes_decide_who_survives_an_outage(on_model: dict[str, StoryResult]) -> None:
    """Both longs have 2,000 - 20.0001 + 10 * (3,750 - 4,000.02) = -520.2001 when the venue resumes; 1,000 more carry
    one of them over the maintenance margin of 375."""
    resumed, over = (step_of(on_model["venue_outage"], words) for words in ("The venue resumes", "The 15 minutes"))

    assert {resumed.accounts[role]["equity"] for role in ("trader", "whale")} == {-520_200_100}
    assert {resumed.accounts[role]["size"] for role in ("trader", "whale")} == {10 * UNIT}
    assert (over.accounts["trader"]["equity"], over.accounts["trader"]["size"]) == (479_799_900, 10 * UNIT)
    assert (over.accounts["whale"]["equity"], over.accounts["whale"]["size"]) == (0, 0)
    assert resumed.insurance - over.insurance == 520_200_100 + 93_750_000  # the debt, and 0.25 % of 37,500


def test_too_little_in_grace_does_not_survive() -> None:
    """800 more make 279.7999, below 375 at 3,750: the story refuses, for it could not end as it promises."""
    with pytest.raises(BadParameter, match="expected at least 897 dollars"):
        tell(venue_outage, "model", top_up=800)


def test_a_silence_gives_its_owners_fifteen_minutes(on_model: dict[str, StoryResult]) -> None:
    """At 3,810 the long has 1,979.9999 + 10 * (3,810 - 4,000.02) = 79.7999 of 381, in grace; then it is closed."""
    returned, over = (step_of(on_model["oracle_stale"], words) for words in ("The feeds return", "The 15 minutes"))

    assert (returned.accounts["trader"]["equity"], returned.accounts["trader"]["size"]) == (79_799_900, 10 * UNIT)
    assert (over.accounts["trader"]["equity"], over.accounts["trader"]["size"]) == (0, 0)


def test_a_blind_ledger_is_written_at_the_last_known_price(on_model: dict[str, StoryResult]) -> None:
    """Without a price the ledger keeps the last one, and counts what is deposited meanwhile."""
    stopped, topped_up = on_model["oracle_lies"].steps[2:4]

    assert stopped.accounts["trader"]["equity"] == 2_029_799_900
    assert topped_up.accounts["trader"]["equity"] == 2_529_799_900
    assert topped_up.accounts["trader"]["liquidation_price"] < stopped.accounts["trader"]["liquidation_price"]
