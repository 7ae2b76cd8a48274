"""Every story has a picture: what it refuses, what its series say, and the page that shows it."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

from perpkit.devnet.sandboxes import open_sandbox
from perpkit.market_setup import DOLLAR, UNIT
from perpkit.picture import BARS, LANES, LINES, MONEY, NAME, PRICE, SIZE, Panel, Picture, Series
from perpkit.report import render_story, write_contents, write_story
from perpkit.scenarios.catalogue import SCENARIOS
from perpkit.scenarios.pictures import everybody
from perpkit.scenarios.story import STORY_START, StoryResult
from perpkit.story_report import story_contents, story_page

# What has room on a narrow picture, in letters.
LEGEND, LANE_NAME, LEVEL_NAME = 48, 13, 13


@cache
def played(name: str) -> StoryResult:
    with open_sandbox("model", timestamp=STORY_START) as sandbox:
        return SCENARIOS[name].play(sandbox)


@cache
def page(name: str) -> str:
    return render_story(story_page(played(name), in_a_line=SCENARIOS[name].in_a_line))


def series(name: str, panel: str) -> dict[str, tuple[int | None, ...]]:
    """The series of the panel of that title, by name."""
    found = next(p for picture in played(name).pictures for p in picture.panels if p.title == panel)
    return {line.name: line.values for line in found.series}


each_story = pytest.mark.parametrize("name", SCENARIOS)


# REFUSALS


def test_a_series_needs_a_value_for_each_place() -> None:
    """None says that there is none."""
    panel = Panel("Price", PRICE, (Series("ETH-USD", (1, None)),))
    assert Picture("A title", "Words.", (1, 2), (panel,)).panels == (panel,)
    with pytest.raises(ValueError, match="A title, ETH-USD: found 2 values, expected one for each of 3 places"):
        Picture("A title", "Words.", (1, 2, 3), (panel,))


def test_a_unit_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="found 'euro', expected a unit of perpkit"):
        Panel("Price", "euro", ())
    with pytest.raises(ValueError, match="cannot be shown as 'pie', expected lines, lanes or bars"):
        Panel("Price", PRICE, (), "pie")


def test_places_by_name_need_their_names() -> None:
    with pytest.raises(ValueError, match="found 1 names, expected 2"):
        Picture("A title", "Words.", (0, 1), (), NAME, ("one",))


# WHAT THE SERIES SAY


@each_story
def test_a_picture_tells_what_it_shows(name: str) -> None:
    """Words, at least one panel, integers, and names that have room on a phone."""
    assert played(name).pictures
    for picture in played(name).pictures:
        assert picture.title and picture.words.endswith(".") and picture.panels
        for panel in picture.panels:
            names = [line.name for line in panel.series]
            assert len(set(names)) == len(names)
            assert all(type(value) in (int, type(None)) for line in panel.series for value in line.values)
            assert all(set(line.hits) <= set(picture.places) for line in panel.series)
            assert all(len(level.name) <= LEVEL_NAME for level in panel.levels), panel.levels
            if panel.shown == LANES:
                assert all(len(line) <= LANE_NAME for line in names), names
            elif len(names) > 1:
                assert len(panel.title) + sum(len(line) + 2 for line in names) <= LEGEND, names


def test_the_cascade_shows_both_runs() -> None:
    """Without impact the price stays at 3,870; with it, it falls further with every echo, and more is liquidated."""
    prices, volumes = series("cascade", "Price of ETH-USD"), series("cascade", "Liquidated so far")

    assert set(prices["impact 0"][1:]) == {3_870 * UNIT} and set(volumes["impact 0"][1:]) == {397_198_360_066}
    wild = [price for price in prices["impact 100"] if price is not None]
    assert wild == sorted(set(wild), reverse=True) and wild[-1] < 3_703 * UNIT
    assert (volumes["impact 100"][-1] or 0) > 4_400_000 * DOLLAR
    left = series("cascade", "ETH left")
    assert sum(now == first for now, first in zip(left["without impact"], left["at first"], strict=True)) == 9


def test_the_drag_is_the_same_each_day() -> None:
    """852 a day of 3,697.859, and the margin meets 400 within the fourth."""
    margin = series("funding_drag", "Margin")["margin"]

    assert margin[:4] == (3_697_859_000, 2_845_859_000, 1_993_859_000, 1_141_859_000)
    assert 399 * DOLLAR < (margin[4] or 0) <= 401 * DOLLAR


def test_isolated_and_cross_part_at_the_first_return() -> None:
    """Both have 2,485 after the first fall; cross is back above 4,000 after it, and at nothing at the end."""
    equity = series("isolated_vs_cross", "Equity")

    assert [value // DOLLAR for value in equity["isolated"] if value is not None] == [
        3_984,
        4_484,
        2_494,
        2_494,
        2_494,
        2_494,
    ]
    assert [value // DOLLAR for value in equity["cross"] if value is not None] == [3_984, 4_484, 2_484, 4_484, 182, 0]


def test_no_price_counts_while_two_feeds_lie_apart() -> None:
    """One lie is outvoted: 4,005; two that differ leave none; two that agree are it."""
    feeds = series("oracle_lies", "Price of ETH-USD")

    assert [value and value // UNIT for value in feeds["price"]] == [4_000, 4_005, None, None, 4_000, 2_000, 4_000]
    assert [value and value // UNIT for value in feeds["feed 1"]] == [4_000, 2_000, 2_000, 2_000, 4_000, 2_000, 4_000]
    assert [(s.first, s.last) for s in played("oracle_lies").pictures[0].stretches] == [(3, 4)]


def test_the_pool_never_sinks_below_its_reserve_by_a_withdrawal() -> None:
    """It is at 1,250,000 when the second provider has left, and below the reserve only when the price rose."""
    pool = series("bank_run", "In the pool")

    assert (pool["cash"][2], pool["what must stay"][2]) == (1_250_000 * DOLLAR, 1_250_000 * DOLLAR)
    assert (pool["what must stay"][3] or 0) == 1_281_250 * DOLLAR > (pool["cash"][3] or 0)
    assert pool["what must stay"][-1] == 0


def test_the_price_is_too_old_by_a_second() -> None:
    assert max(value or 0 for value in series("oracle_stale", "Age of the price")["age"]) == 3_601


def test_everybody_gets_what_is_owed() -> None:
    got = series("withdrawal_halt", "At the end")

    assert got["owed"] == got["paid"]


def test_a_story_without_a_picture_shows_prices_and_everybody() -> None:
    """What a new story has for nothing: the prices that move, and a lane for each account."""
    steps = played("isolated_vs_cross").steps
    picture = everybody(steps)

    assert [panel.title for panel in picture.panels] == ["Price of ETH-USD", "Price of SOL-USD", "Equity"]
    assert [panel.shown for panel in picture.panels] == [LINES, LINES, LANES]
    assert [line.name for line in picture.panels[2].series] == ["trader", "trader 1", "counterparty"]
    assert picture.panels[2].series[0].hits == (3,)


def test_the_ledger_says_who_was_liquidated() -> None:
    """Between one line and the next."""
    assert [step.liquidated for step in played("crash").steps] == [
        (),
        ("counterparty",),
        ("counterparty", "whale"),
        (),
        ("trader",),
        ("trader",),
    ]
    assert [step.seconds for step in played("crash").steps] == [0, 60, 120, 180, 240, 300]


# THE PAGE


@each_story
def test_a_page_tells_the_whole_story(name: str) -> None:
    """Title, line, every step, every promise and law with its tick, the digest; each picture wide and narrow."""
    result, html = played(name), page(name)
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", html.replace("&#39;", "'").replace("&lt;", "<")))

    assert SCENARIOS[name].in_a_line in text and result.digest in text
    assert all(step.words in text for step in result.steps)
    for sentence in (*result.expected, *(law.replace("_", " ") for law in result.laws)):
        assert f"✓{sentence}" in text
    assert html.count("<svg") == 2 * len(result.pictures)


@each_story
def test_a_page_stands_alone(name: str) -> None:
    """No network, no double id, no tag left open."""
    html = page(name)
    assert not re.search(r"https?://|url\((?!#)|<link|<script|@import|src=", html)
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', html)) <= set(ids)
    balance: dict[str, int] = {}

    class Count(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            balance[tag] = balance.get(tag, 0) + 1

        def handle_startendtag(self, tag: str, attrs: object) -> None:
            pass

        def handle_endtag(self, tag: str) -> None:
            balance[tag] = balance.get(tag, 0) - 1

    Count().feed(html)
    assert {tag for tag, left in balance.items() if left} == {"meta"}


def test_the_same_story_gives_the_same_bytes() -> None:
    result = played("cascade")
    assert render_story(story_page(result, in_a_line=SCENARIOS["cascade"].in_a_line)) == page("cascade")


def test_a_promise_that_broke_is_marked() -> None:
    """On its page and in the list."""
    broken = replace(played("crash"), expected={"the sky holds": False})
    html = render_story(story_page(broken, in_a_line="A line."))
    assert '<li class="broken"><span class="sign">✗</span>the sky holds: broken</li>' in html


@pytest.mark.parametrize("shown", [LINES, LANES, BARS])
def test_a_picture_of_nothing_but_zeros_can_be_drawn(shown: str, tmp_path: Path) -> None:
    """And one of a single place, and one that begins late."""
    late = Panel("Late", SIZE, (Series("long", (None,)), Series("short", (-3 * UNIT,))), shown)
    flat = Panel("Flat", MONEY, (Series("fund", (0,)),), shown)
    picture = Picture("Little", "Little.", (1,), (late, flat))
    result = replace(played("crash"), pictures=(picture,))
    path = write_story(story_page(result, in_a_line="A line."), tmp_path / "deep" / "little.html")

    assert path.read_text("utf-8").count("<svg") == 2


def test_texts_of_a_story_cannot_become_markup() -> None:
    """Neither on the page nor within a picture."""
    evil = "<script>alert('x')</script>&$a$"
    panel = Panel(evil, MONEY, (Series(evil, (1, 2)), Series("other", (2, 1))))
    picture = Picture(evil, evil, (1, 2), (panel,))
    steps = (replace(played("crash").steps[0], words=evil),)
    result = replace(played("crash"), pictures=(picture,), steps=steps, expected={evil: True})

    assert "<script" not in render_story(story_page(result, in_a_line=evil))


def test_the_contents_lead_to_every_page(tmp_path: Path) -> None:
    """One line for each story, with a tick when all of it held."""
    results = [played("crash"), played("cascade")]
    path = write_contents(story_contents(results, [SCENARIOS[r.name].in_a_line for r in results]), tmp_path)

    html = path.read_text("utf-8")
    assert path.name == "index.html"
    assert re.findall(r'<a href="([^"]+)">([^<]+)</a>', html) == [("crash.html", "Crash"), ("cascade.html", "Cascade")]
    assert html.count("✓") == 2 and "2 stories" in html
