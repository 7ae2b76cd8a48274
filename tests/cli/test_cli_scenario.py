"""`perpkit scenario`: the list, a story and its options, all of them, and their pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from perpkit.cli.__main__ import run
from perpkit.cli.as_json import plain
from perpkit.devnet.sandboxes import open_sandbox
from perpkit.scenarios.catalogue import SCENARIOS
from perpkit.scenarios.story import STORY_START, StoryResult


def play(name: str, **parameters: object) -> StoryResult:
    with open_sandbox("model", timestamp=STORY_START) as sandbox:
        return SCENARIOS[name].play(sandbox, **parameters)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """What a command that succeeds prints as JSON."""
    assert run(["scenario", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


# REFUSALS


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["flash_crash", "--wick", "120"], "wick cannot be 120: expected a whole number, 1 to 99 (how far the price"),
        (["flash_crash", "--wick", "much"], "Invalid value for '--wick'"),
        (["cascade", "--seed", "-3"], "seed cannot be -3: expected a whole number, 0 or more"),
        (["crash", "--seed", "-3"], "Invalid value for '--seed'"),
        (["isolated_vs_cross", "--second-fall", "3300"], "second_fall cannot be 3300: expected 3,145 to 3,177 dollars"),
        (["crash", "--wick", "25"], "No such option: --wick"),
        (["crash", "--backend", "abacus"], "abacus"),
        (["all", "--report", "README.md"], "--report cannot be README.md: expected a folder"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And exit code 2, without a traceback."""
    monkeypatch.chdir(Path(__file__).parents[2])
    assert run(["scenario", *arguments]) == 2

    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1 and sentence in err


def test_a_refused_parameter_is_json_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """With the values of the sentence."""
    assert run(["scenario", "flash_crash", "--wick", "0", "--json"]) == 2

    error = json.loads(capsys.readouterr().err)["error"]
    assert (error["name"], error["values"]["name"], error["values"]["value"]) == ("BadParameter", "wick", 0)


def test_an_unknown_story_is_refused_with_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["scenario", "moonshot"]) == 2

    sentence = capsys.readouterr().err
    assert "moonshot" in sentence and all(name in sentence for name in SCENARIOS)


# A STORY


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_story_takes_a_seed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Also one without chance, which is told as always."""
    told = said(capsys, name, "--seed", "3")

    seeded = "seed" in plain(play(name))["parameters"]
    assert told == plain(play(name, seed=3) if seeded else play(name))


@pytest.mark.parametrize("name", SCENARIOS)
def test_help_has_words_for_every_option(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And says of a story without chance that the seed is ignored."""
    assert run(["scenario", name, "--help"]) == 0

    words = " ".join(capsys.readouterr().out.split())
    parameters = [parameter for parameter in play(name).parameters if parameter != "prices"]
    assert all(f"--{parameter.replace('_', '-')}" in words for parameter in parameters)
    assert ("ignored" in words) == ("seed" not in parameters)


def test_a_story_takes_its_parameters_as_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["scenario", "cascade", "--impact", "20", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)

    assert said == plain(play("cascade", impact=20))


def test_json_tells_parameters_and_series(capsys: pytest.CaptureFixture[str]) -> None:
    """Integers that outgrow JSON are strings."""
    told = said(capsys, "cascade")

    assert set(told) == {"name", "backend", "digest", "laws", "expected", "steps", "pictures", "parameters"}
    assert told["parameters"] == {"impact": 100, "seed": 0}
    price = told["pictures"][0]["panels"][0]
    assert (price["title"], price["unit"]) == ("Price of ETH-USD", "usd/base 1e18")
    assert [series["name"] for series in price["series"]] == ["impact 0", "impact 100"]
    assert price["series"][0]["values"][:2] == ["4000000000000000000000", "3870000000000000000000"]


def test_a_story_writes_its_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where it is stands at the end, and in the JSON."""
    assert run(["scenario", "crash", "--report", str(tmp_path / "out")]) == 0
    page = tmp_path / "out" / "crash.html"
    assert capsys.readouterr().out.endswith(f"report {page}\n")
    assert "<h1>Crash</h1>" in page.read_text("utf-8")

    assert said(capsys, "crash", "--report", str(tmp_path))["report"] == str(tmp_path / "crash.html")


# THE LIST, AND ALL


def test_the_list_names_every_story(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["scenario", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in listed] == sorted(SCENARIOS)
    assert {entry["name"]: entry["parameters"] for entry in listed}["cascade"] == {"impact": 100, "seed": 0}

    assert run(["scenario", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == sorted(SCENARIOS)
    assert all(entry["in_a_line"] in line for entry, line in zip(listed, lines, strict=True))


def test_all_stories_are_told_each_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """With the digest by which it is known again."""
    assert run(["scenario", "all"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["✓", name] for name in SCENARIOS]
    assert lines[3].endswith(play("crash").digest[:16])


def test_all_stories_as_json_are_what_each_says_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "all") == [plain(play(name)) for name in SCENARIOS]


def test_all_stories_have_a_page_and_one_leads_to_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["scenario", "all", "--seed", "5", "--report", str(tmp_path)]) == 0

    assert capsys.readouterr().out.endswith(f"report {tmp_path / 'index.html'}\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*(f"{n}.html" for n in SCENARIOS), "index.html"])


def test_a_story_that_breaks_its_promise_ends_with_exit_code_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone, and among all."""
    monkeypatch.setattr(StoryResult, "holds", False)
    assert run(["scenario", "crash"]) == 1
    assert run(["scenario", "all"]) == 1
    assert "✗ crash" in capsys.readouterr().out
