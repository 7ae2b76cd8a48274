"""A story as a page with its pictures, and the page that leads to all stories."""

from __future__ import annotations

from collections.abc import Sequence

from perpkit.report import LedgerStep, StoryContents, StoryEntry, StoryPage, amount_text, dollars_text, price_text
from perpkit.scenarios.story import Step, StoryResult

COLUMNS = ("account", "size", "equity", "maintenance", "liquidation at")


def story_page(result: StoryResult, *, in_a_line: str) -> StoryPage:
    """What `perpkit.report` shows of a story."""
    return StoryPage(
        title=title_of(result.name),
        subtitle=in_a_line,
        facts=(("backend", result.backend), *((_plain(name), _value(v)) for name, v in result.parameters.items())),
        pictures=result.pictures,
        columns=COLUMNS,
        steps=tuple(_step(step, _moving(result.steps)) for step in result.steps),
        promises=result.expected,
        laws=result.laws,
        digest=result.digest,
    )


def story_contents(results: Sequence[StoryResult], lines: Sequence[str]) -> StoryContents:
    """The list of all stories that were played, each in its line."""
    entries = tuple(_entry(result, line) for result, line in zip(results, lines, strict=True))
    backends = ", ".join(sorted({result.backend for result in results}))
    return StoryContents("Stories", f"{len(entries)} stories of a leveraged market, played on {backends}.", entries)


def file_of(name: str) -> str:
    return f"{name}.html"


def title_of(name: str) -> str:
    words = _plain(name).replace("adl", "ADL")
    return words[:1].upper() + words[1:]


def _entry(result: StoryResult, in_a_line: str) -> StoryEntry:
    promises = [*result.expected.values(), *result.laws.values()]
    title = title_of(result.name)
    return StoryEntry(file_of(result.name), title, in_a_line, sum(promises), len(promises))


def _moving(steps: Sequence[Step]) -> tuple[str, ...]:
    """The symbols whose prices change; of a story in which none does, the first."""
    moving = [symbol for symbol in steps[0].prices if len({step.prices[symbol] for step in steps}) > 1]
    return tuple(moving or list(steps[0].prices)[:1])


def _step(step: Step, symbols: Sequence[str]) -> LedgerStep:
    rows = [
        (
            _plain(name),
            _size(line["size"]),
            dollars_text(line["equity"]),
            dollars_text(line["maintenance_margin"]),
            price_text(line["liquidation_price"]) if line["liquidation_price"] else "–",
        )
        for name, line in step.accounts.items()
    ]
    totals = (("insurance fund", step.insurance), ("pool", step.pool), ("deficit", step.deficit))
    return LedgerStep(
        words=step.words,
        moment=_moment(step.seconds),
        prices=tuple(f"{symbol} {price_text(step.prices[symbol])}" for symbol in symbols),
        rows=tuple(rows),
        totals=tuple((name, dollars_text(value)) for name, value in totals),
        liquidated=tuple(_plain(name) for name in step.liquidated),
    )


def _moment(seconds: int) -> str:
    """Since the story began: 3 days 4 h 0 min 5 s, without what is nothing."""
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, rest = divmod(rest, 60)
    parts = ((days, "day" if days == 1 else "days"), (hours, "h"), (minutes, "min"), (rest, "s"))
    said = " ".join(f"{count} {unit}" for count, unit in parts if count)
    return f"after {said}" if said else "at the start"


def _size(size: int) -> str:
    return f"{'−' if size < 0 else ''}{amount_text(abs(size))}"


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return " → ".join(map(_value, value))
    return f"{value:,}" if isinstance(value, int) else str(value)


def _plain(name: str) -> str:
    return name.replace("_", " ")
