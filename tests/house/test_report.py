"""The report: what it refuses, how it is written, and what stands on the page."""

import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perpkit.report import (
    LiquidationMark,
    MarketSeries,
    Report,
    VaultSeries,
    amount_text,
    dollars_text,
    moment_text,
    page,
    price_text,
    render_report,
    write_report,
)
from perpkit.report.thinning import thinned

WAD = 10**18
START = 1743811200  # 5 April 2025


def a_market(symbol: str = "ETH-USD", points: int = 40) -> MarketSeries:
    times = tuple(START + 300 * i for i in range(points))
    return MarketSeries(
        symbol=symbol,
        times=times,
        prices=tuple((1800 - i % 97) * WAD for i in range(points)),
        long_open_interest=tuple((500 - i % 89) * WAD for i in range(points)),
        short_open_interest=tuple((400 + i % 83) * WAD for i in range(points)),
        liquidations=(
            LiquidationMark(times[3], 1790 * WAD, "long", False, 12_000 * 10**6),
            LiquidationMark(times[5], 1788 * WAD, "long", True, 500 * 10**6),
            LiquidationMark(times[9], 1795 * WAD, "short", False, 250_500_000),
        ),
        liquidation_map=((1500 * WAD, 90_000 * 10**6, "long"), (2100 * WAD, 40_000 * 10**6, "short")),
        map_time=times[-1],
        map_price=1770 * WAD,
    )


def a_vault(points: int = 40) -> VaultSeries:
    times = tuple(START + 300 * i for i in range(points))
    ramp = tuple(i * 10**9 for i in range(points))
    return VaultSeries(times, ramp, ramp, (0,) * points)


REPORT = Report(
    title="Crash of April",
    subtitle="One market",
    facts=(("Traders", "240"),),
    laws={"money_in_equals_money_out": True},
    digest="0xabc123",
    markets=(a_market(),),
    vault=a_vault(),
)
EMPTY = Report("Nothing", "", (), {}, "0x0", (), VaultSeries((), (), (), ()))


# --- refusals -----------------------------------------------------------------------------------------


def test_a_side_that_is_neither_long_nor_short_is_refused() -> None:
    """In marks and in the map."""
    with pytest.raises(ValueError, match="side: found 'buy', expected 'long' or 'short'"):
        LiquidationMark(START, WAD, "buy", False, 1)
    with pytest.raises(ValueError, match="side: found 'sell'"):
        replace(a_market(), liquidation_map=((WAD, 1, "sell"),))


def test_series_of_different_lengths_are_refused() -> None:
    """Every time needs one value."""
    with pytest.raises(ValueError, match="ETH-USD, prices: found 1 values, expected one for each of 40 times"):
        replace(a_market(), prices=(WAD,))
    with pytest.raises(ValueError, match="vault, deficit: found 0 values"):
        replace(a_vault(), deficit=())


def test_times_that_fall_are_refused() -> None:
    """A line that runs backwards is no series."""
    with pytest.raises(ValueError, match="expected ascending times"):
        VaultSeries((2, 1), (0, 0), (0, 0), (0, 0))


def test_a_failed_rendering_leaves_no_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing on disk changes before the page is whole."""

    def fail(_: Report) -> str:
        raise RuntimeError("no ink")

    monkeypatch.setattr(page, "render_report", fail)
    with pytest.raises(RuntimeError, match="no ink"):
        write_report(REPORT, tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_writing_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the temporary file nor the directories made for it stay."""

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("perpkit.report.page.os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_report(EMPTY, tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_writing_keeps_the_report_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old whole report is better than a new half one."""

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "index.html").write_text("old")
    monkeypatch.setattr("perpkit.report.page.os.fsync", fail)
    with pytest.raises(KeyboardInterrupt):
        write_report(EMPTY, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    assert (tmp_path / "index.html").read_text() == "old"


# --- writing ------------------------------------------------------------------------------------------


def test_a_report_replaces_the_one_before(tmp_path: Path) -> None:
    """The path comes back, and nothing but the page lies in the directory."""
    folder = tmp_path / "deep" / "er"
    write_report(replace(EMPTY, title="first"), folder)
    path = write_report(replace(EMPTY, title="second"), folder)
    assert path == folder / "index.html"
    assert "<h1>second</h1>" in path.read_text("utf-8")
    assert list(folder.iterdir()) == [path]


def test_the_same_report_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    """No clock, no hash seed and no user style reaches the page."""
    (tmp_path / "matplotlibrc").write_text("lines.linewidth: 9\naxes.grid: True\nsvg.fonttype: path\n")
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "from test_report import REPORT, render_report\n"
        "sys.stdout.buffer.write(render_report(REPORT).encode())"
    )
    environment = {
        "MATPLOTLIBRC": str(tmp_path),
        "PYTHONHASHSEED": "5",
        "PYTHONPATH": str(Path(__file__).parent),
    }
    environment["MPLCONFIGDIR"] = str(tmp_path)
    again = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert again.stdout == render_report(REPORT).encode()


def test_importing_the_report_imports_no_matplotlib() -> None:
    """The command line starts fast unless it draws."""
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "import perpkit.report\nassert not {'matplotlib', 'numpy', 'jinja2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_users_matplotlib_settings_survive() -> None:
    """Drawing borrows the settings and gives them back."""
    import matplotlib

    before = dict(matplotlib.rcParams)
    render_report(EMPTY)
    assert dict(matplotlib.rcParams) == before


# --- the page -----------------------------------------------------------------------------------------


def test_an_empty_report_says_so() -> None:
    """No series, no pictures, no error."""
    page = render_report(EMPTY)
    assert "None were checked." in page and "Nothing was recorded." in page and "<svg" not in page


def test_a_market_without_data_says_so() -> None:
    """Each missing picture has its sentence."""
    bare = MarketSeries("SOL", (), (), (), (), (), (), START, WAD)
    page = render_report(replace(EMPTY, markets=(bare,)))
    assert "No liquidations." in page and "No prices were recorded." in page
    assert "No position was open on 5 Apr 2025, 00:00 UTC" in page


def test_texts_cannot_become_markup() -> None:
    """Neither on the page nor within a picture."""
    evil = "<script>alert('x')</script>&$a$"
    report = replace(
        REPORT,
        title=evil,
        subtitle=evil,
        facts=((evil, evil),),
        laws={evil: False},
        digest=evil,
        markets=(replace(a_market(), symbol=evil),),
    )
    page = render_report(report)
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;$a$" in page


def test_the_page_refers_to_nothing_outside_it() -> None:
    """It opens the same without a network."""
    page = render_report(REPORT)
    assert not re.search(r"https?://|url\((?!#)|<link|<script|@import|src=", page)
    assert all(target.startswith("#") for target in re.findall(r'href="([^"]*)"', page))


def test_every_id_is_unique_and_every_reference_has_its_id() -> None:
    """Pictures share one page: an id of one must not catch a reference of another."""
    page = render_report(replace(REPORT, markets=(a_market("ETH-USD"), a_market("BTC-USD"))))
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', page)) <= set(ids)


def test_every_tag_is_closed() -> None:
    """Stripping a figure for the page must leave it balanced."""
    balance: dict[str, int] = {}

    class Count(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            balance[tag] = balance.get(tag, 0) + 1

        def handle_startendtag(self, tag: str, attrs: object) -> None:
            pass

        def handle_endtag(self, tag: str) -> None:
            balance[tag] = balance.get(tag, 0) - 1

    Count().feed(render_report(REPORT))
    assert {tag for tag, left in balance.items() if left} == {"meta"}


def test_laws_are_told_in_words() -> None:
    """A tick for one that held, a cross and the word broken for one that did not."""
    page = render_report(replace(EMPTY, laws={"money_in_equals_money_out": True, "no_bad_debt": False}))
    assert '<li><span class="sign">✓</span>money in equals money out</li>' in page
    assert '<li class="broken"><span class="sign">✗</span>no bad debt: broken</li>' in page
    assert "1 of 2 broken." in page


def test_liquidations_are_counted_in_words() -> None:
    """Count, notional and partial ones, each side for itself."""
    page = render_report(REPORT)
    assert "▼ 2 longs liquidated</span>, $12,500 (" in page and "▽</span> 1 in part)" in page
    assert "▲ 1 short liquidated</span>, $251" in page
    assert "at $1,770.00: $90,000 of longs and $40,000 of shorts." in page


def test_prices_far_beyond_todays_are_told_not_drawn() -> None:
    """A lone liquidation price a million times higher must not squash the map."""
    far = replace(a_market(), liquidation_map=((1500 * WAD, 10**9, "long"), (10**9 * WAD, 7 * 10**9, "short")))
    page = render_report(replace(REPORT, markets=(far,)))
    assert "$7,000 of it lies at prices beyond the right edge." in page


def test_a_single_point_can_be_drawn() -> None:
    """A run of one candle still has a report."""
    one = MarketSeries("ETH", (START,), (WAD,), (0,), (0,), (), ((WAD, 0, "long"),), START, WAD)
    page = render_report(replace(EMPTY, markets=(one,), vault=VaultSeries((START,), (0,), (0,), (0,))))
    assert page.count("<svg") == 6


def test_a_page_of_many_points_stays_small() -> None:
    """Eight markets of twenty thousand points and a thousand liquidations each."""
    market = a_market(points=20_000)
    marks = tuple(
        LiquidationMark(market.times[i * 19], market.prices[i * 19], ("long", "short")[i % 2], i % 3 == 0, i + 1)
        for i in range(1000)
    )
    markets = tuple(replace(market, symbol=f"M{i}", liquidations=marks) for i in range(8))
    assert len(render_report(replace(REPORT, markets=markets, vault=a_vault(20_000))).encode()) < 2_000_000


@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.integers(0, 10**24), min_size=1, max_size=400), points=st.integers(40, 120))
def test_thinning_keeps_the_ends_and_the_extremes(values: list[int], points: int) -> None:
    """The spike is what a reader of a crash looks for."""
    keep = thinned(range(len(values)), (values,), points)
    assert keep == sorted(set(keep)) and keep[0] == 0 and keep[-1] == len(values) - 1
    assert len(keep) <= points + 2
    kept = [values[i] for i in keep]
    assert max(kept) == max(values) and min(kept) == min(values)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (dollars_text(1_234_567_890_000), "$1,234,568"),
        (dollars_text(12_345_000), "$12.35"),
        (dollars_text(-5_000_000), "−$5"),
        (price_text(1669_160000000000000000), "$1,669.16"),
        (price_text(21_450000000000), "$0.00002145"),
        (price_text(1), "$0.000000000000000001"),
        (amount_text(21_934 * 10**15), "21.93"),
        (amount_text(7380 * WAD), "7,380"),
        (amount_text(22_050_000 * WAD), "22.05M"),
        (amount_text(0), "0"),
        (amount_text(5 * 10**12), "0.000005000"),
        (moment_text(1744242900), "9 Apr 2025, 23:55 UTC"),
    ],
)
def test_numbers_are_said_as_a_reader_says_them(said: str, expected: str) -> None:
    """Separators, signs and no more digits than tell."""
    assert said == expected
