"""What a story's parameters may be: refusals in one sentence, and every story holds with whatever is allowed."""

from __future__ import annotations

from typing import Annotated, Any, get_type_hints

import pytest

from perpkit.backend import Sandbox
from perpkit.devnet.sandboxes import open_sandbox
from perpkit.scenarios import cascade, short_squeeze
from perpkit.scenarios.catalogue import SCENARIOS
from perpkit.scenarios.parameters import BadParameter, Between, told, words_of
from perpkit.scenarios.story import STORY_START, Stage, StoryResult

SEEDS = range(1, 21)


def play(name: str, backend: str = "model", **parameters: object) -> StoryResult:
    with open_sandbox(backend, timestamp=STORY_START) as sandbox:
        return SCENARIOS[name].play(sandbox, **parameters)


def broken(result: StoryResult) -> list[str]:
    return [sentence for sentence, held in {**result.expected, **result.laws}.items() if not held]


def hints(name: str) -> dict[str, Any]:
    found = get_type_hints(SCENARIOS[name].play, include_extras=True)
    return {parameter: hint for parameter, hint in found.items() if parameter not in ("sandbox", "return")}


def bounds(hint: Any) -> Between | None:
    return next((bound for bound in getattr(hint, "__metadata__", ()) if isinstance(bound, Between)), None)


SEEDED = [name for name in SCENARIOS if "seed" in hints(name)]


# REFUSALS

ALL_BOUNDS = [(name, parameter, bounds(hint)) for name in SCENARIOS for parameter, hint in hints(name).items()]


@pytest.mark.parametrize(
    ("name", "parameter", "bound"), [entry for entry in ALL_BOUNDS if entry[2]], ids=lambda value: str(value)
)
def test_what_is_out_of_bounds_is_refused_before_anything_is_played(name: str, parameter: str, bound: Between) -> None:
    """Nothing is bent to the nearest that would do."""
    wrong: list[object] = [bound.least - 1, 2.5, "3", True]
    if bound.most is not None:
        wrong.append(bound.most + 1)
    for value in wrong:
        with pytest.raises(BadParameter, match=f"{parameter} cannot be {value}: expected a whole number, ") as refused:
            SCENARIOS[name].play(None, **{parameter: value})
        assert str(bound) in str(refused.value)


@pytest.mark.parametrize(
    ("name", "parameters", "sentence"),
    [
        ("basis_hedge", {"hedge": 200}, "hedge cannot be 200: expected less than the crowd's 200 ETH"),
        ("basis_hedge", {"margin": 40_000}, "expected at least 44,801 dollars, so that 100 ETH survive 4,400"),
        ("funding_drag", {"margin": 1_000}, "expected 1,132 to 51,802 dollars for a position of 40,000"),
        ("isolated_vs_cross", {"first_fall": 3_603}, "expected 3,188 to 3,602 dollars, where the isolated margin"),
        ("isolated_vs_cross", {"bottom": 3_114}, "expected 1 to 3,113 dollars, where cross has lost all"),
        ("isolated_vs_cross", {"eth_milli": 100}, "expected other margins or sizes with it"),
        ("venue_outage", {"top_up": 896}, "expected at least 897 dollars, so that the trader survives 3,750"),
        ("venue_outage", {"prices": (3_900,)}, "expected an end at most at 3,802"),
    ],
)
def test_numbers_that_do_not_go_together_are_refused(name: str, parameters: dict[str, object], sentence: str) -> None:
    """In one sentence that says what would do."""
    with pytest.raises(BadParameter) as refused:
        play(name, **parameters)

    assert sentence in str(refused.value)


# WHAT IS ALLOWED


def test_every_parameter_has_words() -> None:
    """For `--help`."""
    for name in SCENARIOS:
        for parameter, hint in hints(name).items():
            assert len(words_of(hint).split()) > 2, (name, parameter)


@pytest.mark.parametrize("name", SEEDED)
def test_a_story_holds_with_twenty_seeds(name: str) -> None:
    """Each draws another crowd, and every promise is kept or not given."""
    digests = set()
    for seed in SEEDS:
        result = play(name, seed=seed)
        assert broken(result) == [], seed
        assert result.parameters["seed"] == seed
        digests.add(result.digest)

    assert len(digests) == len(SEEDS)


def test_the_stories_with_a_crowd_have_a_seed() -> None:
    assert {"bank_run", "cascade", "flash_crash", "short_squeeze"} <= set(SEEDED)


@pytest.mark.parametrize("name", SEEDED)
def test_a_seed_draws_the_same_on_the_bytecode(name: str) -> None:
    assert play(name, "revm", seed=7).steps == play(name, seed=7).steps


@pytest.mark.parametrize(
    ("name", "parameter", "values"),
    [
        ("flash_crash", "wick", (1, 3, 17, 50, 99)),
        ("cascade", "impact", (0, 1, 40, 250, 1_000)),
        ("basis_hedge", "crowd", (101, 150, 377, 1_500)),
        ("basis_hedge", "hedge", (1, 37, 150, 199)),
        ("basis_hedge", "margin", (44_801, 5_000_000)),
        ("basis_hedge", "skew_scale", (20_000, 77_777, 1_000_000)),
        ("basis_hedge", "prices", ((4_001, 3_999), (1_000,))),
        ("funding_drag", "crowd_milli", (100_000, 650_001, 1_500_000)),
        ("funding_drag", "trader_milli", (1_000, 12_345, 30_000)),
        ("funding_drag", "margin", (1_132, 4_321, 20_000)),
        ("funding_drag", "skew_scale", (20_000, 77_777, 1_000_000)),
        ("insurance_drained_adl", "fund", (1, 3_000, 8_590, 9_000, 15_794, 1_000_000)),
        ("isolated_vs_cross", "margin", (1_991, 2_005)),
        ("isolated_vs_cross", "sol_milli", (50_500, 51_000)),
        ("oracle_lies", "lie", (1, 3_000, 3_750)),
        ("oracle_stale", "price", (1, 3_700, 3_820)),
        ("oracle_stale", "silence", (3_601, 2_592_000)),
        ("venue_outage", "top_up", (897, 500_000)),
        ("withdrawal_halt", "price", (3_050, 3_500, 3_820)),
    ],
)
def test_a_story_holds_with_other_numbers(name: str, parameter: str, values: tuple[object, ...]) -> None:
    """From one end of what is allowed to the other."""
    for value in values:
        result = play(name, **{parameter: value})
        assert broken(result) == [], value
        assert result.parameters[parameter] == value


def test_seed_and_numbers_go_together() -> None:
    """A drawn crowd under much impact, and a drawn crowd in a deep wick."""
    for seed in SEEDS:
        assert broken(play("cascade", seed=seed, impact=400)) == [], seed
        assert broken(play("flash_crash", seed=seed, wick=70)) == [], seed


def test_the_default_seed_tells_round_numbers() -> None:
    """What the words of the catalogue say."""
    assert {long.milli for long in cascade.crowd(0)} == {120_000}
    assert {short.leverage for short in short_squeeze.crowd(0)} == {20}
    assert len({long.milli for long in cascade.crowd(1)}) > 1


def test_a_story_without_annotations_is_told_as_it_is() -> None:
    """A new story needs nothing but a default for each parameter."""

    def bare(sandbox: Sandbox, *, dollars: int = 5, words: Annotated[str, "what it says"] = "nothing") -> StoryResult:
        stage = Stage(sandbox)
        stage.deposit("trader", dollars)
        stage.tell(words)
        return stage.end("bare")

    with open_sandbox("model", timestamp=STORY_START) as sandbox:
        result = told(bare)(sandbox, dollars=7)

    assert result.parameters == {"dollars": 7, "words": "nothing"}
    assert [picture.title for picture in result.pictures] == ["How everybody stands"]
